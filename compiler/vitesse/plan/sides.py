"""One side of a stream: what is called how, what is known of it, and what the manifest fixes."""

from __future__ import annotations

from typing import Literal

from ..api.facts import ApiFacts, FactKind
from ..api.model import Api
from ..forms import pointer
from ..frozen import dataclass
from ..manifest import Stream
from .model import FixedPlan
from .operations import path_parameters
from .systems import Names, Uses, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class SideNames:
    """One system: what it is called, what it offers, what is known of it."""

    names: Names
    api: Api
    facts: ApiFacts
    uses: Uses

    def of(self, name: str, stream: Stream, part: Literal["source", "destination"]) -> StreamSide:
        """The system as one part of a stream."""
        return StreamSide(
            names=self.names, api=self.api, facts=self.facts, uses=self.uses, name=name, stream=stream, part=part
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSide(SideNames):
    """A system as one part of one stream."""

    name: str
    """The stream's."""
    stream: Stream
    part: Literal["source", "destination"]

    def fact(self, operation: str | None, kind: FactKind) -> str | None:
        """What the facts say of an operation, where that is a text."""
        fact = self.facts.get(operation, kind) if operation is not None else None
        return fact.value if fact is not None and isinstance(fact.value, str) else None

    def at(self, *steps: str) -> str:
        """A place in the stream's part of the manifest."""
        return pointer("streams", self.name, *steps)

    def fixed(self) -> dict[str, object]:
        """The parameters that never change."""
        prefix = f"{self.part}."
        return {
            name.removeprefix(prefix): value
            for name, value in self.stream.parameters.items()
            if name.startswith(prefix)
        }

    def fixed_plans(self) -> tuple[FixedPlan, ...]:
        """The same, as they are written down."""
        return tuple(
            FixedPlan(name=name, value=setting(value))  # type: ignore[arg-type]
            for name, value in sorted(self.fixed().items())
        )

    def identity_argument(self, operation_id: str | None) -> str:
        """The path parameter that takes the identity: the last one that the manifest does not fix."""
        if operation_id is None:
            return "id"
        operation = self.api.operation(operation_id)
        fixed = self.fixed()
        names = [name for name in path_parameters(operation) if name not in fixed] if operation is not None else []
        return names[-1] if names else "id"

"""The whole form of `integration.yaml`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from ..forms import Form
from .streams import Stream
from .systems import System
from .texts import Name, check_length, matching, seconds, shape
from .webhooks import Webhook

MANIFEST_FILE = "integration.yaml"

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){1,2}(?:(?:a|b|rc|\.dev|\.post)[0-9]+)?")


class Retention(Form):
    """How long what is over is kept. Links, open letters, open conflicts and waiting deliveries are kept as long as they are that."""

    runs: Annotated[str, AfterValidator(check_length)] = "90 days"
    history: Annotated[str, AfterValidator(check_length)] = "90 days"
    """The ledger of changes with what they replaced, and the audit."""
    dead_letters: Annotated[str, AfterValidator(check_length)] = "180 days"
    """Discarded ones."""
    deliveries: Annotated[str, AfterValidator(check_length)] = "7 days"
    """Of webhooks, once they are carried out. A vendor that goes on delivering for longer makes a repetition look new."""
    conflicts: Annotated[str, AfterValidator(check_length)] = "180 days"
    """Resolved ones."""

    def lengths_s(self) -> dict[str, int]:
        """Each in seconds."""
        return {name: seconds(getattr(self, name)) for name in type(self).model_fields}


class Deploy(Form):
    """Where the package runs. `local`, `eks`, `ecs`, or the target of a plugin."""

    target: Name = "local"
    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    memory_mb: Annotated[int, Field(ge=64, le=1_048_576)] = 512
    cpu_cores: Annotated[float, Field(gt=0, le=256)] = 0.5
    auto_scale: bool = False
    port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    database: Literal["sqlite", "postgresql"] | None = None
    """What keeps the state: SQLite for one local replica, PostgreSQL for anything else. Decided by target and replicas when it
    is left out."""

    @property
    def needs_postgresql(self) -> bool:
        return self.replicas > 1 or self.auto_scale or self.target != "local"


class ReviewPolicy(Form):
    """Accepts proposals by their confidence; such an acceptance is recorded as `by: policy`."""

    accept_above: Annotated[float, Field(ge=0.5, le=1)]


ModelName = Annotated[
    str,
    matching(re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}"), "a model's name, such as `gpt-5-mini` or `qwen3:8b`"),
]


class Prices(Form):
    """What a million tokens cost, in any one currency."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]


class LanguageModel(Form):
    """Which models `map --llm` asks. Where they are and the key come from the command line and the environment, never from here."""

    model: ModelName | None = None
    """Ranks and explains: `--model` when it is left out."""
    embeddings: ModelName | None = None
    """A model for embeddings that finds further candidates; none are used when it is left out."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Sent and answered, over one run."""
    max_cost: Annotated[float, Field(ge=0)] | None = None
    """Of one run, in the currency of `price`."""
    price: Prices | None = None


class Manifest(Form):
    """One integration: what goes from where to where, and how."""

    vitesse: Literal[1]
    """The version of this form."""
    name: Name
    """Names the package: distribution `shopify-credo`, import `shopify_credo`."""
    version: Annotated[str, matching(_VERSION, "a version such as `0.1.0`")] = "0.1.0"
    intent: str = ""
    """What the integration is for, in a sentence."""
    python: Literal["3.11", "3.12", "3.13", "3.14"] = "3.11"
    """The lowest Python that the package runs on."""
    models: Literal["narrow", "full"] = "narrow"
    """`narrow` models hold the mapped and identifying fields only, `full` ones every field of the used operations."""
    review: Annotated[
        Annotated[Literal["required"], Tag("(text)")] | Annotated[ReviewPolicy, Tag("(object)")],
        Discriminator(shape),
    ] = "required"
    plugins: tuple[
        Annotated[str, matching(re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"), "a plugin's name")], ...
    ] = ()
    """Only these are loaded."""
    source: System
    destination: System
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
    webhooks: tuple[Webhook, ...] = ()
    retention: Retention = Retention()
    deploy: Deploy = Deploy()
    llm: LanguageModel = LanguageModel()

    def operations(self, side: str) -> tuple[str, ...]:
        """Ids of the operations that are named for one of the two systems, each once, in order."""
        named: dict[str, None] = {}
        for stream in self.streams.values():
            part = stream.source if stream.side("source") == side else stream.destination
            named |= dict.fromkeys(part.operations)
        for webhook in self.webhooks if side == "source" else ():
            if webhook.register_ is not None:
                named |= dict.fromkeys(webhook.register_.operations)
        return tuple(named)

    @property
    def module(self) -> str:
        """The import name."""
        return self.name.replace("-", "_")

"""The examples as plain data, and a reader of schemas that shares nothing with the compiler's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.shared import REPOSITORY
from vitesse.manifest import Manifest, Stream, load_manifest
from vitesse.yaml import read_yaml

EXAMPLES = REPOSITORY / "examples"
RICH = ("shopify_credo", "tracker_ledger")
"""Examples whose descriptions use much of OpenAPI."""
NAMES = ("shopify_atelier", *RICH)


@dataclass
class Spec:
    """One description with the two things the tests ask of it."""

    document: dict[str, Any]

    def at(self, pointer: str) -> Any:
        """The value at a JSON pointer, `#/a/b`. Raises KeyError or IndexError."""
        value: Any = self.document
        for part in pointer.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            value = value[int(name)] if isinstance(value, list) else value[name]
        return value

    def operation(self, id: str) -> dict[str, Any]:
        """An operation by what a manifest calls it. Raises KeyError."""
        method, path = id.split(" ", 1)
        operation: dict[str, Any] = self.document["paths"][path][method.lower()]
        return operation

    def parameters(self, id: str) -> dict[tuple[str, str], dict[str, Any]]:
        item = self.document["paths"][id.split(" ", 1)[1]]
        found = [
            self.resolved(given) for given in [*item.get("parameters", []), *self.operation(id).get("parameters", [])]
        ]
        return {(parameter["in"], parameter["name"]): parameter for parameter in found}

    def reply(self, id: str) -> dict[str, Any]:
        """The schema of the 2xx JSON body."""
        status, response = next(
            (status, self.resolved(found))
            for status, found in self.operation(id)["responses"].items()
            if status[0] == "2"
        )
        assert status
        schema: dict[str, Any] = response["content"]["application/json"]["schema"]
        return schema

    def request(self, id: str) -> dict[str, Any]:
        schema: dict[str, Any] = self.operation(id)["requestBody"]["content"]["application/json"]["schema"]
        return schema

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            value = self.at(value["$ref"])
        return value

    def members(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The schema and all that it is made of."""
        schema = self.resolved(schema)
        yield schema
        for word in ("allOf", "oneOf", "anyOf"):
            for member in schema.get(word, []):
                yield from self.members(member)

    def below(self, schema: dict[str, Any], path: str) -> dict[str, Any] | None:
        """The schema at a field path such as `breaks[].reason`; None when there is no such field."""
        for part in path.replace("[]", ".[]").split(".") if path else []:
            found = None
            for member in self.members(schema):
                if part == "[]":
                    found = member.get("items")
                else:
                    found = member.get("properties", {}).get(part, member.get("additionalProperties"))
                if isinstance(found, dict):
                    break
            if not isinstance(found, dict):
                return None
            schema = found
        return schema

    def required(self, schema: dict[str, Any]) -> set[str]:
        return {name for member in self.members(schema) for name in member.get("required", [])}


@dataclass
class Example:
    name: str
    folder: Path
    manifest: Manifest
    specs: dict[str, Spec] = field(default_factory=dict)

    def facts(self, api: str) -> dict[str, dict[str, dict[str, Any]]]:
        return read_yaml((self.folder / "facts" / f"{api}.yaml").read_text("utf-8"))  # type: ignore[return-value]

    def mapping(self, stream: str) -> dict[str, Any]:
        return read_yaml((self.folder / "mappings" / f"{stream}.yaml").read_text("utf-8"))  # type: ignore[return-value]

    @property
    def source(self) -> Spec:
        return self.specs[self.manifest.source.api]

    @property
    def destination(self) -> Spec:
        return self.specs[self.manifest.destination.api]

    def ends(self, stream: Stream) -> tuple[Spec, Spec]:
        """What a stream reads and writes; one that goes back has them exchanged."""
        both = {"source": self.source, "destination": self.destination}
        return both[stream.side("source")], both[stream.side("destination")]

    @property
    def streams(self) -> dict[str, Stream]:
        return self.manifest.streams


def load(name: str) -> Example:
    folder = EXAMPLES / name
    example = Example(name=name, folder=folder, manifest=load_manifest(folder))
    for path in sorted((folder / "specs").iterdir()):
        text = path.read_text("utf-8")
        example.specs[path.stem] = Spec(json.loads(text) if path.suffix == ".json" else read_yaml(text))  # type: ignore[arg-type]
    return example


@pytest.fixture(params=NAMES, scope="session")
def example(request: pytest.FixtureRequest) -> Example:
    return load(request.param)

"""Descriptions with parts swapped, dropped and bent: every one is read or refused, none brings anything down."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.openapi import cases
from vitesse.api.canonical import canonical
from vitesse.api.fields import iter_fields
from vitesse.diagnostics import DiagnosticError
from vitesse.ingest.infer import infer_facts
from vitesse.ingest.reading import Reading
from vitesse.ingest.streams import propose_stream
from vitesse.openapi import build_api, list_operations, read_document

_THING = {"$ref": "#/components/schemas/Thing"}
_VALUES: tuple[Any, ...] = (
    None, [], {}, "x", 5, True, -1, 1.5, "", [None], [[]], "object", "array", "é\u2028\n", "#/components/schemas/Thing",
    {"$ref": "#/paths"}, _THING, {"$ref": 5}, {"$ref": "#"}, {"type": "object"}, {"allOf": [_THING]}, {"type": ["string", "null"]},
    {"oneOf": [_THING, {"type": "null"}]}, [{"name": "a", "in": "query"}], {"x": {"type": "string"}}, {"schema": {"type": "string"}},
    {"200": {"description": "x"}},
)  # fmt: skip
_KEYS = (
    "$ref type properties items allOf oneOf anyOf enum const required nullable discriminator additionalProperties format default schema "
    "content parameters responses requestBody security servers callbacks webhooks paths components get post name in style explode if then "
    "dependentSchemas patternProperties prefixItems examples example maximum minLength maxItems headers description summary tags"
).split()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for step in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _paths(value[step], (*path, step))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _bend(document: Any, rng: random.Random) -> None:
    places = [path for path in _paths(document) if path]
    if not places:
        return
    place = rng.choice(places)
    what = rng.random()
    if what < 0.5:
        _at(document, place[:-1])[place[-1]] = copy.deepcopy(rng.choice(_VALUES))
    elif what < 0.7:
        _at(document, place[:-1])[place[-1]] = copy.deepcopy(_at(document, rng.choice(places)))
    elif isinstance(target := _at(document, place), dict):
        target[rng.choice(_KEYS)] = copy.deepcopy(rng.choice(_VALUES))


def _use(path: Path, rng: random.Random) -> None:
    document = read_document(path)
    built = build_api(document)
    list_operations(document)
    canonical(built.api, places=True)
    reading = Reading(built.api, document)
    for operation in built.api.operations:
        built.diagnostics_of(operation)
        infer_facts(reading, operation)
    for type in list(built.api.types.values())[:3]:
        list(iter_fields(built.api, type, most=300))
    if built.api.operations:
        listing, creating = rng.choice(built.api.operations), rng.choice(built.api.operations)
        propose_stream(reading, listing.id, reading, creating.id)


@pytest.mark.parametrize("seed", range(6))
def test_bent_descriptions_are_read_or_refused(tmp_path: Path, seed: int):
    rng = random.Random(seed)
    for case in rng.sample(cases.names(), 20):
        root = next(path for path in sorted((cases.CASES / case).iterdir()) if path.stem == "openapi")
        try:
            original = read_document(root).value
        except DiagnosticError:
            continue
        for bends in (1, 2, 4):
            bent = copy.deepcopy(original)
            for _ in range(bends):
                _bend(bent, rng)
            (tmp_path / "bent.json").write_text(json.dumps(bent))
            with suppress(DiagnosticError):
                _use(tmp_path / "bent.json", rng)

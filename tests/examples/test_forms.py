"""Manifest, facts and mapping of each example speak of things that are there."""

from __future__ import annotations

import typing
from typing import Any

from tests.examples.conftest import NAMES, Example, Spec, load
from vitesse.api import facts as values
from vitesse.registry import load_registry

_VALUE_OF: dict[str, type] = {
    "paging": values.Paging,
    "rate_limit": values.RateLimit,
    "success": values.Success,
    "batch": values.BatchResults,
    "webhooks": values.WebhookFact,
}


def _operations(example: Example, side: str) -> set[str]:
    found: set[str] = set()
    for stream in example.streams.values():
        part = "source" if stream.side("source") == side else "destination"
        end = getattr(stream, part).model_dump(exclude_none=True)
        for name in ("list", "get", "create", "update", "delete", "batch"):
            if isinstance(end.get(name), str):
                found.add(end[name])
        if "find" in end:
            found.add(end["find"]["operation"])
    return found


def test_operations_of_the_manifest_are_in_the_specs(example: Example):
    for side, spec in (("source", example.source), ("destination", example.destination)):
        for id in _operations(example, side):
            assert spec.operation(id)["operationId"]


def test_security_schemes_and_servers_are_the_specs(example: Example):
    for system, spec in (
        (example.manifest.source, example.source),
        (example.manifest.destination, example.destination),
    ):
        assert system.auth is not None
        assert system.auth.scheme in spec.document["components"]["securitySchemes"]
        assert system.base_url in [server["url"] for server in spec.document["servers"]]


def test_parameters_of_the_manifest_are_in_the_specs(example: Example):
    for stream in example.streams.values():
        source, destination = example.ends(stream)
        assert ("query", stream.source.since) in source.parameters(stream.source.list)
        find = stream.destination.find
        assert find is not None
        for text in find.by.values():
            assert ("query", text.removeprefix("query.")) in destination.parameters(find.operation)


def test_facts_are_of_used_operations_and_their_places_exist(example: Example):
    for side, spec in (("source", example.source), ("destination", example.destination)):
        system = getattr(example.manifest, side)
        facts = example.facts(system.api)
        assert set(facts) == _operations(example, side)
        for kinds in facts.values():
            for kind, fact in kinds.items():
                assert kind in typing.get_args(values.FactKind)
                assert set(fact) <= {"value", "at", "confidence", "by"}
                assert fact["value"] is None or spec.at(fact["at"]) is not None
                assert 0 <= fact["confidence"] <= 1


def test_values_of_facts_have_the_members_of_their_dataclasses(example: Example):
    for api in example.specs:
        for kinds in example.facts(api).values():
            for kind, fact in kinds.items():
                if kind in _VALUE_OF:
                    _VALUE_OF[kind](**fact["value"])
                else:
                    assert isinstance(fact["value"], str | dict | None), kind


def test_facts_that_a_stream_uses_are_certain(example: Example):
    """Nothing in an example is an open question."""
    for api in example.specs:
        for operation, kinds in example.facts(api).items():
            for kind, fact in kinds.items():
                assert fact["value"] is None or fact["confidence"] >= values.CONFIDENT, (operation, kind)


def test_paging_and_paths_of_facts_are_in_the_specs(example: Example):
    for api, spec in example.specs.items():
        for id, kinds in example.facts(api).items():
            paging = kinds.get("paging", {"value": {}})["value"]
            for name in ("limit", "cursor", "page", "offset"):
                if name in paging:
                    assert ("query", paging[name]) in spec.parameters(id)
            for name in ("next", "has_more", "total"):
                if name in paging:
                    assert spec.below(spec.reply(id), paging[name]) is not None
            for kind in ("records", "record"):
                if kind in kinds:
                    assert spec.below(spec.reply(id), kinds[kind]["value"]) is not None
            if "idempotency" in kinds:
                assert ("header", kinds["idempotency"]["value"]) in spec.parameters(id)
            if "batch" in kinds:
                _batch_is_there(spec, id, kinds["batch"]["value"])


def _batch_is_there(spec: Spec, id: str, batch: dict[str, Any]) -> None:
    assert spec.below(spec.request(id), batch["items"])["maxItems"] == batch["max"]  # type: ignore[index]
    results = spec.below(spec.reply(id), batch["results"] + "[]")
    assert results is not None
    for name in ("index", "status", "identity", "error"):
        assert spec.below(results, batch[name]) is not None


def _ends(example: Example, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schemas of a source record and of a destination body."""
    stream = example.streams[name]
    read, written = example.ends(stream)
    api = next(api for api, spec in example.specs.items() if spec is read)
    records = example.facts(api)[stream.source.list]["records"]["value"]
    source = read.below(read.reply(stream.source.list), f"{records}[]")
    assert source is not None
    return source, written.request(stream.destination.create)


def test_paths_of_the_manifest_are_in_the_records(example: Example):
    for name, stream in example.streams.items():
        source, body = _ends(example, name)
        read, written = example.ends(example.streams[name])
        for path in (stream.source.identity, stream.source.version, *(match.source for match in stream.match)):
            assert path is not None
            assert read.below(source, path) is not None
        for match in stream.match:
            assert written.below(body, match.destination) is not None


def test_rules_read_and_fill_fields_that_are_there(example: Example):
    for name in example.streams:
        mapping = example.mapping(name)
        source, body = _ends(example, name)
        read, written = example.ends(example.streams[name])
        registry = load_registry(example.manifest.plugins, example.folder)
        for path, rule in mapping["rules"].items():
            assert written.below(body, path) is not None, path
            given = rule.get("from", [])
            for text in [given] if isinstance(given, str) else given:
                assert read.below(source, text) is not None, text
            if rule["transform"] == "custom":
                assert rule["with"]["function"] in registry.functions
        for path in mapping.get("waive", {}):
            assert written.below(body, path) is not None, path


def test_every_destination_field_is_mapped_or_waived(example: Example):
    """An example leaves no question open."""
    for name in example.streams:
        mapping = example.mapping(name)
        _, body = _ends(example, name)
        _, written = example.ends(example.streams[name])
        spoken = {path.split(".")[0].removesuffix("[]") for path in (*mapping["rules"], *mapping.get("waive", {}))}
        fields = [key for member in written.members(body) for key in member.get("properties", {})]
        assert [key for key in fields if key not in spoken] == []
        assert written.required(body) <= {path.split(".")[0] for path in mapping["rules"]}


def test_rules_stand_in_the_order_of_the_destinations_schema(example: Example):
    for name in example.streams:
        _, body = _ends(example, name)
        _, written = example.ends(example.streams[name])
        order = [key for member in written.members(body) for key in member.get("properties", {})]
        tops = [path.split(".")[0].removesuffix("[]") for path in example.mapping(name)["rules"]]
        assert tops == sorted(tops, key=order.index)


def test_the_examples_together_use_most_transforms():
    known = """direct mapping parse stringify parse_bool collect constant enum split join template date each coalesce first
    wrap text lookup custom""".split()
    mappings = [example.mapping(stream) for example in map(load, NAMES) for stream in example.streams]
    used = {rule["transform"] for mapping in mappings for rule in mapping["rules"].values()}
    assert used <= set(known)
    assert len(used) >= 12

"""The examples' descriptions are valid, in both versions and both syntaxes, and their examples fit their schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.examples.conftest import EXAMPLES, RICH, Example, Spec


def test_every_description_is_valid_openapi(example: Example):
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    for spec in example.specs.values():
        validator.validate(spec.document)


def test_both_versions_and_both_syntaxes_are_there(example: Example):
    assert sorted(spec.document["openapi"][:3] for spec in example.specs.values()) == ["3.0", "3.1"]
    suffixes = {path.suffix for path in (EXAMPLES / example.name / "specs").iterdir()}
    assert suffixes == {".yaml", ".json"}


def test_every_description_has_a_file_of_the_manifests_name(example: Example):
    assert set(example.specs) == {example.manifest.source.api, example.manifest.destination.api}


def _schemas(spec: Spec, value: Any, pointer: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str | list) or "allOf" in value or "$ref" in value:
            yield pointer, value
        for key, below in value.items():
            if key not in ("example", "examples", "enum", "default"):
                yield from _schemas(spec, below, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _schemas(spec, below, f"{pointer}/{index}")


def _flatten(spec: Spec, schema: dict[str, Any]) -> Any:
    """The schema with refs followed and 3.0's `nullable` in the words of JSON Schema."""
    schema = dict(spec.resolved(schema))
    nullable = schema.pop("nullable", False)
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:
            schema[word] = [_flatten(spec, member) for member in schema[word]]
    if "properties" in schema:
        schema["properties"] = {name: _flatten(spec, below) for name, below in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        schema["items"] = _flatten(spec, schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _flatten(spec, schema["additionalProperties"])
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def test_examples_fit_their_schemas(example: Example):
    """What mocks hand out first must be a value of its own schema."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    checked = 0
    for name, spec in example.specs.items():
        for _, schema in _schemas(spec, spec.document):
            given = schema.get("examples", [schema["example"]] if "example" in schema else [])
            for value in given if isinstance(given, list) else []:
                jsonschema.Draft202012Validator(_flatten(spec, schema)).validate(value)
                checked += 1
        for pointer in _bodies(spec.document):
            media = spec.at(pointer)
            named = [known["value"] for known in media.get("examples", {}).values()]
            for value in [*([media["example"]] if "example" in media else []), *named]:
                jsonschema.Draft202012Validator(_flatten(spec, media["schema"])).validate(value)
                checked += 1
        assert checked, name
    assert checked > (80 if example.name in RICH else 20)


def _bodies(value: Any, pointer: str = "#") -> Iterator[str]:
    if isinstance(value, dict):
        if "schema" in value and "in" not in value:
            yield pointer
        for key, below in value.items():
            yield from _bodies(below, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _bodies(below, f"{pointer}/{index}")


def test_every_field_of_a_record_has_a_description_and_an_example_or_parts(example: Example):
    for spec in example.specs.values():
        for schema in spec.document["components"]["schemas"].values():
            for name, member in schema.get("properties", {}).items():
                found = spec.resolved(member)
                if "error" in name or found.get("writeOnly"):
                    continue
                parts = found.get("type") in ("object", "array") or "oneOf" in found or "allOf" in found
                assert parts or "examples" in found or "example" in found, name


def test_errors_have_schemas(example: Example):
    """A client can tell what went wrong: each operation names its errors, each error has a body."""
    for spec in example.specs.values():
        for path, item in spec.document["paths"].items():
            for method in {"get", "post", "put", "patch", "delete"} & set(item):
                responses = item[method]["responses"]
                assert {"401", "429"} <= set(responses), (path, method)
                for status, response in responses.items():
                    if status[0] == "4":
                        assert "schema" in spec.resolved(response)["content"]["application/json"], (path, status)

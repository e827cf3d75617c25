"""Operations taken whole: what their clients take and give, by media type, style and shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plan.test_full import spelled
from vitesse.api.facts import ApiFacts, Fact
from vitesse.openapi import build_api, read_document
from vitesse.plan.model import OperationPlan
from vitesse.plan.whole import WholeApi, plan_whole

THING = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
}


@pytest.fixture
def whole(tmp_path: Path):
    def plan(
        paths: dict[str, Any], facts: dict[str, dict[str, Fact]] | None = None, version: str = "3.0.3"
    ) -> WholeApi:
        path = tmp_path / "api.json"
        document = {
            "openapi": version,
            "info": {"title": "Shop", "version": "1"},
            "paths": paths,
            "components": {"schemas": {"Thing": THING, "Operation": THING}},
        }
        path.write_text(json.dumps(document))
        api = build_api(read_document(path)).api
        return plan_whole(api, ApiFacts(api="shop", operations=facts or {}), api.operations, "shop")  # type: ignore[arg-type]

    return plan


def post(media: str, schema: Any, **more: Any) -> dict[str, Any]:
    body = {"content": {media: {"schema": schema, **more}}}
    return {"/things": {"post": {"requestBody": body, "responses": {"204": {"description": ""}}}}}


def get(
    schema: Any, *parameters: dict[str, Any], media: str = "application/json", path: str = "/things"
) -> dict[str, Any]:
    content = {media: {"schema": schema}} if schema is not None else {media: {}}
    return {
        path: {"get": {"parameters": list(parameters), "responses": {"200": {"description": "", "content": content}}}}
    }


def only(found: WholeApi) -> OperationPlan:
    (operation,) = found.api.operations
    return operation


REF = {"$ref": "#/components/schemas/Thing"}


@pytest.mark.parametrize(
    ("media", "schema", "kind", "type"),
    [
        ("application/json", REF, "json", "Thing"),
        ("application/vnd.api+json", REF, "json", "Thing"),
        ("application/json", {"type": "array", "items": REF}, "json", "list[Thing]"),
        ("application/json", {"type": "string"}, "json", "str"),
        ("application/json", {"oneOf": [REF, {"type": "array", "items": REF}]}, "json", "Thing | list[Thing]"),
        ("application/x-www-form-urlencoded", REF, "form", "Thing"),
        ("multipart/form-data", REF, "multipart", "Thing"),
        ("multipart/form-data", {"type": "string", "format": "binary"}, "multipart", "dict[str, Any]"),
        ("text/plain", {"type": "string"}, "raw", "str"),
        ("application/octet-stream", {"type": "string", "format": "binary"}, "raw", "bytes"),
        ("application/xml", REF, "raw", "bytes"),
    ],
)
def test_body_is_written_as_its_media_type_asks(whole, media: str, schema: Any, kind: str, type: str):
    operation = only(whole(post(media, schema)))
    assert (operation.body, operation.media_type) == (kind, media)
    assert operation.body_type is not None
    assert spelled(operation.body_type) == type


def test_form_that_is_no_object_is_named(whole):
    found = whole(post("multipart/form-data", {"type": "string", "format": "binary"}))
    assert [(one.code, one.severity) for one in found.diagnostics] == [("V212", "note")]


def test_media_range_is_never_sent(whole):
    """`image/*` says what may be sent and is not itself a media type."""
    assert only(whole(post("image/*", {"type": "string", "format": "binary"}))).media_type == "application/octet-stream"


def test_parts_of_a_multipart_form_that_are_objects_are_json(whole):
    """OpenAPI's default for them, one by one where they stand in a list."""
    schema = {
        "type": "object",
        "properties": {
            "attributes": {"$ref": "#/components/schemas/Thing"},
            "all": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
            "name": {"type": "string"},
            "tags": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        },
    }
    encoding = only(whole(post("multipart/form-data", schema))).encoding
    assert encoding == (("attributes", "json", True), ("all", "json", True), ("tags", "form", True))


def test_parts_of_a_multipart_form_have_the_media_types_they_are_given(whole):
    """Where there is one and no choice of several."""
    schema = {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}, "note": {}, "any": {}}}
    encoding = {
        "image": {"contentType": "image/png", "headers": {"X-A": {"schema": {"type": "string"}}}},
        "note": {"contentType": "text/markdown"},
        "any": {"contentType": "*/*"},
    }
    found = whole(post("multipart/form-data", schema, encoding=encoding))
    assert only(found).part_types == (("image", "image/png"), ("note", "text/markdown"))


def test_path_without_its_slash_is_sent_with_it(whole):
    """A host and a path would be one word otherwise."""
    assert only(whole(get(REF, path="things"))).path == "/things"


def test_keys_of_any_name_beside_named_ones_are_told(whole):
    """The class has what is named; a rule may still name one."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}}
    found = whole(get(schema))
    assert [(one.code, one.severity) for one in found.diagnostics] == [("V212", "note")]
    assert "keys of any name" in found.diagnostics[0].message


def test_header_by_which_a_message_is_delivered_is_no_argument(whole):
    """A second `Content-Length` would split one message into two."""
    header = {"name": "Content-Length", "in": "header", "schema": {"type": "integer"}}
    found = whole(get(REF, header))
    assert only(found).parameters == ()
    assert [(one.code, one.severity) for one in found.diagnostics] == [("V206", "note")]


def test_parameter_is_spelt_as_it_is_described(whole):
    """Style, explode and allowReserved reach the plan; `content` of JSON is typed and written as JSON."""
    listed = {"type": "array", "items": {"type": "string"}}
    found = only(
        whole(
            get(
                REF,
                {"name": "l", "in": "path", "required": True, "style": "label", "schema": listed},
                {"name": "m", "in": "path", "required": True, "style": "matrix", "explode": True, "schema": listed},
                {"name": "p", "in": "query", "style": "pipeDelimited", "explode": False, "schema": listed},
                {"name": "d", "in": "query", "style": "deepObject", "schema": {"$ref": REF["$ref"]}},
                {"name": "r", "in": "query", "allowReserved": True, "schema": {"type": "string"}},
                {"name": "j", "in": "query", "content": {"application/json": {"schema": REF}}},
                {"name": "H", "in": "header", "schema": {"type": "integer"}},
                {"name": "c", "in": "cookie", "schema": {"type": "string"}},
                path="/things/{l}/{m}",
            )
        )
    )
    assert [(one.name, one.location, one.style, one.explode, one.reserved) for one in found.parameters] == [
        ("l", "path", "label", False, False),
        ("m", "path", "matrix", True, False),
        ("p", "query", "pipeDelimited", False, False),
        ("d", "query", "deepObject", True, False),
        ("r", "query", "form", True, True),
        ("j", "query", "json", False, False),
        ("H", "header", "simple", False, False),
        ("c", "cookie", "form", True, False),
    ]
    assert spelled(found.parameters[5].type) == "Thing | MISSING"


def test_parameter_with_values_inside_values_is_named(whole):
    """No style says how these are written."""
    items = {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
    found = whole(get(REF, {"name": "filter[]", "in": "query", "schema": items}))
    assert [(one.code, one.severity) for one in found.diagnostics] == [("V220", "note")]


def test_lists_of_a_form_are_repeated_unless_it_says_otherwise(whole):
    """OpenAPI's default; brackets, the runtime's own, where the description asks for them or for nothing it could know."""
    form = "application/x-www-form-urlencoded"
    assert only(whole(post(form, REF))).encoding == (("tags", "form", True),)
    deep = {"tags": {"style": "deepObject", "explode": True}}
    assert only(whole(post(form, REF, encoding=deep))).encoding == ()
    pipes = {"tags": {"style": "pipeDelimited"}}
    assert only(whole(post(form, REF, encoding=pipes))).encoding == (("tags", "pipeDelimited", False),)


@pytest.mark.parametrize(
    ("schema", "media", "result", "type"),
    [
        (REF, "application/json", "record", "Thing"),
        ({"type": "array", "items": REF}, "application/json", "record", "list[Thing]"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "application/json",
            "record",
            "dict[str, int]",
        ),
        ({"type": "boolean"}, "application/json", "record", "bool"),
        ({}, "application/json", "reply", None),
        ({"oneOf": [REF, {"type": "string"}]}, "application/json", "reply", None),
        ({"type": "string"}, "text/plain", "reply", None),
        (None, "application/pdf", "reply", None),
    ],
)
def test_reply_is_read_as_far_as_its_type_can_be_named(whole, schema: Any, media: str, result: str, type: str | None):
    operation = only(whole(get(schema, media=media)))
    assert operation.result == result
    assert (spelled(operation.result_type) if operation.result_type is not None else None) == type


def test_list_is_records_of_all_pages_when_a_fact_says_where_they_are(whole):
    schema = {"type": "object", "properties": {"data": {"type": "array", "items": REF}}}
    facts = {"GET /things": {"records": Fact(kind="records", value="data", confidence=1.0)}}
    operation = only(whole(get(schema), facts))
    assert (operation.result, operation.records, operation.constant) == ("records", ("data",), "LIST_THINGS")
    assert operation.result_type is not None
    assert spelled(operation.result_type) == "Thing"


def test_list_that_is_asked_for_with_a_body_gives_its_whole_reply(whole):
    """Pages are asked for with parameters; a body would be lost on the second."""
    paths = post("application/json", REF)
    content = {
        "application/json": {"schema": {"type": "object", "properties": {"data": {"type": "array", "items": REF}}}}
    }
    paths["/things"]["post"]["responses"] = {"200": {"description": "", "content": content}}
    operation = only(whole(paths, {"POST /things": {"records": Fact(kind="records", value="data", confidence=1.0)}}))
    assert (operation.result, operation.records) == ("record", None)


def test_every_parameter_is_an_argument_of_its_type_and_style(whole):
    deep = {"type": "object", "properties": {"gt": {"type": "integer"}}}
    parameters = [
        {"name": "from", "in": "query", "schema": {"type": "integer"}},
        {"name": "created", "in": "query", "style": "deepObject", "schema": {"anyOf": [deep, {"type": "integer"}]}},
        {
            "name": "ids",
            "in": "query",
            "style": "pipeDelimited",
            "explode": False,
            "schema": {"type": "array", "items": {}},
        },
        {"name": "X-Trace", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "session", "in": "cookie", "schema": {"type": "string"}},
        {"name": "at", "in": "path", "required": True, "style": "matrix", "schema": {"type": "string"}},
    ]
    found = only(whole(get(REF, *parameters, path="/things{at}")))
    assert [(one.argument, one.name, one.location, one.style, spelled(one.type)) for one in found.parameters] == [
        ("from_", "from", "query", "form", "int | MISSING"),
        ("created", "created", "query", "deepObject", "GetThingCreated | int | MISSING"),
        ("ids", "ids", "query", "pipeDelimited", "list[Any] | MISSING"),
        ("x_trace", "X-Trace", "header", "simple", "str"),
        ("session", "session", "cookie", "form", "str | MISSING"),
        ("at", "at", "path", "matrix", "str"),
    ]


def test_fragment_of_a_path_is_never_sent(whole):
    """It tells operations on one URL apart and nothing else."""
    assert only(whole(get(REF, path="/token#refresh"))).path == "/token"

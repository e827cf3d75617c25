"""Whole models: every field of a type, typed, whatever it is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vitesse.api.model import Api
from vitesse.openapi import build_api, read_document
from vitesse.plan.full import FullModels, merged
from vitesse.plan.model import PyType
from vitesse.plan.names import Scope


def spelled(type: PyType) -> str:
    if type.union:
        text = " | ".join(map(spelled, type.union))
    elif type.items is not None:
        text = f"list[{spelled(type.items)}]"
    elif type.values is not None:
        text = f"dict[str, {spelled(type.values)}]"
    else:
        text = type.model or type.scalar or "?"
    return text + (" | None" if type.nullable else "") + (" | MISSING" if type.may_miss else "")


@pytest.fixture
def api_of(tmp_path: Path):
    def build(schemas: dict[str, Any], version: str = "3.1.0") -> Api:
        path = tmp_path / "api.json"
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Root"}}}
        operation = {"responses": {"200": {"description": "", "content": content}}}
        document = {
            "openapi": version,
            "info": {"title": "T", "version": "1"},
            "paths": {"/r": {"get": operation}},
            "components": {"schemas": schemas},
        }
        path.write_text(json.dumps(document))
        return build_api(read_document(path)).api

    return build


def models(
    api: Api, *, reads: bool = True, files: bool = False
) -> tuple[PyType, dict[str, dict[str, str]], FullModels]:
    reply = api.operations[0].success()
    assert reply is not None
    assert reply.type is not None
    maker = FullModels(api=api, system="T", classes=Scope(), reads=reads, files=files)
    root = maker.type_of(reply.type, "reply")
    maker.finish()
    found = {one.name: {field.name: spelled(field.type) for field in one.fields} for one in maker.models}
    return root, found, maker


def fields_of(api_of: Any, **properties: Any) -> dict[str, str]:
    root, found, _ = models(api_of({"Root": {"type": "object", "properties": properties}}))
    assert root == PyType(model="Root")
    return found["Root"]


def test_every_kind_of_field_is_typed(api_of):
    """Scalars, lists, maps, free-form objects, and null in each of its spellings."""
    assert fields_of(
        api_of,
        a={"type": "string", "format": "date-time"},
        b={"type": ["integer", "null"]},
        c={"type": "number"},
        d={"type": "array", "items": {"type": ["boolean", "null"]}},
        e={"type": "object", "additionalProperties": {"type": "integer"}},
        f={"type": "object"},
        g={},
        h={"type": "array"},
        i={"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
        j={"anyOf": [{"type": "string"}, {"type": "null"}]},
    ) == {
        "a": "str | MISSING",
        "b": "int | None | MISSING",
        "c": "Decimal | MISSING",
        "d": "list[bool | None] | MISSING",
        "e": "dict[str, int] | MISSING",
        "f": "dict[str, Any] | MISSING",
        "g": "Any | MISSING",
        "h": "list[Any] | MISSING",
        "i": "list[RootI] | MISSING",
        "j": "str | None | MISSING",
    }


def test_unions_are_unions_of_their_members(api_of):
    """Unions inside unions are laid open, equal members are one, and what may be anything is anything."""
    schemas = {
        "Root": {
            "type": "object",
            "required": ["owner"],
            "properties": {
                "owner": {"oneOf": [{"$ref": "#/components/schemas/Person"}, {"$ref": "#/components/schemas/Firm"}]},
                "id": {"anyOf": [{"type": "integer"}, {"oneOf": [{"type": "string"}, {"type": "integer"}]}]},
                "both": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "string", "maxLength": 9}]},
                "free": {"anyOf": [{"type": "integer"}, {}]},
                "maybe": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {}}, {"type": "null"}]},
            },
        },
        "Person": {"type": "object", "properties": {"name": {"type": "string"}}},
        "Firm": {"type": "object", "properties": {"vat": {"type": "string"}}},
    }
    _, found, _ = models(api_of(schemas))
    assert found["Root"] == {
        "owner": "Person | Firm",
        "id": "int | str | MISSING",
        "both": "str | MISSING",
        "free": "Any | MISSING",
        "maybe": "int | list[Any] | None | MISSING",
    }


def test_recursive_models_are_classes_that_name_themselves(api_of):
    """Through fields, lists, maps and unions; each component is one class."""
    node = {"$ref": "#/components/schemas/Root"}
    schemas = {
        "Root": {
            "type": "object",
            "properties": {
                "parent": node,
                "children": {"type": "array", "items": node},
                "by_name": {"type": "object", "additionalProperties": node},
                "either": {"oneOf": [node, {"type": "string"}]},
                "other": {"$ref": "#/components/schemas/Other"},
            },
        },
        "Other": {"type": "object", "properties": {"back": node}},
    }
    _, found, maker = models(api_of(schemas))
    assert found == {
        "Other": {"back": "Root | MISSING"},
        "Root": {
            "parent": "Root | MISSING",
            "children": "list[Root] | MISSING",
            "by_name": "dict[str, Root] | MISSING",
            "either": "Root | str | MISSING",
            "other": "Other | MISSING",
        },
    }
    assert maker.found == []


def test_list_of_itself_ends_and_is_named(api_of):
    """No class stands in such a circle: its second level is anything, and a note says where."""
    schemas = {
        "Root": {"type": "object", "properties": {"tree": {"$ref": "#/components/schemas/Tree"}}},
        "Tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
    }
    _, found, maker = models(api_of(schemas))
    assert found["Root"] == {"tree": "list[Any] | MISSING"}
    assert [(one.code, one.severity, one.places[0].pointer) for one in maker.found] == [
        ("V212", "note", "#/components/schemas/Tree")
    ]


def test_long_chain_of_components_is_followed_to_its_end(api_of):
    """A chain of two thousand classes takes no depth of ours."""
    schemas: dict[str, Any] = {
        f"N{number}": {"type": "object", "properties": {"next": {"$ref": f"#/components/schemas/N{number + 1}"}}}
        for number in range(2000)
    }
    schemas["Root"] = {"type": "object", "properties": {"first": {"$ref": "#/components/schemas/N0"}}}
    schemas["N2000"] = {"type": "object", "properties": {"end": {"type": "boolean"}}}
    _, found, _ = models(api_of(schemas))
    assert len(found) == 2002
    assert next(iter(found)) == "N2000"  # what is held stands before what holds it


def test_long_chain_of_unions_ends_with_a_note(api_of):
    """Types without a class are written inside one another, and Python has a limit."""
    schemas: dict[str, Any] = {
        f"U{number}": {"type": "array", "items": {"$ref": f"#/components/schemas/U{number + 1}"}}
        for number in range(300)
    }
    schemas |= {
        "U300": {"type": "array", "items": {"type": "integer"}},
        "Root": {"type": "object", "properties": {"u": {"$ref": "#/components/schemas/U0"}}},
    }
    _, found, maker = models(api_of(schemas))
    assert found["Root"]["u"].count("list[") < 150
    assert {one.code for one in maker.found} == {"V212"}


def test_names_that_are_no_python_are_made_so(api_of):
    """Keywords, digits, nothing at all, quotes, and two that become one."""
    names = [
        "class",
        "from",
        "self",
        "48x48",
        "",
        'billingWeight"',
        "$and",
        "iDealIBAN",
        "iDealIban",
        "model_dump",
        "_id",
    ]
    found = fields_of(api_of, **{name: {"type": "string"} for name in names})
    assert list(found) == [
        "class_",
        "from_",
        "self_",
        "field_48x48",
        "field",
        "billing_weight",
        "and_",
        "i_deal_iban",
        "i_deal_iban_2",
        "model_dump_",
        "id",
    ]


def test_what_is_only_read_is_not_written_and_the_other_way_round(api_of):
    schemas = {
        "Root": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string", "readOnly": True},
                "secret": {"type": "string", "writeOnly": True},
                "name": {"type": "string"},
            },
        }
    }
    assert list(models(api_of(schemas))[1]["Root"]) == ["id", "name"]
    assert list(models(api_of(schemas), reads=False)[1]["Root"]) == ["secret", "name"]


def test_binary_is_bytes_where_files_are_sent(api_of):
    """In JSON a binary text is a text; in a multipart form it is a file."""
    schemas = {"Root": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}}
    assert models(api_of(schemas), reads=False)[1]["Root"] == {"file": "str | MISSING"}
    assert models(api_of(schemas), reads=False, files=True)[1]["Root"] == {"file": "bytes | MISSING"}


def test_reply_that_is_one_of_several_objects_is_read_as_all_of_them_together(api_of):
    """Required is what all require; where they differ about a type, it may be of either."""
    schemas = {
        "Root": {"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
        "A": {
            "type": "object",
            "required": ["id", "a"],
            "properties": {"id": {"type": "integer"}, "a": {"type": "string"}},
        },
        "B": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
    }
    api = api_of(schemas)
    reply = api.operations[0].success()
    together = merged(api, reply.type)
    assert together is not None
    maker = FullModels(api=api, system="T", classes=Scope(), reads=True)
    assert maker.type_of(together, "get thing") == PyType(model="GetThing")
    maker.finish()
    assert {field.name: spelled(field.type) for field in maker.models[-1].fields} == {
        "id": "int | str",
        "a": "str | MISSING",
    }


def test_union_with_something_else_than_objects_is_not_put_together(api_of):
    api = api_of({"Root": {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "string"}]}})
    reply = api.operations[0].success()
    assert merged(api, reply.type) is None

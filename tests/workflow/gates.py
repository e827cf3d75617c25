"""A small integration on disk, for tests that change one line of it: two specs, a manifest, facts, a mapping, its review."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from vitesse.workflow.accept import accept

DAY = "2026-11-21"

MANIFEST = """\
vitesse: 1
name: small
intent: Copy people
review: required
source: {api: shop, base_url: "https://shop.example"}
destination: {api: crm, base_url: "https://crm.example"}
streams:
  people:
    mode: append
    source: {list: GET /people, identity: id}
    destination: {create: POST /contacts, identity: id}
    adopt: never
"""
FACTS = {
    "shop": {
        "GET /people": {
            "records": {"value": "people", "at": "#/paths/~1people/get/responses/200", "confidence": 0.99},
        }
    },
    "crm": {"POST /contacts": {"record": {"value": "", "at": "#/paths/~1contacts/post", "confidence": 0.98}}},
}
PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["id", "email"],
    "properties": {
        "id": {"type": "string"},
        "email": {"type": "string", "format": "email"},
        "nick": {"type": "string", "nullable": True},
        "amount": {"type": "number", "format": "decimal"},
        "big": {"type": "integer", "format": "int64"},
        "rate": {"type": "number"},
        "created_at": {"type": "string", "format": "date-time"},
        "title": {"type": "string", "maxLength": 200},
        "state": {"type": "string", "enum": ["on", "off", "gone"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "work_phone": {"type": "string"},
        "home_phone": {"type": "string"},
    },
}
CONTACT: dict[str, Any] = {
    "type": "object",
    "required": ["mail"],
    "properties": {
        "id": {"type": "string", "readOnly": True},
        "mail": {"type": "string", "format": "email"},
        "name": {"type": "string"},
        "value": {"type": "number", "format": "double"},
        "count": {"type": "integer", "format": "int32"},
        "whole": {"type": "integer"},
        "since": {"type": "string", "format": "date"},
        "seen": {"type": "string"},
        "heading": {"type": "string", "maxLength": 50},
        "status": {"type": "string", "enum": ["active", "inactive"]},
        "label": {"type": "string"},
        "phone": {"type": "string"},
    },
}


def spec(title: str, path: str, method: str, schema: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    name = schema["x-name"]
    operation: dict[str, Any] = {
        "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": reply}}}}
    }
    if method == "post":
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": "1"},
        "paths": {path: {method: operation}},
        "components": {"schemas": {name: {key: value for key, value in schema.items() if key != "x-name"}}},
    }


def write_specs(folder: Path, person: dict[str, Any] = PERSON, contact: dict[str, Any] = CONTACT) -> None:
    people = {
        "type": "object",
        "properties": {"people": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}}},
    }
    shop = spec("Shop", "/people", "get", {**person, "x-name": "Person"}, people)
    crm = spec("Crm", "/contacts", "post", {**contact, "x-name": "Contact"}, {"$ref": "#/components/schemas/Contact"})
    for name, value in (("shop", shop), ("crm", crm)):
        (folder / "specs").mkdir(exist_ok=True)
        (folder / "specs" / f"{name}.yaml").write_text(yaml.safe_dump(value, sort_keys=False))


def write_mapping(folder: Path, rules: dict[str, Any], waive: dict[str, str] | None = None) -> None:
    (folder / "mappings").mkdir(exist_ok=True)
    form = {"vitesse": 1, "stream": "people", "rules": rules, **({"waive": waive} if waive else {})}
    (folder / "mappings" / "people.yaml").write_text(yaml.safe_dump(form, sort_keys=False))


MAIL: dict[str, Any] = {"mail": {"from": "email", "transform": "mapping"}}


def small(folder: Path, rules: dict[str, Any] | None = None, waive: dict[str, str] | None = None) -> Path:
    """An integration that builds, or that a test's rules keep from building."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "integration.yaml").write_text(MANIFEST)
    write_specs(folder)
    (folder / "facts").mkdir(exist_ok=True)
    for api, facts in FACTS.items():
        (folder / "facts" / f"{api}.yaml").write_text(json.dumps(facts))
    write_mapping(folder, MAIL if rules is None else rules, waive)
    return folder


def accept_all(folder: Path) -> None:
    accept(folder, (), everything=True, by="ana", on=DAY)

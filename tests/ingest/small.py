"""Small descriptions to infer from: one list, with what a test is about laid over it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vitesse.api.facts import Fact, FactKind
from vitesse.ingest.infer import infer_facts
from vitesse.ingest.reading import Reading
from vitesse.openapi import build_api, read_document

THING: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "email": {"type": "string"}},
}


def reply(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A 200 with a JSON body."""
    return {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}, **more}}


def page(container: str = "data", **beside: Any) -> dict[str, Any]:
    """An object with the list of things in `container`, and other fields beside it."""
    items = {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
    return {"type": "object", "properties": {container: items, **beside}}


def parameter(name: str, type: str = "string", **more: Any) -> dict[str, Any]:
    """A query parameter; `default`, `format`, `maximum` and the like go into its schema."""
    outside = {key: more.pop(key) for key in ("description", "in", "required") if key in more}
    return {"name": name, "in": "query", "schema": {"type": type, **more}, **outside}


def reading(folder: Path, paths: dict[str, Any], **root: Any) -> Reading:
    """The description with these paths, read."""
    schemas = {"Thing": THING, **root.pop("schemas", {})}
    spec = {"openapi": "3.1.0", "info": {"title": "Small", "version": "1"}, "paths": paths}
    spec |= {"components": {"schemas": schemas}, **root}
    (folder / "small.json").write_text(json.dumps(spec))
    document = read_document(folder / "small.json")
    return Reading(build_api(document).api, document)


def facts(
    folder: Path, operation: dict[str, Any], path: str = "/things", method: str = "get", **root: Any
) -> dict[FactKind, Fact]:
    """The facts of one operation."""
    read = reading(folder, {path: {method: operation}}, **root)
    return infer_facts(read, read.api.operations[0])


def listing(
    folder: Path, *parameters: dict[str, Any], schema: dict[str, Any] | None = None, **more: Any
) -> dict[FactKind, Fact]:
    """The facts of `GET /things` with these parameters and this reply."""
    headers = {"headers": more.pop("headers")} if "headers" in more else {}
    root = {key: more.pop(key) for key in ("schemas", "info", "webhooks") if key in more}
    return facts(
        folder,
        {"parameters": list(parameters), "responses": reply(page() if schema is None else schema, **headers), **more},
        **root,
    )

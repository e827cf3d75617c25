"""Builds a document around each case of a corpus beside this file.

    build.py --all DIR [CORPUS]    one file a case in DIR, and _baseline.json

A case says where its payload goes: `slot` is a JSON pointer into the document below, with `+` at its end to append to a list; a
case with `as: key` renames the key at that pointer. Slot `rawfile`: the payload is the whole file (`hex:` before bytes that are
no text). Strings may hold `{{RUN}}`, an expression that makes the file PWNED in the working folder if anything evaluates it,
`{{SHELL}}`, the same for a shell, and `{{A*300}}`, that many letters. A payload `{"make": …, "n": …}` is made here.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RUN = "__import__('pathlib').Path('PWNED').touch()"


def base() -> dict[str, Any]:
    def reply(schema: Any) -> Any:
        return {"description": "done", "content": {"application/json": {"schema": schema}}}

    def ref(name: str) -> Any:
        return {"$ref": f"#/components/schemas/{name}"}

    body = {"required": True, "content": {"application/json": {"schema": ref("Book")}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Library", "version": "1.0.0", "description": "Books and those who read them."},
        "servers": [{"url": "https://library.example.test/api"}],
        "security": [{"card": []}],
        "paths": {
            "/books": {
                "get": {
                    "operationId": "listBooks",
                    "summary": "All books",
                    "parameters": [
                        {"name": "page", "in": "query", "schema": {"type": "integer"}},
                        {"name": "shelf", "in": "query", "schema": {"type": "string"}},
                        {"name": "X-Branch", "in": "header", "schema": {"type": "string"}},
                        {"name": "seat", "in": "cookie", "schema": {"type": "string"}},
                    ],
                    "responses": {"200": reply({"type": "array", "items": ref("Book")})},
                },
                "post": {"operationId": "addBook", "requestBody": body, "responses": {"201": reply(ref("Book"))}},
            },
            "/books/{isbn}": {
                "parameters": [{"name": "isbn", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": {"operationId": "oneBook", "responses": {"200": reply(ref("Book"))}},
                "patch": {"operationId": "mendBook", "requestBody": body, "responses": {"200": reply(ref("Book"))}},
            },
        },
        "components": {
            "schemas": {
                "Book": {
                    "type": "object",
                    "required": ["id"],
                    "properties": {
                        "id": {"type": "string", "description": "Its number."},
                        "title": {"type": "string", "example": "Dune"},
                        "state": {"type": "string", "enum": ["in", "out"]},
                        "pages": {"type": "integer", "minimum": 1},
                        "author": ref("Author"),
                        "tags": {"type": "array", "items": {"type": "string"}},
                        "notes": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                },
                "Author": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "born": {"type": "string", "format": "date"}},
                },
            },
            "securitySchemes": {"card": {"type": "apiKey", "in": "header", "name": "X-Card"}},
        },
    }


def build(case: dict[str, Any]) -> dict[str, Any]:
    document = base()
    payload = expand(case["payload"])
    *steps, last = [part.replace("~1", "/").replace("~0", "~") for part in expand(case["slot"]).split("/")[1:]]
    at: Any = document
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if case.get("as") == "key":
        at[payload] = at.pop(last)
        renamed = {payload if key == last else key: value for key, value in at.items()}
        at.clear()
        at.update(renamed)
    elif last == "+":
        at.append(payload)
    else:
        at[int(last) if isinstance(at, list) else last] = payload
    return document


def expand(value: Any) -> Any:
    if isinstance(value, str):
        value = value.replace("{{RUN}}", RUN).replace("{{SHELL}}", "touch PWNED")
        return re.sub(r"\{\{(.)\*(\d+)\}\}", lambda found: found[1] * int(found[2]), value)
    if isinstance(value, list):
        return [expand(one) for one in value]
    if isinstance(value, dict):
        return made(value) if "make" in value else {expand(key): expand(one) for key, one in value.items()}
    return value


def made(asked: dict[str, Any]) -> Any:
    """What is too long to be written out."""
    count = asked["n"]
    match asked["make"]:
        case "enum":
            return {"type": "string", "enum": [f"v{index}" for index in range(count)]}
        case "nested":
            schema: Any = {"type": "string"}
            for _ in range(count):
                schema = {"type": "object", "properties": {"n": schema}}
            return schema
        case "chain":
            names = {f"C{index}": {"$ref": f"#/components/schemas/C{index + 1}"} for index in range(count)}
            return base()["components"]["schemas"] | names | {f"C{count}": {"type": "string"}, "Book": with_field("C0")}
        case "circle":
            names = {
                f"C{index}": {"allOf": [{"$ref": f"#/components/schemas/C{(index + 1) % count}"}]}
                for index in range(count)
            }
            return base()["components"]["schemas"] | names
        case "fan":
            names = {
                f"C{index}": {
                    "type": "object",
                    "properties": {c: {"$ref": f"#/components/schemas/C{index + 1}"} for c in "abcdefgh"},
                }
                for index in range(count)
            }
            return base()["components"]["schemas"] | names | {f"C{count}": {"type": "string"}, "Book": with_field("C0")}
        case "properties":
            return {"id": {"type": "string"}} | {f"p{index}": {"type": "string"} for index in range(count)}
        case "any_of":
            return {
                "anyOf": [{"type": "object", "properties": {f"m{index}": {"type": "string"}}} for index in range(count)]
            }
        case "merges":
            refs = [{"$ref": f"#/components/schemas/M{index}"} for index in range(count)]
            merged = {"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": refs}
            names = {f"M{index}": {"type": "object", "properties": {f"x{index}": merged}} for index in range(count)}
            return base()["components"]["schemas"] | names | {"Book": with_field("M0")}
        case "paths":
            return {f"/p{index}": {"get": {"responses": {}}} for index in range(count)}
        case "one_of":
            return {
                "oneOf": [
                    {"type": "object", "title": f"T{index}", "properties": {"a": {"const": index}}}
                    for index in range(count)
                ]
            }
        case "all_of":
            return {
                "allOf": [{"type": "object", "properties": {f"m{index}": {"type": "string"}}} for index in range(count)]
            }
        case "schemas":
            names = {f"S{index}": {"type": "string"} for index in range(count)}
            return base()["components"]["schemas"] | names
        case "parameters":
            return [{"name": f"q{index}", "in": "query", "schema": {"type": "string"}} for index in range(count)]
        case "arrays":
            schema = {"type": "string"}
            for _ in range(count):
                schema = {"type": "array", "items": schema}
            return schema
        case other:
            raise SystemExit(f"nothing makes {other}")


def with_field(component: str) -> Any:
    book = copy.deepcopy(base()["components"]["schemas"]["Book"])
    book["properties"]["more"] = {"$ref": f"#/components/schemas/{component}"}
    return book


def raw(payload: str) -> bytes:
    payload = expand(payload)
    return bytes.fromhex(payload[4:]) if payload.startswith("hex:") else payload.encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", type=Path, required=True)
    parser.add_argument("corpus", type=Path, nargs="?", default=HERE / "cases.json")
    asked = parser.parse_args()
    asked.all.mkdir(parents=True, exist_ok=True)
    (asked.all / "_baseline.json").write_text(json.dumps(base(), indent=1))
    for case in json.loads(asked.corpus.read_text("utf-8")):
        if case["slot"] == "rawfile":
            (asked.all / f"{case['id']}{case.get('ext', '.yaml')}").write_bytes(raw(case["payload"]))
        else:
            (asked.all / f"{case['id']}.json").write_text(json.dumps(build(case), indent=1))


if __name__ == "__main__":
    sys.exit(main())

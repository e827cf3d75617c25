"""Request bytes → JSON value: JSON, and forms with brackets whose texts are read by the schema's types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qsl

from .form import BodyForm, Json, Schema
from .refused import Refused
from .store import loads
from .synthesis import Synthesis, kinds_of


def read_body(form: BodyForm, content_type: str, raw: bytes, synthesis: Synthesis) -> Json:
    """Decode a request's body. Raises `Refused`: 415 for another media type, 400 for bytes that cannot be read."""
    sent = content_type.split(";")[0].strip().lower()
    if raw and not _is_same_type(sent, form.media_type.split(";")[0].strip().lower()):
        raise Refused(415, f"the body is `{sent or 'of no type'}`, must be `{form.media_type}`")
    if not raw:
        if form.required:
            raise Refused(400, "a body is required")
        return {}
    try:
        text = raw.decode("utf-8")
        if form.encoding == "form":
            return read_form(parse_qsl(text, keep_blank_values=True, strict_parsing=True), form.schema, synthesis)
        if form.encoding == "multipart":
            return read_form(_parts(content_type, raw), form.schema, synthesis)
        return loads(raw)
    except ValueError as error:
        raise Refused(400, f"the body cannot be read: {error}") from None


def _is_same_type(sent: str, declared: str) -> bool:
    return sent == declared or (sent == "application/json" and declared in ("*/*", "text/json"))


def _parts(content_type: str, raw: bytes) -> list[tuple[str, str]]:
    """The named texts of a multipart body."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + raw, policy=HTTP)
    if not message.is_multipart():
        raise ValueError("it has no parts")
    parts = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise ValueError("a part has no name")
        parts.append((name, content.decode()))
    return parts


def read_form(pairs: list[tuple[str, str]], schema: Schema, synthesis: Synthesis) -> Json:
    """`address[city]=Leeds&items[0][id]=7` → nested values, each read as the type that the schema gives its field."""
    tree: dict[str, Json] = {}
    for name, value in pairs:
        keys = [name.split("[", 1)[0], *re.findall(r"\[([^\]]*)\]", name)]
        node = tree
        for key in keys[:-1]:
            inner = node.setdefault(key or str(len(node)), {})
            if not isinstance(inner, dict):
                raise ValueError(f"`{name}` is both a value and an object")
            node = inner
        last = keys[-1] or str(len(node))
        if last in node:  # `tag=a&tag=b`
            node[last] = [*(node[last] if isinstance(node[last], list) else [node[last]]), value]
        else:
            node[last] = value
    return _typed(tree, schema, synthesis)


def _typed(value: Json, schema: Schema, synthesis: Synthesis) -> Json:
    members = list(_members(schema, synthesis))
    kinds = {kind for member in members for kind in kinds_of(member, with_null=True)}
    if isinstance(value, dict):
        if "array" in kinds and all(key.isdecimal() for key in value):
            return [_typed(value[key], _items(members), synthesis) for key in sorted(value, key=int)]
        return {key: _typed(inner, _field(members, key), synthesis) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner, _items(members), synthesis) for inner in value]
    if "array" in kinds and "string" not in kinds:
        return [value] if value else []
    if value == "" and "null" in kinds:
        return None
    return _scalar(value, kinds)


def _scalar(text: str, kinds: set[str]) -> Json:
    if "string" in kinds:
        return text
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    if "integer" in kinds and re.fullmatch(r"-?\d+", text):
        return int(text)
    if "number" in kinds and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text):
        return Decimal(text)
    return text


def _members(schema: Schema, synthesis: Synthesis) -> Iterator[Schema]:
    if members := schema.get("anyOf") or schema.get("oneOf"):
        for member in members:
            yield from _members(member, synthesis)
    elif "$ref" in schema:
        yield synthesis.resolve(schema)
    else:
        yield schema


def _field(members: list[Schema], key: str) -> Schema:
    for member in members:
        if key in member.get("properties", {}):
            found: Schema = member["properties"][key]
            return found
    extra: list[Schema] = [
        member["additionalProperties"] for member in members if isinstance(member.get("additionalProperties"), dict)
    ]
    return extra[0] if extra else {}


def _items(members: list[Schema]) -> Schema:
    items: list[Schema] = [member["items"] for member in members if "items" in member]
    return items[0] if items else {}

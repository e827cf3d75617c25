"""A hostile document → the folder of an integration that uses as much of it as it can.

Once the document is the source and once the destination; the other side is a small document of our own. What must then be
seen on the wire is written down beside it, from the document alone.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from . import outline
from .outline import Operation

Role: TypeAlias = Literal["source", "destination"]
ROLES: tuple[Role, ...] = ("source", "destination")

NAME = "hostile-twin"
MODULE = "hostile_twin"
HOSTILE = "stranger"
"""What the manifest calls the API whose document is hostile."""
OURS = "ours"
LIST = "harness_records"
"""The property that is added to a reply which holds no list, so that the operation can be listed."""
SECRET = "STRANGER_TOKEN"
"""The variable that holds the credential of the API whose document is hostile."""
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What the name of a header or a cookie may be."""
_MAX_STREAMS = 8
_MAX_FIELDS = 500


@dataclass(slots=True, kw_only=True)
class Wanted:
    """What the package must do on the wire, as told by the document. Plain JSON, for the child that tries it."""

    role: Role
    operations: list[dict[str, Any]] = field(default_factory=list)
    lists: dict[str, Any] = field(default_factory=dict)
    """List operation → where its records are, and records in which each value comes once."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Stream → our field → the hostile path it is read from; as the destination: the hostile paths with the values they get."""
    key: dict[str, str] | None = None
    """The API key's name and place."""

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def write_integration(folder: Path, hostile: bytes, suffix: str, role: Role) -> Wanted | None:
    """Write manifest, specs, facts and mappings.

    Returns:
        What is expected on the wire; None when the document has nothing that could be used in this role. Then the manifest names
        an operation that is not there, and only reading the document is tried.
    """
    (folder / "specs").mkdir(parents=True)
    (folder / "facts").mkdir()
    (folder / "mappings").mkdir()
    document = _parsed(hostile)
    wanted: Wanted | None = None
    if document is not None:
        wanted = _as_source(folder, document) if role == "source" else _as_destination(folder, document)
    if wanted is not None:
        hostile = json.dumps(document).encode()
    else:
        _nothing_usable(folder, role)
    (folder / "specs" / f"{HOSTILE}{suffix}").write_bytes(hostile)
    return wanted


def _parsed(hostile: bytes) -> dict[str, Any] | None:
    """The document, when it is one JSON object that survives being written again."""
    try:
        value = json.loads(hostile)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


# --- as the source ----------------------------------------------------------------------------------------------------


def _as_source(folder: Path, document: dict[str, Any]) -> Wanted | None:
    document_operations = list(outline.operations(document))
    gets = [one for one in document_operations if one.method == "get" and one.reply is not None]
    getter = next((one for one in gets if len(one.named("path")) == 1), None)
    others = [one for one in gets if one is not getter]
    if not others:
        getter, others = None, gets  # one operation is not read in two ways
    wanted = Wanted(role="source", key=_key(document))
    streams: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    width = 1
    for operation in others[:_MAX_STREAMS]:
        at = _listable(document, operation)
        if at is None:
            continue
        name = f"s{len(streams)}"
        rules, fields, records = _read_rules(document, operation, at)
        if not records:
            continue
        width = max(width, len(rules))
        source: dict[str, Any] = {"list": operation.id, "identity": _path_text([_identity(records[0])])}
        if getter is not None:
            source["get"] = getter.id
        streams[name] = {
            "source": source,
            "destination": {
                "create": "POST /records",
                "update": "PUT /records/{id}",
                "update_is": "replace",
                "get": "GET /records/{id}",
                "identity": "id",
            },
            "adopt": "never",
            "parameters": _fixed("source", document, operation, getter),
        }
        facts[operation.id] = {"records": _fact(_path_text(at)), "paging": _fact({"style": "none"})}
        if getter is not None:
            facts.setdefault(getter.id, {})["record"] = _fact("")
        wanted.lists[operation.id] = {"at": at, "records": records}
        wanted.fields[name] = fields
        _write(folder / "mappings" / f"{name}.yaml", {"vitesse": 1, "stream": name, "rules": rules})
    if not streams:
        return None
    used = {operation.id for operation in gets if operation.id in facts}
    wanted.operations = [_expected(operation) for operation in document_operations if operation.id in used]
    _write(folder / "facts" / f"{HOSTILE}.yaml", facts)
    _write(folder / "specs" / f"{OURS}.json", _our_destination(width))
    _write(folder / "facts" / f"{OURS}.yaml", {"POST /records": {"record": _fact("")}})
    _write_manifest(folder, document, "source", streams)
    return wanted


def _listable(document: dict[str, Any], operation: Operation) -> list[str] | None:
    """Where the reply has a list of objects. A reply that has none gets one: a list of what it is itself."""
    schema = outline.resolve(document, operation.reply)
    if not isinstance(schema, dict):
        return None
    if schema.get("type") == "array":
        return [] if outline.properties(document, schema.get("items")) else None
    if not outline.properties(document, schema):
        return None
    known = schema.setdefault("properties", {}) if isinstance(schema.get("properties", {}), dict) else None
    if known is None:
        return None
    if LIST not in known:
        items = copy.deepcopy(operation.reply) if "$ref" in operation.reply else copy.deepcopy(schema)
        known[LIST] = {"type": "array", "items": items}
    return [LIST]


def _read_rules(
    document: dict[str, Any], operation: Operation, at: list[str]
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Rules that read every value, what each of our fields then holds, and records in which each value comes once."""
    schema = outline.resolve(document, operation.reply)
    if at:
        schema = outline.properties(document, schema)[at[0]]
    item = outline.choices(document, schema, "items")
    rules: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    values: list[tuple[tuple[str, ...], list[Any]]] = []
    for path, leaf, _ in outline.leaves(document, item):
        if path[0] == LIST or len(rules) == _MAX_FIELDS:
            continue
        field = f"f{len(rules)}"
        values.append((path, outline.samples(document, leaf, f"v{len(rules)}")))
        rules[field] = {"from": _path_text(path), "transform": "mapping"}
        fields[field] = list(path)
    count = max((len(some) for _, some in values), default=0)
    records = [_nested([(path, some[number % len(some)]) for path, some in values]) for number in range(count)]
    return rules, fields, records


def _nested(values: list[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """An object with these values at their paths."""
    whole: dict[str, Any] = {}
    for path, value in values:
        place = whole
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
    return whole


def _identity(record: dict[str, Any]) -> str:
    return next((name for name in ("id", *record) if isinstance(record.get(name), (str, int))), "id")


# --- as the destination -----------------------------------------------------------------------------------------------


def _as_destination(folder: Path, document: dict[str, Any]) -> Wanted | None:
    document_operations = list(outline.operations(document))
    writers = [one for one in document_operations if one.method in ("post", "put", "patch") and one.body is not None]
    creators = [one for one in writers if outline.properties(document, one.body)]
    if not creators:
        return None
    readers = [one for one in document_operations if one.method == "get" and one.reply is not None]
    getter = next((one for one in readers if len(one.named("path")) == 1), None)
    updater = next((one for one in writers if one.method != "post" and len(one.named("path")) == 1), None)
    lister = next((one for one in readers if not one.named("path")), None)
    wanted = Wanted(role="destination", key=_key(document))
    facts: dict[str, Any] = {}
    streams: dict[str, Any] = {}
    width = 1
    for operation in creators[: _MAX_STREAMS // 2]:
        for constants in (False, True):
            name = f"d{len(streams)}"
            rules, fields = _write_rules(document, operation, constants=constants)
            width = max(width, len(rules))
            destination: dict[str, Any] = {"create": operation.id, "identity": "id"}
            facts[operation.id] = {"record": _fact("")}
            if getter is not None:
                destination["get"] = getter.id
                facts[getter.id] = {"record": _fact("")}
            if updater is not None and updater is not operation:
                destination |= {"update": updater.id, "update_is": "merge"}
                facts[updater.id] = {"record": _fact("")}
            at = _listable(document, lister) if lister is not None else None
            if lister is not None and at is not None:
                destination["list"] = lister.id
                facts[lister.id] = {"records": _fact(_path_text(at)), "paging": _fact({"style": "none"})}
                wanted.lists[lister.id] = {"at": at, "records": _read_rules(document, lister, at)[2] or [{}]}
            streams[name] = {
                "mode": "upsert" if "update" in destination else "append",
                "source": {"list": "GET /rows", "identity": "id"},
                "destination": destination,
                "adopt": "never",
                "parameters": _fixed("destination", document, operation, getter, lister),
            }
            wanted.fields[name] = fields
            _write(folder / "mappings" / f"{name}.yaml", {"vitesse": 1, "stream": name, "rules": rules})
    wanted.operations = [_expected(operation) for operation in document_operations if operation.id in facts]
    _write(folder / "facts" / f"{HOSTILE}.yaml", facts)
    _write(folder / "specs" / f"{OURS}.json", _our_source(width))
    our_facts = {"GET /rows": {"records": _fact("rows"), "paging": _fact({"style": "none"})}}
    _write(folder / "facts" / f"{OURS}.yaml", our_facts)
    _write_manifest(folder, document, "destination", streams)
    return wanted


def _write_rules(
    document: dict[str, Any], operation: Operation, *, constants: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Rules that fill every value: from a field of ours or, with `constants`, with a value that the document names."""
    rules: dict[str, Any] = {}
    fields: list[dict[str, Any]] = []
    leaves = sorted(
        outline.leaves(document, operation.body), key=lambda leaf: not leaf[2]
    )  # all that are required, and more
    for path, schema, required in leaves:
        if path[0] == LIST or len(rules) == _MAX_FIELDS:
            continue
        ours = f"s{len(rules)}"
        values = outline.samples(document, schema, f"w{len(rules)}")
        if constants and isinstance(values[0], (str, int, float, bool)):
            value = values[-1] if outline.choices(document, schema, "enum") else values[0]
            rules[_path_text(path)] = {"transform": "constant", "with": {"value": value}}
            fields.append({"path": list(path), "values": [value], "from": None})
        elif not constants or required:
            rule = {"from": ours, "transform": "mapping", "on_missing": "dead", "on_null": "dead"}
            rules[_path_text(path)] = rule
            fields.append({"path": list(path), "values": values, "from": ours})
    return rules, fields


# --- what both write --------------------------------------------------------------------------------------------------


def _expected(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "method": operation.method.upper(),
        "path": operation.path,
        "parameters": [
            {"name": one.name, "location": one.location, "required": one.required} for one in operation.parameters
        ],
    }


def _key(document: dict[str, Any]) -> dict[str, str] | None:
    name, scheme = _scheme(document)
    if name is None or not isinstance(scheme, dict) or scheme.get("type") != "apiKey":
        return None
    return {"name": str(scheme.get("name")), "location": str(scheme.get("in"))}


def _scheme(document: dict[str, Any]) -> tuple[str | None, Any]:
    """The scheme that the document asks for first."""
    required = document.get("security")
    names = [name for one in required if isinstance(one, dict) for name in one] if isinstance(required, list) else []
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    if not names or not isinstance(schemes, dict):
        return None, None
    return names[0], schemes.get(names[0])


def _write_manifest(folder: Path, document: dict[str, Any], role: Role, streams: dict[str, Any]) -> None:
    stranger: dict[str, Any] = {"api": HOSTILE}
    name, scheme = _scheme(document)
    if name is not None:
        token = {"env": SECRET}
        is_basic = isinstance(scheme, dict) and scheme.get("scheme") == "basic"
        credential = {"username": "ada", "password": token} if is_basic else {"token": token}
        stranger["auth"] = {"scheme": name, **credential}
    ours = {"api": OURS, "base_url": "https://ours.example.test"}
    _write(
        folder / "integration.yaml",
        {
            "vitesse": 1,
            "name": NAME,
            "intent": "Carry what a stranger says",
            "source": stranger if role == "source" else ours,
            "destination": ours if role == "source" else stranger,
            "streams": streams,
        },
    )


def _nothing_usable(folder: Path, role: Role) -> None:
    stream: dict[str, Any] = {
        "source": {"list": "GET /nothing" if role == "source" else "GET /rows", "identity": "id"},
        "destination": {"create": "POST /records" if role == "source" else "POST /nothing"},
        "mode": "append",
        "adopt": "never",
    }
    _write_manifest(folder, {}, role, {"s0": stream})
    _write(folder / "specs" / f"{OURS}.json", _our_destination(1) if role == "source" else _our_source(1))
    _write(folder / "mappings" / "s0.yaml", {"vitesse": 1, "stream": "s0", "rules": {}})


def _fixed(side: str, document: dict[str, Any], operation: Operation, *others: Operation | None) -> dict[str, str]:
    """Every parameter gets a value that never changes: a parameter that nothing needs is not compiled. The path parameters of
    `others` take the identity."""
    listed = [*operation.parameters]
    listed += [one for other in others if other is not None for one in other.parameters if one.location != "path"]
    given: dict[str, str] = {}
    key = (_key(document) or {}).get("name", "").lower()
    for index, one in enumerate(listed):
        if one.name.lower() == key:
            continue  # the sign-in sends it
        if not one.name or (one.location in ("header", "cookie") and not TOKEN.fullmatch(one.name)):
            continue  # such a name cannot be sent
        value = outline.samples(document, one.schema, f"p{index}")[0]
        given[f"{side}.{one.name}"] = value if isinstance(value, str) else json.dumps(value)
    return given


def _our_destination(width: int) -> dict[str, Any]:
    record = {"type": "object", "properties": {"id": {"type": "string", "readOnly": True}}}
    record["properties"] |= {f"f{index}": {} for index in range(width)}  # type: ignore[operator]
    return _ours(
        {
            "/records": {"post": _one("Record", body=True)},
            "/records/{id}": {
                "get": _one("Record", parameter="id"),
                "put": _one("Record", body=True, parameter="id"),
            },
        },
        {"Record": record},
    )


def _our_source(width: int) -> dict[str, Any]:
    row = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    row["properties"] |= {f"s{index}": {} for index in range(width)}  # type: ignore[operator]
    rows = {"type": "object", "properties": {"rows": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}}}
    return _ours({"/rows": {"get": _one("Rows")}}, {"Row": row, "Rows": rows})


def _ours(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    info = {"title": "Ours", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _one(schema: str, *, body: bool = False, parameter: str | None = None) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    operation: dict[str, Any] = {"responses": {"200": {"description": "done", "content": content}}}
    if body:
        operation["requestBody"] = {"required": True, "content": content}
    if parameter is not None:
        operation["parameters"] = [{"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}]
    return operation


def _fact(value: Any) -> dict[str, Any]:
    return {"value": value, "confidence": 1.0, "by": "person"}


def _path_text(path: Sequence[str]) -> str:
    return ".".join(_quoted(name) for name in path)


def _quoted(name: str) -> str:
    if name and not set(name) & set('.[]"\\'):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write(path: Path, value: Any) -> None:
    """JSON is YAML, but for what YAML takes for a line end or no character at all: that is escaped."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    escaped = (one if one == "\n" or one.isprintable() else f"\\u{ord(one):04x}" for one in text)
    path.write_text("".join(escaped), encoding="utf-8")

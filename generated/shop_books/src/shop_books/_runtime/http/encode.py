"""Arguments → what stands on the wire: paths, queries, headers, cookies and bodies, byte for byte under the vendor's names.

Parameter styles are those of OpenAPI; nested objects in forms are spelled with brackets (`a[b]=`, `a[0][b]=`). `MISSING` is
left out everywhere; null is `null` in JSON and an empty value elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from ..declare import FieldStyle, Operation, Parameter, Path
from ..errors import RequestRefused
from ..records import MISSING, Record

_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FORM = "application/x-www-form-urlencoded"


def escape(text: str) -> str:
    """Percent-encode everything but RFC 3986's unreserved characters."""
    if _PLAIN.fullmatch(text):
        return text
    try:
        return quote(text, safe="-._~")
    except UnicodeEncodeError:
        raise RequestRefused("a value holds half of a surrogate pair, which has no UTF-8 form") from None


def scalar(value: object) -> str:
    """One value as text outside JSON: `true`, `1.10`, `2024-05-01T10:00:00Z`; null is empty."""
    match value:
        case str():
            return value.value if isinstance(value, Enum) else value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Enum():
            return scalar(value.value)
        case Decimal():
            if not value.is_finite():
                raise RequestRefused("a number that is not finite cannot be sent")
            return format(value, "f")
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                raise RequestRefused("a number that is not finite cannot be sent")
            return repr(value)
        case datetime():
            text = value.isoformat()
            return text.removesuffix("+00:00") + "Z" if value.tzinfo is not None and text.endswith("+00:00") else text
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "strict")
        case Record() | Mapping() | list() | tuple():
            return _json_text(value)
        case _:
            return str(value)


def _json_text(value: object) -> str:
    """A value that has parts, where a text must stand: nothing but JSON says it without loss."""
    return encode_json(value).decode()


def plain(value: object) -> Any:
    """A value with records turned into dicts under wire names and `MISSING` members left out."""
    if type(value) is str or value is None:
        return value
    if isinstance(value, Record):
        return value.model_dump(mode="python", by_alias=True)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items() if each is not MISSING}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value if each is not MISSING]
    return value


# --- JSON -------------------------------------------------------------------------------------------------------------


class _HasMissing(Exception):
    """A body holds `MISSING`, which must be taken out first."""


def _other(value: object) -> object:
    if isinstance(value, Record):
        return value.model_dump(mode="python", by_alias=True)
    if isinstance(value, Mapping):
        return dict(value)
    if value is MISSING:
        raise _HasMissing
    raise TypeError(f"{type(value).__name__} has no JSON form")


_json = msgspec.json.Encoder(enc_hook=_other, decimal_format="number").encode


def encode_json(value: object) -> bytes:
    """JSON with decimals as numbers, digit by digit."""
    try:
        try:
            return _json(value)
        except _HasMissing:
            return _json(plain(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestRefused(f"a body cannot be written as JSON: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]


# --- forms ------------------------------------------------------------------------------------------------------------


Encoding: TypeAlias = tuple[tuple[str, FieldStyle, bool], ...]


def form_pairs(value: object, encoding: Encoding = ()) -> list[tuple[str, str]]:
    """An object as the pairs of a form. Empty lists and objects are an empty value.

    Args:
        encoding: (field, style, explode) of what is not written with brackets.
    """
    data = plain(value)
    if not isinstance(data, dict):
        raise RequestRefused("a form body must be an object")
    said = {name: (style, explode) for name, style, explode in encoding}
    return [pair for name, each in data.items() for pair in _field(name, each, *said.get(name, ("deepObject", True)))]


def _field(name: str, value: object, style: str, explode: bool) -> Iterator[tuple[str, str]]:
    """One field of a form in one of the styles."""
    if style == "json":
        yield from ((name, _json_text(each)) for each in (value if explode and isinstance(value, list) else [value]))
    elif style == "deepObject" or not isinstance(value, dict | list) or not value:
        yield from _brackets(name, value)
    elif not explode:
        flat = _flat(value) if isinstance(value, dict) else value
        yield name, {"spaceDelimited": " ", "pipeDelimited": "|"}.get(style, ",").join(scalar(each) for each in flat)
    elif isinstance(value, dict):
        yield from ((str(key), scalar(each)) for key, each in value.items())
    else:
        yield from ((name, scalar(each)) for each in value)


def _brackets(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case dict() if value:
            for key, each in value.items():
                yield from _brackets(f"{name}[{key}]", each)
        case list() | tuple() if value:
            for index, each in enumerate(value):
                yield from _brackets(f"{name}[{index}]", each)
        case dict() | list() | tuple():
            yield name, ""
        case _:
            yield name, scalar(value)


def encode_form(value: object, encoding: Encoding = ()) -> bytes:
    """`application/x-www-form-urlencoded`."""
    return "&".join(f"{escape(name)}={escape(text)}" for name, text in form_pairs(value, encoding)).encode("ascii")


def encode_multipart(
    value: object, encoding: Encoding = (), part_types: Iterable[tuple[str, str]] = ()
) -> tuple[bytes, str]:
    """`multipart/form-data` of an object: text members as fields, bytes as files. Returns the body and its media type.

    Members in the style `json` are parts of the media type `application/json`; exploded, a list is one part for each item.
    The boundary is a digest of the content, so that a retry sends the same bytes.

    Args:
        part_types: (member, media type) where it is not the usual one.
    """
    data = plain(value)
    if not isinstance(data, dict):
        raise RequestRefused("a multipart body must be an object")
    parts: list[tuple[bytes, bytes]] = []
    said = {name: (style, explode) for name, style, explode in encoding}
    types = dict(part_types)
    for name, each in data.items():
        style, explode = said.get(name, ("deepObject", True))
        files = each if isinstance(each, list) else [each]
        if files and all(isinstance(file, bytes | bytearray) for file in files):
            head = f'Content-Disposition: form-data; name="{_quoted(name)}"; filename="{_quoted(name)}"\r\n'
            head += f"Content-Type: {_line(types.get(name, 'application/octet-stream'))}\r\n\r\n"
            parts += [(head.encode(), bytes(one)) for one in files]
            continue
        media = types.get(name, "application/json" if style == "json" else None)
        for key, text in _field(name, each, style, explode):
            head = f'Content-Disposition: form-data; name="{_quoted(key)}"\r\n'
            head += f"Content-Type: {_line(media)}\r\n\r\n" if media is not None else "\r\n"
            parts.append((head.encode(), text.encode()))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:%d:%b%b" % (len(part[0]), len(part[1]), *part))
    boundary = digest.hexdigest()[:40]
    mark = boundary.encode()
    body = b"".join(b"--%b\r\n%b%b\r\n" % (mark, head, content) for head, content in parts)
    return body + b"--%b--\r\n" % mark, f"multipart/form-data; boundary={boundary}"


def _line(text: str) -> str:
    """What stands in a part's head as it is; a line break would end the head."""
    if not _HEADER_VALUE.fullmatch(text):
        raise RequestRefused("a media type holds a line break or another control character")
    return text


def _quoted(name: str) -> str:
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def encode_body(operation: Operation, body: object) -> tuple[bytes, str]:
    """A body in the operation's encoding → bytes and media type. Bytes go as they are."""
    media = operation.media_type
    match operation.body:
        case "form":
            media = FORM if media == "application/json" else media
            return (
                bytes(body) if isinstance(body, bytes | bytearray) else encode_form(body, operation.encoding)
            ), media
        case "multipart":
            return encode_multipart(body, operation.encoding, operation.part_types)
        case "raw":
            if not isinstance(body, str | bytes | bytearray):
                raise RequestRefused(f"a body of the media type `{media[:80]}` is given as bytes or text")
            return (body.encode() if isinstance(body, str) else bytes(body)), media
        case _:
            return (bytes(body) if isinstance(body, bytes | bytearray) else encode_json(body)), media


_exact: Callable[[bytes], Any] = msgspec.json.Decoder(float_hook=Decimal).decode


def fitted(operation: Operation, body: object, values: Mapping[str, object]) -> object:
    """A stream's body as an operation takes it: without what it has no place for, with the identity where it asks for it.

    Args:
        values: Parameters by wire name.
    """
    data = _exact(bytes(body)) if isinstance(body, bytes | bytearray) else plain(body)
    if not isinstance(data, dict):
        return body
    holder: Any
    for path in operation.not_taken:
        _take_out(data, path)
    for path, name, kind in operation.repeats:
        holder = data
        for step in path[:-1]:
            holder = holder.setdefault(step, {}) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and name in values:
            text = str(values[name])
            holder[path[-1]] = int(text) if kind == "integer" and text.isdecimal() else text
    return data


def _take_out(value: Any, path: Path) -> None:
    """Take out what is at a path; of a list, of each of its items."""
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        for each in value if isinstance(value, list) and rest else ():
            _take_out(each, rest)
    elif isinstance(value, dict):
        if not rest:
            value.pop(key, None)
        elif key in value:
            _take_out(value[key], rest)


def asking_body(operation: Operation, params: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, object]]:
    """What a list is asked for → its body, and the parameters that do not stand in it."""
    places = {name: (path, kind) for name, path, kind in operation.asked}
    body: dict[str, Any] = {}
    rest: dict[str, object] = {}
    for name, value in params.items():
        if name not in places:
            rest[name] = value
            continue
        (*above, last), kind = places[name]
        holder = body
        for step in above:
            holder = holder.setdefault(str(step), {})
        holder[str(last)] = _of_kind(value, kind)
    return body, rest


def _of_kind(value: object, kind: str) -> object:
    """A setting is a text, and so are some cursors; the body wants it as described."""
    if kind == "string":
        return value if value is None or isinstance(value, str) else scalar(value)
    if not isinstance(value, str):
        return value
    try:
        match kind:
            case "integer":
                return int(value)
            case "number":
                return Decimal(value)
            case _:
                return value.lower() == "true"
    except (ValueError, ArithmeticError):
        return value


# --- parameters -------------------------------------------------------------------------------------------------------


def query_pairs(parameter: Parameter, value: object) -> list[str]:
    """One query parameter as encoded `name=value` pairs."""
    name, data = escape(parameter.name), plain(value)
    encode = _reserved if parameter.reserved else escape
    if _is_nested(data):
        bare = parameter.name.removesuffix("[]")
        return [f"{escape(key)}={encode(text)}" for key, text in _brackets(bare, data)]
    if isinstance(data, dict | list) and parameter.style == "deepObject":
        return [f"{escape(key)}={encode(text)}" for key, text in _brackets(parameter.name, data)]
    if isinstance(data, dict):
        if parameter.explode:
            return [f"{escape(key)}={encode(scalar(each))}" for key, each in data.items()]
        return [f"{name}={_joined(_flat(data), parameter.style, encode)}"]
    if isinstance(data, list):
        if parameter.explode:
            return [f"{name}={encode(scalar(each))}" for each in data]
        return [f"{name}={_joined(data, parameter.style, encode)}"]
    return [f"{name}={encode(scalar(data))}"]


def _reserved(text: str) -> str:
    """As `escape`, with the reserved characters kept that mean nothing inside a query's value.

    A server that decodes reads the same value either way; `&`, `+`, `#`, `%` and brackets would make it another one.

    Source:
        OpenAPI 3.0.4, `allowReserved`; RFC 3986 §3.4.
    """
    return "".join(part if part in _KEPT else escape(part) for part in _AT_KEPT.split(text))


_KEPT = frozenset(":/?@!$'()*,;=")
_AT_KEPT = re.compile(r"([:/?@!$'()*,;=])")


def _is_nested(data: object) -> bool:
    """Whether a value has parts in its parts: OpenAPI's styles say nothing of these, and servers read brackets."""
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return any(isinstance(each, dict | list) for each in inner)


def _joined(values: Iterable[object], style: str, encode: Callable[[str], str]) -> str:
    mark = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(style, ",")
    return mark.join(encode(scalar(each)).replace(",", "%2C") for each in values)


def _flat(data: Mapping[str, object]) -> list[object]:
    return [each for pair in data.items() for each in pair]


def _simple(value: object, explode: bool, encode: Callable[[str], str]) -> str:
    data = plain(value)
    if isinstance(data, dict):
        if explode:
            return ",".join(f"{encode(str(key))}={encode(scalar(each))}" for key, each in data.items())
        return ",".join(encode(scalar(each)) for each in _flat(data))
    if isinstance(data, list):
        return ",".join(encode(scalar(each)) for each in data)
    return encode(scalar(data))


def path_text(name: str, value: object, *, explode: bool = False, style: str = "simple") -> str:
    """One path parameter, percent-encoded. Identities are opaque: no value may climb out of its segment or empty it."""
    text = _simple(value, explode, escape)
    if text in ("", ".", ".."):
        raise RequestRefused(f"path parameter `{name}` is {'empty' if not text else 'a dot segment'}")
    if style == "label":
        return "." + (text.replace(",", ".") if explode else text)  # commas of values are encoded
    if style == "matrix":
        return _matrix(name, plain(value), text, explode)
    return text


def _matrix(name: str, value: object, text: str, explode: bool) -> str:
    """`;name=a,b`; exploded `;name=a;name=b`, and `;key=value` for objects (RFC 6570 §3.2.7)."""
    if not explode or not isinstance(value, dict | list):
        return f";{escape(name)}={text}"
    if isinstance(value, dict):
        return ";" + text.replace(",", ";")
    return "".join(f";{escape(name)}={one}" for one in text.split(","))


def header_text(name: str, value: object, *, explode: bool = False) -> str:
    """One header's value. Line breaks and control characters are refused, not escaped."""
    text = _simple(value, explode, str).strip(" \t")
    if not _HEADER_VALUE.fullmatch(text):
        raise RequestRefused(f"header `{name}` holds a line break or another control character")
    return text


def header_name(name: str) -> str:
    """A header's name as it is, when it is one."""
    if not _TOKEN.fullmatch(name):
        raise RequestRefused(f"`{name[:50]!a}` is not a header name")
    return name


def cookie_pair(name: str, value: object, *, explode: bool = False) -> str:
    """`name=value` for the Cookie header; exploded `name=a; name=b`, and `key=value` for objects."""
    data = plain(value)
    if explode and isinstance(data, dict | list):
        pairs = data.items() if isinstance(data, dict) else ((name, each) for each in data)
        return "; ".join(cookie_pair(str(key), each) for key, each in pairs)
    if not _TOKEN.fullmatch(name):
        raise RequestRefused(f"`{name[:50]!a}` is not a cookie name")
    return f"{name}={_simple(data, False, escape)}"

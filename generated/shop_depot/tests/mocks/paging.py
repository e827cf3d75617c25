"""Which part of a list a request gets, and how the reply tells where the next part is.

All styles of the package's `Paging`. A page that is larger than the declared maximum is refused, so that a package which
asks for more than it was told to is found out.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from .form import OperationForm, PagingForm, Path, Schema
from .places import NOTHING, at, put, remove
from .refused import Refused
from .schema import Problem
from .store import Stored
from .synthesis import Synthesis

_DEFAULT_SIZE = 50
_TOKEN_NAMES = ("page_info", "page_token", "pageToken", "cursor", "after", "starting_after", "continuation")


@dataclass(slots=True)
class Page:
    """One page: its records, the `Link` header, and what the envelope says around them."""

    items: Sequence[Stored]
    link: str | None = None
    says: dict[Path, object] = field(default_factory=dict)
    """Path in the reply → value; `NOTHING` where the last page has no such field."""
    mirrors: dict[str, int] = field(default_factory=dict)
    """What the request asked for, for an envelope that repeats it under the parameter's name."""


def token_parameter(operation: OperationForm) -> str | None:
    """The parameter that carries the page token of a `Link` header; a declared one when its name says so."""
    if operation.paging.style != "link":
        return None
    declared = {parameter.name for parameter in operation.parameters}
    return next((name for name in _TOKEN_NAMES if name in declared), _TOKEN_NAMES[0])


def original_query(operation: OperationForm, query: Mapping[str, str]) -> dict[str, str]:
    """The query that filters: behind a page token it is the one of the first page."""
    name = token_parameter(operation)
    if name is None or name not in query:
        return dict(query)
    first = _read_token(name, query[name]).get("query")
    return {str(key): str(value) for key, value in first.items()} if isinstance(first, dict) else {}


def cut(
    operation: OperationForm,
    items: Sequence[Stored],
    query: Mapping[str, str],
    url: str,
    identity: Path,
    *,
    cap: int | None = None,
    fault: str | None = None,
) -> Page:
    """The page of `items` (filtered, in order) that `query` asks for.

    Args:
        url: The operation's own URL without a query, for links.
        identity: Where a record's identity is, for styles that page by it.
        cap: Records at most, whatever `query` says.
        fault: `loop`: the first page whichever is asked for; `again`: the page before, and this one behind it.
    """
    paging = operation.paging
    if paging.style == "none":
        return Page(items)
    size = _size(paging, query, cap)
    start = _start(operation, items, query, identity, size)
    token: dict[str, object] = {}
    if fault == "loop":
        start = 0
    elif fault == "again" and start > 0:
        start -= size
        token = {"again": start}  # or it would be the very token that was asked with
    part = items[start : start + size]
    is_last = start + size >= len(items)
    page = Page(part)
    mirrored = ((paging.limit, size), (paging.offset, start), (paging.page, start // size + paging.first_page))
    page.mirrors.update({name: number for name, number in mirrored if name})
    if paging.total:
        page.says[paging.total] = len(items)
    if paging.has_more:
        page.says[paging.has_more] = not is_last
    match paging.style:
        case "link":
            name = token_parameter(operation)
            links = []
            for relation, offset in (("previous", max(start - size, 0)), ("next", start + size)):
                if (relation == "next" and not is_last) or (relation == "previous" and start > 0):
                    name_of_page = _token({"offset": offset, "query": original_query(operation, query), **token})
                    limit = {paging.limit: str(size)} if paging.limit else {}
                    links.append(f'<{url}?{urlencode({**limit, str(name): name_of_page})}>; rel="{relation}"')
            page.link = ", ".join(links) or None
        case "cursor":
            if paging.next and not _is_in_records(paging.next, operation.reply.records):
                page.says[paging.next] = NOTHING if is_last else _token({"offset": start + size, **token})
        case "next_url":
            if paging.next:
                next_query = {**query, "offset_token": _token({"offset": start + size, **token})}
                page.says[paging.next] = NOTHING if is_last else f"{url}?{urlencode(next_query)}"
        case _:
            pass
    return page


def say(envelope: object, page: Page, schema: Schema | None, synthesis: Synthesis) -> object:
    """Write what a page says into its envelope; a field that is not there is left out, or null where it is required."""
    for name, number in page.mirrors.items():
        if isinstance(envelope, dict) and isinstance(envelope.get(name), int):
            envelope[name] = number
    for path, value in page.says.items():
        if value is not NOTHING:
            envelope = put(envelope, path, value)
        else:
            _say_nothing(envelope, path, schema or {}, synthesis)
    return envelope


def _say_nothing(envelope: object, path: Path, schema: Schema, synthesis: Synthesis) -> None:
    for length in range(1, len(path) + 1):
        parent = synthesis.schema_at(schema, path[: length - 1])
        if path[length - 1] not in parent.get("required", ()):
            remove(envelope, path[:length])
            return
    if at(envelope, path) is not NOTHING:
        put(envelope, path, None)


def _size(paging: PagingForm, query: Mapping[str, str], cap: int | None) -> int:
    size = min(_DEFAULT_SIZE, paging.max or _DEFAULT_SIZE)
    if paging.limit is None or paging.limit not in query:
        return min(size, cap or size)
    size = _whole_number(paging.limit, query[paging.limit])
    if size < 1 or (paging.max is not None and size > paging.max):
        raise _bad(paging.limit, f"is {size}, must be 1 to {paging.max or 'any'}")
    return min(size, cap or size)


def _start(
    operation: OperationForm, items: Sequence[Stored], query: Mapping[str, str], identity: Path, size: int
) -> int:
    paging = operation.paging
    match paging.style:
        case "link":
            name = token_parameter(operation) or ""
            return _offset(name, query[name]) if name in query else 0
        case "cursor" | "since_id":
            name = paging.cursor or ""
            if name not in query:
                return 0
            if paging.style == "cursor" and not _is_in_records(paging.next, operation.reply.records):
                return _offset(name, query[name])
            return _after(items, query[name], identity, paging.style == "since_id")
        case "next_url":
            return _offset("offset_token", query["offset_token"]) if "offset_token" in query else 0
        case "page":
            number = _whole_number(paging.page or "", query.get(paging.page or "", str(paging.first_page)))
            if number < paging.first_page:
                raise _bad(paging.page or "", f"is {number}, the first is {paging.first_page}")
            return (number - paging.first_page) * size
        case "offset":
            return _whole_number(paging.offset or "", query.get(paging.offset or "", "0"))
        case "none":
            return 0


def _after(items: Sequence[Stored], last: str, identity: Path, by_order: bool) -> int:
    for number, stored in enumerate(items):
        value = at(stored.record, identity)
        if str(value) == last:
            return number + 1
        if by_order and isinstance(value, int) and last.isdecimal() and value > int(last):
            return number
    if by_order and last in ("0", ""):
        return 0
    raise Refused(400, f"`{last}` names no record of this list")


def _is_in_records(next_path: Path | None, records: Path | None) -> bool:
    """Whether the next cursor is read from the page's last record (`data[-1].id`)."""
    return next_path is not None and records is not None and next_path[: len(records) + 1] == (*records, -1)


def _token(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, sort_keys=True).encode()).decode().rstrip("=")


def _read_token(name: str, text: str) -> dict[str, object]:
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("offset"), int):
        raise _bad(name, "is no page token of this server")
    return value


def _offset(name: str, text: str) -> int:
    offset = _read_token(name, text)["offset"]
    return offset if isinstance(offset, int) else 0


def _whole_number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise _bad(name, f"is `{text}`, must be a whole number")
    return int(text)


def _bad(name: str, message: str) -> Refused:
    return Refused(400, "a query parameter is wrong", [Problem(f"query.{name}", message)])

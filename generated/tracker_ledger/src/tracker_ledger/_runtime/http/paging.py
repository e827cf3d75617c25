"""A list reply → its records as raw JSON, and where the next page is.

Records are split, not decoded: one that cannot be read does not spoil its page, and what is kept of it is what came. The
cursor of the next page is a plain JSON value, so that it can lie in a checkpoint: a number (page, offset), the vendor's own
value (cursor, since_id), or path and query of a URL on the API's own origin (link, next_url).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx
import msgspec

from ..declare import Json, Operation, Path
from ..errors import DecodeError, PagingError, Truncated
from .wire import Origin

MAX_EMPTY_PAGES = 100
"""Empty pages in a row that still name a next one."""

_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_raw_dict = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any = msgspec.json.Decoder().decode
_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*))?)*)\s*(?:,|$)")
_PARAMETER = re.compile(r";\s*([\w!#$&+.^`|~*-]+)\s*(?:=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*)))?")
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
_TARGET = re.compile(r"/[\x21-\x7e]*")


def shown(path: Path) -> str:
    """A path as people write it: `data[-1].id`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".") or "the whole body"


def walk(raw: bytes | msgspec.Raw, path: Path) -> bytes | msgspec.Raw | None:
    """The JSON value at `path`, still raw. None when there is none; a null on the way counts as none.

    Raises:
        msgspec.DecodeError: for what is not JSON.
    """
    for key in path:
        try:
            if isinstance(key, str):
                raw = _raw_dict(raw)[key]
            else:
                raw = _raw_list(raw)[key]
        except (KeyError, IndexError, msgspec.ValidationError):
            return None
    return raw


def value_at(raw: bytes | msgspec.Raw, path: Path) -> Json | None:
    """As `walk`, decoded."""
    found = walk(raw, path)
    return None if found is None else _any(found)


def read_json(operation: Operation, body: bytes, headers: httpx.Headers, read: Callable[[bytes], Any]) -> Any:
    """`read(body)`, with what goes wrong told in our words.

    Raises:
        Truncated: for text that is not JSON to its end.
        DecodeError: for an empty body, another media type, or JSON of another shape.
    """
    try:
        return read(body)
    except msgspec.ValidationError as error:
        raise DecodeError(f"the reply has another shape: {error}", operation=operation.id) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not body.strip():
            raise DecodeError("the reply is empty where JSON is due", operation=operation.id) from None
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media and "json" not in media and media not in ("text/plain", "text/javascript", "application/octet-stream"):
            hint = "; a page to sign in at? Check the URL and the credential" if "html" in media else ""
            raise DecodeError(f"the reply is `{media[:80]!a}`, not JSON{hint}", operation=operation.id) from None
        raise Truncated(f"the reply is not complete JSON ({error})", operation=operation.id) from None


@dataclass(frozen=True, slots=True)
class Picks:
    """Which members of a page's records are wanted, all else being skipped."""

    kind: Any
    """A type that msgspec reads: a TypedDict of the members, each of any kind."""
    exact: bool
    """Numbers with a fraction become `Decimal`."""


class Picked(msgspec.Struct, eq=False, gc=False):
    """One record of a page of which the wanted members were read with the page. `bytes` of it is the record as it came."""

    members: dict[str, Any] | None
    """None: whoever read the record has taken them."""
    page: _Page
    index: int

    def __bytes__(self) -> bytes:
        return bytes(self.page.raws()[self.index])


_PICKED_STYLES = frozenset({"none", "link", "next_url", "cursor"})
"""The others look at raw records to know where the next page is."""


class _Page:
    """A body that is split into raw records when one of them is asked for, which is seldom."""

    __slots__ = ("_body", "_raws", "_split")

    def __init__(self, body: bytes, split: Callable[[bytes], Parts]) -> None:
        self._body = body
        self._split = split
        self._raws: list[msgspec.Raw] | list[Picked] | None = None

    def raws(self) -> list[msgspec.Raw] | list[Picked]:
        if self._raws is None:
            self._raws = self._split(self._body).records
        return self._raws


@dataclass(frozen=True, slots=True)
class Parts:
    """What one reply says: records, and the two values that paging may need."""

    records: list[msgspec.Raw] | list[Picked]
    next: Json | None = None
    has_more: Json | None = None


class PageReader:
    """Reads the list replies of one operation with one pass over the bytes."""

    __slots__ = ("_decode", "_has_more", "_next", "_next_in_records", "_operation", "_picking", "_records", "_wanted")

    def __init__(self, operation: Operation) -> None:
        if operation.records is None:
            raise PagingError(f"{operation.id} lists nothing")
        self._operation = operation
        self._records = operation.records
        paging = operation.paging
        at = len(self._records)
        self._next = paging.next if paging.style != "link" else None
        self._has_more = paging.has_more
        self._next_in_records: Path | None = None
        if self._next is not None and self._next[:at] == self._records and len(self._next) > at:
            self._next_in_records, self._next = self._next[at:], None
        self._wanted = [path for path in (self._next, self._has_more) if path is not None]
        self._decode: Callable[[bytes], Any] | None = None
        self._picking: dict[Picks, Callable[[bytes], Any] | None] = {}
        if self._records and all(isinstance(key, str) for path in (self._records, *self._wanted) for key in path):
            self._decode = _compile(self._records, self._wanted, msgspec.Raw)

    def read(self, body: bytes, headers: httpx.Headers, picks: Picks | None = None) -> Parts:
        """Raises `DecodeError` or `Truncated` when there is no list where one should be.

        Args:
            picks: Read these members of each record with the page. Where that does not go, records are raw all the same.
        """
        parts: Parts
        if picks is not None and self._next_in_records is None and (picked := self._picked(body, picks)) is not None:
            return picked
        try:
            parts = read_json(self._operation, body, headers, self._split)
        except Truncated:
            if (mended := _mended(body)) == body:
                raise
            # Half a surrogate pair somewhere: only the record that holds it cannot be read, so only it must suffer.
            parts = read_json(self._operation, mended, headers, self._split)
            parts = replace(parts, records=_as_they_came(parts.records, mended, body))
        return parts

    def _picked(self, body: bytes, picks: Picks) -> Parts | None:
        """All in one pass; None when it takes two to say what is wrong, or where the next page is."""
        if self._decode is None or self._operation.paging.style not in _PICKED_STYLES:
            return None
        if picks not in self._picking:
            self._picking[picks] = _compile(self._records, self._wanted, picks.kind, exact=picks.exact)
        decode = self._picking[picks]
        if decode is None:
            return None
        try:
            page = decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        found = getattr(_attributes(page, self._records[:-1]), _field(str(self._records[-1])), msgspec.UNSET)
        if found is None or found is msgspec.UNSET:
            return None
        whole = _Page(body, self._split)
        return Parts(
            [Picked(members, whole, index) for index, members in enumerate(found)],
            None if self._next is None else _decoded(_attributes(page, self._next)),
            None if self._has_more is None else _decoded(_attributes(page, self._has_more)),
        )

    def _split(self, body: bytes) -> Parts:
        following: Json | None = None
        more: Json | None = None
        records: list[msgspec.Raw] | None = None
        found: Any
        if self._decode is None:
            found = walk(body, self._records)
            if found is not None:
                records = [] if bytes(found).strip() == b"null" else _raw_list(found)
            following = None if self._next is None else value_at(body, self._next)
            more = None if self._has_more is None else value_at(body, self._has_more)
        else:
            page = self._decode(body)
            holder = _attributes(page, self._records[:-1])
            found = getattr(holder, _field(str(self._records[-1])), msgspec.UNSET)
            records = [] if found is None else None if found is msgspec.UNSET else found
            if self._next is not None:
                following = _decoded(_attributes(page, self._next))
            if self._has_more is not None:
                more = _decoded(_attributes(page, self._has_more))
        if records is None:
            raise DecodeError(f"the reply has no list at `{shown(self._records)}`", operation=self._operation.id)
        if self._next_in_records is not None and records:
            key, *rest = self._next_in_records
            if isinstance(key, int) and -len(records) <= key < len(records):
                following = value_at(records[key], tuple(rest))
        return Parts(records, following, more)


def _mended(body: bytes) -> bytes:
    """The body with each half of a surrogate pair (`\\ud800`) replaced by U+FFFD; as long as before."""
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], body)


def _as_they_came(records: list[msgspec.Raw] | list[Picked], mended: bytes, body: bytes) -> list[msgspec.Raw]:
    found: list[msgspec.Raw] = []
    at = 0
    for each in records:
        record = bytes(each)
        at = mended.index(record, at)
        found.append(msgspec.Raw(body[at : at + len(record)]))
        at += len(record)
    return found


def _decoded(raw: Any) -> Json | None:
    return None if raw is None or raw is msgspec.UNSET else _any(raw)


def _attributes(page: Any, path: Path) -> Any:
    for key in path:
        page = getattr(page, _field(str(key)), None)
        if page is None or page is msgspec.UNSET:
            return None
    return page


def _field(key: str) -> str:
    """An attribute name for a wire name, one to one."""
    return "f_" + key.encode().hex()


def _compile(records: Path, wanted: list[Path], record: Any, *, exact: bool = False) -> Callable[[bytes], Any] | None:
    """A decoder that keeps the values at these paths raw, reads each record as `record`, and skips all else. None when one
    path leads through another, or a key is one that such a decoder cannot have."""
    leaves: dict[Path, Any] = dict.fromkeys(wanted, msgspec.Raw)
    leaves[records] = list[record] | None
    if any(a != b and b[: len(a)] == a for a in leaves for b in leaves):
        return None

    def struct(prefix: Path) -> Any:
        if prefix in leaves:
            return leaves[prefix] | msgspec.UnsetType
        keys = dict.fromkeys(str(path[len(prefix)]) for path in leaves if path[: len(prefix)] == prefix)
        members = [(_field(key), struct((*prefix, key)), msgspec.UNSET) for key in keys]
        kind = msgspec.defstruct("Page", members, rename={_field(key): key for key in keys}, gc=False)
        return kind if not prefix else kind | None | msgspec.UnsetType

    try:
        return msgspec.json.Decoder(struct(()), float_hook=Decimal if exact else None).decode
    except ValueError:  # a struct's field cannot have quotes, backslashes or control characters in its wire name
        return None


# --- where the next page is -------------------------------------------------------------------------------------------


def next_link(headers: httpx.Headers) -> str | None:
    """The target of rel="next" in the `Link` fields, as it stands there.

    Source:
        RFC 8288 §3.
    """
    for field in headers.get_list("link"):
        for link in _LINK.finditer(field):
            rel = next((each for each in _PARAMETER.finditer(link[2]) if each[1].lower() == "rel"), None)
            if rel is not None and "next" in (rel[2] or rel[3] or "").lower().split():
                return link[1].strip()
    return None


def own_target(url: str, base: str, origin: Origin, *, without: str | None = None) -> str:
    """Path and query of a URL that a reply handed out, relative ones resolved against `base`.

    The query parameter `without` (a credential that the vendor echoes) is taken out: cursors are stored.

    Raises:
        PagingError: when it leads away from the API's own origin.
    """
    at = base.find("/", base.find("//") + 2)
    root = base[:at] if at > 0 else base
    if without is None and url.startswith(root) and _PLAIN_TARGET.fullmatch(url, len(root)):
        return checked_target(
            url[len(root) :]
        )  # as it is handed out nearly always: nothing to resolve or to spell anew
    try:
        full = urljoin(base, url.strip())
        same = Origin.of(full) == origin
    except ValueError:
        same = False
    if not same:
        raise PagingError("the next page is on another origin than the API's own: not followed")
    parts = urlsplit(full)
    query = parts.query
    if without is not None and query:
        query = "&".join(pair for pair in query.split("&") if pair.partition("=")[0] != quote(without, safe="-._~"))
    target = quote(parts.path or "/", safe="/-._~!$&'()*+,;=:@%") + (f"?{quote(query, safe=_QUERY)}" if query else "")
    return checked_target(target)


_QUERY = "/-._~!$&'()*+,;=:@%?[]|"
_PLAIN_TARGET = re.compile(r"/[\w/\-.~!$&'()*+,;=:@%]*(?:\?[\w/\-.~!$&'()*+,;=:@%?\[\]|]+)?", re.ASCII)


def checked_target(cursor: Json) -> str:
    """A stored path and query, as long as it is one. Raises `PagingError`."""
    if not isinstance(cursor, str) or not _TARGET.fullmatch(cursor) or cursor.startswith("//") or "#" in cursor:
        raise PagingError("the cursor is not the path and query of a next page")
    return cursor


@dataclass(slots=True)
class Progress:
    """What one pass over a list has to remember from page to page."""

    full_page_seen: bool = False
    """A page as long as was asked for: the server keeps to the page size, so a shorter one is the last."""
    previous_was_short: bool = False
    empty_in_a_row: int = 0
    last_page: tuple[int, bytes] | None = None
    """Length and first record of the page before."""


def next_cursor(
    operation: Operation,
    parts: Parts,
    *,
    asked: Json | None,
    size: int | None,
    link: Callable[[str], str],
    headers: httpx.Headers,
    progress: Progress,
) -> Json | None:
    """The cursor of the page after this one; None at the end.

    Args:
        asked: The cursor that this page was asked for with.
        size: The page size that was asked for.
        link: Turns a URL that the vendor hands out into a cursor.

    Raises:
        PagingError: for a next page that is this one, for more pages without a way to them, for too many empty ones.
    """
    paging, count = operation.paging, len(parts.records)
    following: Json | None
    match paging.style:
        case "none":
            return None
        case "link":
            url = next_link(headers)
            following = None if url is None else link(url)
        case "next_url":
            if parts.next not in (None, "", False) and not isinstance(parts.next, str):
                raise PagingError(f"{operation.id}: `{shown(paging.next or ())}` is not a URL")
            following = link(parts.next) if parts.next and parts.has_more is not False else None
        case "cursor":
            following = None if parts.next in ("", False) else parts.next
            if paging.has_more is not None:
                if not parts.has_more:
                    following = None
                elif following is None:
                    raise PagingError(
                        f"{operation.id}: there are more records, but no cursor at `{shown(paging.next or ())}`"
                    )
            elif paging.next is not None and _is_in_records(operation) and _is_last(parts, size, progress):
                following = None
            if isinstance(following, dict | list | bool):
                raise PagingError(f"{operation.id}: the cursor at `{shown(paging.next or ())}` is not text or a number")
        case "since_id":
            following = None
            if count and not _is_last(parts, size, progress):
                following = parts.next if paging.next is not None else value_at(bytes(parts.records[-1]), ("id",))
                if following is None or isinstance(following, dict | list | bool):
                    raise PagingError(f"{operation.id}: the last record has no identity to go on from")
        case "page" | "offset":
            repeated = (count, bytes(parts.records[0])) if count else None
            if repeated is not None and repeated == progress.last_page:
                if progress.previous_was_short:
                    parts.records.clear()  # the probe behind a short page brought that page again: it was the last
                    return None
                raise PagingError(f"{operation.id}: two pages in a row are the same: `{paging.style}` has no effect")
            progress.last_page = repeated
            start = paging.first_page if paging.style == "page" else 0
            here = asked if isinstance(asked, int) else start
            if paging.has_more is not None and parts.has_more is not None:
                ended = not parts.has_more
            else:
                ended = _is_last(parts, size, progress)
            following = None if ended or not count else here + (1 if paging.style == "page" else count)
    if following is not None and following == asked:
        raise PagingError(f"{operation.id}: the next page is the page itself")
    progress.empty_in_a_row = 0 if count else progress.empty_in_a_row + 1
    if following is not None and progress.empty_in_a_row > MAX_EMPTY_PAGES:
        raise PagingError(f"{operation.id}: {MAX_EMPTY_PAGES} empty pages in a row, and still a next one")
    return following


def _is_in_records(operation: Operation) -> bool:
    at, path = operation.records or (), operation.paging.next or ()
    return path[: len(at)] == at and len(path) > len(at)


def _is_last(parts: Parts, size: int | None, progress: Progress) -> bool:
    """Whether a page's length says that it is the last.

    A page shorter than asked for is the last only if a full one was seen before: a server that caps the size below what
    was asked for would otherwise lose everything behind its first page. Until then one more page is asked for.
    """
    count = len(parts.records)
    progress.previous_was_short = size is not None and count < size
    if size is not None and count >= size:
        progress.full_page_seen = True
    return not count or (progress.previous_was_short and progress.full_page_seen)

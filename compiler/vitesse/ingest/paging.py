"""How a list operation hands out its next page, from its parameters, its reply, its headers and its prose."""

from __future__ import annotations

import re
from dataclasses import replace

from ..api.facts import Fact, Paging
from ..api.model import Operation, Place, Scalar
from ..api.paths import EACH, format_path, parse_path
from .paging_signs import (
    Input,
    Output,
    input_named,
    inputs_of,
    is_boolean,
    is_date,
    is_number,
    is_text,
    is_token,
    is_url,
    maximum_of,
    output_named,
    outputs_of,
)
from .reading import Reading
from .words import plain

_LIMIT = (
    "limit", "per_page", "page_size", "size", "max_results", "page_limit", "count", "top", "rows", "take",
    "results_per_page", "hits_per_page", "items_per_page", "records_per_page", "max_items", "page_count",
    "max_page_size", "perpage", "pagesize", "max", "num", "first", "max_keys", "results", "max_result_count",
    "maxresults", "limit_per_page", "page_length", "max_results_per_page", "display_size",
)  # fmt: skip
_CURSOR = (
    "cursor", "starting_after", "page_token", "next_token", "page_cursor", "start_cursor", "continuation_token",
    "next_page_token", "next_cursor", "page_after", "pagetoken", "scroll_param", "after", "page_info", "marker",
    "bookmark", "scroll_id", "next_page_id", "page_key", "pagination_token", "start_token", "after_cursor",
    "sync_token", "skip_token", "next", "page_start", "start_key",
)  # fmt: skip
_PAGE = (
    "page", "page_number", "page_no", "page_num", "page_index", "current_page", "pagenumber", "pageno",
)  # fmt: skip
_OFFSET = (
    "offset", "skip", "start_at", "start_index", "start", "page_offset", "first_result", "from", "start_position",
    "row_offset", "record_index", "record_offset", "start_record", "start_row", "begin_index",
)  # fmt: skip
_SINCE_ID = ("since_id", "after_id", "last_id", "from_id", "min_id")
_NEXT_VALUE = (
    "next_cursor", "next_page_token", "next_token", "next_page_cursor", "continuation_token", "end_cursor",
    "next_page_id", "after", "cursor", "next_marker", "bookmark", "scroll_id", "next_page", "next", "next_key",
    "page_token", "offset", "marker", "last_key", "next_offset", "next_after", "after_cursor", "pagination_token",
    "starting_after", "page", "last_id", "scroll_param",
)  # fmt: skip
_NEXT_URL = (
    "next", "next_page_url", "next_page_uri", "next_link", "next_url", "odata_next_link", "next_page", "next_href",
    "next_page_link",
)  # fmt: skip
_HAS_MORE = (
    "has_more", "has_next", "has_next_page", "more", "more_items", "more_results", "has_more_items",
    "more_data_available",
)  # fmt: skip
_TOTAL = (
    "total", "total_count", "total_results", "total_items", "total_elements", "total_records", "total_size", "count",
    "num_found",
)  # fmt: skip
_LINK_PROSE = re.compile(r"(?i)\blink\W{0,4}(?:response\s+)?headers?\b|rel\s*=\s*\W{0,2}next|\bRFC\s?(?:5988|8288)\b")
_ZERO = re.compile(
    r"(?i)zero[- ](?:based|indexed)|0[- ](?:based|indexed)|(?:starts?|starting|begins?|beginning) (?:at|from|with) (?:0|zero)"
)
_ONE = re.compile(
    r"(?i)one[- ](?:based|indexed)|1[- ](?:based|indexed)|(?:starts?|starting|begins?|beginning) (?:at|from|with) (?:1|one)\b"
)


def infer_paging(reading: Reading, operation: Operation, records: str | None, identity: str | None) -> Fact | None:
    """Find how the next page is asked for.

    Args:
        records: Where the list is, when that is known.
        identity: The field that names a record, when that is known.

    Returns:
        The style with the place of the evidence that decided it; `none`, with little confidence, for a list whose description
        has no trace of paging; None when the operation lists nothing.

    Source:
        RFC 8288 §3 for `Link`.
    """
    if records is None:
        return None
    inputs = list(inputs_of(reading, operation))
    outputs = list(outputs_of(reading, operation, records))
    limit = input_named(inputs, _LIMIT)
    size = Paging(style="none", limit=limit.name, max=maximum_of(limit)) if limit is not None else Paging(style="none")
    for find in (_by_link, _by_last_record, _by_cursor, _by_page, _by_offset, _by_url, _by_since, _by_house_style):
        found = find(reading, operation, inputs, outputs, records, identity)
        if found is not None:
            paging, place, confidence = found
            paging = replace(paging, limit=size.limit, max=size.max)
            if paging.total is None and (total := output_named(outputs, _TOTAL, is_number)) is not None:
                paging = replace(paging, total=format_path(total.path))
            if operation.method != "GET" and {paging.cursor, paging.page, paging.offset} - {None}:
                confidence = min(confidence, 0.75)  # asked for in a body, which is read more loosely
            return Fact(kind="paging", value=paging, at=place.pointer, confidence=round(confidence, 2))
    response = operation.success()
    place = response.place if response is not None else operation.place
    return Fact(kind="paging", value=size, at=place.pointer, confidence=0.6 if limit is None else 0.5)


_Found = tuple[Paging, Place, float]


def _by_link(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    response = operation.success()
    header = next((one for one in response.headers if one.name.lower() == "link"), None) if response else None
    if header is not None:
        return Paging(style="link"), header.place, 0.95
    for prose in reading.prose_of(operation):
        if _LINK_PROSE.search(prose.text):
            return Paging(style="link"), Place(file=operation.place.file, pointer=prose.at), 0.9
    page_info = next((one for one in inputs if plain(one.name) == "page_info"), None)
    if page_info is not None:
        return Paging(style="link"), page_info.place, 0.9
    described = next((one for one in inputs if _LINK_PROSE.search(one.description)), None)
    if described is not None:
        return Paging(style="link"), described.place, 0.85
    return None


def _by_last_record(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    """`starting_after` takes the identity of the last record."""
    cursor = next((one for one in inputs if plain(one.name) in ("starting_after", "after")), None)
    more = output_named(outputs, _HAS_MORE, is_boolean)
    if (
        cursor is None
        or more is None
        or output_named(outputs, ("next_cursor", "after", "end_cursor", "starting_after"), is_text)
    ):
        return None
    if identity is None:
        return None
    last = format_path((*parse_path(records), EACH)).removesuffix("[]") + "[-1]"
    paging = Paging(style="cursor", cursor=cursor.name, next=f"{last}.{identity}", has_more=format_path(more.path))
    says_so = re.search(r"(?i)object id|last (?:item|object|record|id)|\bID\b|obj_", cursor.description) is not None
    return paging, cursor.place, 0.95 if says_so else 0.82


def _by_cursor(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    """A parameter that takes a value from the reply before."""
    cursors = [one for one in inputs if plain(one.name) in _CURSOR and not is_number(one.type)]
    cursors += [one for one in inputs if plain(one.name) in ("offset", "page", "start", "from") and is_text(one.type)]
    cursors.sort(key=lambda one: _CURSOR.index(plain(one.name)) if plain(one.name) in _CURSOR else len(_CURSOR))
    switches = [plain(one.name) for one in inputs if is_boolean(one.type)]
    for cursor in cursors:
        if any(plain(cursor.name) in switch for switch in switches) and _by_offset(
            reading, operation, inputs, outputs, records, identity
        ):
            continue  # `usemarker` has to be set before a marker is given
        following = _next_value(outputs, cursor)
        if following is None:
            continue
        output, certainty = following
        more = output_named(outputs, _HAS_MORE, is_boolean)
        paging = Paging(
            style="cursor",
            cursor=cursor.name,
            next=format_path(output.path),
            has_more=format_path(more.path) if more is not None else None,
        )
        return paging, cursor.place, certainty
    return None


def _next_value(outputs: list[Output], cursor: Input) -> tuple[Output, float] | None:
    """The value of the reply that the cursor takes, and how sure that is."""
    word = plain(cursor.name)
    ranked: list[tuple[float, int, Output]] = []
    for index, output in enumerate(outputs):
        if not is_text(output.type) and not is_number(output.type):
            continue
        if is_url(output):
            continue
        steps = [plain(step) for step in output.path if isinstance(step, str)]
        name, above = steps[-1], steps[:-1]
        score = 0.0
        if name not in _NEXT_VALUE:
            continue
        if name.startswith("next") or "next" in above:
            score += 3
        if name.removeprefix("next_") == word.removeprefix("next_").removeprefix("page_") or name == word:
            score += 2
        if word in name or name in word:
            score += 1
        if name in ("page", "offset", "next") and not (word == name or "next" in above or name == "next"):
            score -= 2
        if {"prev", "previous", "before", "first", "last"} & set(steps):
            score -= 5
        if word in ("page", "offset", "start", "from") and "next" not in "_".join(steps):
            continue  # the number of this page, echoed
        if score > 0:
            ranked.append((score, -index, output))
    if not ranked:
        return None
    score, _, best = max(ranked, key=lambda one: one[:2])
    return best, min(0.97, 0.7 + 0.05 * score)


def _by_url(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    """A whole URL of the next page in the reply."""
    ranked: list[tuple[float, Output]] = []
    for output in outputs:
        steps = [plain(step) for step in output.path if isinstance(step, str)]
        name = steps[-1]
        about_next = name in _NEXT_URL or (name in ("href", "url", "link") and "next" in steps)
        if not about_next or not (is_text(output.type) or isinstance(output.type, Scalar)):
            continue
        score = 0.0
        score += 3.0 * is_url(output)
        score += 2.0 * bool({"links", "link", "paging", "pagination", "meta", "metadata"} & set(steps[:-1]))
        score += 2.0 * (name.endswith(("url", "uri", "link", "href")))
        if score >= 2:
            ranked.append((score, output))
    if not ranked:
        return None
    score, best = max(ranked, key=lambda one: one[0])
    return Paging(style="next_url", next=format_path(best.path)), best.place, min(0.95, 0.72 + 0.05 * score)


def _by_page(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    page = input_named(inputs, _PAGE)
    if page is None:
        return None
    if any(
        "token" in plain(one.name) for one in inputs
    ):  # a page that needs more than its number is reached by its URL
        by_url = _by_url(reading, operation, inputs, outputs, records, identity)
        if by_url is not None:
            return by_url
    first = 1
    sure = 0.9
    if (
        _ZERO.search(page.description)
        or page.default == 0
        or (isinstance(page.type, Scalar) and page.type.minimum == 0)
    ):
        first = 0
        sure = 0.92 if _ZERO.search(page.description) or page.default == 0 else 0.8
    elif (
        page.default == 1 or _ONE.search(page.description) or (isinstance(page.type, Scalar) and page.type.minimum == 1)
    ):
        sure = 0.95
    more = output_named(outputs, _HAS_MORE, is_boolean)
    paging = Paging(style="page", page=page.name, first_page=first, has_more=format_path(more.path) if more else None)
    return paging, page.place, sure


def _by_offset(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    offset = input_named([one for one in inputs if not is_date(one) and not is_token(one)], _OFFSET)
    if offset is None or (not is_number(offset.type) and plain(offset.name) in ("from", "start")):
        return None
    more = output_named(outputs, _HAS_MORE, is_boolean)
    paging = Paging(style="offset", offset=offset.name, has_more=format_path(more.path) if more else None)
    plainly = plain(offset.name) in ("offset", "skip", "start_at", "page_offset")
    counts_from_one = _ONE.search(offset.description) or offset.default == 1
    return paging, offset.place, 0.6 if counts_from_one else 0.93 if plainly else 0.8


def _by_house_style(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    """A token parameter whose next value the reply does not describe, when other lists of the API say where it is."""
    token = next((one for one in inputs if is_token(one) or (plain(one.name) in _CURSOR and is_text(one.type))), None)
    if token is None:
        return None
    known = reading.cursors.get(token.name)
    if known is None:
        known = reading.cursors[token.name] = _next_elsewhere(reading, token)
    return (Paging(style="cursor", cursor=token.name, next=known), token.place, 0.78) if known else None


def _next_elsewhere(reading: Reading, token: Input) -> str:
    for other in reading.api.operations:
        mine = next((one for one in inputs_of(reading, other) if one.name == token.name), None)
        if mine is None:
            continue
        following = _next_value(list(outputs_of(reading, other, "")), mine)
        if following is not None:
            return format_path(following[0].path)
    return ""


def _by_since(
    reading: Reading,
    operation: Operation,
    inputs: list[Input],
    outputs: list[Output],
    records: str,
    identity: str | None,
) -> _Found | None:
    since = next((one for one in inputs if plain(one.name) in _SINCE_ID), None)
    if since is not None:
        return Paging(style="since_id", cursor=since.name), since.place, 0.85
    after = next((one for one in inputs if plain(one.name) in ("after", "starting_after")), None)
    if after is None or identity is None or not isinstance(after.type, Scalar):
        return None
    of_record = after.type.format in ("snowflake", "uuid", "int64") or re.search(r"(?i)\bids?\b", after.description)
    return Paging(style="since_id", cursor=after.name), after.place, 0.75 if of_record else 0.6

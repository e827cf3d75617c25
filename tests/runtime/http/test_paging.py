"""Every paging style against a vendor that pages that way, and vendors that page badly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtime.declare import Api, ApiKey, Env, Operation, Paging, Parameter
from runtime.errors import BodyTooLarge, DecodeError, NotFound, PagingError
from runtime.http.paging import PageReader, next_link, own_target, walk
from runtime.http.session import RawPage, Session, open_api
from runtime.http.wire import Origin
from runtime.settings import resolve

API = Api(
    name="api", title="API", base_url="https://api.example/v1",
    auth=ApiKey(value=Env("KEY", secret=True), name="api_key", location="query"),
)  # fmt: skip
ALL: list[dict[str, Any]] = [{"id": number, "name": f"n{number}"} for number in range(1, 8)]
Handler = Callable[[httpx.Request], httpx.Response]


def operation(paging: Paging, records: tuple[str | int, ...] | None = ("data",)) -> Operation:
    return Operation(id="GET /things", api="api", method="GET", path="/things", records=records, paging=paging)


def opened(handler: Handler) -> Session:
    settings = resolve((API,), {"KEY": "key-0123456789"})
    return open_api(API, settings, transport=httpx.MockTransport(handler))


async def read_all(handler: Handler, listing: Operation, **more: Any) -> tuple[list[Any], list[RawPage]]:
    async with opened(handler) as session:
        pages = [page async for page in session.pages(listing, **more)]
    return [json.loads(record) for page in pages for record in page.records], pages


def number(request: httpx.Request, name: str, default: int) -> int:
    return int(request.url.params.get(name, default))


# --- styles -----------------------------------------------------------------------------------------------------------


def by_link(request: httpx.Request) -> httpx.Response:
    assert request.url.params["api_key"] == "key-0123456789"
    at, size = number(request, "at", 0), number(request, "limit", 3)
    headers = {}
    if at + size < len(ALL):
        headers["Link"] = (
            f'<https://api.example/v1/things?at=0>; rel="first", '
            f'<https://api.example/v1/things?at={at + size}&limit={size}&api_key=key-0123456789>; rel="next"; title="a, b"'
        )
    return httpx.Response(200, json={"data": ALL[at : at + size]}, headers=headers)


def by_next_url(request: httpx.Request) -> httpx.Response:
    at = number(request, "at", 0)
    following = f"things?at={at + 3}" if at + 3 < len(ALL) else None
    return httpx.Response(200, json={"data": ALL[at : at + 3], "paging": {"next": following}})


def by_cursor(request: httpx.Request) -> httpx.Response:
    at = int(request.url.params.get("cursor", "c0")[1:])
    following = f"c{at + 3}" if at + 3 < len(ALL) else ""
    return httpx.Response(200, json={"meta": {"next": following}, "data": ALL[at : at + 3]})


def by_last_record(request: httpx.Request) -> httpx.Response:
    at = number(request, "starting_after", 0)
    return httpx.Response(200, json={"has_more": at + 3 < len(ALL), "data": ALL[at : at + 3]})


def by_page(request: httpx.Request) -> httpx.Response:
    page, size = number(request, "page", 1), number(request, "per_page", 3)
    return httpx.Response(200, json=ALL[(page - 1) * size : page * size])


def by_offset(request: httpx.Request) -> httpx.Response:
    at, size = number(request, "skip", 0), number(request, "take", 3)
    return httpx.Response(200, json={"data": ALL[at : at + size]})


def by_since_id(request: httpx.Request) -> httpx.Response:
    after = number(request, "since_id", 0)
    return httpx.Response(200, json={"data": [each for each in ALL if each["id"] > after][:3]})


LINK = operation(Paging(style="link", limit="limit", max=3))
NEXT_URL = operation(Paging(style="next_url", next=("paging", "next")))
CURSOR = operation(Paging(style="cursor", cursor="cursor", next=("meta", "next")))
LAST = operation(Paging(style="cursor", cursor="starting_after", next=("data", -1, "id"), has_more=("has_more",)))
PAGE = operation(Paging(style="page", page="page", limit="per_page", max=3), records=())
OFFSET = operation(Paging(style="offset", offset="skip", limit="take", max=3))
SINCE_ID = operation(Paging(style="since_id", cursor="since_id", limit="limit", max=3))
STYLES: list[tuple[Handler, Operation]] = [
    (by_link, LINK),
    (by_next_url, NEXT_URL),
    (by_cursor, CURSOR),
    (by_last_record, LAST),
    (by_page, PAGE),
    (by_offset, OFFSET),
    (by_since_id, SINCE_ID),
]
NAMES = ["link", "next_url", "cursor", "last-record", "page", "offset", "since_id"]


@pytest.mark.parametrize(("handler", "listing"), STYLES, ids=NAMES)
async def test_every_record_comes_once_and_in_order(handler: Handler, listing: Operation) -> None:
    """Seven records in pages of three."""
    records, pages = await read_all(handler, listing)
    assert records == ALL
    assert pages[-1].next is None or pages[-1].records == []


@pytest.mark.parametrize(("handler", "listing"), STYLES, ids=NAMES)
async def test_pass_can_be_taken_up_from_a_stored_cursor(handler: Handler, listing: Operation) -> None:
    """A cursor survives JSON, holds no credential, and leads on behind the page it came with."""
    async with opened(handler) as session:
        first = await session.page(listing)
        stored = json.dumps(first.next)
        assert "key-0123456789" not in stored
        rest = [page async for page in session.pages(listing, cursor=json.loads(stored))]
    assert [json.loads(each) for page in [first, *rest] for each in page.records] == ALL


async def test_style_none_is_one_page() -> None:
    """Nothing is asked for but the list."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=ALL)

    records, _ = await read_all(handler, operation(Paging(), records=()))
    assert records == ALL
    assert asked == ["https://api.example/v1/things?api_key=key-0123456789"]


async def test_records_are_the_bytes_that_came() -> None:
    """Digits, escapes and unknown members stay for the dead letter and the exact decoder."""
    text = b'{"data": [{"a":1.10,"b":12345678901234567890.123456789, "c":"\\u00fc\\ud800"} , null, [1] ]}'
    _, pages = await read_all(lambda request: httpx.Response(200, content=text), operation(Paging()))
    assert pages[0].records == [
        b'{"a":1.10,"b":12345678901234567890.123456789, "c":"\\u00fc\\ud800"}', b"null", b"[1]",
    ]  # fmt: skip


# --- where lists end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "total", "requests"),
    [
        (100, 7, 3),  # the server keeps to our 3: the short third page is the last
        (100, 6, 3),  # an exact multiple: the third page is empty
        (2, 7, 5),  # the server caps at 2: short pages go on until one is empty
        (100, 2, 2),  # one short page: one more is asked for, since the server might have capped it
        (100, 0, 1),
    ],
)
async def test_page_that_is_shorter_than_asked_for_ends_a_list_only_if_a_full_one_was_seen(
    cap: int, total: int, requests: int
) -> None:
    """A server that caps the page size below what was asked for loses nothing."""
    for listing, where in ((PAGE, "page"), (OFFSET, "skip")):
        asked = 0

        def handler(request: httpx.Request, where: str = where) -> httpx.Response:
            nonlocal asked
            asked += 1
            size = min(cap, 3)
            at = (number(request, "page", 1) - 1) * size if where == "page" else number(request, "skip", 0)
            found = ALL[:total][at : at + size]
            return httpx.Response(200, json=found if where == "page" else {"data": found})

        records, _ = await read_all(handler, listing)
        assert records == ALL[:total]
        assert asked == requests


@pytest.mark.parametrize("status", [400, 404, 416])
async def test_refusal_behind_a_short_page_is_the_end_of_the_list(status: int) -> None:
    """Some vendors answer a page that does not exist with 404; after a full page it is an error."""

    def handler(request: httpx.Request) -> httpx.Response:
        page = number(request, "page", 1)
        return httpx.Response(200, json=ALL[:2]) if page == 1 else httpx.Response(status)

    records, _ = await read_all(handler, PAGE)
    assert records == ALL[:2]

    def lost(request: httpx.Request) -> httpx.Response:
        page = number(request, "page", 1)
        return httpx.Response(200, json=ALL[:3]) if page == 1 else httpx.Response(404)

    with pytest.raises(NotFound):
        await read_all(lost, PAGE)


async def test_page_parameter_without_effect_is_noticed() -> None:
    """Full pages that repeat are an error; a short one that repeats was the whole list."""
    with pytest.raises(PagingError, match="the same"):
        await read_all(lambda request: httpx.Response(200, json=ALL[:3]), PAGE)
    records, _ = await read_all(lambda request: httpx.Response(200, json=ALL[:2]), PAGE)
    assert records == ALL[:2]


async def test_empty_pages_with_a_next_one_are_passed_over_but_not_for_ever() -> None:
    """Filters may leave pages empty."""

    def handler(request: httpx.Request) -> httpx.Response:
        at = number(request, "cursor", 0)
        return httpx.Response(
            200, json={"data": ALL if at == 50 else [], "meta": {"next": None if at == 50 else at + 1}}
        )

    records, pages = await read_all(handler, CURSOR)
    assert records == ALL
    assert len(pages) == 51

    def endless(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [], "meta": {"next": number(request, "cursor", 0) + 1}})

    with pytest.raises(PagingError, match="empty pages"):
        await read_all(endless, CURSOR)


@pytest.mark.parametrize(
    "reply",
    [
        {"data": ALL, "meta": {"next": "same"}},
        {"data": [], "meta": {"next": "same"}},
    ],
)
async def test_cursor_that_comes_back_is_a_circle(reply: dict[str, Any]) -> None:
    """Also over several pages: A → B → A."""
    with pytest.raises(PagingError):
        await read_all(lambda request: httpx.Response(200, json=reply), CURSOR)

    def handler(request: httpx.Request) -> httpx.Response:
        at = number(request, "cursor", 0)
        return httpx.Response(200, json={"data": ALL, "meta": {"next": (at + 1) % 3 or 3}})

    with pytest.raises(PagingError, match="circle"):
        await read_all(handler, CURSOR)


async def test_more_records_without_a_cursor_are_an_error() -> None:
    """A silent end would lose the rest."""
    listing = operation(Paging(style="cursor", cursor="c", next=("next",), has_more=("more",)))
    with pytest.raises(PagingError, match="no cursor at `next`"):
        await read_all(lambda request: httpx.Response(200, json={"data": ALL, "more": True}), listing)
    records, _ = await read_all(
        lambda request: httpx.Response(200, json={"data": ALL, "more": False, "next": "x"}), listing
    )
    assert records == ALL


@pytest.mark.parametrize("cursor", [{"a": 1}, [1], True])
async def test_cursor_that_is_no_scalar_is_an_error(cursor: object) -> None:
    """It could not be sent as a parameter."""
    with pytest.raises(PagingError, match="not text or a number"):
        await read_all(lambda request: httpx.Response(200, json={"data": ALL, "meta": {"next": cursor}}), CURSOR)


async def test_callers_own_page_size_and_first_page_count() -> None:
    """What is given by name or by wire name is not overwritten; header arguments go with every page."""
    listing = replace(
        PAGE,
        parameters=(
            Parameter(argument="page", name="page", location="query"),
            Parameter(argument="size", name="per_page", location="query"),
            Parameter(argument="org", name="X-Org", location="header", style="simple"),
        ),
    )
    asked: list[tuple[str, str]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.params["page"] + "/" + request.url.params["per_page"], request.headers["x-org"]))
        return by_page(request)

    records, _ = await read_all(handler, listing, arguments={"page": 2, "size": 2, "org": "acme"})
    assert records == ALL[2:]
    assert asked == [("2/2", "acme"), ("3/2", "acme"), ("4/2", "acme")]
    linked = replace(LINK, parameters=listing.parameters[2:])

    def by_link_with_org(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-org"] == "acme"
        return by_link(request)

    records, pages = await read_all(by_link_with_org, linked, params={"X-Org": "acme", "limit": 4})
    assert (records, len(pages)) == (ALL, 2)


async def test_page_above_the_body_cap_is_asked_for_in_smaller_pieces() -> None:
    """Half as many records, and half again; where pages would move, the error stays."""
    everything = [{"id": number, "blob": "x" * 600} for number in range(1, 20)]
    asked: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        after, size = number(request, "after", 0), number(request, "limit", 0)
        asked.append(size)
        found = everything[after : after + size]
        return httpx.Response(
            200, json={"data": found, "next": after + size if after + size < len(everything) else None}
        )

    settings = resolve((API,), {"KEY": "key-0123456789", "MAX_BODY_BYTES": "2048"})
    paging = Paging(style="cursor", cursor="after", next=("next",), limit="limit", max=10)
    async with open_api(API, settings, transport=httpx.MockTransport(handler)) as session:
        pages = [page async for page in session.pages(operation(paging))]
        assert [json.loads(each)["id"] for page in pages for each in page.records] == list(range(1, 20))
        assert asked[:4] == [10, 5, 2, 2]
        with pytest.raises(BodyTooLarge):
            _ = [page async for page in session.pages(operation(replace(paging, limit=None)), params={"limit": 10})]


# --- next links -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/things?at=3",
        "http://api.example/v1/things?at=3",
        "https://api.example:8443/v1/things",
        "//evil.example/x",
        "https://api.example@evil.example/",
        "https://evil.example\\@api.example/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://[::1/",
    ],
)
async def test_next_page_on_another_origin_is_refused(url: str) -> None:
    """The credential goes to the API's own scheme, host and port, and nowhere else."""
    asked = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(
            200, json={"data": ALL, "paging": {"next": url}}, headers={"Link": f'<{url}>; rel="next"'}
        )

    for listing in (LINK, NEXT_URL):
        with pytest.raises(PagingError):
            await read_all(handler, listing)
    assert asked == 2


@pytest.mark.parametrize(
    "cursor", ["https://evil.example/", "//evil.example/", "x", "", 3, "/a b", "/a\r\nX: 1", "/a#b"]
)
async def test_stored_cursor_is_checked_like_a_fresh_one(cursor: object) -> None:
    """State is no way around the origin."""
    async with opened(by_link) as session:
        with pytest.raises(PagingError):
            await session.page(LINK, cursor=cursor)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://API.example:443/v1/things?a=1&api_key=k&b=%20#f", "/v1/things?a=1&b=%20"),
        ("?page=2", "/v1/things?page=2"),
        ("/v2/x?cursor=a b", "/v2/x?cursor=a%20b"),
        ("things/ü", "/v1/things/%C3%BC"),
        ("https://api.example", "/"),
    ],
)
def test_own_target_is_path_and_query(url: str, target: str) -> None:
    """Relative ones are resolved; the echoed credential and the fragment go."""
    origin = Origin.of("https://api.example")
    assert own_target(url, "https://api.example/v1/things", origin, without="api_key") == target


@pytest.mark.parametrize(
    "path",
    [
        "/v1/things?page_info=eyJ_x-1.~%3D&limit=250", "/v1/things", "/", "", "?a=1", "/a/../b?c[]=1|2", "/x;y=1?", "/ü", "/a b",
        "/a#b", "//other/", "/a?b?c=/&d", "/a%zz", "/_?_=_", "/a\\b", "/a?b#c", ".evil/", "@evil/", ":8080/",
    ],
)  # fmt: skip
def test_own_target_of_a_plain_address_is_what_resolving_it_gives(path: str) -> None:
    """The quick way is taken for what needs nothing, and refuses what the other one refuses."""
    base, origin = "https://api.example/v1/things?limit=250", Origin.of("https://api.example")

    def told(without: str | None) -> str:
        try:
            return own_target(f"https://api.example{path}", base, origin, without=without)
        except PagingError:
            return "refused"

    assert told(None) == told("not in any of them")


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        (['</x?a=1,2>; rel="next"'], "/x?a=1,2"),
        (['</a>; rel="prev", </b>; rel="next"'], "/b"),
        (['</a>; rel="prev"', "</b>; rel=next"], "/b"),
        (['</b>; title="x, y; rel=next"; rel="last"'], None),
        (['</b>; rel="last next"'], "/b"),
        (["</b>;REL=Next"], "/b"),
        (['</b>; rel="nextish"'], None),
        (["garbage, rel=next"], None),
        ([], None),
    ],
)
def test_next_link(fields: list[str], target: str | None) -> None:
    """Link fields as they are met."""
    assert next_link(httpx.Headers([("Link", field) for field in fields])) == target


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "body", "count"),
    [
        ((), b"[1, 2]", 2),
        (("a", "b"), b'{"x": {"b": [9]}, "a": {"b": [1, 2, 3], "c": 1}}', 3),
        (("r", 0, "items"), b'{"r": [{"items": [1]}]}', 1),
        (("data",), b'{"data": null}', 0),
        (("da.ta",), b'{"da.ta": [1]}', 1),
        (("f_64",), b'{"f_64": [1], "d": 2}', 1),
        (('a"b', "c\\"), b'{"a\\"b": {"c\\\\": [1, 2]}}', 2),
    ],
)
def test_reader_finds_the_list_at_its_path(records: tuple[str | int, ...], body: bytes, count: int) -> None:
    """Nested, in lists, under odd names, null for none."""
    parts = PageReader(operation(Paging(), records=records)).read(body, httpx.Headers())
    assert len(parts.records) == count


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"data": {}}', b'{"data": 3}', b'"x"', b"null", b'{"error": {"data": []}}']
)
def test_reply_without_the_list_is_an_error_and_not_an_empty_page(body: bytes) -> None:
    """`{"error": …}` with status 200 must not look like the end of a list."""
    with pytest.raises(DecodeError) as caught:
        PageReader(operation(Paging())).read(body, httpx.Headers())
    assert caught.value.failure == "systematic"


def test_reader_works_when_one_path_leads_through_another() -> None:
    """The cursor inside the object that holds the list, and the list inside what holds the flag."""
    listing = operation(
        Paging(style="cursor", cursor="c", next=("page",), has_more=("page", "more")), records=("page", "data")
    )
    body = b'{"page": {"data": [1, 2], "more": true}}'
    parts = PageReader(listing).read(body, httpx.Headers())
    assert (len(parts.records), parts.has_more) == (2, True)


def test_reader_needs_an_operation_that_lists() -> None:
    """A declaration without `records` is a mistake of ours, told at once."""
    with pytest.raises(PagingError):
        PageReader(replace(PAGE, records=None))


def test_walk_gives_none_for_what_is_not_there() -> None:
    """Missing keys, short lists, other kinds."""
    body = b'{"a": [{"b": 1}], "n": null}'
    assert walk(body, ("a", -1, "b")) is not None
    for path in (("x",), ("a", 1), ("a", "b"), ("n", "b"), ("a", 0, "b", "c")):
        assert walk(body, path) is None

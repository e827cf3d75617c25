"""Typed clients over a session: requests, pages, records; against `httpx.MockTransport`."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from runtime.client import ApiClient, Session, open_api
from runtime.declare import Api, ApiKey, Env, Operation, Paging, Parameter
from runtime.errors import DecodeError, NotFound, PagingError, RequestRefused
from runtime.records import MISSING, Record
from runtime.settings import resolve

CREDO = Api(
    name="credo",
    title="Credo",
    base_url="https://api.credo.example/v1",
    auth=ApiKey(value=Env("CREDO_API_KEY", secret=True), name="X-Api-Key"),
)
LIST = Operation(
    id="GET /contacts",
    api="credo",
    method="GET",
    path="/contacts",
    parameters=(Parameter(argument="email", name="email", location="query"),),
    records=("data",),
    paging=Paging(
        style="cursor", cursor="starting_after", next=("data", -1, "id"), has_more=("has_more",), limit="limit", max=2
    ),
)
CREATE = Operation(id="POST /contacts", api="credo", method="POST", path="/contacts", body="json", record=("contact",))
GET = Operation(
    id="GET /contacts/{id}",
    api="credo",
    method="GET",
    path="/contacts/{id}",
    parameters=(Parameter(argument="id", name="id", location="path", style="simple", explode=False, required=True),),
)


class Contact(Record):
    id: str
    email: str | MISSING | None = MISSING


def opened(handler: Callable[[httpx.Request], httpx.Response]) -> Session:
    settings = resolve((CREDO,), {"CREDO_API_KEY": "key-0123456789"})
    return open_api(CREDO, settings, transport=httpx.MockTransport(handler))


async def test_records_of_three_pages_come_in_order_and_stop_at_the_last() -> None:
    """A cursor inside the last record is followed as long as there is more."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        after = int(request.url.params.get("starting_after", 0))
        return httpx.Response(
            200, json={"data": [{"id": str(after + 1)}, {"id": str(after + 2)}], "has_more": after < 4}
        )

    async with opened(handler) as session:
        found = [
            contact.id async for contact in ApiClient(session).records(LIST, Contact, arguments={"email": MISSING})
        ]
    assert found == ["1", "2", "3", "4", "5", "6"]
    assert asked == ["limit=2", "limit=2&starting_after=2", "limit=2&starting_after=4"]


async def test_one_reads_the_record_at_its_path_and_sends_null_but_not_missing() -> None:
    """Missing is left out of a body, null is sent."""
    bodies: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        assert request.headers["x-api-key"] == "key-0123456789"
        return httpx.Response(201, json={"contact": {"id": "7", "email": None}})

    async with opened(handler) as session:
        client = ApiClient(session)
        assert (await client.one(CREATE, Contact, body=Contact(id="1", email=None))).email is None
        await client.one(CREATE, Contact, body=Contact(id="1"))
    assert [json.loads(body) for body in bodies] == [{"id": "1", "email": None}, {"id": "1"}]


async def test_path_argument_stays_in_its_segment() -> None:
    """An identity is opaque: it is percent-encoded, and one that would climb or vanish is refused before it is sent."""
    paths: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200, json={"id": "1"})

    async with opened(handler) as session:
        client = ApiClient(session)
        await client.one(GET, Contact, arguments={"id": "a/../b?c#d ü"})
        for bad in ("..", ".", ""):
            with pytest.raises(RequestRefused):
                await client.one(GET, Contact, arguments={"id": bad})
    assert paths == [b"/v1/contacts/a%2F..%2Fb%3Fc%23d%20%C3%BC"]


async def test_refusal_carries_status_request_id_and_an_excerpt_without_the_secret() -> None:
    """An error tells what to look for, and never the credential."""

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, headers={"X-Request-Id": "req-1"}, text="no such thing for key-0123456789\nat all")

    async with opened(handler) as session:
        with pytest.raises(NotFound) as caught:
            await ApiClient(session).one(GET, Contact, arguments={"id": "1"})
    assert (caught.value.status, caught.value.request_id, caught.value.failure) == (404, "req-1", "permanent_record")
    assert "key-0123456789" not in str(caught.value)
    assert "\n" not in caught.value.excerpt


async def test_record_of_another_shape_is_an_error_that_names_the_field_and_not_the_value() -> None:
    """What cannot be read is said by its path."""
    async with opened(lambda request: httpx.Response(200, json={"id": 17})) as session:
        with pytest.raises(DecodeError) as caught:
            await ApiClient(session).one(GET, Contact, arguments={"id": "1"})
    assert "id: " in str(caught.value)
    assert "17" not in str(caught.value)


async def test_cursor_that_comes_back_ends_the_pass() -> None:
    """Pages in a circle are an error, not an endless run."""

    def handler(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params.get("starting_after", 0))
        return httpx.Response(200, json={"data": [{"id": str(after % 3 + 1)}], "has_more": True})

    async with opened(handler) as session:
        with pytest.raises(PagingError):
            _ = [page async for page in session.pages(LIST)]

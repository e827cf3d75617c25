"""The mock server keeps what the form declares: reading, writing, signing in, limits, keys, faults, control paths."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mocks.form import read_mock
from mocks.schema import Problem, without_waived
from mocks.server import Mock, listen

from .forms import crm, listing, shop

SHOP_KEY = {"X-Token": "mock-shop-token"}
CRM_KEY = {"Authorization": "Bearer mock-crm-key"}
ADA = {"email": "ada@example.com", "first_name": "Ada"}


class Client:
    """Plain aiohttp against one mock."""

    def __init__(self, session: aiohttp.ClientSession, url: str, mock: Mock) -> None:
        self.session, self.url, self.mock = session, url, mock
        self.root = url.removesuffix(mock.form.base_path)

    async def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, **request: Any
    ) -> tuple[int, Any, Any]:
        url = path if path.startswith("http") else (self.root if path.startswith("/_mock") else self.url) + path
        async with self.session.request(method, url, headers=headers, **request) as answer:
            raw = await answer.read()
            body = await answer.json(content_type=None) if raw and b"<!doctype" not in raw else None
            return answer.status, body, answer.headers


@asynccontextmanager
async def serving(form: dict[str, Any], headers: dict[str, str], **options: Any) -> AsyncIterator[Client]:
    mock = Mock(read_mock(form), **{"limited": False, "count": 5, **options})
    runner, url = await listen(mock)
    try:
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Client(session, url, mock)
    finally:
        await runner.cleanup()


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_link_paging_hands_out_every_record_once() -> None:
    async with serving(shop(), SHOP_KEY, count=560) as ask:
        seen: list[int] = []
        url, pages = "/customers.json?limit=250", 0
        while url:
            status, body, headers = await ask("GET", url)
            assert status == 200
            seen += [record["id"] for record in body["customers"]]
            pages += 1
            links = [link for link in headers.get("Link", "").split(", ") if 'rel="next"' in link]
            url = links[0].split(">")[0][1:] if links else ""

        assert pages == 3
        assert len(seen) == len(set(seen)) == 560


async def test_page_behind_a_link_keeps_the_filter_of_the_first() -> None:
    async with serving(shop(), SHOP_KEY, count=20) as ask:
        _, body, headers = await ask("GET", "/customers.json?limit=4&updated_at_min=2024-01-01T00:10:00Z")
        _, rest, _ = await ask("GET", headers["Link"].split(">")[0][1:])

        assert [record["updated_at"] for record in body["customers"] + rest["customers"]] == [
            f"2024-01-01T00:{minute}:00Z" for minute in range(10, 18)
        ]


@pytest.mark.parametrize("limit", ["251", "0", "many"])
async def test_page_size_beyond_what_is_declared_is_refused(limit: str) -> None:
    async with serving(shop(), SHOP_KEY) as ask:
        status, body, _ = await ask("GET", f"/customers.json?limit={limit}")

        assert status == 400
        assert body["error"]["fields"][0]["field"] == "query.limit"


PAGINGS: dict[str, dict[str, Any]] = {
    "cursor": {"style": "cursor", "cursor": "after", "limit": "limit", "next": ["paging", "next", "after"]},
    "cursor with has_more": {
        "style": "cursor",
        "cursor": "starting_after",
        "limit": "limit",
        "next": ["customers", -1, "id"],
        "has_more": ["has_more"],
    },
    "page": {"style": "page", "page": "page", "limit": "limit", "first_page": 0},
    "offset": {"style": "offset", "offset": "offset", "limit": "limit"},
    "next_url": {"style": "next_url", "limit": "limit", "next": ["next"]},
    "since_id": {"style": "since_id", "cursor": "since_id", "limit": "limit"},
}


@pytest.mark.parametrize("style", PAGINGS)
async def test_paging_style_hands_out_every_record_once(style: str) -> None:
    """Followed as the package's `Paging` says it is to be followed."""
    paging = PAGINGS[style]
    async with serving(listing(shop(), paging=paging), SHOP_KEY, count=11) as ask:
        seen: list[int] = []
        query: dict[str, Any] | None = {"limit": 4}
        if paging["style"] == "page":
            query = {"limit": 4, "page": 0}
        url = "/customers.json"
        for number in range(1, 6):
            status, body, _ = await ask("GET", url, params=query)
            assert status == 200
            records = body["customers"]
            seen += [record["id"] for record in records]
            match paging["style"]:
                case "cursor" if "has_more" in paging:
                    query = {"limit": 4, "starting_after": records[-1]["id"]} if body["has_more"] else None
                case "cursor":
                    query = {"limit": 4, "after": body["paging"]["next"]["after"]} if "paging" in body else None
                case "page":
                    query = {"limit": 4, "page": number} if len(records) == 4 else None
                case "offset":
                    query = {"limit": 4, "offset": len(seen)} if len(records) == 4 else None
                case "next_url":
                    url, query = body.get("next", ""), {} if "next" in body else None
                case "since_id":
                    query = {"limit": 4, "since_id": records[-1]["id"]} if records else None
            if query is None:
                break

        assert seen == [stored.record["id"] for stored in ask.mock.store.collections["customers"]]


async def test_since_filter_takes_what_changed_at_or_after() -> None:
    async with serving(shop(), SHOP_KEY, count=10) as ask:
        _, body, _ = await ask("GET", "/customers.json", params={"updated_at_min": "2024-01-01T01:08:00+01:00"})

        assert [record["updated_at"][11:16] for record in body["customers"]] == ["00:08", "00:09"]


async def test_parameter_that_is_not_declared_is_refused() -> None:
    """A package must not invent parameters: a vendor would ignore them and send everything."""
    async with serving(shop(), SHOP_KEY) as ask:
        status, body, _ = await ask("GET", "/customers.json?modified_since=2024-01-01")

        assert (status, body["error"]["fields"][0]["field"]) == (400, "query.modified_since")


async def test_find_parameter_filters_by_the_compared_value() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        await ask("POST", "/contacts", json=ADA)
        await ask("POST", "/contacts", json={"email": "grace@example.com"})
        _, body, _ = await ask("GET", "/contacts", params={"email": "ADA@example.com"})

        assert [record["email"] for record in body["data"]] == ["ada@example.com"]
        assert (body["total"], body["page"]) == (1, 1)


async def test_get_reads_one_record_inside_its_envelope_or_says_404() -> None:
    async with serving(shop(), SHOP_KEY) as ask:
        id = ask.mock.store.collections["customers"].ids()[2]

        assert (await ask("GET", f"/customers/{id}.json"))[1]["customer"]["id"] == int(id)
        assert (await ask("GET", "/customers/1.json"))[0] == 404
        assert (await ask("GET", "/customers/x.json"))[1]["error"]["fields"][0]["field"] == "path.id"
        assert (await ask("GET", "/nothing"))[0] == 404


async def test_base_path_that_looks_like_a_control_path_is_the_vendors() -> None:
    """There are servers at `/_mock/…`; the control paths are reached all the same."""
    async with serving(shop() | {"base_path": "/_mock/docs/shop"}, SHOP_KEY) as ask:
        status, body, _ = await ask("GET", f"{ask.url}/customers.json")

        assert (status, len(body["customers"])) == (200, 5)
        assert (await ask("GET", "/_mock/requests"))[1]["operations"] == {"GET /customers.json": 1}


# --- signing in and limits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "good", "bad"),
    [
        ({"kind": "api_key", "name": "X-Key", "prefix": "Token ", "value": "s"}, {"X-Key": "Token s"}, {"X-Key": "s"}),
        ({"kind": "bearer", "token": "s"}, {"Authorization": "Bearer s"}, {"Authorization": "bearer t"}),
        ({"kind": "basic", "username": "u", "password": "p"}, {"Authorization": "Basic dTpw"}, {}),
        ({"kind": "api_key", "location": "cookie", "name": "sid", "value": "s"}, {"Cookie": "sid=s"}, {}),
        (None, {}, None),
    ],
)
async def test_credential_is_checked_where_it_is_declared(
    auth: Any, good: dict[str, str], bad: dict[str, str] | None
) -> None:
    async with serving(crm(auth=auth), {}) as ask:
        assert (await ask("GET", "/contacts", good))[0] == 200
        if bad is not None:
            assert (await ask("GET", "/contacts", bad))[0] == 401


async def test_credential_in_the_query_is_no_undeclared_parameter() -> None:
    auth = {"kind": "api_key", "location": "query", "name": "api_key", "value": "s"}
    async with serving(crm(auth=auth), {}) as ask:
        assert (await ask("GET", "/contacts?api_key=s"))[0] == 200
        assert (await ask("GET", "/contacts?api_key=t"))[0] == 401


async def test_requests_over_the_limit_get_429_with_a_time_to_wait() -> None:
    limit = {"per_s": 0.5, "burst": 3, "used_header": "X-Used", "remaining_header": "X-Left", "reset_header": "X-Reset"}
    async with serving(shop(rate_limit=limit), SHOP_KEY, limited=True, now=lambda: 0.0) as ask:
        answers = [await ask("GET", "/customers.json") for _ in range(4)]

        assert [status for status, _, _ in answers] == [200, 200, 200, 429]
        assert answers[0][2]["X-Used"] == "1/3"
        assert answers[0][2]["X-Left"] == "2"
        assert answers[3][2]["Retry-After"] == "2"

        await ask("POST", "/_mock/rate", json={"off": True})
        assert (await ask("GET", "/customers.json"))[0] == 200


# --- writing ----------------------------------------------------------------------------------------------------------


async def test_create_sets_the_fields_of_the_server_and_ignores_theirs_in_the_body() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        status, contact, _ = await ask(
            "POST", "/contacts", json={**ADA, "id": "mine", "created_at": "1999-01-01T00:00:00Z"}
        )

        assert status == 201
        assert contact["id"].startswith("ctc_")
        assert contact["created_at"] == contact["updated_at"] > "2024"
        assert contact["first_name"] == "Ada"
        assert "lifetime_value" not in contact


async def test_field_that_a_reply_calls_read_only_is_written_when_the_body_names_it() -> None:
    """Replies often show a richer form of what a body writes: `projects` as objects there, as identities here."""
    form = crm()
    shown = form["$defs"]["Contact"]["properties"]
    shown["segments"] = {"type": "array", "items": {"type": "object"}, "readOnly": True}
    form["operations"][1]["body"] = {
        "schema": {"type": "object", "properties": {"segments": {"type": "array", "items": {"type": "string"}}}}
    }
    async with serving(form, CRM_KEY) as ask:
        _, contact, _ = await ask("POST", "/contacts", json={"segments": ["vip"]})

        assert contact["segments"] == ["vip"]


async def test_body_that_does_not_fit_is_refused_with_its_fields_and_without_effect() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        status, body, _ = await ask("POST", "/contacts", json={"email": None, "segments": ["a", 1]})

        assert status == 422
        assert {one["field"] for one in body["error"]["fields"]} == {"email", "segments[1]"}
        assert ask.mock.store.log == []


async def test_required_field_is_missed_unless_it_is_waived() -> None:
    """`owner_id` is required by the description and waived by the reviewer."""
    async with serving(crm(), CRM_KEY) as ask:
        _, body, _ = await ask("POST", "/contacts", json={})

        assert [one["field"] for one in body["error"]["fields"]] == ["email"]


def test_waiver_inside_a_list_holds_for_every_item() -> None:
    """A waiver speaks of all items of a list, a problem of one."""
    problems = [Problem("lines[3].taxes[12].id", "is required"), Problem("lines[3].id", "is required")]
    waived = [("lines", 0, "taxes", 0, "id")]

    assert without_waived(problems, waived) == problems[1:]
    assert without_waived([Problem("lines[0].id", "is string, must be integer")], [("lines", 0, "id")]) != []


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/json"}, b"{", 400),
        ({"Content-Type": "application/json"}, b'{"email": NaN}', 400),
        ({"Content-Type": "application/json"}, b"", 400),
    ],
)
async def test_body_that_cannot_be_read_is_refused(headers: dict[str, str], data: bytes, status: int) -> None:
    async with serving(crm(), CRM_KEY) as ask:
        assert (await ask("POST", "/contacts", headers, data=data))[0] == status


async def test_second_record_with_a_match_value_gets_409_that_names_the_first() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        _, first, _ = await ask("POST", "/contacts", json=ADA)
        status, _, headers = await ask("POST", "/contacts", json={"email": "ADA@example.com"})

        assert (status, headers["X-Existing-Id"]) == (409, first["id"])
        _, second, _ = await ask("POST", "/contacts", json={"email": "grace@example.com"})
        assert (await ask("PATCH", f"/contacts/{second['id']}", json=ADA))[0] == 409
        assert (await ask("PATCH", f"/contacts/{first['id']}", json=ADA))[0] == 200


async def test_put_drops_what_it_does_not_name_and_patch_keeps_it() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        _, contact, _ = await ask("POST", "/contacts", json={**ADA, "address": {"city": "London", "zip": "SW1"}})
        path = f"/contacts/{contact['id']}"
        _, patched, _ = await ask("PATCH", path, json={"address": {"city": "Leeds"}, "first_name": None})
        _, replaced, _ = await ask("PUT", path, json={"email": "ada@example.org"})

        assert patched["address"] == {"city": "Leeds", "zip": "SW1"}
        assert patched["first_name"] is None
        assert "address" not in replaced
        assert (replaced["id"], replaced["created_at"]) == (contact["id"], contact["created_at"])
        assert replaced["updated_at"] > contact["updated_at"]
        assert (await ask("PUT", "/contacts/none", json=ADA))[0] == 404


async def test_put_leaves_what_its_body_cannot_name() -> None:
    """A field that only a creation takes: no replacement can drop it."""
    form = crm()
    (put,) = (one for one in form["operations"] if one["id"] == "PUT /contacts/{id}")
    put["body"] = {**put["body"], "schema": {"type": "object", "properties": {"email": {"type": "string"}}}}
    async with serving(form, CRM_KEY) as ask:
        _, contact, _ = await ask("POST", "/contacts", json={**ADA, "address": {"city": "London"}})
        _, replaced, _ = await ask("PUT", f"/contacts/{contact['id']}", json={"email": "ada@example.org"})

        assert (replaced["address"], replaced["email"]) == ({"city": "London"}, "ada@example.org")


async def test_delete_frees_the_match_value() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        _, contact, _ = await ask("POST", "/contacts", json=ADA)

        assert (await ask("DELETE", f"/contacts/{contact['id']}"))[0] == 204
        assert (await ask("GET", f"/contacts/{contact['id']}"))[0] == 404
        assert (await ask("POST", "/contacts", json=ADA))[0] == 201


async def test_same_idempotency_key_gives_the_same_answer_and_one_effect() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        key = {"Idempotency-Key": "k1"}
        first = await ask("POST", "/contacts", key, json=ADA)
        again = await ask("POST", "/contacts", key, json=ADA)
        other = await ask("POST", "/contacts", key, json={"email": "grace@example.com"})

        assert first[:2] == again[:2]
        assert other[0] == 422
        assert [(entry.effect, entry.idempotency_key) for entry in ask.mock.store.log] == [("create", "k1")]


async def test_batch_writes_each_item_on_its_own() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        await ask("POST", "/contacts", json=ADA)
        items = [{"email": "grace@example.com"}, ADA, {"email": "no"}, {"email": "alan@example.com"}]
        status, body, _ = await ask("POST", "/contacts/batch", json={"contacts": items})

        assert status == 207
        assert [(one["index"], one["status"]) for one in body["results"]] == [(0, 201), (1, 409), (2, 422), (3, 201)]
        assert body["results"][1]["id"] is None
        assert body["results"][1]["error"]["message"].startswith("email is taken by ctc_")
        assert "error" not in body["results"][0]
        assert len(ask.mock.store.collections["contacts"]) == 3
        assert len({entry.request for entry in ask.mock.store.log}) == 2


async def test_batch_over_its_maximum_or_around_no_list_is_refused_whole() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        many = [{"email": f"p{number}@example.com"} for number in range(101)]

        assert (await ask("POST", "/contacts/batch", json={"contacts": many}))[0] == 422
        assert (await ask("POST", "/contacts/batch", json={"contacts": "x"}))[0] == 422
        assert len(ask.mock.store.collections["contacts"]) == 0


async def test_batch_whose_reply_says_nothing_per_item_takes_all_or_none() -> None:
    form = crm()
    form["operations"][-1]["batch"] = {"items": ["contacts"], "max": 100}
    async with serving(form, CRM_KEY) as ask:
        twins = [{"email": "a@example.com"}, {"email": "A@example.com"}]

        assert (await ask("POST", "/contacts/batch", json={"contacts": twins}))[0] == 409
        assert (await ask("POST", "/contacts/batch", json={"contacts": [ADA, {}]}))[0] == 422
        assert len(ask.mock.store.collections["contacts"]) == 0
        assert (await ask("POST", "/contacts/batch", json={"contacts": [ADA, *twins[:1]]}))[0] == 207
        assert len(ask.mock.store.collections["contacts"]) == 2


async def test_form_with_brackets_is_read_by_the_types_of_the_schema() -> None:
    form = crm()
    form["operations"][1]["body"] = {
        **form["operations"][1]["body"],
        "encoding": "form",
        "media_type": "application/x-www-form-urlencoded",
    }
    async with serving(form, CRM_KEY) as ask:
        data = "email=ada%40example.com&lifetime_value=12.5&segments[0]=vip&segments[1]=7&address[city]=Leeds"
        status, contact, _ = await ask(
            "POST", "/contacts", {"Content-Type": "application/x-www-form-urlencoded"}, data=data
        )

        assert status == 201
        assert contact["lifetime_value"] == 12.5
        assert contact["segments"] == ["vip", "7"]
        assert contact["address"] == {"city": "Leeds"}


async def test_json_api_body_and_reply_carry_the_record_in_data() -> None:
    """The identity is beside `attributes`, the match value inside; body and reply share the envelope."""
    record = {
        "type": "object",
        "required": ["id", "attributes"],
        "properties": {"id": {"type": "string"}, "attributes": {"type": "object"}},
    }
    envelope = {"type": "object", "required": ["data"], "properties": {"data": record}}
    form = crm(
        collections={
            "profiles": {
                "record": record,
                "identity": ["id"],
                "unique": [[{"path": ["attributes", "email"]}]],
                "seeded": False,
            }
        },
        operations=[
            {
                "id": "POST /profiles",
                "method": "POST",
                "path": "/profiles",
                "does": "create",
                "collection": "profiles",
                "body": {
                    "media_type": "application/vnd.api+json",
                    "schema": envelope,
                    "record": ["data"],
                    "waived": [["data", "id"]],
                },
                "reply": {"status": 201, "schema": envelope, "record": ["data"]},
            }
        ],
    )
    async with serving(form, CRM_KEY) as ask:
        headers = {"Content-Type": "application/vnd.api+json"}
        body = b'{"data": {"type": "profile", "attributes": {"email": "a@example.com"}}}'
        status, reply, answered = await ask("POST", "/profiles", headers, data=body)

        assert (status, answered["Content-Type"].split(";")[0]) == (201, "application/vnd.api+json")
        assert reply["data"]["attributes"] == {"email": "a@example.com"}
        assert reply["data"]["id"] == "profiles_00000001"
        assert (await ask("POST", "/profiles", headers, data=body))[0] == 409


async def test_success_predicate_is_in_every_reply_that_declares_one() -> None:
    form = crm()
    form["operations"][1]["reply"]["success"] = {"path": ["ok"], "equals": True}
    async with serving(form, CRM_KEY) as ask:
        assert (await ask("POST", "/contacts", json=ADA))[1]["ok"] is True
        ask.mock.faults.add("refused")
        status, body, _ = await ask("POST", "/contacts", json={"email": "g@example.com"})
        assert (status, body["ok"]) == (200, False)


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_status_fault_hits_its_operation_as_often_as_it_was_told() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        fault = {
            "kind": "status",
            "status": 503,
            "count": 2,
            "operation": "POST /contacts",
            "headers": {"Retry-After": "1"},
        }
        assert (await ask("POST", "/_mock/faults", json=fault))[0] == 200

        assert (await ask("GET", "/contacts"))[0] == 200
        answers = [await ask("POST", "/contacts", json=ADA) for _ in range(3)]
        assert [status for status, _, _ in answers] == [503, 503, 201]
        assert answers[0][2]["Retry-After"] == "1"


async def test_unknown_kind_of_fault_is_refused() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        status, body, _ = await ask("POST", "/_mock/faults", json={"kind": "earthquake"})

        assert status == 400
        assert "earthquake" in body["error"]


async def test_reset_cuts_the_connection_and_may_leave_the_effect() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        ask.mock.faults.add("reset")
        with pytest.raises(aiohttp.ClientError):
            await ask("POST", "/contacts", json=ADA)
        assert ask.mock.store.log == []

        ask.mock.faults.add("reset", after_effect=True)
        with pytest.raises(aiohttp.ClientError):
            await ask("POST", "/contacts", json=ADA)
        assert [entry.effect for entry in ask.mock.store.log] == ["create"]
        assert [status for _, status in ask.mock.requests] == [0, 0]


async def test_truncated_body_ends_early() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        ask.mock.faults.add("truncate")
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask("GET", "/contacts")


async def test_drip_and_delay_answer_late_but_whole() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        ask.mock.faults.add("drip", delay_s=0.003)
        ask.mock.faults.add("delay", delay_s=0.05)
        started = asyncio.get_running_loop().time()

        assert (await ask("GET", "/contacts"))[1]["data"] == []
        assert (await ask("GET", "/contacts"))[1]["data"] == []
        assert asyncio.get_running_loop().time() - started > 0.1


async def test_garbage_is_a_page_where_json_was_promised() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        ask.mock.faults.add("garbage")
        status, body, headers = await ask("GET", "/contacts")

        assert (status, body, headers["Content-Type"].split(";")[0]) == (200, None, "text/html")


# --- control paths ----------------------------------------------------------------------------------------------------


async def test_change_from_outside_stamps_the_clock_plus_one_second() -> None:
    async with serving(shop(), SHOP_KEY, count=10) as ask:
        clock = ask.mock.store.clock.now
        id = ask.mock.store.collections["customers"].ids()[3]
        _, changed, _ = await ask("PATCH", f"/_mock/customers/{id}", json={"first_name": "Zora"})
        _, revised, _ = await ask("PATCH", f"/_mock/customers/{id}")

        assert changed["first_name"] == "Zora"
        assert changed["updated_at"] == clock.replace(second=1).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert revised["first_name"] != "Zora"
        assert (revised["id"], revised["email"]) == (int(id), changed["email"])
        _, body, headers = await ask("GET", "/customers.json", params={"updated_at_min": clock.isoformat()})
        assert [str(record["id"]) for record in body["customers"]] == [id]
        assert headers["Date"] == "Mon, 01 Jan 2024 01:09:02 GMT"


async def test_control_paths_show_and_set_what_is_held() -> None:
    async with serving(shop(), SHOP_KEY, count=3) as ask:
        _, summary, _ = await ask("GET", "/_mock")
        assert summary["collections"] == {"customers": 3}
        _, added, _ = await ask("POST", "/_mock/customers", json={"email": None})
        _, records, _ = await ask("GET", "/_mock/records?collection=customers")
        assert [record["id"] for record in records["customers"]][-1] == int(added["id"])
        assert (await ask("DELETE", f"/_mock/customers/{added['id']}"))[0] == 200
        assert (await ask("GET", f"/_mock/customers/{added['id']}"))[0] == 404
        assert (await ask("GET", "/_mock/log"))[1] == []
        assert (await ask("GET", "/_mock/requests"))[1]["operations"] == {}
        assert (await ask("POST", "/_mock/seed", json={"count": 7}))[1]["collections"] == {"customers": 7}
        assert (await ask("DELETE", "/_mock/faults"))[1] == []
        assert (await ask("GET", "/_mock/elsewhere"))[0] == 404


async def test_delivery_with_several_events_is_sent_as_one_body() -> None:
    """To a URL of this machine; what it answers is told."""
    taken: list[tuple[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        taken.append((request.headers["X-Hmac"], await request.json()))
        return web.Response(text="taken")

    app = web.Application()
    app.router.add_post("/hook", take)
    form = shop()
    form["webhooks"][0] |= {"events": [["events"]], "record_id": ["resourceId"]}
    async with serving(form, SHOP_KEY) as ask, TestServer(app, host="127.0.0.1") as receiver:
        ids = ask.mock.store.collections["customers"].ids()[:2]
        body = {"topic": "customers/update", "url": str(receiver.make_url("/hook"))}
        for several in ({"ids": ids}, {"id": ids[0]}, {"ids": ids, "forged": True}):
            status, answer, _ = await ask("POST", "/_mock/webhook", json={**body, **several})
            assert (status, answer) == (200, {"status": 200, "body": "taken"})
    events = [{"resourceId": int(id)} for id in ids]
    assert [body for _, body in taken] == [{"events": events}, {"events": events[:1]}, {"events": events}]
    assert taken[0][0] != taken[2][0]


async def test_delivery_goes_to_this_machine_only() -> None:
    async with serving(shop(), SHOP_KEY) as ask:
        id = ask.mock.store.collections["customers"].ids()[0]
        body = {"topic": "customers/update", "id": id, "url": "http://192.0.2.1/hook"}

        status, answer, _ = await ask("POST", "/_mock/webhook", json=body)
        assert status == 400
        assert "this machine only" in answer["error"]


async def test_page_is_no_longer_than_the_server_likes_whatever_is_asked_for() -> None:
    async with serving(shop(), SHOP_KEY, count=12) as ask:
        ask.mock.page_cap = 5
        _, body, headers = await ask("GET", "/customers.json?limit=250")

        assert len(body["customers"]) == 5
        assert 'rel="next"' in headers["Link"]


async def test_again_hands_out_the_page_before_and_then_goes_on() -> None:
    async with serving(shop(), SHOP_KEY, count=12) as ask:
        ask.mock.faults.add("again", skip=1)
        seen, url = [], "/customers.json?limit=5"
        while url:
            _, body, headers = await ask("GET", url)
            seen.append([record["id"] for record in body["customers"]])
            links = [link for link in headers.get("Link", "").split(", ") if 'rel="next"' in link]
            url = links[0].split(">")[0][1:] if links else ""

        assert [len(page) for page in seen] == [5, 5, 5, 2]
        assert seen[0] == seen[1] != seen[2]


async def test_loop_hands_out_the_first_page_for_ever() -> None:
    async with serving(shop(), SHOP_KEY, count=12) as ask:
        ask.mock.faults.add("loop", count=100)
        _, first, headers = await ask("GET", "/customers.json?limit=5")
        url = headers["Link"].split(">")[0][1:]
        _, second, headers = await ask("GET", url)

        assert first == second
        assert headers["Link"].split(">")[0][1:] == url


async def test_partial_batch_refuses_its_first_item_and_forgets_to_mention_its_last() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        ask.mock.faults.add("partial")
        items = [{"email": f"person{number}@example.com"} for number in range(4)]
        _, body, _ = await ask("POST", "/contacts/batch", json={"contacts": items})

        assert [(one["index"], one["status"]) for one in body["results"]] == [(2, 201), (1, 201), (0, 422)]
        assert len(ask.mock.store.collections["contacts"]) == 3


async def test_fault_for_a_body_leaves_other_bodies_alone() -> None:
    async with serving(crm(), CRM_KEY) as ask:
        ask.mock.faults.add("status", status=413, over=100, count=9)
        ask.mock.faults.add("status", status=422, holds="Poison", count=9)

        assert (await ask("POST", "/contacts", json=ADA))[0] == 201
        assert (await ask("POST", "/contacts", json={**ADA, "first_name": "Poison"}))[0] == 422
        assert (await ask("POST", "/contacts", json={**ADA, "first_name": "x" * 100}))[0] == 413

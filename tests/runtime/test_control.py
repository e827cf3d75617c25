"""Promises of the control API: roles, the audit, and what can be asked about the past and done about it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.clock import SystemClock
from runtime.engine.opened import opened
from runtime.redact import Redactor
from runtime.roles import ROLES, Tokens
from runtime.server import Service
from runtime.setting_values import Value
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import INTEGRATION
from tests.waiting import until

ADMIN, OPERATE, READ = "admin-planted-0123456789", "operate-planted-0123456789", "read-planted-0123456789"
OLD_ADMIN = "admin-planted-before-0123"


class Control:
    """A service whose tokens have roles."""

    def __init__(
        self, service: Service, shopify: Shopify, credo: Credo, gate: asyncio.Event, arrived: asyncio.Event
    ) -> None:
        self.service, self.shopify, self.credo = service, shopify, credo
        self.gate, self.arrived = gate, arrived
        transport = httpx.ASGITransport(app=service.application(), client=("203.0.113.7", 4711))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def ask(self, method: str, path: str, token: str | None = ADMIN, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is None:
            return await self.http.request(method, path, headers=headers)
        return await self.http.request(method, path, headers=headers, json=body)

    async def ended(self, run_id: str) -> dict[str, Any]:
        """A run when it is not under way any more."""

        async def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = (await self.ask("GET", f"/runs/{run_id}")).json()
            return run if run["state"] != "running" else None

        found: dict[str, Any] = await until(ended)
        return found

    async def synced(self) -> str:
        run_id: str = (await self.ask("POST", "/sync", body={"stream": "customers"})).json()["run_id"]
        await self.ended(run_id)
        return run_id


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    shopify, credo = Shopify(5), Credo()
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "s", "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}"}
    gate, arrived = asyncio.Event(), asyncio.Event()
    gate.set()

    async def held(request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            arrived.set()
            await gate.wait()
        return credo(request)

    transports = (httpx.MockTransport(shopify), httpx.MockTransport(held))
    tokens = Tokens({"admin": f"{ADMIN} {OLD_ADMIN}", "operate": OPERATE, "read": READ})
    async with opened(INTEGRATION, environ, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token=tokens, public_url=None, with_schedule=False)
        async with service.running():
            yield Control(service, shopify, credo, gate, arrived)


async def test_each_route_is_answered_to_its_role_and_those_above_alone(control: Control) -> None:
    """Every route there is, with every token; none is forgotten."""
    tokens = {"read": READ, "operate": OPERATE, "admin": ADMIN}
    controls = control.service.controls()
    assert len(controls) > 12
    for each in controls:
        path = each.path.replace("{run_id}", "x").replace("{letter_id}", "x").replace("{change}", "9")
        path = path.replace("{conflict_id}", "x")
        assert (await control.ask(each.method, path, token=None)).status_code == 401, path
        assert (await control.ask(each.method, path, token="wrong")).status_code == 401, path
        for role in ROLES:
            status = (await control.ask(each.method, path, token=tokens[role])).status_code
            allowed = ROLES.index(role) >= ROLES.index(each.role)
            assert (status == 403) is not allowed, (path, role, status)
            assert status not in (401, 500), (path, role, status)


async def test_page_lists_each_route_with_its_role(control: Control) -> None:
    """`docs/history.md`: what anybody reads who writes a client."""
    page = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    told = set()
    for method, first, more, role in re.findall(
        r"^\| `(GET|POST) (\S+)`((?: `\S+`)*) \| (\w+) \|$", page, re.MULTILINE
    ):
        told |= {(method, path, role) for path in (first, *re.findall(r"`(\S+)`", more))}
    assert told == {(each.method, each.path, each.role) for each in control.service.controls()}


async def test_all_tokens_of_a_role_count(control: Control) -> None:
    """One is replaced while the other is still in use."""
    for token in (ADMIN, OLD_ADMIN):
        assert (await control.ask("GET", "/audit", token=token)).status_code == 200
    assert (await control.ask("GET", "/audit", token=f"{ADMIN} {OLD_ADMIN}")).status_code == 401


async def test_token_in_a_file_is_replaced_without_a_restart(tmp_path: Path) -> None:
    """The file is read again when it changes, and the old token counts no more."""
    file = tmp_path / "token"
    file.write_text("first-0123456789\n")
    tokens = Tokens({"admin": Value("first-0123456789", secret=True, file=file)})
    redactor = Redactor()
    tokens.hide_in(redactor)
    assert tokens.caller("Bearer first-0123456789") is not None
    file.write_text("second-0123456789-longer\n")
    assert tokens.caller("Bearer first-0123456789") is None
    found = tokens.caller("Bearer second-0123456789-longer")
    assert found is not None
    assert found.role == "admin"
    assert redactor.text("it was second-0123456789-longer") == "it was [redacted]"
    assert tokens.caller("Basic second-0123456789-longer") is None


def test_tokens_come_from_the_environment(tmp_path: Path) -> None:
    """Three variables and their files; none of them closes the control API."""
    (tmp_path / "read").write_text("read-0123456789")
    tokens, settings = Tokens.read({"CONTROL_TOKEN": "a-0123456789", "CONTROL_TOKEN_READ_FILE": str(tmp_path / "read")})
    assert {found.role for text in tokens.texts() if (found := tokens.caller(f"Bearer {text}"))} == {"admin", "read"}
    assert settings.redactor.text("read-0123456789") == "[redacted]"
    assert not Tokens.read({})[0]


async def test_actions_leave_a_trace_and_looking_does_not(control: Control) -> None:
    """Who, from where, what, about what and how it ended; no token, no record."""
    run_id = await control.synced()
    await control.ask("GET", "/status", token=READ)
    await control.ask("POST", "/sync", token=READ, body={"stream": "customers"})
    await control.ask("POST", "/sync", body={"stream": "nobody"})
    await control.ask("POST", f"/runs/{run_id}/cancel", token=OPERATE)
    found = (await control.ask("GET", "/audit")).json()["audit"]
    assert [(row["role"], row["action"], row["target"], row["outcome"]) for row in found] == [
        ("operate", f"POST /runs/{run_id}/cancel", run_id, "NotNow"),
        ("admin", "POST /sync", "", "RequestRefused"),
        ("read", "POST /sync", "", "refused"),
        ("admin", "POST /sync", "customers", "202"),
    ]
    assert {row["remote"] for row in found} == {"203.0.113.7"}
    assert len({row["actor"] for row in found}) == 3
    assert "planted" not in str(found)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_body_that_does_not_say_that_it_is_json_is_refused(control: Control, media: str | None) -> None:
    """What a form of another site could send never acts."""
    headers = {"Authorization": f"Bearer {ADMIN}"} | ({"Content-Type": media} if media else {})
    reply = await control.http.post("/sync", content=b'{"stream": "customers"}', headers=headers)
    assert reply.status_code == 415


async def test_large_bodies_are_refused_before_they_are_read(control: Control) -> None:
    """Every route that takes one."""
    for path in ("/sync", "/dead-letters/retry", "/dead-letters/discard"):
        body = b'{"stream": "' + b"x" * 70_000 + b'"}'
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
        assert (await control.http.post(path, content=body, headers=headers)).status_code == 413


async def test_ledger_over_http_tells_of_records_and_runs(control: Control) -> None:
    """By record, by run, and the last of all."""
    first = await control.synced()
    control.shopify.put(2, first_name="New")
    second = await control.synced()
    of_record = (await control.ask("GET", "/ledger?stream=customers&id=2", token=READ)).json()["ledger"]
    assert [(row["kind"], row["run_id"], row["trigger"]) for row in of_record] == [
        ("updated", second, "http"),
        ("created", first, "http"),
    ]
    assert of_record[0]["mapping"] == INTEGRATION.streams[0].mapping_digest
    of_run = (await control.ask("GET", f"/ledger?run={first}", token=READ)).json()["ledger"]
    assert len(of_run) == 5
    assert len((await control.ask("GET", "/ledger?limit=3")).json()["ledger"]) == 3
    assert (await control.ask("GET", "/ledger?run=nobody")).status_code == 404
    assert (await control.ask("GET", "/ledger?stream=nobody")).status_code == 404
    assert (await control.ask("GET", "/ledger?limit=0")).status_code == 400
    change = of_record[0]["change"]
    assert (await control.ask("GET", f"/ledger/{change}")).json()["source_id"] == "2"
    assert (await control.ask("GET", "/ledger/999")).status_code == 404
    assert (await control.ask("GET", "/ledger/x")).status_code == 400


async def test_dead_letters_over_http_are_listed_shown_retried_and_discarded(control: Control) -> None:
    """The same as on the command line."""
    control.credo.refuse = lambda body: "no" if body["email"].lower() == "person3@example.com" else None
    await control.synced()
    [letter] = (await control.ask("GET", "/dead-letters", token=OPERATE)).json()["dead_letters"]
    assert letter["source_id"] == "3"
    assert "payload" not in letter
    shown = (await control.ask("GET", f"/dead-letters/{letter['id']}", token=OPERATE)).json()
    assert shown["payload"]["id"] == 3
    again = (await control.ask("POST", "/dead-letters/retry", body={"ids": [letter["id"]]})).json()
    assert (await control.ended(again["runs"][0]))["dead"] == 1
    control.credo.refuse = lambda body: None
    reply = await control.ask("POST", "/dead-letters/retry", body={"all": "customers"})
    assert (await control.ended(reply.json()["runs"][0]))["written"] == 1
    assert (await control.ask("GET", "/dead-letters")).json() == {"dead_letters": []}
    assert (await control.ask("POST", "/dead-letters/discard", body={"ids": ["nobody"]})).status_code == 404
    assert (await control.ask("POST", "/dead-letters/retry", body={})).status_code == 400
    assert (await control.ask("GET", "/dead-letters/nobody")).status_code == 404
    assert (await control.ask("GET", "/dead-letters?state=eaten")).status_code == 400


async def test_discarded_letter_is_listed_apart(control: Control) -> None:
    """It stays on file."""
    control.credo.refuse = lambda body: "no" if body["email"].lower() == "person3@example.com" else None
    await control.synced()
    [letter] = (await control.ask("GET", "/dead-letters")).json()["dead_letters"]
    assert (await control.ask("POST", "/dead-letters/discard", body={"ids": [letter["id"]]})).json() == {"discarded": 1}
    assert (await control.ask("GET", "/dead-letters")).json()["dead_letters"] == []
    [kept] = (await control.ask("GET", "/dead-letters?state=discarded")).json()["dead_letters"]
    assert kept["id"] == letter["id"]


async def test_run_under_way_is_cancelled_and_another_goes_on(control: Control) -> None:
    """It ends at a safe place and says so; what it did is not done again."""
    control.shopify.page_size = 50
    for number in range(6, 301):
        control.shopify.put(number)
    control.gate.clear()
    run_id = (await control.ask("POST", "/sync", body={"stream": "customers"})).json()["run_id"]
    await control.arrived.wait()
    running = (await control.ask("GET", f"/runs/{run_id}", token=READ)).json()
    assert (running["state"], running["progress"]["is_alive"]) == ("running", True)
    assert (await control.ask("POST", f"/runs/{run_id}/resume", token=OPERATE)).status_code == 409
    assert (await control.ask("POST", "/sync", body={"stream": "customers"})).status_code == 409
    cancelled = await control.ask("POST", f"/runs/{run_id}/cancel", token=OPERATE)
    assert cancelled.status_code == 202
    assert cancelled.json()["progress"]["cancel_asked"] is True
    control.gate.set()
    run = await control.ended(run_id)
    assert (run["state"], run["failure"]) == ("cancelled", "cancelled")
    assert 0 < run["written"] < 300
    resumed = await control.ask("POST", f"/runs/{run_id}/resume", token=OPERATE)
    assert resumed.status_code == 202
    ended = await control.ended(resumed.json()["run_id"])
    assert (ended["state"], ended["parameters"]) == ("done", {"resumed": run_id})
    assert ended["read"] == 300 - run["read"]
    assert sorted(control.credo.created()) == sorted(set(control.credo.created()))
    assert len(control.credo.created()) == 300
    assert (await control.ask("POST", f"/runs/{run_id}/cancel")).status_code == 409
    assert (await control.ask("POST", f"/runs/{run_id}/resume")).status_code == 409


async def test_run_is_put_back_over_http(tmp_path: Path) -> None:
    """First shown, then done; a stream that keeps nothing says so."""
    from dataclasses import replace

    shopify, credo = Shopify(2), Credo()
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "s", "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}"}
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    [stream] = INTEGRATION.streams
    destination = replace(stream.destination, batch=None)
    own = replace(INTEGRATION, streams=(replace(stream, rollback=True, destination=destination),))
    async with opened(own, environ, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token=ADMIN, public_url=None, with_schedule=False)
        async with service.running():
            ready = asyncio.Event()
            ready.set()
            control = Control(service, shopify, credo, ready, ready)
            await control.synced()
            shopify.put(1, first_name="Wrong")
            run_id = await control.synced()
            shown = await control.ask("POST", f"/runs/{run_id}/rollback", body={"dry_run": True})
            assert shown.status_code == 200
            assert shown.json()["sample"][0]["fields"] == {"first_name": {"from": "Wrong", "to": "First1"}}
            done = await control.ask("POST", f"/runs/{run_id}/rollback")
            assert done.status_code == 202
            ended = await control.ended(done.json()["run_id"])
            assert (ended["state"], ended["written_by_kind"]["restored"]) == ("done", 1)
            assert {contact["first_name"] for contact in credo.contacts.values()} == {"First1", "First2"}
            assert (await control.ask("POST", "/runs/nobody/rollback")).status_code == 404

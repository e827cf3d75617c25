"""Faults of those who talk to a package's control API, and of addresses that lead inside."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.errors import AddressRefused
from runtime.http.wire import Origin, WireOptions
from runtime.http.wire_aiohttp import AiohttpWire
from runtime.routes.common import MAX_CONTROL_BYTES
from runtime.server import Service
from runtime.state import State
from runtime.state.rows import Commit, DeadLetter, Outcomes
from tests.faults.conftest import Wired
from tests.faults.rows import fault
from tests.ingest.loopback import serve
from tests.runtime.test_server import TOKEN, Served, served
from tests.waiting import until
from vitesse.diagnostics import DiagnosticError
from vitesse.ingest.fetch import Policy, fetch

__all__ = ["served"]


def control(service: Service) -> list[tuple[str, str]]:
    """Every route that is not open to all, from the application itself."""
    found = []
    for route in service.application().routes:
        path: str = route.path  # type: ignore[attr-defined]
        if path.startswith(("/healthz", "/readyz", "/webhooks")):
            continue
        for method in route.methods - {"HEAD"}:  # type: ignore[attr-defined]
            filled = path
            for name in ("run_id", "id", "letter_id", "conflict_id", "stream"):
                filled = filled.replace("{" + name + "}", "x")
            found.append((method, filled))
    return found


@fault("ctl-unauth")
async def test_ctl_unauth_every_route_needs_the_token(served: Served) -> None:
    """None, an empty one, a wrong one, one that begins right, one that is not ASCII, one in the query or a cookie."""
    routes = control(served.service)
    assert len(routes) >= 6
    for method, path in routes:
        for headers in (
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer "},
            {"Authorization": f"Bearer {TOKEN[:-1]}"},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": "Bearer é".encode()},
            {"Cookie": f"token={TOKEN}"},
        ):
            answer = await served.http.request(method, f"{path}?token={TOKEN}", headers=headers)  # type: ignore[arg-type]
            assert answer.status_code == 401, (method, path, headers)
            assert TOKEN not in answer.text


@fault("ctl-unauth")
async def test_ctl_unauth_form_of_another_site_is_refused(served: Served) -> None:
    """A browser cannot be made to start a run: no cookie counts, a form is no JSON, and no other site may read an answer."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        answer = await served.http.post(
            "/sync", content=b'{"stream": "customers"}', headers={**headers, "Content-Type": kind}
        )
        assert answer.status_code == 415
    answer = await served.http.options("/sync", headers=headers)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert served.credo.effects == []


@fault("ctl-unauth")
async def test_ctl_unauth_huge_body_is_refused_before_it_is_read(served: Served) -> None:
    """Announced or not."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    big = b" " * (MAX_CONTROL_BYTES + 1)
    assert (await served.http.post("/sync", content=big, headers=headers)).status_code == 413
    assert (await served.http.post("/sync", content=endless(), headers=headers)).status_code == 413
    assert sent <= 4 * MAX_CONTROL_BYTES


@fault("ctl-unauth")
async def test_ctl_unauth_parallel_starts_are_one_run(served: Served) -> None:
    """Ten at once: one is accepted, the others conflict."""
    answers = await asyncio.gather(*(served.post("/sync", {"stream": "customers"}) for _ in range(10)))
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {202, 409}
    await until(lambda: not served.found.engine.under_way)
    made = served.credo.created()
    assert len(made) == len(set(made)) == 20


@fault("ctl-unauth")
@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "x'; drop table runs; --", "%00", "x" * 5000]
)
async def test_ctl_unauth_id_that_climbs_or_injects_is_not_found(served: Served, name: str) -> None:
    """Names are looked up as they are, in a statement with parameters; there are no files behind them."""
    answer = await served.get(f"/runs/{name}")
    assert answer.status_code in (404, 400)
    assert "root:" not in answer.text
    assert (await served.get("/sync/history")).status_code == 200


@fault("ctl-unauth")
async def test_ctl_unauth_listens_at_loopback_and_has_no_password_by_default(served: Served) -> None:
    """`serve` without options; a service without a token answers nobody."""
    from runtime.cli import main

    host = next(option for option in main.commands["serve"].params if option.name == "host")
    assert host.default == "127.0.0.1"
    closed = Service(served.found, token=None, public_url=None, with_schedule=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=closed.application()), base_url="http://x") as http:
        for token in ("", "admin", "changeme"):
            assert (await http.get("/status", headers={"Authorization": f"Bearer {token}"})).status_code == 401


# --- addresses that lead inside ---


@fault("ctl-ssrf")
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "https://[fd00:ec2::254]/x",
        "https://0.0.0.0/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://224.0.0.1/x",
    ],
)
async def test_ctl_ssrf_base_url_to_a_closed_address_is_refused(wired: Wired, url: str) -> None:
    """Metadata services, multicast, nowhere: also when the environment spells them out."""
    with pytest.raises(AddressRefused):
        AiohttpWire(Origin.of(url), WireOptions())
    wired.environ["SHOPIFY_BASE_URL"] = url
    with pytest.raises(AddressRefused):
        await wired.sync()


@fault("ctl-ssrf")
def test_ctl_ssrf_address_of_a_description_leads_nowhere_inside() -> None:
    """What `ingest` fetches: this machine, private networks, redirects to them, names that lead there."""
    policy = Policy(allow_http=True, total_s=5)
    with serve() as server:
        server.replies["/spec"] = (200, {}, b"openapi: 3.0.3")
        for url in (
            server.url("/spec"),
            server.url("/spec", "localhost"),
            "http://169.254.169.254/latest",
            "http://10.0.0.1/",
        ):
            with pytest.raises(DiagnosticError):
                fetch(url, policy)
        with pytest.raises(DiagnosticError):
            fetch(server.url("/spec", "api.example"), policy, resolve=lambda host, port: ["127.0.0.1"])
        assert server.asked == []


@fault("ctl-ssrf")
async def test_ctl_ssrf_control_api_takes_no_address_from_a_caller(served: Served) -> None:
    """Nothing in a request of the control API names a host: a URL in it is an unknown member."""
    for body in ({"stream": "customers", "base_url": "http://169.254.169.254"}, {"stream": "http://127.0.0.1/"}):
        assert (await served.post("/sync", body)).status_code in (400, 404)
    assert served.credo.effects == []


# --- one beside another ---


@fault("ctl-tenant")
@pytest.mark.postgres
def test_ctl_tenant_integrations_in_one_database_see_nothing_of_each_other(postgresql_url: str) -> None:
    """A package serves one integration. Two of them in one PostgreSQL have a schema each: no row of the one is the other's."""
    ours = State(postgresql_url, name="tenant-a")
    theirs = State(postgresql_url, name="tenant-b")
    try:
        for state in (ours, theirs):
            state.prepare()
        lease = ours.leases.acquire("stream:customers", "a")
        letter = DeadLetter(
            id="l1", stream="customers", source_id="7", version=None, stage="map", failure="permanent_record",
            reason="r", payload=b"{}", whole=True, attempts=1, first_at=1.0, last_at=1.0, run_id="r1", mapping="m",
        )  # fmt: skip
        ours.runs.start(
            "r1",
            stream="customers",
            kind="full",
            trigger="cli",
            parameters={},
            dry_run=False,
            mapping="m",
            token=lease.token,
        )
        ours.store.commit(
            Commit(run_id="r1", lease=lease, step=1, counts={}, outcomes=Outcomes(stream="customers", dead=[letter]))
        )
        assert ours.dead_letters.get("l1") is not None
        assert theirs.dead_letters.get("l1") is None
        assert theirs.runs.get("r1") is None
        assert theirs.dead_letters.discard(["l1"]) == 0
        assert ours.dead_letters.open_count() == 1
        theirs.leases.acquire("stream:customers", "b")  # not held by ours
    finally:
        ours.close()
        theirs.close()


@fault("ctl-tenant")
def test_ctl_tenant_integrations_of_one_folder_have_a_file_each(tmp_path: Path) -> None:
    """Without a DATABASE_URL the file has the integration's name."""
    from dataclasses import replace

    from runtime.engine.opened import database_url
    from runtime.settings import resolve_settings
    from tests.runtime.engine.conftest import ENVIRON
    from tests.runtime.sample.app import INTEGRATION

    settings = resolve_settings(INTEGRATION, ENVIRON)
    urls = {database_url(replace(INTEGRATION, name=name), settings) for name in ("tenant-a", "tenant-b")}
    assert len(urls) == 2

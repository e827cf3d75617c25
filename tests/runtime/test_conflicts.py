"""Promises of the queue of conflicts, by command and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner

from runtime.actions import runs as actions
from runtime.cli import main
from runtime.engine.opened import opened
from runtime.roles import Tokens
from runtime.server import Service
from tests.runtime.two_way import Between


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    url = f"sqlite:///{tmp_path / 's.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    world = Between(url, conflicts="manual_review")
    yield world
    world.state.close()


async def clash(world: Between) -> str:
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's")
    world.ledger.put(b, name="ledger's")
    await world.sync()
    [row] = world.state.conflicts.latest()
    return str(row["id"])


def transports(world: Between) -> tuple[httpx.MockTransport, httpx.MockTransport]:
    return httpx.MockTransport(world.shop), httpx.MockTransport(world.ledger)


async def test_queue_over_http(world: Between) -> None:
    """Whoever may only read sees that there are conflicts, not what is in the records."""
    conflict_id = await clash(world)
    environ = {"DATABASE_URL": world.url}
    async with opened(world.integration, environ, transports=transports(world), clock=world.clock) as found:
        tokens = Tokens({"read": "reader-planted", "operate": "operator-planted"})
        service = Service(found, token=tokens, public_url=None, with_schedule=False)
        transport = httpx.ASGITransport(app=service.application(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            read, operate = ({"Authorization": f"Bearer {name}-planted"} for name in ("reader", "operator"))
            assert (await http.get("/conflicts")).status_code == 401
            listed = (await http.get("/conflicts", headers=read)).json()["conflicts"]
            assert [(row["id"], row["fields"]) for row in listed] == [(conflict_id, ["name"])]
            assert "ledger's" not in json.dumps(listed)
            assert (await http.get("/conflicts?state=gone", headers=read)).status_code == 400
            assert (await http.get("/conflicts?stream=none", headers=read)).status_code == 404
            path = f"/conflicts/{conflict_id}"
            assert (await http.get(path, headers=read)).status_code == 403
            shown = (await http.get(path, headers=operate)).json()
            assert shown["values"]["name"]["destination"] == "ledger's"
            assert (await http.get("/conflicts/none", headers=operate)).status_code == 404
            answer: dict[str, Any]
            for answer, status in (({}, 400), ({"take": "both"}, 400), ({"values": {"nmae": "x"}}, 400)):
                assert (await http.post(f"{path}/resolve", json=answer, headers=operate)).status_code == status
            assert (await http.post(f"{path}/resolve", json={"take": "source"}, headers=read)).status_code == 403
            [b] = world.ledger.records
            world.ledger.put(b, name="yet another")
            changed = await http.post(f"{path}/resolve", json={"take": "source"}, headers=operate)
            assert (changed.status_code, changed.json()["resolved"]) == (409, False)
            answer = {"take": "destination", "values": {"amount": 2.5}}
            done = await http.post(f"{path}/resolve", json=answer, headers=operate)
            assert (done.status_code, done.json()["resolved"]) == (200, True)
            again = await http.post(f"{path}/resolve", json=answer, headers=operate)
            assert again.status_code == 409
            [over] = (await http.get("/conflicts?state=resolved", headers=read)).json()["conflicts"]
            assert over["resolved_by"].startswith("operate")
    assert world.ledger.view("name", "amount") == {"A": ("yet another", 2.5)}
    assert world.agree()


def run(world: Between, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments, obj=lambda: world.integration, standalone_mode=False)
    if isinstance(result.exception, click.ClickException):
        return result.exception.exit_code, result.exception.format_message()
    if result.exception is not None:
        return 1, str(result.exception)
    return int(result.return_value or 0), result.output


def test_queue_by_command(world: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(actions, "opened", partial(opened, transports=transports(world), clock=world.clock))
    conflict_id = asyncio.run(clash(world))
    assert run(world, "conflicts", "list") == (0, f"{conflict_id} products 1 ↔ 501: name\n")
    code, shown = run(world, "conflicts", "show", conflict_id)
    assert "! name: 'one' → source \"shop's\", destination \"ledger's\"" in shown
    assert json.loads(run(world, "conflicts", "show", conflict_id, "--json")[1])["fields"] == ["name"]
    assert run(world, "conflicts", "resolve", conflict_id)[0] == 2
    assert run(world, "conflicts", "resolve", conflict_id, "--value", "name")[0] == 1
    assert "there is no conflict" in run(world, "conflicts", "show", "none")[1]
    code, text = run(world, "conflicts", "resolve", conflict_id, "--value", 'name="ours"')
    assert (code, text) == (0, "resolved\n")
    assert world.agree()
    assert world.shop.view("title") == {"A": ("ours",)}
    assert run(world, "conflicts", "list")[1] == "no conflicts\n"
    assert "values for name (cli)" in run(world, "conflicts", "list", "--resolved")[1]


def test_queue_of_either_direction_is_one_and_answers_are_on_record(
    world: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both directions share conflicts and ledger; an answer that the other system refuses says where to look."""
    import asyncio

    monkeypatch.setattr(actions, "opened", partial(opened, transports=transports(world), clock=world.clock))
    monkeypatch.setattr(actions, "setup_logging", lambda *args, **kwargs: None)
    conflict_id = asyncio.run(clash(world))
    assert run(world, "conflicts", "list", "entries") == run(world, "conflicts", "list", "products")
    assert conflict_id in run(world, "conflicts", "list", "entries")[1]
    assert run(world, "ledger", "entries") == run(world, "ledger", "products")
    assert "products 1 " in run(world, "ledger", "entries")[1]
    world.ledger.refuse.append(lambda asked: httpx.Response(422) if asked.method == "PUT" else None)
    code, text = run(world, "conflicts", "resolve", conflict_id, "--take", "source")
    assert (code, text) == (3, "still open: it could not be written; `dead-letters list` says why\n")
    world.ledger.refuse.clear()
    assert run(world, "conflicts", "resolve", conflict_id, "--take", "source")[0] == 0
    entries = [
        (entry["action"], entry["target"], entry["outcome"])
        for entry in json.loads(run(world, "audit", "--json")[1])
        if entry["action"] == "conflicts resolve"
    ]
    assert entries == [
        ("conflicts resolve", conflict_id, "resolved"),
        ("conflicts resolve", conflict_id, "still open"),
    ]

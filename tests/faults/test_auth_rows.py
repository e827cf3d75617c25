"""Faults of the sign-in: tokens that run out, rotate, get lost between reply and storing, are taken back or never count.

The authorization server counts refreshes and refuses refresh tokens that were used; processes are real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from runtime.actions.tokens import tokens_of
from runtime.engine import RunReport, RunRequest
from runtime.engine.opened import opened
from runtime.scheduler import Scheduler
from runtime.state import State
from runtime.watch.alerts import alerts_of
from tests.faults.rows import fault
from tests.runtime.fakes import Credo, FakeClock, Shopify
from tests.runtime.loopback import listening
from tests.runtime.oauth_sample import ENVIRON, INTEGRATION, behind
from tests.runtime.oauth_server import OAuthServer
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]


class Site:
    """The sample with a sign-in at its destination: in this process with `run`, in others with `start`."""

    def __init__(self, folder: Path, urls: list[str], database: str) -> None:
        self.shopify, self.credo, self.server = Shopify(40), Credo(), OAuthServer()
        self.clock = FakeClock(time.time())
        self.database = database
        self.folder = folder
        self.environ = {
            **ENVIRON,
            "SHOPIFY_SHOP": "shop",
            "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
            "SHOPIFY_BASE_URL": urls[0] + "/admin",
            "CREDO_BASE_URL": urls[1] + "/v1",
            "DATABASE_URL": database,
        }
        self.children: list[subprocess.Popen[str]] = []

    async def run(self) -> RunReport:
        self.clock.moment = max(self.clock.moment, self.shopify.now_s) + 10
        async with opened(INTEGRATION, self.environ, clock=self.clock) as found:
            return await found.engine.run(RunRequest(stream="customers", resync=True))

    def start(self, count: int, **environ: str) -> list[subprocess.Popen[str]]:
        """Processes that have opened the state and wait for a word."""
        made = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.oauth_child"],
                cwd=self.folder,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": f"{ROOT / 'runtime_template'}:{ROOT}",
                    **self.environ,
                    **environ,
                },
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(count)
        ]  # fmt: skip
        self.children += made
        for child in made:
            assert child.stdout is not None
            line = child.stdout.readline()
            assert line == "ready\n", child.stderr.read() if child.stderr else ""
        return made

    def state(self) -> State:
        return State(self.database, name="shopify-credo")

    def close(self) -> None:
        for child in self.children:
            child.kill()
            child.communicate()


def tell(children: list[subprocess.Popen[str]], word: str) -> list[Any]:
    """Say a word to all at once; what each of them answers."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write(word + "\n")
        child.stdin.flush()
    answers = []
    for child in children:
        assert child.stdout is not None
        line = child.stdout.readline()
        answers.append(json.loads(line) if line else None)
    return answers


Maker = Callable[[str], Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Maker]:
    sites: list[Site] = []
    with contextlib.ExitStack() as stack:

        def make(database: str) -> Site:
            urls = stack.enter_context(
                listening(lambda request: sites[0].shopify(request), lambda request: answer(request))
            )
            site = Site(tmp_path, urls, database)
            answer = behind(site.server, site.credo)
            sites.append(site)
            return site

        yield make
        for site in sites:
            site.close()


@pytest.fixture
def site(make_site: Maker, tmp_path: Path) -> Site:
    return make_site(f"sqlite:///{tmp_path / 'state.db'}")


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, make_site: Maker, tmp_path: Path) -> Site:
    """A site whose processes share a SQLite file, and one with PostgreSQL."""
    if request.param == "sqlite":
        return make_site(f"sqlite:///{tmp_path / 'state.db'}")
    url = str(request.getfixturevalue("postgresql_url"))
    fresh = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with fresh.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS shopify_credo CASCADE"))
    fresh.dispose()
    return make_site(url)


@fault("auth-expiry")
async def test_auth_expiry_is_one_refresh_and_each_request_once_more(site: Site) -> None:
    """The token runs out under a run with many requests under way; nothing is lost or written twice."""
    first = await site.run()
    assert first.state == "done"
    for number in range(1, 41):
        site.shopify.put(number, first_name=f"Renamed {number}")
    expiring = [5]

    def answer(path: str) -> None:
        expiring[0] -= 1
        if expiring[0] == 0:
            site.server.expire()

    site.server.on_api = answer
    second = await site.run()
    assert (second.state, second.counts.updated) == ("done", 40)
    assert len(site.server.asked) == 2, "one token at the first run, one refresh"
    assert site.server.reused == 0
    refused = sum(status == 401 for _, status in site.server.api)
    assert 1 <= refused <= 16
    assert len(site.credo.created()) == len(set(site.credo.created())) == 40


@fault("auth-refresh-race")
@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_auth_refresh_race_is_one_refresh_that_all_take(shared: Site, count: int) -> None:
    """Processes at one moment without a token, and again with one that is refused: one refresh each time, stored first."""
    server = shared.server
    server.before_reply = lambda: time.sleep(0.3)
    children = shared.start(count)
    assert tell(children, "ask") == [[200] * 5] * count
    assert (len(server.asked), server.reused) == (1, 0)
    server.expire()
    assert tell(children, "ask") == [[200] * 5] * count
    assert (len(server.asked), server.reused) == (2, 0)
    state = shared.state()
    row = state.tokens.get("credo")
    state.close()
    assert (row.refresh, row.generation, row.asked_at) == ("refresh-2", 2, None)


@fault("auth-refresh-crash")
@pytest.mark.parametrize("has_grace", [False, True], ids=["rotated for good", "old one still taken"])
def test_auth_refresh_crash_says_that_somebody_must_sign_in(site: Site, has_grace: bool) -> None:
    """Killed between reply and storing: status tells it; the next process tries the old token once, and no more."""
    server = site.server
    first, second = site.start(2, LOCK_S="1")
    assert tell([first], "die") == [None]
    assert first.wait(PATIENCE_S) == -9
    state = site.state()
    assert (state.tokens.get("credo").generation, len(server.asked)) == (0, 1)
    [shown] = tokens_of(INTEGRATION, state, time.time() + 3600)
    assert (shown["state"], "ended before its reply was stored" in shown["text"]) == ("interrupted", True)
    if has_grace:
        server.refresh = "refresh-0"
    [answer] = tell([second], "ask")
    if has_grace:
        assert answer == [200] * 5
        assert state.tokens.get("credo").asked_at is None
    else:
        assert answer["failure"] == "auth"
        assert "ended before its reply was stored" in answer["error"]
        assert "token sign-in credo" in answer["error"]
        [again] = tell([second], "ask")
        assert again["failure"] == "auth"
        [shown] = tokens_of(INTEGRATION, state)
        assert shown["state"] == "needs_sign_in"
    state.close()
    assert len(server.asked) == 2


@fault("auth-revoked")
@pytest.mark.parametrize("how", ["invalid_grant", "403"])
async def test_auth_revoked_stops_the_run_and_its_schedule_without_a_storm(site: Site, how: str) -> None:
    """A schedule of a day: one run that fails with class auth, and none after it before somebody signs in."""
    assert (await site.run()).state == "done"
    site.server.expire()
    if how == "403":
        site.credo.fail.append(lambda request: httpx.Response(403, json={"error": "gone"}))
    else:
        site.server.revoked = True
    asked, sent = len(site.server.asked), len(site.credo.requests)
    site.shopify.put(1, first_name="Renamed")
    async with opened(INTEGRATION, site.environ, clock=site.clock) as found:
        scheduler = Scheduler(found.engine)
        found.state._database.now = site.clock.now
        site.clock.moment += 7200

        async def scheduled(hours: int) -> list[str]:
            task, until = asyncio.create_task(scheduler.run()), site.clock.moment + hours * 3600
            while site.clock.moment < until:
                await asyncio.sleep(0)  # looked at each step, so that no run is begun after the last and cut off
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            runs = await found.state.call(lambda: found.state.runs.latest("customers", 100))
            return [f"{run['trigger']} {run['state']} {run['failure']}" for run in runs]

        runs = await scheduled(24)
        assert runs == ["schedule failed auth", "cli done None"]
        assert "customers" in found.engine.pause.reasons
        told: list[str] = []

        def take(request: httpx.Request) -> httpx.Response:
            told.append(json.loads(request.content)["data"]["alert"])
            return httpx.Response(204)

        hook = {"ALERT_WEBHOOK_URL": "https://hooks.example/in"}
        made = alerts_of(found, hook, transport=httpx.MockTransport(take))
        assert made is not None
        for _ in range(3):
            await made[0].look()
        assert sorted(told) == ["run_failed", *(["sign_in_needed"] if how == "invalid_grant" else [])]
        assert len(site.server.asked) - asked <= 1 + (how == "403")
        assert len(site.credo.requests) - sent <= 16
        if how == "403":
            return
        site.server.revoked, site.server.refresh = False, "refresh-anew"
        row = await found.state.call(lambda: found.state.tokens.get("credo"))
        moment = site.clock.now()
        await found.state.call(
            lambda: found.state.tokens.sign_in("credo", refresh="refresh-anew", seed=row.seed, at=moment)
        )
        assert (await scheduled(3))[0] == "schedule done None"


@fault("auth-401-loop")
async def test_auth_401_loop_is_one_refresh_and_the_end_of_the_run(site: Site) -> None:
    """The token endpoint gives tokens that the API never takes."""
    site.server.on_api = lambda path: site.server.expire()
    report = await site.run()
    assert (report.state, report.failure, report.exit_code) == ("failed", "auth", 1)
    assert len(site.server.asked) == 2, "the first token, and one refresh"
    assert len(site.server.api) <= 2 * 16
    assert site.credo.effects == []

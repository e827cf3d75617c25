"""Faults of how a package is run: settings, clocks, pipes, schedules, versions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from runtime.engine import RunRequest
from runtime.scheduler import Scheduler
from runtime.state import LeaseHeld, LeaseLost, SchemaNewer, State
from tests.faults.rows import fault
from tests.runtime.engine.conftest import World, world
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.loopback import listening
from tests.runtime.test_cli import ROOT, Shell, shell
from tests.runtime.test_scheduler import scheduled
from tests.shared import WIRE
from tests.waiting import PATIENCE_S

__all__ = ["shell", "world"]


# --- settings ---


@fault("cfg-missing-secret")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"CREDO_API_KEY": None}, id="missing"),
        pytest.param({"CREDO_API_KEY": ""}, id="empty"),
        pytest.param({"CREDO_API_KEY": "planted\nX-Admin: yes"}, id="line break"),
        pytest.param({"CREDO_API_KEY": None, "CREDO_API_KEY_FILE": "/no/such/file"}, id="no such file"),
        pytest.param({"CREDO_API_KEY": None, "CREDO_API_KEY_FILE": "/proc/self/mem"}, id="a file that cannot be read"),
    ],
)
@pytest.mark.parametrize("command", ["sync", "serve"])
def test_cfg_missing_secret_is_named_and_its_value_is_not(
    shell: Shell, change: dict[str, str | None], command: str
) -> None:
    """At once, with exit code 1, before anything is sent, in a process of its own."""
    for name, value in change.items():
        shell.environ.pop(name, None)
        if value is not None:
            shell.environ[name] = value
    process = shell.start(command)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "CREDO_API_KEY" in err
    assert "planted" not in out + err
    assert "Traceback" not in err
    assert shell.credo.requests == shell.shopify.requests == []


@fault("cfg-missing-secret")
@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may become another user")
def test_cfg_missing_secret_in_a_file_that_may_not_be_read_is_named(shell: Shell, tmp_path: Path) -> None:
    """A mounted secret with the wrong mode, as a user who is not root."""
    secret = tmp_path / "key"
    secret.write_text("planted")
    secret.chmod(0o600)
    environ = {**shell.environ, "CREDO_API_KEY_FILE": str(secret), "DATABASE_URL": "sqlite:////tmp/unused.db"}
    del environ["CREDO_API_KEY"]
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, "doctor", "--offline"], env=environ, cwd="/", capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    if "No module named" in said or ("Permission denied" in said and "CREDO_API_KEY" not in said):
        pytest.skip("another user cannot read the interpreter or the repository here")
    assert done.returncode == 1
    assert "CREDO_API_KEY" in said
    assert "planted" not in said


_AS_NOBODY = """
import os, sys
import tests.runtime.sample.cli as cli
os.setgid(65534); os.setuid(65534)
cli.main()
"""


@fault("cfg-reload")
async def test_cfg_reload_of_another_mapping_waits_for_a_decision(world: World) -> None:
    """Neither old and new are mixed, nor is anything read again unasked."""
    from runtime.engine import MappingChanged

    world.shopify = Shopify(5)
    await world.sync()
    changed = {"mapping_digest": "sha256:another"}
    before = len(world.credo.requests)
    with pytest.raises(MappingChanged, match="--resync"):
        await world.sync(changes=changed)
    assert len(world.credo.requests) == before
    assert (await world.sync(changes=changed, resync=True)).counts.read == 5
    assert (await world.sync(changes=changed)).state == "done"
    with pytest.raises(MappingChanged):
        await world.sync()  # and back again is a change as well
    assert (await world.sync(keep=True)).state == "done"


# --- clocks ---


@fault("clock-jump")
@pytest.mark.parametrize("jump_s", [86_400, -86_400])
async def test_clock_jump_of_a_day_moves_no_wait_and_no_watermark(world: World, jump_s: int) -> None:
    """The time of day jumps in the middle of a run: waits go by the monotonic clock, watermarks by the vendor's."""

    class Jumping(type(world.clock)):  # type: ignore[misc]
        ahead = 0.0

        def now(self) -> float:
            return float(self.moment + self.ahead)

    world.clock = Jumping(world.clock.moment)
    world.shopify = Shopify(600)
    world.shopify.page_size = 200

    def jump(request: Any) -> None:
        if "page_info=200-" in str(request.url):
            world.clock.ahead = jump_s

    world.shopify.fail.append(jump)
    report = await world.engine().run(RunRequest(stream="customers"))
    assert (report.state, report.counts.created) == ("done", 600)
    assert 0 <= report.seconds < 600
    assert world.state.store.checkpoint("customers").watermark == world.shopify.customers[600]["updated_at"]


@fault("clock-jump")
@pytest.mark.postgres
def test_clock_jump_leases_go_by_the_databases_clock(postgresql_url: str) -> None:
    """This machine believes that it is tomorrow: the lease of another is still held."""
    here = State(postgresql_url, name="clock-jump", now=lambda: 0.0)
    tomorrow = State(postgresql_url, name="clock-jump", now=lambda: 4e9)
    here.prepare()
    try:
        lease = here.leases.acquire("stream:customers", "here")
        with pytest.raises(LeaseHeld):
            tomorrow.leases.acquire("stream:customers", "tomorrow")
        here.leases.release(lease)
        tomorrow.leases.acquire("stream:customers", "tomorrow")
    finally:
        here.close()
        tomorrow.close()


@fault("clock-jump")
async def test_clock_jump_on_one_machine_is_caught_by_the_token(world: World) -> None:
    """SQLite goes by the machine's clock: who loses the lease to a jump writes nothing more."""
    lease = world.state.leases.acquire("stream:customers", "first")
    world.clock.moment += 86_400
    world.state.leases.acquire("stream:customers", "second")
    with pytest.raises(LeaseLost):
        world.state.leases.renew(lease)


# --- output ---


@fault("log-pipe")
@pytest.mark.parametrize("closed", ["stdout", "stderr", "both"])
def test_log_pipe_that_nobody_reads_does_not_stop_a_run(tmp_path: Path, closed: str) -> None:
    """The reader of the output is gone before the first line: everything is synced all the same."""
    shopify, credo = Shopify(30), Credo()
    with listening(shopify, credo) as urls:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'runtime_template'}:{ROOT}",
            "SHOPIFY_SHOP": "shop",
            "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
            "CREDO_API_KEY": "credo_planted",
            "SHOPIFY_WEBHOOK_SECRET": "hook_planted",
            "SHOPIFY_BASE_URL": urls[0] + "/admin",
            "CREDO_BASE_URL": urls[1] + "/v1",
            "LOG_LEVEL": "DEBUG",
            **WIRE,
        }
        read, write = os.pipe()
        os.close(read)
        pipes = {name: write if closed in (name, "both") else subprocess.DEVNULL for name in ("stdout", "stderr")}
        done = subprocess.run(
            [sys.executable, "-m", "tests.runtime.sample", "sync", "--json"],
            cwd=tmp_path, env=environ, timeout=PATIENCE_S, check=False, **pipes,
        )  # fmt: skip
        os.close(write)
    assert done.returncode >= 0
    assert len(credo.contacts) == 30
    assert len(credo.created()) == len(set(credo.created()))


# --- schedules ---


@fault("schedule-overlap")
async def test_schedule_overlap_of_a_long_run_is_skipped_and_missed_moments_are_one(world: World) -> None:
    """A run by hand holds the lease for hours: no tick waits in line; afterwards there is one run, not five."""
    world.shopify = Shopify(3)
    lease = world.state.leases.acquire("stream:customers", "by hand", ttl_s=3600)
    assert await scheduled(world, 100) == []
    world.state.leases.release(lease)
    assert await scheduled(world, 1, advance=5 * 3600) == ["schedule"]
    assert len(world.credo.created()) == 3


@fault("schedule-overlap")
async def test_schedule_overlap_of_a_start_by_hand_is_refused_while_it_runs(world: World) -> None:
    """Two starts at the same moment: one runs, the other is told who does."""
    world.shopify = Shopify(300)
    engine = world.engine()
    first, second = await asyncio.gather(
        engine.run(RunRequest(stream="customers")), engine.run(RunRequest(stream="customers")), return_exceptions=True
    )
    held = [each for each in (first, second) if isinstance(each, LeaseHeld)]
    assert len(held) == 1
    assert len(world.credo.created()) == len(set(world.credo.created())) == 300
    scheduler = Scheduler(engine)
    task = asyncio.create_task(scheduler.run())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


# --- versions ---


@fault("upgrade")
async def test_upgrade_over_old_state_goes_on_where_it_was(world: World) -> None:
    """A package of another version over the same state: links, checkpoint and watermark count on."""
    world.shopify = Shopify(30)
    await world.sync()
    world.state.close()
    world.state = world.open_state()
    world.shopify.put(3, first_name="Newer")
    report = await world.sync()
    assert (report.kind, report.counts.created, report.counts.updated) == ("incremental", 0, 1)


@fault("upgrade")
def test_upgrade_back_over_newer_state_is_refused_and_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    """An older package does not write into what it does not understand; the sentence says what to do."""
    url = f"sqlite:///{tmp_path / 'newer.db'}"
    shell.environ["DATABASE_URL"] = url
    assert shell.run("sync")[0] == 0
    state = State(url, name="shopify-credo")
    versions = state._database.tables.schema_version
    state._database.execute(insert(versions).values(version=99, applied_at=0.0))
    state.close()
    before = (tmp_path / "newer.db").read_bytes()
    for command in (["sync"], ["status"]):
        code, out, err = shell.run(*command)
        assert code == 1
        assert "schema 99" in err
        assert "newer package" in err
        assert "Traceback" not in out + err
    assert (tmp_path / "newer.db").read_bytes() == before
    with pytest.raises(SchemaNewer):
        State(url, name="shopify-credo").prepare()


@fault("upgrade")
def test_upgrade_of_code_for_another_contract_is_refused_before_it_runs(world: World) -> None:
    """Derived code and runtime of different releases, side by side by mistake."""
    from runtime.engine import Engine
    from runtime.engine.errors import ContractMismatch
    from tests.runtime.sample.app import INTEGRATION

    engine = world.engine()
    with pytest.raises(ContractMismatch, match="build it again"):
        Engine(
            replace(INTEGRATION, contract=99),
            source=engine._around.source,
            destination=engine._around.destination,
            state=world.state,
            settings=engine._around.settings,
        )

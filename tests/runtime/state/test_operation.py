"""What monitors and sign-ins keep in the state: tokens, alerts, depths of queues, on SQLite and PostgreSQL."""

from __future__ import annotations

import base64

import pytest

from runtime.state import State
from runtime.state.errors import StateError
from runtime.state.sealing import Sealed
from runtime.state.tokens import TokenRow

KEY = base64.urlsafe_b64encode(b"a key of thirty-two bytes, ok!!!").decode()


def fresh(number: int, **fields: object) -> TokenRow:
    row = TokenRow(
        "crm", access=f"access-{number}", refresh=f"refresh-{number}", expires_at=100.0, seed="s", updated_at=1.0
    )
    return row._replace(**fields)  # type: ignore[arg-type]


def test_token_is_stored_over_the_generation_it_was_fetched_for_and_no_other(state: State) -> None:
    """Who lost the lock meanwhile overwrites nothing."""
    tokens = state.tokens
    assert tokens.get("crm") == TokenRow("crm")
    tokens.asked("crm", 5.0)
    assert tokens.get("crm").asked_at == 5.0
    assert tokens.keep("crm", 0, fresh(1))
    assert not tokens.keep("crm", 0, fresh(2))
    row = tokens.get("crm")
    assert (row.access, row.refresh, row.generation, row.asked_at) == ("access-1", "refresh-1", 1, None)
    assert not tokens.refuse("crm", 0, reason="late", seed="s", at=6.0)
    assert tokens.refuse("crm", 1, reason="invalid_grant", seed="s", at=6.0)
    row = tokens.get("crm")
    assert (row.needs_sign_in, row.reason, row.access, row.refresh) == (True, "invalid_grant", None, "refresh-1")


def test_sign_in_begins_anew_whatever_there_was(state: State) -> None:
    state.tokens.sign_in("crm", refresh="given", seed="s", at=1.0)
    assert state.tokens.get("crm")[:6] == ("crm", None, "given", None, 1, False)
    state.tokens.keep("crm", 1, fresh(1))
    state.tokens.refuse("crm", 2, reason="no", seed="s", at=2.0)
    state.tokens.sign_in("crm", refresh="anew", seed="s", at=3.0)
    row = state.tokens.get("crm")
    assert (row.refresh, row.generation, row.needs_sign_in, row.reason) == ("anew", 3, False, None)


def test_tokens_are_sealed_when_there_is_a_key(state_url: str) -> None:
    """Nothing of them is in the database as it is; without the key they cannot be read."""
    state = State(state_url, name="sealed", sealer=Sealed([KEY]))
    state.prepare()
    state.tokens.sign_in("crm", refresh="planted-refresh", seed="s", at=1.0)
    state.tokens.keep("crm", 1, fresh(1, access="planted-access", refresh="planted-refresh"))
    table = state.tokens._table
    stored = state._database.read(lambda connection: connection.execute(table.select()).one())
    assert b"planted" not in bytes(stored.access) + bytes(stored.refresh)
    assert state.tokens.get("crm").access == "planted-access"
    state.close()
    keyless = State(state_url, name="sealed")
    try:
        with pytest.raises(StateError):
            keyless.tokens.get("crm")
    finally:
        keyless.close()


def test_alert_begins_once_ends_once_and_is_told_each_time(state: State) -> None:
    alerts = state.alerts
    assert alerts.begin("run_failed customers", "it failed", 1.0)
    assert not alerts.begin("run_failed customers", "it failed again", 2.0)
    [row] = alerts.untold()
    assert row == ("run_failed customers", "firing", "it failed", 1.0, None)
    alerts.told(row, 3.0)
    assert alerts.untold() == []
    assert alerts.end("run_failed customers", "well again", 4.0)
    assert not alerts.end("run_failed customers", "well again", 5.0)
    assert alerts.firing() == {}
    [row] = alerts.untold()
    assert (row.state, row.changed_at) == ("resolved", 4.0)
    alerts.told(row, 6.0)
    assert alerts.begin("run_failed customers", "once more", 7.0)
    assert alerts.end("run_failed customers", "well again", 8.0), "nobody was told, so nobody is"
    assert alerts.untold() == []


def test_depths_count_what_waits_by_queue_and_stream(state: State) -> None:
    state.inbox.put([
        {"stream": "customers", "topic": "t", "delivery_id": str(number), "body": b"{}", "state": waits, "error": None}
        for number, waits in enumerate(("waiting", "waiting", "dead"))
    ])  # fmt: skip
    assert state.queues.depths() == {("inbox", "customers"): 2}


def test_latest_runs_are_those_that_ended_and_were_no_dry_runs(state: State) -> None:
    def run(run_id: str, stream: str, outcome: str | None, *, dry: bool = False) -> None:
        state.runs.start(
            run_id, stream=stream, kind="full", trigger="cli", parameters={}, dry_run=dry, mapping="", token=0
        )  # fmt: skip
        if outcome is not None:
            state.runs.end(run_id, state=outcome, counts={}, seconds=2.0, failure=None, error=None)

    run("a", "customers", "done")
    run("b", "customers", "failed")
    run("c", "customers", "done", dry=True)
    run("d", "orders", None)
    found = state.queues.latest_runs()
    assert set(found) == {"customers"}
    assert (found["customers"]["id"], found["customers"]["state"]) == ("b", "failed")
    first = state.runs.get("a")
    assert first is not None
    assert found["customers"]["well_at"] == first["ended_at"]


DESCRIBED = {"stream": "customers", "kind": "full", "trigger": "cli", "parameters": {"limit": 3}, "dry_run": False}


def test_run_that_was_cancelled_before_it_began_cannot_begin(state: State) -> None:
    """Who takes it out of the queue and who takes it to work may do so at one moment: only one of them can."""
    assert state.runs.put_cancelled("r1", mapping="m", **DESCRIBED)
    with pytest.raises(StateError, match="on record already"):
        state.runs.start("r1", mapping="m", token=1, **DESCRIBED)
    row = state.runs.get("r1")
    assert row is not None
    assert (row["state"], row["failure"], row["read"], row["parameters"]) == ("cancelled", "cancelled", 0, {"limit": 3})

    state.runs.start("r2", mapping="m", token=1, **DESCRIBED)
    assert not state.runs.put_cancelled("r2", mapping="m", **DESCRIBED)
    assert state.runs.get("r2")["state"] == "running"  # type: ignore[index]


@pytest.mark.parametrize("ended", ["running", "stopped", "crashed", "done"])
def test_run_that_was_asked_to_end_stays_cancelled_however_it_was_left(state: State, ended: str) -> None:
    state.runs.start("r1", mapping="m", token=1, **DESCRIBED)
    assert not state.runs.stays_cancelled("r1")
    assert state.runs.cancel("r1")
    if ended == "crashed":
        state.runs.taken_over("r1", "r1.2")
    elif ended != "running":
        state.runs.end("r1", state=ended, counts={}, seconds=1.0, failure=None, error=None)
    assert state.runs.stays_cancelled("r1")
    row = state.runs.get("r1")
    assert row is not None
    assert row["state"] == ("done" if ended == "done" else "cancelled")
    assert row["ended_at"] is not None


def test_run_that_was_taken_for_dead_stays_crashed_when_its_process_wakes_up(state: State) -> None:
    state.runs.start("r1", mapping="m", token=1, **DESCRIBED)
    state.runs.taken_over("r1", "r1.2")
    state.runs.end("r1", state="failed", counts={"read": 7}, seconds=1.0, failure="lease", error="the lease is lost")
    row = state.runs.get("r1")
    assert row is not None
    assert (row["state"], row["read"], row["failure"]) == ("crashed", 0, None)
    assert "r1.2 goes on" in row["error"]

"""What people ask about the past and do about it, apart from printing: runs, the ledger of rows, the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..declare import Integration, Path
from ..engine import Engine, RunRequest, run_json
from ..engine.reverse import lease_name
from ..errors import RequestRefused
from ..hashing import decode_exact
from ..mask import Mask
from ..state import State

if TYPE_CHECKING:
    from ..cluster.queue import Queue

RESUMED = ("stopped", "cancelled", "failed", "crashed")
"""States of runs that did not come to their end."""


class NotThere(RequestRefused):
    """What was asked for does not exist."""


class NotNow(RequestRefused):
    """It cannot be done in the state that things are in."""


def lease_of(integration: Integration, stream_name: str) -> str:
    """What runs of a stream hold, whether it is still declared or not."""
    return next((lease_name(each) for each in integration.streams if each.name == stream_name), f"stream:{stream_name}")


# --- runs ---


def run_row(state: State, run_id: str) -> dict[str, Any]:
    """The row of a run. Raises `NotThere`."""
    row = state.runs.get(run_id)
    if row is None:
        raise NotThere(f"there is no run `{run_id}`")
    return row


def run_shown(integration: Integration, state: State, run_id: str) -> dict[str, Any]:
    """A run, and while it is under way how far it has come."""
    row = run_row(state, run_id)
    shown = run_json(row)
    if row["state"] != "running":
        return shown
    now = state.store.database.now()
    seconds = max(now - row["started_at"], 0.001)
    about = state.runs.usual_length(row["stream"], row["kind"])
    shown["progress"] = {
        "seconds": round(seconds, 1),
        "read_per_second": round(row["read"] / seconds, 2),
        "usually_read": about,
        "share": round(min(row["read"] / about, 1.0), 3) if about else None,
        "is_alive": state.leases.is_held(lease_of(integration, row["stream"])),
        "cancel_asked": row["cancel_at"] is not None,
    }
    return shown


def cancel_run(integration: Integration, state: State, run_id: str, queue: Queue | None = None) -> dict[str, Any]:
    """Ask a run to end, whichever process carries it out, or take it out of the queue. Blocks.

    Args:
        queue: Where runs wait for workers.
    """
    if queue is not None:
        from ..cluster.withdrawing import withdraw

        run_id, is_out = withdraw(integration, state, queue, run_id)
        if is_out:
            return run_shown(integration, state, run_id)
    row = run_row(state, run_id)
    if row["state"] != "running" or not state.runs.cancel(run_id):
        raise NotNow(f"run `{run_id}` is not under way: {row['state']}")
    return run_shown(integration, state, run_id)


def resumed(integration: Integration, state: State, run_id: str, *, trigger: Any = "cli") -> RunRequest:
    """The request that goes on where a run stopped.

    Raises:
        NotNow: it ended by itself, is under way, or another one has gone on since.
    """
    row = run_row(state, run_id)
    stream = row["stream"]
    is_crashed = row["state"] == "running" and not state.leases.is_held(lease_of(integration, stream))
    if row["state"] not in RESUMED and not is_crashed:
        raise NotNow(f"run `{run_id}` is {row['state']}: there is nothing to go on with")
    if row["kind"] == "rollback":
        return rollback(state, row["rollback_of"], trigger=trigger, dry_run=bool(row["dry_run"]))
    if row["kind"] == "records":
        raise NotNow(
            f"run `{run_id}` was handed its records; deliveries and dead letters are tried again by themselves"
        )
    for later in state.runs.latest(stream, limit=200):
        if later["id"] == run_id or later["started_at"] < row["started_at"]:
            break
        if not later["dry_run"] and later["state"] in ("done", "partial") and later["kind"] in ("full", "incremental"):
            raise NotNow(f"run `{later['id']}` has gone on where `{run_id}` stopped")
    asked = row["parameters"]
    point = state.store.checkpoint(stream)
    is_begun = point.cursor is not None
    return RunRequest(
        stream=stream,
        trigger=trigger,
        since=asked.get("since"),
        ids=tuple(asked.get("ids", ())),
        limit=asked.get("limit"),
        dry_run=bool(row["dry_run"]),
        resync=bool(asked.get("resync")) and not is_begun,  # what was read again is not read once more
        keep=bool(asked.get("keep")),
        resumed=run_id,
    )


def rollback(state: State, run_id: str, *, trigger: Any = "cli", dry_run: bool = False) -> RunRequest:
    """The request that puts back what a run wrote.

    Raises:
        NotNow: the run is under way, or wrote nothing.
    """
    row = run_row(state, run_id)
    if row["state"] == "running":
        raise NotNow(f"run `{run_id}` is under way: `runs cancel {run_id}` first")
    if row["dry_run"] or not (row["written"] or row["resolved"]):
        raise NotNow(f"run `{run_id}` wrote nothing")
    return RunRequest(
        stream=row["stream"], trigger=trigger, rollback=run_id, keep=True, only_settle=True, dry_run=dry_run
    )


def sample_of(state: State, run_id: str) -> list[dict[str, Any]]:
    """What a dry run showed, or what a rollback left."""
    stored = run_row(state, run_id)["sample"]
    found: list[dict[str, Any]] = json_of(state.sealer.open(bytes(stored))) if stored is not None else []
    return found


# --- the ledger ---


def links_of(integration: Integration, stream: str | None) -> str | None:
    """The stream under whose name links, ledger and conflicts are kept: of two directions, the first."""
    return next((each.reverse_of or each.name for each in integration.streams if each.name == stream), stream)


def ledger(
    integration: Integration,
    state: State,
    *,
    stream: str | None = None,
    source_id: str | None = None,
    run_id: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """What was written: of one record, of one run, or the last of all."""
    certain_s = state.store.database.now() - integration.retention.history_s
    if source_id is not None:
        found: list[dict[str, Any]] = []
        for each in integration.streams:
            if stream is not None and each.name != stream:
                continue
            name, named = each.name, source_id
            if each.reverse_of is not None:  # both directions share links, which are called after the first
                name, named = each.reverse_of, state.forgetting.source_of(each.reverse_of, source_id) or source_id
            found += state.history.of_record(name, named, limit=limit, certain_s=certain_s)
        return found
    if run_id is not None:
        return state.history.of_run(run_row(state, run_id)["id"], limit=limit)
    return state.history.latest(links_of(integration, stream), limit=limit, certain_s=certain_s)


def change_shown(integration: Integration, state: State, change_id: int) -> dict[str, Any]:
    """One change with what it replaced and what lost a conflict, masked."""
    change = state.history.change(change_id)
    if change is None:
        raise NotThere(f"there is no change `{change_id}` in the ledger")
    mask = mask_of(integration, change["stream"], side="destination")
    return {**change, **{name: mask.value(json_of(change[name])) for name in ("before", "loser")}}


def json_of(data: bytes | None) -> Any:
    """Stored bytes as JSON where they are, else as text."""
    if data is None:
        return None
    try:
        return decode_exact(bytes(data))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return bytes(data).decode("utf-8", "replace")


def mask_of(integration: Integration, stream_name: str, *, side: str = "source") -> Mask:
    """What nobody is shown of a stream's records; nothing when the stream is not there any more."""
    paths: Sequence[Path] = ()
    for stream in integration.streams:
        if stream.name == stream_name:
            paths = stream.mask if side == "source" else stream.mask_destination
    return Mask(paths)


# --- dead letters ---


def letters_wanted(state: State, letter_ids: Sequence[str], all_of: str | None = None) -> list[dict[str, Any]]:
    """Dead letters by their ids, or all open ones of a stream, with payloads."""
    if all_of is not None:
        letter_ids = [letter["id"] for letter in state.dead_letters.latest(all_of, limit=10_000)]
    letters = []
    for letter_id in letter_ids:
        letter = state.dead_letters.get(letter_id)
        if letter is None:
            raise NotThere(f"there is no dead letter `{letter_id}`")
        letters.append(letter)
    return letters


async def discard_letters(engine: Engine, letter_ids: Sequence[str]) -> int:
    """Let dead letters be. For unknown outcomes this settles them."""
    state = engine.state
    letters = await state.call(lambda: letters_wanted(state, letter_ids))
    for name in dict.fromkeys(letter["stream"] for letter in letters if letter["stage"] == "resolve"):
        settled = tuple(each["source_id"] for each in letters if each["stream"] == name and each["stage"] == "resolve")
        await engine.run(RunRequest(stream=name, trigger="retry", settled=settled, only_settle=True))
    return await state.call(lambda: state.dead_letters.discard([letter["id"] for letter in letters]))


def retry_requests(engine: Engine, letters: Sequence[dict[str, Any]]) -> list[RunRequest]:
    """One run for each stream and way of reading."""
    requests = []
    for name in dict.fromkeys(letter["stream"] for letter in letters):
        own = [letter for letter in letters if letter["stream"] == name]
        not_there = tuple(letter["source_id"] for letter in own if letter["stage"] == "resolve")
        can_read = engine.stream(name).source.get is not None
        ids = tuple(each["source_id"] for each in own if can_read and not each["source_id"].startswith("unnamed-"))
        kept = tuple(bytes(each["payload"]) for each in own if each["source_id"] not in ids and each["whole"])
        lost = [each["id"] for each in own if each["source_id"] not in ids and not each["whole"]]
        if lost and not ids and not kept:
            raise RequestRefused(
                f"{', '.join(lost)}: the source cannot be asked for it and it was kept with parts hidden; `sync --resync`"
            )
        if ids:
            requests.append(RunRequest(stream=name, trigger="retry", ids=ids, not_there=not_there))
        if kept:
            requests.append(RunRequest(stream=name, trigger="retry", records=kept, not_there=not_there))
    return requests

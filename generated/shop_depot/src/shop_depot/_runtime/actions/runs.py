"""What the commands do, apart from printing: runs, status, dead letters."""

from __future__ import annotations

import asyncio
import gc
import getpass
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from ..declare import Integration
from ..engine import Engine, RunReport, RunRequest, run_json
from ..engine.opened import Opened, open_state, opened
from ..engine.reverse import lease_name
from ..errors import RequestRefused
from ..exits import EXIT_DONE, EXIT_INPUT, EXIT_TERMINATED
from ..forgetting import forget
from ..logs import setup_logging
from ..settings import Settings, resolve_settings
from ..state import State
from ..watch.overseeing import overseen
from .past import discard_letters, json_of, letters_wanted, mask_of, resumed, retry_requests, rollback
from .tokens import tokens_of

if TYPE_CHECKING:
    from ..cluster.queue import Queue

Show: TypeAlias = "Callable[[str], None] | None"
_ENDED = "audit.ended"


def settle_memory() -> None:
    """For programs: what is loaded stays, and records make no cycles, so the collector need not look so often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def configure_logging(settings: Settings, *, quiet: bool = False) -> None:
    """Log as the environment says; commands for people only warn."""
    options = settings.options
    level = "WARNING" if quiet and options.log_level == "INFO" else options.log_level
    setup_logging(settings.redactor, level=level, form="text" if options.log_format == "text" else "json")


@asynccontextmanager
async def working(integration: Integration, *, target: str = "") -> AsyncIterator[Opened]:
    """An opened integration that SIGTERM and SIGINT ask to stop: the first finishes what is under way, the second does not.

    Args:
        target: What the command is about, for the audit; no data of records.
    """
    async with (
        opened(integration) as found,
        audited(found.state, target),
        overseen(found, goes_on=False),
    ):
        configure_logging(found.settings, quiet=True)
        settle_memory()
        loop = asyncio.get_running_loop()
        asked: list[int] = []

        def stop(number: int) -> None:
            if asked:
                os._exit(128 + number)
            asked.append(number)
            found.engine.stop()

        handled = [number for number in (signal.SIGTERM, signal.SIGINT) if _handle(loop, number, stop)]
        try:
            yield found
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


@asynccontextmanager
async def audited(state: State, target: str) -> AsyncIterator[None]:
    """Put a command that changes something on record, with the account that gave it. Nothing where there is no command."""
    command = command_under_way()
    if command is None:
        yield
        return
    row = await state.call(lambda: state.audit.begin(actor=account(), role="local", action=command, target=target))
    try:
        yield
    except BaseException as error:
        outcome = f"failed: {type(error).__name__}"
        await state.call(lambda: state.audit.end(row, outcome))
        raise
    ended = click.get_current_context().meta.pop(_ENDED, "done")
    await state.call(lambda: state.audit.end(row, ended))


def ended_as(outcome: str) -> None:
    """Say, for the audit, how the command ended, when it is not just done."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_ENDED] = outcome


def command_under_way() -> str | None:
    """`dead-letters retry`, while the command line carries it out."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.command_path.partition(" ")[2] or None


def account() -> str:
    """Who runs this process, as the machine knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # a container's user has a number and no name


def _handle(loop: asyncio.AbstractEventLoop, number: signal.Signals, stop: Callable[[int], None]) -> bool:
    try:
        loop.add_signal_handler(number, stop, number)
    except (NotImplementedError, ValueError, RuntimeError):
        return False  # not on this platform, or not in the main thread
    return True


@contextmanager
def reading(integration: Integration) -> Iterator[tuple[Integration, State]]:
    """The state, for commands that only read."""
    settings = resolve_settings(integration)
    configure_logging(settings, quiet=True)
    state = open_state(integration, settings)
    try:
        yield integration, state
    finally:
        state.close()


@contextmanager
def on_record(integration: Integration, *, target: str = "") -> Iterator[tuple[Integration, State]]:
    """The state, for commands that change something in it or show what is in a record; the audit says so."""
    with reading(integration) as (_, state):
        row = state.audit.begin(actor=account(), role="local", action=command_under_way() or "", target=target)
        try:
            yield integration, state
        except BaseException as error:
            state.audit.end(row, f"failed: {type(error).__name__}")
            raise
        state.audit.end(row, "done")


def looked_at(state: State, target: str) -> None:
    """Put on record that a command shows what is in a record."""
    state.audit.end(
        state.audit.begin(actor=account(), role="local", action=command_under_way() or "", target=target), "done"
    )


def known_stream(integration: Integration, name: str | None) -> str | None:
    """The name of a stream, or nothing for all of them. Raises `RequestRefused`: nothing is found of one that is not there."""
    names = [each.name for each in integration.streams]
    if name is not None and name not in names:
        raise RequestRefused(f"there is no stream `{name}`; there is {', '.join(f'`{each}`' for each in names)}")
    return name


@contextmanager
def asking_queue(integration: Integration) -> Iterator[Queue | None]:
    """The queue of runs, where workers carry them out; else None."""
    settings = resolve_settings(integration)
    if settings.options.runner != "cluster":
        yield None
        return
    from ..cluster.queue import queue_of

    queue = queue_of(integration, settings)
    try:
        yield queue
    finally:
        queue.close()


# --- runs ---


async def resume_run(integration: Integration, run_id: str, *, show: Show = None) -> tuple[RunReport, int]:
    """Go on where a run stopped."""
    async with working(integration, target=run_id) as found:
        request = await found.state.call(lambda: resumed(integration, found.state, run_id))
        report = await _shown(found.engine, request, show)
        ended_as(report.state)
    return report, worst([report])


async def sync_streams(
    integration: Integration,
    stream: str | None,
    *,
    since: str | None = None,
    ids: Sequence[str] = (),
    limit: int | None = None,
    dry_run: bool = False,
    resync: bool = False,
    keep: bool = False,
    allow_deletes: bool = False,
    show: Show = None,
) -> tuple[list[RunReport], int]:
    """Run one stream, or all in order; returns the reports and the worst exit code."""
    reports: list[RunReport] = []
    if not dry_run and resolve_settings(integration).options.runner == "cluster":
        from ..cluster.asking import sync_by_workers

        options: dict[str, Any] = {
            "since": since,
            "ids": tuple(ids),
            "limit": limit,
            "resync": resync,
            "keep": keep,
            "allow_deletes": allow_deletes,
        }
        async for report in sync_by_workers(integration, stream, options):
            if show is not None:
                show(f"{report.stream}: {summary(report.to_json())}")
            reports.append(report)
        return reports, worst(reports)
    async with working(integration, target=stream or "all streams") as found:
        names = [stream] if stream is not None else [each.name for each in integration.streams]
        for name in names:
            request = RunRequest(
                stream=name,
                since=since,
                ids=tuple(ids),
                limit=limit,
                dry_run=dry_run,
                resync=resync,
                keep=keep,
                allow_deletes=allow_deletes,
            )
            report = await _shown(found.engine, request, show)
            reports.append(report)
            ended_as(_ends(reports))
            if report.state == "stopped":
                break
    return reports, worst(reports)


async def roll_back(
    integration: Integration, run_id: str, *, dry_run: bool = False, show: Show = None
) -> tuple[RunReport, int]:
    """Put back what a run wrote, or show what that would mean."""
    async with working(integration, target=run_id) as found:
        request = await found.state.call(lambda: rollback(found.state, run_id, dry_run=dry_run))
        report = await _shown(found.engine, request, show)
        ended_as(report.state)
    return report, worst([report])


def _ends(reports: Sequence[RunReport]) -> str:
    """How runs ended, each by its stream where there is more than one."""
    if len(reports) == 1:
        return reports[0].state
    return ", ".join(f"{each.stream} {each.state}" for each in reports)


def worst(reports: Sequence[RunReport]) -> int:
    """The exit code of several runs: failed before stopped before partial before done."""
    codes = {EXIT_TERMINATED if report.state == "stopped" else report.exit_code for report in reports}
    return EXIT_INPUT if EXIT_INPUT in codes else max(codes, default=EXIT_DONE)


async def _shown(engine: Engine, request: RunRequest, show: Show) -> RunReport:
    progress = asyncio.ensure_future(_tell(engine, request.stream)) if show is not None and _is_terminal() else None
    try:
        report = await engine.run(request)
    finally:
        if progress is not None:
            progress.cancel()
            await asyncio.gather(progress, return_exceptions=True)
    if show is not None:
        show(f"{report.stream}: {summary(report.to_json())}")
        for entry in report.sample:
            for line in sample_lines(entry):
                show(line)
    return report


async def _tell(engine: Engine, stream: str) -> None:
    while True:
        await asyncio.sleep(1.0)
        counts = engine.under_way.get(stream)
        if counts is not None:
            sys.stderr.write(f"\r{stream}: read {counts.read}, written {counts.written}, dead {counts.dead} ")
            sys.stderr.flush()


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def summary(run: dict[str, Any]) -> str:
    """A run as one line: its state, the run equation, its time."""
    kinds = {name: count for name, count in run["written_by_kind"].items() if count}
    written = f"{run['written']} written" + (f" ({_listed(kinds)})" if kinds else "")
    text = (
        f"{run['state']}{', dry run' if run['dry_run'] else ''}: {run['read']} read = {written}"
        f" + {run['unchanged']} unchanged + {run['skipped']} skipped + {run['dead']} dead"
        f" + {run['unknown']} unknown + {run['held']} held in {run['sync_duration_seconds']:.2f} s"
    )
    if run["resolved"]:
        text += f"; {run['resolved']} outcomes of earlier runs found out"
    if run["drift"]:
        text += f"; {run['drift']} not as described"
    return text + (f"; {run['error']}" if run["error"] else "")


def _listed(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in kinds.items())


def sample_lines(entry: dict[str, Any]) -> Iterator[str]:
    """One record of a dry run: what would be done, then one line a field."""
    target = f" → {entry['destination_id']}" if entry.get("destination_id") else ""
    was = f" (was {entry['was']})" if entry.get("was") else ""
    reason = f": {entry['reason']}" if "reason" in entry else ""
    yield f"  {entry['action']} {entry['source_id']}{target}{was}{reason}"
    for name, change in entry.get("fields", {}).items():
        before = f"{change['from']!r} → " if "from" in change else ""
        yield f"    {name}: {before}{change['to']!r}"


# --- what is kept ---


async def forget_records(
    integration: Integration, stream: str, source_ids: Sequence[str], *, compact: bool = True
) -> dict[str, Any]:
    """Erase records from everything that is kept. The audit says how many, never which."""
    async with working(integration, target=f"{stream}, {len(set(source_ids))} records") as found:
        return await forget(found.engine, stream, source_ids, compact=compact)


def clean_up(
    integration: Integration, *, reseal: bool = False, unseal: bool = False, compact: bool = False
) -> dict[str, Any]:
    """Delete everything that is over and old; seal what is left anew when asked to."""
    with on_record(integration) as (_, state):
        deleted: Counter[str] = Counter()
        is_done = False
        while not is_done:
            some, is_done = state.cleanup.clean(integration.retention, most=5000)
            deleted += some
        sealed = state.seals.reseal() if reseal else state.seals.unseal() if unseal else None
        is_compact = state.forgetting.compact() if compact else None
    return {"deleted": dict(deleted), "sealed_anew": sealed, "is_compact": is_compact}


# --- what is ---


def status_of(integration: Integration, state: State) -> dict[str, Any]:
    """Where each stream stands."""
    streams = []
    for stream in integration.streams:
        point = state.store.checkpoint(stream.name)
        runs = state.runs.latest(stream.name, limit=1)
        streams.append({
            "stream": stream.name,
            "is_running": state.leases.is_held(lease_name(stream)),
            "schedule": stream.schedule,
            "watermark": point.watermark,
            "is_in_pass": point.cursor is not None,
            "mapping_changed": bool(point.mapping and point.mapping != stream.mapping_digest),
            "dead_letters": state.dead_letters.open_count(stream.name),
            "conflicts": state.conflicts.open_count(stream.name),
            "drift": [
                {name: row[name] for name in ("side", "path", "kind", "times", "first_at", "last_at", "run_id")}
                for row in state.drift.latest(stream.name)
            ],
            "held": state.store.lifecycle.held(stream.name) if stream.lookups else {},
            "unknown_outcomes": len(state.store.intents(stream.name)),
            "last_run": run_json(runs[0]) if runs else None,
        })  # fmt: skip
    return {
        "integration": integration.name,
        "version": integration.version,
        "streams": streams,
        "sign_ins": tokens_of(integration, state),
        "webhook_deliveries": state.inbox.counts(),
    }


def history_of(state: State, stream: str | None, limit: int = 20) -> list[dict[str, Any]]:
    """The last runs, newest first."""
    return [run_json(row) for row in state.runs.latest(stream, limit=limit)]


# --- dead letters ---


def letters_of(state: State, stream: str | None, *, state_name: str = "open", limit: int = 50) -> list[dict[str, Any]]:
    """Dead letters without payloads."""
    return state.dead_letters.latest(stream, state=state_name, limit=limit)


def letter_of(integration: Integration, state: State, letter_id: str) -> dict[str, Any]:
    """One dead letter with its payload as JSON where it is JSON, and what is masked hidden."""
    [letter] = letters_wanted(state, [letter_id])
    letter["payload"] = mask_of(integration, letter["stream"]).value(json_of(letter["payload"]))
    return letter


async def retry(
    integration: Integration, letter_ids: Sequence[str], *, all_of: str | None = None, show: Show = None
) -> tuple[list[RunReport], int]:
    """Sync the records of dead letters again: as the source has them now, or else as they were kept."""
    known_stream(integration, all_of)
    async with working(integration, target=all_of or ", ".join(letter_ids)) as found:
        letters = await found.state.call(lambda: letters_wanted(found.state, letter_ids, all_of))
        reports: list[RunReport] = []
        for request in retry_requests(found.engine, letters):
            reports.append(await _shown(found.engine, request, show))
            ended_as(_ends(reports))
    if show is not None and not reports:
        show("no dead letters")
    return reports, worst(reports)


async def discard(integration: Integration, letter_ids: Sequence[str]) -> int:
    """Let dead letters be. For unknown outcomes this settles them."""
    async with working(integration, target=", ".join(letter_ids)) as found:
        return await discard_letters(found.engine, letter_ids)

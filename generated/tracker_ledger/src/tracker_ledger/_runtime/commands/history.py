"""Commands about the past: runs one by one, the ledger of rows, the audit."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from ..exits import EXIT_DONE
from .common import AS_JSON, Commands, Loader, finished, show_json


def _when(seconds: float | None) -> str:
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))


@click.group(cls=Commands)
def runs() -> None:
    """Runs: look at them, end one, go on with one, put one back."""


@runs.command("list")
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to show.")
@AS_JSON
@click.pass_obj
def list_runs(load: Loader, stream: str | None, limit: int, as_json: bool) -> int:
    """List the last runs, newest first."""
    from ..actions.runs import history_of, known_stream, reading, summary

    with reading(load()) as (integration, state):
        found = history_of(state, known_stream(integration, stream), limit)
    if as_json:
        show_json(found)
        return EXIT_DONE
    for each in found:
        click.echo(f"{each['run_id']} {each['stream']}: {summary(each)}")
    if not found:
        click.echo("no runs")
    return EXIT_DONE


@runs.command("show")
@click.argument("run_id")
@AS_JSON
@click.pass_obj
def show_run(load: Loader, run_id: str, as_json: bool) -> int:
    """Show one run; while it is under way, how far it has come."""
    from ..actions.past import run_shown, sample_of
    from ..actions.runs import looked_at, reading, sample_lines, summary

    with reading(load()) as (integration, state):
        found, sample = run_shown(integration, state, run_id), sample_of(state, run_id)
        if sample:
            looked_at(state, run_id)
    if as_json:
        show_json({**found, "sample": sample} if sample else found)
        return EXIT_DONE
    click.echo(f"{found['run_id']} {found['stream']}: {summary(found)}")
    click.echo(
        f"  {found['kind']}, by {found['trigger']}, at {found['holder'] or '-'}, from {_when(found['started_at'])}"
    )
    if (progress := found.get("progress")) is not None:
        share = f", about {progress['share']:.0%} of the usual {progress['usually_read']}" if progress["share"] else ""
        click.echo(f"  {progress['read_per_second']} records/s for {progress['seconds']} s{share}")
        if not progress["is_alive"]:
            click.echo("  nobody holds its lease: the process that carried it out has ended; the next run takes over")
        if progress["cancel_asked"]:
            click.echo("  it was asked to end and will, at its next safe place")
    for entry in sample:
        for line in sample_lines(entry):
            click.echo(line)
    return EXIT_DONE


@runs.command("cancel")
@click.argument("run_id")
@click.pass_obj
def cancel(load: Loader, run_id: str) -> int:
    """End a run at its next safe place, whichever process carries it out; one that still waits does not begin."""
    from ..actions.past import cancel_run
    from ..actions.runs import asking_queue, on_record

    integration = load()
    with on_record(integration, target=run_id) as (_, state), asking_queue(integration) as queue:
        found = cancel_run(integration, state, run_id, queue)
    if found["state"] == "cancelled":
        click.echo(f"{found['run_id']} was taken out of the queue")
    else:
        click.echo(f"{found['run_id']} was asked to end; `runs show {found['run_id']}` says when it has")
    return EXIT_DONE


@runs.command("resume")
@click.argument("run_id")
@AS_JSON
@click.pass_obj
def resume(load: Loader, run_id: str, as_json: bool) -> int:
    """Go on where a run stopped: what it did is not done again."""
    from ..actions.runs import resume_run

    report, code = finished(resume_run(load(), run_id, show=None if as_json else click.echo))
    if as_json:
        show_json(report.to_json())
    return code


@runs.command("rollback")
@click.argument("run_id")
@click.option("--dry-run", is_flag=True, help="Send nothing; show what would be put back, and what could not.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@AS_JSON
@click.pass_obj
def rollback(load: Loader, run_id: str, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Put back what a run wrote: updates as they were, creations away, deletions made anew.

    What has changed since is told and left. Needs `rollback: true` of the stream.
    """
    from ..actions.runs import roll_back

    if not dry_run and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody is there to be asked: say --yes, or --dry-run")
        click.confirm(f"put back everything that {run_id} wrote?", abort=True)
    report, code = finished(roll_back(load(), run_id, dry_run=dry_run, show=None if as_json else click.echo))
    if as_json:
        show_json(report.to_json())
    return code


@click.command()
@click.argument("stream", required=False)
@click.option("--id", "source_id", metavar="SOURCE_ID", help="Every write of this record.")
@click.option("--run", "run_id", metavar="RUN", help="What this run wrote.")
@click.option("--change", "change_id", type=int, metavar="N", help="One change with what it replaced.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Rows to show.")
@AS_JSON
@click.pass_obj
def ledger(load: Loader, /, stream: str | None, change_id: int | None, as_json: bool, **asked: Any) -> int:
    """Say what was written: when, why, by which run and which rules."""
    from ..actions import past
    from ..actions.runs import known_stream, on_record, reading

    if asked["source_id"] is not None and asked["run_id"] is not None:
        raise click.UsageError("--id and --run exclude each other")
    if change_id is not None:
        with on_record(load(), target=f"change {change_id}") as (integration, state):
            show_json(past.change_shown(integration, state, change_id))
        return EXIT_DONE
    with reading(load()) as (integration, state):
        known_stream(integration, stream)
        found = past.ledger(integration, state, stream=stream, **asked)
    if as_json:
        show_json(found)
        return EXIT_DONE
    for each in found:
        why = f"{each['trigger'] or 'unknown'} run {each['run_id']}" + (f": {each['reason']}" if each["reason"] else "")
        change = f" (--change {each['change']})" if each["keeps_before"] else ""
        click.echo(
            f"{_when(each['at'])} {each['stream']} {each['source_id']} {each['kind']} → {each['destination_id'] or '-'},"
            f" {why}, rules {(each['mapping'] or '-')[:19]}{change}"
        )
    if not found:
        click.echo("nothing was written")
    return EXIT_DONE


@click.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Entries to show.")
@AS_JSON
@click.pass_obj
def audit(load: Loader, limit: int, as_json: bool) -> int:
    """List who did what: actions of the control API and of this command line."""
    from ..actions.runs import reading

    with reading(load()) as (_, state):
        found = state.audit.latest(limit)
    if as_json:
        show_json(found)
        return EXIT_DONE
    for each in found:
        target = f" {each['target']}" if each["target"] else ""
        remote = f" from {each['remote']}" if each["remote"] else ""
        click.echo(
            f"{_when(each['at'])} {each['actor']} ({each['role']}){remote}: {each['action']}{target}: {each['outcome']}"
        )
    return EXIT_DONE

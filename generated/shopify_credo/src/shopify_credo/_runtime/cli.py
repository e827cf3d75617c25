"""The command line of a package. Commands import what they need when they run, so that `--help` stays quick."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from .declare import Integration

EXIT_DONE, EXIT_INPUT, EXIT_PARTIAL, EXIT_BUG = 0, 1, 3, 70
Loader = Callable[[], "Integration"]


def run(name: str, load: Loader) -> NoReturn:
    """Run the command line and end the process with its exit code.

    0 done, 1 the user's input or a run that failed, 2 usage, 3 partial (records dead, unknown or held), 70 a bug of ours.
    """
    try:
        code = main.main(prog_name=name, obj=load, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_DONE
    except Exception as error:
        code = _explain(error)
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else EXIT_DONE)


def _explain(error: Exception) -> int:
    from .errors import IntegrationError

    if isinstance(error, IntegrationError):
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        return EXIT_INPUT
    import traceback

    from .redact import Redactor

    # Secrets may not be registered yet: what looks like one is hidden all the same.
    click.echo(Redactor().text("".join(traceback.format_exception(error))), err=True)
    click.echo("this is a bug, not a mistake of yours: please report it with the text above", err=True)
    return EXIT_BUG


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Sync records from one API to another.

    Settings come from the environment; `doctor` says which are missing.
    """


# --- runs -------------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("stream", required=False)
@click.option("--since", metavar="TIME", help="Only records that changed at or after TIME (ISO 8601).")
@click.option("--ids", metavar="ID,…", help="Only these records of the source.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N records.")
@click.option("--dry-run", is_flag=True, help="Send nothing; show what would be written.")
@click.option("--resync", is_flag=True, help="Read everything again; needed when the mapping changed, or --keep.")
@click.option("--keep", is_flag=True, help="The mapping changed: records get the new form when they change.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of reports.")
@click.pass_obj
def sync(load: Loader, /, stream: str | None, since: str | None, ids: str | None, as_json: bool, **options: Any) -> int:
    """Sync one STREAM, or all in order.

    \b
    Examples:
      sync
      sync customers --since 2026-01-01T00:00:00Z --dry-run
      sync customers --ids 207119551,1073339470
    """
    import asyncio

    from .actions import sync_streams

    if ids is not None and stream is None:
        raise click.UsageError("--ids needs a STREAM")
    if options["resync"] and options["keep"]:
        raise click.UsageError("--resync and --keep exclude each other")
    wanted = tuple(each.strip() for each in (ids or "").split(",") if each.strip())
    reports, code = asyncio.run(
        sync_streams(load(), stream, since=since, ids=wanted, show=None if as_json else click.echo, **options)
    )
    if as_json:
        click.echo(json.dumps([report.to_json() for report in reports], indent=2, default=str))
    return code


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(load: Loader, as_json: bool) -> int:
    """Say where each stream stands."""
    from .actions import reading, status_of

    with reading(load()) as (integration, state):
        found = status_of(integration, state)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return EXIT_DONE
    for each in found["streams"]:
        last = each["last_run"]
        click.echo(f"{each['stream']}: {_run_line(last) if last else 'never ran'}")
        click.echo(f"  watermark {each['watermark'] or '-'}, dead letters {each['dead_letters']}")
        for drift in each["drift"]:
            click.echo(
                f"  {drift['side']} not as described at {drift['path'] or 'the whole reply'}: {drift['kind']},"
                f" {drift['times']} times"
            )
    return EXIT_DONE


@main.command()
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def history(load: Loader, stream: str | None, limit: int, as_json: bool) -> int:
    """List the last runs, newest first."""
    from .actions import history_of, reading

    with reading(load()) as (_, state):
        runs = history_of(state, stream, limit)
    if as_json:
        click.echo(json.dumps(runs, indent=2, default=str))
        return EXIT_DONE
    for each in runs:
        click.echo(f"{each['run_id']} {each['stream']}: {_run_line(each)}")
    return EXIT_DONE


def _run_line(run: dict[str, Any]) -> str:
    from .actions import summary

    return summary(run)


# --- dead letters -----------------------------------------------------------------------------------------------------


@main.group("dead-letters")
def dead_letters() -> None:
    """Records that could not be synced: look at them, try again, or let them be."""


@dead_letters.command("list")
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Letters to show.")
@click.option("--discarded", is_flag=True, help="Show those that were discarded.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_letters(load: Loader, stream: str | None, limit: int, discarded: bool, as_json: bool) -> int:
    """List dead letters, newest first."""
    from .actions import letters_of, reading

    with reading(load()) as (_, state):
        letters = letters_of(state, stream, state_name="discarded" if discarded else "open", limit=limit)
    if as_json:
        click.echo(json.dumps(letters, indent=2, default=str))
        return EXIT_DONE
    for letter in letters:
        click.echo(f"{letter['id']} {letter['stream']} {letter['source_id']} ({letter['stage']}): {letter['reason']}")
    if not letters:
        click.echo("no dead letters")
    return EXIT_DONE


@dead_letters.command("show")
@click.argument("letter_id")
@click.pass_obj
def show_letter(load: Loader, letter_id: str) -> int:
    """Show one dead letter with the record as it was read, secrets hidden."""
    from .actions import letter_of, reading

    with reading(load()) as (_, state):
        click.echo(json.dumps(letter_of(state, letter_id), indent=2, default=str))
    return EXIT_DONE


@dead_letters.command("retry")
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "all_of", metavar="STREAM", help="All open dead letters of STREAM.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def retry_letters(load: Loader, letter_ids: tuple[str, ...], all_of: str | None, as_json: bool) -> int:
    """Sync the records of these dead letters again, as the source has them now.

    A letter about an unknown outcome: this says that the record is not in the destination.
    """
    import asyncio

    from .actions import retry

    if bool(letter_ids) == (all_of is not None):
        raise click.UsageError("name dead letters, or --all STREAM")
    reports, code = asyncio.run(retry(load(), letter_ids, all_of=all_of, show=None if as_json else click.echo))
    if as_json:
        click.echo(json.dumps([report.to_json() for report in reports], indent=2, default=str))
    return code


@dead_letters.command("discard")
@click.argument("letter_ids", nargs=-1, required=True)
@click.pass_obj
def discard_letters(load: Loader, letter_ids: tuple[str, ...]) -> int:
    """Let these be; a newer version of the record opens them again.

    A letter about an unknown outcome: this says that the record is in the destination, or not wanted there.
    """
    import asyncio

    from .actions import discard

    count = asyncio.run(discard(load(), letter_ids))
    click.echo(f"{count} discarded")
    return EXIT_DONE


# --- service ----------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--host", envvar="CONTROL_HOST", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", envvar="CONTROL_PORT", type=click.IntRange(0, 65_535), default=8080, show_default=True)
@click.option("--no-schedule", is_flag=True, help="Start no runs by schedule.")
@click.pass_obj
def serve(load: Loader, host: str, port: int, no_schedule: bool) -> int:
    """Run on schedule, take webhooks, answer the control API (token: CONTROL_TOKEN)."""
    from .serving import serve as start

    return start(load(), host=host, port=port, with_schedule=not no_schedule)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--offline", is_flag=True, help="Do not call the APIs.")
@click.pass_obj
def doctor(load: Loader, as_json: bool, offline: bool) -> int:
    """Check settings, state, both APIs, schedules and webhook secrets; change nothing there."""
    import asyncio

    from .doctor import examine

    checks = asyncio.run(examine(load(), offline=offline))
    if as_json:
        click.echo(json.dumps([check.to_json() for check in checks], indent=2))
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.is_ok else 'FAIL'} {check.name}: {check.text}")
    return EXIT_DONE if all(check.is_ok for check in checks) else EXIT_INPUT


@main.command()
@click.option("--port", envvar="CONTROL_PORT", type=int, default=8080, show_default=True, help="Of the service.")
def health(port: int) -> int:
    """Ask the service on this machine whether it lives (for container health checks)."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz")
        reply = connection.getresponse()
        click.echo(reply.read(1000).decode("utf-8", "replace"))
        return EXIT_DONE if reply.status == 200 else EXIT_INPUT
    except (OSError, HTTPException) as error:
        click.echo(f"no answer on port {port}: {type(error).__name__}", err=True)
        return EXIT_INPUT
    finally:
        connection.close()

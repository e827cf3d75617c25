"""Commands about runs: sync, status, history."""

from __future__ import annotations

from typing import Any

import click

from ..exits import EXIT_DONE
from .common import AS_JSON, Loader, finished, show_json


@click.command()
@click.argument("stream", required=False)
@click.option("--since", metavar="TIME", help="Only records that changed at or after TIME (ISO 8601).")
@click.option("--ids", metavar="ID,…", help="Only these records of the source.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N records.")
@click.option("--dry-run", is_flag=True, help="Send nothing; show what would be written.")
@click.option("--resync", is_flag=True, help="Read everything again; needed when the mapping changed, or --keep.")
@click.option("--keep", is_flag=True, help="The mapping changed: records get the new form when they change.")
@click.option("--allow-deletes", is_flag=True, help="Read everything, and delete however much is gone.")
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
    from ..actions.runs import sync_streams

    if ids is not None and stream is None:
        raise click.UsageError("--ids needs a STREAM")
    if options["resync"] and options["keep"]:
        raise click.UsageError("--resync and --keep exclude each other")
    wanted = tuple(each.strip() for each in (ids or "").split(",") if each.strip())
    reports, code = finished(
        sync_streams(load(), stream, since=since, ids=wanted, show=None if as_json else click.echo, **options)
    )
    if as_json:
        show_json([report.to_json() for report in reports])
    return code


@click.command()
@AS_JSON
@click.pass_obj
def status(load: Loader, as_json: bool) -> int:
    """Say where each stream stands."""
    from ..actions.runs import reading, status_of

    with reading(load()) as (integration, state):
        found = status_of(integration, state)
    if as_json:
        show_json(found)
        return EXIT_DONE
    for each in found["streams"]:
        last = each["last_run"]
        click.echo(f"{each['stream']}: {_run_line(last) if last else 'never ran'}")
        click.echo(
            f"  watermark {each['watermark'] or '-'}, dead letters {each['dead_letters']}, conflicts {each['conflicts']}"
        )
        for parent, held in each["held"].items():
            click.echo(f"  {held['records']} records wait for records of {parent}")
        for drift in each["drift"]:
            click.echo(
                f"  {drift['side']} not as described at {drift['path'] or 'the whole reply'}: {drift['kind']},"
                f" {drift['times']} times"
            )
    for each in found["sign_ins"]:
        click.echo(f"sign-in to {each['api']}: {each['text']}")
    return EXIT_DONE


@click.command()
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to show.")
@AS_JSON
@click.pass_obj
def history(load: Loader, stream: str | None, limit: int, as_json: bool) -> int:
    """List the last runs, newest first."""
    from ..actions.runs import history_of, known_stream, reading

    with reading(load()) as (integration, state):
        runs = history_of(state, known_stream(integration, stream), limit)
    if as_json:
        show_json(runs)
        return EXIT_DONE
    for each in runs:
        click.echo(f"{each['run_id']} {each['stream']}: {_run_line(each)}")
    if not runs:
        click.echo("no runs")
    return EXIT_DONE


def _run_line(run: dict[str, Any]) -> str:
    from ..actions.runs import summary

    return summary(run)

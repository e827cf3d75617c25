"""Commands about conflicts: records that both sides changed."""

from __future__ import annotations

from typing import Any, Literal

import click

from ..exits import EXIT_DONE, EXIT_PARTIAL
from .common import AS_JSON, Commands, Loader, finished, show_json


@click.group(cls=Commands)
def conflicts() -> None:
    """Records that both sides changed and that wait for a person: look at them, and decide."""


@conflicts.command("list")
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Conflicts to show.")
@click.option("--resolved", is_flag=True, help="Show those that were resolved.")
@AS_JSON
@click.pass_obj
def list_conflicts(load: Loader, stream: str | None, limit: int, resolved: bool, as_json: bool) -> int:
    """List conflicts, newest first."""
    from ..actions.conflicts import conflicts_of
    from ..actions.past import links_of
    from ..actions.runs import known_stream, reading

    with reading(load()) as (integration, state):
        name = links_of(integration, known_stream(integration, stream))
        found = conflicts_of(state, name, state_name="resolved" if resolved else "open", limit=limit)
    if as_json:
        show_json(found)
        return EXIT_DONE
    for each in found:
        end = f": {each['resolution']} ({each['resolved_by']})" if resolved else ""
        click.echo(
            f"{each['id']} {each['stream']} {each['source_id']} ↔ {each['destination_id']}: {', '.join(each['fields'])}{end}"
        )
    if not found:
        click.echo("no conflicts")
    return EXIT_DONE


@conflicts.command("show")
@click.argument("conflict_id")
@AS_JSON
@click.pass_obj
def show_conflict(load: Loader, conflict_id: str, as_json: bool) -> int:
    """Show one conflict: what was agreed on, and what each side has now."""
    from ..actions.conflicts import conflict_of
    from ..actions.runs import on_record
    from ..settings import resolve_settings

    integration = load()
    with on_record(integration, target=conflict_id) as (_, state):
        row = state.conflicts.get(conflict_id)
        stream = next((each for each in integration.streams if row and each.name == row["stream"]), None)
        found = conflict_of(state, stream, resolve_settings(integration).redactor, conflict_id)
    if as_json:
        show_json(found)
        return EXIT_DONE
    click.echo(f"{found['stream']} {found['source_id']} ↔ {found['destination_id']}, {found['state']}")
    if found["gone"] is not None:
        click.echo(f"the {found['gone']} has deleted its record, and the other side has changed it since")
    for name, each in found["values"].items():
        mark = "!" if each["is_conflict"] else " "
        click.echo(f"{mark} {name}: {each['base']!r} → source {each['source']!r}, destination {each['destination']!r}")
    return EXIT_DONE


@conflicts.command("resolve")
@click.argument("conflict_id")
@click.option("--take", type=click.Choice(["source", "destination"]), help="Whose version both sides get.")
@click.option("--value", "values", multiple=True, metavar="FIELD=JSON", help="A value that both sides get.")
@AS_JSON
@click.pass_obj
def resolve_conflict(
    load: Loader,
    conflict_id: str,
    take: Literal["source", "destination"] | None,
    values: tuple[str, ...],
    as_json: bool,
) -> int:
    """Decide, and write it to both sides.

    \b
    Examples:
      conflicts resolve 5f0c… --take source
      conflicts resolve 5f0c… --take destination --value price=19.90
    """
    from ..actions.conflicts import given_values, resolve
    from ..actions.runs import ended_as, working

    if take is None and not values:
        raise click.UsageError("say --take source, --take destination, or --value FIELD=JSON")

    async def decide() -> tuple[Any, bool]:
        async with working(load(), target=conflict_id) as found:
            report, is_resolved = await resolve(
                found.engine, conflict_id, take=take, values=given_values(values), by="cli"
            )
            ended_as("resolved" if is_resolved else "still open")
            return report, is_resolved

    report, is_resolved = finished(decide())
    if as_json:
        show_json({"resolved": is_resolved, "run": report.to_json()})
    elif is_resolved:
        click.echo("resolved")
    elif report.counts.dead:
        click.echo("still open: it could not be written; `dead-letters list` says why", err=True)
    else:
        click.echo("still open: a side has changed since, or could not be written; look at it again", err=True)
    return EXIT_DONE if is_resolved else EXIT_PARTIAL

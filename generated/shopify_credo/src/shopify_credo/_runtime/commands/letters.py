"""Commands about dead letters."""

from __future__ import annotations

import click

from ..exits import EXIT_DONE
from .common import AS_JSON, Commands, Loader, finished, show_json


@click.group("dead-letters", cls=Commands)
def dead_letters() -> None:
    """Records that could not be synced: look at them, try again, or let them be."""


@dead_letters.command("list")
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Letters to show.")
@click.option("--discarded", is_flag=True, help="Show those that were discarded.")
@AS_JSON
@click.pass_obj
def list_letters(load: Loader, stream: str | None, limit: int, discarded: bool, as_json: bool) -> int:
    """List dead letters, newest first."""
    from ..actions.runs import known_stream, letters_of, reading

    with reading(load()) as (integration, state):
        known_stream(integration, stream)
        letters = letters_of(state, stream, state_name="discarded" if discarded else "open", limit=limit)
    if as_json:
        show_json(letters)
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
    from ..actions.runs import letter_of, on_record

    with on_record(load(), target=letter_id) as (integration, state):
        show_json(letter_of(integration, state, letter_id))
    return EXIT_DONE


@dead_letters.command("retry")
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "all_of", metavar="STREAM", help="All open dead letters of STREAM.")
@AS_JSON
@click.pass_obj
def retry_letters(load: Loader, letter_ids: tuple[str, ...], all_of: str | None, as_json: bool) -> int:
    """Sync the records of these dead letters again, as the source has them now.

    A letter about an unknown outcome: this says that the record is not in the destination.
    """
    from ..actions.runs import retry

    if bool(letter_ids) == (all_of is not None):
        raise click.UsageError("name dead letters, or --all STREAM")
    reports, code = finished(retry(load(), letter_ids, all_of=all_of, show=None if as_json else click.echo))
    if as_json:
        show_json([report.to_json() for report in reports])
    return code


@dead_letters.command("discard")
@click.argument("letter_ids", nargs=-1, required=True)
@click.pass_obj
def discard_letters(load: Loader, letter_ids: tuple[str, ...]) -> int:
    """Let these be; a newer version of the record opens them again.

    A letter about an unknown outcome: this says that the record is in the destination, or not wanted there.
    """
    from ..actions.runs import discard

    count = finished(discard(load(), letter_ids))
    click.echo(f"{count} discarded")
    return EXIT_DONE

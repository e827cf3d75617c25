"""Commands about what is kept: forget a person, clean up, seal anew."""

from __future__ import annotations

import click

from ..exits import EXIT_DONE, EXIT_PARTIAL
from .common import AS_JSON, Loader, finished, show_json


@click.command()
@click.argument("stream")
@click.argument("source_ids", nargs=-1, required=True)
@click.option("--keep-files", is_flag=True, help="Do not write the files anew; do it later, with `cleanup --compact`.")
@AS_JSON
@click.pass_obj
def forget(load: Loader, stream: str, source_ids: tuple[str, ...], keep_files: bool, as_json: bool) -> int:
    """Erase records of STREAM, by their source identities, from everything that is kept here.

    Links, dead letters, before-images, conflicts, waiting records, bodies of deliveries, intents and history. What the two
    systems hold is theirs: delete the records there first, or the next run reads them again.
    """
    from ..actions.runs import forget_records

    found = finished(forget_records(load(), stream, source_ids, compact=not keep_files))
    if as_json:
        show_json(found)
    else:
        rows = ", ".join(f"{count} {name}" for name, count in sorted(found["erased"].items())) or "nothing was kept"
        click.echo(f"{found['records']} records of {stream} forgotten: {rows}")
        if not found["files_are_clean"] and not keep_files:
            click.echo(
                "somebody was reading, so the files may hold traces still: run `cleanup --compact` again", err=True
            )
    return EXIT_DONE if found["files_are_clean"] or keep_files else EXIT_PARTIAL


@click.command()
@click.option("--reseal", is_flag=True, help="Bring everything that is stored under the newest key of STATE_KEY.")
@click.option("--unseal", is_flag=True, help="Store everything as it is; then take STATE_KEY away.")
@click.option("--compact", is_flag=True, help="Take what was deleted out of the files too.")
@AS_JSON
@click.pass_obj
def cleanup(load: Loader, reseal: bool, unseal: bool, compact: bool, as_json: bool) -> int:
    """Delete what is over and older than `retention` says. Scheduled runs do a part of it by themselves."""
    from ..actions.runs import clean_up

    if reseal and unseal:
        raise click.UsageError("--reseal and --unseal exclude each other")
    found = clean_up(load(), reseal=reseal, unseal=unseal, compact=compact)
    if as_json:
        show_json(found)
        return EXIT_DONE
    rows = ", ".join(f"{count} {name}" for name, count in sorted(found["deleted"].items())) or "nothing to delete"
    click.echo(f"deleted: {rows}" if found["deleted"] else rows)
    if found["sealed_anew"] is not None:
        click.echo(f"{found['sealed_anew']} values {'opened' if unseal else 'sealed anew'}")
    if found["is_compact"] is False:
        click.echo("somebody was reading, so the files were not written anew: run it again", err=True)
    return EXIT_DONE

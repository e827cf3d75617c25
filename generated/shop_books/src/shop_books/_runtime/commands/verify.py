"""The command that compares both sides."""

from __future__ import annotations

import click

from ..exits import EXIT_DONE, EXIT_PARTIAL
from .common import AS_JSON, Loader, finished, show_json


@click.command()
@click.argument("stream", required=False)
@click.option("--repair", is_flag=True, help="Write what is missing or different again, then compare once more.")
@AS_JSON
@click.pass_obj
def verify(load: Loader, stream: str | None, repair: bool, as_json: bool) -> int:
    """Compare both sides of one STREAM, or of all, by link and content.

    Exit code 3 when something is missing, different, unlinked or there twice at the destination.
    """
    from ..actions.verify import verify_streams

    reports = finished(verify_streams(load(), stream, repair=repair))
    if as_json:
        show_json([report.to_json() for report in reports])
    else:
        for report in reports:
            for line in report.lines():
                click.echo(line)
    return EXIT_PARTIAL if any(report.exit_code for report in reports) else EXIT_DONE

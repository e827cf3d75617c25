"""`vitesse test`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from .options import folder_argument, json_option, out_option, package_folder
from .show import places_are_in, progress, show_json

EXAMPLE = """\b
Example:
  vitesse test integrations/shopify_credo
  vitesse test integrations/shopify_credo --junit health.xml --report health.json
"""


@click.command("test", epilog=EXAMPLE)
@folder_argument
@out_option
@click.option("--calls", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Shadow calls in all.")
@click.option("--seed", type=int, default=0, help="Another seed, other synthetic records.")
@click.option(
    "--wheels",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Install from this folder of wheels; no index is asked.",
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON here too.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JUnit XML here too."
)
@json_option
def command(
    folder: Path,
    out: Path | None,
    calls: int,
    seed: int,
    wheels: Path | None,
    report: Path | None,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Run a package's own tests and shadow calls in a clean environment, and score it.

    Both APIs are the package's mocks on this machine: nothing real is called or written. Exit code 1 when the gate is closed.
    """
    import json
    import os

    from ..diagnostics import Exit
    from ..guardian import examine, report_form, report_junit, report_text

    package = package_folder(folder, out)
    places_are_in(folder)
    found = examine(
        package,
        cache=cache_folder(os.environ),
        environ=os.environ,
        wheels=wheels,
        calls=calls,
        seed=seed,
        say=progress,
    )
    form = report_form(found)
    if report is not None:
        report.write_text(json.dumps(form, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if junit is not None:
        junit.write_text(report_junit(found), encoding="utf-8")
    if as_json:
        show_json(form)
    else:
        click.echo(report_text(found), nl=False)
    return Exit.DONE if found.passed else Exit.FAILED


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where clean environments are kept: `VITESSE_CACHE`, else the user's cache folder."""
    if own := environ.get("VITESSE_CACHE"):
        return Path(own) / "environments"
    home = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "vitesse" / "environments"

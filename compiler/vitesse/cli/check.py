"""`vitesse check`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import folders_argument, json_option, out_option, package_folder
from .show import places_are_in, show_diagnostics, show_json

EXAMPLE = """\b
Example:
  vitesse check integrations/*          in CI: exit code 1 when a package is not what its sources say
  vitesse check integrations/x --format github
"""


@click.command("check", epilog=EXAMPLE)
@folders_argument
@out_option
@click.option(
    "--format", "form", type=click.Choice(["text", "github"]), default="text", help="`github` prints annotations."
)
@json_option
def command(folders: tuple[Path, ...], out: Path | None, form: str, as_json: bool) -> int:
    """Fail when a package is stale, edited by hand, a draft, or when a review no longer holds. Writes nothing."""
    from ..diagnostics import Exit
    from ..diagnostics.forms import diagnostic_forms, render_annotations
    from ..workflow.check import check_integration

    results = []
    holds = True
    for folder in folders:
        places_are_in(folder)
        target = package_folder(folder, out)
        found = check_integration(folder, target)
        holds = holds and found.holds
        if as_json:
            results.append(
                {
                    "integration": str(folder),
                    "package": str(target),
                    "holds": found.holds,
                    "diagnostics": diagnostic_forms(found.diagnostics),
                    "diff": found.diff,
                }
            )
            continue
        if form == "github":
            click.echo(render_annotations(found.diagnostics, folder, prefix=f"{folder.as_posix()}/"), nl=False)
        else:
            show_diagnostics(found.diagnostics, folder)
        if found.diff:
            click.echo(found.diff)
        click.echo(f"{target}: {'holds' if found.holds else 'does not hold'}", err=not found.holds)
    if as_json:
        show_json(results)
    return Exit.DONE if holds else Exit.FAILED

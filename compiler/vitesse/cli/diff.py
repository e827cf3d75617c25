"""`vitesse diff`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import folder_argument
from .show import places_are_in

EXAMPLE = """\b
Example:
  vitesse diff integrations/shopify_credo --base origin/main --format markdown
"""


@click.command("diff", epilog=EXAMPLE)
@folder_argument
@click.option("--base", metavar="REV", default="HEAD", show_default=True, help="The git revision to compare with.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "github", "json"]),
    default="text",
    show_default=True,
    help="`markdown` is the entry for a changelog or a pull request.",
)
def command(folder: Path, base: str, form: str) -> int:
    """Say in words what changed in the mappings and facts since a revision."""
    from ..diagnostics import Exit
    from ..diagnostics.terminal import visible
    from ..rules.diff import render_diff
    from ..workflow.diff import diff_integration

    places_are_in(folder)
    found = diff_integration(folder, base)
    if form == "json":
        from ..api.canonical import canonical
        from .show import show_json

        show_json(
            {
                "rules": [
                    {"stream": diff.stream, "change": change.kind, "rule": change.id, "parts": canonical(change.parts)}
                    for diff in found.rules
                    for change in diff.rules
                ],
                "waivers": [
                    {"stream": diff.stream, "field": part.what, "before": part.before, "after": part.after}
                    for diff in found.rules
                    for part in diff.waivers
                ],
                "facts": [
                    {"api": change.api, "operation": change.operation, "fact": change.kind, "change": change.in_words()}
                    for change in found.facts
                ],
            }
        )
        return Exit.DONE
    if found.is_empty:
        click.echo(f"nothing changed since {base}", err=True)
        return Exit.DONE
    click.echo(render_diff(found.rules, form), nl=False)  # type: ignore[arg-type]
    if found.facts and form != "github":
        click.echo("\n### facts\n" if form == "markdown" else "facts:")
        for change in found.facts:
            click.echo(f"{'*' if form == 'markdown' else '  ~'} {change.api}: {visible(change.in_words())}")
    return Exit.DONE

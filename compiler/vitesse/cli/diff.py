"""`vitesse diff`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import folder_argument
from .show import places_are_in, show_json

if TYPE_CHECKING:
    from ..workflow.diff import IntegrationDiff

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
    """Say in words what changed in the mappings, the specs' fields and the facts since a revision.

    Each changed rule with a value in and out, before and after, and who stands behind it; below, the destination fields that nothing
    fills and the source fields that nothing reads. `github` prints annotations, and writes the rest to the job's summary where
    GITHUB_STEP_SUMMARY names one.
    """
    from ..diagnostics import Exit
    from ..diagnostics.terminal import visible
    from ..workflow.diff import diff_integration
    from ..workflow.diff_words import render_diff

    places_are_in(folder)
    found = diff_integration(folder, base)
    if form == "json":
        show_json(_json(found))
        return Exit.DONE
    for note in found.notes:
        click.echo(f"note: {visible(note)}", err=True)
    if found.is_empty:
        click.echo(f"nothing changed since {base}", err=True)
        return Exit.DONE
    facts = [(change.api, change.in_words()) for change in found.facts]
    click.echo(render_diff(found.rules, form, facts=facts, root=folder, prefix=found.prefix), nl=False)  # type: ignore[arg-type]
    if form == "github":
        summary = f"## Mapping of {folder.resolve().name}\n\n{render_diff(found.rules, 'markdown', facts=facts)}\n"
        if target := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(target).open("a", encoding="utf-8") as file:
                file.write(summary)
        else:
            click.echo(
                summary.replace("##[", "# #["), nl=False
            )  # which some CI services take for a command, wherever it stands
    return Exit.DONE


def _json(found: IntegrationDiff) -> dict[str, Any]:
    from ..api.canonical import canonical

    return {
        "rules": [
            {
                "stream": diff.stream,
                "change": change.kind,
                "rule": change.id,
                "parts": canonical(change.parts),
                "sample_before": change.sample_before or None,
                "sample_after": change.sample_after or None,
                "review": change.review or None,
            }
            for diff in found.rules
            for change in diff.rules
        ],
        "waivers": [
            {"stream": diff.stream, "field": part.what, "before": part.before, "after": part.after}
            for diff in found.rules
            for part in diff.waivers
        ],
        "fields": [
            {"stream": diff.stream, **canonical(change)}  # type: ignore[dict-item]
            for diff in found.rules
            for change in diff.fields
        ],
        "left": [
            {"stream": diff.stream, "unfilled": list(diff.unfilled), "unread": list(diff.unread)}
            for diff in found.rules
        ],
        "facts": [
            {"api": change.api, "operation": change.operation, "fact": change.kind, "change": change.in_words()}
            for change in found.facts
        ],
        "notes": list(found.notes),
    }

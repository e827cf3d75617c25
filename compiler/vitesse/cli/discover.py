"""`vitesse discover`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import json_option
from .show import show_json

EXAMPLE = """\b
Example:
  vitesse discover shopify
  vitesse discover "our billing" --catalogue house.toml --json
"""


@click.command("discover", epilog=EXAMPLE)
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--catalogue",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Look in this file of the catalogue's form too, first.",
)
@click.option(
    "--plugin", "plugins", metavar="NAME", multiple=True, help="Look at the vendors of an installed plugin too."
)
@json_option
def command(words: tuple[str, ...], files: tuple[Path, ...], plugins: tuple[str, ...], as_json: bool) -> int:
    """Say what is known of an API: where it is, how to sign in, its limits, where its description lies.

    Nothing is fetched. Exit code 1 when nothing is known.
    """
    from ..api.canonical import canonical
    from ..diagnostics import Exit
    from ..diagnostics.terminal import visible
    from ..ingest.catalogue import load_catalogue, plugin_entries, search
    from ..registry import load_plugin

    own = [entry for file in files for entry in load_catalogue(file)]
    known = [*own, *plugin_entries(load_plugin(name) for name in plugins), *load_catalogue()]
    found = search(known, " ".join(words))
    if as_json:
        show_json([canonical(entry) for entry in found])
        return Exit.DONE if found else Exit.FAILED
    if not found:
        click.echo("nothing is known under these words; `--catalogue FILE` adds your own", err=True)
        return Exit.FAILED
    for entry in found:
        click.echo(visible(f"{entry.name} (confidence {entry.confidence:g}, {entry.origin})"))
        for what, text in (
            ("base url", entry.base_url),
            ("sign-in", entry.auth),
            ("limits", entry.limits),
            ("docs", entry.docs),
            *(("spec", url) for url in entry.specs),
        ):
            if text:
                click.echo(visible(f"  {what:9} {text}"))
    return Exit.DONE

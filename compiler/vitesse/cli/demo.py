"""`vitesse demo`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import json_option
from .show import show_json

EXAMPLE = """\b
Example:
  vitesse demo
  vitesse demo --keep here     keep the integration, the package and the state
"""


@click.command("demo", epilog=EXAMPLE)
@click.option(
    "--keep", metavar="DIR", type=click.Path(path_type=Path), help="Work in this new folder and leave it there."
)
@json_option
def command(keep: Path | None, as_json: bool) -> int:
    """Compile, install and run the Shopify → Credo CRM example on its mock APIs. Needs no account and no credential."""
    import os
    from tempfile import TemporaryDirectory

    from ..diagnostics import Exit
    from ..workflow.demo import run_demo
    from .test import cache_folder

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    cache = cache_folder(os.environ)

    if keep is not None:
        if keep.exists():
            raise click.UsageError(f"`{keep}` is there already; name a new folder")
        keep.mkdir(parents=True)
        result = run_demo(keep.resolve(), cache, os.environ, say)
    else:
        with TemporaryDirectory(prefix="vitesse-demo-") as name:
            result = run_demo(Path(name).resolve(), cache, os.environ, say)
    if as_json:
        show_json(result)
    return Exit.DONE if result["passed"] else Exit.FAILED

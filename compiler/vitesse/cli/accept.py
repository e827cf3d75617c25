"""`vitesse accept`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import folder_argument, json_option
from .show import places_are_in, show_diagnostics, show_json

if TYPE_CHECKING:
    from ..diagnostics import Diagnostic

EXAMPLE = """\b
Example:
  vitesse accept integrations/shopify_credo customers.email customers.phone_number
  vitesse accept integrations/shopify_credo --all --by ana
"""

_SHOWN = 12
"""Lines of what is still to be done."""


@click.command("accept", epilog=EXAMPLE)
@folder_argument
@click.argument("selection", metavar="[STREAM[.RULE]]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Accept every open rule and fact of every stream.")
@click.option(
    "--accept-above",
    "above",
    type=click.FloatRange(0.5, 1.0),
    help="Accept rules proposed with at least this confidence.",
)
@click.option("--by", metavar="NAME", help="Who accepts.  [default: git's user.name, else the login name]")
@json_option
def command(
    folder: Path, selection: tuple[str, ...], everything: bool, above: float | None, by: str | None, as_json: bool
) -> int:
    """Record that you have read rules and facts and stand behind them.

    A rule that holds can be accepted whatever is still missing beside it; what is missing is told. An acceptance
    holds for the rule's text and for the schemas of its fields: when either changes, the rule is open again.
    """
    from datetime import UTC, datetime

    from ..diagnostics import Exit
    from ..diagnostics.forms import diagnostic_forms
    from ..workflow.accept import accept

    if not selection and not everything and above is None:
        raise click.UsageError("name what you accept: STREAM, STREAM.RULE, --all or --accept-above")
    places_are_in(folder)
    today = datetime.now(UTC).date().isoformat()
    done = accept(folder, selection, everything=everything, above=above, by=by or who(), on=today)
    show_diagnostics(done.refused)
    if as_json:
        forms = {"refused": diagnostic_forms(done.refused), "left": diagnostic_forms(done.left)}
        show_json({"rules": done.rules, "facts": done.facts, **forms})
    else:
        for text in (*done.rules, *done.facts):
            click.echo(f"accepted {text}")
        if not done.rules and not done.facts and not done.refused:
            click.echo("nothing more to accept" if done.left else "nothing was open")
        for line in _left(done.left):
            click.echo(line)
    if not done.refused:
        return Exit.DONE
    return Exit.PARTIAL if done.rules or done.facts else Exit.FAILED


def _left(left: Sequence[Diagnostic]) -> Iterator[str]:
    """What is still to be done before the integration can be built, in a few lines."""
    unread = [one for one in left if one.code in ("V450", "V451", "V453")]
    if unread:
        yield f"{len(unread)} rules are still to be read"
    others = [one for one in left if one not in unread]
    for one in others[:_SHOWN]:
        yield f"still to do: {one.message}"
    if len(others) > _SHOWN:
        yield f"and {len(others) - _SHOWN} more"


def who() -> str:
    """The name of the person at the keyboard."""
    import getpass
    import subprocess

    try:
        found = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=5, check=False)
        if found.stdout.strip():
            return found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise click.UsageError("say who accepts: --by NAME") from None

"""What the files of commands share. A command is a click command with the loader of the integration as its object."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..declare import Integration

T = TypeVar("T")
Loader = Callable[[], "Integration"]
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Commands(click.Group):
    """Tells of each command with its whole first paragraph; click would cut it after a few words."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            rows = [(name, command.get_short_help_str(limit=200)) for name, command in sorted(self.commands.items())]
            formatter.write_dl(rows)


def show_json(value: Any) -> None:
    """Print a value for programs."""
    click.echo(json.dumps(value, indent=2, default=str))


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Carry out what is asynchronous."""
    from ..http.loops import run

    return run(work)

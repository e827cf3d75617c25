"""How commands show what they found: diagnostics on the error stream, results on the output, progress only to people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ..diagnostics import Diagnostic


def show_diagnostics(diagnostics: Iterable[Diagnostic], root: Path | None = None) -> None:
    """Print diagnostics as a person reads them, in colour on a terminal."""
    from ..diagnostics.terminal import render_terminal

    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    text = render_terminal(diagnostics, root or _ROOT.get("folder"), colour=colour)
    if text:
        click.echo(text, err=True)


_ROOT: dict[str, Path] = {}


def places_are_in(folder: Path) -> None:
    """Name the folder that diagnostics of this command are relative to, so that excerpts can be shown."""
    _ROOT["folder"] = folder


def show_json(value: object) -> None:
    """Print one JSON value, for machines."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=False, default=str))


def progress(text: str) -> None:
    """Say what goes on now, on the error stream."""
    click.echo(text, err=True)

"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def folder_argument(function: F) -> F:
    """DIR: one integration's folder."""
    return click.argument("folder", metavar="DIR", type=FOLDER)(function)


def folders_argument(function: F) -> F:
    """DIR…: one or more integration folders."""
    return click.argument("folders", metavar="DIR...", type=FOLDER, nargs=-1, required=True)(function)


def json_option(function: F) -> F:
    """--json: the result as JSON on the output."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(function)


def out_option(function: F) -> F:
    """--out: where packages are written."""
    return click.option(
        "--out",
        metavar="FOLDER",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where packages go.  [default: generated/]",
    )(function)


def bundle_option(function: F) -> F:
    """--folder: what the references of a spec in several files may not leave."""
    return click.option(
        "--folder",
        "bundle",
        metavar="DIR",
        type=FOLDER,
        help="What references of a spec in several files may not leave.  [default: the folder of its root file]",
    )(function)


def require_inside(bundle: Path | None, specs: Iterable[Path]) -> None:
    """Refuse a `--folder` that none of the specs lies in."""
    if bundle is not None and not any(bundle_of(path, bundle) for path in specs):
        raise click.BadParameter(f"no given spec lies in `{bundle}`", param_hint="--folder")


def bundle_of(path: Path, bundle: Path | None) -> Path | None:
    """The folder, for a spec that lies in it; the other specs of a command keep their own."""
    return bundle if bundle is not None and path.resolve().is_relative_to(bundle.resolve()) else None


def package_folder(folder: Path, out: Path | None) -> Path:
    """Where the package of an integration is: `<out>/<name of its folder>`; without `out` below `generated/` here."""
    return (out if out is not None else Path("generated")) / folder.resolve().name

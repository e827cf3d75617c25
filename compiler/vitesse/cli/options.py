"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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


def jobs_option(function: F) -> F:
    """--jobs: how many processes work at a time."""
    return click.option(
        "--jobs",
        metavar="N",
        type=click.IntRange(1, 1024),
        help="Integrations to compile at a time.  [default: one on each core, as far as memory goes]",
    )(function)


def shard_option(function: F) -> F:
    """--shard: the part of the integrations that this machine takes."""
    return click.option(
        "--shard",
        metavar="K/N",
        callback=_shard,
        help="Take the K-th of N equal parts. The parts depend on the integrations' names only.",
    )(function)


def _shard(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", value)
    if found is None:
        raise click.BadParameter(f"`{value}` is not K/N, such as 2/4")
    number, of = int(found[1]), int(found[2])
    if not 1 <= number <= of:
        raise click.BadParameter(f"`{value}`: K goes from 1 to N")
    return number, of


def integrations(folders: Iterable[Path], shard: tuple[int, int] | None = None) -> list[Path]:
    """The integrations that DIR… mean, or the shard of them."""
    from ..workflow.folders import SameName, find_integrations, take_share

    try:
        found = find_integrations(folders)
    except SameName as error:
        raise click.UsageError(
            f"{error}: their packages would be one; build them into two folders with --out"
        ) from None
    return found if shard is None else take_share(found, *shard)


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


def fetch_options(function: F) -> F:
    """--allow-http, --allow-private: what may be fetched from beside public https."""
    function = click.option("--allow-private", is_flag=True, help="Fetch from private and local addresses too.")(
        function
    )
    return click.option("--allow-http", is_flag=True, help="Fetch without encryption too.")(function)


def spec_url_option(function: F) -> F:
    """--spec-url: descriptions to fetch."""
    return click.option(
        "--spec-url",
        "spec_urls",
        metavar="API=URL",
        multiple=True,
        callback=_spec_urls,
        help="Fetch the API's spec first: its own address, or the API's, whose usual places are asked.",
    )(function)


def _spec_urls(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for value in values:
        name, sign, url = value.partition("=")
        if not sign or "://" not in url or not re.fullmatch(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", name):
            raise click.BadParameter("a value is not API=URL")
        if name in found:
            raise click.BadParameter(f"`{name}` is given twice")
        found[name] = url
    return found


@contextmanager
def fetched_specs(urls: Mapping[str, str], *, allow_http: bool, allow_private: bool) -> Iterator[dict[str, Path]]:
    """API → a file with its description, for as long as the block lasts."""
    if not urls:
        yield {}
        return
    from tempfile import TemporaryDirectory

    from ..diagnostics.terminal import visible
    from ..ingest.fetch import Policy, shown
    from ..ingest.remote import fetch_spec

    policy = Policy(allow_http=allow_http, allow_private=allow_private)
    with TemporaryDirectory() as name:
        found = {}
        for api, url in urls.items():
            folder = Path(name, api)
            folder.mkdir()
            got = fetch_spec(url, folder, policy)
            click.echo(visible(f"{api}: {got.bytes} bytes from {shown(got.url)}"), err=True)
            found[api] = got.path
        yield found


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

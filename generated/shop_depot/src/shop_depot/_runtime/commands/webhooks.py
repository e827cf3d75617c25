"""Commands about webhooks at the vendor: list, register, unregister."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from ..exits import EXIT_DONE
from .common import AS_JSON, Commands, Loader, finished, show_json

if TYPE_CHECKING:
    from ..engine.opened import Opened
    from ..registration import Registered


@click.group(cls=Commands)
def webhooks() -> None:
    """Webhooks at the vendor: those that this package wants, below PUBLIC_URL."""


@webhooks.command("list")
@AS_JSON
@click.pass_obj
def list_webhooks(load: Loader, as_json: bool) -> int:
    """Say which of them are there; change nothing."""
    from ..registration import registrations

    return _told(load, registrations, as_json)


@webhooks.command("register")
@AS_JSON
@click.pass_obj
def register_webhooks(load: Loader, as_json: bool) -> int:
    """Make those that are missing; what is there stays as it is."""
    from ..registration import register

    return _told(load, register, as_json)


@webhooks.command("unregister")
@click.option("--url", metavar="URL", help="Those below this URL, such as the PUBLIC_URL of before.")
@AS_JSON
@click.pass_obj
def unregister_webhooks(load: Loader, url: str | None, as_json: bool) -> int:
    """Remove this package's own below PUBLIC_URL, or below another URL."""
    from ..registration import unregister

    return _told(load, unregister, as_json, url)


def _told(
    load: Loader,
    act: Callable[[Opened, str | None], Awaitable[list[Registered]]],
    as_json: bool,
    url: str | None = None,
) -> int:
    from ..actions.runs import working
    from ..serving import public_url

    async def carry_out() -> list[Any]:
        async with working(load()) as found:
            return await act(found, url or public_url())

    found = finished(carry_out())
    if as_json:
        show_json([each.to_json() for each in found])
    else:
        for each in found:
            click.echo(f"{each.state}: {', '.join(each.topics)} -> {each.url}")
    return EXIT_DONE

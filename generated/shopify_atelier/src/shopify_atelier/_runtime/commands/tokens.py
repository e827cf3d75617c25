"""Commands about tokens that are fetched with OAuth2: how they stand, and a new sign-in."""

from __future__ import annotations

import sys

import click

from ..exits import EXIT_DONE, EXIT_INPUT
from .common import AS_JSON, Commands, Loader, finished, show_json


@click.group(cls=Commands)
def token() -> None:
    """Tokens of the APIs that sign in with OAuth2. No command shows one."""


@token.command("show")
@AS_JSON
@click.pass_obj
def show(load: Loader, as_json: bool) -> int:
    """Say of each API whether it is signed in, until when, and why not."""
    from ..actions.runs import reading
    from ..actions.tokens import tokens_of

    with reading(load()) as (integration, state):
        found = tokens_of(integration, state)
    if as_json:
        show_json(found)
    else:
        for each in found:
            click.echo(f"{each['api']}: {each['text']}")
        if not found:
            click.echo("no API signs in with OAuth2")
    return EXIT_INPUT if any(each["state"] == "needs_sign_in" for each in found) else EXIT_DONE


@token.command("sign-in")
@click.argument("api")
@click.option("--env", "name", metavar="NAME", help="Read the refresh token from this environment variable.")
@click.option("--file", "path", type=click.Path(), metavar="PATH", help="Read it from this file; - is standard input.")
@click.option("--no-check", is_flag=True, help="Store it without fetching an access token.")
@click.pass_obj
def sign_in(load: Loader, api: str, name: str | None, path: str | None, no_check: bool) -> int:
    """Store a new refresh token of API, as its consent page gave it, and fetch an access token with it.

    \b
    The token is never an argument, where other users of the machine could read it:
      token sign-in credo                       asks for it, or reads standard input
      token sign-in credo --env NEW_TOKEN
      token sign-in credo --file /run/secrets/credo
    """
    from ..actions.tokens import given_token, sign_in, takes_sign_in

    if name is not None and path is not None:
        raise click.UsageError("--env and --file exclude each other")
    integration = load()
    takes_sign_in(integration, api)  # before anybody is asked for a secret
    if name is None and path is None and sys.stdin.isatty():
        refresh = given_token(text=click.prompt("refresh token", hide_input=True))
    else:
        refresh = given_token(name=name, path=path or (None if name else "-"))
    click.echo(f"{api}: {finished(sign_in(integration, api, refresh, check=not no_check))}")
    return EXIT_DONE

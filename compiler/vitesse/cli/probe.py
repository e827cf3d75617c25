"""`vitesse probe`."""

from __future__ import annotations

import os
import re

import click

from .options import fetch_options, json_option
from .show import show_json

EXAMPLE = """\b
Example:
  vitesse probe https://api.credo.example/v1/contacts --header X-Api-Key=CREDO_API_KEY
  vitesse probe https://api.github.com/user --bearer GITHUB_TOKEN
"""


@click.command("probe", epilog=EXAMPLE)
@click.argument("url")
@click.option("--bearer", metavar="ENV", help="The environment variable that holds a bearer token.")
@click.option(
    "--header", "headers", metavar="NAME=ENV", multiple=True, help="A header, and the variable with its value."
)
@click.option("--basic", metavar="ENV:ENV", help="The variables that hold a user name and a password.")
@fetch_options
@json_option
def command(
    url: str,
    bearer: str | None,
    headers: tuple[str, ...],
    basic: str | None,
    allow_http: bool,
    allow_private: bool,
    as_json: bool,
) -> int:
    """Ask one address whether it answers, and whether it takes a credential from the environment.

    One GET. Neither the credential nor what the reply holds is printed. Exit code 1 when the reply is no success.
    """
    from time import monotonic

    from ..diagnostics import Exit
    from ..diagnostics.terminal import visible
    from ..ingest.fetch import Policy, fetch, shown

    sent = _credentials(bearer, headers, basic)
    start = monotonic()
    reply = fetch(url, Policy(allow_http=allow_http, allow_private=allow_private), headers=sent)
    took_s = monotonic() - start
    verdict = _verdict(reply.status, bool(sent) and reply.same_origin)
    if sent and not reply.same_origin:
        verdict += "; it stands on another origin, where the credential is not sent: probe that address itself"
    kind = reply.headers.get("content-type", "").partition(";")[0].strip()
    if not re.fullmatch(r"[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80}", kind):
        kind = "unknown"
    good = 200 <= reply.status < 300
    if as_json:
        form = {"url": shown(reply.url), "address": reply.address, "status": reply.status, "media_type": kind}
        show_json({**form, "bytes": len(reply.content), "took_s": round(took_s, 3), "verdict": verdict})
    else:
        click.echo(visible(f"{shown(reply.url)} at {reply.address}: status {reply.status} in {took_s:.2f} s"))
        click.echo(visible(f"  {len(reply.content)} bytes of {kind}"))
        click.echo(f"  {verdict}")
    return Exit.DONE if good else Exit.FAILED


def _credentials(bearer: str | None, headers: tuple[str, ...], basic: str | None) -> dict[str, str]:
    from base64 import b64encode

    sent: dict[str, str] = {}
    for given in headers:
        name, sign, env = given.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z0-9-]{1,80}", name):
            raise click.BadParameter("a value is not NAME=ENV", param_hint="--header")
        sent[name.lower()] = _value(env)
    if bearer is not None and basic is not None:
        raise click.UsageError("--bearer and --basic exclude each other")
    if bearer is not None:
        sent["authorization"] = f"Bearer {_value(bearer)}"
    if basic is not None:
        user, _, password = basic.partition(":")
        sent["authorization"] = "Basic " + b64encode(f"{_value(user)}:{_value(password)}".encode()).decode("ascii")
    return sent


def _value(env: str) -> str:
    """What the environment holds. A name that is none may be the secret itself: it is not repeated."""
    from ..diagnostics import Diagnostic, DiagnosticError

    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,127}", env):
        raise click.UsageError("a credential is given by the name of an environment variable: capitals, digits and `_`")
    value = os.environ.get(env, "")
    if not value:
        message = f"the environment variable `{env}` is not set"
        raise DiagnosticError([Diagnostic(code="V307", message=message, help=f"set `{env}` and run it again")])
    return value


def _verdict(status: int, signed: bool) -> str:
    match status:
        case _ if 200 <= status < 300:
            return "answers, and takes the credential" if signed else "answers without a credential"
        case 401 | 403:
            return "refuses the credential" if signed else "asks for a credential"
        case 404:
            return "answers, and has nothing at this path"
        case 429:
            return "answers, and asks to wait"
        case _ if status >= 500:
            return "fails on its side"
        case _:
            return "answers, and does not take the request"

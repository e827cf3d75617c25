"""The sample signed in to in each way, and a program that carries out commands of its command line, one a line.

{"kind": "query", "args": ["sync"], "environ": {…}}    → what the command prints, then a line `<<CODE>>`
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from typing import Any

from runtime import cli
from runtime.actions import runs as actions
from runtime.declare import ApiKey, Auth, Basic, Bearer, Env, Integration, OAuth2
from tests.runtime.sample.app import INTEGRATION as SAMPLE

SECRET = Env("SHOPIFY_SECRET", secret=True)
KINDS: dict[str, Auth] = {
    "header": ApiKey(value=SECRET, name="X-Shopify-Access-Token"),
    "query": ApiKey(value=SECRET, name="key", location="query"),
    "cookie": ApiKey(value=SECRET, name="session", location="cookie"),
    "basic": Basic(username="ada", password=SECRET),
    "bearer": Bearer(token=SECRET),
}
OAUTH = OAuth2(
    grant="refresh_token",
    token_url="/oauth/token",
    client_id="client",
    client_secret=Env("CREDO_CLIENT_SECRET", secret=True),
    refresh_token=Env("CREDO_REFRESH_TOKEN", secret=True),
)


def integration(kind: str) -> Integration:
    """The source signed in to in this way, the destination with OAuth2."""
    destination = replace(SAMPLE.destination, auth=OAUTH)
    webhooks = tuple(replace(each, secret=Env("SHOPIFY_WEBHOOK_SECRET", secret=True)) for each in SAMPLE.webhooks)
    return replace(SAMPLE, source=replace(SAMPLE.source, auth=KINDS[kind]), destination=destination, webhooks=webhooks)


def break_with(secret: str) -> None:
    """A bug whose text, whose cause and whose local values hold a secret."""
    payload = {"authorization": secret}
    try:
        raise ValueError(f"cannot read {payload}")
    except ValueError as error:
        raise RuntimeError(f"while sending {secret}") from error


def carry_out(kind: str, arguments: list[str], breaks: bool) -> Any:
    """One command, as the package's own entry point does it."""
    original = actions.summary

    def broken(run: dict[str, Any]) -> str:
        thread = threading.Thread(target=break_with, args=(os.environ["SHOPIFY_SECRET"],))
        thread.start()
        thread.join()
        break_with(os.environ["CREDO_CLIENT_SECRET"])
        return ""

    if breaks:
        actions.summary = broken
    sys.argv = ["shopify-credo", *arguments]
    try:
        cli.run("shopify-credo", lambda: integration(kind))
    except SystemExit as ended:
        return ended.code
    finally:
        actions.summary = original


def main() -> None:
    """Commands from standard input until it ends."""
    before = dict(os.environ)
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.clear()
        os.environ.update({**before, **asked["environ"]})
        code = carry_out(asked["kind"], asked["args"], asked.get("breaks", False))
        sys.stderr.flush()
        print(f"<<{code}>>", flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        cli.run("shopify-credo", lambda: integration("header"))
    main()

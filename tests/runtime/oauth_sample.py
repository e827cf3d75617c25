"""The sample whose destination signs in with OAuth2, and its command: `python -m tests.runtime.oauth_sample`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx

from runtime.cli import run
from runtime.declare import Env, OAuth2
from tests.runtime.fakes import Credo
from tests.runtime.oauth_server import OAuthServer
from tests.runtime.sample.app import INTEGRATION as SAMPLE

INTEGRATION = replace(
    SAMPLE,
    destination=replace(
        SAMPLE.destination,
        auth=OAuth2(
            grant="refresh_token",
            token_url="/oauth/token",
            client_id="client",
            client_secret=Env("CREDO_CLIENT_SECRET", secret=True),
            refresh_token=Env("CREDO_REFRESH_TOKEN", secret=True),
            url_env="CREDO_TOKEN_URL",
        ),
    ),
)
ENVIRON = {"CREDO_CLIENT_SECRET": "s3cret:/client", "CREDO_REFRESH_TOKEN": "refresh-0"}


def behind(server: OAuthServer, credo: Credo) -> Callable[[httpx.Request], httpx.Response]:
    """Credo, which takes the tokens of this server only."""

    def answer(request: httpx.Request) -> httpx.Response:
        gate = server(request)
        if request.url.path.endswith("/token") or gate.status_code != 200:
            return gate
        request.headers["x-api-key"] = "credo_planted"
        return credo(request)

    return answer


if __name__ == "__main__":
    run("shopify-credo", lambda: INTEGRATION)

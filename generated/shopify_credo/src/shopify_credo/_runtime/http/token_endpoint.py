"""One request for a token → what was granted, or a refusal that holds no secret."""

from __future__ import annotations

import base64
import math
import re
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
import msgspec

from ..clock import Clock
from ..declare import Api, OAuth2, Operation, Parameter
from ..errors import (
    ApiError,
    IntegrationError,
    Throttled,
)
from ..settings import Settings
from .limiter import MAX_PAUSE_S
from .retry import RetryPolicy

ASK_DEADLINE_S = 10.0
ASK_POLICY = RetryPolicy(max_attempts=3, max_wait_s=10.0, give_up_after_s=35.0)
MAX_TOKEN_BYTES = 256 * 1024


class Refused(Exception):
    """The token endpoint says no. The text holds no secret."""


class Granted(msgspec.Struct):
    """What the token endpoint gave."""

    access: str
    refresh: str | None
    lives_s: float | None


class Asker:
    """One request to the token endpoint, through the same guarded wire as every other request."""

    def __init__(
        self,
        api: Api,
        auth: OAuth2,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None,
        clock: Clock,
    ) -> None:
        from .session import open_api

        parts = urlsplit(url := settings.token_url(api, auth))
        path = url[len(f"{parts.scheme}://{parts.netloc}") :]
        self._auth = auth
        self._settings = settings
        self._title = api.title
        self._operation = Operation(
            id=f"POST {parts.path or '/'}",
            api=f"{api.name} (sign-in)",
            method="POST",
            path=path,
            parameters=(Parameter(argument="credential", name="Authorization", location="header"),),
            body="form",
            media_type="application/x-www-form-urlencoded",
        )
        self._session = open_api(
            Api(
                name=f"{api.name} (sign-in)",
                title=f"{api.title} (sign-in)",
                base_url=f"{parts.scheme}://{parts.netloc}",
            ),
            settings,
            transport=transport,
            clock=clock,
            policy=ASK_POLICY,
            deadline_s=ASK_DEADLINE_S,
            max_body_bytes=MAX_TOKEN_BYTES,
        )

    async def __call__(self, refresh: str | None) -> Granted:
        """Ask once, which may take several attempts.

        Raises:
            Refused: the server says no.
            IntegrationError: no answer that says yes or no.
        """
        auth, settings = self._auth, self._settings
        form: dict[str, Any] = {"grant_type": auth.grant}
        if refresh is not None:
            form["refresh_token"] = refresh
        if auth.scopes:
            form["scope"] = " ".join(auth.scopes)
        if auth.audience is not None:
            form["audience"] = auth.audience
        arguments: dict[str, object] = {}
        client_id = settings.text(auth.client_id)
        secret = settings.value(auth.client_secret).text if auth.client_secret is not None else None
        if auth.client_auth == "basic" and secret is not None:
            # RFC 6749 §2.3.1: both are form-encoded before they become a Basic credential.
            pair = base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
            settings.redactor.register(pair)
            arguments["credential"] = f"Basic {pair}"
        else:
            form["client_id"] = client_id
            if secret is not None:
                form["client_secret"] = secret
        try:
            reply = await self._session.request(self._operation, arguments=arguments, body=form, repeatable=True)
        except ApiError as error:
            if isinstance(error, Throttled) or error.status >= 500 or error.status in (408, 421, 425, 404, 405):
                raise
            raise Refused(_words(error.excerpt, f"status {error.status}")) from None
        return _read(reply.body)

    async def aclose(self) -> None:
        await self._session.aclose()


def _read(body: bytes) -> Granted:
    """RFC 6749 §5.1, and the replies of those who say `error` with status 200."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise IntegrationError("the token endpoint's reply is no JSON object")
    access = value.get("access_token")
    if not isinstance(access, str) or not access:
        if isinstance(value.get("error"), str):
            raise Refused(_code(value["error"]))
        raise IntegrationError("the token endpoint's reply holds no `access_token`")
    if re.search(r"[^!-~]", access):
        raise IntegrationError("the access token holds characters that no header has")
    if str(value.get("token_type", "bearer")).lower() in ("mac", "dpop", "pop"):
        raise IntegrationError("the token endpoint gives tokens that are not plain bearer tokens")
    refresh = value.get("refresh_token")
    return Granted(access, refresh if isinstance(refresh, str) and refresh else None, _seconds(value.get("expires_in")))


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return min(seconds, MAX_PAUSE_S * 3650) if math.isfinite(seconds) and seconds > 0 else None


_ERROR = re.compile(r"\"error\"\s*:\s*\"([A-Za-z0-9_. -]{1,60})\"")


def _words(excerpt: str, otherwise: str) -> str:
    found = _ERROR.search(excerpt)
    return f"the token endpoint says `{found[1]}`" if found else f"the token endpoint refuses ({otherwise})"


def _code(text: str) -> str:
    return f"the token endpoint says `{re.sub(r'[^A-Za-z0-9_. -]', '', text)[:60]}`"

"""What the commands do about fetched tokens: how they stand, and a new sign-in."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from ..clock import Clock
from ..declare import Api, Integration, OAuth2
from ..engine.opened import opened
from ..errors import RequestRefused
from ..http.oauth import TokenAuth, interrupted, seed_of
from ..setting_values import MAX_FILE_BYTES
from ..state import State

INTERRUPTED_S = 120.0
"""A refresh that was sent so long ago and has no stored end was interrupted."""


def fetched(integration: Integration) -> list[Api]:
    """The APIs whose tokens are fetched."""
    return [api for api in (integration.source, integration.destination) if isinstance(api.auth, OAuth2)]


def tokens_of(integration: Integration, state: State, now: float | None = None) -> list[dict[str, Any]]:
    """How the tokens of each API stand; never a token itself."""
    now = time.time() if now is None else now
    return [_token(api, state, now) for api in fetched(integration)]


def _token(api: Api, state: State, now: float) -> dict[str, Any]:
    row = state.tokens.get(api.name)
    is_cut = row.asked_at is not None and now - row.asked_at > INTERRUPTED_S
    if row.needs_sign_in:
        name, text = "needs_sign_in", f"{row.reason}; run `token sign-in {api.name}`"
    elif is_cut and row.asked_at is not None:
        name = "interrupted"
        text = f"{interrupted(row.asked_at)}, unless the server still takes the old one: the next run tries it"
    elif row.access is None:
        name, text = "none", "no access token yet; the next run fetches one"
    elif row.expires_at is None:
        name, text = "ok", "signed in"
    else:
        moment = datetime.fromtimestamp(row.expires_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        name, text = "ok", f"signed in; the access token {'is' if row.expires_at > now else 'was'} valid until {moment}"
    return {
        "api": api.name,
        "state": name,
        "text": text,
        "expires_at": row.expires_at,
        "refreshes": row.generation,
        "updated_at": row.updated_at or None,
    }


def given_token(*, name: str | None = None, path: str | None = None, text: str | None = None) -> str:
    """The refresh token from a variable, a file, standard input or a prompt. Errors never show it."""
    where = "what was typed"
    if name is not None:
        where, text = f"`{name}`", os.environ.get(name, "")
    elif path is not None:
        where = "standard input" if path == "-" else "the file"
        try:
            if path == "-":
                text = sys.stdin.read(MAX_FILE_BYTES)
            else:
                with Path(path).open(encoding="utf-8") as stream:
                    text = stream.read(MAX_FILE_BYTES)
        except (OSError, UnicodeError) as error:
            raise RequestRefused(f"{where} cannot be read: {type(error).__name__}") from None
    refresh = (text or "").strip()
    if not refresh:
        raise RequestRefused(f"{where} holds no refresh token")
    if any(character <= " " or character == "\x7f" for character in refresh):
        raise RequestRefused(f"{where} holds blanks or line breaks within the token")
    return refresh


def takes_sign_in(integration: Integration, name: str) -> Api:
    """The API of that name. Raises `RequestRefused`: there is none, or it takes no refresh token."""
    known = [api for api in fetched(integration) if isinstance(api.auth, OAuth2) and api.auth.grant == "refresh_token"]
    api = next((each for each in known if each.name == name), None)
    if api is None:
        names = ", ".join(f"`{each.name}`" for each in known) or "none"
        raise RequestRefused(f"no API `{name}` signs in with a refresh token; those that do: {names}")
    return api


async def sign_in(
    integration: Integration,
    name: str,
    refresh: str,
    *,
    check: bool = True,
    environ: Mapping[str, str] | None = None,
    transports: tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport] | None = None,
    clock: Clock | None = None,
) -> str:
    """Begin a new chain of refresh tokens; returns how it stands then.

    Raises:
        RequestRefused: no API of that name takes a refresh token.
        SignInNeeded: the token endpoint refuses this one too.
    """
    api = takes_sign_in(integration, name)
    async with opened(integration, environ, transports=transports, clock=clock) as found:
        found.settings.redactor.register(refresh)
        assert isinstance(api.auth, OAuth2)
        seed, now = seed_of(api.auth, found.settings), found.engine.clock.now()
        await found.state.call(lambda: found.state.tokens.sign_in(name, refresh=refresh, seed=seed, at=now))
        if not check:
            return "the refresh token is stored; the next run fetches an access token"
        session = found.source if found.source.api is api else found.destination
        assert isinstance(session.auth, TokenAuth)
        await session.auth.ready()
        return str((await found.state.call(lambda: _token(api, found.state, now)))["text"])

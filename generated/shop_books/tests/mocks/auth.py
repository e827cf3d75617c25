"""Whether a request is signed in as the package was told to sign in; for OAuth2, the server that gives the tokens."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from urllib.parse import parse_qs, unquote_plus

from aiohttp import web

from .form import AuthForm


class TokenServer:
    """Gives access tokens as RFC 6749 says: each refresh replaces the refresh token, and one that was used is refused.

    Args:
        now: Seconds on the clock by which tokens end.
    """

    def __init__(self, auth: Callable[[], AuthForm | None], now: Callable[[], float]) -> None:
        self._auth = auth
        self._now = now
        self._refresh: str | None = None
        self._ends_at: dict[str, float] = {}
        self._given = 0
        self.lives_s = 3600.0
        self.revoked = False
        """Refuses every grant, as after a person took the consent back."""
        self.asked: list[int] = []
        """The statuses of all replies of the token endpoint, in order."""
        self.reused = 0
        """Requests with a refresh token that was used before."""

    def expire(self) -> None:
        """No token that was given so far counts any more."""
        self._ends_at.clear()

    def is_valid(self, token: str) -> bool:
        return self._ends_at.get(token, float("-inf")) > self._now()

    def answer(self, authorization: str, body: bytes) -> tuple[int, dict[str, object]]:
        """The reply to one request for a token."""
        status, reply = self._answer(authorization, body)
        self.asked.append(status)
        return status, reply

    def _answer(self, authorization: str, body: bytes) -> tuple[int, dict[str, object]]:
        auth = self._auth()
        if auth is None or auth.kind != "oauth2":
            return 404, {"error": "not_found"}
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        scheme, _, pair = authorization.partition(" ")
        given = form.get("client_id", ""), form.get("client_secret", "")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(pair).decode("utf-8", "replace").partition(":")
            given = unquote_plus(name), unquote_plus(secret)
        if (scheme == "Basic") != (auth.client_auth == "basic" and bool(auth.client_secret)):
            return 401, {"error": "invalid_client"}
        if given != (auth.client_id, auth.client_secret):
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != auth.grant:
            return 400, {"error": "unsupported_grant_type"}
        if form.get("scope", "").split() != list(auth.scopes) or form.get("audience") != auth.audience:
            return 400, {"error": "invalid_scope"}
        if self.revoked:
            return 400, {"error": "invalid_grant"}
        self._given += 1
        token = f"mock-access-token-{self._given}"
        reply: dict[str, object] = {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lives_s)}
        if auth.grant == "refresh_token":
            if form.get("refresh_token") != (self._refresh or auth.refresh_token):
                self.reused += 1
                return 400, {"error": "invalid_grant"}
            self._refresh = f"mock-refresh-token-{self._given}"
            reply["refresh_token"] = self._refresh
        self._ends_at[token] = self._now() + self.lives_s
        return 200, reply


def is_signed_in(auth: AuthForm | None, request: web.BaseRequest, tokens: TokenServer) -> bool:
    if auth is None:
        return True
    if auth.kind == "oauth2":
        return tokens.is_valid(request.headers.get("Authorization", "").removeprefix("Bearer "))
    return hmac.compare_digest(_sent(auth, request).encode(), _expected(auth).encode())


def _expected(auth: AuthForm) -> str:
    match auth.kind:
        case "api_key":
            return f"{auth.prefix}{auth.value}"
        case "basic":
            return "Basic " + base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
        case "bearer":
            return f"Bearer {auth.token}"
        case "oauth2":
            raise AssertionError("tokens of OAuth2 are asked for at their server")


def _sent(auth: AuthForm, request: web.BaseRequest) -> str:
    if auth.kind != "api_key":
        return request.headers.get("Authorization", "")
    match auth.location:
        case "header":
            return request.headers.get(auth.name, "")
        case "query":
            return request.query.get(auth.name, "")
        case "cookie":
            return request.cookies.get(auth.name, "")

"""An authorization server and an API behind it: counts refreshes, rotates refresh tokens, refuses those that were used."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import parse_qs, unquote_plus

import httpx


class OAuthServer:
    """Tokens `access-N`, `refresh-N`. `POST /token`; everything else needs an access token that is valid."""

    def __init__(self, *, rotates: bool = True, expires_in: object = 3600) -> None:
        self.rotates = rotates
        self.expires_in = expires_in
        self.asked: list[dict[str, str]] = []
        """The forms of all requests to the token endpoint."""
        self.authorizations: list[str] = []
        self.refresh = "refresh-0"
        self.valid: set[str] = set()
        self.granted = 0
        self.reused = 0
        """How often a refresh token came that was used before."""
        self.api: list[tuple[str, int]] = []
        """(path, status) of the API's requests."""
        self.revoked = False
        self.before_reply: Callable[[], None] = lambda: None
        self.token_status: int | None = None
        self.on_api: Callable[[str], None] = lambda path: None
        """Called before each request of the API is judged."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return self._token(request)
        self.on_api(request.url.path)
        is_in = request.headers.get("authorization", "").removeprefix("Bearer ") in self.valid
        status = 200 if is_in else 401
        self.api.append((request.url.path, status))
        return httpx.Response(status, json={"ok": True} if is_in else {"error": "expired"})

    def expire(self) -> None:
        """No access token that was given so far counts any more."""
        self.valid.clear()

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.asked.append(form)
        self.authorizations.append(request.headers.get("authorization", ""))
        if self.token_status is not None:
            return httpx.Response(self.token_status, json={"error": "temporarily_unavailable"})
        if self._client(request, form) != ("client", "s3cret:/client"):
            return httpx.Response(401, json={"error": "invalid_client"})
        if self.revoked:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "gone for good"})
        if form["grant_type"] == "refresh_token" and form.get("refresh_token") != self.refresh:
            self.reused += 1
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.granted += 1
        reply: dict[str, object] = {"access_token": f"access-{self.granted}", "token_type": "bearer"}
        if self.expires_in is not None:
            reply["expires_in"] = self.expires_in
        if form["grant_type"] == "refresh_token" and self.rotates:
            self.refresh = f"refresh-{self.granted}"
            reply["refresh_token"] = self.refresh
            self.valid.clear()
        self.valid.add(f"access-{self.granted}")
        self.before_reply()
        return httpx.Response(200, json=reply)

    @staticmethod
    def _client(request: httpx.Request, form: dict[str, str]) -> tuple[str, str]:
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            return unquote_plus(name), unquote_plus(secret)
        return form.get("client_id", ""), form.get("client_secret", "")

"""Whether a request is signed in as the package was told to sign in."""

from __future__ import annotations

import base64
import hmac

from aiohttp import web

from .form import AuthForm


def is_signed_in(auth: AuthForm | None, request: web.BaseRequest) -> bool:
    if auth is None:
        return True
    return hmac.compare_digest(_sent(auth, request).encode(), _expected(auth).encode())


def _expected(auth: AuthForm) -> str:
    match auth.kind:
        case "api_key":
            return f"{auth.prefix}{auth.value}"
        case "basic":
            return "Basic " + base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
        case "bearer":
            return f"Bearer {auth.token}"


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

"""Secrets of every kind, unlike anything else, and each form in which one could turn up again."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus


def _make(name: str) -> str:
    """Differs in each form: a slash and a plus for URLs and Base64, quotes for JSON, a percent sign that looks escaped."""
    return f'pl4nted-{name}/+"%41~{name[::-1]}'


API_KEY = _make("header-key")
QUERY_KEY = _make("query-key")
COOKIE_KEY = _make("cookie-key")
BASIC_PASSWORD = _make("basic-password")
BEARER = _make("bearer-token")
CLIENT_SECRET = _make("client-secret")
REFRESH = [_make(f"refresh-{number}") for number in range(40)]
ACCESS = [_make(f"access-{number}") for number in range(40)]
WEBHOOK = [_make("webhook-old"), _make("webhook-new")]
CONTROL = {role: _make(f"control-{role}") for role in ("admin", "operate", "read")}
DATABASE_PASSWORD = "pl4nted-database-password-" + "x7"  # a URL's own rules leave no room for other characters
STATE_KEY = base64.urlsafe_b64encode(b"pl4nted-state-key-of-32-bytes-ok").decode()
ALERT_SECRET = "whsec_" + base64.b64encode(b"pl4nted-alert-secret/+~").decode()
ALERT_PATH = "pl4nted-path-of-the-alerts"
OTEL_HEADER = "pl4nted-collector-key-1234"

SECRETS: dict[str, str] = {
    "API key in a header": API_KEY,
    "API key in a query": QUERY_KEY,
    "API key in a cookie": COOKIE_KEY,
    "password of Basic": BASIC_PASSWORD,
    "pair of Basic": base64.b64encode(f"ada:{BASIC_PASSWORD}".encode()).decode(),
    "bearer token": BEARER,
    "OAuth client secret": CLIENT_SECRET,
    "pair of the OAuth client": base64.b64encode(f"client:{quote_plus(CLIENT_SECRET)}".encode()).decode(),
    "OAuth refresh token": REFRESH[0],
    **{f"OAuth refresh token {number}": text for number, text in enumerate(REFRESH) if number},
    **{f"OAuth access token {number}": text for number, text in enumerate(ACCESS)},
    "webhook secret": WEBHOOK[0],
    "second webhook secret": WEBHOOK[1],
    **{f"control token of {role}": text for role, text in CONTROL.items()},
    "database password": DATABASE_PASSWORD,
    "state key": STATE_KEY,
    "secret of the alerts": ALERT_SECRET.removeprefix("whsec_"),
    "address of the alerts": ALERT_PATH,
    "key of the collector": OTEL_HEADER,
}


def forms(secret: str) -> set[str]:
    """Plain, in a URL, in JSON, in a repr, in Base64 of both alphabets, in hexadecimal digits."""
    raw = secret.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        raw.hex(),
        *encoded,
        *(text.rstrip("=") for text in encoded),
    }


def found_in(text: str | bytes, but: frozenset[str] = frozenset()) -> list[str]:
    """The kinds of secrets that stand in an output, in any form."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    return sorted(
        f"{kind} as {form[:60]}"
        for kind, secret in SECRETS.items()
        if kind not in but
        for form in forms(secret)
        if form.encode() in text
    )

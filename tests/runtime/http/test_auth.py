"""Each credential as it goes over the wire."""

from __future__ import annotations

import base64

import pytest

from runtime.clock import SystemClock
from runtime.declare import Api, ApiKey, Auth, Basic, Bearer, Env
from runtime.errors import SettingsError
from runtime.http.auth import Authenticator
from runtime.settings import resolve

SECRET = Env("SECRET")


def spelled(auth: Auth, secret: str = "s3cret:/ü") -> Authenticator:
    api = Api(name="a", title="A", base_url="https://a.example", auth=auth)
    return Authenticator(auth, resolve((api,), {"SECRET": secret}), SystemClock())


def test_credentials_in_their_places() -> None:
    """Header with prefix, query, cookie, Bearer, Basic, none."""
    assert spelled(ApiKey(value=SECRET, name="X-Key", prefix="Token "), "abcd").headers == (("X-Key", "Token abcd"),)
    assert spelled(ApiKey(value=SECRET, name="api key", location="query")).query == ("api%20key=s3cret%3A%2F%C3%BC",)
    assert spelled(ApiKey(value=SECRET, name="sid", location="cookie")).headers == (
        ("Cookie", "sid=s3cret%3A%2F%C3%BC"),
    )
    assert spelled(Bearer(token=SECRET), "abcd").headers == (("Authorization", "Bearer abcd"),)
    pair = base64.b64encode("ada:s3cret:/ü".encode()).decode()
    assert spelled(Basic(username="ada", password=SECRET)).headers == (("Authorization", f"Basic {pair}"),)
    assert spelled(None).headers == ()


def test_basic_pair_is_hidden_like_the_password() -> None:
    """What is sent is not the password, yet as good as it."""
    api = Api(name="a", title="A", base_url="https://a.example", auth=Basic(username="ada", password=SECRET))
    settings = resolve((api,), {"SECRET": "p4ssw0rd"})
    [(_, value)] = Authenticator(api.auth, settings, SystemClock()).headers
    assert value.split()[1] not in settings.redactor.text(f"got {value.split()[1]}")


@pytest.mark.parametrize(
    "auth",
    [Bearer(token=SECRET), ApiKey(value=SECRET, name="X-Key"), Basic(username="a:b", password=SECRET)],
)
def test_credential_that_cannot_be_sent_is_refused_without_being_shown(auth: Auth) -> None:
    """Characters that no header has, a colon in a user name."""
    with pytest.raises(SettingsError) as caught:
        spelled(auth)
    assert "s3cret" not in str(caught.value)

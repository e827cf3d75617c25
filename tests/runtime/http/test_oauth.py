"""Fetched tokens: shared, rotated, stored before use, refreshed once, and what is said when the server will give none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from runtime.declare import Api, Env, OAuth2, Operation
from runtime.errors import AuthError, SettingsError, SignInNeeded, TokenUnavailable
from runtime.http.oauth import TokenAuth
from runtime.http.session import Session, open_api
from runtime.http.token_places import MemoryTokens, StateTokens
from runtime.settings import Settings, resolve
from runtime.state import State, StateUnavailable
from tests.runtime.oauth_server import OAuthServer

REFRESHING = OAuth2(
    grant="refresh_token",
    token_url="https://crm.example/oauth/token",
    client_id="client",
    client_secret=Env("CRM_SECRET"),
    refresh_token=Env("CRM_REFRESH"),
)
OWN = replace(REFRESHING, grant="client_credentials", refresh_token=None)
ENVIRON = {"CRM_SECRET": "s3cret:/client", "CRM_REFRESH": "refresh-0"}
READ = Operation(id="GET /contacts", api="crm", method="GET", path="/contacts")
WRITE = Operation(id="POST /contacts", api="crm", method="POST", path="/contacts", body="json")


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at

    def random(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)


def api_of(auth: OAuth2) -> Api:
    return Api(name="crm", title="CRM", base_url="https://crm.example", auth=auth)


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(f"sqlite:///{tmp_path / 'state.db'}", name="sample")
    made.prepare()
    return made


Opener = Callable[..., Session]


@pytest.fixture
def opened(state: State) -> Opener:
    """Another process, as far as the state can tell, at each call."""

    def open_one(
        server: Callable[[httpx.Request], httpx.Response],
        auth: OAuth2 = REFRESHING,
        environ: dict[str, str] = ENVIRON,
        clock: Clock | None = None,
        settings: Settings | None = None,
        place: StateTokens | None = None,
    ) -> Session:
        api = api_of(auth)
        return open_api(
            api,
            settings or resolve((api,), environ),
            transport=httpx.MockTransport(server),
            clock=clock or Clock(),
            tokens=place or StateTokens(state),
            holder="a process",
        )

    return open_one


async def test_client_credential_is_sent_in_the_header_and_the_token_with_each_request(opened: Opener) -> None:
    """RFC 6749 §2.3.1: form-encoded, then Basic; scopes and audience in the form; the second request asks for nothing."""
    server = OAuthServer()
    async with opened(server, replace(OWN, scopes=("contacts.read", "contacts.write"), audience="https://crm")) as crm:
        await crm.request(READ)
        await crm.request(READ)
    assert server.asked == [
        {"grant_type": "client_credentials", "scope": "contacts.read contacts.write", "audience": "https://crm"}
    ]
    assert [status for _, status in server.api] == [200, 200]


async def test_client_credential_can_go_into_the_form(opened: Opener) -> None:
    server = OAuthServer()
    async with opened(server, replace(OWN, client_auth="body")) as crm:
        await crm.request(READ)
    [form] = server.asked
    assert form["client_id"] == "client"
    assert form["client_secret"] == "s3cret:/client"
    assert server.authorizations == [""]


async def test_next_process_takes_the_stored_token_and_asks_for_none(opened: Opener) -> None:
    server = OAuthServer()
    for _ in range(3):
        async with opened(server) as crm:
            await crm.request(READ)
    assert len(server.asked) == 1


async def test_rotated_refresh_token_is_stored_before_the_access_token_is_used(opened: Opener, state: State) -> None:
    """At the moment of the first request with the new token, the state has its refresh token."""
    server = OAuthServer()
    seen: list[str | None] = []

    def watching(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/token"):
            seen.append(state.tokens.get("crm").refresh)
        return server(request)

    async with opened(watching) as crm:
        await crm.request(READ)
        server.expire()
        await crm.request(READ)
    assert seen == ["refresh-1", "refresh-1", "refresh-2"]
    assert [form["refresh_token"] for form in server.asked] == ["refresh-0", "refresh-1"]
    assert server.reused == 0


async def test_token_that_expires_under_many_workers_is_refreshed_once_and_each_request_replayed_once(
    opened: Opener,
) -> None:
    server = OAuthServer()
    async with opened(server) as crm:
        await crm.request(READ)
        server.expire()
        replies = await asyncio.gather(*(crm.request(READ) for _ in range(12)))
    assert [reply.status for reply in replies] == [200] * 12
    assert len(server.asked) == 2
    assert sum(status == 401 for _, status in server.api) <= 12
    assert len(server.api) <= 1 + 24


async def test_write_that_is_refused_is_replayed_with_the_new_token(opened: Opener) -> None:
    """A 401 says that nothing was carried out."""
    server = OAuthServer()
    async with opened(server) as crm:
        await crm.request(READ)
        server.expire()
        reply = await crm.request(WRITE, body={"email": "ada@example.com"})
    assert reply.status == 200
    assert [status for _, status in server.api] == [200, 401, 200]


async def test_refusal_after_a_refresh_ends_the_request_and_is_not_refreshed_again(opened: Opener) -> None:
    """A token endpoint that gives what the API does not take: one refresh, also for a dozen requests."""
    server = OAuthServer()

    def broken(request: httpx.Request) -> httpx.Response:
        reply = server(request)
        return reply if request.url.path.endswith("/token") else httpx.Response(401, json={})

    async with opened(broken) as crm:
        outcomes = await asyncio.gather(*(crm.request(READ) for _ in range(12)), return_exceptions=True)
        later = await asyncio.gather(*(crm.request(READ) for _ in range(4)), return_exceptions=True)
    assert {type(each) for each in [*outcomes, *later]} == {AuthError}
    assert len(server.asked) == 2
    assert len(server.api) <= 2 * 16


async def test_refusal_of_a_fetched_token_that_another_process_replaced_asks_for_none(opened: Opener) -> None:
    server = OAuthServer()
    async with opened(server) as first, opened(server) as second:
        await first.request(READ)
        await second.request(READ)
        server.expire()
        await first.request(READ)
        await second.request(READ)
    assert len(server.asked) == 2
    assert server.reused == 0


async def test_token_is_refreshed_ahead_of_its_end_and_not_before(opened: Opener) -> None:
    clock = Clock()
    server = OAuthServer(expires_in=3600)
    async with opened(server, clock=clock) as crm:
        await crm.request(READ)
        await clock.sleep(3600 - 301)
        await crm.request(READ)
        assert len(server.asked) == 1
        await clock.sleep(301 - 149)
        await crm.request(READ)
    assert len(server.asked) == 2
    assert all(status == 200 for _, status in server.api)


async def test_token_endpoint_that_is_down_ahead_of_the_end_holds_up_nothing(opened: Opener) -> None:
    """While the old token is good, requests go on with it; after its end they say why they cannot."""
    clock = Clock()
    server = OAuthServer(expires_in=3600)
    async with opened(server, clock=clock) as crm:
        await crm.request(READ)
        await clock.sleep(3600 - 100)
        server.token_status = 503
        for _ in range(5):
            assert (await crm.request(READ)).status == 200
        assert len(server.asked) == 1 + 3
        await clock.sleep(200)
        with pytest.raises(TokenUnavailable) as caught:
            await crm.request(READ)
        assert caught.value.failure == "transient"
        server.token_status = None
        await clock.sleep(200)
        assert (await crm.request(READ)).status == 200


async def test_revoked_refresh_token_is_asked_for_once_and_never_again(opened: Opener, state: State) -> None:
    """invalid_grant: failure class auth, the way out by name, no storm, not in the next process either."""
    server = OAuthServer()
    server.revoked = True
    for _ in range(3):
        async with opened(server) as crm:
            for _ in range(4):
                with pytest.raises(SignInNeeded) as caught:
                    await crm.request(READ)
    assert caught.value.failure == "auth"
    assert "invalid_grant" in str(caught.value)
    assert "token sign-in crm" in str(caught.value)
    assert len(server.asked) == 1
    assert server.api == []
    assert state.tokens.get("crm").needs_sign_in


async def test_sign_in_makes_an_open_session_go_on(opened: Opener, state: State) -> None:
    """Another process signs in; the one that runs needs no restart."""
    from runtime.http.oauth import seed_of

    server = OAuthServer()
    server.revoked = True
    async with opened(server) as crm:
        with pytest.raises(SignInNeeded):
            await crm.request(READ)
        server.revoked, server.refresh = False, "refresh-new"
        seed = seed_of(REFRESHING, resolve((api_of(REFRESHING),), ENVIRON))
        state.tokens.sign_in("crm", refresh="refresh-new", seed=seed, at=0.0)
        assert (await crm.request(READ)).status == 200
    assert server.asked[-1]["refresh_token"] == "refresh-new"


async def test_client_credential_that_is_replaced_in_its_file_is_used_without_a_restart(
    opened: Opener, tmp_path: Path
) -> None:
    """A refusal of the old secret does not stand in the way of the new one."""
    server = OAuthServer()
    file = tmp_path / "secret"
    file.write_text("an old one")
    clock = Clock()
    async with opened(server, OWN, {"CRM_SECRET_FILE": str(file)}, clock=clock) as crm:
        with pytest.raises(SignInNeeded, match="invalid_client"):
            await crm.request(READ)
        file.write_text("s3cret:/client")
        os.utime(file, (1, 1))
        await clock.sleep(10)
        assert (await crm.request(READ)).status == 200


async def test_other_refresh_token_in_the_environment_begins_another_chain(opened: Opener) -> None:
    """The one in the environment is old after the first rotation and does not come back; a new one there counts."""
    server = OAuthServer()
    async with opened(server) as crm:
        await crm.request(READ)
        server.expire()
        await crm.request(READ)
    server.refresh = "refresh-by-hand"
    async with opened(server, environ={**ENVIRON, "CRM_REFRESH": "refresh-by-hand"}) as crm:
        await crm.request(READ)
    assert [form["refresh_token"] for form in server.asked] == ["refresh-0", "refresh-1", "refresh-by-hand"]


async def test_refresh_that_ended_before_its_reply_was_stored_is_told(opened: Opener, state: State) -> None:
    """The process ended between reply and storing: the old refresh token is tried once, and then the message says why."""
    server = OAuthServer()
    async with opened(server) as crm:
        await crm.request(READ)
    state.tokens.asked("crm", 1_700_000_000.0)
    server.refresh = "one that nobody stored"
    server.expire()
    async with opened(server) as crm:
        with pytest.raises(SignInNeeded, match="2023-11-14T22:13:20Z ended before its reply was stored"):
            await crm.request(READ)
    assert [form["refresh_token"] for form in server.asked] == ["refresh-0", "refresh-1"]


async def test_interrupted_refresh_with_a_server_that_still_takes_the_old_token_goes_on(
    opened: Opener, state: State
) -> None:
    server = OAuthServer(rotates=False)
    state.tokens.asked("crm", 1_700_000_000.0)
    async with opened(server) as crm:
        assert (await crm.request(READ)).status == 200
    assert state.tokens.get("crm").asked_at is None


async def test_token_that_the_state_does_not_take_is_kept_and_stored_before_it_is_used(
    opened: Opener, state: State
) -> None:
    """The database is away at the worst moment: nothing is used, nothing is lost."""

    class Failing(StateTokens):
        fails = 1

        async def keep(self, *args: object, **kwargs: object) -> bool:
            if self.fails:
                self.fails -= 1
                raise StateUnavailable("away")
            return await super().keep(*args, **kwargs)  # type: ignore[arg-type]

    server = OAuthServer()
    async with opened(server, place=Failing(state)) as crm:
        with pytest.raises(StateUnavailable):
            await crm.request(READ)
        assert server.api == []
        assert (await crm.request(READ)).status == 200
    assert len(server.asked) == 1
    assert state.tokens.get("crm").refresh == "refresh-1"


async def test_cancelled_request_leaves_the_refresh_to_be_stored(opened: Opener, state: State) -> None:
    server = OAuthServer()
    release = asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        reply = server(request)
        if request.url.path.endswith("/token"):
            await release.wait()
        return reply

    async with opened(slow) as crm:  # type: ignore[arg-type]
        task = asyncio.create_task(crm.request(READ))
        while not server.asked:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        release.set()
    assert state.tokens.get("crm").refresh == "refresh-1"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>log in</html>", "no JSON object"),
        (b'{"token": "x"}', "no `access_token`"),
        (b'{"access_token": "a b"}', "no header has"),
        (b'{"access_token": "x", "token_type": "DPoP"}', "bearer"),
    ],
)
async def test_reply_that_is_no_token_ends_the_request_without_being_shown(
    opened: Opener, body: bytes, says: str
) -> None:
    async with opened(lambda request: httpx.Response(200, content=body), OWN) as crm:
        with pytest.raises(TokenUnavailable, match=says) as caught:
            await crm.request(READ)
    assert caught.value.failure == "systematic"
    assert "log in" not in str(caught.value)


async def test_error_with_status_200_is_a_refusal(opened: Opener) -> None:
    async with opened(lambda request: httpx.Response(200, json={"error": "bad_refresh_token"})) as crm:
        with pytest.raises(SignInNeeded, match="bad_refresh_token"):
            await crm.request(READ)


async def test_missing_token_endpoint_is_no_fault_of_a_record(opened: Opener) -> None:
    """404 there must not make dead letters."""
    async with opened(lambda request: httpx.Response(404)) as crm:
        with pytest.raises(TokenUnavailable) as caught:
            await crm.request(WRITE, body={})
    assert caught.value.failure == "systematic"


@pytest.mark.parametrize("expires_in", [None, "3600", 0, -5, "soon", 1e300])
async def test_life_of_a_token_is_read_as_it_comes(opened: Opener, expires_in: object) -> None:
    """Nothing, a text, nonsense: one token, used until it is refused."""
    server = OAuthServer(expires_in=expires_in)
    async with opened(server) as crm:
        for _ in range(3):
            await crm.request(READ)
    assert len(server.asked) == 1


async def test_tokens_are_hidden_in_what_is_shown(opened: Opener) -> None:
    """The tokens, the client's secret, and the pair that carries it; tokens that were replaced long ago are forgotten."""
    server = OAuthServer()
    settings = resolve((api_of(REFRESHING),), ENVIRON)
    async with opened(server, settings=settings) as crm:
        for _ in range(20):
            server.expire()
            await crm.request(READ)
            crm.auth._refused_at = float("-inf")  # type: ignore[attr-defined]
        text = f"{server.refresh} access-{server.granted} s3cret:/client {server.authorizations[0]}"
        hidden = settings.redactor.text(text)
    assert "refresh-" not in hidden
    assert "access-" not in hidden
    assert "s3cret" not in hidden
    assert server.authorizations[0].split()[1] not in hidden
    assert len(settings.redactor._values) < 20


def test_rotating_grant_without_a_place_to_keep_tokens_is_refused() -> None:
    api = api_of(REFRESHING)
    with pytest.raises(SettingsError, match="tokens="):
        open_api(api, resolve((api,), ENVIRON), transport=httpx.MockTransport(OAuthServer()))
    session = open_api(
        api, resolve((api,), ENVIRON), transport=httpx.MockTransport(OAuthServer()), tokens=MemoryTokens()
    )
    assert isinstance(session.auth, TokenAuth)


@pytest.mark.parametrize(
    ("token_url", "environ", "url"),
    [
        ("https://{shop}.example/oauth/token/", {}, "https://acme.example/oauth/token/"),
        ("https://login.example/token?tenant=7", {}, "https://login.example/token?tenant=7"),
        ("/oauth/token", {}, "https://crm.example/oauth/token"),
        ("/oauth/token", {"CRM_TOKEN_URL": "http://127.0.0.1:9/t"}, "http://127.0.0.1:9/t"),
    ],
)
def test_token_url_is_complete_and_checked(token_url: str, environ: dict[str, str], url: str) -> None:
    """Variables of the API, a path on its host, an override for tests."""
    auth = replace(OWN, token_url=token_url, url_env="CRM_TOKEN_URL")
    api = replace(api_of(auth), base_url="https://crm.example/v2", variables=(("shop", "acme"),))
    assert resolve((api,), {**ENVIRON, **environ}).token_url(api, auth) == url


@pytest.mark.parametrize("token_url", ["ftp://login.example/t", "https://a@login.example/t", "https://l.example/t?a b"])
def test_token_url_that_cannot_be_is_told_at_the_start(token_url: str) -> None:
    api = api_of(replace(OWN, token_url=token_url))
    with pytest.raises(SettingsError, match="token URL"):
        resolve((api,), ENVIRON)

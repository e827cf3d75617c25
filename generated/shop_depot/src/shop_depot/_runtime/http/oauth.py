"""OAuth2: access tokens that are fetched, refreshed ahead of their end, and shared by all that use one API.

One refresh at a time, in the process and across replicas: whoever has the lock of the API asks, the others wait and take what
was stored. A token is stored before it is used, so a refresh token that the server changes with each refresh is never lost to
a crash after that. Between the server's reply and our storing there is a moment that nobody can close; that a refresh is
under way is stored before it is sent, so the next process knows, tries the old refresh token once more (servers grant that
for a while) and otherwise says that somebody has to sign in.

    ready ──▶ valid? ── yes ─────────────────────────────────────────────▶ send
                 │ no, or its end is near
                 ▼
              stored by another? ── yes ──▶ take it
                 │ no
                 ▼
              lock ──▶ note that we ask ──▶ ask ──▶ store ──▶ use
                                             └ refused ──▶ needs_sign_in: nobody asks again
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from contextlib import suppress
from datetime import UTC, datetime

import httpx

from ..clock import Clock
from ..declare import Api, OAuth2
from ..errors import (
    ApiError,
    IntegrationError,
    SettingsError,
    SignInNeeded,
    TokenUnavailable,
    TransportError,
)
from ..setting_values import Value
from ..settings import Settings
from ..state.tokens import TokenRow
from .auth import Authenticator
from .token_endpoint import Asker, Refused
from .token_places import MemoryTokens, TokenPlace

log = logging.getLogger(__name__)
WAIT_S = 90.0
"""So long does a request wait for another one's refresh."""
AHEAD_S = 300.0
"""A token is refreshed so long before its end, or a fifth of its life before it when that is shorter; less up to half of it
by chance, so that replicas do not all come at one moment."""
SPARE_S = 5.0
"""A token that ends sooner is not sent any more; a tenth of its life when that is shorter."""
AGAIN_S = 5.0
"""When the API refuses a token that was fetched because it refused the one before, so shortly ago, another would not help."""
LATER_S = 30.0
"""After a refresh ahead of time that failed, the old token is used so long before the next try."""
_KEPT_SECRETS = 8


class TokenAuth(Authenticator):
    """The fetched credential of one API."""

    __slots__ = (
        "_again_at", "_ask", "_due_at", "_ends_at", "_first", "_holder", "_known", "_name", "_place", "_refused_at", "_secrets",
        "_seed", "_under_way", "_unsaved", "refreshes",
    )  # fmt: skip

    is_fetched = True

    def __init__(
        self, api: Api, auth: OAuth2, settings: Settings, clock: Clock, *, place: TokenPlace, ask: Asker, holder: str
    ) -> None:
        self._first: Value | None = settings.found(auth.refresh_token)
        super().__init__(auth, settings, clock)
        if self._first is not None:
            settings.redactor.register(self._first.text)
        self._name = api.name
        self._place = place
        self._ask = ask
        self._holder = holder
        self._seed = seed_of(auth, settings)
        self._known = 0
        """The generation of the token in use, as the state counts."""
        self._due_at = self._ends_at = float("-inf")
        self._refused_at = float("-inf")
        """When a refusal by the API last led to another token."""
        self._again_at = float("-inf")
        self._under_way: asyncio.Task[None] | None = None
        self._unsaved: tuple[int, TokenRow] | None = None
        """What the server gave and the state did not take yet: it is stored before anything else is done."""
        self._secrets: list[str] = []
        self.refreshes = 0
        """How often this process asked for a token."""

    @property
    def can_change(self) -> bool:
        return super().can_change or (self._first is not None and self._first.can_change)

    # --- what a sender asks ---

    async def ready(self) -> None:
        """Return with a token that is valid now.

        Raises:
            SignInNeeded: the server will give none.
            TokenUnavailable: there is none for now.
        """
        now = self._clock.now()
        if now < self._due_at:
            return
        if now < self._ends_at:
            if now < self._again_at:
                return
            try:
                await self._renewed()
            except TokenUnavailable as error:
                # The old one is good for a while: nothing has to wait for the token endpoint.
                self._again_at = self._clock.now() + LATER_S
                log.warning("the token of %s was not refreshed ahead of its end: %s", self._name, error)
            return
        await self._renewed()

    async def renew(self, generation: int) -> bool:
        """The API said 401 to the token of `generation`. True when there is another one now; at most one refresh for all
        who were refused alike."""
        if generation != self.generation:
            return True
        if self._under_way is None or self._under_way.done():
            now = self._clock.monotonic()
            if not self.reload() and now - self._refused_at < AGAIN_S:
                return False
            self._refused_at = now
        await self._renewed()
        return generation != self.generation

    def reload(self) -> bool:
        """Look at the files of the credential. True when it is another one, which then begins anew."""
        values = [*self._values, self._first] if self._first is not None else self._values
        changed = [value.reload() for value in values]  # all of them, not only up to the first that changed
        if not any(changed):
            return False
        auth = self._auth
        assert isinstance(auth, OAuth2)
        self._seed = seed_of(auth, self._settings)
        self._due_at = self._ends_at = float("-inf")
        self.generation += 1
        return True

    async def aclose(self) -> None:
        if self._under_way is not None:
            # A refresh that was sent is stored, whoever does not wait for it any more.
            with suppress(IntegrationError):
                await asyncio.shield(self._under_way)
        await self._ask.aclose()

    # --- one refresh for all ---

    async def _renewed(self) -> None:
        """Whoever comes while a refresh is under way waits for that one."""
        task = self._under_way
        if task is None or task.done():
            task = self._under_way = asyncio.ensure_future(self._renew())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # also when nobody waits any more
        # A request that is cancelled must not take the refresh of the others, or a reply that is not stored yet, with it.
        await asyncio.shield(task)

    async def _renew(self) -> None:
        until = self._clock.monotonic() + WAIT_S
        while True:
            if self._unsaved is not None:
                await self._store(*self._unsaved)
                return
            if await self._taken():
                return
            lease = await self._place.lock(self._name, self._holder)
            if lease is not None:
                break
            if self._clock.monotonic() > until:
                raise TokenUnavailable(self._name, TransportError("another process refreshes it for long", sent=False))
            await self._clock.sleep(0.05 + 0.1 * self._clock.random())
        try:
            if not await self._taken():  # somebody may have stored one just before we had the lock
                await self._fetch(await self._place.get(self._name))
        finally:
            try:
                await self._place.unlock(lease)
            except IntegrationError as error:
                log.warning("the lock on the token of %s was not given back: %s", self._name, error)

    async def _taken(self) -> bool:
        """Take the token that the state has, when it is a newer one and good."""
        row = await self._place.get(self._name)
        if row.needs_sign_in and row.seed == self._seed:
            raise self._sign_in(row.reason or "the server refused it")
        if row.access is None or row.seed != self._seed or row.generation <= self._known:
            return False
        if _end(row) <= self._clock.now():
            return False
        self._use(row)
        return True

    async def _fetch(self, row: TokenRow) -> None:
        auth, clock = self._auth, self._clock
        assert isinstance(auth, OAuth2)
        refresh: str | None = None
        if auth.grant == "refresh_token":
            is_own_chain = row.refresh is not None and _chain(row.seed) == _chain(self._seed)
            refresh = row.refresh if is_own_chain else self._first.text if self._first is not None else row.refresh
            if refresh is None:
                raise self._sign_in("there is no refresh token yet")
        self._hide(refresh)
        began = clock.now()
        await self._place.asked(self._name, began)
        self.refreshes += 1
        try:
            granted = await self._ask(refresh)
        except Refused as refused:
            reason = str(refused)
            if row.asked_at is not None and auth.grant == "refresh_token":
                reason += f"; {interrupted(row.asked_at)}"
            refuse = self._place.refuse
            is_last = await refuse(self._name, row.generation, reason=reason, seed=self._seed, at=began)
            if not is_last and await self._taken():
                return
            log.error("%s needs a new sign-in: %s", self._name, reason)
            raise self._sign_in(reason) from None
        except IntegrationError as error:
            if row.asked_at is None and _was_answered(error):
                await self._place.not_asked(self._name, row.generation)
            raise TokenUnavailable(self._name, error) from error
        self._hide(granted.access)
        self._hide(granted.refresh)
        fresh = TokenRow(
            name=self._name,
            access=granted.access,
            refresh=granted.refresh or refresh,
            expires_at=None if granted.lives_s is None else began + granted.lives_s,
            seed=self._seed,
            updated_at=clock.now(),
        )
        await self._store(row.generation, fresh)

    async def _store(self, generation: int, fresh: TokenRow) -> None:
        """Store, then use."""
        self._unsaved = generation, fresh
        is_kept = await self._place.keep(self._name, generation, fresh)
        self._unsaved = None
        if is_kept:
            self._use(fresh._replace(generation=generation + 1))
        elif not await self._taken():
            raise TokenUnavailable(self._name, TransportError("another process stored one that is over", sent=False))

    def _use(self, row: TokenRow) -> None:
        assert row.access is not None
        self._hide(row.access)
        self._hide(row.refresh)
        self._known = row.generation
        self.headers = (("Authorization", f"Bearer {row.access}"),)
        self.generation += 1
        self._ends_at = self._due_at = _end(row)
        if row.expires_at is not None:
            ahead = min(AHEAD_S, (row.expires_at - row.updated_at) / 5)
            self._due_at -= ahead * (1.0 - 0.5 * self._clock.random())

    def _hide(self, secret: str | None) -> None:
        """Register a token for redaction; those that were replaced long ago are forgotten."""
        if secret is None or secret in self._secrets:
            return
        self._settings.redactor.register(secret)
        self._secrets.append(secret)
        configured = self._first.text if self._first is not None else None
        while len(self._secrets) > _KEPT_SECRETS:
            if (old := self._secrets.pop(0)) != configured:
                self._settings.redactor.forget(old)

    def _sign_in(self, reason: str) -> SignInNeeded:
        auth = self._auth
        assert isinstance(auth, OAuth2)
        way_out = f"sign in again with `token sign-in {self._name}`"
        if auth.grant == "client_credentials":
            way_out = "give the client's credential that counts"
        return SignInNeeded(self._name, reason, way_out=way_out)

    def _spell(self) -> None:
        """Nothing to send before a token is fetched."""


def sign_in_with(
    api: Api,
    settings: Settings,
    *,
    clock: Clock,
    transport: httpx.AsyncBaseTransport | None,
    place: TokenPlace | None,
    holder: str,
) -> TokenAuth:
    """The credential of an API whose `auth` is `OAuth2`.

    Raises:
        SettingsError: a refresh token that changes would have no place to be kept.
    """
    auth = api.auth
    assert isinstance(auth, OAuth2)
    if place is None:
        if auth.grant == "refresh_token":
            raise SettingsError((f"{api.title}: its refresh token changes and has to be kept: give `tokens=`",))
        place = MemoryTokens()
    ask = Asker(api, auth, settings, transport=transport, clock=clock)
    return TokenAuth(api, auth, settings, clock, place=place, ask=ask, holder=holder)


def seed_of(auth: OAuth2, settings: Settings) -> str:
    """Digests of the credential that is configured: of the refresh token, and of the client's own.

    Another refresh token begins another chain; another client secret only makes a refusal worth another try.
    """
    client_id = settings.text(auth.client_id)
    first = settings.found(auth.refresh_token)
    secret = settings.found(auth.client_secret)
    chain = _digest(client_id, first.text if first is not None and auth.grant == "refresh_token" else "")
    return f"{chain}:{_digest(client_id, secret.text if secret is not None else '')}"


def _digest(salt: str, secret: str) -> str:
    """Slow on purpose: a client secret may be short."""
    return hashlib.scrypt(secret.encode(), salt=salt.encode(), n=2**12, r=8, p=1, dklen=12).hex()


def _end(row: TokenRow) -> float:
    """Until when a token is sent."""
    if row.expires_at is None:
        return math.inf
    return row.expires_at - min(SPARE_S, (row.expires_at - row.updated_at) / 10)


def _chain(seed: str) -> str:
    return seed.partition(":")[0]


def interrupted(asked_at: float) -> str:
    """What is to be said when a refresh has no stored end."""
    moment = datetime.fromtimestamp(asked_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"a refresh at {moment} ended before its reply was stored, so the refresh token that it brought is lost"


def _was_answered(error: IntegrationError) -> bool:
    """Whether the server surely changed no refresh token."""
    return isinstance(error, ApiError) or getattr(error, "sent", True) is False

"""Alerts to a webhook of yours: `ALERT_WEBHOOK_URL`, signed with `ALERT_WEBHOOK_SECRET` as Standard Webhooks says.

What is looked at: runs that failed, conflicts above a share of a run, open breakers, a score of health under its limit,
sign-ins that are needed. An alert is told once when it begins and once when it ends, by whichever process notices first; the
state remembers. Nothing here is waited for by a run, and what cannot be delivered is tried a few times and then only logged.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import msgspec

from ..base_urls import build_url
from ..declare import Api, Env, Operation, Parameter
from ..errors import IntegrationError, SettingsError
from ..http.retry import RetryPolicy
from ..http.session import open_api
from ..setting_values import Value
from ..settings import Settings, resolve
from ..state import LeaseHeld
from ..state.alerts import AlertRow
from .health import checks_of, score_of
from .meter import Meter
from .metrics import Known, read_state
from .watching import Watcher

if TYPE_CHECKING:
    from ..engine.opened import Opened
    from ..engine.report import RunReport

log = logging.getLogger(__name__)

URL = Env("ALERT_WEBHOOK_URL", secret=True)
"""May hold a token in its path, so it is never shown."""
SECRET = Env("ALERT_WEBHOOK_SECRET", secret=True)
"""`whsec_…`; several, separated by blanks, while one is replaced."""
LOOK_EVERY_S = 30.0
STALE_S = 3600.0
"""After so long, another process may end an alert about this one's breaker or score."""
TRIES = 8
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 1800.0
ONCE_S = 15.0
"""A command that ends waits no longer than this for its alerts."""
_LOCAL = ("breaker_open", "score_drop")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is, or is not, as it should be."""

    name: str
    """`run_failed customers`: the kind of alert, and what it is about."""
    fires: bool
    text: str


def findings(opened: Opened, meter: Meter | None, known: Known, conflicts: Mapping[str, int]) -> list[Finding]:
    """Everything that is looked at.

    Args:
        meter: None leaves out what only a service knows.
        conflicts: Stream → conflicts that its last run found.
    """
    found: list[Finding] = []
    options = opened.settings.options
    for stream in opened.integration.streams:
        run = known.runs.get(stream.name, {})
        if run.get("state"):
            failed = run["state"] in ("failed", "crashed")
            text = f"the last run of {stream.name} {run['state']}"
            if failed:
                text += f" ({run['failure'] or 'without a word'}): {run['error'] or 'it never said why'}"
            found.append(Finding(f"run_failed {stream.name}", failed, text))
            share = conflicts.get(stream.name, 0) / max(run["read"], 1)
            fires = share > options.alert_conflict_share
            text = f"{conflicts.get(stream.name, 0)} of {run['read']} records of the last run of {stream.name} are conflicts"
            found.append(Finding(f"conflict_share {stream.name}", fires, text))
    for name, row in known.tokens.items():
        text = f"somebody has to sign in to {name}: {row.reason}" if row.needs_sign_in else f"{name} is signed in"
        found.append(Finding(f"sign_in_needed {name}", row.needs_sign_in, text))
    if meter is not None:
        for session in (opened.source, opened.destination):
            is_open = session.breaker.state == "open"
            text = f"the circuit breaker of {session.api.name} is {session.breaker.state.replace('_', ' ')}"
            found.append(Finding(f"breaker_open {session.api.name}", is_open, text))
        checks = checks_of(opened, meter, known)
        score = score_of(checks)
        ill = "; ".join(f"{each.name}: {each.text}" for each in checks if each.status != "ok")
        text = f"the score of health is {score} of 100" + (f" ({ill})" if ill else "")
        found.append(Finding("score_drop", score < options.alert_score, text))
    return found


class Alerts(Watcher):
    """Watches an opened integration and tells of it."""

    def __init__(self, opened: Opened, hook: Hook, *, meter: Meter | None = None) -> None:
        self._opened = opened
        self._state = opened.state
        self._clock = opened.engine.clock
        self._hook = hook
        self._meter = meter
        self._wake = asyncio.Event()
        self._mine: set[str] = set()
        """Alerts about this process that it began itself."""
        self._tried: dict[tuple[str, float], tuple[int, float]] = {}
        """(alert, since) → attempts, and when the next one is due."""

    def ended(self, report: RunReport) -> None:
        self._wake.set()

    async def keep(self) -> None:
        """Look when a run has ended, and now and then, until it is cancelled."""
        while True:
            self._wake.clear()
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()

    async def once(self) -> None:
        """Look and tell, for a command that is about to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ONCE_S):
                await self.look()

    async def look(self) -> None:
        """Look at everything once, and tell what changed. Raises nothing."""
        try:
            await self._look()
            await self._tell()
        except IntegrationError as error:
            log.warning("alerts could not be looked at: %s", error)
        except Exception:  # an alert must never end what it watches
            log.exception("alerts met a bug")

    async def _look(self) -> None:
        known = await read_state(self._opened, self._opened.engine.pause)
        if known is None:
            return  # who cannot read the state cannot say what was told; health and metrics say it
        rows, state = self._state.alerts, self._state
        ids = {name: run["id"] for name, run in known.runs.items() if run.get("id")}
        conflicts = await state.call(lambda: {name: rows.conflicts_of(id) for name, id in ids.items()})
        before = await state.call(rows.firing)
        now = self._clock.now()
        for finding in findings(self._opened, self._meter, known, conflicts):
            name, row = finding.name, before.get(finding.name)
            text = self._opened.settings.redactor.text(finding.text)[:1000]
            if finding.fires and row is None:
                await state.call(lambda name=name, text=text: rows.begin(name, text, now))  # type: ignore[misc]
                self._mine.add(name)
            elif not finding.fires and row is not None and self._may_end(row, now):
                await state.call(lambda name=name, text=text: rows.end(name, text, now))  # type: ignore[misc]
                self._mine.discard(name)

    def _may_end(self, row: AlertRow, now: float) -> bool:
        """Breaker and score are those of one process: another one's good health ends nothing."""
        return not row.name.startswith(_LOCAL) or row.name in self._mine or row.changed_at < now - STALE_S

    async def _tell(self) -> None:
        rows, state, now = self._state.alerts, self._state, self._clock.now()
        waiting = [row for row in await state.call(rows.untold) if self._is_due(row, now)]
        if not waiting:
            return
        try:
            lease = await state.call(lambda: state.leases.acquire("alerts", self._opened.engine.holder, 60.0))
        except LeaseHeld:
            return  # another replica is telling
        try:
            still = set(await state.call(rows.untold))
            for row in waiting:
                if row in still and await self._sent(row):
                    await state.call(lambda row=row: rows.told(row, self._clock.now()))  # type: ignore[misc]
                    self._tried.pop((row.name, row.changed_at), None)
        finally:
            await state.call(lambda: state.leases.release(lease))

    def _is_due(self, row: AlertRow, now: float) -> bool:
        return self._tried.get((row.name, row.changed_at), (0, 0.0))[1] <= now

    async def _sent(self, row: AlertRow) -> bool:
        """Whether there is nothing more to do about it."""
        try:
            await self._hook.send(row, self._opened.integration.name, self._opened.integration.version)
            return True
        except IntegrationError as error:
            count = self._tried.get((row.name, row.changed_at), (0, 0.0))[0] + 1
            wait_s = min(FIRST_WAIT_S * 2 ** (count - 1), LONGEST_WAIT_S)
            self._tried[row.name, row.changed_at] = count, self._clock.now() + wait_s
            level = logging.ERROR if count >= TRIES else logging.WARNING
            log.log(level, "the alert `%s` was not delivered (%d of %d): %s", row.name, count, TRIES, error)
            return count >= TRIES


class Hook:
    """Where alerts go, through the same guarded wire as every other request."""

    def __init__(
        self, settings: Settings, url: Value, secret: Value | None, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        parts = urlsplit(url.text)
        try:
            build_url(f"{parts.scheme}://{parts.netloc}", {})
        except SettingsError:
            raise SettingsError(("`ALERT_WEBHOOK_URL` is no address of a webhook: `https://…`",)) from None
        self._secret = secret
        self.keys()
        path = url.text[len(f"{parts.scheme}://{parts.netloc}") :] or "/"
        headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
        self._operation = Operation(
            id="POST (alerts)",
            api="alerts",
            method="POST",
            path=path.partition("#")[0],
            parameters=tuple(Parameter(argument=name, name=name, location="header") for name in headers),
            body="raw",
            media_type="application/json",
        )
        self._session = open_api(
            Api(name="alerts", title="the alerts' webhook", base_url=f"{parts.scheme}://{parts.netloc}"),
            settings,
            transport=transport,
            policy=RetryPolicy(max_attempts=2, max_wait_s=3.0, give_up_after_s=10.0),
            deadline_s=5.0,
            max_body_bytes=64 * 1024,
        )

    def keys(self) -> list[bytes]:
        """The keys to sign with. Raises `SettingsError` for a secret that is none; never shows it."""
        if self._secret is None:
            return []
        self._secret.reload()
        found = []
        for text in self._secret.text.split():
            try:
                found.append(base64.b64decode(text.removeprefix("whsec_"), validate=True))
            except (binascii.Error, ValueError):
                raise SettingsError(("`ALERT_WEBHOOK_SECRET` is not `whsec_` and Base64",)) from None
        return found

    async def send(self, row: AlertRow, integration: str, version: str) -> None:
        """Deliver one alert. Repeated deliveries of the same have the same id.

        Raises:
            IntegrationError: it was not taken.
        """
        kind, _, subject = row.name.partition(" ")
        body = msgspec.json.encode(
            {
                "type": f"alert.{row.state}",
                "timestamp": _iso(row.changed_at),
                "data": {
                    "alert": kind,
                    "subject": subject or integration,
                    "state": row.state,
                    "text": row.text,
                    "integration": integration,
                    "version": version,
                },
            }
        )
        name = f"msg_{uuid.uuid5(uuid.NAMESPACE_OID, f'{integration} {row.name} {row.state} {row.changed_at}').hex}"
        at = str(int(self._session.clock.now()))
        headers: dict[str, object] = {"webhook-id": name, "webhook-timestamp": at}
        if signatures := [sign(key, name, at, body) for key in self.keys()]:
            headers["webhook-signature"] = " ".join(signatures)
        await self._session.request(self._operation, arguments=headers, body=body, repeatable=True)

    async def aclose(self) -> None:
        """End the connections."""
        await self._session.aclose()


def sign(key: bytes, name: str, at: str, body: bytes) -> str:
    """One signature of a delivery, as Standard Webhooks says: `v1,…`."""
    digest = hmac.new(key, b".".join((name.encode(), at.encode(), body)), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alerts_of(
    opened: Opened,
    environ: Mapping[str, str] | None = None,
    *,
    meter: Meter | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> tuple[Alerts, Hook] | None:
    """The alerts that the environment asks for; None when it names no webhook.

    Raises:
        SettingsError: what it names cannot be.
    """
    import os

    environ = os.environ if environ is None else environ
    if not (environ.get(URL.name) or environ.get(f"{URL.name}_FILE")):
        return None
    given = resolve((), environ, wanted=(URL, SECRET))
    url, secret = given.value(URL), given.found(SECRET)
    redactor = opened.settings.redactor
    redactor.register(url.text)
    for text in secret.text.split() if secret is not None else ():
        redactor.register(text)
        redactor.register(text.removeprefix("whsec_"))
    hook = Hook(opened.settings, url, secret, transport=transport)
    return Alerts(opened, hook, meter=meter), hook

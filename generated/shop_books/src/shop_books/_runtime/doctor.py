"""`doctor`: is everything there that a run needs? Asks, changes nothing in either API."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from .declare import Api, Fixed, Integration, Operation, Stream
from .engine.opened import Opened, database_url, opened
from .engine.pages import fixed_params
from .errors import IntegrationError, SettingsError
from .http.session import Session
from .redact import Redactor
from .schedule import ScheduleError, parse_schedule
from .state.drives import ON_NETWORK, network_drive
from .watch.health import checks_of
from .watch.metrics import read_state
from .webhooks import handshake_of, verifier_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    is_ok: bool
    text: str

    def to_json(self) -> dict[str, Any]:
        """As `doctor --json` shows it."""
        return {"check": self.name, "ok": self.is_ok, "text": self.text}


async def examine(
    integration: Integration,
    environ: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
    transports: tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport] | None = None,
) -> list[Check]:
    """Look at everything; a failure of one thing does not hide the others."""
    checks = [Check(name="python", is_ok=True, text=f"{sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")]
    checks += _schedules(integration)
    try:
        async with opened(integration, environ, transports=transports) as found:
            checks.append(Check(name="settings", is_ok=True, text="all there"))
            checks.append(await _state(found))
            checks += _drive(found)
            checks += _webhooks(found)
            checks += await _operations(found)
            if not offline:
                checks.append(await _source(found))
                checks.append(await _destination(found))
    except SettingsError as error:
        checks += [Check(name="settings", is_ok=False, text=problem) for problem in error.problems]
    except IntegrationError as error:
        checks.append(Check(name="state", is_ok=False, text=Redactor().text(str(error))))
    return checks


def _schedules(integration: Integration) -> list[Check]:
    checks = []
    for stream in integration.streams:
        if stream.schedule is None:
            continue
        try:
            parse_schedule(stream.schedule)
            checks.append(Check(name=f"schedule of {stream.name}", is_ok=True, text=stream.schedule))
        except ScheduleError as error:
            checks.append(Check(name=f"schedule of {stream.name}", is_ok=False, text=str(error)))
    return checks


async def _state(found: Opened) -> Check:
    state, streams = found.state, found.integration.streams
    changed = []
    for stream in streams:
        point = await state.call(lambda name=stream.name: state.store.checkpoint(name))  # type: ignore[misc]
        if point.mapping and stream.mapping_digest and point.mapping != stream.mapping_digest:
            changed.append(stream.name)
    if changed:
        text = f"the mapping of {', '.join(changed)} changed: `sync --resync` or `sync --keep`"
        return Check(name="state", is_ok=False, text=text)
    dead = await state.call(state.dead_letters.open_count)
    return Check(name="state", is_ok=True, text=f"answers; {dead} open dead letters")


def _drive(found: Opened) -> list[Check]:
    kind = network_drive(database_url(found.integration, found.settings))
    return [] if kind is None else [Check(name="state drive", is_ok=False, text=ON_NETWORK.format(kind))]


async def _operations(found: Opened) -> list[Check]:
    """What `GET /health` says, as far as it can be known without the service: sign-ins, queues, runs, memory."""
    known = await read_state(found, None)
    shown = [each for each in checks_of(found, None, known) if not each.name.startswith(("api ", "database"))]
    return [Check(name=each.name, is_ok=each.status != "critical", text=each.text) for each in shown]


def _webhooks(found: Opened) -> list[Check]:
    checks = []
    for webhook in found.integration.webhooks:
        name = f"webhook {', '.join(webhook.topics)}"
        try:
            verifier_of(webhook, found.settings)
            handshake_of(webhook, found.settings)
            checks.append(Check(name=name, is_ok=True, text="has a secret"))
        except SettingsError as error:
            checks.append(Check(name=name, is_ok=False, text=f"{error}; `serve` will not start"))
    return checks


async def _source(found: Opened) -> Check:
    stream = next(each for each in found.integration.streams if each.reverse_of is None)
    fixed = fixed_params(stream.source.parameters, found.settings.text)
    return await _answers(found.source, found.integration.source, stream.source.list, fixed)


async def _destination(found: Opened) -> Check:
    api = found.integration.destination
    for operation, parameters in _lists_of_destination(found.integration.streams):
        return await _answers(found.destination, api, operation, fixed_params(parameters, found.settings.text))
    return Check(name=api.title, is_ok=True, text="not asked: no operation lists its records")


def _lists_of_destination(streams: Iterable[Stream[Any, Any]]) -> Iterator[tuple[Operation, tuple[Fixed, ...]]]:
    """What lists records there: of streams that write to it, and of those that go back and read it."""
    for stream in streams:
        if stream.reverse_of is not None:
            yield stream.source.list, stream.source.parameters
        elif stream.destination.list is not None:
            yield stream.destination.list, stream.destination.parameters


async def _answers(session: Session, api: Api, operation: Operation, fixed: Mapping[str, object]) -> Check:
    try:
        page = await session.page(operation, params=fixed, size=1)
    except IntegrationError as error:
        return Check(name=api.title, is_ok=False, text=f"{error.failure}: {session.redactor.text(str(error))}")
    return Check(name=api.title, is_ok=True, text=f"answers to {operation.id} ({len(page.records)} records)")

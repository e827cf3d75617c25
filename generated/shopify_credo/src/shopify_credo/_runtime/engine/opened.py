"""Everything that a package needs to run, opened from its declarations and the environment, and closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ..clock import Clock
from ..declare import Integration
from ..session import Session, open_api
from ..settings import Settings, resolve_settings
from ..state import OneThread, State
from .engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An engine and what it stands on."""

    integration: Integration
    settings: Settings
    state: State
    source: Session
    destination: Session
    engine: Engine


def database_url(integration: Integration, settings: Settings) -> str:
    """`DATABASE_URL`, or a SQLite file of the integration's name in the working folder."""
    return settings.options.database_url or f"sqlite:///{Path(integration.name.replace('-', '_') + '.db')}"


def open_state(integration: Integration, settings: Settings, *, threaded: bool = False) -> State:
    """The state, with its tables made or brought up to date."""
    state = State(database_url(integration, settings), name=integration.name, caller=OneThread() if threaded else None)
    try:
        state.prepare()
    except BaseException:
        state.close()
        raise
    return state


@asynccontextmanager
async def opened(
    integration: Integration,
    environ: Mapping[str, str] | None = None,
    *,
    transports: tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Opened]:
    """Open an integration.

    Args:
        environ: Instead of the process's environment.
        transports: Of source and destination, instead of real connections (tests).
        clock: Instead of the machine's.

    Raises:
        SettingsError: with everything that the environment lacks.
        StateError: when the state cannot be opened.
    """
    settings = resolve_settings(integration, environ)
    state = open_state(integration, settings, threaded=True)
    first, second = transports or (None, None)
    try:
        source = open_api(integration.source, settings, transport=first, clock=clock)
        try:
            destination = open_api(integration.destination, settings, transport=second, clock=clock)
            try:
                engine = Engine(
                    integration, source=source, destination=destination, state=state, settings=settings, clock=clock
                )
                yield Opened(
                    integration=integration,
                    settings=settings,
                    state=state,
                    source=source,
                    destination=destination,
                    engine=engine,
                )
            finally:
                await destination.aclose()
        finally:
            await source.aclose()
    finally:
        state.close()

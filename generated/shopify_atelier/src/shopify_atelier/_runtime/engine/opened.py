"""Everything that a package needs to run, opened from its declarations and the environment, and closed again."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ..clock import Clock, SystemClock
from ..declare import Integration
from ..http.budget import SharedLimiter, budget_name
from ..http.session import Session, open_api
from ..http.token_places import StateTokens
from ..settings import Settings, resolve_settings
from ..state import OneThread, State, StateError
from ..state.drives import ON_NETWORK, network_drive
from ..state.sealing import sealer_of
from .engine import Engine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An engine and what it stands on."""

    integration: Integration
    settings: Settings
    state: State
    source: Session
    destination: Session
    engine: Engine
    shared: State | None = None
    """What replicas share, on a connection and a thread of its own, so that no run keeps it waiting; None without them."""


def database_url(integration: Integration, settings: Settings) -> str:
    """`DATABASE_URL`, or a SQLite file of the integration's name in the working folder."""
    return settings.options.database_url or f"sqlite:///{Path(integration.name.replace('-', '_') + '.db')}"


async def share_budgets(
    stack: AsyncExitStack, integration: Integration, settings: Settings, sessions: Iterable[Session], clock: Clock
) -> State:
    """Let sessions draw from the budgets that all replicas share."""
    state = State(database_url(integration, settings), name=integration.name, caller=OneThread("shared"))
    stack.callback(state.close)
    if not state.is_shared:
        raise StateError("RUNNER=cluster needs PostgreSQL: a SQLite file is for one machine; set DATABASE_URL")
    for session in sessions:
        session.limiter = limiter = SharedLimiter(
            session.api.rate_limit,
            clock,
            name=budget_name(session.api, session.base_url),
            budgets=state.budgets,
            caller=state.caller,
            max_concurrent=settings.options.max_concurrent,
        )
        stack.push_async_callback(limiter.aclose)
    return state


def open_state(integration: Integration, settings: Settings, *, threaded: bool = False) -> State:
    """The state, with its tables made or brought up to date."""
    for key in (settings.options.state_key or "").split():
        settings.redactor.register(key)
    state = State(
        database_url(integration, settings),
        name=integration.name,
        caller=OneThread() if threaded else None,
        sealer=sealer_of(settings.options.state_key),
    )
    try:
        state.prepare()
    except BaseException:
        state.close()
        raise
    if (kind := network_drive(database_url(integration, settings))) is not None:
        log.warning(ON_NETWORK.format(kind))
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
    async with AsyncExitStack() as stack:
        state = open_state(integration, settings, threaded=True)
        stack.callback(state.close)
        first, second = transports or (None, None)
        tokens, holder = StateTokens(state), f"{socket.gethostname()}:{os.getpid()}"
        source = open_api(integration.source, settings, transport=first, clock=clock, tokens=tokens, holder=holder)
        stack.push_async_callback(source.aclose)
        destination = open_api(
            integration.destination, settings, transport=second, clock=clock, tokens=tokens, holder=holder
        )
        stack.push_async_callback(destination.aclose)
        shared = None
        if settings.options.runner == "cluster":
            shared = await share_budgets(stack, integration, settings, (source, destination), clock or SystemClock())
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
            shared=shared,
        )

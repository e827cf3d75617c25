"""`serve`: the application on uvicorn, from the environment."""

from __future__ import annotations

import logging
import os
import signal

from .actions.runs import configure_logging, settle_memory
from .declare import Env, Integration
from .engine.opened import opened
from .errors import IntegrationError
from .http.loops import run
from .roles import Tokens
from .settings import resolve
from .watch.overseeing import overseen

log = logging.getLogger(__name__)

PUBLIC_URL = Env("PUBLIC_URL")
"""Where senders reach the webhooks, without the path: `https://hooks.example.com`. Some vendors sign it."""
DRAIN_S = 25
"""For what is under way when the process is asked to end; less than the grace period of Kubernetes."""


def public_url() -> str | None:
    """What PUBLIC_URL says, where it is set."""
    if not os.environ.keys() & {"PUBLIC_URL", "PUBLIC_URL_FILE"}:
        return None
    return resolve((), wanted=(PUBLIC_URL,)).text(PUBLIC_URL)


class ServeMissing(IntegrationError):
    """The extra is not installed."""


def serve(integration: Integration, *, host: str, port: int, with_schedule: bool) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    try:
        import starlette  # noqa: F401  both belong to the extra
        import uvicorn  # noqa: F401
    except ModuleNotFoundError:
        raise ServeMissing(f"serving needs the extra: pip install '{integration.name}[serve]'") from None
    return run(_serve(integration, host=host, port=port, with_schedule=with_schedule))


async def _serve(integration: Integration, *, host: str, port: int, with_schedule: bool) -> int:
    import uvicorn

    from .server import Service

    tokens, _ = Tokens.read()
    async with opened(integration) as found:
        tokens.hide_in(found.settings.redactor)
        configure_logging(found.settings)
        settle_memory()
        service = Service(found, token=tokens, public_url=public_url(), with_schedule=with_schedule)
        if not tokens:
            log.warning("no CONTROL_TOKEN is set: the control API is closed, webhooks and health checks are open")
        config = uvicorn.Config(
            service.application(),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
            limit_concurrency=1000,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn raises the signal again when it has drained; that must not end the process before we have.
            signal.signal(number, lambda *_: None)
        async with overseen(found, meter=service.meter, goes_on=True):
            await server.serve()
        return 0 if server.started else 1

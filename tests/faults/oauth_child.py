"""One process of several that share a sign-in: opens the sample, and does at each line of its input what the line says.

ask     five requests side by side; prints their statuses, or the failure
die     the same, and the process is killed between the server's reply and the storing of the token
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from runtime.declare import Operation
from runtime.engine.opened import opened
from runtime.errors import IntegrationError
from runtime.http import token_places
from tests.runtime.oauth_sample import INTEGRATION

READ = Operation(id="GET /contacts", api="credo", method="GET", path="/contacts")
token_places.LOCK_S = float(os.environ.get("LOCK_S", token_places.LOCK_S))


class Deadly(token_places.StateTokens):
    """Ends the process at the worst moment."""

    async def keep(self, *args: Any, **kwargs: Any) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


async def main() -> None:
    async with opened(INTEGRATION) as found:
        session = found.destination
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            if line == "die":
                session.auth._place = Deadly(found.state)  # type: ignore[attr-defined]
            try:
                replies = await asyncio.gather(*(session.request(READ) for _ in range(5)))
                print(json.dumps([reply.status for reply in replies]), flush=True)
            except IntegrationError as error:
                print(json.dumps({"failure": error.failure, "error": str(error)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

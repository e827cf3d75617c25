"""Shadow calls: the package's clients against both mocks, and every rule exercised; prints one JSON value.

    python -m tests.shadow --calls 100

Never a real API: both base URLs are overridden, and a guard refuses every connection that leaves this machine. The mocks keep
their declared rate limits, on a clock on which waiting takes no time: a 429 means that the package is faster than declared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


def keep_on_this_machine() -> None:
    """Refuse, in this process and for good, to look up names and to connect to other machines."""
    loopback = {"127.0.0.1", "::1", "localhost", None, "", b"localhost", b"127.0.0.1"}

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo" and arguments[0] not in loopback:
            raise PermissionError(f"a shadow call may not look up {arguments[0]!r}")
        if event == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple) and address[0] not in loopback:
                raise PermissionError(f"a shadow call may not connect to {address[0]!r}")

    sys.addaudithook(guard)


@dataclass(slots=True)
class Result:
    """What became of the calls of one operation."""

    side: str
    api: str
    operation: str
    tested: int = 0
    passed: int = 0
    response_time_ms: list[float] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


async def shadow(calls: int, seed: int) -> dict[str, Any]:
    """Call the operations of all streams in turn, `calls` times in all, and exercise every rule."""
    from tests.bench import Clock
    from tests.calls import Caller, client_class, client_methods, used_operations
    from tests.exercise import exercise_rules
    from tests.mocks import Mock
    from tests.mocks.server import listen
    from tests.package import INTEGRATION, destination_form, runtime, source_form

    clock = Clock()
    mocks = {
        "source": Mock(source_form(), count=60, seed=seed, now=clock.monotonic),
        "destination": Mock(destination_form(), count=0, seed=seed, now=clock.monotonic),
    }
    environ: dict[str, str] = {}
    runners = []
    for mock in mocks.values():
        runner, url = await listen(mock)
        runners.append(runner)
        environ |= mock.form.environ(url)
    settings = runtime("settings").resolve_settings(INTEGRATION, environ)
    results: dict[tuple[str, str], Result] = {}
    plan = []
    sessions = []
    for side, mock in mocks.items():
        api = getattr(INTEGRATION, side)
        session = runtime("http.session").open_api(
            api, settings, clock=clock, tokens=runtime("http.token_places").MemoryTokens()
        )
        sessions.append(session)
        caller = Caller(side, client_class(api)(session), mocks, environ)
        for id in used_operations(mock.form):
            results[side, id] = Result(side, api.name, id)
        plan += [(side, caller, method) for method in client_methods(api)]
    plan.sort(key=lambda entry: _order(mocks[entry[0]], entry[2].operation.id))
    try:
        for number in range(calls):
            side, caller, method = plan[number % len(plan)]
            result = results.setdefault(
                (side, method.operation.id), Result(side, mocks[side].form.api, method.operation.id)
            )
            await _call(caller, method, result)
    finally:
        for session in sessions:
            await session.aclose()
        for runner in runners:
            await runner.cleanup()
    return {
        "form": 1,
        "calls": calls,
        "operations": [asdict(result) for result in results.values()],
        "rules": [asdict(done) for mock in mocks.values() for done in exercise_rules(mock)],
        "throttled": {side: sum(status == 429 for _, status in mock.requests) for side, mock in mocks.items()},
    }


def _order(mock: Any, operation: str) -> int:
    """Creates first, so that there is something to read and to change."""
    does = mock.form.operation(operation).does
    return ("create", "batch", "list", "get", "update", "delete", "answer").index(does)


async def _call(caller: Any, method: Any, result: Result) -> None:
    started = time.perf_counter()
    try:
        await caller.call(method)
    except Exception as error:
        result.errors.append(_told(error))
    else:
        result.passed += 1
    result.tested += 1
    result.response_time_ms.append(round((time.perf_counter() - started) * 1000, 3))


def _told(error: Exception) -> dict[str, Any]:
    """An error without values of records."""
    status = getattr(error, "status", None)
    kinds = [each.__name__ for each in type(error).__mro__]
    return {
        "error": type(error).__name__,
        "status": status if isinstance(status, int) else None,
        "is_connectivity": bool({"TransportError", "BreakerOpen", "OSError"} & set(kinds)),
        "message": str(error)[:300],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the outcome; the exit code says only whether the calls could be made."""
    parser = argparse.ArgumentParser(prog="python -m tests.shadow", description="Shadow calls against both mocks.")
    parser.add_argument("--calls", type=int, default=100, help="how many in all (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other records")
    options = parser.parse_args(arguments)
    keep_on_this_machine()
    with tempfile.TemporaryDirectory() as folder:
        del folder
        print(json.dumps(asyncio.run(shadow(options.calls, options.seed))))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(main())

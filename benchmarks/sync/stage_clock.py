"""The generated package, told apart by stage: its own command line, with a clock around the functions that begin a stage.

`python -m benchmarks.sync.stage_clock PACKAGE OUTPUT ARGUMENTS…`, run by the package's interpreter. What each stage took of the
processor goes to OUTPUT as JSON; what runs under no clock (starting, ending) is the caller's to subtract from the whole. Time
spent in an inner stage counts for that one alone, and each thread has a clock of its own.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

STAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "read: ask for pages, split them": ((".http.session", "Session.page"),),
    "map: check, map, encode, hash, digest the match": ((".engine.items", "Reader.read"),),
    "decide: compare with what is known, fates, outcomes": (
        (".engine.groups", "Groups.sync"),
        (".engine.classify", "drop_repeated"),
        (".engine.classify", "classify"),
        (".engine.classify", "requests_for"),
        (".engine.fates", "Fates.outcomes"),
        (".engine.tally", "Tally.count"),
    ),
    "write: requests and what they answer": (
        (".engine.write", "Writer._batch"),
        (".engine.write", "Writer._create"),
        (".engine.write", "Writer._update"),
    ),
    "state: intents as they are kept": ((".engine.requests", "write_down"),),
    "state: look-ups and transactions": ((".state.store", "Store.commit"),),
    "event loop and sockets": (("asyncio.base_events", "BaseEventLoop._run_once"),),
}
"""Stage → the functions that are it; a module that begins with a dot is the package's runtime's."""

_spent: Counter[str] = Counter()
_here = threading.local()
_lock = threading.Lock()


def _swap(stage: str) -> str:
    """Let the thread's time count for `stage` from here on; returns the stage before."""
    now = time.thread_time()
    before: str = getattr(_here, "stage", "")
    if before:
        with _lock:
            _spent[before] += now - _here.since
    _here.stage, _here.since = stage, now
    return before


@types.coroutine
def _in_steps(stage: str, work: Any) -> Generator[Any, Any, Any]:
    """A coroutine whose steps count for `stage`; what it waits for does not."""
    step: Callable[[], Any] = functools.partial(work.send, None)
    while True:
        before = _swap(stage)
        try:
            waited_for = step()
        except StopIteration as done:
            return done.value
        finally:
            _swap(before)
        try:
            step = functools.partial(work.send, (yield waited_for))
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            step = functools.partial(work.throw, error)


def _clocked(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def coroutine(*arguments: Any, **named: Any) -> Any:
        return await _in_steps(stage, function(*arguments, **named))

    @functools.wraps(function)
    def plain(*arguments: Any, **named: Any) -> Any:
        before = _swap(stage)
        try:
            return function(*arguments, **named)
        finally:
            _swap(before)

    return coroutine if iscoroutinefunction(function) else plain


def watch(package: str) -> None:
    """Put the clocks in place, also where another module of the runtime has imported a function by its name."""
    root = f"{package}._runtime"
    importlib.import_module(f"{root}.engine.engine")
    for stage, places in STAGES.items():
        for module, path in places:
            owner: Any = importlib.import_module(root + module if module[0] == "." else module)
            *outer, name = path.split(".")
            owner = functools.reduce(getattr, outer, owner)
            function = getattr(owner, name)
            holders = [owner] if outer else [each for key, each in sys.modules.items() if key.startswith(root)]
            for holder in holders:
                if getattr(holder, name, None) is function:
                    setattr(holder, name, _clocked(stage, function))


def main() -> None:
    """Run the package's command line under the clocks."""
    package, output, *arguments = sys.argv[1:]
    watch(package)
    cli = importlib.import_module(f"{package}.cli")
    sys.argv = [package, *arguments]
    try:
        with suppress(SystemExit):
            cli.main()
    finally:
        Path(output).write_text(json.dumps(_spent), encoding="utf-8")


if __name__ == "__main__":
    main()

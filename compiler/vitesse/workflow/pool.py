"""Requests × worker processes → replies, in the order of the requests.

A worker is a fresh interpreter that reads one request a line and writes one reply a line, so nothing is inherited but the paths that
modules are found on. At most as many requests are in work as there are workers; a worker that grew too large is replaced after its
reply. One that ends in the middle takes only its own request with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

_LARGE_MIB = 384
"""A worker whose peak is above this is replaced."""
_MEMORY_OF_ONE_MIB = 256
"""What a worker is thought to need where the number of workers is chosen."""
_LEAVE_S = 5.0
"""How long a worker that is told to stop may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """In place of a reply: the worker was gone before it could say anything."""

    how: str
    """`by signal 9`, `with exit code 1`, `before it began`."""


def default_jobs() -> int:
    """One worker for each core that this process may use, fewer where memory is short."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    try:
        memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    except (AttributeError, OSError, ValueError):
        return cores
    return max(1, min(cores, memory_mib // _MEMORY_OF_ONE_MIB))


def ask_all(requests: Sequence[Json], *, worker: str, jobs: int) -> Generator[Json | Ended, None, None]:
    """Yield the reply to each request as soon as it and all before it are there.

    Args:
        worker: The module whose `main` a worker runs.
        jobs: Workers at most; there are never more than requests.

    A consumer that stops early, or Ctrl-C, ends the workers: each puts away what it has in hand and is waited for.
    """
    pool = _Pool(requests, worker)
    waiting: dict[int, Json | Ended] = {}
    try:
        pool.start(min(jobs, len(requests)))
        for number in range(len(requests)):
            while number not in waiting:
                found, reply = pool.replies.get()
                waiting[found] = reply
            yield waiting.pop(number)
    finally:
        pool.stop()


class _Pool:
    """A thread for each worker hands it the next request; the caller's thread only waits."""

    def __init__(self, requests: Sequence[Json], module: str) -> None:
        self.replies: queue.SimpleQueue[tuple[int, Json | Ended]] = queue.SimpleQueue()
        self._module = module
        self._requests = enumerate(requests)
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def start(self, count: int) -> None:
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for worker in self._workers:
                worker.terminate()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        worker: _Worker | None = None
        while (one := self._next()) is not None:
            number, request = one
            try:
                worker = worker or self._open()
                reply = worker.ask(request)
            except OSError as error:
                reply = Ended(how=f"before it began: {error.strerror or type(error).__name__}")
            self.replies.put((number, reply))
            if worker is not None and (isinstance(reply, Ended) or reply.get("peak_mib", 0) > _LARGE_MIB):
                self._close(worker)
                worker = None
        if worker is not None:
            self._close(worker)

    def _next(self) -> tuple[int, Json] | None:
        with self._lock:
            return None if self._stopped else next(self._requests, None)

    def _open(self) -> _Worker:
        worker = _Worker(self._module)
        with self._lock:
            self._workers.add(worker)
            if self._stopped:
                worker.terminate()
        return worker

    def _close(self, worker: _Worker) -> None:
        worker.close()
        with self._lock:
            self._workers.discard(worker)


class _Worker:
    """One process. Its error stream is ours; its own group keeps a Ctrl-C on the terminal from it, so that we say when it ends."""

    def __init__(self, module: str) -> None:
        boot = f"import sys; sys.path[:] = {_paths()!r}; from {module} import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", boot],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0 if os.name == "posix" else None,
        )

    def ask(self, request: Json) -> Json | Ended:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if line.endswith(b"\n"):
            reply: Json = json.loads(line)
            return reply
        code = process.wait()
        return Ended(how=f"by signal {-code}" if code < 0 else f"with exit code {code}")

    def terminate(self) -> None:
        self._process.terminate()

    def close(self) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _paths() -> list[str]:
    """Where modules are found, as they are found here; an empty entry means the working folder."""
    return [path or os.getcwd() for path in sys.path]

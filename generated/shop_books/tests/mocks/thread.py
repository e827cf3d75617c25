"""A mock in a thread of its own, for tests that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .form import MockForm
from .server import Mock, listen


@dataclass(frozen=True, slots=True)
class Running:
    """A mock that listens. Its state may be read and changed from the test between requests."""

    mock: Mock
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What the package must be told to use this mock."""
        return self.mock.form.environ(self.url)


@contextmanager
def serve_in_thread(
    form: MockForm, *, count: int = 25, seed: int = 0, limited: bool = True, port: int = 0
) -> Iterator[Running]:
    """Serve a mock on the loopback interface until the block ends."""
    mock = Mock(form, count=count, seed=seed, limited=limited)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"mock-{form.api}", daemon=True)
    thread.start()
    try:
        runner, url = asyncio.run_coroutine_threadsafe(listen(mock, port), loop).result(10)
        try:
            yield Running(mock, url)
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

"""Secrets planted everywhere a log could pick them up, and the search for them afterwards."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.logs import REPEATS, RepetitionFilter, setup_logging
from runtime.redact import Redactor

SECRET = "shpat_0123456789abcdef"
RUNTIME = Path(__file__).parents[2] / "runtime_template"


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Put the process's logging back."""
    root = logging.getLogger()
    handlers, level, factory = root.handlers[:], root.level, logging.getLogRecordFactory()
    hooks = sys.excepthook, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.setLogRecordFactory(factory)
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)


class Clock:
    at = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    def random(self) -> float:
        return 0.0


class Odd:
    def __str__(self) -> str:
        return f"odd {SECRET}"

    __repr__ = __str__


def plant(name: str) -> None:
    """Log a secret in every way that a library has."""
    log = logging.getLogger(name)
    log.warning("literal %s" % SECRET)  # noqa: UP031
    log.warning("argument %s", SECRET)
    log.warning("object %s %r", Odd(), Odd())
    log.warning("named %(token)s", {"token": SECRET})
    log.warning("headers %s", {"Authorization": f"Bearer {SECRET}", "X-Api-Key": "another-secret-1"})
    log.warning("pairs %s", [("Authorization", "another-secret-1"), (b"X-Api-Key", b"another-secret-1")])
    log.warning('HTTP Request: %s %s "%s"', "GET", "https://h.example/p?api_key=another-secret-1&page=2", "200 OK")
    log.warning("https://user:another-secret-1@h.example/")
    log.warning(
        "extra",
        extra={"password": "another-secret-1", "payload": {"deep": [{"apiKey": "another-secret-1"}], "t": SECRET}},
    )
    log.warning("body %s", f'{{"client_secret": "another-secret-1", "name": "{SECRET}"}}'.encode())
    log.warning("wrong arguments %s %s", SECRET)
    log.warning("line\nbreak \x1b[31m %s", SECRET, stack_info=True)
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            error.add_note(f"note {SECRET}")
            raise ValueError(f"Authorization: Bearer {SECRET}") from error
    except ValueError:
        log.exception("failed for %s", SECRET)


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_planted_secret_reaches_a_line(form: Any) -> None:
    """Ours, a third party's, warnings; message, arguments, extra fields, tracebacks."""
    out = io.StringIO()
    setup_logging(Redactor([SECRET]), level="DEBUG", form=form, stream=out)
    for name in ("runtime.http.session", "httpx", "aiohttp.client", "sqlalchemy.engine", "some.library"):
        plant(name)
    warnings.warn(f"careful with {SECRET}", stacklevel=1)
    text = out.getvalue()
    assert text.count("\n") > 50
    assert SECRET not in text
    assert "0123456789abcdef" not in text
    assert "another-secret" not in text
    assert "\x1b" not in text
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert {line["level"] for line in lines} == {"warning", "error"}
        assert any("ValueError" in line.get("error", "") for line in lines)
        assert all(line["time"].endswith("Z") for line in lines)


def test_handler_of_a_library_is_redacted_too() -> None:
    """Who brings his own handler and formatter gets redacted records."""
    out = io.StringIO()
    setup_logging(Redactor([SECRET]), stream=io.StringIO())
    log = logging.getLogger("own.handler")
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        plant("own.handler")
    finally:
        log.removeHandler(handler)
    assert "failed for" in out.getvalue()
    assert "Traceback" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_crash_prints_no_secret() -> None:
    """An exception that nobody catches, in the main program and in a thread."""
    program = f"""
        import sys, threading
        from runtime.logs import setup_logging
        from runtime.redact import Redactor
        setup_logging(Redactor([{SECRET!r}]))
        def fail(): raise RuntimeError({SECRET!r})
        thread = threading.Thread(target=fail); thread.start(); thread.join()
        fail()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(RUNTIME)}, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError: [redacted]") == 2
    assert "RuntimeError: shpat" not in done.stderr


def test_closed_output_does_not_stop_the_program() -> None:
    """Nobody reads any more: the sync goes on, in silence."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    setup_logging(Redactor(), stream=Closed())
    logging.getLogger("x").warning("hello")


def test_message_that_repeats_is_capped_and_then_counted() -> None:
    """Ten thousand equal failures are twenty lines, and one that says how many were left out."""
    clock = Clock()
    out = io.StringIO()
    setup_logging(Redactor(), stream=out, clock=clock)
    log = logging.getLogger("storm")
    for number in range(10_000):
        log.warning("record %d failed", number)
    log.error("something else")
    clock.at = 61
    log.warning("record %d failed", 1)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == REPEATS + 2
    assert lines[-1]["left_out"] == 10_000 - REPEATS


def test_filter_remembers_a_bounded_number_of_messages() -> None:
    """Messages that are all different cannot fill the memory."""
    repeated = RepetitionFilter(Clock())
    for number in range(10_000):
        assert repeated.filter(logging.makeLogRecord({"name": "x", "msg": f"message {number}"}))
    assert len(repeated._seen) <= 2_000


def test_library_chatter_is_left_out_unless_debugging() -> None:
    """httpx logs each request at INFO."""
    out = io.StringIO()
    setup_logging(Redactor(), stream=out)
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("ours").info("run finished")
    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == ["run finished"]


def test_line_of_the_server_says_its_message_once() -> None:
    out = io.StringIO()
    setup_logging(Redactor([]), stream=out)
    logging.getLogger("uvicorn.error").warning("started %s", "it", extra={"color_message": "\x1b[1mstarted\x1b[0m %s"})
    assert "color_message" not in json.loads(out.getvalue())
    assert json.loads(out.getvalue())["message"] == "started it"


def test_text_names_foreign_loggers_whole() -> None:
    """The server's own logger is called `uvicorn.error`, whatever it says."""
    out = io.StringIO()
    setup_logging(Redactor(), form="text", stream=out)
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("runtime.engine.engine").info("run ended")
    assert [line[9:] for line in out.getvalue().splitlines()] == [
        "info uvicorn.error: started",
        "info engine: run ended",
    ]

"""Log records → lines without secrets, from this package and from every library in the process.

One JSON object a line (or a short text for people). Redaction sits in three places, so that no way around it is left: in the
record itself (whatever handler a library brings), in the formatter (extra fields, tracebacks), and in the hooks that print
what nobody caught. A message that repeats is written at most so often, then counted.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections import OrderedDict
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

from .clock import Clock, SystemClock
from .redact import Redactor, escape_controls

REPEATS = 20
"""So many lines of one message in `REPEAT_SPAN_S`; the next line after it says how many were left out."""
REPEAT_SPAN_S = 60.0
LONGEST_TEXT = 8_000
_KEYS = 2_000
_NOISY = ("aiohttp", "asyncio", "httpcore", "httpx", "sqlalchemy", "urllib3", "uvicorn.access")
_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "left_out",
    "color_message",  # uvicorn's message again, for terminals
}


def setup_logging(
    redactor: Redactor,
    *,
    level: str = "INFO",
    form: Literal["json", "text"] = "json",
    stream: TextIO | None = None,
    clock: Clock | None = None,
) -> None:
    """Make the process log this way. For programs; a library leaves logging to its host."""
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(redactor) if form == "json" else TextFormatter(redactor))
    handler.addFilter(RepetitionFilter(clock or SystemClock()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "DEBUG" else logging.WARNING)
    logging.captureWarnings(True)
    _redact_records(redactor)
    _redact_crashes(redactor)


def redactor_in_use() -> Redactor:
    """The redactor that the process logs with. Before there is one, a fresh one, which hides what looks like a secret."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, JsonFormatter | TextFormatter):
            return handler.formatter.redactor
    return Redactor()


def _redact_records(redactor: Redactor) -> None:
    class RedactedRecord(logging.LogRecord):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if self.exc_info and self.exc_info[0] is not None:
                # Formatters take `exc_text` as it is when it is there.
                self.exc_text = redactor.text("".join(traceback.format_exception(*self.exc_info))).rstrip("\n")

        def getMessage(self) -> str:
            return redactor.text(super().getMessage())

    logging.setLogRecordFactory(RedactedRecord)


def _redact_crashes(redactor: Redactor) -> None:
    def show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        text = redactor.text("".join(traceback.format_exception(kind, error, trace)))
        try:
            sys.stderr.write(text)
        except (OSError, ValueError):
            pass  # nobody reads any more

    def show_thread(args: threading.ExceptHookArgs) -> None:
        show(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = show
    threading.excepthook = show_thread


class _Handler(logging.StreamHandler[TextIO]):
    """Goes on when nobody reads: a closed pipe must not stop a sync."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError | ValueError):
            super().handleError(record)


class RepetitionFilter(logging.Filter):
    """Lets one message through `REPEATS` times in `REPEAT_SPAN_S`; a message is its logger, level and template."""

    def __init__(self, clock: Clock, *, repeats: int = REPEATS, span_s: float = REPEAT_SPAN_S) -> None:
        super().__init__()
        self._clock = clock
        self._repeats = repeats
        self._span_s = span_s
        self._seen: OrderedDict[tuple[str, int, str], list[float]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock.monotonic()
        key = (record.name, record.levelno, str(record.msg)[:200])
        entry = self._seen.get(key)
        if entry is None:
            while len(self._seen) >= _KEYS:
                self._seen.popitem(last=False)
            self._seen[key] = [now, 1]
            return True
        if now - entry[0] >= self._span_s:
            left_out = entry[1] - self._repeats
            entry[0], entry[1] = now, 1
            if left_out > 0:
                record.left_out = int(left_out)
            return True
        entry[1] += 1
        return entry[1] <= self._repeats


class JsonFormatter(logging.Formatter):
    """One JSON object: time, level, logger, message, then what was handed in as `extra`."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self.redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record, self.redactor),
        }
        for name, value in _extras(record, self.redactor).items():
            line.setdefault(name, value)
        if error := _error(record, self.redactor):
            line["error"] = error
        return json.dumps(line, ensure_ascii=True, default=str, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """`12:03:04 info sync: 3 written stream=customers`, for people."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self.redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        clock, level = _time(record.created)[11:19], record.levelname.lower()
        is_own = record.name.startswith(f"{__package__}.")
        name = record.name.rpartition(".")[2] if is_own else record.name  # `uvicorn.error` is no error
        line = f"{clock} {level} {name}: {_message(record, self.redactor)}"
        line += "".join(f" {name}={value}" for name, value in _extras(record, self.redactor).items())
        error = _error(record, self.redactor)
        return escape_controls(line) + (
            "\n" + "\n".join(escape_controls(each) for each in error.split("\n")) if error else ""
        )


def _time(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord, redactor: Redactor) -> str:
    try:
        text = record.getMessage()
    except Exception:  # a log call with wrong arguments must not end a run
        text = str(record.msg)
    return redactor.text(text)[:LONGEST_TEXT]


def _extras(record: logging.LogRecord, redactor: Redactor) -> dict[str, object]:
    extras = {
        name: redactor.value(value, name)
        for name, value in record.__dict__.items()
        if name not in _STANDARD and not name.startswith("_")
    }
    if (left_out := getattr(record, "left_out", 0)) > 0:
        extras["left_out"] = left_out
    return extras


def _error(record: logging.LogRecord, redactor: Redactor) -> str:
    text = record.exc_text or ""
    if not text and record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    if record.stack_info:
        text = f"{text}\n{record.stack_info}" if text else record.stack_info
    return redactor.text(text)[:LONGEST_TEXT] if text else ""

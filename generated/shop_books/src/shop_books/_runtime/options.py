"""The options of the engine: each with its environment variable, its default, its bounds and one sentence for people."""

from __future__ import annotations

import re
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from typing import Any


def _option(
    env: str, default: object, text: str, *, least: float | None = None, most: float | None = None, secret: bool = False
) -> Any:
    """One field of `Options`: its environment variable, its default, its bounds and one sentence for people."""
    meta = {"env": env, "text": text, "least": least, "most": most, "secret": secret}
    return field(default=default, metadata=meta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the engine works, as far as the environment may say. `OPTIONS` lists the variables with their sentences."""

    batch_size: int = _option("BATCH_SIZE", 100, "records written with one request, at most", least=1, most=10_000)
    sync_interval_s: float | None = _option(
        "SYNC_INTERVAL_SECONDS", None, "seconds between runs; replaces the schedule of every stream", least=1
    )
    max_concurrent: int = _option(
        "SYNC_MAX_CONCURRENT", 16, "requests under way at once to one API, at most", least=1, most=1000
    )
    database_url: str | None = _option(
        "DATABASE_URL", None, "SQLAlchemy URL of the state; SQLite in the working folder when unset", secret=True
    )
    database_pool_size: int = _option(
        "DATABASE_POOL_SIZE", 5, "connections to the database, at most", least=1, most=100
    )
    state_key: str | None = _option(
        "STATE_KEY",
        None,
        "Fernet keys, newest first: payloads and tokens in the state are sealed with them",
        secret=True,
    )
    lease_s: float = _option(
        "LEASE_SECONDS", 60.0, "seconds after which a run that does not answer may be taken over", least=1, most=3600
    )
    runner: str = _option(
        "RUNNER", "local", "local: this process carries out its runs; cluster: workers do, over one PostgreSQL"
    )
    worker_id: str | None = _option(
        "WORKER_ID", None, "name of this worker, unlike that of any other; made up when unset (RUNNER=cluster)"
    )
    worker_runs: int = _option(
        "WORKER_RUNS", 4, "runs that one worker carries out at once (RUNNER=cluster)", least=1, most=64
    )
    wire: str = _option(
        "WIRE", "aiohttp", "what sends requests: aiohttp, or fast (extra `fast`: httptools, uvloop where it runs)"
    )
    request_deadline_s: float = _option(
        "REQUEST_DEADLINE_SECONDS",
        60.0,
        "seconds for one attempt of one request, its body included",
        least=0.01,
        most=3600,
    )
    connect_timeout_s: float = _option(
        "CONNECT_TIMEOUT_SECONDS", 10.0, "seconds for a connection to come about", least=0.01, most=300
    )
    max_body_bytes: int = _option("MAX_BODY_BYTES", 64 * 1024 * 1024, "decoded size of one reply, at most", least=1024)
    max_attempts: int = _option("MAX_ATTEMPTS", 5, "how often one request is sent, at most", least=1, most=100)
    max_wait_s: float = _option(
        "MAX_WAIT_SECONDS", 120.0, "the longest wait before a retry; a longer Retry-After ends the run", least=0
    )
    destination_lag_s: float = _option(
        "DESTINATION_LAG_SECONDS",
        5.0,
        "seconds after which the destination finds what was written; waited before a write is taken for lost",
        least=0,
        most=600,
    )
    allow_private_network: bool = _option(
        "ALLOW_PRIVATE_NETWORK", False, "let host names lead to private and loopback addresses, plain HTTP included"
    )
    metrics_port: int | None = _option(
        "METRICS_PORT", None, "where a worker of a cluster answers monitors; nowhere when unset", least=1, most=65_535
    )
    health_max_queue: int = _option(
        "HEALTH_MAX_QUEUE", 1000, "rows that wait in one queue of the state before health says so", least=1
    )
    health_max_memory_mb: int | None = _option(
        "HEALTH_MAX_MEMORY_MB",
        None,
        "memory of the process before health says so; the container's limit when unset",
        least=16,
    )
    health_max_lag_s: float | None = _option(
        "HEALTH_MAX_LAG_SECONDS", None, "seconds since a run of a stream went well before health says so", least=1
    )
    alert_conflict_share: float = _option(
        "ALERT_CONFLICT_SHARE",
        0.05,
        "share of a run's records that are held as conflicts before an alert",
        least=0,
        most=1,
    )
    alert_score: int = _option(
        "ALERT_SCORE", 70, "an overall score of health below this is an alert", least=0, most=100
    )
    monitor: bool = _option(
        "MONITOR", False, "write nothing anywhere: every run is a dry run that shows what it would do"
    )
    log_level: str = _option("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR")
    log_format: str = _option("LOG_FORMAT", "json", "json or text")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionText:
    """One environment variable of the engine, for documentation and `doctor`."""

    env: str
    default: str
    text: str


OPTIONS: tuple[OptionText, ...] = tuple(
    OptionText(
        env=each.metadata["env"], default="" if each.default is None else str(each.default), text=each.metadata["text"]
    )
    for each in fields(Options)
    if each.default is not NO_DEFAULT
)
_CHOICES = {
    "RUNNER": ("local", "cluster"),
    "WIRE": ("aiohttp", "fast"),
    "LOG_LEVEL": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "LOG_FORMAT": ("json", "text"),
}
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def convert(type: object, text: str, name: str) -> Any:
    """The value of an option out of its text. Raises `ValueError` with what it should be."""
    match str(type):
        case "int" | "int | None":
            if not re.fullmatch(r"[0-9]{1,15}", text):
                raise ValueError("a whole number")
            return int(text)
        case "float" | "float | None":
            if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
                raise ValueError("a number")
            return float(text)
        case "bool":
            if text.lower() not in (*_TRUE, *_FALSE):
                raise ValueError("`true` or `false`")
            return text.lower() in _TRUE
        case _:
            if (choices := _CHOICES.get(name)) is not None:
                by_name = {choice.lower(): choice for choice in choices}
                if text.lower() not in by_name:
                    raise ValueError(f"one of {', '.join(choices)}")
                return by_name[text.lower()]
            return text

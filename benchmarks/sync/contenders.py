"""Who is measured: for each a command line that brings all records from the one API to the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import alone, peers
from benchmarks.places import REPOSITORY, WORK


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One client. `fewer` divides the number of records, for those that would take minutes."""

    name: str
    argv: Callable[[str, str], tuple[str, ...]]
    """(address, `single` or `batch`) → command line."""
    env: Callable[[str, str], Mapping[str, str]]
    """(address, mode) → what is added to the environment."""
    folder: Path | None = None
    """Its state; emptied before each turn."""
    fewer: Mapping[str, int] | None = None
    """Mode → divisor."""
    drops_nulls: bool = False
    """It leaves out what is null; the others write it."""
    modes: tuple[str, ...] = ("single", "batch")
    """What it takes part in; `read` writes nothing."""

    def start_anew(self) -> None:
        """Forget earlier turns: all records are new each time."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)


IDIOMATIC = "aiohttp, idiomatic"


def others() -> list[Contender]:
    """Everyone but the generated package; the base first."""
    state = WORK / "sync" / "lean"
    return [
        Contender(name=IDIOMATIC, argv=_program("aiohttp_idiomatic"), env=_plain, modes=("single", "batch", "read")),
        Contender(name="aiohttp + msgspec by hand, no safety", argv=_program("lean"), env=_plain),
        Contender(
            name="the same + intents, links, checkpoint in SQLite",
            argv=_program("lean", str(state / "state.db")),
            env=_plain,
            folder=state,
        ),
        Contender(name="httpx AsyncClient, stock", argv=_program("httpx_stock"), env=_plain, fewer={"single": 4}),
        _dlt(),
        Contender(
            name="singer-sdk, a tap", argv=_program("singer_read", of="singer-sdk"), env=_plain, fewer={"read": 2}, modes=("read",)
        ),
        Contender(
            name="airbyte-cdk, read", argv=_program("airbyte_read", of="airbyte-cdk"), env=_plain, fewer={"read": 2}, modes=("read",)
        ),
    ]  # fmt: skip


def limited() -> list[Contender]:
    """Others that know what to do with a refusal."""
    return [Contender(name=f"{IDIOMATIC}, Retry-After", argv=_program("aiohttp_retry_after"), env=_plain), _dlt()]


_ENV = {"PYTHONPATH": str(REPOSITORY)}


def _plain(address: str, mode: str) -> Mapping[str, str]:
    return _ENV


def _program(module: str, *more: str, of: str | None = None) -> Callable[[str, str], tuple[str, ...]]:
    python = str((peers() if of is None else alone(of)) / "python")
    return lambda address, mode: (python, "-m", f"benchmarks.sync.clients.{module}", address, mode, *more)


def _dlt() -> Contender:
    pipelines = WORK / "sync" / "dlt"
    settings = {"DLT_DATA_DIR": str(pipelines), "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    return Contender(
        name="dlt, rest_api → destination",
        argv=_program("dlt_rest"),
        env=lambda address, mode: _ENV | settings,
        folder=pipelines,
        fewer={"single": 4, "batch": 2, "read": 2},
        drops_nulls=True,
        modes=("single", "batch", "read"),
    )

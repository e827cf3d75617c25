"""The example's package, compiled for the benchmark: the same integration with rate limits that do not limit.

With `batch` in the manifest it writes in batches, without it one request a record. Everything else is as it ships: deadlines, limiter,
breaker, retries, intents, links, checkpoints in SQLite.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from benchmarks.peers import installed_for
from benchmarks.places import REPOSITORY, WORK
from benchmarks.tables import installed
from benchmarks.vitesse import vitesse

from .contenders import Contender

NAME = "generated package"
_LIMITS = {"shopify.yaml": "per_s: 2, burst: 40", "credo.yaml": "per_s: 10, burst: 20"}
_BATCH = "      batch: POST /contacts/batch\n"
_HIGH = "per_s: 1000000, burst: 1000000"


def generated(limits: dict[str, str] | None = None) -> Contender:
    """The package as a contender; `limits` replaces what the facts say of each API's rate."""
    state = WORK / "sync" / "state"

    def env(address: str, mode: str) -> dict[str, str]:
        return {
            "PYTHONPATH": str(_package(mode, tuple(sorted((limits or {}).items()))) / "src"),
            "SHOPIFY_BASE_URL": f"{address}/shop",
            "CREDO_BASE_URL": f"{address}/crm",
            "SHOPIFY_SHOP": "benchmark",
            "SHOPIFY_ACCESS_TOKEN": "shpat_benchmark",
            "SHOPIFY_WEBHOOK_SECRET": "benchmark",
            "CREDO_API_KEY": "benchmark",
            "DATABASE_URL": f"sqlite:///{state / 'state.db'}",
        }

    return Contender(
        name=NAME,
        argv=lambda address, mode: (_python(), "-m", "shopify_credo", "sync", "customers"),
        env=env,
        folder=state,
    )


def package_versions() -> dict[str, str]:
    """What the package runs on, where it is not what the others run on: its own environment."""
    found = installed(_python(), ("aiohttp", "httpx", "msgspec", "pydantic", "SQLAlchemy"))
    return {f"{name} (package)": version for name, version in found.items()}


def _python() -> str:
    return str(installed_for(REPOSITORY / "generated" / "shopify_credo") / "python")


def python_with(*extras: str) -> str:
    """The interpreter of an environment with what the package and these extras of its need."""
    return str(installed_for(REPOSITORY / "generated" / "shopify_credo", *extras) / "python")


@cache
def _package(mode: str, limits: tuple[tuple[str, str], ...]) -> Path:
    """Compile one variant."""
    folder = WORK / "sync" / "integrations" / mode / "shopify_credo"
    packages = WORK / "sync" / "packages" / mode
    for each in (folder, packages):
        shutil.rmtree(each, ignore_errors=True)
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", folder)
    for name, stated in _LIMITS.items():
        _replace(folder / "facts" / name, stated, dict(limits).get(name, _HIGH))
    if mode == "single":
        _replace(folder / "integration.yaml", _BATCH, "")
    vitesse("accept", str(folder), "--all", "--by", "benchmark")
    vitesse("build", str(folder), "--out", str(packages))
    return packages / "shopify_credo"


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{path.name} of the example does not say `{old.strip()}` once")
    path.write_text(text.replace(old, new), encoding="utf-8")

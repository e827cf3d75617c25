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


FAST = "generated package, WIRE=fast"


def generated(limits: dict[str, str] | None = None, *, is_fast: bool = False, streams: int = 1) -> Contender:
    """The package as a contender.

    Args:
        limits: Replaces what the facts say of each API's rate.
        streams: So many that do the same, which replicas can carry out side by side.
    """
    state = WORK / "sync" / "state"
    extras = ("fast",) if is_fast else ()

    def env(address: str, mode: str) -> dict[str, str]:
        return {
            "PYTHONPATH": str(_package(mode, tuple(sorted((limits or {}).items())), streams) / "src"),
            "SHOPIFY_BASE_URL": f"{address}/shop",
            "CREDO_BASE_URL": f"{address}/crm",
            "SHOPIFY_SHOP": "benchmark",
            "SHOPIFY_ACCESS_TOKEN": "shpat_benchmark",
            "SHOPIFY_WEBHOOK_SECRET": "benchmark",
            "CREDO_API_KEY": "benchmark",
            "DATABASE_URL": f"sqlite:///{state / 'state.db'}",
            "WIRE": "fast" if is_fast else "aiohttp",
        }

    def argv(address: str, mode: str) -> tuple[str, ...]:
        dry = ("--dry-run",) if mode == "read" else ()
        return (python_with(*extras), "-m", "shopify_credo", "sync", "customers", *dry)

    return Contender(
        name=FAST if is_fast else NAME,
        argv=argv,
        env=env,
        folder=state,
        modes=("single", "batch") if is_fast else ("single", "batch", "read"),
    )


def package_versions() -> dict[str, str]:
    """What the package runs on, where it is not what the others run on: its own environment."""
    found = installed(python_with(), ("aiohttp", "httpx", "msgspec", "pydantic", "SQLAlchemy"))
    return {f"{name} (package)": version for name, version in found.items()}


def python_with(*extras: str) -> str:
    """The interpreter of an environment with what the package and these extras of its need."""
    return str(installed_for(REPOSITORY / "generated" / "shopify_credo", *extras) / "python")


@cache
def _package(mode: str, limits: tuple[tuple[str, str], ...], streams: int = 1) -> Path:
    """Compile one variant."""
    variant = mode if streams == 1 else f"{mode}-{streams}"
    folder = WORK / "sync" / "integrations" / variant / "shopify_credo"
    packages = WORK / "sync" / "packages" / variant
    for each in (folder, packages):
        shutil.rmtree(each, ignore_errors=True)
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", folder)
    for name, stated in _LIMITS.items():
        _replace(folder / "facts" / name, stated, dict(limits).get(name, _HIGH))
    if mode == "single":
        _replace(folder / "integration.yaml", _BATCH, "")
    if streams > 1:
        _repeat_stream(folder, streams)
    vitesse("accept", str(folder), "--all", "--by", "benchmark")
    vitesse("build", str(folder), "--out", str(packages))
    return packages / "shopify_credo"


def _repeat_stream(folder: Path, times: int) -> None:
    """Streams that do what the one of the example does, under names of their own."""
    manifest = folder / "integration.yaml"
    text = manifest.read_text("utf-8")
    before, rest = text.split("  customers:\n", 1)
    block, after = rest.split("\n\n", 1)
    mapping = (folder / "mappings" / "customers.yaml").read_text("utf-8")
    blocks = []
    for name in ("customers", *[f"customers_{number}" for number in range(2, times + 1)]):
        blocks.append(f"  {name}:\n{block}\n")
        own = mapping.replace("stream: customers", f"stream: {name}", 1)
        (folder / "mappings" / f"{name}.yaml").write_text(own, encoding="utf-8")
    manifest.write_text(f"{before}{''.join(blocks)}\n{after}", encoding="utf-8")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{path.name} of the example does not say `{old.strip()}` once")
    path.write_text(text.replace(old, new), encoding="utf-8")

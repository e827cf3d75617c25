"""The main job on embedded defaults: compile the flagship example, install its package where Vitesse is not, sync it on its mocks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..diagnostics import Diagnostic, DiagnosticError

CUSTOMERS = 1247
CHANGED = 3
Say = Callable[[str], None]


def example_home() -> Path:
    """The folder of examples: in the wheel beside the modules, in a checkout at its top."""
    for candidate in (Path(str(files("vitesse"))) / "examples", Path(__file__).resolve().parents[3] / "examples"):
        if (candidate / "shopify_credo").is_dir():
            return candidate
    raise DiagnosticError(
        [
            Diagnostic(
                code="V011",
                message="this installation has no examples",
                help="install Vitesse from its wheel or run it in a checkout",
            )
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mocks:
    """Two running mock APIs."""

    source: str
    destination: str
    environment: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the package runs: an interpreter that does not know Vitesse, and the folder it is installed in."""

    python: Path
    site: Path
    folder: Path

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the user's environment but what the package is told."""
        kept = {"PATH": os.defpath, "HOME": str(self.folder), "LANG": "C.UTF-8", "PYTHONPATH": str(self.site)}
        return {**kept, **settings}

    def run(self, arguments: list[str], settings: Mapping[str, str], what: str) -> str:
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env=self.environment(settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=170,
        )
        if done.returncode:
            raise _failed(what, f"{done.stdout}\n{done.stderr}")
        return done.stdout


def run_demo(folder: Path, cache: Path, environ: Mapping[str, str], say: Say) -> dict[str, Any]:
    """Do it all below `folder`, which is empty.

    Args:
        cache: Where clean environments are kept.
        environ: The user's environment, for installing only.
        say: Told what goes on.

    Returns:
        The reports of the three runs and the score.

    Raises:
        DiagnosticError: V011 when the examples are not there, V013 when a step failed, with what it printed.
    """
    from ..guardian import examine
    from ..guardian.environment import environment_for, install
    from .build import build_integration

    integration, package = folder / "shopify_credo", folder / "generated" / "shopify_credo"
    shutil.copytree(example_home() / "shopify_credo", integration)
    started = time.monotonic()
    say("compile   Shopify customers → Credo CRM contacts")
    compiled, report = build_integration(integration, package)
    rules = sum(len(table.rows) for table in compiled.plan.tables)
    say(f"          {rules} reviewed rules → {len(report.added)} files ({_since(started)})")

    started = time.monotonic()
    say("install   the package, where Vitesse is not")
    clean = environment_for(package, cache, environ=environ)
    place = Place(python=clean.python, site=folder / "site", folder=folder)
    install(clean, package, place.site, environ=environ)
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vitesse') is not None)"
    place.run(["-c", probe], {}, "Vitesse can be imported where the package runs")
    say(f"          done ({_since(started)})")

    runs = {}
    with mocks(place, package, CUSTOMERS) as running:
        say(f"mocks     Shopify with {CUSTOMERS:,} customers at {running.source}")
        say(f"          Credo CRM with no contact at {running.destination}")
        settings = {**running.environment, "DATABASE_URL": f"sqlite:///{folder / 'state.db'}"}
        runs["first"] = _sync(place, settings, "sync      all customers", say)
        runs["again"] = _sync(place, settings, "again     all customers, nothing changed", say, "--resync")
        _change(running.source, CHANGED)
        runs["changed"] = _sync(place, settings, f"changed   {CHANGED} customers, since the watermark", say)

    started = time.monotonic()
    say("score     the package's own tests and 100 shadow calls, all on the mocks")
    health = examine(package, cache=cache, environ=environ)
    passed = sum(test.outcome == "passed" for test in health.tests)
    skipped = sum(test.outcome == "skipped" for test in health.tests)
    say(
        f"          {health.overall_score:g} of 100, gate at 70: {'passed' if health.passed else 'failed'}"
        f" ({passed} tests, {skipped} more do not apply; {_since(started)})"
    )
    return {"runs": runs, "score": health.overall_score, "passed": health.passed}


@contextmanager
def mocks(place: Place, package: Path, count: int) -> Iterator[Mocks]:
    """Serve the package's two mock APIs while the block runs."""
    command = [str(place.python), "-m", "tests.mocks", "--count", str(count)]
    process = subprocess.Popen(command, cwd=package, stdout=subprocess.PIPE, text=True, env=place.environment({}))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise _failed("the mock APIs did not start", "")
        yield Mocks(**json.loads(line))
    finally:
        process.terminate()
        process.wait(timeout=20)


def _sync(place: Place, settings: Mapping[str, str], title: str, say: Say, *options: str) -> dict[str, Any]:
    say(title)
    output = place.run(["-m", "shopify_credo", "sync", "customers", "--json", *options], settings, "a sync failed")
    (report,) = json.loads(output)
    say(
        f"          read {report['read']} = {report['written']} written + {report['unchanged']} unchanged + "
        f"{report['skipped']} skipped + {report['dead']} dead + {report['unknown']} unknown + {report['held']} held"
        f" ({report['sync_duration_seconds']:.2f} s)"
    )
    assert isinstance(report, dict)
    return report


def _change(source: str, count: int) -> None:
    """Revise the first customers at the mock, as an editor at the vendor would; its clock stamps them."""
    origin = "/".join(source.split("/")[:3])
    with urllib.request.urlopen(f"{origin}/_mock/records", timeout=10) as reply:  # noqa: S310 - our own mock on loopback
        collections = json.load(reply)
    name, records = next(iter(collections.items()))
    for record in records[:count]:
        request = urllib.request.Request(f"{origin}/_mock/{name}/{record['id']}", data=b"{}", method="PATCH")  # noqa: S310
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def _failed(what: str, output: str) -> DiagnosticError:
    lines = tuple(line for line in output.strip().splitlines()[-20:] if line.strip())
    return DiagnosticError(
        [Diagnostic(code="V013", message=what, notes=lines, help="run the step by hand to see all of it")]
    )


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"

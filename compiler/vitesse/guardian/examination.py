"""A package's folder → HealthReport: its own tests and its shadow calls, run in a clean environment, then judged."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..output import package_digest
from .environment import Environment, environment_for, install
from .evidence import Evidence, EvidenceError, TestCase, read_junit, read_shadow
from .report import HealthReport, judge

CALLS = 100
_TESTS_LIMIT_S = 900.0
_SHADOW_LIMIT_S = 300.0
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*_cache", ".tox", ".venv", "*.db", "*.db-wal", "*.db-shm")


def examine(
    package: Path,
    *,
    cache: Path,
    environ: Mapping[str, str],
    wheels: Path | None = None,
    calls: int = CALLS,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> HealthReport:
    """Find out how healthy a package is.

    Works on a copy: the package's folder is read, never written. Both APIs are mocks on the loopback interface; the processes
    see none of the user's environment, so no real credential or URL can get in.

    Args:
        package: The package's folder, as `vitesse build` wrote it.
        cache: Where clean environments are kept.
        environ: The user's environment, for installing only.
        wheels: A folder of wheels to install from instead of an index.
        calls: Shadow calls in all.
        seed: Another seed, other synthetic records.
        say: Told what goes on.

    Raises:
        DiagnosticError: V800 to V804 when it cannot be examined; a bad package is a report, not an error.
    """
    digest = package_digest(package)
    if digest is None:
        raise DiagnosticError([_not_as_written(package)])
    environment = environment_for(package, cache, wheels=wheels, environ=environ, say=say)
    with tempfile.TemporaryDirectory(prefix="vitesse-") as folder:
        root = Path(folder)
        copy, site, home = root / "package", root / "site", root / "home"
        home.mkdir()
        shutil.copytree(package, copy, ignore=_LEFT_OUT)
        install(environment, copy, site, wheels=wheels, environ=environ)
        # What is tested is what was installed: the sources are out of the way.
        shutil.rmtree(copy / "src", ignore_errors=True)
        say("running the package's own tests")
        tests = _tests(environment, copy, site, home)
        say(f"making {calls} shadow calls")
        evidence = _shadow(environment, copy, site, home, tests, calls=calls, seed=seed)
    return judge(_name(package), digest, evidence)


def _tests(environment: Environment, copy: Path, site: Path, home: Path) -> tuple[TestCase, ...]:
    junit = home / "tests.xml"
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", "tests"]
    done = _run(environment, arguments, copy, site, home, _TESTS_LIMIT_S)
    try:
        return read_junit(junit.read_text(encoding="utf-8"))
    except (OSError, EvidenceError) as error:
        raise DiagnosticError([_no_evidence(copy, "the package's own tests", error, done)]) from None


def _shadow(
    environment: Environment,
    copy: Path,
    site: Path,
    home: Path,
    tests: tuple[TestCase, ...],
    *,
    calls: int,
    seed: int,
) -> Evidence:
    arguments = ["-m", "tests.shadow", "--calls", str(calls), "--seed", str(seed)]
    done = _run(environment, arguments, copy, site, home, _SHADOW_LIMIT_S)
    try:
        called, rules, throttled = read_shadow(done.stdout.strip().rsplit("\n", 1)[-1])
    except EvidenceError as error:
        raise DiagnosticError([_no_evidence(copy, "the shadow calls", error, done)]) from None
    return Evidence(tests=tests, calls=called, rules=rules, throttled=throttled)


def _run(
    environment: Environment, arguments: list[str], copy: Path, site: Path, home: Path, limit_s: float
) -> subprocess.CompletedProcess[str]:
    try:
        return environment.run(arguments, folder=copy, site=site, home=home, limit_s=limit_s)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, 1, "", f"killed after {limit_s:.0f} seconds")


def _name(package: Path) -> str:
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['name']} {project['version']}"


def _not_as_written(package: Path) -> Diagnostic:
    return Diagnostic(
        code="V800",
        message=f"`{package}` holds no package, or one that was changed since it was built",
        places=(Place(file=package.name, pointer=""),),
        notes=("a report is bound to the digest of what was built",),
        help="run `vitesse build` first",
    )


def _no_evidence(copy: Path, what: str, error: Exception, done: subprocess.CompletedProcess[str]) -> Diagnostic:
    lines = [line.strip()[:300] for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    return Diagnostic(
        code="V804",
        message=f"{what} ended without a result",
        notes=(str(error)[:300], *lines[-4:]),
        help="run `python -m pytest` in the package's folder to see what happens",
    )

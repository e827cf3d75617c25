"""A clean environment for a package: its own dependencies and nothing of the compiler's.

Environments are kept by the digest of what is in them (interpreter, requirements), without the package itself: it is
installed beside them for each examination. So a second examination costs seconds, and none leaves a trace in another.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..diagnostics import Diagnostic, DiagnosticError, Place

COMPLETE = "complete.json"
_INSTALL_LIMIT_S = 900.0
_OF_PIP = ("PIP_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy")
"""What the user's environment may say about installing: where from, through what, trusting whom."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that holds a package's dependencies."""

    python: Path
    system_root: str | None = None
    """Windows opens no socket without it."""

    def run(
        self, arguments: Sequence[str], *, folder: Path, site: Path, home: Path, limit_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python with the package visible; no variable of the user's environment gets in.

        Args:
            site: Where the package is installed.
            home: A folder of its own for whatever wants to write to a home or a temporary folder.
            limit_s: After that the process is killed and `subprocess.TimeoutExpired` raised.
        """
        environ = {
            "PATH": os.defpath,
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
        }
        if self.system_root:
            environ["SYSTEMROOT"] = self.system_root
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
            check=False,
        )


def environment_for(
    package: Path,
    cache: Path,
    *,
    wheels: Path | None = None,
    environ: Mapping[str, str],
    say: Callable[[str], None] = lambda _: None,
) -> Environment:
    """The environment of a package's requirements, made when the cache has none.

    Args:
        cache: Where environments are kept.
        wheels: A folder of wheels to install from; then no index is asked.
        environ: The user's environment; only what concerns installing is passed on.

    Raises:
        DiagnosticError: V801 when the requirements cannot be installed, V802 when the compiler can be imported there.
    """
    wanted = requirements(package)
    digest = hashlib.sha256(json.dumps([sys.version, sysconfig.get_platform(), wanted]).encode()).hexdigest()[:32]
    home = cache / digest
    environment = Environment(_python(home), environ.get("SYSTEMROOT"))
    if (home / COMPLETE).is_file() and environment.python.exists():
        return environment
    say("making a clean environment (once for these requirements)")
    making = cache / f"{digest}.{os.getpid()}"
    shutil.rmtree(making, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    try:
        _make(making, wanted, wheels, environ)
        _prove_clean(making)
        (making / COMPLETE).write_text(json.dumps(wanted, indent=1), encoding="utf-8")
        _put(making, home)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return environment


def _put(made: Path, home: Path) -> None:
    """Give an environment its place; one that another process has put there meanwhile, and uses, stays."""
    try:
        made.rename(home)
    except OSError:
        if (home / COMPLETE).is_file():
            return
        shutil.rmtree(home, ignore_errors=True)  # what is left of one that somebody took away in part
        made.rename(home)


def requirements(package: Path) -> list[str]:
    """What a package asks for: to run, to be tested, and to be built. Raises DiagnosticError V800."""
    try:
        project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
        wanted = {
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["test"],
            *project["build-system"]["requires"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DiagnosticError(
            [_no_package(package, f"its `pyproject.toml` does not say what it needs ({error})")]
        ) from None
    return sorted(wanted)


def install(
    environment: Environment, package: Path, site: Path, *, wheels: Path | None = None, environ: Mapping[str, str]
) -> None:
    """Build the package's wheel and install it into `site`. Raises DiagnosticError V803."""
    command = [str(environment.python), "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    done = _pip([*command, "--target", str(site), str(package)], wheels, environ)
    if done.returncode:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V803",
                    message="the package cannot be installed",
                    places=(Place(file=package.name, pointer=""),),
                    notes=tuple(_last_lines(done)),
                    help="build the package again; if that does not help, this is a bug in Vitesse",
                )
            ]
        )


def _make(home: Path, wanted: Sequence[str], wheels: Path | None, environ: Mapping[str, str]) -> None:
    made = _run([sys.executable, "-m", "venv", str(home)], environ)
    if made.returncode == 0 and wanted:
        made = _pip([str(_python(home)), "-m", "pip", "install", *wanted], wheels, environ)
    if made.returncode:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V801",
                    message="the clean environment for the package's tests cannot be made",
                    notes=tuple(_last_lines(made)),
                    help="make the requirements available: a reachable index, or `--wheels FOLDER` with their wheels",
                )
            ]
        )


def _prove_clean(home: Path) -> None:
    """The environment must not see the compiler: a package outlives it."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vitesse') is not None)"
    environ = {"PATH": os.defpath}
    if _run([str(_python(home)), "-I", "-c", code], environ).returncode:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V802",
                    message="the clean environment can import `vitesse`, so it proves nothing",
                    help="take `vitesse` out of the folder given with `--wheels` and out of the requirements",
                )
            ]
        )


def _pip(command: Sequence[str], wheels: Path | None, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    if wheels is not None:
        options += ["--no-index", "--find-links", str(wheels.resolve())]
    return _run([*command, *options], environ)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    passed = {name: value for name, value in environ.items() if name.startswith(_OF_PIP)}
    passed |= {
        name: environ[name] for name in ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "XDG_CACHE_HOME") if name in environ
    }
    try:
        return subprocess.run(
            list(command),
            env=passed,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_INSTALL_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(command), 1, "", f"gave up after {_INSTALL_LIMIT_S:.0f} seconds")


def _last_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return [line[:300] for line in lines[-4:]]


def _python(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _no_package(package: Path, why: str) -> Diagnostic:
    return Diagnostic(
        code="V800",
        message=f"there is no package to examine in `{package.name}`: {why}",
        places=(Place(file=package.name, pointer=""),),
        help="run `vitesse build` first",
    )

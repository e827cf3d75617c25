"""Environments for packages: one with what packages depend on, and on top of it a fresh one for each package.

The dependencies are installed once and kept by the digest of their list. A package's own environment sees them through a path
file and holds nothing but the package; Vitesse is in neither.
"""

from __future__ import annotations

import sys
import tomllib
from hashlib import sha256
from pathlib import Path

from tests.published.processes import Done, alone, clean_environment, run

# What the package's own tox.ini asks for, and what building a wheel without isolation needs.
_TOOLS = ("hatchling>=1.26", "mypy>=2.4,<3")


class VenvError(Exception):
    """An environment that could not be made; the text says why."""


def dependencies_of(package: Path) -> list[str]:
    """The requirements of a package, of all its extras and of its tests: every module can be imported and is typed."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    return sorted({*project["dependencies"], *(each for extra in extras.values() for each in extra), *_TOOLS})


def dependencies_venv(package: Path, home: Path) -> Path:
    """The environment with a package's dependencies; made when no package before had the same ones."""
    wanted = dependencies_of(package)
    digest = sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:12]
    venv = home / f"dependencies-{digest}"
    with alone(home / f"dependencies-{digest}.lock"):
        if not (venv / "ready").is_file():
            _must(run([sys.executable, "-m", "venv", "--clear", venv], folder=home, environment=clean_environment()))
            _must(
                run(
                    [python_of(venv), "-m", "pip", "install", "--quiet", *wanted],
                    folder=home,
                    environment=clean_environment(),
                )
            )
            (venv / "ready").write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return venv


def package_venv(venv: Path, dependencies: Path) -> None:
    """A fresh environment that sees the dependencies."""
    _must(
        run(
            [python_of(dependencies), "-m", "venv", "--clear", "--without-pip", venv],
            folder=venv.parent,
            environment=clean_environment(),
        )
    )
    site_packages(venv).joinpath("dependencies.pth").write_text(f"{site_packages(dependencies)}\n", encoding="utf-8")


def install(package: Path, venv: Path, dependencies: Path) -> Done:
    """Build the package's wheel and install it, and nothing else."""
    return run(
        [
            *(python_of(dependencies), "-m", "pip", "--python", python_of(venv), "install", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--no-index", package),
        ],
        folder=venv.parent,
        environment=clean_environment(),
        limit_s=180,
    )


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def site_packages(venv: Path) -> Path:
    return venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _must(done: Done) -> None:
    if done.code:
        raise VenvError(last_line(done.text) or f"exit code {done.code}")


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")

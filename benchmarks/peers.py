"""Environments of the peers, made once under `.bench/` and anew when their list changes.

The list is the extra `bench` of pyproject.toml. It is installed by itself: what others need never meets what Vitesse needs.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from .places import REPOSITORY, WORK

OLDER = "datamodel-code-generator==0.86.0"
"""The version that some aims were set by; it shakes a document far more slowly than the current one."""


def peers() -> Path:
    """The `bin` folder of the environment with all peers."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    return _environment("peers", project["optional-dependencies"]["bench"])


ALONE = {"singer-sdk": "singer-sdk==0.54.9", "airbyte-cdk": "airbyte-cdk==7.39.1"}
"""Peers whose own pins agree with nobody else's."""


def alone(name: str) -> Path:
    """The `bin` folder of an environment with one of these."""
    return _environment(name, [ALONE[name]])


def older() -> Path:
    """The `bin` folder of the environment with the older datamodel-code-generator."""
    return _environment("older", [OLDER])


def installed_for(package: Path, *extras: str) -> Path:
    """The `bin` folder of an environment with what a generated package and these extras of it need, and nothing more."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    more = [each for extra in extras for each in project["optional-dependencies"][extra]]
    return _environment("-".join(("package", *extras)), [*project["dependencies"], *more])


def _environment(name: str, requirements: list[str]) -> Path:
    digest = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()
    folder = WORK / "environments" / name
    mark = folder / "made-from"
    if not mark.is_file() or mark.read_text() != digest:
        sys.stdout.write(f"making the environment `{name}` with {', '.join(requirements)}\n")
        sys.stdout.flush()
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", *requirements], check=True)
        mark.write_text(digest)
    return folder / "bin"

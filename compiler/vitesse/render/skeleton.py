"""Plan → the project around the code: the skeleton's files, through cookiecutter's `generate_files`.

The skeleton's only variables are checked names and serialised text; anything else is refused by its `finalize`. Files are
written to a fresh folder in the system's temporary one and read back; the target folder is not touched here. cookiecutter
changes the working folder while it renders: one package at a time in a process.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from ..diagnostics import InternalError
from ..package import PackageFile
from ..plan.model import Plan
from . import docs, outside

_ALONE = threading.Lock()

_SERVICE = ("CONTROL_TOKEN",)
"""What the service in a container needs beside the variables that the manifest names."""


def skeleton_files(plan: Plan, skeleton: Path) -> list[PackageFile]:
    """The files around the code, in path order."""
    # Late: cookiecutter brings a dozen packages.
    from cookiecutter.generate import generate_files

    values = context(plan) | {"_jinja2_env_vars": {"finalize": outside.accept, "optimized": False}}
    with _ALONE, tempfile.TemporaryDirectory(prefix="vitesse-") as folder:
        made = generate_files(str(skeleton), context={"cookiecutter": values}, output_dir=folder, accept_hooks=False)
        return _read_back(Path(made), Path(folder))


def context(plan: Plan) -> dict[str, Any]:
    """What a skeleton file may name."""
    names, deploy = plan.names, plan.deploy
    required = [value.env for value in plan.settings if value.env is not None and value.text is None]
    defaulted = [value.env for value in plan.settings if value.env is not None and value.text is not None]
    return {
        "distribution": outside.slug(names.distribution),
        "module": outside.slug(names.module),
        "version": outside.slug(names.version),
        "python": outside.slug(names.python),
        "port": outside.slug(deploy.port),
        "memory_mb": outside.slug(deploy.memory_mb),
        "cpu_cores": outside.slug(deploy.cpu_cores),
        "texts": {
            "description_toml": outside.toml_string(outside.one_line(plan.intent)),
            "environment_yaml": outside.compose_environment([*required, *_SERVICE]),
            "environment_example": outside.environment_example(required, defaulted),
            "intent_md": docs.intent(plan),
            "streams_md": docs.streams(plan),
            "settings_md": docs.settings(plan),
        },
    }


def _read_back(root: Path, folder: Path) -> list[PackageFile]:
    if root.parent.resolve() != folder.resolve():
        raise InternalError(f"the skeleton was written outside its folder: {root}")
    files = []
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            raise InternalError(f"the skeleton holds a link: {path.name}")
        if path.is_file():
            executable = os.access(path, os.X_OK)
            files.append(PackageFile(path.relative_to(root).as_posix(), path.read_bytes(), executable=executable))
    return files

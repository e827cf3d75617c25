"""The lock: what a package was made of and by, and the digest of every file in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .. import __version__
from ..package import PackageFile
from ..plan.model import Plan
from .memo import tool_version

LOCK_FORM = 1

_TOOLS = ("black", "cookiecutter", "datamodel-code-generator", "jinja2")
"""What has a say in the bytes of a package."""


def lock_text(plan: Plan, files: Iterable[PackageFile], *, runtime: str, template: str) -> str:
    """`vitesse.lock`: canonical JSON, one key a line, no clock and no path of this machine.

    Args:
        runtime: Digest of the runtime that was copied.
        template: Digest of everything that packages are made from, the runtime included.
    """
    import_folder = f"src/{plan.names.module}/"
    content: dict[str, Any] = {
        "lock": LOCK_FORM,
        "name": plan.names.distribution,
        "version": plan.names.version,
        "vitesse": __version__,
        "tools": {tool: tool_version(tool) for tool in _TOOLS},
        "contract": plan.contract,
        "runtime": runtime,
        "template": template,
        "draft": list(plan.draft),
        "inputs": dict(sorted(plan.inputs.items())),
        "copied": {import_folder + file.path: file.origin for file in sorted(plan.copied, key=lambda file: file.path)},
        "files": {file.path: f"sha256:{file.sha256}" for file in files},
    }
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"

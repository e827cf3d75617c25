"""vitesse.lock as it stands in a folder: which files are ours and what they were when they were written.

A lock comes with a repository, so it is read as something a stranger may have written: its paths are checked before any of
them is opened or removed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..frozen import dataclass
from ..package import LOCK

_PATH = re.compile(r"(?:(?!\.{1,2}/)[A-Za-z0-9._-]+/)*(?!\.{1,2}$)[A-Za-z0-9._-]+", re.ASCII)
_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a written package says about itself."""

    vitesse: str
    template: str
    draft: tuple[str, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Path → `sha256:…`; every file of the package but the lock itself."""


def read_lock(content: bytes) -> Lock:
    """The lock's bytes → Lock.

    Raises:
        DiagnosticError: V700 when it is no lock, or names a path outside its folder.
    """
    if len(content) > _MAX_BYTES:
        raise _unreadable("it is larger than any lock")
    try:
        value = json.loads(content)
        return _lock(value)
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise _unreadable(f"{problem}" if isinstance(problem, KeyError) else "it is not the JSON of a lock") from None


def _lock(value: Any) -> Lock:
    files = _texts(value["files"])
    for path in files:
        if not _PATH.fullmatch(path) or path == LOCK:
            raise _unreadable("it names a path that no package has")
    return Lock(
        vitesse=str(value["vitesse"]),
        template=str(value["template"]),
        draft=tuple(str(rule) for rule in value["draft"]),
        tools=_texts(value["tools"]),
        inputs=_texts(value["inputs"]),
        files=files,
    )


def _texts(value: Any) -> dict[str, str]:
    if type(value) is not dict or any(type(text) is not str for text in value.values()):
        raise TypeError
    return dict(value)


def _unreadable(why: str) -> DiagnosticError:
    found = Diagnostic(
        code="V700",
        message=f"`{LOCK}` cannot be read: {why}",
        places=(Place(file=LOCK),),
        notes=("without it nobody knows which files here are generated",),
        help=f"restore `{LOCK}` from version control, or build into an empty folder",
    )
    return DiagnosticError([found])

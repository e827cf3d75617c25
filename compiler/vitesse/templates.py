"""Where the runtime and the templates of generated packages are.

In a wheel they are inside the package; in an editable install or a source tree they stand beside `compiler/`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .diagnostics import InternalError

_PACKAGE = Path(__file__).resolve().parent


@cache
def template_home() -> Path:
    """The folder that holds `runtime/`, `modules/` and `skeleton/`."""
    for folder in (_PACKAGE / "runtime_template", _PACKAGE.parents[1] / "runtime_template"):
        if (folder / "runtime").is_dir():
            return folder
    raise InternalError(f"this installation has no runtime_template beside {_PACKAGE}")

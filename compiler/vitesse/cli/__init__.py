"""Arguments in, exit code out: the only place that prints or reads the environment.

`main` is the console script. Each command lives in a module of its own that is imported when it runs, so that `--help` costs
nothing but click. Exit codes are those of `vitesse.diagnostics.exits`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `vitesse`; ends the process."""
    from .group import run

    code = run(list(sys.argv[1:] if arguments is None else arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    if os.environ.get("VITESSE_TEARDOWN"):  # coverage and profilers write their results when the interpreter ends
        sys.exit(code)
    os._exit(code)  # tearing down the interpreter costs a tenth of a second and changes nothing

"""What starting costs: the compiler's command, and a package that was generated."""

from __future__ import annotations

import sys

from benchmarks.measure import Command
from benchmarks.peers import installed_for
from benchmarks.places import REPOSITORY
from benchmarks.vitesse import COMMAND, ENV

PYTHON = "Python alone"
HELP = "vitesse --help"
PACKAGE = "import of a package"
PACKAGE_HELP = "a package's --help"
INTEGRATION = "import of a package's integration"
_EXAMPLE = REPOSITORY / "generated" / "shopify_credo"


def starts() -> list[Command]:
    """The compiler in this interpreter, the example's package in an environment with what it needs and no more."""
    python = str(installed_for(_EXAMPLE) / "python")
    env = {"PYTHONPATH": str(_EXAMPLE / "src")}
    return [
        Command(name=PYTHON, argv=(sys.executable, "-c", "pass")),
        Command(name=HELP, argv=(*COMMAND, "--help"), env=ENV),
        Command(name=PACKAGE, argv=(python, "-c", "import shopify_credo"), env=env),
        Command(name=PACKAGE_HELP, argv=(python, "-m", "shopify_credo", "--help"), env=env),
        Command(name=INTEGRATION, argv=(python, "-c", "from shopify_credo import INTEGRATION"), env=env),
    ]

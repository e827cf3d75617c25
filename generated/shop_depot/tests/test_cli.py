"""The command: quick help, quick import, and nothing third-party on the way there."""

from __future__ import annotations

import subprocess
import sys

from tests.bench import PATIENCE_S
from tests.package import COMMAND, MODULE

_IMPORTED = (
    "import sys; before = set(sys.modules); import {module}; "
    "print(*sorted(name.split('.')[0] for name in set(sys.modules) - before))"
)


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_import_brings_no_third_party_module() -> None:
    """Importing the package must cost next to nothing; what is heavy is imported when it is used."""
    done = _python("-c", _IMPORTED.format(module=MODULE))
    brought = set(done.stdout.split())

    assert done.returncode == 0, done.stderr
    assert brought - set(sys.stdlib_module_names) == {MODULE}


def test_help_brings_only_click() -> None:
    """`--help` must not wait for the engine."""
    code = (
        f"import sys; from {MODULE}.cli import main; sys.argv = ['{COMMAND}', '--help']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "heavy = {'aiohttp', 'httpx', 'msgspec', 'pydantic', 'sqlalchemy', 'starlette', 'uvicorn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = _python("-c", code)

    assert done.returncode == 0, done.stderr
    assert "sync" in done.stdout


def test_every_command_has_help() -> None:
    for command in ("sync", "status", "history", "dead-letters", "serve", "doctor"):
        done = _python("-m", MODULE, command, "--help")
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert "Usage" in done.stdout


def test_unknown_command_is_a_usage_error() -> None:
    done = _python("-m", MODULE, "no-such-command")

    assert done.returncode == 2
    assert "Traceback" not in done.stderr

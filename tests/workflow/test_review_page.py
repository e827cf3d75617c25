"""docs/review.md shows what the commands print. `VITESSE_UPDATE_DOCS=1` writes the screens again."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import run

PAGE = REPOSITORY / "docs" / "review.md"
BLOCK = re.compile(r"```console\n\$ (?P<command>[^\n]+)\n(?P<shown>.*?)```\n", re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example with proposals nobody looked at, committed, and its package beside it."""
    target = tmp_path / "shopify_credo"
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", target)
    shutil.rmtree(target / "mappings")
    shutil.copytree(Path(__file__).parent / "cases" / "proposed", target / "mappings")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", "-C", str(target), *identity, *arguments], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def shown(command: str) -> str:
    """What a command prints, its input piped in; only its answer: days are not the same on every day."""
    given, _, rest = command.rpartition(" | ")
    stdin = shlex.split(given)[1].encode().decode("unicode_escape") if given else ""
    arguments = shlex.split(rest)[1:]
    if arguments[0] == "why":  # the page's path is the repository's; the answer is of the committed example
        arguments[1] = str(REPOSITORY / arguments[1])
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(stdin))
        assert run(arguments) == 0, said.getvalue()
    text = said.getvalue().replace(f"{REPOSITORY}/", "").strip("\n")
    return re.sub(r"on 20\d\d-\d\d-\d\d", "on 2026-11-21", text) + "\n"


def test_page_shows_what_the_commands_print(place: Path) -> None:
    """In the page's order, each on what the one before left."""
    text = PAGE.read_text(encoding="utf-8")
    again = BLOCK.sub(lambda found: f"```console\n$ {found['command']}\n{shown(found['command'])}```\n", text)
    if os.environ.get("VITESSE_UPDATE_DOCS"):
        PAGE.write_text(again, encoding="utf-8")
    assert text == again

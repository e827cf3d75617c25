"""The arrows that DESIGN's rooms may not have: by import-linter, and by syntax where imports do not tell enough."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import COMPILER, RUNTIME, imported, parsed, python_files
from tests.shared import REPOSITORY

_PURE = ("api", "diagnostics", "openapi", "plan", "render", "rules", "verify")
_CLOCKS = {("datetime", "now"), ("datetime", "today"), ("datetime", "utcnow"), ("date", "today"), ("os", "urandom")}
_ENVIRONMENT = {
    ("os", "environ"),
    ("os", "environb"),
    ("os", "getenv"),
    ("sys", "stdout"),
    ("sys", "stderr"),
    ("sys", "argv"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    paths = (folder / "compiler", folder / "runtime_template", folder)
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "COLUMNS": "160"},
        capture_output=True,
        text=True,
    )


def calls_to(tree: ast.Module, attributes: set[tuple[str, str]], names: frozenset[str] = frozenset()) -> list[str]:
    """Uses of `owner.attribute` and calls of bare names, as `line N: text`."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=attribute):
                if (owner, attribute) in attributes:
                    found.append(f"line {node.lineno}: {owner}.{attribute}")
            case ast.Call(func=ast.Name(id=name)) if name in names:
                found.append(f"line {node.lineno}: {name}()")
    return found


def _offences(folder: Path, **what: object) -> dict[str, list[str]]:
    return {
        path.relative_to(REPOSITORY).as_posix(): found
        for path in python_files(folder)
        if (found := calls_to(parsed(path), **what))  # type: ignore[arg-type]
    }


def test_contracts_hold():
    done = lint_imports(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_contracts_break_when_the_gate_imports_the_renderer(tmp_path: Path):
    """The contracts can fail: one arrow the wrong way, through a third module, is found."""
    for name in ("compiler", "runtime_template/runtime"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    package = tmp_path / "compiler" / "vitesse"
    (package / "between.py").write_text("import vitesse.render\n")
    (package / "verify" / "wrong.py").write_text("from vitesse import between\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "the gate shares no line with what it checks BROKEN" in done.stdout


def test_contracts_name_every_pure_room():
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    contracts = {contract["name"]: contract for contract in config["tool"]["importlinter"]["contracts"]}
    pure = contracts["pure rooms reach no network, process, clock or chance"]
    assert set(pure["source_modules"]) == {f"vitesse.{room}" for room in _PURE}


@pytest.mark.parametrize("room", _PURE)
def test_pure_rooms_read_no_clock_and_no_environment(room: str):
    """Determinism is a property of what a room can reach."""
    assert _offences(COMPILER / room, attributes=_CLOCKS | _ENVIRONMENT, names=frozenset({"hash", "id", "input"})) == {}
    requests = [
        (path.name, module)
        for path in python_files(COMPILER / room)
        for module, _ in imported(parsed(path))
        if module.startswith("urllib.request")
    ]
    assert requests == []


def test_only_the_command_line_prints_and_reads_the_environment():
    found = _offences(COMPILER, attributes=_ENVIRONMENT, names=frozenset({"print", "input"}))
    assert {name: said for name, said in found.items() if not name.startswith("compiler/vitesse/cli/")} == {}


def test_runtime_imports_itself_only_by_relative_names():
    """It is copied under another name, so its own name is not known to it."""
    own = {"runtime", "vitesse", "_runtime"}
    found = [
        (path.name, module)
        for path in python_files(RUNTIME)
        for module, _ in imported(parsed(path))
        if module.split(".")[0] in own
    ]
    assert found == []


def test_generated_packages_do_not_import_the_compiler():
    found = [
        (path.relative_to(REPOSITORY).as_posix(), line)
        for path in python_files(REPOSITORY / "generated")
        for module, line in imported(parsed(path))
        if module.split(".")[0] in {"vitesse", "runtime"}
    ]
    assert found == []


def test_plugins_import_of_vitesse_only_the_hooks():
    found = [
        (path.relative_to(REPOSITORY).as_posix(), line, module)
        for path in python_files(REPOSITORY / "plugins")
        if "tests" not in path.relative_to(REPOSITORY).parts
        for module, line in imported(parsed(path))
        if module.split(".")[0] == "vitesse" and not (module + ".").startswith("vitesse.hooks.")
    ]
    assert found == []


def test_calls_to_finds_clocks_and_prints():
    source = "import datetime, os\nprint(datetime.datetime.now(), datetime.now(), os.environ['A'])\nx.now(); pprint()\n"
    found = calls_to(ast.parse(source), _CLOCKS | _ENVIRONMENT, frozenset({"print"}))
    assert sorted(found) == ["line 2: datetime.now", "line 2: datetime.now", "line 2: os.environ", "line 2: print()"]

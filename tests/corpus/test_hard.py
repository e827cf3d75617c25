"""What published descriptions are feared for, in small ones of our own: the whole way to code that imports and is typed."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest

from tests.corpus.folder import specs_in
from tests.corpus.page import kept
from tests.corpus.run import PACKAGE, Result, run_corpus

HARD = Path(__file__).with_name("hard")
LOST = {
    "paths_and_components_are_lists.json": {"": ["V110"]},
    "references.yaml": {"GET /lost": ["V112"]},
    "several_files/openapi.yaml": {"GET /missing": ["V115"], "GET /outside": ["V111"], "GET /network": ["V111"]},
    "values_that_do_not_fit.yaml": {"GET /wrong": ["V204"]},
    "version_3_2.yaml": {"GET /needed": ["V206"]},
}
"""What does not compile, and why; all else does."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hard")


@pytest.fixture(scope="module")
def results(work: Path) -> list[Result]:
    folder = Path(shutil.copytree(HARD, work / "specs"))
    return run_corpus(specs_in(folder), work)


@pytest.mark.slow
def test_all_compiles_imports_and_is_typed_but_what_is_named(results: list[Result]):
    """One process for mypy; an operation that breaks Python or mypy would stand here as `mypy`."""
    found: dict[str, dict[str, list[str]]] = {}
    for one in map(kept, results):
        lost = {id: [error["code"] for error in errors] for id, errors in one["failed"].items()}
        if one["errors"]:
            lost[""] = [error["code"] for error in one["errors"]]
        if lost:
            found[one["spec"]] = lost
    assert found == LOST
    assert [result.spec.name for result in results if result.found.get("differs_when_pruned")] == []


@pytest.mark.slow
def test_every_wire_name_is_in_the_code_as_it_was_published(results: list[Result], work: Path):
    """Also those that are empty, hold quotes or line breaks, or become the same name in Python."""
    (spec,) = [result for result in results if result.spec.name == "names_as_published.yaml"]
    schemas = _yaml(work / "specs" / spec.spec.name)["components"]["schemas"]
    for module in ("reads", "writes"):
        text = (work / "package" / PACKAGE / "models" / f"{spec.spec.slug}_{module}.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        written = {name for node in tree.body if isinstance(node, ast.ClassDef) for name in _wire_names(node)}
        assert written >= set(schemas["Odd-Names"]["properties"])


def _yaml(path: Path) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    from vitesse.yaml import read_yaml

    return json.loads(json.dumps(read_yaml(path.read_text(encoding="utf-8"))))  # type: ignore[no-any-return]


def _wire_names(node: ast.ClassDef) -> set[str]:
    """The alias of each field, or its own name."""
    found: set[str] = set()
    for line in node.body:
        if isinstance(line, ast.AnnAssign):
            assert isinstance(line.target, ast.Name)
            aliases = [
                keyword.value.value
                for call in ast.walk(line)
                if isinstance(call, ast.Call)
                for keyword in call.keywords
                if keyword.arg in ("alias", "serialization_alias") and isinstance(keyword.value, ast.Constant)
            ]
            found.add(str(aliases[0]) if aliases else line.target.id)
    return found


def test_every_description_here_is_looked_at():
    assert len(specs_in(HARD)) == 16
    assert set(LOST) <= {spec.name for spec in specs_in(HARD)}

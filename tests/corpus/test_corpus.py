"""A seeded sample of published operations compiles, imports and passes `mypy --strict`; what does not is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.corpus.blame import Blame
from tests.corpus.folder import Spec, specs_in
from tests.corpus.page import kept, load, page, printed
from tests.corpus.run import Result, run_corpus, sample
from tests.shared import REPOSITORY, SHARED, needs_shared

SEED = 20261121
OPERATIONS = 150


@needs_shared
@pytest.mark.slow
def test_sample_of_published_operations_compiles_or_is_named(tmp_path: Path):
    """`make corpus SPECS=FOLDER` is the same for all of any folder."""
    specs = specs_in(SHARED / "specs")
    only = sample(specs, OPERATIONS, SEED)
    results = run_corpus([spec for spec in specs if spec.name in only], tmp_path, only=only)
    assert sum(result.total for result in results) == OPERATIONS
    assert {result.spec.name: result.broken for result in results if result.broken} == {}
    assert [result.spec.name for result in results if result.found["differs_when_pruned"]] == []
    for result in results:
        for one in result.found["operations"]:
            errors = [code for code in one["codes"] if code["severity"] == "error"]
            assert one["compiles"] or all(code["pointer"].startswith("#/") for code in errors)
            assert one["compiles"] is not bool(errors)
    assert sum(result.compiled for result in results) >= 0.97 * OPERATIONS


def _spec(name: str, folder: Path) -> Spec:
    return Spec(name=name, path=folder / name, bounds=None)


def _folder(tmp_path: Path) -> Path:
    operation = {
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}}
    }
    schema = {"$ref": "#/components/schemas/Missing"}
    lost = {"responses": {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}}
    document = {
        "openapi": "3.0.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"get": operation}, "/b": {"get": lost}},
    }
    (tmp_path / "one.json").write_text(json.dumps(document))
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "several" / "parts").mkdir(parents=True)
    (tmp_path / "several" / "parts" / "deep.yaml").write_text("openapi: 3.0.0\n")
    (tmp_path / "several" / "main.yaml").write_text("openapi: 3.0.0\ninfo: {title: S, version: '1'}\npaths: {}\n")
    return tmp_path


def test_folder_without_an_index_is_searched_for_descriptions(tmp_path: Path):
    """Files that say their version at the top, and the highest such file of each folder."""
    found = specs_in(_folder(tmp_path))
    assert [(spec.name, spec.bounds and spec.bounds.name) for spec in found] == [
        ("one.json", None),
        ("several/main.yaml", "several"),
    ]


def test_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path):
    """The same description under the same compiler is not compiled again; a changed one is."""
    (tmp_path / "specs").mkdir()
    folder = _folder(tmp_path / "specs")
    work = tmp_path / "work"
    (first,) = run_corpus([_spec("one.json", folder)], work)
    assert (first.total, first.compiled) == (2, 1)
    answer = work / "results" / "s_one_json.json"
    before = answer.stat().st_mtime_ns
    run_corpus([_spec("one.json", folder)], work)
    assert answer.stat().st_mtime_ns == before
    (folder / "one.json").write_text((folder / "one.json").read_text().replace('"/b"', '"/c"'))
    (again,) = run_corpus([_spec("one.json", folder)], work)
    assert [one["id"] for one in again.found["operations"]] == ["GET /a", "GET /c"]


def _result(**broken: list[str]) -> Result:
    operations = [
        {"id": "GET /a", "compiles": True, "codes": []},
        {"id": "GET /b", "compiles": False, "codes": [{"code": "V112", "severity": "error", "pointer": "#/x"}]},
        {"id": "GET /c", "compiles": True, "codes": [{"code": "V212", "severity": "note", "pointer": "#/y"}]},
    ]
    found = {"openapi": "3.0", "operations": operations, "modules": []}
    return Result(spec=_spec("one.json", Path()), found=found, broken=broken)


def test_table_counts_what_compiles_and_names_the_codes_of_the_rest():
    assert printed([kept(_result())]).splitlines()[1].split() == "one.json 3.0 3 2 66.7 % V112 × 1".split()
    text = page([kept(_result(**{"GET /c": ["no such attribute"]}))])
    assert "| `one.json` | 3.0 | 3 | 1 | 33.3 % | V112 × 1, mypy × 1 |" in text
    assert "| `one.json` | `GET /b` | V112 at `#/x` |" in text
    assert "| `one.json` | `GET /c` | mypy: no such attribute |" in text


def test_table_names_what_is_wrong_with_a_whole_file():
    refused = _result()
    refused.found = {
        "refused": [{"code": "V101", "severity": "error", "pointer": "#/"}],
        "operations": [],
        "modules": [],
    }
    text = page([kept(refused)])
    assert "| `one.json` | – | 0 | 0 | – | V101 (the file) |" in text
    assert "| `one.json` | V101 at `#/` |" in text


def test_page_of_compatibility_is_what_was_kept():
    """And what was kept meets the aim: 99 of 100 operations compile, and what does not has a code and a place."""
    results = load(REPOSITORY / "docs" / "compatibility.json")
    assert (REPOSITORY / "docs" / "compatibility.md").read_text(encoding="utf-8") == page(results)
    total, compiled = sum(one["operations"] for one in results), sum(one["compiled"] for one in results)
    assert compiled >= 0.99 * total
    assert sum(len(one["failed"]) for one in results) == total - compiled
    failed = [error for one in results for errors in one["failed"].values() for error in errors]
    assert all(error["code"].startswith("V") and error["pointer"].startswith("#/") for error in failed)


def test_what_is_broken_is_charged_to_the_operations_that_stand_on_it(tmp_path: Path):
    """A line of a method to its operation, a line of a model to all that reach it, any other line to all."""
    (tmp_path / "clients").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "clients" / "x.py").write_text(
        "from ..models.x_reads import A, B as B_2\n"
        "class C:\n"
        '    async def a(self) -> A:\n        """GET /a"""\n        ...\n'
        '    async def b(self) -> B_2:\n        """GET /b, one page"""\n        ...\n'
    )
    (tmp_path / "models" / "x_reads.py").write_text(
        "class Inner:\n    x: int\nclass A:\n    y: Inner\nclass B:\n    z: int\n"
    )
    blame = Blame(tmp_path, ["clients/x.py", "models/x_reads.py"])
    assert blame.operations("clients/x.py", 8) == {"GET /b"}
    assert blame.operations("models/x_reads.py", 2) == {"GET /a"}
    assert blame.operations("models/x_reads.py", 6) == {"GET /b"}
    assert blame.operations("clients/x.py", 1) == {"GET /a", "GET /b"}

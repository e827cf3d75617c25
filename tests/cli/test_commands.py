"""`vitesse …`: each command as a user types it. Exit codes, what is printed, and what is left alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import COMMANDS, run

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"
SOURCE, DESTINATION = EXAMPLE / "specs" / "shopify.yaml", EXAMPLE / "specs" / "credo.json"
STREAM = "GET /customers.json=POST /contacts"


@pytest.fixture
def folder(tmp_path):
    """A copy of the flagship example."""
    copy = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, copy)
    return copy


def create(folder, *more):
    options = ["--source", str(SOURCE), "--destination", str(DESTINATION), "--intent", "Sync all customers"]
    return run(["create", "shopify-credo", *options, "--dir", str(folder), *(more or ("--stream", STREAM))])


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_a_help_with_an_example(name, capsys):
    """A newcomer learns a command from its own help."""
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example:" in text
    assert f"vitesse {name}" in text


def test_help_imports_click_and_nothing_else_of_others():
    """`--help` costs nothing but click."""
    code = (
        "import sys; from vitesse.cli.group import run; run(['--help'])\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pydantic', 'yaml', 'jinja2', 'httpx', 'black', 'ryaml'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_command_is_usage_and_names_the_nearest(capsys):
    """Exit code 2, and the way out."""
    assert run(["biuld", "x"]) == 2
    assert "did you mean `build`" in capsys.readouterr().err


def test_create_then_ingest_writes_the_folder_of_the_forms(tmp_path, capsys):
    """Two specs and one line become an integration that only lacks its rules."""
    folder = tmp_path / "new"
    assert create(folder) == 0
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "facts/credo.yaml",
        "facts/shopify.yaml",
        "integration.yaml",
        "mappings/customers.yaml",
        "specs/credo.json",
        "specs/shopify.yaml",
    ]
    assert "PUT /contacts/{id}" in (folder / "integration.yaml").read_text()
    before = (folder / "facts" / "shopify.yaml").read_text()
    assert run(["ingest", str(folder)]) == 0
    assert (folder / "facts" / "shopify.yaml").read_text() == before
    assert "as before" in capsys.readouterr().out


def test_create_where_something_is_already_writes_nothing(folder, capsys):
    """V012: nobody's work is overwritten."""
    before = sorted(folder.rglob("*"))
    assert create(folder) == 1
    assert "error[V012]" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


def test_create_with_an_operation_that_is_not_there_leaves_no_half_folder(tmp_path, capsys):
    """All of it or nothing, with the nearest operation named."""
    assert create(tmp_path / "new", "--stream", "GET /customer.json=POST /contacts") == 1
    assert "GET /customers.json" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ingest_keeps_what_a_person_wrote(folder):
    """A line `by: person` wins and stays."""
    assert run(["ingest", str(folder)]) == 0
    assert "by: person" in (folder / "facts" / "shopify.yaml").read_text()


def test_inspect_json_says_of_each_operation_whether_it_compiles(capsys):
    """The form that machines read."""
    assert run(["inspect", str(DESTINATION), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    one = next(operation for operation in report["operations"] if operation["id"] == "POST /contacts/batch")
    assert (one["method"], one["path"], one["compiles"], one["codes"]) == ("POST", "/contacts/batch", True, [])


def test_inspect_of_a_file_that_is_no_spec_says_what_it_is(tmp_path, capsys):
    """A refusal a person can act on, no traceback."""
    path = tmp_path / "notes.yaml"
    path.write_text("hello: there\n")
    assert run(["inspect", str(path)]) == 1
    assert "error[V1" in capsys.readouterr().err


def test_inspect_of_a_file_whose_paths_are_a_list_fails_with_the_place(tmp_path, capsys):
    """It is no less wrong for having no operation that could fail."""
    path = tmp_path / "scraped.yaml"
    path.write_text("openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: []\ncomponents: []\n")
    assert run(["inspect", str(path)]) == 1
    assert "error[V110]: `paths` is not an object" in capsys.readouterr().err
    assert run(["inspect", str(path), "--json"]) == 1


def test_inspect_shows_what_is_compiled_otherwise_than_it_is_described(tmp_path, capsys):
    """A header that HTTP sets is named with its operation; what several operations share, once for the file."""
    path = tmp_path / "api.yaml"
    path.write_text(
        "openapi: 3.0.0\ninfo: {title: T, version: '1'}\n"
        "paths:\n  /a:\n    get:\n      parameters: [{name: Content-Length, in: header, schema: {type: integer}}]\n"
        "      responses: {'200': {description: '', content: {application/json: {schema: {$ref: '#/components/schemas/L'}}}}}\n"
        "components: {schemas: {L: {type: array, items: {$ref: '#/components/schemas/L'}}}}\n"
    )
    assert run(["inspect", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (operation,) = report["operations"]
    assert [(one["code"], one["severity"]) for one in operation["codes"]] == [("V206", "note")]
    assert [(one["code"], one["pointer"]) for one in report["diagnostics"]] == [("V212", "#/components/schemas/L")]


def test_build_then_check_holds_and_a_second_build_writes_nothing(folder, tmp_path, capsys):
    """The same folder gives the same bytes."""
    out = tmp_path / "out"
    assert run(["build", str(folder), "--out", str(out)]) == 0
    assert run(["build", str(folder), "--out", str(out)]) == 0
    assert "unchanged" in capsys.readouterr().err
    assert run(["check", str(folder), "--out", str(out)]) == 0


def test_check_of_a_package_that_was_edited_by_hand_shows_the_edit_and_fails(folder, tmp_path, capsys):
    """Exit code 1 and a readable diff; building refuses to lose the edit, `--discard` does."""
    out = tmp_path / "out"
    run(["build", str(folder), "--out", str(out)])
    mapper = out / "shopify_credo" / "src" / "shopify_credo" / "mappers" / "customers.py"
    mapper.write_text(mapper.read_text().replace("src.phone", "src.email"))
    capsys.readouterr()
    assert run(["check", str(folder), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert "src.email" in said.out + said.err
    assert run(["build", str(folder), "--out", str(out)]) == 1
    assert "V701" in capsys.readouterr().err
    assert run(["build", str(folder), "--out", str(out), "--discard"]) == 0
    assert run(["check", str(folder), "--out", str(out)]) == 0


def test_check_of_a_draft_fails(folder, tmp_path, capsys):
    """A draft is for trying, not for keeping."""
    out = tmp_path / "out"
    (folder / "mappings" / "customers.review.json").unlink()
    assert run(["build", str(folder), "--out", str(out), "--draft"]) == 0
    capsys.readouterr()
    assert run(["check", str(folder), "--out", str(out), "--json"]) == 1
    (result,) = json.loads(capsys.readouterr().out)
    assert result["holds"] is False
    assert "V450" in [diagnostic["code"] for diagnostic in result["diagnostics"]]


def test_build_of_several_when_one_cannot_be_compiled_is_partial(folder, tmp_path, capsys):
    """Exit code 3: what could be built was built, and the rest is told."""
    broken = tmp_path / "broken"
    broken.mkdir()
    assert run(["build", str(folder), str(broken), "--out", str(tmp_path / "out")]) == 3
    assert "V001" in capsys.readouterr().err


def test_accept_without_a_selection_is_usage(folder, capsys):
    """Nobody accepts everything by leaving something out."""
    assert run(["accept", str(folder)]) == 2


def test_a_bug_of_ours_is_told_as_one(folder, capsys, monkeypatch):
    """Exit code 70, and a request to report it."""

    def broken(*_, **__):
        raise RuntimeError("boom")

    monkeypatch.setattr("vitesse.workflow.check.check_integration", broken)
    assert run(["check", str(folder)]) == 70
    assert "This is a bug in Vitesse" in capsys.readouterr().err


def _environment():
    import os

    return {**os.environ, "PYTHONPATH": str(REPOSITORY / "compiler")}

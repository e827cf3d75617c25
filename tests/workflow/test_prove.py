"""Proof that operations compile: what fails is named with its place, and takes nothing else with it."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest

from vitesse.api.facts import ApiFacts
from vitesse.diagnostics import InternalError
from vitesse.openapi import build_api, read_document
from vitesse.package import PackageFile
from vitesse.plan.model import OperationPlan
from vitesse.plan.whole import WholeApi
from vitesse.verify import VerifiedPackage
from vitesse.workflow import prove
from vitesse.workflow.inspect import inspect_file
from vitesse.workflow.prove import Proof, prove_operations

SCHEMAS = {
    "Operation": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "parent": {"$ref": "#/components/schemas/Operation"}},
    },
    "Parameter": {"type": "object", "properties": {'quo"te': {"type": "string"}, "": {"type": "integer"}, "class": {}}},
}


def spec(folder: Path, count: int) -> Path:
    reply = {"application/json": {"schema": {"$ref": "#/components/schemas/Operation"}}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Parameter"}}}}
    operation = {"requestBody": body, "responses": {"200": {"description": "", "content": reply}}}
    paths = {f"/things{number}": {"post": operation} for number in range(count)}
    path = folder / "api.json"
    document = {
        "openapi": "3.0.3",
        "info": {"title": "T", "version": "1"},
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }
    path.write_text(json.dumps(document))
    return path


def proved(path: Path) -> Proof:
    api = build_api(read_document(path)).api
    return prove_operations(api, ApiFacts(api="t"), api.operations, name="t")


def test_models_called_as_the_runtimes_own_names_take_none_of_them(tmp_path: Path):
    """A component `Operation` is a class of a vendor, and the constants are still the runtime's operations."""
    (package,) = proved(spec(tmp_path, 1)).packages
    client = package.package.paths["clients/t.py"].content.decode()
    imported = {
        (node.module, alias.name, alias.asname)
        for node in ast.parse(client).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert ("_runtime.declare", "Operation", None) in imported
    assert ("models.t_reads", "Operation", "Operation_2") in imported
    assert "-> Operation_2:" in client


def test_all_operations_are_proved_together(tmp_path: Path):
    found = proved(spec(tmp_path, 5))
    assert found.failures == {}
    (package,) = found.packages
    assert sorted(package.package.paths) == ["clients/t.py", "models/t_reads.py", "models/t_writes.py"]


def _break(monkeypatch: pytest.MonkeyPatch, *ids: str) -> None:
    """Make rendering fail as soon as one of these operations is there."""
    render = prove.render_api

    def broken(api, models, template, *, memo=None):
        here = [operation.id for operation in api.operations if operation.id in ids]
        if here:
            raise InternalError(f"no name for {here[0]}")
        return render(api, models, template, memo=memo)

    monkeypatch.setattr(prove, "render_api", broken)


def test_operation_that_cannot_be_rendered_is_named_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two of seven fail: V509 at their places, and the other five are proved."""
    _break(monkeypatch, "POST /things2", "POST /things5")
    found = proved(spec(tmp_path, 7))
    assert {id: [(one.code, one.places[0].pointer) for one in errors] for id, errors in found.failures.items()} == {
        "POST /things2": [("V509", "#/paths/~1things2/post")],
        "POST /things5": [("V509", "#/paths/~1things5/post")],
    }
    assert sum(file.content.decode().count("async def") for part in found.packages for _, file in _clients(part)) == 5


def test_operations_that_fail_only_together_are_proved_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing is charged to an operation that compiles."""
    render = prove.render_api

    def crowded(api, models, template, *, memo=None):
        if len(api.operations) > 2:
            raise InternalError("too many at once")
        return render(api, models, template, memo=memo)

    monkeypatch.setattr(prove, "render_api", crowded)
    found = proved(spec(tmp_path, 5))
    assert found.failures == {}
    clients = [(path, file.content.decode()) for part in found.packages for path, file in _clients(part)]
    assert sum(text.count("async def") for _, text in clients) == 5
    assert len({path for path, _ in clients}) == len(clients)


def _clients(part: VerifiedPackage) -> list[tuple[str, PackageFile]]:
    return [(path, file) for path, file in part.package.paths.items() if path.startswith("clients/")]


def test_rendered_file_that_is_not_the_plans_is_charged_to_its_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """V600 of the gate, at the place of the operation."""
    plan = prove.plan_whole

    def lying(api, facts, operations, name):
        found = plan(api, facts, operations, name)
        altered = tuple(_other(one) if one.id == "POST /things1" else one for one in found.api.operations)
        return _with(found, altered)

    expect = prove.expect_api
    honest: dict[int, WholeApi] = {}

    def _with(found: WholeApi, altered: tuple[OperationPlan, ...]) -> WholeApi:
        made = replace(found, api=replace(found.api, operations=altered))
        honest[id(made.api)] = found
        return made

    def _other(one: OperationPlan) -> OperationPlan:
        return replace(one, path="/elsewhere")

    monkeypatch.setattr(prove, "plan_whole", lying)
    monkeypatch.setattr(prove, "expect_api", lambda api, models: expect(honest[id(api)].api, models))
    found = proved(spec(tmp_path, 3))
    assert {id: {one.code for one in errors} for id, errors in found.failures.items()} == {"POST /things1": {"V600"}}
    assert found.failures["POST /things1"][0].places[0].pointer == "#/paths/~1things1/post"


def test_inspect_says_what_was_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = spec(tmp_path, 2)
    assert inspect_file(path).compiled == 2
    _break(monkeypatch, "POST /things1")
    form = inspect_file(path).form()
    assert form["counts"] == {"operations": 2, "compiles": 1}

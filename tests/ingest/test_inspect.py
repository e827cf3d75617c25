"""What a description offers, and what of it does not compile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from vitesse.api.facts import ApiFacts
from vitesse.api.model import Api, Operation
from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.ingest.inspect import inspect_spec
from vitesse.workflow.prove import Proof

SPEC = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "https://shop.example"}]
paths:
  /things:
    get:
      operationId: listThings
      parameters: [{name: page, in: query, schema: {type: integer}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Thing"}}}}}
  /broken:
    get: {responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Broken"}}}}}}
webhooks: {thing.created: {post: {responses: {}}}}
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
  schemas:
    Thing: {type: object, properties: {id: {type: string}}}
    Broken: {type: object, properties: {part: {$ref: "#/components/schemas/Missing"}}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SPEC)
    return path


def test_report_says_per_operation_whether_it_compiles(spec: Path):
    found = inspect_spec(spec)
    form = json.loads(json.dumps(found.form()))
    assert found.has_errors
    assert form["counts"] == {"operations": 2, "compiles": 1}
    good, bad = form["operations"]
    assert (good["id"], good["operation_id"], good["compiles"], good["codes"]) == (
        "GET /things",
        "listThings",
        True,
        [],
    )
    assert good["facts"]["paging"] == {"style": "page", "page": "page"}
    assert (bad["method"], bad["path"], bad["compiles"]) == ("GET", "/broken", False)
    assert [(code["code"], code["pointer"]) for code in bad["codes"]] == [
        ("V112", "#/components/schemas/Broken/properties/part/$ref")
    ]
    assert bad["codes"][0]["message"]


def test_report_says_what_the_api_is(spec: Path):
    form = inspect_spec(spec).form()
    assert (form["title"], form["openapi"], form["files"], form["webhooks"]) == (
        "Shop",
        "3.1",
        ["shop.yaml"],
        ["thing.created"],
    )
    assert form["auth"] == [{"name": "key", "kind": "api_key", "location": "header", "parameter": "X-Key"}]
    assert form["diagnostics"] == []


def test_operation_compiles_when_it_is_proved(spec: Path):
    asked: list[str] = []

    def prove(api: Api, facts: ApiFacts, operations: Sequence[Operation]) -> Proof:
        asked.extend(operation.id for operation in operations)
        assert facts.get("GET /things", "paging") is not None
        stands_in_the_way = Diagnostic(code="V501", message="cannot be planned")
        return Proof(packages=(), failures={"GET /things": (stands_in_the_way,)}, diagnostics=())

    found = inspect_spec(spec, prove=prove)
    assert asked == ["GET /things"]  # what cannot be read is not asked about
    assert found.compiled == 0


def test_file_that_is_no_description_is_refused(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("a: 1\n")
    with pytest.raises(DiagnosticError):
        inspect_spec(tmp_path / "x.yaml")

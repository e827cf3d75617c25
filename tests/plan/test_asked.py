"""Lists that are asked for with a body: pages, filters and what the manifest fixes stand in it, in their own kinds."""

from __future__ import annotations

import importlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.shared import prove_by_its_own_tests, put_first
from tests.wire.recorder import recording
from vitesse.diagnostics import DiagnosticError
from vitesse.pipeline import compile_integration
from vitesse.workflow.build import build_integration

FOLDER = Path(__file__).resolve().parents[1] / "listed" / "cellar_ledger"
SPEC = """
openapi: 3.0.3
info: {title: Cellar, version: "1"}
servers: [{url: "https://cellar.example/v3"}]
paths:
  /trades/search:
    post:
      parameters: [{name: region, in: query, schema: {type: string}}]
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [access_key, team]
              properties:
                access_key: {type: string}
                team: {type: integer}
                changed_after: {type: string, format: date-time}
                options: {type: object, properties: {count: {type: integer, maximum: 50}, offset: {type: integer}}}
      responses:
        "200":
          description: A page.
          content:
            application/json:
              schema:
                type: object
                properties:
                  total: {type: integer}
                  trades:
                    type: array
                    items:
                      type: object
                      required: [id]
                      properties:
                        id: {type: string}
                        email: {type: string}
                        name: {type: string}
                        updated_at: {type: string, format: date-time}
"""
MANIFEST = """
vitesse: 1
name: cellar-ledger
source: {api: cellar, auth: {kind: bearer, token: {env: CELLAR_TOKEN}}}
destination: {api: ledger, auth: {kind: api_key, header: X-Key, key: {env: LEDGER_KEY}}}
streams:
  traders:
    source: {list: POST /trades/search, identity: id, version: updated_at, since: changed_after}
    destination: {create: POST /accounts, update: "PATCH /accounts/{id}", list: GET /accounts, identity: id}
    match: [{source: email, destination: email, compare: [trim, lower]}]
    adopt: prefetch
    parameters: {source.access_key: {env: CELLAR_KEY}, source.team: "7"}
"""
FACTS = """
POST /trades/search:
  records: {value: trades, confidence: 1.0, by: person}
  paging: {value: {style: offset, limit: options.count, max: 50, offset: options.offset}, confidence: 1.0, by: person}
"""
MAPPING = """
vitesse: 1
stream: traders
rules:
  email: {from: email, transform: direct, on_missing: dead}
  name: {from: name, transform: direct}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = Path(shutil.copytree(FOLDER, tmp_path_factory.mktemp("asked") / "cellar_ledger"))
    shutil.rmtree(copy / "fields")
    for name, text in (
        ("specs/cellar.yaml", SPEC),
        ("integration.yaml", MANIFEST),
        ("facts/cellar.yaml", FACTS),
        ("mappings/traders.yaml", MAPPING),
    ):
        (copy / name).write_text(text.lstrip(), encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def package(folder: Path) -> Path:
    build_integration(folder, folder.parent / "package", draft=True, discard=False)
    return folder.parent / "package"


async def test_pages_are_asked_for_in_the_body(package: Path, monkeypatch: pytest.MonkeyPatch):
    put_first(package, monkeypatch)
    client = importlib.import_module("cellar_ledger.clients.cellar")
    runtime = importlib.import_module("cellar_ledger._runtime.client")
    settings = importlib.import_module("cellar_ledger._runtime.settings")
    reply = json.dumps({"trades": [{"id": str(number)} for number in range(2)]}).encode()
    async with recording(reply) as server:
        api = replace(client.CELLAR, base_url=f"http://127.0.0.1:{server.port}/v3")
        async with runtime.open_api(api, settings.resolve((api,), {"CELLAR_TOKEN": "t"})) as session:
            params = {"access_key": "k1", "team": "7", "changed_after": "2024-05-01T10:00:00Z", "region": "a b"}
            first = await session.page(client.LIST_TRADES, params=params, size=2)
            await session.page(client.LIST_TRADES, params=params, size=2, cursor=first.next)
    assert [(one.method, one.target) for one in server.requests] == [("POST", "/v3/trades/search?region=a%20b")] * 2
    asked = {"access_key": "k1", "changed_after": "2024-05-01T10:00:00Z", "team": 7}
    assert [json.loads(one.body) for one in server.requests] == [
        {**asked, "options": {"count": 2, "offset": 0}},
        {**asked, "options": {"count": 2, "offset": 2}},
    ]
    assert server.requests[0].header("Content-Type") == "application/json"


def test_field_that_the_body_requires_and_nobody_gives_is_named(folder: Path, tmp_path: Path):
    """V501, as for a parameter: a request with a hole in it is not sent."""
    copy = Path(shutil.copytree(folder, tmp_path / "cellar_ledger"))
    path = copy / "integration.yaml"
    path.write_text(path.read_text().replace(', source.team: "7"', ""))
    with pytest.raises(DiagnosticError) as caught:
        compile_integration(copy, draft=True)
    (found,) = [one for one in caught.value.diagnostics if one.is_error]
    assert (found.code, "`team`" in found.message) == ("V501", True)


@pytest.mark.slow
def test_package_that_asks_with_a_body_passes_its_own_tests_on_its_mocks(package: Path):
    prove_by_its_own_tests(package)

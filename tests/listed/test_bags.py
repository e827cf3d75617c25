"""Records that are bags of properties, from the list of fields to the wire."""

from __future__ import annotations

import importlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.shared import SHARED, needs_shared, prove_by_its_own_tests, put_first
from tests.wire.recorder import recording
from vitesse.api.fields import find_field
from vitesse.diagnostics import DiagnosticError
from vitesse.pipeline import compile_integration, read_integration
from vitesse.workflow.accept import accept
from vitesse.workflow.build import build_integration
from vitesse.workflow.map import map_streams

FOLDER = Path(__file__).parent / "cellar_ledger"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "cellar_ledger"))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bags")
    build_integration(FOLDER, root / "cellar_ledger", draft=True, discard=False)
    return root / "cellar_ledger"


def edit(folder: Path, file: str, before: str, after: str) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def codes(caught: Any) -> list[str]:
    return [one.code for one in caught.value.diagnostics]


def test_listed_fields_are_fields_of_the_record_with_their_types(folder: Path):
    """On the wire as the description has the bag's values: texts here, JSON of any kind there."""
    integration = read_integration(folder)
    source, destination = integration.ends("traders")
    read = {
        name: find_field(integration.source, source.type, f"properties.{name}")
        for name in ("annual_turnover", "licensed", "region", "old_note")
    }
    assert [
        (one.type.kind, one.type.format, one.type.enum, one.nullable) for one in read.values() if one and one.field
    ] == [
        ("string", "decimal", (), True),
        ("string", None, ("true", "false"), True),
        ("string", None, ("north", "south"), True),
    ]
    assert read["old_note"] is not None
    assert read["old_note"].field is None  # archived: only what any value of the bag is
    written = {
        name: find_field(integration.destination, destination.type, f'custom."{name}"')
        for name in ("turnover", "cases_sold", "licensed", "licence.until", "score")
    }
    assert [(one.type.kind, one.type.format) for one in written.values() if one] == [
        ("number", "decimal"),
        ("integer", "int64"),
        ("boolean", None),
        ("string", "date"),
        ("integer", "int64"),
    ]


def test_map_proposes_listed_fields_as_it_proposes_any(folder: Path):
    (folder / "mappings" / "traders.yaml").unlink()
    (mapped,) = map_streams(folder, on="2026-11-21")
    text = (folder / "mappings" / "traders.yaml").read_text(encoding="utf-8")
    for line in ("from: properties.email", "from: properties.annual_turnover", "from: properties.licence until"):
        assert line in text
    assert "custom.score" not in text  # only the ledger sets it
    assert mapped.proposal.stream == "traders"


def test_rule_on_a_read_only_listed_field_is_refused_at_its_definition(folder: Path):
    """V412, with the manifest's own line as the place."""
    path = folder / "mappings" / "traders.yaml"
    path.write_text(
        path.read_text()
        + "  custom.score: {from: properties.cases_sold, transform: parse, with: {to: integer}, on_null: omit}\n"
    )
    with pytest.raises(DiagnosticError) as caught:
        compile_integration(folder, draft=True)
    (found,) = [one for one in caught.value.diagnostics if one.code == "V412"]
    assert any(place.file == "integration.yaml" for place in found.places)


def test_review_is_reopened_by_the_listed_field_that_changed_and_by_no_other(folder: Path):
    accept(folder, (), everything=True, by="ana", on="2026-11-21")
    assert compile_integration(folder).plan.draft == ()
    edit(folder, "fields/traders.json", '"name": "old_note"', '"name": "older_note"')
    assert compile_integration(folder).plan.draft == ()
    edit(folder, "fields/traders.json", '"value": "south"', '"value": "north"')
    with pytest.raises(DiagnosticError) as caught:
        compile_integration(folder)
    assert {(one.code, "custom.region" in one.message) for one in caught.value.diagnostics if one.is_error} == {
        ("V451", True)
    }


def test_saved_reply_is_an_input_of_the_package(folder: Path, package: Path):
    """A build is unchanged only when the list of fields is."""
    lock = (package / "vitesse.lock").read_text(encoding="utf-8")
    assert "fields/traders.json" in lock


@pytest.mark.parametrize(
    ("file", "before", "after", "code"),
    [
        ("integration.yaml", "        properties:\n", "        attributes:\n", "V310"),
        ("integration.yaml", "ask: properties", "ask: fields", "V512"),
        ("integration.yaml", "reply: traders.json", "reply: nothing.json", "V001"),
        ("integration.yaml", "reply: traders.json", "reply: ../traders.json", "V005"),
        ("fields/traders.json", '"results"', '"found": 3, "name"', "V309"),
    ],
)
def test_fault_in_the_list_of_fields_is_named(folder: Path, file: str, before: str, after: str, code: str):
    edit(folder, file, before, after)
    if code == "V309":
        (folder / file).write_text('{"results": []}')
    with pytest.raises(DiagnosticError) as caught:
        compile_integration(folder, draft=True)
    assert code in codes(caught)


async def test_wanted_fields_are_asked_for_and_written_inside_the_bag(package: Path, monkeypatch: pytest.MonkeyPatch):
    """Seen by a server: `properties=a,b` where the description says that commas separate them; values in their own types."""
    put_first(package, monkeypatch)
    clients = {name: importlib.import_module(f"cellar_ledger.clients.{name}") for name in ("cellar", "ledger")}
    runtime = importlib.import_module("cellar_ledger._runtime.client")
    settings = importlib.import_module("cellar_ledger._runtime.settings")
    mapper = importlib.import_module("cellar_ledger.mappers.traders")
    trader = {
        "id": "1",
        "updatedAt": "2024-05-01T10:00:00Z",
        "properties": {
            "email": "a@b.example",
            "annual_turnover": "1200.50",
            "cases_sold": "12",
            "licensed": "true",
            "licence until": "2027-01-31",
            "region": None,
        },
    }
    reply = json.dumps({"results": [trader]}).encode()
    async with recording(reply) as server:
        apis = [
            replace(clients[name].__dict__[name.upper()], base_url=f"http://127.0.0.1:{server.port}")
            for name in clients
        ]
        given = settings.resolve(apis, {"CELLAR_TOKEN": "t", "LEDGER_KEY": "k"})
        async with runtime.open_api(apis[0], given) as session:
            page = await clients["cellar"].CellarClient(session).list_traders(limit=2)
        async with runtime.open_api(apis[1], given) as session:
            await clients["ledger"].LedgerClient(session).create_account(mapper.to_account(page.records[0]))
    listing, created = server.requests
    names = "email,company_name,annual_turnover,cases_sold,licensed,licence%20until,region"
    assert listing.target == f"/objects/traders?properties={names}&limit=2"
    assert created.body == (
        b'{"email":"a@b.example","custom":{"turnover":1200.50,"cases_sold":12,"licensed":true,"licence.until":"2027-01-31"}}'
    )


def test_wanted_fields_are_repeated_where_the_description_says_so(folder: Path):
    edit(
        folder,
        "specs/cellar.yaml",
        "A comma separated list of the properties to be returned in the response.",
        "Properties.",
    )
    edit(
        folder,
        "specs/cellar.yaml",
        "- {name: limit",
        "- {name: expand, in: query, schema: {type: string}}\n      - {name: limit",
    )
    listing = compile_integration(folder, draft=True).plan.source.operations[0]
    assert listing.path.startswith("/objects/traders?properties=email&properties=company_name&")
    assert "properties" not in [one.name for one in listing.parameters]


@pytest.mark.slow
def test_package_of_a_bag_passes_its_own_tests_on_its_mocks(package: Path):
    """Models, mocks, generated tests and sync treat listed fields as any other."""
    prove_by_its_own_tests(package)


HUBSPOT_FIELDS = {
    "results": [
        {"name": "email", "label": "Email", "type": "string"},
        {"name": "annualrevenue", "label": "Annual revenue", "type": "number"},
        {"name": "lastmodifieddate", "label": "Last modified", "type": "datetime", "calculated": True},
    ]
}


@needs_shared
def test_published_description_of_a_bag_takes_its_fields_from_a_saved_reply(folder: Path):
    """HubSpot's contacts, whose description says that properties are texts under any name."""
    shutil.copy(SHARED / "specs" / "hubspot__crm-contacts-v3.json", folder / "specs" / "cellar.json")
    (folder / "specs" / "cellar.yaml").unlink()
    (folder / "fields" / "traders.json").write_text(json.dumps(HUBSPOT_FIELDS))
    edit(folder, "integration.yaml", "list: GET /objects/traders", "list: GET /crm/v3/objects/contacts")
    edit(
        folder, "integration.yaml", "get: GET /objects/traders/{id}", 'get: "GET /crm/v3/objects/contacts/{contactId}"'
    )
    edit(folder, "integration.yaml", "version: updatedAt", "version: properties.lastmodifieddate")
    edit(folder, "facts/cellar.yaml", "GET /objects/traders:", "GET /crm/v3/objects/contacts:")
    edit(folder, "facts/cellar.yaml", "GET /objects/traders/{id}:", "GET /crm/v3/objects/contacts/{contactId}:")
    (folder / "mappings" / "traders.yaml").unlink()
    map_streams(folder, on="2026-11-21")
    plan = compile_integration(folder, draft=True).plan
    paths = [one.path for one in plan.source.operations]
    names = "properties=email,annualrevenue,lastmodifieddate"
    assert paths == [f"/crm/v3/objects/contacts?{names}", f"/crm/v3/objects/contacts/{{contactId}}?{names}"]
    models = {field.wire_name for module in plan.models for model in module.models for field in model.fields}
    assert {"email", "annualrevenue", "lastmodifieddate", "turnover"} <= models

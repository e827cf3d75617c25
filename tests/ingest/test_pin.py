"""Pinning descriptions and writing facts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from vitesse.api.facts import Paging
from vitesse.diagnostics import DiagnosticError
from vitesse.ingest.pin import ingest, pin_spec

HEAD = 'openapi: 3.0.3\ninfo: {title: t, version: "1"}\npaths: {}\n'
EXAMPLE = REPOSITORY / "examples" / "shopify_credo"


@pytest.fixture
def integration(tmp_path: Path) -> Path:
    folder = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, folder)
    return folder


def test_single_file_is_pinned_under_the_apis_name(tmp_path: Path):
    (tmp_path / "vendor.yml").write_text(HEAD)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "shop.json").write_text("{}")
    assert pin_spec(tmp_path, "shop", tmp_path / "vendor.yml") == "shop.yaml"
    assert [path.name for path in (tmp_path / "specs").iterdir()] == ["shop.yaml"]
    assert (tmp_path / "specs" / "shop.yaml").read_text() == HEAD


def test_json_without_a_suffix_is_pinned_as_json(tmp_path: Path):
    (tmp_path / "download").write_text('{"openapi": "3.0.0"}')
    assert pin_spec(tmp_path, "shop", tmp_path / "download") == "shop.json"


def test_several_files_keep_their_folder_and_leave_the_rest(tmp_path: Path):
    vendor = tmp_path / "vendor"
    (vendor / "schemas").mkdir(parents=True)
    (vendor / "openapi.yaml").write_text(HEAD + "x: {$ref: schemas/a.yaml}\n")
    (vendor / "schemas" / "a.yaml").write_text("type: string\n")
    (vendor / "schemas" / "unused.yaml").write_text("type: string\n")
    (tmp_path / "specs" / "shop").mkdir(parents=True)
    (tmp_path / "specs" / "shop" / "old.yaml").write_text("old\n")
    assert pin_spec(tmp_path, "shop", vendor / "openapi.yaml") == "shop/openapi.yaml"
    pinned = tmp_path / "specs" / "shop"
    assert sorted(path.relative_to(pinned).as_posix() for path in pinned.rglob("*.yaml")) == [
        "openapi.yaml",
        "schemas/a.yaml",
    ]
    assert sorted(path.name for path in (tmp_path / "specs").iterdir()) == ["shop"]


def test_what_is_no_description_is_not_pinned(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("a: 1\n")
    with pytest.raises(DiagnosticError):
        pin_spec(tmp_path, "shop", tmp_path / "x.yaml")
    assert not (tmp_path / "specs").exists()


def test_facts_are_written_for_the_operations_that_streams_use(integration: Path):
    (integration / "facts" / "credo.yaml").unlink()
    _, credo = ingest(integration)
    assert set(credo.facts.operations) == {
        "POST /contacts",
        "PUT /contacts/{id}",
        "GET /contacts/{id}",
        "GET /contacts",
        "POST /contacts/batch",
    }
    paging = credo.facts.get("GET /contacts", "paging")
    assert paging is not None
    assert isinstance(paging.value, Paging)
    assert (paging.value.style, paging.value.page, paging.value.max) == ("page", "page", 200)
    assert (integration / "facts" / "credo.yaml").read_text().startswith("POST /contacts:\n")
    assert {change.before for change in credo.changes} == {None}


def test_facts_are_written_for_the_operations_that_register_webhooks(tmp_path: Path):
    """A list of webhooks has pages too: those that are on a later one would be registered again."""
    folder = tmp_path / "shop_depot"
    shutil.copytree(REPOSITORY / "examples" / "shop_depot", folder)
    (folder / "facts" / "shop.yaml").unlink()
    shop, depot = ingest(folder)
    paging = shop.facts.get("GET /webhooks.json", "paging")
    assert paging is not None
    assert isinstance(paging.value, Paging)
    assert (paging.value.style, paging.value.limit) == ("link", "limit")
    assert shop.facts.get("POST /webhooks.json", "record") is not None
    assert "POST /webhooks.json" not in depot.facts.operations


def test_persons_facts_stay(integration: Path):
    shopify, _ = ingest(integration)
    rate = shopify.facts.get("GET /customers.json", "rate_limit")
    assert rate is not None
    assert rate.by == "person"
    assert "# The description says it in prose" in (integration / "facts" / "shopify.yaml").read_text()


def test_second_ingest_changes_nothing(integration: Path):
    ingest(integration)
    before = {path: path.read_bytes() for path in integration.rglob("*") if path.is_file()}
    again = ingest(integration)
    assert [api.changes for api in again] == [(), ()]
    assert [api.spec_changed for api in again] == [False, False]
    assert {path: path.read_bytes() for path in integration.rglob("*") if path.is_file()} == before


def test_new_description_is_pinned_and_its_changes_are_told(integration: Path, tmp_path: Path):
    ingest(integration)
    text = (integration / "specs" / "credo.json").read_text()
    (tmp_path / "new.json").write_text(text.replace('"maximum": 200', '"maximum": 500'))
    _, credo = ingest(integration, {"credo": tmp_path / "new.json"})
    assert credo.spec_changed
    assert [(change.operation, change.kind) for change in credo.changes] == [("GET /contacts", "paging")]


def test_unsure_facts_are_open_questions(integration: Path):
    spec = integration / "specs" / "credo.json"
    text = spec.read_text().replace("Writes the whole contact: a field that the body leaves out is cleared", "Writes")
    spec.write_text(text.replace("Replace a contact", "Write a contact"))
    (integration / "facts" / "credo.yaml").unlink()
    _, credo = ingest(integration)
    assert ("PUT /contacts/{id}", "update_is") in [(operation, fact.kind) for operation, fact in credo.open]


def test_api_that_the_manifest_does_not_have_is_refused(integration: Path, tmp_path: Path):
    (tmp_path / "new.yaml").write_text(HEAD)
    with pytest.raises(DiagnosticError) as caught:
        ingest(integration, {"other": tmp_path / "new.yaml"})
    assert caught.value.diagnostics[0].code == "V303"


def test_description_without_a_used_operation_is_refused(integration: Path, tmp_path: Path):
    (tmp_path / "new.yaml").write_text(HEAD)
    with pytest.raises(DiagnosticError) as caught:
        ingest(integration, {"credo": tmp_path / "new.yaml"})
    assert {found.code for found in caught.value.diagnostics} == {"V219"}
    assert len(caught.value.diagnostics) == 5
    assert (integration / "specs" / "credo.json").read_bytes() == (EXAMPLE / "specs" / "credo.json").read_bytes()


def test_description_in_a_folder_is_named_in_the_manifest(integration: Path, tmp_path: Path):
    spec = (integration / "specs" / "credo.json").read_text().rstrip().removesuffix("}")
    (tmp_path / "openapi.json").write_text(spec + ', "x-part": {"$ref": "part.yaml"}}')
    (tmp_path / "part.yaml").write_text("a: 1\n")
    with pytest.raises(DiagnosticError) as caught:
        ingest(integration, {"credo": tmp_path / "openapi.json"})
    (found,) = caught.value.diagnostics
    assert not (integration / "specs" / "credo").exists()
    assert (found.code, found.help) == ("V303", "set `destination.spec: credo/openapi.json`")

"""What a new version of a description changes for an integration, and how much it weighs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.shared import REPOSITORY
from vitesse.api.facts import BatchResults, Fact, FactValue, Paging, RateLimit
from vitesse.cli.group import run
from vitesse.ingest.changes import FactChange, SpecChange, worst
from vitesse.ingest.pin import ingest
from vitesse.yaml import read_yaml

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"


@pytest.fixture
def integration(tmp_path: Path) -> Path:
    folder = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, folder)
    ingest(folder)
    return folder


Edit = Callable[[dict[str, Any]], object]


def changed(integration: Path, edit: Edit, side: str = "credo") -> tuple[SpecChange, ...]:
    """The changes after one edit of one description."""
    new = edited(integration, edit, side)
    both = ingest(integration, {side: new})
    return both[0 if side == "shopify" else 1].spec_changes


def edited(integration: Path, edit: Edit, side: str = "credo") -> Path:
    name = "credo.json" if side == "credo" else "shopify.yaml"
    text = (integration / "specs" / name).read_text()
    spec = json.loads(text) if side == "credo" else read_yaml(text)
    edit(spec)
    new = integration.parent / f"new{Path(name).suffix}"
    new.write_text(json.dumps(spec))
    return new


def body(spec: dict[str, Any]) -> dict[str, Any]:
    """The schema of the body that creates a contact."""
    schema = spec["paths"]["/contacts"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def weights(changes: tuple[SpecChange, ...], what: str) -> set[tuple[str, str]]:
    return {(change.weight, change.change) for change in changes if change.what == what}


def test_the_same_description_in_another_layout_changes_nothing(integration):
    assert changed(integration, lambda spec: spec.update({"x-nothing": 1})) == ()


def test_a_field_that_no_rule_touches_is_nobodys_concern(integration):
    assert changed(integration, lambda spec: body(spec)["properties"].update(nickname={"type": "string"})) == ()


def test_a_field_that_a_rule_fills_and_that_is_gone_breaks_and_names_the_rule(integration):
    found = changed(integration, lambda spec: body(spec)["properties"].pop("phone_number"))
    (one,) = {change for change in found if change.operation == "POST /contacts"}
    assert (one.weight, one.what, one.change) == ("breaking", "field phone_number", "is gone")
    assert one.rules == ("customers.phone_number",)


@pytest.mark.parametrize(
    ("schema", "weight"),
    [({"type": "integer"}, "breaking"), ({"type": "string", "maxLength": 3}, "breaking")],
)
def test_a_destination_field_that_takes_less_breaks(integration, schema, weight):
    found = changed(integration, lambda spec: body(spec)["properties"].update(last_name=schema))
    assert weight in {weight for weight, _ in weights(found, "field last_name")}


def test_a_new_required_field_that_no_rule_fills_breaks(integration):
    def edit(spec: dict[str, Any]) -> None:
        body(spec)["properties"]["tenant"] = {"type": "string"}
        body(spec).setdefault("required", []).append("tenant")

    assert ("breaking", "is required now, and no rule fills it") in weights(changed(integration, edit), "field tenant")


def test_a_new_optional_parameter_adds_and_a_required_one_breaks(integration):
    def edit(spec: dict[str, Any]) -> None:
        spec["paths"]["/contacts"]["post"]["parameters"] = [
            {"name": "dry", "in": "query", "schema": {"type": "boolean"}},
            {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}},
        ]

    found = changed(integration, edit)
    assert weights(found, "parameter query.dry") == {("additive", "is new")}
    assert weights(found, "parameter query.tenant") == {("breaking", "is required and new")}


def test_a_parameter_that_is_sent_and_gone_breaks(integration):
    def edit(spec: dict[str, Any]) -> None:
        listing = spec["paths"]["/customers.json"]["get"]
        listing["parameters"] = [one for one in listing["parameters"] if not one["$ref"].endswith("updated_at_min")]

    assert weights(changed(integration, edit, "shopify"), "parameter query.updated_at_min") == {("breaking", "is gone")}


def test_another_way_to_sign_in_breaks(integration):
    def edit(spec: dict[str, Any]) -> None:
        for scheme in spec["components"]["securitySchemes"].values():
            scheme.clear()
            scheme.update(type="apiKey", name="X-Other", **{"in": "header"})

    found = changed(integration, edit)
    assert "breaking" in {change.weight for change in found if change.what.startswith("sign-in")}


def test_a_source_field_that_may_be_null_now_breaks_and_the_destinations_adds(integration):
    """The same edit weighs otherwise for a reader and for a writer."""

    def source(spec: dict[str, Any]) -> None:
        schema = spec["components"]["schemas"]["Customer"]["properties"]
        schema["first_name"] = {"type": "string"}

    changed(integration, source, "shopify")

    def nullable(spec: dict[str, Any]) -> None:
        is_31 = str(spec["openapi"]).startswith("3.1")
        null = {"type": ["string", "null"]} if is_31 else {"type": "string", "nullable": True}
        spec["components"]["schemas"]["Customer"]["properties"]["first_name"] = null

    found = changed(integration, nullable, "shopify")
    assert weights(found, "field first_name") == {("breaking", "may be null now")}

    def writable(spec: dict[str, Any]) -> None:
        body(spec)["properties"]["last_name"]["nullable"] = False

    assert weights(changed(integration, writable), "field last_name") == {("breaking", "is never null now")}
    writable_again = edited(integration, lambda spec: body(spec)["properties"]["last_name"].update(nullable=True))
    credo = ingest(integration, {"credo": writable_again})[1]
    assert weights(credo.spec_changes, "field last_name") == {("additive", "may be null now")}


@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        (None, "id", "additive"),
        ("id", None, "breaking"),
        ("id", "uuid", "breaking"),
        ("id", "id", "none"),
        ({"email": "query.email"}, {"email": "query.email", "phone": "query.phone"}, "additive"),
        ({"email": "query.email"}, {"phone": "query.phone"}, "breaking"),
        (BatchResults(items="a", results="r"), BatchResults(items="a", results="r", error="why"), "additive"),
        (BatchResults(items="a", results="r"), BatchResults(items="b", results="r"), "breaking"),
        (RateLimit(per_s=2), RateLimit(per_s=4), "additive"),
        (RateLimit(per_s=2), RateLimit(per_s=1), "breaking"),
        (Paging(style="page", page="p", max=100), Paging(style="page", page="p", max=200), "additive"),
        (Paging(style="page", page="p", max=100), Paging(style="page", page="p", max=50), "breaking"),
        (Paging(style="page", page="p"), Paging(style="offset", offset="o"), "breaking"),
    ],
)
def test_a_fact_weighs_by_what_it_was_and_is(before: FactValue, after: FactValue, weight: str):
    old = Fact(kind="identity", value=before) if before is not None else None
    new = Fact(kind="identity", value=after, confidence=0.5) if after is not None else None
    assert FactChange(operation="GET /x", kind="identity", before=old, after=new).weight == weight


def test_a_fact_that_said_nothing_and_is_gone_weighs_nothing():
    """`sorted_by: null` and no such line are the same to a reader."""
    null = Fact(kind="sorted_by", value=None)
    assert FactChange(operation="GET /x", kind="sorted_by", before=null, after=None).weight == "none"
    assert FactChange(operation="GET /x", kind="sorted_by", before=None, after=null).weight == "none"


def test_the_weightiest_decides():
    assert worst([]) == "none"
    assert worst(["none", "additive"]) == "additive"
    assert worst(["additive", "breaking", "none"]) == "breaking"


def test_fail_on_ends_with_one_only_for_what_weighs_that_much(integration, capsys):
    """What CI stands on."""

    def harmless(spec: dict[str, Any]) -> None:
        parameter = {"name": "dry", "in": "query", "schema": {"type": "boolean"}}
        spec["paths"]["/contacts"]["post"]["parameters"].append(parameter)

    new = edited(integration, harmless)
    assert run(["ingest", str(integration), "--spec", f"credo={new}", "--fail-on", "breaking"]) == 0
    assert "additive POST /contacts parameter query.dry: is new" in capsys.readouterr().out
    new = edited(integration, lambda spec: body(spec)["properties"].pop("phone_number"))
    arguments = ["ingest", str(integration), "--spec", f"credo={new}", "--fail-on", "breaking", "--json"]
    assert run(arguments) == 1
    side = json.loads(capsys.readouterr().out)[1]
    assert side["weight"] == "breaking"
    assert side["spec_changes"][0]["rules"] == ["customers.phone_number"]
    assert run(["ingest", str(integration), "--fail-on", "additive"]) == 0


def test_a_field_that_is_required_now_inside_an_object_that_rules_fill_breaks(integration):
    """Not only the body's own fields are asked for."""
    mapping = integration / "mappings" / "customers.yaml"
    text = mapping.read_text().replace("  address: kept by", "  # address: kept by")
    address = "  address.city: {from: default_address.city, transform: mapping}\nwaive:"
    mapping.write_text(text.replace("waive:\n  status", f"{address}\n  status"))

    def edit(spec: dict[str, Any]) -> None:
        inner = spec["components"]["schemas"]["Address"]
        inner["properties"]["planet"] = {"type": "string"}
        inner.setdefault("required", []).append("planet")

    found = weights(changed(integration, edit), "field address.planet")
    assert found == {("breaking", "is required now, and no rule fills it")}


def test_the_operation_that_reads_one_record_is_looked_at_too(integration):
    """A webhook's record is read by it, and by the same rules."""

    def edit(spec: dict[str, Any]) -> None:
        reply = spec["paths"]["/customers/{id}.json"]["get"]["responses"]["200"]
        while "$ref" in reply:
            reply = spec["components"]["responses"][reply["$ref"].rpartition("/")[2]]
        schema = {
            "type": "object",
            "properties": {"customer": {"type": "object", "properties": {"id": {"type": "integer"}}}},
        }
        reply["content"]["application/json"]["schema"] = schema

    found = [one for one in changed(integration, edit, "shopify") if one.operation == "GET /customers/{id}.json"]
    assert ("breaking", "field email", "is gone") in {(one.weight, one.what, one.change) for one in found}


def test_a_parameter_that_the_manifest_sets_and_that_is_gone_breaks(integration):
    manifest = integration / "integration.yaml"
    manifest.write_text(manifest.read_text().replace("    match:", "    parameters: {source.tenant: x}\n    match:"))
    assert "source.tenant" in manifest.read_text()

    def add(spec: dict[str, Any]) -> None:
        one = {"name": "tenant", "in": "query", "schema": {"type": "string"}}
        spec["paths"]["/customers.json"]["get"]["parameters"].append(one)

    def remove(spec: dict[str, Any]) -> None:
        listing = spec["paths"]["/customers.json"]["get"]
        listing["parameters"] = [one for one in listing["parameters"] if one.get("name") != "tenant"]

    changed(integration, add, "shopify")
    assert weights(changed(integration, remove, "shopify"), "parameter query.tenant") == {("breaking", "is gone")}


def test_the_command_says_before_and_after_and_sums_up(integration, capsys):
    """What a reviewer reads, without the facts that say what they said."""

    def edit(spec: dict[str, Any]) -> None:
        body(spec)["properties"].pop("phone_number")
        listing = spec["paths"]["/contacts"]["get"]["parameters"]
        for one in listing:
            if one.get("name") == "per_page":
                one["schema"]["maximum"] = 50

    new = edited(integration, edit)
    assert run(["ingest", str(integration), "--spec", f"credo={new}"]) == 0
    said = capsys.readouterr().out
    assert "breaking POST /contacts field phone_number: is gone [customers.phone_number]" in said
    assert "in all: " in said
    assert "breaking" in said.splitlines()[-1] or "? " in said
    assert run(["ingest", str(integration), "--spec", f"credo={new}"]) == 0
    assert "in all" not in capsys.readouterr().out

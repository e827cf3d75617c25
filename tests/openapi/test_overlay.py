"""Overlays: what they correct, what they refuse, and where a person sees them."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
from vitesse.openapi import Limits, read_document
from vitesse.openapi.limits import LimitExceeded
from vitesse.openapi.overlay import OverlayError, apply_overlay

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"
SPEC: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/a": {"get": {"parameters": [{"name": "x"}, {"name": "y"}, {"name": "x"}], "tags": ["one"]}},
        "/b'c": {"get": {"deprecated": True}, "post": {"deprecated": True}},
    },
}


def overlay(*actions: dict[str, Any]) -> dict[str, Any]:
    return {"overlay": "1.0.0", "info": {"title": "o", "version": "1"}, "actions": list(actions)}


def corrected(target: str, update: Any = None, *, remove: bool = False) -> dict[str, Any]:
    change = {"remove": True} if remove else {"update": update}
    return apply_overlay(SPEC, overlay({"target": target, "description": "why", **change}), Limits())[0]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("$.info", ("info",)),
        ("$['info']", ("info",)),
        ('$.paths["/a"].get', ("paths", "/a", "get")),
        (r"$.paths['/b\'c'].get", ("paths", "/b'c", "get")),
        ("$.paths['/a'].get.parameters[1]", ("paths", "/a", "get", "parameters", 1)),
        ("$.paths['/a'].get.parameters[?@.name=='y']", ("paths", "/a", "get", "parameters", 1)),
        ("$.paths['/a'].get.parameters[?(@.name == \"y\")]", ("paths", "/a", "get", "parameters", 1)),
        ("$", ()),
    ],
)
def test_a_target_finds_its_place_and_nothing_else(target, path):
    before = copy.deepcopy(SPEC)
    value: Any = corrected(target, {"x-new": 1})
    found = value
    for step in path:
        found = found[step]
    assert found.pop("x-new") == 1
    assert value == before == SPEC


def test_all_members_are_found_by_a_star():
    value = corrected("$.paths['/b\\'c'].*", {"deprecated": False})
    assert [one["deprecated"] for one in value["paths"]["/b'c"].values()] == [False, False]
    assert len(corrected("$.paths.*.*.parameters[*]", {"q": 1})["paths"]["/a"]["get"]["parameters"]) == 3


def test_removal_takes_all_matches_and_only_them():
    value = corrected("$.paths['/a'].get.parameters[?@.name=='x']", remove=True)
    assert value["paths"]["/a"]["get"]["parameters"] == [{"name": "y"}]


def test_objects_merge_lists_join_and_a_list_gains_an_item():
    value = corrected("$.paths['/a'].get", {"tags": ["two"], "summary": "s", "responses": {"200": {}}})
    assert value["paths"]["/a"]["get"]["tags"] == ["one", "two"]
    assert value["paths"]["/a"]["get"]["responses"] == {"200": {}}
    assert corrected("$.paths['/a'].get.tags", "two")["paths"]["/a"]["get"]["tags"] == ["one", "two"]


def test_a_path_is_renamed_by_a_copy_and_a_removal():
    """`copy` of Overlay 1.1; the copy is a value of its own."""
    steps = [
        {"target": "$.paths", "description": "w", "update": {"/z": {}}},
        {"target": "$.paths['/z']", "description": "w", "copy": "$.paths['/a']"},
        {"target": "$.paths['/z'].get.tags", "description": "w", "update": "two"},
        {"target": "$.paths['/a'].get.parameters", "description": "w", "remove": True},
    ]
    root, done = apply_overlay(SPEC, overlay(*steps) | {"overlay": "1.1.0"}, Limits())
    assert root["paths"]["/z"] == {"get": SPEC["paths"]["/a"]["get"] | {"tags": ["one", "two"]}}
    assert root["paths"]["/a"] == {"get": {"tags": ["one"]}}
    assert [one.matches for one in done] == [1, 1, 1, 1]


def test_a_value_that_stands_in_two_places_is_corrected_in_the_named_one():
    """Aliases of YAML are one value in memory."""
    shared = {"type": "integer"}
    root, _ = apply_overlay(
        {"a": shared, "b": shared},
        overlay({"target": "$.a", "description": "w", "update": {"type": "string"}}),
        Limits(),
    )
    assert root == {"a": {"type": "string"}, "b": {"type": "integer"}}


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ([], "is an object"),
        ({"overlay": "1.0.0"}, "lists `actions`"),
        ({"overlay": "2.0", "actions": [1]}, "neither 1.0 nor 1.1"),
        ({"overlay": "1.0.0", "action": []}, "has no `action`"),
        (overlay(1), "an action is an object"),  # type: ignore[arg-type]
        (overlay({"target": "$.info", "update": {}}), "its reason"),
        (overlay({"target": "$.info", "description": " ", "update": {}}), "its reason"),
        (overlay({"description": "w", "update": {}}), "has a `target`"),
        (overlay({"target": "$.info", "description": "w"}), "either `update`, `copy` or"),
        (overlay({"target": "$.info", "description": "w", "update": {}, "remove": True}), "either `update`, `copy` or"),
        (
            overlay({"target": "$.info", "description": "w", "copy": "$.info", "update": {}}),
            "either `update`, `copy` or",
        ),
        (overlay({"target": "$.info", "description": "w", "copy": 1}), "path as text"),
        (overlay({"target": "$.info", "description": "w", "copy": "$.nowhere"}), "finds no values"),
        (overlay({"target": "$.info", "description": "w", "copy": "$.paths.*"}), "finds 2 values"),
        (overlay({"target": "$.info", "description": "w", "copy": "info"}), "does not start with"),
        (overlay({"target": "$.info", "description": "w", "remove": "yes"}), "true or false"),
        (overlay({"target": "$.info", "description": "w", "updates": {}}), "has no `updates`"),
        (overlay({"target": "info", "description": "w", "remove": True}), "does not start with"),
        (overlay({"target": "$..x", "description": "w", "remove": True}), "not read from `..x`"),
        (overlay({"target": "$.a[0:2]", "description": "w", "remove": True}), "not read from `[0:2]`"),
        (overlay({"target": "$", "description": "w", "remove": True}), "cannot be removed"),
        (overlay({"target": "$.info.title", "description": "w", "update": "x"}), "plain value"),
        (overlay({"target": "$.info", "description": "w", "update": "x"}), "is an object"),
    ],
)
def test_what_is_no_overlay_is_refused_with_its_place(form, says):
    with pytest.raises(OverlayError) as caught:
        apply_overlay(SPEC, form, Limits())
    assert says in str(caught.value)
    assert caught.value.pointer.startswith("#")


def test_an_overlay_that_multiplies_itself_meets_the_limit():
    action = {"target": "$.paths.*", "description": "w", "update": {"x": {str(i): [1] * 10 for i in range(10)}}}
    with pytest.raises(LimitExceeded):
        apply_overlay(SPEC, overlay(action), Limits(nodes=200))


# --- in a folder ------------------------------------------------------------------------------------------------------


@pytest.fixture
def integration(tmp_path: Path) -> Path:
    folder = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, folder)
    return folder


def write(folder: Path, *actions: dict[str, Any]) -> None:
    (folder / "specs" / "credo.overlay.yaml").write_text(json.dumps(overlay(*actions)))


SUMMARY = {
    "target": "$.paths['/contacts'].post",
    "description": "Says [nothing](https://x.example) | of <b>what</b> it does",
    "update": {"summary": "Make a contact"},
}


def test_a_correction_counts_in_the_digest_and_is_no_file_of_the_description(integration):
    spec = integration / "specs" / "credo.json"
    plain = read_document(spec)
    write(integration, SUMMARY)
    found = read_document(spec, overlay=integration / "specs" / "credo.overlay.yaml")
    assert found.value["paths"]["/contacts"]["post"]["summary"] == "Make a contact"
    assert (set(found.files), found.digest != plain.digest) == ({"credo.json"}, True)
    assert [one.matches for one in found.corrections] == [1]


def test_what_corrects_nothing_is_a_warning_with_its_place(integration):
    write(integration, SUMMARY, {"target": "$.paths['/gone']", "description": "w", "remove": True})
    found = read_document(integration / "specs" / "credo.json", overlay=integration / "specs" / "credo.overlay.yaml")
    (one,) = found.diagnostics
    assert (one.code, one.severity, one.places[0].file) == ("V117", "warning", "credo.overlay.yaml")
    assert one.places[0].pointer == "#/actions/1"


def test_a_broken_overlay_stops_what_reads_the_spec(integration, capsys):
    write(integration, {"target": "$..x", "description": "w", "remove": True})
    with pytest.raises(DiagnosticError) as caught:
        read_document(integration / "specs" / "credo.json", overlay=integration / "specs" / "credo.overlay.yaml")
    assert caught.value.diagnostics[0].code == "V116"
    assert run(["ingest", str(integration)]) == 1
    assert run(["inspect", str(integration / "specs" / "credo.json")]) == 1
    assert capsys.readouterr().err.count("error[V116]") == 2


def test_inspect_and_ingest_see_the_corrected_description(integration, capsys):
    """A page size that the vendor got wrong."""
    assert run(["ingest", str(integration)]) == 0
    (integration / "specs" / "credo.overlay.yaml").write_text(
        'overlay: 1.0.0\ninfo: {title: o, version: "1"}\nactions:\n'
        "  - target: $.paths['/contacts'].post\n    description: It is slow\n    update: {deprecated: true}\n"
        "  - target: $.paths['/contacts/{id}'].delete\n    description: Not for us\n    remove: true\n"
    )
    capsys.readouterr()
    assert run(["inspect", str(integration / "specs" / "credo.json"), "--json"]) == 0
    assert "DELETE /contacts/{id}" not in capsys.readouterr().out
    assert run(["ingest", str(integration)]) == 0
    assert (integration / "specs" / "credo.overlay.yaml").is_file()


def test_a_build_shows_the_reason_in_mapping_md_and_is_stale_after_a_change(integration, tmp_path, capsys):
    """The reason is text of a stranger there: no link, no picture, no HTML."""
    write(integration, SUMMARY)
    out = tmp_path / "out"
    assert run(["build", str(integration), "--out", str(out)]) == 0, capsys.readouterr().err
    (page,) = out.rglob("MAPPING.md")
    text = page.read_text()
    assert "**Corrected in the specs**" in text
    assert "$.paths['/contacts'].post" in text
    assert "<b>" not in text.replace("\\<b", "")
    assert run(["check", str(integration), "--out", str(out)]) == 0
    write(integration, {**SUMMARY, "description": "Another reason"})
    assert run(["check", str(integration), "--out", str(out)]) == 1


def test_a_build_stands_on_the_corrected_path_and_type_and_shows_both_reasons(integration, tmp_path, capsys):
    """The vendor's file says `/contact` and a wrong type; the package sends to the right path and writes the right type."""
    spec = integration / "specs" / "credo.json"
    right = spec.read_text()
    form = json.loads(right)
    form["paths"]["/contact"] = form["paths"].pop("/contacts")
    wrong = form["components"]["schemas"]["ContactInput"]["properties"]["lifetime_value"]
    kept = dict(wrong)
    wrong.clear()
    wrong["type"] = "boolean"
    spec.write_text(json.dumps(form))
    out = tmp_path / "out"
    assert run(["build", str(integration), "--out", str(out)]) == 1
    assert "error[V219]" in capsys.readouterr().err
    actions = [
        {"target": "$.paths", "description": "The path has an s", "update": {"/contacts": {}}},
        {"target": "$.paths['/contacts']", "description": "The path has an s", "copy": "$.paths['/contact']"},
        {"target": "$.paths['/contact']", "description": "404 since March", "remove": True},
        {
            "target": "$.components.schemas.ContactInput.properties.lifetime_value",
            "description": "It is money, case 4711",
            "update": kept,
        },
    ]
    (integration / "specs" / "credo.overlay.yaml").write_text(json.dumps(overlay(*actions) | {"overlay": "1.1.0"}))
    assert run(["build", str(integration), "--out", str(out)]) == 0, capsys.readouterr().err
    (client,) = out.rglob("clients/credo.py")
    assert 'path="/contacts"' in client.read_text()
    (page,) = out.rglob("MAPPING.md")
    for reason in ("The path has an s", "404 since March", "It is money, case 4711"):
        assert reason in page.read_text()
    spec.write_text(right)
    (integration / "specs" / "credo.overlay.yaml").unlink()
    assert run(["build", str(integration), "--out", str(tmp_path / "plain")]) == 0
    for name in ("clients/credo.py", "mappers/*.py", "models/*.py"):
        for path in (tmp_path / "plain").rglob(name):
            assert (out / path.relative_to(tmp_path / "plain")).read_text() == path.read_text()

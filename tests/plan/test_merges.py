"""`vitesse.plan`: rules for conflicts, and streams that go back on another one's links."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import load_manifest
from vitesse.pipeline import plan_integration, read_integration, review_rules
from vitesse.plan.merges import _fields
from vitesse.plan.model import Plan

EXAMPLE = REPOSITORY / "examples" / "shopify_atelier"
Change = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Change:
    """The example with words of its manifest replaced."""

    def change(*pairs: tuple[str, str]) -> Path:
        folder = shutil.copytree(EXAMPLE, tmp_path / "shopify_atelier")
        text = (folder / "integration.yaml").read_text("utf-8")
        for before, after in pairs:
            assert before in text, before
            text = text.replace(before, after)
        (folder / "integration.yaml").write_text(text, "utf-8")
        return folder

    return change


def planned(folder: Path) -> Plan:
    integration = read_integration(folder)
    return plan_integration(integration, review_rules(integration))


def refused(folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        planned(folder)
    return [(one.code, one.message) for one in caught.value.diagnostics]


def test_pair_shares_fields_and_looks_before_it_makes_anything(changed: Change):
    plan = planned(changed())
    on, back = plan.streams
    assert (on.name, back.reverse_of, on.adopt, back.adopt) == ("products", "products", "lookup", "lookup")
    assert on.merge is not None
    assert back.merge is None
    assert [(field.name, field.strategy) for field in on.merge.fields if field.strategy] == [
        ("description", "destination_priority"),
        ("state", "manual_review"),
    ]
    assert back.destination.envelope == ("product",)
    update = next(one for one in plan.destination.operations if one.constant == on.destination.update)
    assert [each.name for each in update.parameters if each.location == "header"] == ["If-Match"]


def test_plain_stream_reads_nothing_and_has_no_fields(changed: Change):
    folder = changed()
    text = (folder / "integration.yaml").read_text("utf-8")
    head, _, rest = text.partition("  # What is edited in the catalogue")
    rest = rest[rest.index("webhooks:") : rest.index("  - topics: [item.created")] + rest[rest.index("deploy:") :]
    start = head.index("    conflicts:")
    (folder / "integration.yaml").write_text(head[:start] + "    schedule: hourly\n" + rest, "utf-8")
    [stream] = planned(folder).streams
    assert (stream.conflicts, stream.merge, stream.adopt) == ("source_priority", None, "on_conflict")


def test_rule_about_a_field_that_nothing_fills_is_refused(changed: Change):
    found = refused(changed(("state: manual_review", "shelf: manual_review")))
    assert [code for code, _ in found] == ["V516"]
    assert "no rule fills `shelf`" in found[0][1]


def test_streams_that_match_by_different_fields_are_no_pair(changed: Change):
    found = refused(
        changed(("{source: slug, destination: product.handle,", "{source: name, destination: product.handle,"))
    )
    assert [code for code, _ in found] == ["V516"]
    assert "matches by other fields" in found[0][1]


def test_times_that_nobody_tells_are_refused(changed: Change):
    rule = "      strategy: timestamp_based\n      version: changed_at\n      clock_skew: 5 seconds"
    found = refused(changed(("      strategy: merge_fields", rule)))
    assert found == [("V516", "a record of the destination has no `changed_at`")]


def test_times_decide_where_both_sides_tell_them(changed: Change):
    rule = "      strategy: timestamp_based\n      version: revised_at\n      clock_skew: 2 minutes"
    merge = planned(changed(("      strategy: merge_fields", rule))).streams[0].merge
    assert merge is not None
    assert (merge.version, merge.clock_skew_s) == (("revised_at",), 120.0)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("strategy: merge_fields", "strategy: timestamp_based", "decides by time and does not say by which"),
        ("otherwise: source_priority", "otherwise: timestamp_based", "decides by time and does not say by which"),
        ("reverse_of: products", "reverse_of: things", "goes back for `things`, which is no stream that goes on"),
        ("reverse_of: products", "reverse_of: items", "goes back for `items`, which is no stream that goes on"),
        ("reverse_of: products", "reverse_of: products\n    conflicts: skip", "has a rule for conflicts of its own"),
        ("reverse_of: products", "reverse_of: products\n    adopt: never", "goes both ways and adopts by `never`"),
        ('      get: "GET /items/{item_id}"\n      find', "      find", "cannot read what it writes"),
        ('      get: "GET /items/{item_id}"\n      identity', "      identity", "cannot ask for one record"),
        ("      find: {operation: GET /items, by: {slug: query.slug}}\n", "", "cannot find records that are there"),
        ("    match: [{source: slug, destination: product.handle, compare: [trim, lower]}]\n", "", "how records match"),
        ("reverse_of: products", "reverse_of: products\n    mode: append", "goes both ways and appends"),
    ],
)
def test_manifest_that_contradicts_itself_is_refused(changed: Change, before: str, after: str, message: str):
    """V008, before any spec is read."""
    with pytest.raises(DiagnosticError) as caught:
        load_manifest(changed((before, after)))
    assert {one.code for one in caught.value.diagnostics} == {"V008"}
    assert any(message in one.message for one in caught.value.diagnostics), [
        one.message for one in caught.value.diagnostics
    ]


def test_either_direction_may_delete(changed: Change):
    on, back = planned(changed()).streams
    assert on.deletes is not None
    assert (on.deletes.set, on.deletes.identity) == (((("state",), "retired"),), ("id",))
    assert back.deletes is not None
    assert back.deletes.set == ((("product", "status"), "archived"),)


def test_either_direction_may_be_put_back(changed: Change):
    folder = changed(
        ("    conflicts:\n", "    rollback: true\n    conflicts:\n"),
        ("reverse_of: products", "reverse_of: products\n    rollback: true"),
    )
    assert [stream.rollback for stream in planned(folder).streams] == [True, True]


def test_stream_that_merges_and_deletes_has_to_read_what_it_would_delete(changed: Change):
    folder = changed(('      get: "GET /items/{item_id}"\n      find', "      find"))
    with pytest.raises(DiagnosticError) as caught:
        load_manifest(folder)
    assert any("merges and deletes, and cannot read" in one.message for one in caught.value.diagnostics)


def test_fields_are_whole_up_to_their_first_list():
    fields = _fields([("a",), ("b", "c"), ("d", 0, "e"), ("d", 0, "f", 0, "g"), ("h", 0), ("a", "z")], {})
    assert [(field.name, field.inside) for field in fields] == [
        ("a", ()),
        ("b.c", ()),
        ("d", (("e",), ("f", 0, "g"))),
        ("h", ()),
    ]

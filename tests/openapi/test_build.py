"""Building: only what is asked for, and only when it is looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.openapi import cases
from vitesse.api.canonical import canonical
from vitesse.api.model import Object, Ref, Union
from vitesse.openapi import ApiBuild, Limits, build_api, list_operations, reached, read_document

SPEC = """
openapi: 3.0.3
info: {title: Shop, version: 1.2}
paths:
  /orders:
    get:
      operationId: listOrders
      summary: All orders
      responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}}
  /broken:
    get:
      responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Broken"}}}}}
components:
  schemas:
    Order: {type: object, properties: {customer: {$ref: "#/components/schemas/Customer"}, total: {type: number}}}
    Customer: {type: object, properties: {last: {$ref: "#/components/schemas/Order"}, part: {$ref: "#/components/schemas/Part"}}}
    Part: {type: object, properties: {size: {type: nonsense}}}
    Broken: {type: object, properties: {x: {$ref: "#/components/schemas/Missing"}}}
"""


def built(
    folder: Path, operations: list[str] | None = None, text: str = SPEC, limits: Limits | None = None
) -> ApiBuild:
    (folder / "openapi.yaml").write_text(text)
    return build_api(read_document(folder / "openapi.yaml", limits=limits or Limits()), operations)


def test_operations_are_listed_by_name_alone(tmp_path: Path):
    (tmp_path / "openapi.yaml").write_text(SPEC)
    listed = list_operations(read_document(tmp_path / "openapi.yaml"))
    assert [(entry.id, entry.operation_id, entry.summary) for entry in listed] == [
        ("GET /orders", "listOrders", "All orders"),
        ("GET /broken", None, ""),
    ]


def test_build_of_one_operation_leaves_the_others(tmp_path: Path):
    found = built(tmp_path, ["GET /orders"])
    assert [operation.id for operation in found.api.operations] == ["GET /orders"]
    assert found.diagnostics == ()


def test_type_is_built_when_it_is_looked_up(tmp_path: Path):
    """The trouble in `Part` is found when `Part` is looked at, and not before."""
    found = built(tmp_path, ["GET /orders"])
    order = found.api.types["Order"]
    assert isinstance(order, Object)
    customer = order.fields[0].type
    assert isinstance(customer, Ref)
    found.api.resolve(customer)
    assert found.diagnostics == ()
    found.api.types["Part"]
    assert [diagnostic.code for diagnostic in found.diagnostics] == ["V201"]


def test_types_in_full_are_all_that_is_reached_in_order(tmp_path: Path):
    assert list(built(tmp_path, ["GET /orders"]).api.types) == ["Customer", "Order", "Part"]


def test_order_of_look_ups_changes_nothing(tmp_path: Path):
    first = built(tmp_path).api
    second = built(tmp_path).api
    second.types["Broken"]
    assert "Part" in second.types
    assert "Nothing" not in second.types
    assert canonical(first, places=True) == canonical(second, places=True)


def test_diagnostics_of_an_operation_are_those_of_what_it_reaches(tmp_path: Path):
    found = built(tmp_path)
    orders, broken = found.api.operations
    assert [diagnostic.code for diagnostic in found.diagnostics_of(orders)] == ["V201"]
    assert [diagnostic.code for diagnostic in found.diagnostics_of(broken)] == ["V112"]
    assert reached(found.api, orders) == ("Order", "Customer", "Part")


def test_operation_that_is_not_there_is_named_with_its_likeness(tmp_path: Path):
    (found,) = built(tmp_path, ["GET /order"]).diagnostics
    assert (found.code, found.severity) == ("V219", "error")
    assert "`GET /orders`" in (found.help or "")


@pytest.mark.parametrize(
    ("limit", "bound", "old", "new"),
    [
        ("operations", 1, "", ""),
        ("enum_values", 3, "type: number", "type: string, enum: [a, b, c, d]"),
        ("name_characters", 20, "total:", "t" * 21 + ":"),
        ("name_characters", 20, "summary: All orders", "parameters: [{name: " + "p" * 21 + ", in: query}]"),
        ("parameters", 1, "summary: All orders", "parameters: [{name: a, in: query}, {name: b, in: query}]"),
        ("schema_depth", 5, "type: number", "items: {items: {items: {items: {items: {items: {}}}}}}"),
    ],
)
def test_limit_is_named_when_it_is_passed(tmp_path: Path, limit: str, bound: int, old: str, new: str):
    found = built(tmp_path, None, SPEC.replace(old, new), replace(Limits(), **{limit: bound}))
    len(found.api.types)
    assert any(d.code == "V105" and f"`{limit}` is" in d.message for d in found.diagnostics)


def test_chain_of_references_is_bounded(tmp_path: Path):
    chain = "".join(f"    R{index}: {{$ref: '#/components/schemas/R{index + 1}'}}\n" for index in range(30))
    text = SPEC.replace("{type: number}", "{$ref: '#/components/schemas/R0'}") + chain + "    R30: {type: string}\n"
    assert all(d.code != "V105" for d in built(tmp_path, ["GET /orders"], text).diagnostics)
    found = built(tmp_path, ["GET /orders"], text, Limits(ref_chain=10))
    found.api.types["Order"]
    assert any("`ref_chain`" in diagnostic.message for diagnostic in found.diagnostics)


def test_schemas_nested_as_deep_as_a_document_may_be_do_not_exhaust_the_stack(tmp_path: Path):
    inner = "{type: string}"
    for _ in range(60):
        inner = "{allOf: [{properties: {n: " + inner + "}}, {required: [n]}]}"
    found = built(tmp_path, None, SPEC.replace("{type: number}", inner), Limits(depth=1000))
    len(found.api.types)
    assert any("`schema_depth`" in diagnostic.message for diagnostic in found.diagnostics) is False


def test_merge_that_leads_back_to_itself_is_a_component_of_its_own(tmp_path: Path):
    """`parent` is a category with one field more, whose own `parent` is the same again: named by its place, not spelt out."""
    path = tmp_path / "openapi.yaml"
    path.write_text(
        "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /c:\n    get:\n      responses:\n        '200':\n"
        "          {description: '', content: {application/json: {schema: {$ref: '#/components/schemas/C'}}}}\n"
        "components:\n  schemas:\n    C:\n      type: object\n      properties:\n        parent:\n          allOf:\n"
        "            - {$ref: '#/components/schemas/C'}\n            - {properties: {since: {type: string}}}\n"
    )
    built = build_api(read_document(path))
    place = "#/components/schemas/C/properties/parent"
    assert list(built.api.types) == [place, "C"]
    for key in ("C", place):
        known = built.api.types[key]
        assert isinstance(known, Object)
    parent = built.api.types["C"].field("parent").type  # type: ignore[union-attr]
    assert isinstance(parent, Object)
    assert [field.name for field in parent.fields] == ["parent", "since"]
    assert isinstance(parent.fields[0].type, Ref)
    assert parent.fields[0].type.name == place
    assert not [one for one in built.diagnostics if one.is_error]


def test_union_without_resolving_keeps_references():
    found = build_api(read_document(cases.CASES / "discriminator_with_mapping" / "openapi.yaml"))
    thing = found.api.types["Thing"]
    assert isinstance(thing, Union)
    assert [type(member) for member in thing.members] == [Ref, Ref]

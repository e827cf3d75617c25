"""Where records are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.small import THING, facts, listing, page, parameter, reply

THINGS = {"type": "array", "items": THING}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (THINGS, ""),
        (page("data"), "data"),
        (page("things"), "things"),
        (page("sms_things"), "sms_things"),
        (page("things", errors={"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}), "things"),
        ({"type": "object", "properties": {"data": page("things")}}, "data.things"),
        ({"type": "object", "properties": {"QueryResponse": page("Thing")}}, "QueryResponse.Thing"),
        (page("odd.name", next={"type": "string"}), '"odd.name"'),
    ],
)  # fmt: skip
def test_list_is_found(tmp_path: Path, schema: dict[str, Any], path: str):
    assert listing(tmp_path, parameter("limit", "integer"), schema=schema)["records"].value == path


@pytest.mark.parametrize(
    "schema",
    [
        THING,
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {"id": {"type": "string"}, "tags": {"type": "array", "items": THING}}},
        {},
    ],
)
def test_reply_without_a_list_of_records_has_none(tmp_path: Path, schema: dict[str, Any]):
    assert "records" not in listing(tmp_path, schema=schema)


def test_lists_inside_one_record_are_not_a_list_reply(tmp_path: Path):
    order = {"type": "object", "properties": {"id": {"type": "string"}, "items": THINGS, "addresses": THINGS}}
    assert "records" not in facts(tmp_path, {"responses": reply(order)}, "/orders/{id}")


def test_search_by_post_lists_and_create_does_not(tmp_path: Path):
    body = {
        "content": {"application/json": {"schema": {"type": "object", "properties": {"limit": {"type": "integer"}}}}}
    }
    operation = {"requestBody": body, "responses": reply(page())}
    assert facts(tmp_path, operation, "/things/search", "post")["records"].value == "data"
    assert "records" not in facts(tmp_path, {**operation, "operationId": "createThings"}, "/things", "post")


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (THING, ""),
        ({"type": "object", "properties": {"thing": THING}}, "thing"),
        ({"type": "object", "properties": {"data": THING, "meta": {"type": "object"}}}, "data"),
        ({"type": "object", "properties": {"Thing": THING, "time": {"type": "string"}}}, "Thing"),
    ],
)
def test_single_record_is_found(tmp_path: Path, schema: dict[str, Any], path: str):
    fact = facts(tmp_path, {"responses": reply(schema)}, "/things/{id}")["record"]
    assert (fact.value, fact.confidence >= 0.8) == (path, True)


def test_deleting_gives_no_record(tmp_path: Path):
    assert "record" not in facts(tmp_path, {"responses": reply(THING)}, "/things/{id}", "delete")


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"endpoints": THINGS}, "endpoints"),
        ({"status": TEXT, "result": {"type": "object", "properties": {"shard_keys": THINGS}}}, "result.shard_keys"),
        ({"minimumPagesRemaining": NUMBER, "page": NUMBER, "agreements": THINGS}, "agreements"),
        ({"name": TEXT, "version": TEXT, "dependencies": THINGS}, None),
        ({"id": NUMBER, "name": TEXT, "entries": THINGS}, None),
        ({"some": THINGS, "others": THINGS}, None),
    ],
)
def test_only_list_of_a_reply_is_found_whatever_it_is_called(tmp_path: Path, fields: dict[str, Any], path: str | None):
    """Beside it there is bookkeeping only; with a name or more of its own, the reply is one record."""
    schema = {"type": "object", "properties": fields}
    fact = facts(tmp_path, {"responses": reply(schema)}, path="/info/routes").get("records")
    assert (fact.value if fact else None) == path
    assert fact is None or fact.confidence < 0.9


def test_array_that_a_post_gives_back_is_a_list_when_it_says_that_it_reads(tmp_path: Path):
    read = facts(
        tmp_path, {"summary": "Get the numbers", "responses": reply(THINGS)}, path="/numbers/series", method="post"
    )
    assert read["records"].value == ""
    assert "records" not in facts(
        tmp_path, {"summary": "Store", "responses": reply(THINGS)}, path="/numbers/series", method="post"
    )

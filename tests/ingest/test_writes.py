"""What is known of operations that write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.small import THING, facts, listing, page, parameter, reply
from vitesse.api.facts import BatchResults, Success, WebhookFact
from vitesse.registry.schemes import PRESETS

BODY = {"content": {"application/json": {"schema": THING}}}


@pytest.mark.parametrize(
    ("fields", "value", "sure"),
    [
        ({"ok": {"type": "boolean", "enum": [True]}}, Success(path="ok", equals=True), True),
        ({"ok": {"type": "boolean"}, "error": {"type": "string"}}, Success(path="ok", equals=True), True),
        ({"success": {"type": "boolean"}}, Success(path="success", equals=True), False),
        ({"status": {"type": "string", "enum": ["OK", "ERROR"]}}, Success(path="status", equals="OK"), False),
        ({"status": {"type": "string", "enum": ["open", "closed"]}}, Success(), True),
        ({}, Success(), True),
    ],
)
def test_success_is_found(tmp_path: Path, fields: dict[str, Any], value: Success, sure: bool):
    fact = listing(tmp_path, schema=page("things", **fields))["success"]
    assert (fact.value, fact.confidence >= 0.8) == (value, sure)


def test_idempotency_header_is_found(tmp_path: Path):
    header = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    operation = {"parameters": [header], "requestBody": BODY, "responses": reply(THING)}
    assert facts(tmp_path, operation, method="post")["idempotency"].value == "Idempotency-Key"
    assert "idempotency" not in facts(tmp_path, operation)


def test_idempotency_in_the_pages_prose_is_a_question(tmp_path: Path):
    info = {"title": "t", "version": "1", "description": "A POST may carry an `Idempotency-Key` header."}
    fact = facts(tmp_path, {"requestBody": BODY, "responses": reply(THING)}, method="post", info=info)["idempotency"]
    assert (fact.value, fact.confidence < 0.8) == ("Idempotency-Key", True)


@pytest.mark.parametrize(
    ("method", "description", "value", "sure"),
    [
        ("patch", "", "merge", True),
        ("put", "", "replace", False),
        ("put", "Replaces the thing.", "replace", True),
        ("put", "Only the fields provided in the body are updated.", "merge", True),
        ("post", "Any parameters not provided will be left unchanged.", "merge", True),
        ("put", "Provided property values will be overwritten.", "merge", True),
    ],
)
def test_update_is_found(tmp_path: Path, method: str, description: str, value: str, sure: bool):
    operation = {"description": description, "requestBody": BODY, "responses": reply(THING)}
    fact = facts(tmp_path, operation, "/things/{id}", method)["update_is"]
    assert (fact.value, fact.confidence >= 0.8) == (value, sure)


def test_creating_is_no_update(tmp_path: Path):
    assert "update_is" not in facts(tmp_path, {"requestBody": BODY, "responses": reply(THING)}, method="post")


def _batch(items: dict[str, Any], results: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": items}}}}
    return {"requestBody": body, "responses": reply({"type": "object", "properties": results}), **more}


def test_batch_and_its_results_are_found(tmp_path: Path):
    result = {
        "index": {"type": "integer"},
        "status": {"type": "integer"},
        "id": {"type": "string"},
        "error": {"type": "object"},
    }
    operation = _batch(
        {"things": {"type": "array", "maxItems": 50, "items": THING}},
        {"results": {"type": "array", "items": {"type": "object", "properties": result}}},
    )
    fact = facts(tmp_path, operation, "/things/batch", "post")["batch"]
    assert fact.value == BatchResults(
        items="things", max=50, results="results", index="index", status="status", identity="id", error="error"
    )
    assert fact.confidence >= 0.8


def test_batch_of_unknown_size_is_a_question(tmp_path: Path):
    operation = _batch({"inputs": {"type": "array", "items": THING}}, {})
    assert facts(tmp_path, operation, "/things/batch/create", "post")["batch"].confidence < 0.8
    operation["description"] = "Creates up to 25 things."
    value = facts(tmp_path, operation, "/things/batch/create", "post")["batch"].value
    assert isinstance(value, BatchResults)
    assert value.max == 25


@pytest.mark.parametrize("path", ["/things/batch/delete", "/things/batch/read", "/things"])
def test_lists_that_write_no_records_are_no_batch(tmp_path: Path, path: str):
    assert "batch" not in facts(tmp_path, _batch({"inputs": {"type": "array", "items": THING}}, {}), path, "post")


def test_json_patch_is_no_batch(tmp_path: Path):
    step = {"type": "object", "properties": {"op": {"type": "string"}, "path": {"type": "string"}, "value": {}}}
    body = {"content": {"application/json": {"schema": {"type": "array", "items": step}}}}
    assert "batch" not in facts(tmp_path, {"requestBody": body, "responses": reply(THING)}, "/things/{id}", "patch")


def test_parameters_that_find_records_are_found(tmp_path: Path):
    fact = listing(tmp_path, parameter("filter[email]"), parameter("name"), parameter("phone"))["find"]
    assert fact.value == {"email": "query.filter[email]"}


def test_webhooks_about_the_things_are_found(tmp_path: Path):
    hook = {"post": {"description": "Signed by `webhook-signature`.", "requestBody": BODY, "responses": {}}}
    fact = listing(tmp_path, webhooks={"thing.created": hook, "other.created": hook, "thingUpdated": hook})["webhooks"]
    assert fact.value == WebhookFact(topics=("thing.created", "thingUpdated"), scheme="standard")


GIVEN_AWAY = {
    **{preset.header: preset.name for preset in PRESETS},
    "X-Hub-Signature": None,
    "X-Hub-Signature-256": "github",
    "X-HubSpot-Signature": None,
}


@pytest.mark.parametrize(("header", "scheme"), GIVEN_AWAY.items())
def test_scheme_of_webhooks_is_the_one_whose_header_the_description_names(
    tmp_path: Path, header: str, scheme: str | None
):
    """None where several schemes share the header and nothing says which is meant."""
    hook = {"post": {"description": f"Check `{header.upper()}` first.", "requestBody": BODY, "responses": {}}}
    fact = listing(tmp_path, webhooks={"thing.created": hook})["webhooks"]
    assert fact.value == WebhookFact(topics=("thing.created",), scheme=scheme)


FLAGS = {"type": "object", "properties": {"is_success": {"type": "boolean"}, "code": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"status": FLAGS}, Success(path="status.is_success", equals=True)),
        ({"errcode": {"type": "integer"}, "errmsg": {"type": "string"}}, Success(path="errcode", equals=0)),
        ({"status": {"type": "string"}, "message": {"type": "string"}}, Success()),
    ],
)
def test_success_that_only_the_body_tells_is_a_question(tmp_path: Path, fields: dict[str, Any], value: Success):
    fact = listing(tmp_path, schema=page("things", **fields))["success"]
    assert fact.value == value
    assert fact.confidence < 0.9


def test_find_by_a_member_of_an_object_of_filters_is_found(tmp_path: Path):
    filters = {"type": "object", "properties": {"email": {"type": "string"}}}
    given = {"name": "filter", "in": "query", "style": "deepObject", "explode": True, "schema": filters}
    assert listing(tmp_path, given)["find"].value == {"email": "query.filter[email]"}


@pytest.mark.parametrize(
    ("beside", "results"), [({}, "imported"), ({"errors": {"type": "array", "items": THING}}, None)]
)
def test_only_list_of_a_batch_reply_tells_of_its_items_unless_failures_stand_apart(
    tmp_path: Path, beside: dict[str, Any], results: str | None
):
    """A list without those that failed has other positions than what was sent."""
    body = {"content": {"application/json": {"schema": page("items")}}}
    schema = page("imported", **beside)
    fact = facts(tmp_path, {"requestBody": body, "responses": reply(schema)}, path="/things/batch", method="post")[
        "batch"
    ]
    assert isinstance(fact.value, BatchResults)
    assert fact.value.results == results

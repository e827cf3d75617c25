"""A list and a create operation become a stream with the operations around them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.small import THING, page, parameter, reading, reply
from vitesse.diagnostics import DiagnosticError
from vitesse.ingest.reading import Reading
from vitesse.ingest.streams import propose_stream
from vitesse.manifest import Stream

TIME = {"type": "string", "format": "date-time"}
BODY = {"content": {"application/json": {"schema": THING}}}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
ONE = {"parameters": [ID], "responses": reply(THING)}
WRITE = {"requestBody": BODY, "responses": reply(THING)}
RECORD = {"type": "object", "properties": {"id": {"type": "string"}, "email": {"type": "string"}, "updated_at": TIME}}


def source(folder: Path, *parameters: dict[str, Any]) -> Reading:
    (folder / "source").mkdir()
    listing = {"parameters": list(parameters), "responses": reply({"type": "array", "items": RECORD})}
    return reading(folder / "source", {"/people.json": {"get": listing}, "/people/{id}.json": {"get": ONE}})


def destination(folder: Path, **paths: Any) -> Reading:
    (folder / "destination").mkdir()
    return reading(folder / "destination", {f"/{name.replace('__', '/')}": item for name, item in paths.items()})


def test_everything_around_both_operations_is_proposed(tmp_path: Path):
    batch = {"type": "object", "properties": {"things": {"type": "array", "maxItems": 50, "items": THING}}}
    to = destination(
        tmp_path,
        things={"get": {"parameters": [parameter("email")], "responses": reply(page())}, "post": WRITE},
        **{
            "things__{thing}": {
                "get": {**ONE, "parameters": [{**ID, "name": "thing"}]},
                "patch": {**WRITE, "parameters": [{**ID, "name": "thing"}]},
                "delete": {"parameters": [{**ID, "name": "thing"}], "responses": {"204": {"description": "gone"}}},
            }
        },
        things__batch={
            "post": {"requestBody": {"content": {"application/json": {"schema": batch}}}, "responses": reply({})}
        },
    )
    since = parameter("updated_since", format="date-time")
    proposal = propose_stream(source(tmp_path, since), "GET /people.json", to, "POST /things")
    assert proposal.name == "people"
    assert proposal.form == {
        "mode": "upsert",
        "source": {
            "list": "GET /people.json",
            "get": "GET /people/{id}.json",
            "identity": "id",
            "version": "updated_at",
            "since": "updated_since",
        },
        "destination": {
            "create": "POST /things",
            "update": "PATCH /things/{thing}",
            "update_is": "merge",
            "get": "GET /things/{thing}",
            "list": "GET /things",
            "delete": "DELETE /things/{thing}",
            "find": {"operation": "GET /things", "by": {"email": "query.email"}},
            "batch": "POST /things/batch",
            "identity": "id",
        },
        "match": [{"source": "email", "destination": "email", "compare": ["trim", "lower"]}],
    }
    assert set(proposal.reasons) >= {"source.get", "destination.update", "destination.find", "match"}
    assert set(proposal.destination_facts) == {
        "POST /things", "PATCH /things/{thing}", "GET /things/{thing}", "GET /things", "DELETE /things/{thing}", "POST /things/batch",
    }  # fmt: skip


def test_proposal_has_the_form_of_the_manifest(tmp_path: Path):
    to = destination(tmp_path, things={"post": WRITE}, **{"things__{id}": {"put": {**WRITE, "parameters": [ID]}}})
    form = propose_stream(source(tmp_path), "GET /people.json", to, "POST /things").form
    assert Stream.model_validate_json(json.dumps(form)).destination.update == "PUT /things/{id}"


def test_create_without_an_update_appends(tmp_path: Path):
    proposal = propose_stream(
        source(tmp_path), "GET /people.json", destination(tmp_path, things={"post": WRITE}), "POST /things"
    )
    assert proposal.form["mode"] == "append"
    assert "mode" in proposal.reasons
    assert "match" not in proposal.form


def test_find_by_what_is_no_match_is_left_out(tmp_path: Path):
    to = destination(
        tmp_path,
        things={"get": {"parameters": [parameter("name")], "responses": reply(page())}, "post": WRITE},
        **{"things__{id}": {"put": {**WRITE, "parameters": [ID]}}},
    )
    form = propose_stream(source(tmp_path), "GET /people.json", to, "POST /things").form
    assert "find" not in form["destination"]  # type: ignore[operator]


def test_batch_of_other_things_is_left_out(tmp_path: Path):
    other = {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": {"type": "object", "properties": {"sql": {}}}}},
    }
    to = destination(
        tmp_path,
        things={"post": WRITE},
        things__batch={
            "post": {"requestBody": {"content": {"application/json": {"schema": other}}}, "responses": reply({})}
        },
    )
    assert "batch" not in propose_stream(source(tmp_path), "GET /people.json", to, "POST /things").form["destination"]  # type: ignore[operator]


def test_parameters_that_no_record_gives_are_named(tmp_path: Path):
    realm = {"name": "realm", "in": "path", "required": True, "schema": {"type": "string"}}
    to = destination(tmp_path, **{"{realm}__things": {"post": {**WRITE, "parameters": [realm]}}})
    assert propose_stream(source(tmp_path), "GET /people.json", to, "POST /{realm}/things").fixed == (
        ("destination", "realm"),
    )


def test_integer_filter_is_unix_time(tmp_path: Path):
    since = parameter("updated_after", "integer")
    form = propose_stream(
        source(tmp_path, since), "GET /people.json", destination(tmp_path, things={"post": WRITE}), "POST /things"
    ).form
    assert form["source"]["since"] == {"parameter": "updated_after", "format": "unix_s"}  # type: ignore[index, call-overload]


def test_operation_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DiagnosticError) as caught:
        propose_stream(
            source(tmp_path), "GET /persons.json", destination(tmp_path, things={"post": WRITE}), "POST /things"
        )
    (found,) = caught.value.diagnostics
    assert (found.code, "`GET /people.json`" in (found.help or "")) == ("V219", True)

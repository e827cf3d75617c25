"""A stream's ends: where a record stands in a list's reply, and what a create operation takes."""

from __future__ import annotations

from typing import Any

import pytest

from vitesse.api.facts import ApiFacts, Fact
from vitesse.api.model import Api, Body, Operation, Place, Response
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import Manifest
from vitesse.rules.ends import stream_ends
from vitesse.rules.model import End

from .apis import type_of

PLACE = Place(file="specs/x.yaml", pointer="#")


def api(title: str, id: str, *, reply: Any = None, body: Any = None) -> Api:
    responses = (Response(status="200", type=type_of(reply), place=PLACE),) if reply is not None else ()
    request = Body(media_type="application/json", type=type_of(body), place=PLACE) if body is not None else None
    method, _, path = id.partition(" ")
    operation = Operation(id=id, method=method, path=path, responses=responses, body=request, place=PLACE)
    return Api(title=title, version="1", spec_file="specs/x.yaml", spec_version="3.0", operations=(operation,))


def ends(reply: Any, body: Any, records: str | None = "data", listed: str = "GET /customers") -> tuple[End, End]:
    manifest = Manifest.model_validate(
        {
            "vitesse": 1,
            "name": "a",
            "source": {"api": "shop"},
            "destination": {"api": "crm", "title": "The CRM"},
            "streams": {"s": {"mode": "append", "source": {"list": "GET /customers"}, "destination": {"create": "POST /contacts"}}},
        }
    )  # fmt: skip
    facts = (
        {} if records is None else {"GET /customers": {"records": Fact(kind="records", value=records, confidence=1.0)}}
    )
    return stream_ends(
        manifest,
        "s",
        api("Shop", listed, reply=reply),
        api("Crm", "POST /contacts", body=body),
        ApiFacts(api="shop", operations=facts),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("reply", "records"),
    [({"data": [{"id": "string"}]}, "data"), ([{"id": "string"}], ""), ({"a": {"b": [{"id": "string"}]}}, "a.b")],
)
def test_stream_ends_finds_the_record_where_the_fact_says(reply: Any, records: str) -> None:
    """Bare arrays and nested lists alike."""
    at_source, at_destination = ends(reply, {"mail": "string"}, records)
    assert [field.name for field in at_source.type.fields] == ["id"]  # type: ignore[union-attr]
    assert (at_source.title, at_destination.title, at_destination.api) == ("Shop", "The CRM", "crm")


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ({"reply": {"data": [{"id": "string"}]}, "body": {"a": "string"}, "listed": "GET /customer"}, ["V405"]),
        ({"reply": {"data": [{"id": "string"}]}, "body": {"a": "string"}, "records": None}, ["V406"]),
        ({"reply": {"data": [{"id": "string"}]}, "body": {"a": "string"}, "records": "items"}, ["V406"]),
        ({"reply": {"data": ["string"]}, "body": {"a": "string"}}, ["V406"]),
        ({"reply": {"data": {"id": "string"}}, "body": {"a": "string"}}, ["V406"]),
        ({"reply": None, "body": {"a": "string"}}, ["V406"]),
        ({"reply": {"data": [{"id": "string"}]}, "body": None}, ["V407"]),
        ({"reply": {"data": ["string"]}, "body": ["string"]}, ["V406", "V407"]),
    ],
)
def test_stream_ends_of_a_fault_says_what_to_do(arguments: dict[str, Any], codes: list[str]) -> None:
    """Both ends are looked at before anything is said."""
    with pytest.raises(DiagnosticError) as caught:
        ends(**arguments)
    assert sorted(found.code for found in caught.value.diagnostics) == codes
    assert all(found.help for found in caught.value.diagnostics)

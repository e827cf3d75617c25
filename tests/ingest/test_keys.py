"""Identity, version, since and order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.small import listing, parameter, reading, reply
from vitesse.ingest.infer import infer_facts

TIME = {"type": "string", "format": "date-time"}


def things(**fields: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": fields}}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (("id", "name"), "id"),
        (("thingId", "name"), "thingId"),
        (("uuid", "key"), "uuid"),
        (("Id", "Name"), "Id"),
        (("name", "description"), None),
    ],
)
def test_identity_is_found(tmp_path: Path, fields: tuple[str, ...], path: str | None):
    fact = listing(tmp_path, schema=things(**{name: {"type": "string"} for name in fields})).get("identity")
    assert (fact.value if fact else None) == path


def test_identity_is_what_the_operation_for_one_record_takes(tmp_path: Path):
    schema = things(reference={"type": "string"}, asin={"type": "string"})
    one = {
        "get": {
            "parameters": [{"name": "asin", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": reply({}),
        }
    }
    read = reading(tmp_path, {"/items": {"get": {"responses": reply(schema)}}, "/items/{asin}": one})
    fact = infer_facts(read, read.api.operations[0])["identity"]
    assert (fact.value, fact.confidence >= 0.8) == ("asin", True)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"updated_at": TIME, "created_at": TIME}, "updated_at"),
        ({"lastModifiedDateTime": TIME}, "lastModifiedDateTime"),
        ({"MetaData": {"type": "object", "properties": {"LastUpdatedTime": TIME}}}, "MetaData.LastUpdatedTime"),
        ({"attributes": {"type": "object", "properties": {"updated": TIME}}}, "attributes.updated"),
        ({"created_at": TIME, "updated": {"type": "boolean"}}, None),
    ],
)
def test_version_is_found(tmp_path: Path, fields: dict[str, Any], path: str | None):
    fact = listing(tmp_path, schema=things(id={"type": "string"}, **fields)).get("version")
    assert (fact.value if fact else None) == path


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (parameter("updated_at_min", format="date-time"), "updated_at_min"),
        (parameter("modifiedSince"), "modifiedSince"),
        (parameter("LastUpdatedAfter"), "LastUpdatedAfter"),
        (parameter("date_modified:min"), "date_modified:min"),
        (parameter("since", description="Only things changed after this time."), "since"),
        (parameter("since", description="Only things created after this time."), None),
        (parameter("updated_before", format="date-time"), None),
        (parameter("created_after", format="date-time"), None),
    ],
)
def test_filter_on_changes_is_found(tmp_path: Path, given: dict[str, Any], name: str | None):
    fact = listing(tmp_path, given).get("since")
    assert (fact.value if fact else None) == name


def test_filter_inside_a_deep_object_is_spelt_out(tmp_path: Path):
    schema = {"type": "object", "properties": {"updated_since": TIME, "name": {"type": "string"}}}
    given = {"name": "filter", "in": "query", "style": "deepObject", "schema": schema}
    assert listing(tmp_path, given)["since"].value == "filter[updated_since]"


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"description": "Things are returned sorted by creation date, with the most recent first."}, "-created_at"),
        ({"description": "Returns things in ascending order of `updated_at`."}, "updated_at"),
        ({"description": "The most recently updated things come first."}, "-updated_at"),
        ({"description": "The most recently updated things are listed first."}, "-updated_at"),
        ({"description": "Returns things in the order in which they were entered."}, "created_at"),
        ({"description": "Returns things."}, None),
    ],
)
def test_order_in_prose_is_found(tmp_path: Path, more: dict[str, Any], value: str | None):
    fact = listing(tmp_path, schema=things(id={"type": "string"}, created_at=TIME, updated_at=TIME), **more).get(
        "sorted_by"
    )
    assert (fact.value if fact else None) == value


def test_default_order_of_a_parameter_is_found(tmp_path: Path):
    schema = things(id={"type": "string"}, created_at=TIME)
    assert (
        listing(tmp_path, parameter("sort", default="-created_at"), schema=schema)["sorted_by"].value == "-created_at"
    )
    asked = (parameter("order_by", default="created_at"), parameter("direction", default="desc"))
    assert listing(tmp_path, *asked, schema=schema)["sorted_by"].value == "-created_at"


STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("path", "container", "fields", "identity"),
    [
        ("/things/{thing}/users", "userAgreements", {"accountId": STRING, "agreementId": STRING}, "agreementId"),
        ("/places", "results", {"place_id": STRING, "name": STRING}, "place_id"),
        ("/places", "results", {"ref": {**STRING, "description": "Uniquely identifies a place."}, "name": STRING}, "ref"),
        ("/affiliates/commissions", "commissions", {"affiliate_id": STRING, "invoice_id": STRING}, None),
        ("/companies/{companyId}/rows", "rows", {"companyId": {**STRING, "description": "Unique identifier."}}, None),
        ("/places", "results", {"owner_id": STRING, "city_id": STRING}, None),
    ],
    ids=["by its list", "the only id", "by its words", "of what is above", "of the path", "two ids"],
)  # fmt: skip
def test_identity_under_another_name_than_the_path_says(
    tmp_path: Path, path: str, container: str, fields: Any, identity: str | None
):
    """What a record belongs to names it less than nothing does."""
    schema = {"type": "object", "properties": {container: things(**fields), "total": {"type": "integer"}}}
    given = [
        {"name": name, "in": "path", "required": True, "schema": STRING}
        for name in ("thing", "companyId")
        if f"{{{name}}}" in path
    ]
    read = reading(tmp_path, {path: {"get": {"parameters": given, "responses": reply(schema)}}})
    fact = infer_facts(read, read.api.operations[0]).get("identity")
    assert (fact.value if fact else None) == identity
    assert fact is None or fact.confidence < 0.9

"""Paths into types: through references, lists, maps and unions, bounded where types recur."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitesse.api.fields import find_field, iter_fields
from vitesse.api.model import Anything, Api, Array, Field, Object, Ref, Scalar
from vitesse.openapi import build_api, read_document

SPEC = """
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /people: {get: {responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Person"}}}}}}}
components:
  schemas:
    Person:
      type: object
      required: [id, home, addresses, either]
      properties:
        id: {type: integer}
        home: {$ref: "#/components/schemas/Address"}
        work: {anyOf: [{$ref: "#/components/schemas/Address"}, {type: "null"}]}
        addresses: {type: array, items: {$ref: "#/components/schemas/Address"}}
        manager: {$ref: "#/components/schemas/Person"}
        labels: {type: object, additionalProperties: {type: string}}
        either: {oneOf: [{$ref: "#/components/schemas/Card"}, {$ref: "#/components/schemas/Bank"}]}
        anything: {}
        settings: {type: object, properties: {"app.name": {type: string}}}
    Address: {type: object, required: [zip], properties: {zip: {type: string}, city: {type: string}}}
    Card: {type: object, required: [holder, number], properties: {holder: {type: string}, number: {type: string}}}
    Bank: {type: object, required: [holder, number], properties: {holder: {type: string}, number: {type: integer}, iban: {type: string}}}
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    folder: Path = tmp_path_factory.mktemp("fields")
    (folder / "openapi.yaml").write_text(SPEC)
    return build_api(read_document(folder / "openapi.yaml")).api


PERSON = "Person"


@pytest.mark.parametrize(
    ("path", "kind", "required", "nullable", "ambiguous"),
    [
        ("", Object, True, False, False),
        ("id", Scalar, True, False, False),
        ("home.zip", Scalar, True, False, False),
        ("home.city", Scalar, False, False, False),
        ("work.zip", Scalar, False, True, False),
        ("addresses", Array, True, False, False),
        ("addresses[].zip", Scalar, True, False, False),
        ("manager.manager.home.zip", Scalar, False, False, False),
        ("labels.colour", Scalar, False, False, False),
        ("either.holder", Scalar, True, False, False),
        ("either.number", Scalar, True, False, True),
        ("either.iban", Scalar, False, False, True),
        ("anything.at[].all", Anything, False, False, False),
        ('settings."app.name"', Scalar, False, False, False),
    ],
)
def test_path_leads_to_what_stands_there(
    api: Api, path: str, kind: type, required: bool, nullable: bool, ambiguous: bool
):
    found = find_field(api, api.types[PERSON], path)
    assert found is not None
    assert isinstance(found.type, kind)
    assert found.text == path
    assert (found.required, found.nullable, found.ambiguous) == (required, nullable, ambiguous)


@pytest.mark.parametrize("path", ["name", "id.x", "id[]", "addresses.zip", "home[]", "either.x", "labels.a.b"])
def test_path_to_nothing_finds_nothing(api: Api, path: str):
    assert find_field(api, api.types[PERSON], path) is None


def test_fields_are_given_in_order_and_recursion_ends(api: Api):
    assert [found.text for found in iter_fields(api, api.types[PERSON])] == [
        "id",
        "home",
        "home.zip",
        "home.city",
        "work",
        "work.zip",
        "work.city",
        "addresses",
        "addresses[].zip",
        "addresses[].city",
        "manager",
        "manager.id",
        "manager.home",
        "manager.home.zip",
        "manager.home.city",
        "manager.work",
        "manager.work.zip",
        "manager.work.city",
        "manager.addresses",
        "manager.addresses[].zip",
        "manager.addresses[].city",
        "manager.manager",
        "manager.labels",
        "manager.either",
        "manager.either.holder",
        "manager.either.number",
        "manager.either.iban",
        "manager.anything",
        "manager.settings",
        'manager.settings."app.name"',
        "labels",
        "either",
        "either.holder",
        "either.number",
        "either.iban",
        "anything",
        "settings",
        'settings."app.name"',
    ]


def test_reference_counts_as_its_own_branch_from_the_start(api: Api):
    """Given the reference itself, the manager is the second of its kind on the branch."""
    person = Ref(name=PERSON, place=api.types[PERSON].place)
    assert "manager.id" not in [found.text for found in iter_fields(api, person)]


def test_list_of_itself_ends(api: Api):
    place = api.types[PERSON].place
    types = {"Tree": Array(items=Ref(name="Tree", place=place), place=place)}
    tree = Api(title="t", version="1", spec_file="f", spec_version="3.1", types=types)
    holder = Object(fields=(Field(name="tree", type=Ref(name="Tree", place=place), place=place),), place=place)
    assert [found.text for found in iter_fields(tree, holder)] == ["tree"]


def test_depth_and_number_are_bounded(api: Api):
    assert all("." not in found.text for found in iter_fields(api, api.types[PERSON], depth=1))
    assert len(list(iter_fields(api, api.types[PERSON], most=3))) == 3

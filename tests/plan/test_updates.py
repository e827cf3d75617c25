"""What an update takes of a stream's body and of a record as it is read."""

from __future__ import annotations

import pytest

from tests.rules.apis import type_of
from vitesse.api.model import Api, Body, Object, Operation, Place
from vitesse.api.paths import parse_path
from vitesse.plan.updates import fit_update, unlike


def unlike_of(read: object, taken: object) -> list[tuple[object, ...]]:
    first, second = type_of(read), type_of(taken)
    assert isinstance(first, Object)
    assert isinstance(second, Object)
    return list(unlike(first, second, {}))


@pytest.mark.parametrize(
    ("read", "taken", "found"),
    [
        ({"a": "string"}, {"a": "string"}, []),
        ({"a": {"url": "string"}}, {"a": "string"}, [("a",)]),
        ({"a": "string"}, {"a": ["string"]}, [("a",)]),
        ({"a": "string"}, {"a": "integer"}, [("a",)]),
        ({"a": "integer"}, {"a": "number"}, []),
        ({"a": [{"id": "string"}]}, {"a": ["string"]}, [("a",)]),
        ({"a": "any"}, {"a": "string"}, []),
        ({"a": {"*": "string"}}, {"a": {"b": "string"}}, []),
        (
            {"a": {"b": {"c": "string"}, "d": "string"}},
            {"a": {"b": {"c": ["string"]}, "d": "string"}},
            [("a", "b", "c")],
        ),
        ({"only_read": "string"}, {"only_written": "string"}, []),
    ],
)
def test_a_field_that_comes_back_as_something_else_than_is_asked_for_is_named(read, taken, found):
    """Sending back what was read would be refused: `avatar` is an object in replies and an address in bodies."""
    assert unlike_of(read, taken) == found


def fitted(body: object, filled: list[str], *, replaces: bool) -> list[str]:
    place = Place(file="specs/api.yaml", pointer="#")
    type = type_of(body)
    api = Api(title="API", version="1", spec_file="api.yaml", spec_version="3.0")
    update = Operation(
        id="PUT /things/{id}",
        method="PUT",
        path="/things/{id}",
        body=Body(type=type, media_type="application/json", required=True, place=place),
        place=place,
    )
    done = fit_update(
        api,
        update,
        [parse_path(path) for path in filled],
        waived=[],
        identity=("id",),
        argument="id",
        replaces=replaces,
    )
    return [field.name for field in done.unfilled]


THING = {"name": "string", "owner!": "string", "images": [{"id!": "integer", "src": "string"}]}


def test_a_replacing_update_takes_what_it_requires_from_the_record_but_not_inside_lists():
    """A list is written as the rules fill it: what the items need is not carried over."""
    assert fitted(THING, ["name"], replaces=True) == []
    assert fitted(THING, ["name", "images[].src"], replaces=True) == ["id"]
    assert fitted(THING, ["name", "images[].src", "images[].id"], replaces=True) == []


def test_a_merging_update_needs_all_that_it_requires():
    assert fitted(THING, ["name", "images[].src"], replaces=False) == ["owner", "id"]

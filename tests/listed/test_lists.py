"""Saved replies of vendors' operations that list fields, in the forms that vendors write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vitesse.api.bags import ListedField
from vitesse.diagnostics import DiagnosticError
from vitesse.listed import load_listed
from vitesse.manifest import ListedFields

HUBSPOT_LIKE = {
    "results": [
        {"name": "stars", "label": "Stars", "type": "number", "description": "One to five", "options": []},
        {"name": "since", "label": "Since", "type": "datetime", "modificationMetadata": {"readOnlyValue": True}},
        {
            "name": "tier",
            "label": "Tier",
            "type": "enumeration",
            "fieldType": "radio",
            "options": [{"label": "A", "value": "a"}],
        },
        {
            "name": "likes",
            "label": "Likes",
            "type": "enumeration",
            "fieldType": "checkbox",
            "options": [{"value": "x"}],
        },
        {"name": "gone", "label": "Gone", "type": "string", "archived": True},
    ]
}
SALESFORCE_LIKE = {
    "name": "Account",
    "recordTypeInfos": [{"name": "Master", "master": True}],
    "fields": [
        {
            "name": "Id",
            "label": "Account ID",
            "type": "id",
            "length": 18,
            "nillable": False,
            "createable": False,
            "updateable": False,
        },
        {
            "name": "Rating__c",
            "label": "Rating",
            "type": "picklist",
            "length": 255,
            "nillable": True,
            "createable": True,
            "updateable": True,
            "picklistValues": [{"label": "Hot", "value": "hot"}],
        },
        {
            "name": "Worth__c",
            "label": "Worth",
            "type": "currency",
            "length": 0,
            "nillable": True,
            "createable": True,
            "updateable": True,
        },
    ],
}
ZENDESK_LIKE = {
    "user_fields": [
        {"id": 7, "key": "points", "type": "integer", "title": "Points", "description": "Of loyalty"},
        {"id": 8, "key": "vip", "type": "checkbox", "title": "VIP"},
        {
            "id": 9,
            "key": "size",
            "type": "dropdown",
            "title": "Size",
            "custom_field_options": [{"id": 1, "name": "Small", "value": "s"}],
        },
    ],
    "count": 3,
}
INTERCOM_LIKE = {
    "type": "list",
    "data": [
        {
            "name": "paid",
            "full_name": "custom_attributes.paid",
            "label": "Paid",
            "data_type": "boolean",
            "api_writable": True,
        },
        {
            "name": "plan",
            "full_name": "custom_attributes.plan",
            "label": "Plan",
            "data_type": "string",
            "options": ["free", "pro"],
            "api_writable": False,
        },
    ],
}
PIPEDRIVE_LIKE = {"success": True, "data": [{"id": 12, "key": "9dc8", "name": "Shoe size", "field_type": "double"}]}
JIRA_LIKE = [{"id": "customfield_1", "key": "customfield_1", "name": "Points", "schema": {"type": "number"}}]


def read(tmp_path: Path, reply: Any, **given: Any) -> list[ListedField]:
    (tmp_path / "fields").mkdir()
    (tmp_path / "fields" / "reply.json").write_text(json.dumps(reply))
    bag = ListedFields(reply="reply.json", **given)
    return list(load_listed(tmp_path, bag, ("streams", "s", "source", "fields", "properties")))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            HUBSPOT_LIKE,
            [
                ("stars", "decimal", (), False),
                ("since", "datetime", (), True),
                ("tier", "choice", ("a",), False),
                ("likes", "text", ("x",), False),
            ],
        ),
        (
            SALESFORCE_LIKE,
            [("Id", "text", (), True), ("Rating__c", "choice", ("hot",), False), ("Worth__c", "decimal", (), False)],
        ),
        (
            ZENDESK_LIKE,
            [("points", "integer", (), False), ("vip", "boolean", (), False), ("size", "choice", ("s",), False)],
        ),
        (INTERCOM_LIKE, [("paid", "boolean", (), False), ("plan", "choice", ("free", "pro"), True)]),
        (PIPEDRIVE_LIKE, [("9dc8", "decimal", (), False)]),
        (JIRA_LIKE, [("customfield_1", "decimal", (), False)]),
    ],
    ids=["hubspot", "salesforce", "zendesk", "intercom", "pipedrive", "jira"],
)
def test_fields_of_a_saved_reply_are_read_by_the_names_that_vendors_use(tmp_path, reply, expected):
    assert [(one.name, one.kind, one.choices, one.read_only) for one in read(tmp_path, reply)] == expected


def test_field_of_a_saved_reply_knows_its_place_its_words_and_its_bounds(tmp_path):
    """A diagnostic about it leads into the saved reply."""
    first, rating, _ = read(tmp_path, SALESFORCE_LIKE)
    assert (first.place.file, first.place.pointer) == ("fields/reply.json", "#/fields/0")
    assert (first.nullable, first.max_length) == (False, 18)
    assert (rating.description, rating.nullable) == ("Rating", True)


def test_names_that_the_manifest_gives_win_over_the_usual_ones(tmp_path):
    reply = {"list": [{"slug": "a", "name": "Alpha", "kind_of": "integer"}], "other": [{"name": "x"}, {"name": "y"}]}
    (only,) = read(tmp_path, reply, records="list", name="slug", type="kind_of")
    assert (only.name, only.kind, only.description) == ("a", "integer", "Alpha")


def test_field_that_the_manifest_defines_wins_over_the_reply(tmp_path):
    found = read(tmp_path, HUBSPOT_LIKE, define={"stars": {"type": "integer"}, "own": {"type": "date"}})
    assert [(one.name, one.kind) for one in found][:3] == [("stars", "integer"), ("own", "date"), ("since", "datetime")]


@pytest.mark.parametrize(
    "reply", [{}, [], {"results": []}, {"results": [{"label": "no name"}]}, {"results": "text"}, 3]
)
def test_reply_that_lists_no_fields_says_what_to_add(tmp_path, reply):
    """V309: a file that was saved by mistake is not an empty list of fields."""
    with pytest.raises(DiagnosticError) as caught:
        read(tmp_path, reply)
    assert [one.code for one in caught.value.diagnostics] == ["V309"]


def test_reply_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DiagnosticError) as caught:
        list(load_listed(tmp_path, ListedFields(reply="nope.json"), ()))
    assert [one.code for one in caught.value.diagnostics] == ["V001"]

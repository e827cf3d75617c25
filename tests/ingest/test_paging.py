"""How the next page is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.small import THING, facts, listing, page, parameter, reading, reply
from vitesse.api.facts import Paging
from vitesse.ingest.infer import infer_facts

TEXT = {"type": "string"}
URL = {"type": "string", "format": "uri"}
LIMIT = parameter("limit", "integer", maximum=250)


def holds(**fields: Any) -> dict[str, Any]:
    """An object with these fields."""
    return {"type": "object", "properties": fields}


def paging(folder: Path, *parameters: dict[str, Any], **more: Any) -> Paging:
    value = listing(folder, *parameters, **more)["paging"].value
    assert isinstance(value, Paging)
    return value


def test_link_header_is_found(tmp_path: Path):
    found = paging(tmp_path, LIMIT, parameter("page_info"), headers={"Link": {"schema": TEXT}})
    assert found == Paging(style="link", limit="limit", max=250)


def test_link_header_in_prose_is_found(tmp_path: Path):
    found = paging(tmp_path, LIMIT, description='Follow the `Link` header with rel="next".')
    assert found.style == "link"


@pytest.mark.parametrize(
    ("parameter_name", "beside", "path"),
    [
        ("cursor", {"next_cursor": TEXT}, "next_cursor"),
        ("cursor", {"meta": holds(cursors=holds(next=TEXT, prev=TEXT))}, "meta.cursors.next"),
        ("after", {"paging": holds(next=holds(after=TEXT, link=TEXT))}, "paging.next.after"),
        ("pageToken", {"nextPageToken": TEXT}, "nextPageToken"),
        ("NextToken", {"NextToken": TEXT}, "NextToken"),
        ("offset", {"next_page": holds(offset=TEXT, uri=URL)}, "next_page.offset"),
        ("marker", {"next_marker": TEXT, "prev_marker": TEXT}, "next_marker"),
    ],
)
def test_cursor_and_its_next_value_are_found(tmp_path: Path, parameter_name: str, beside: dict[str, Any], path: str):
    found = paging(tmp_path, parameter(parameter_name), schema=page("data", **beside))
    assert (found.style, found.cursor, found.next) == ("cursor", parameter_name, path)


def test_cursor_that_is_the_last_record_is_found(tmp_path: Path):
    after = parameter("starting_after", description="An object ID that defines your place in the list.")
    found = paging(tmp_path, LIMIT, after, schema=page("data", has_more={"type": "boolean"}))
    assert found == Paging(
        style="cursor", limit="limit", max=250, cursor="starting_after", next="data[-1].id", has_more="has_more"
    )


@pytest.mark.parametrize(
    ("beside", "path"),
    [
        ({"next": URL}, "next"),
        ({"next_url": {"type": "string", "description": "URL of the next page"}}, "next_url"),
        ({"links": holds(next=TEXT, self=TEXT)}, "links.next"),
        ({"_links": holds(next=holds(href=TEXT))}, "_links.next.href"),
        ({"@odata.nextLink": TEXT}, '"@odata.nextLink"'),
    ],
)
def test_url_of_the_next_page_is_found(tmp_path: Path, beside: dict[str, Any], path: str):
    found = paging(tmp_path, schema=page("value", **beside))
    assert (found.style, found.next) == ("next_url", path)


@pytest.mark.parametrize(
    ("page_parameter", "first"),
    [
        (parameter("page", "integer"), 1),
        (parameter("page", "integer", default=0), 0),
        (parameter("page", "integer", description="Zero-based number of the page."), 0),
        (parameter("page[number]", "integer", minimum=1), 1),
        (parameter("pageNumber", "integer", minimum=0), 0),
    ],
)
def test_page_number_and_its_first_value_are_found(tmp_path: Path, page_parameter: dict[str, Any], first: int):
    found = paging(tmp_path, page_parameter, parameter("per_page", "integer", description="1 to 200 (default 50)"))
    assert found == Paging(style="page", page=page_parameter["name"], first_page=first, limit="per_page", max=200)


def test_number_is_preferred_to_the_url_made_of_it(tmp_path: Path):
    links = {"type": "object", "properties": {"next": TEXT}}
    assert paging(tmp_path, parameter("page", "integer"), schema=page("data", links=links)).style == "page"


def test_page_that_needs_a_token_is_reached_by_its_url(tmp_path: Path):
    meta = {"type": "object", "properties": {"next_page_url": {"type": "string", "format": "uri"}}}
    found = paging(tmp_path, parameter("Page", "integer"), parameter("PageToken"), schema=page("data", meta=meta))
    assert (found.style, found.next) == ("next_url", "meta.next_page_url")


def test_offset_is_found_and_dates_are_not_taken_for_one(tmp_path: Path):
    found = paging(tmp_path, LIMIT, parameter("skip", "integer"), schema=page("data", total={"type": "integer"}))
    assert found == Paging(style="offset", limit="limit", max=250, offset="skip", total="total")
    assert paging(tmp_path, parameter("from", format="date-time")).style == "none"


def test_switch_before_a_marker_makes_offset_the_plain_way(tmp_path: Path):
    parameters = (parameter("usemarker", "boolean"), parameter("marker"), parameter("offset", "integer"))
    assert paging(tmp_path, *parameters, schema=page("entries", next_marker=TEXT)).style == "offset"


def test_since_id_is_found(tmp_path: Path):
    assert paging(tmp_path, LIMIT, parameter("since_id", "integer")).style == "since_id"


def test_token_without_a_described_next_value_is_taken_from_the_other_lists(tmp_path: Path):
    token = parameter("offset", description="The offset token of the page before.")
    described = page("data", next_page={"type": "object", "properties": {"offset": TEXT}})
    read = reading(
        tmp_path,
        {
            "/others": {"get": {"parameters": [token], "responses": reply(page())}},
            "/things": {"get": {"parameters": [token], "responses": reply(described)}},
        },
    )
    fact = infer_facts(read, read.api.operations[0])["paging"]
    assert isinstance(fact.value, Paging)
    assert (fact.value.next, fact.confidence < 0.8) == ("next_page.offset", True)


def test_list_without_a_trace_of_paging_is_a_question(tmp_path: Path):
    fact = listing(tmp_path)["paging"]
    assert (fact.value, fact.confidence < 0.8) == (Paging(style="none"), True)


def test_what_lists_nothing_has_no_paging(tmp_path: Path):
    assert "paging" not in facts(tmp_path, {"parameters": [LIMIT], "responses": reply(THING)}, "/things/{id}")


def test_paging_in_a_body_is_a_question(tmp_path: Path):
    fields = {"page": {"type": "integer"}, "limit": {"type": "integer"}}
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}}
    fact = facts(tmp_path, {"requestBody": body, "responses": reply(page())}, "/things/search", "post")["paging"]
    assert (getattr(fact.value, "page", None), fact.confidence < 0.8) == ("page", True)

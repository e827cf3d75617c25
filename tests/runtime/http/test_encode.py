"""What stands on the wire, byte for byte."""

from __future__ import annotations

import email
import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from runtime.declare import Operation, Parameter
from runtime.errors import RequestRefused
from runtime.http.encode import (
    asking_body,
    cookie_pair,
    encode_body,
    encode_form,
    encode_json,
    encode_multipart,
    fitted,
    header_name,
    header_text,
    path_text,
    query_pairs,
    scalar,
)
from runtime.records import MISSING, Record

Style = Literal["form", "spaceDelimited", "pipeDelimited", "deepObject"]
LIST = ["blue", "black & white", 3]
OBJECT = {"R": 100, "näme": "a,b"}


@pytest.mark.parametrize(
    ("style", "explode", "value", "expected"),
    [
        ("form", True, "blue sky", "color=blue%20sky"),
        ("form", True, None, "color="),
        ("form", True, True, "color=true"),
        ("form", True, LIST, "color=blue&color=black%20%26%20white&color=3"),
        ("form", False, LIST, "color=blue,black%20%26%20white,3"),
        ("form", True, OBJECT, "R=100&n%C3%A4me=a%2Cb"),
        ("form", False, OBJECT, "color=R,100,n%C3%A4me,a%2Cb"),
        ("spaceDelimited", False, LIST, "color=blue%20black%20%26%20white%203"),
        ("pipeDelimited", False, LIST, "color=blue%7Cblack%20%26%20white%7C3"),
        ("deepObject", True, OBJECT, "color%5BR%5D=100&color%5Bn%C3%A4me%5D=a%2Cb"),
        ("deepObject", True, {"a": {"b": [1, 2]}}, "color%5Ba%5D%5Bb%5D%5B0%5D=1&color%5Ba%5D%5Bb%5D%5B1%5D=2"),
        ("form", True, [], ""),
        ("form", True, ["a", MISSING], "color=a"),
    ],
)
def test_query_styles(style: Style, explode: bool, value: object, expected: str) -> None:
    """The table of OpenAPI's styles."""
    parameter = Parameter(argument="color", name="color", location="query", style=style, explode=explode)
    assert "&".join(query_pairs(parameter, value)) == expected


@pytest.mark.parametrize(
    ("value", "explode", "expected"),
    [
        ("a:b/c?d@e!f$g'(h)*,;=i", True, "q=a:b/c?d@e!f$g'(h)*,;=i"),
        ("a&b+c#d[e]%41 ü", True, "q=a%26b%2Bc%23d%5Be%5D%2541%20%C3%BC"),
        (["a:b", "c,d"], False, "q=a:b,c%2Cd"),
        (["a:b", "c,d"], True, "q=a:b&q=c,d"),
    ],
)
def test_query_value_keeps_reserved_characters_where_they_mean_nothing(
    value: object, explode: bool, expected: str
) -> None:
    """`allowReserved` changes the spelling, never what a server reads."""
    pairs = query_pairs(Parameter(argument="q", name="q", location="query", reserved=True, explode=explode), value)
    assert "&".join(pairs) == expected
    texts = value if isinstance(value, list) else [value]
    assert [text for _, text in parse_qsl("&".join(pairs))] == (texts if explode else ["a:b,c,d"])


@given(st.text(max_size=20).filter(lambda text: text.isprintable() or text.isascii()), st.text(max_size=20))
def test_query_name_and_value_come_back_as_they_were(name: str, value: str) -> None:
    """Whatever the vendor's name or the value holds, a server reads it back."""
    name = f"n{name}".encode(errors="ignore").decode()
    value = value.encode(errors="ignore").decode()
    pairs = query_pairs(Parameter(argument="x", name=name, location="query"), value)
    assert parse_qsl("&".join(pairs), keep_blank_values=True) == [(name, value)]


@pytest.mark.parametrize(
    ("value", "explode", "expected"),
    [
        ("a/b", False, "a%2Fb"),
        ("..%2f", False, "..%252f"),
        ("a..b", False, "a..b"),
        (["a", "b,c"], False, "a,b%2Cc"),
        ({"R": 1, "G": 2}, False, "R,1,G,2"),
        ({"R": 1, "G": 2}, True, "R=1,G=2"),
        (17, False, "17"),
    ],
)
def test_path_styles(value: object, explode: bool, expected: str) -> None:
    """`simple`, with everything encoded that could end the segment."""
    assert path_text("id", value, explode=explode) == expected


@pytest.mark.parametrize(
    ("style", "explode", "value", "expected"),
    [
        ("label", False, 5, ".5"),
        ("label", False, ["a", "b,c"], ".a,b%2Cc"),
        ("label", True, ["a", "b.c"], ".a.b.c"),
        ("label", True, {"R": 1, "G": 2}, ".R=1.G=2"),
        ("matrix", False, 5, ";id=5"),
        ("matrix", False, ["a", "b;c"], ";id=a,b%3Bc"),
        ("matrix", True, ["a", "b,c"], ";id=a;id=b%2Cc"),
        ("matrix", True, {"R": 1, "G": 2}, ";R=1;G=2"),
        ("matrix", False, {"R": 1, "G": 2}, ";id=R,1,G,2"),
    ],
)
def test_path_styles_of_rfc_6570(style: str, explode: bool, value: object, expected: str) -> None:
    """`label` and `matrix` as OpenAPI's table has them."""
    assert path_text("id", value, explode=explode, style=style) == expected


@pytest.mark.parametrize("value", ["", ".", "..", [], None])
@pytest.mark.parametrize("style", ["simple", "label", "matrix"])
def test_path_value_that_would_climb_or_vanish_is_refused(style: str, value: object) -> None:
    """`DELETE /contacts/{id}` must never become `DELETE /contacts/`."""
    with pytest.raises(RequestRefused):
        path_text("id", value, style=style)


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\x00b", "a\x7fb", ["a", "b\rc"]])
def test_header_value_with_a_control_character_is_refused(value: object) -> None:
    """One header of ours is one header."""
    with pytest.raises(RequestRefused):
        header_text("X-A", value)


def test_header_name_and_cookie_name_must_be_tokens() -> None:
    """Names come from specs."""
    assert header_name("X-Shopify-Access-Token") == "X-Shopify-Access-Token"
    assert cookie_pair("session", "a;b c") == "session=a%3Bb%20c"
    assert cookie_pair("ids", ["a", "b;c"], explode=True) == "ids=a; ids=b%3Bc"
    assert cookie_pair("ids", ["a", "b;c"]) == "ids=a,b%3Bc"
    assert cookie_pair("all", {"a": 1, "b": True}, explode=True) == "a=1; b=true"
    for bad in ("X A", "X:A", "", "X\nA", "Ä"):
        with pytest.raises(RequestRefused):
            header_name(bad)
        with pytest.raises(RequestRefused):
            cookie_pair(bad, "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.10"), "1.10"),
        (Decimal("1E+3"), "1000"),
        (1e21, "1e+21"),
        (False, "false"),
        (datetime(2024, 5, 1, 10, 0, tzinfo=UTC), "2024-05-01T10:00:00Z"),
        (datetime(2024, 5, 1, 10, 0, tzinfo=timezone(timedelta(hours=2))), "2024-05-01T10:00:00+02:00"),
        (date(2024, 5, 1), "2024-05-01"),
        (None, ""),
    ],
)
def test_scalar_has_one_text(value: object, text: str) -> None:
    """Outside JSON."""
    assert scalar(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_number_that_is_not_finite_is_refused(value: object) -> None:
    """`NaN` is no number a vendor could mean."""
    with pytest.raises(RequestRefused):
        scalar(value)


class Address(Record):
    city: str | None | MISSING = MISSING


class Contact(Record):
    email: str | None | MISSING = Field(default=MISSING, serialization_alias="E-Mail")
    value: Decimal | MISSING = MISSING
    address: Address | MISSING = MISSING
    tags: list[str] | MISSING = MISSING


def test_json_keeps_null_leaves_out_missing_and_keeps_every_digit() -> None:
    """Wire names, three kinds of nothing, decimals as numbers."""
    body = Contact(email=None, value=Decimal("12345678901234567890.10"), address=Address())
    assert encode_json(body) == b'{"E-Mail":null,"value":12345678901234567890.10,"address":{}}'
    nested = {"items": [body, {"x": MISSING, "y": Decimal("0.1")}], "b": 1, "a": 2}
    assert json.loads(encode_json(nested), parse_float=Decimal)["items"][1] == {"y": Decimal("0.1")}


def test_value_without_a_json_form_is_refused_by_its_kind() -> None:
    """No traceback of the encoder, no value in the message."""
    with pytest.raises(RequestRefused, match="object"):
        encode_json({"a": object()})
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RequestRefused):
        encode_json(deep)


def test_form_spells_nested_members_with_brackets() -> None:
    """As Stripe reads them: `metadata[k]=`, `items[0][price]=`; what is empty clears."""
    body = {
        "email": "a+b@example.com",
        "metadata": {"order id": "ü", "gone": None},
        "items": [{"price": Decimal("9.90"), "on": True}, {"price": 1}],
        "tags": [],
        "left_out": MISSING,
    }
    assert encode_form(body) == (
        b"email=a%2Bb%40example.com&metadata%5Border%20id%5D=%C3%BC&metadata%5Bgone%5D="
        b"&items%5B0%5D%5Bprice%5D=9.90&items%5B0%5D%5Bon%5D=true&items%5B1%5D%5Bprice%5D=1&tags="
    )
    assert dict(parse_qsl(encode_form(body).decode()))["items[0][price]"] == "9.90"
    with pytest.raises(RequestRefused):
        encode_form([1])


@pytest.mark.parametrize(
    ("style", "explode", "value", "expected"),
    [
        ("form", True, ["a", "b c"], b"x=a&x=b%20c"),
        ("form", False, ["a", "b,c"], b"x=a%2Cb%2Cc"),
        ("pipeDelimited", False, ["a", "b"], b"x=a%7Cb"),
        ("spaceDelimited", False, ["a", "b"], b"x=a%20b"),
        ("form", True, {"R": 1, "G": True}, b"R=1&G=true"),
        ("form", False, {"R": 1, "G": 2}, b"x=R%2C1%2CG%2C2"),
        ("deepObject", True, {"R": {"s": 1}}, b"x%5BR%5D%5Bs%5D=1"),
        ("form", True, [], b"x="),
        ("form", True, "a", b"x=a"),
    ],
)
def test_form_writes_a_field_in_the_style_its_encoding_names(
    style: Style, explode: bool, value: object, expected: bytes
) -> None:
    """The other fields keep their brackets."""
    assert encode_form({"x": value, "y": [1]}, (("x", style, explode),)) == expected + b"&y%5B0%5D=1"


def test_multipart_repeats_lists_of_files_and_lists_whose_encoding_says_so() -> None:
    data, media = encode_multipart({"files": [b"1", b"2"], "tags": ["a", "b"]}, (("tags", "form", True),))
    message = email.message_from_bytes(b"Content-Type: " + media.encode() + b"\r\n\r\n" + data)
    parts = message.get_payload()
    assert isinstance(parts, list)
    names = [part.get_param("name", header="content-disposition") for part in parts]  # type: ignore[union-attr]
    assert names == ["files", "files", "tags", "tags"]
    assert [part.get_filename() for part in parts] == ["files", "files", None, None]  # type: ignore[union-attr]


def test_multipart_writes_a_part_as_json_where_its_encoding_says_so() -> None:
    """With the part's own media type, one part for each item."""
    body = {"attributes": {"name": "ü", "parent": {"id": 1}}, "all": [{"a": Decimal("1.10")}, {"a": None}]}
    data, _ = encode_multipart(body, (("attributes", "json", True), ("all", "json", True)))
    assert data.count(b"Content-Type: application/json\r\n") == 3
    assert '{"name":"ü","parent":{"id":1}}'.encode() in data
    assert b'{"a":1.10}' in data
    assert b'{"a":null}' in data


def test_multipart_names_the_media_type_of_a_part() -> None:
    """Of files, texts and JSON; one that would end the part's head is refused."""
    body = {"image": b"x", "note": "n", "meta": {"a": 1}}
    types = (("image", "image/png"), ("note", "text/markdown"), ("meta", "application/vnd.a+json"))
    data, _ = encode_multipart(body, (("meta", "json", True),), types)
    assert re.findall(rb"Content-Type: (.*)\r\n", data) == [b"image/png", b"text/markdown", b"application/vnd.a+json"]
    with pytest.raises(RequestRefused):
        encode_multipart(body, (), (("note", "text/plain\r\nX: y"),))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "filter[]",
            [{"type": "equals", "field": "id"}, {"type": "x"}],
            "filter[0][type]=equals&filter[0][field]=id&filter[1][type]=x",
        ),
        ("at", {"min": {"x": 1}, "max": 2}, "at[min][x]=1&at[max]=2"),
        ("pair", [[1, 2], [3]], "pair[0][0]=1&pair[0][1]=2&pair[1][0]=3"),
    ],
)
def test_query_value_inside_a_value_is_in_brackets_whatever_the_style(name: str, value: object, expected: str) -> None:
    """Never a Python literal."""
    for explode in (True, False):
        pairs = query_pairs(Parameter(argument="x", name=name, location="query", explode=explode), value)
        assert unquote("&".join(pairs)) == expected


def test_value_with_parts_is_json_where_only_a_text_can_stand() -> None:
    """A header, a path, a cookie: never a Python literal."""
    assert header_text("X-A", [{"a": True}]) == '{"a":true}'
    assert path_text("id", {"a": [1, None]}) == "a,%5B1%2Cnull%5D"


def test_raw_body_is_sent_as_it_is() -> None:
    """A text is not written as JSON, and nothing else than a text or bytes can be meant."""
    operation = Operation(id="P", api="a", method="POST", path="/x", body="raw", media_type="text/csv")
    assert encode_body(operation, "ü,1") == ("ü,1".encode(), "text/csv")
    assert encode_body(operation, b"\x00") == (b"\x00", "text/csv")
    with pytest.raises(RequestRefused, match="text/csv"):
        encode_body(operation, {"a": 1})


def test_multipart_is_readable_and_the_same_every_time() -> None:
    """A retry sends the same bytes; names cannot break out of their quotes."""
    body = {'na"me\r\nX: 1': "value", "file": b"\x00\xff--", "nested": {"a": [1]}}
    data, media = encode_multipart(body)
    assert encode_multipart(body) == (data, media)
    message = email.message_from_bytes(b"Content-Type: " + media.encode() + b"\r\n\r\n" + data)
    parts = message.get_payload()
    assert isinstance(parts, list)
    names = [part.get_param("name", header="content-disposition") for part in parts]  # type: ignore[union-attr]
    assert names == ["na%22me%0D%0AX: 1", "file", "nested[a][0]"]
    assert parts[1].get_payload(decode=True) == b"\x00\xff--"  # type: ignore[union-attr]


def test_body_of_a_form_operation_has_the_forms_media_type() -> None:
    """Also when the declaration leaves the JSON default in place."""
    operation = Operation(id="POST /x", api="a", method="POST", path="/x", body="form")
    assert encode_body(operation, {"a": 1}) == (b"a=1", "application/x-www-form-urlencoded")
    patch = Operation(
        id="P", api="a", method="PATCH", path="/x", body="json", media_type="application/merge-patch+json"
    )
    assert encode_body(patch, b'{"raw":1}') == (b'{"raw":1}', "application/merge-patch+json")


def test_half_a_surrogate_pair_is_refused() -> None:
    """It has no UTF-8 form; nothing is sent in its place."""
    with pytest.raises(RequestRefused):
        path_text("id", "\ud800")
    with pytest.raises(RequestRefused):
        encode_json({"a": "\ud800"})


@pytest.mark.parametrize(
    "body",
    [b'{"associations":[],"data":{"email":"a@b.c","parent":{"id":1,"kind":"x"},"price":1.10}}', None],
    ids=["bytes", "record"],
)
def test_body_that_an_operation_takes_less_of_is_fitted_to_it(body: bytes | None) -> None:
    """What an update has no place for stays away, the identity stands where it is asked for, digits are kept."""
    operation = Operation(
        id="PATCH /people/{id}",
        api="crm",
        method="PATCH",
        path="/people/{id}",
        body="json",
        not_taken=(("associations",), ("data", "parent", "kind"), ("absent", "below")),
        repeats=((("data", "id"), "id", "string"), (("meta", "number"), "id", "integer")),
    )
    given: object = body or {
        "associations": [],
        "data": {"email": "a@b.c", "parent": {"id": 1, "kind": "x"}, "price": Decimal("1.10")},
    }
    sent = json.loads(encode_json(fitted(operation, given, {"id": "17"})), parse_float=str)
    assert sent == {
        "data": {"email": "a@b.c", "id": "17", "parent": {"id": 1}, "price": "1.10"},
        "meta": {"number": 17},
    }


def test_items_of_a_batch_are_fitted_one_by_one() -> None:
    operation = Operation(
        id="PATCH /people",
        api="crm",
        method="PATCH",
        path="/people",
        body="json",
        not_taken=(("people", 0, "a", "b"), ("people", 0, "c")),
    )
    given = {"people": [{"a": {"b": 1, "d": 2}, "c": 3}, {"e": 4}, 5], "c": 6}
    assert fitted(operation, given, {}) == {"people": [{"a": {"d": 2}}, {"e": 4}, 5], "c": 6}


def test_body_that_is_no_object_is_not_fitted() -> None:
    """There is nothing to take out of a list."""
    operation = Operation(
        id="PATCH /people", api="crm", method="PATCH", path="/people", body="json", not_taken=(("associations",),)
    )
    assert fitted(operation, b"[1]", {}) == b"[1]"


def test_body_of_a_list_has_each_value_where_and_as_it_is_described() -> None:
    """Settings are texts; a value that is no number goes as it is, for the vendor to refuse."""
    asked = (
        ("options.count", ("options", "count"), "integer"),
        ("options.all", ("options", "all"), "boolean"),
        ("rate", ("rate",), "number"),
        ("cursor", ("cursor",), "string"),
        ("odd", ("odd",), "integer"),
    )
    operation = Operation(id="POST /search", api="a", method="POST", path="/search", body="json", asked=asked)
    given = {"options.count": "50", "options.all": "true", "rate": "1.10", "cursor": 7, "odd": "many", "page": 2}
    body, rest = asking_body(operation, given)
    assert body == {"options": {"count": 50, "all": True}, "rate": Decimal("1.10"), "cursor": "7", "odd": "many"}
    assert rest == {"page": 2}

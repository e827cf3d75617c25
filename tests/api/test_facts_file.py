"""Facts files: read exactly, written one fact a line, a person's lines and all comments kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitesse.api.facts import ApiFacts, BatchResults, Fact, FactKind, Paging, RateLimit, Success, WebhookFact
from vitesse.api.facts_file import load_facts, merge_text, write_facts
from vitesse.diagnostics import DiagnosticError

PAGING = Paging(
    style="cursor", limit="limit", max=100, cursor="starting_after", next="data[-1].id", has_more="has_more"
)


def facts(**operations: dict[FactKind, Fact]) -> ApiFacts:
    return ApiFacts(api="shop", operations={name.replace("_", " /"): known for name, known in operations.items()})


def fact(kind: FactKind, value: object, confidence: float = 0.9, at: str = "#/paths/~1a/get") -> Fact:
    return Fact(kind=kind, value=value, at=at, confidence=confidence)  # type: ignore[arg-type]


ALL: dict[FactKind, Fact] = {
    "records": fact("records", ""),
    "record": fact("record", 'data."dotted.name"'),
    "paging": fact("paging", PAGING),
    "rate_limit": fact("rate_limit", RateLimit(per_s=2.0, burst=40, used_header="X-Call-Limit"), at="info.description"),
    "success": fact("success", Success(path="ok", equals=True)),
    "identity": fact("identity", "id"),
    "version": fact("version", "updated_at"),
    "since": fact("since", "updated_at[gte]"),
    "sorted_by": fact("sorted_by", "-updated_at"),
    "idempotency": fact("idempotency", "Idempotency-Key"),
    "batch": fact(
        "batch", BatchResults(items="items", results="results", status="status", identity="id", ok=(200, "ok"))
    ),
    "update_is": fact("update_is", "replace"),
    "find": fact("find", {"email": "query.email", "name.first": "query.first name"}),
    "webhooks": fact("webhooks", WebhookFact(topics=("customers/create", "customers/update"), scheme="shopify")),
}


def test_facts_of_every_kind_come_back_as_they_were_written(tmp_path: Path):
    written = facts(GET_customers=ALL, POST_odd={"success": fact("success", Success())})
    assert write_facts(tmp_path, written) is True
    assert load_facts(tmp_path, "shop") == written
    assert write_facts(tmp_path, written) is False


def test_facts_are_written_one_a_line():
    text = merge_text(
        "", facts(GET_customers={"paging": ALL["paging"], "records": fact("records", "customers", 0.987)})
    )
    assert text == (
        "GET /customers:\n"
        '  records: {value: customers, at: "#/paths/~1a/get", confidence: 0.99}\n'
        "  paging: {value: {style: cursor, limit: limit, max: 100, cursor: starting_after, "
        'next: "data[-1].id", has_more: has_more}, at: "#/paths/~1a/get", confidence: 0.9}\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "a: b",
        "a #b",
        "{x}",
        "- a",
        "line\nbreak",
        "\u2028",
        "\x85",
        "🔥",
        "a\x07",
        "1",
        "null",
        "*a",
        "&a",
        "!a",
        "a]",
    ],
)
def test_outside_text_is_written_so_that_it_comes_back(tmp_path: Path, text: str):
    operation = f"GET /{text}"
    written = ApiFacts(api="shop", operations={operation: {"since": fact("since", text, at=text)}})
    write_facts(tmp_path, written)
    assert load_facts(tmp_path, "shop") == written


def test_no_file_is_no_facts(tmp_path: Path):
    assert load_facts(tmp_path, "shop") == ApiFacts(api="shop")


def test_persons_lines_and_comments_stay():
    before = """\
# What we know of the shop.

# the main list
GET /customers:
  # asked support on Monday
  records: {value: people,   by: person}   # not customers
  paging: {value: {style: link}, confidence: 0.5}  # to be checked
  # limits as in the contract
  rate_limit:
    value:
      per_s: 4   # per shop
      burst: 80
    by: person
  identity: {value: id, confidence: 0.9}
  # end of the list

GET /gone:
  records: {value: x, confidence: 0.9}
GET /kept: {records: {value: people, by: person}, identity: {value: id, confidence: 0.9}}
"""
    after = merge_text(
        before,
        facts(
            GET_customers={
                "records": fact("records", "customers"),
                "paging": fact("paging", Paging(style="none"), 1.0, ""),
            },
            GET_new={"records": fact("records", "z", at="")},
        ),
    )
    assert (
        after
        == """\
# What we know of the shop.

# the main list
GET /customers:
  # asked support on Monday
  records: {value: people,   by: person}   # not customers
  paging: {value: {style: none}, confidence: 1.0}  # to be checked
  # limits as in the contract
  rate_limit:
    value:
      per_s: 4   # per shop
      burst: 80
    by: person
  # end of the list

GET /kept:
  records: {value: people, by: person}
GET /new:
  records: {value: z, confidence: 0.9}
"""
    )


def test_second_merge_changes_nothing():
    once = merge_text("# head\nGET /a:\n  # c\n  records: {value: b, by: person}\n", facts(GET_customers=ALL))
    assert merge_text(once, facts(GET_customers=ALL)) == once


@pytest.mark.parametrize(
    ("line", "code", "pointer"),
    [
        ("recods: {value: a}", "V003", "#/GET ~1a/recods"),
        ("records: {value: a, why: b}", "V003", "#/GET ~1a/records/why"),
        ("records: {confidence: 0.5}", "V004", "#/GET ~1a/records"),
        ("records: {value: 5}", "V005", "#/GET ~1a/records/value"),
        ("records: {value: a, confidence: 2}", "V005", "#/GET ~1a/records/confidence"),
        ("records: {value: a, by: me}", "V005", "#/GET ~1a/records/by"),
        ("paging: {value: {style: links}}", "V005", "#/GET ~1a/paging/value/style"),
        ("records: {value: a..b}", "V302", "#/GET ~1a/records/value"),
        ("paging: {value: {style: cursor, cursor: after}}", "V302", "#/GET ~1a/paging/value"),
        ("paging: {value: {style: link, max: 0}}", "V302", "#/GET ~1a/paging/value/max"),
        ("rate_limit: {value: {per_s: 0}}", "V302", "#/GET ~1a/rate_limit/value"),
        ("batch: {value: {items: a, max: 0}}", "V302", "#/GET ~1a/batch/value/max"),
        ("find: {value: {email: email}}", "V302", "#/GET ~1a/find/value/email"),
    ],
)
def test_fault_is_named_at_its_place(tmp_path: Path, line: str, code: str, pointer: str):
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "shop.yaml").write_text(f"GET /a:\n  {line}\n")
    with pytest.raises(DiagnosticError) as caught:
        load_facts(tmp_path, "shop")
    found = caught.value.diagnostics[0]
    assert (found.code, found.places[0].pointer, found.places[0].file) == (code, pointer, "facts/shop.yaml")


def test_whole_numbers_are_confidences_too(tmp_path: Path):
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "shop.yaml").write_text(
        "GET /a:\n  success: {value: status 2xx, confidence: 1}\n  sorted_by: {value: null}\n"
    )
    known = load_facts(tmp_path, "shop")
    assert known.get("GET /a", "success") == Fact(kind="success", value=Success(), confidence=1.0)
    assert known.get("GET /a", "sorted_by") == Fact(kind="sorted_by", value=None)

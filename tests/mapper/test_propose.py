"""Proposals are right where names say enough, hold where they are made, and leave decisions to people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vitesse.diagnostics import Place
from vitesse.mapper.model import Proposal, StreamProposal
from vitesse.mapper.propose import Asked, propose
from vitesse.registry import BUILT_IN, RegisteredFunction, Registry, ValueType
from vitesse.rules.check import check_rules
from vitesse.rules.model import Rules
from vitesse.rules.review import Review

from .ends import destination, rule, rules, source

REGISTRY = Registry(functions={one.name: one for one in BUILT_IN})
SHOP = {
    "id!": "integer:int64",
    "email": "string:email?",
    "first_name": "string?",
    "last_name": "string?",
    "phone": "string?",
    "state": "string=disabled|enabled|invited",
    "created_at": "string:date-time",
    "updated_at": "string:date-time",
    "total_spent": "string",
    "orders_count": "integer",
    "tags": "string",
    "note": "string?",
    "default_address?": {"address1": "string", "city": "string", "zip": "string", "country": "string"},
    "addresses": [{"address1": "string", "city": "string", "zip": "string", "country": "string"}],
}
CRM = {
    "-id": "string",
    "email!": "string:email",
    "first_name": "string?",
    "last_name": "string?",
    "phone_number": "string?",
    "created_date": "string:date",
    "lifetime_value": "number:double",
    "segments": ["string"],
    "address": {"street": "string", "city": "string", "postal_code": "string"},
    "fax_extension": "string",
}


def proposal(shop: Any = SHOP, crm: Any = CRM, **asked: Any) -> StreamProposal:
    asked.setdefault("hints", {})
    return propose("customers", source(shop), destination(crm), registry=REGISTRY, asked=Asked(**asked))


def by_id(found: StreamProposal) -> dict[str, Proposal]:
    return {one.id: one for one in found.proposals}


def sources(one: Proposal) -> list[str]:
    return [".".join(str(segment) for segment in path) for path in one.rule.sources]


def test_propose_of_the_products_story_finds_all_seven_rules() -> None:
    """Offline, with the right transforms."""
    found = by_id(proposal())
    expected = {
        "email": (["email"], "direct"),
        "first_name": (["first_name"], "direct"),
        "last_name": (["last_name"], "direct"),
        "phone_number": (["phone"], "mapping"),
        "created_date": (["created_at"], "custom"),
        "lifetime_value": (["total_spent"], "parse"),
        "segments": (["tags"], "collect"),
    }
    assert {id: (sources(found[id]), found[id].rule.transform) for id in expected if id in found} == expected
    assert found["created_date"].rule.options == {"function": "parse_iso8601_to_date"}
    assert found["lifetime_value"].rule.options == {"to": "decimal", "places": 2, "rounding": "half_even"}
    assert found["segments"].rule.options == {"separator": ","}


def test_propose_makes_rules_that_hold_as_they_are() -> None:
    """Policies and reasons are proposed with the rule: the build has nothing to add."""
    found = proposal()
    mapping = Rules(
        stream="customers", file="mappings/customers.yaml", rules=tuple(one.rule for one in found.proposals)
    )
    reviewed = check_rules(
        mapping,
        source=source(SHOP),
        destination=destination(CRM),
        registry=REGISTRY,
        review=Review(stream="customers"),
        draft=True,
    )
    assert {warning.code for warning in reviewed.warnings} == {"V450"}
    email = by_id(found)["email"].rule
    assert (email.on_missing, email.on_null) == ("dead", "dead")


def test_propose_of_the_same_ends_gives_the_same_proposals() -> None:
    """No chance, no clock, no network."""
    assert proposal() == proposal()


def test_propose_leaves_open_what_nothing_is_like() -> None:
    """Abstaining is an answer; it is given with a reason."""
    found = proposal()
    assert "fax_extension" not in by_id(found)
    assert ("fax_extension",) in {one.destination for one in found.unfilled}
    assert ("id",) not in {one.destination for one in found.unfilled}


def test_propose_prefers_an_object_before_the_first_of_a_list() -> None:
    """The default address, not any of them."""
    found = by_id(proposal())
    assert sources(found["address.city"]) == ["default_address.city"]


def test_propose_explains_every_rule() -> None:
    """Evidence a reviewer can check against the names, and a value before and after."""
    found = by_id(proposal())
    assert "same path" in found["email"].evidence[0]
    assert all(one.evidence for one in found.values())
    sample = found["segments"].sample
    assert sample is not None
    assert sample.after == ["vip", "new"]
    assert found["created_date"].losses == ("datetime_to_date",)


def test_propose_leaves_alone_what_a_person_decided() -> None:
    """Mapped, waived and rejected fields are not proposed again."""
    mapped = rules(rule("email", "note", "mapping"), waive={"phone_number": "not wanted"})
    review = Review(stream="customers").rejecting("segments", rule="r", fields="f", by="ana", on="2026-11-21")
    found = by_id(proposal(rules=mapped, review=review))
    assert not {"email", "phone_number", "segments"} & set(found)
    assert "first_name" in found


def test_propose_of_a_field_inside_a_waived_object_is_left_alone() -> None:
    """A waiver for an object is one for all that is in it."""
    found = by_id(proposal(rules=rules(waive={"address": "kept by the sales team"})))
    assert not [id for id in found if id.startswith("address")]


def test_propose_with_a_hint_follows_it() -> None:
    """A person's word overrules every number."""
    found = by_id(proposal(hints={"phone_number": ("note",), "fax_extension": ("last_name",)}))
    assert sources(found["phone_number"]) == ["note"]
    assert (found["phone_number"].confidence, found["phone_number"].by) == (1.0, "hint")
    assert sources(found["fax_extension"]) == ["last_name"]


def test_propose_with_a_hint_into_a_map_makes_the_rule() -> None:
    """Fields that no schema names can be hinted."""
    crm = {"properties": {"*": "string"}}
    found = by_id(proposal(crm=crm, hints={"properties.email": ("email",)}))
    assert sources(found["properties.email"]) == ["email"]
    assert found["properties.email"].rule.on_null == "omit"


def test_propose_of_two_closed_sets_maps_what_agrees_and_names_the_rest() -> None:
    """The gap is a decision, not a guess; the build refuses until it is made."""
    crm = {"status": "string=enabled|off"}
    found = by_id(proposal(crm=crm, hints={"status": ("state",)}))
    one = found["status"]
    assert one.rule.options == {"map": {"enabled": "enabled"}}
    assert "`disabled`" in one.holes[0]
    assert "enum_gap" not in one.rule.waive


@pytest.mark.parametrize(
    ("shop", "crm", "id", "transform", "options"),
    [
        ({"id!": "integer"}, {"id": "string"}, "id", "stringify", {}),
        ({"age": "string"}, {"age": "integer"}, "age", "parse", {"to": "integer"}),
        ({"price": "string"}, {"price": "number"}, "price", "parse", {"to": "decimal", "places": 2, "rounding": "half_even"}),
        ({"active": "string"}, {"active": "boolean"}, "active", "parse_bool", {}),
        ({"created_at": "integer"}, {"created_at": "string:date-time"}, "created_at", "date", {"to": "datetime", "form": "unix_s"}),
        ({"created_at": "string:date-time"}, {"created_at": "integer"}, "created_at", "date", {"to": "unix_s"}),
        ({"tags": ["string"]}, {"tags": "string"}, "tags", "join", {"separator": ", "}),
        ({"email": "string"}, {"emails": ["string"]}, "emails", "wrap", {}),
        ({"phones": [{"number": "string"}]}, {"phone": "string"}, "phone", "first", {}),
        ({"tags": [{"name": "string"}]}, {"tags": ["string"]}, "tags", "mapping", {}),
        ({"scores": ["string"]}, {"scores": ["integer"]}, "scores", "each", {"transform": "parse", "to": "integer"}),
        ({"first_name": "string", "last_name": "string"}, {"full_name": "string"}, "full_name", "join", {"separator": " "}),
    ],
)  # fmt: skip
def test_propose_chooses_the_transform_that_the_types_ask_for(
    shop: Any, crm: Any, id: str, transform: str, options: Any
) -> None:
    """Not only the pair: the conversion, with its parameters, proved against both types."""
    hints = (
        {} if transform not in ("wrap", "first") else {id: ("email",) if transform == "wrap" else ("phones[].number",)}
    )
    found = by_id(proposal(shop, crm, hints=hints))
    assert (found[id].rule.transform, dict(found[id].rule.options)) == (transform, options)


def test_propose_of_list_items_takes_them_from_one_list() -> None:
    """Rules below a list are one loop."""
    shop = {"line_items": [{"sku!": "string", "quantity!": "integer"}], "discounts": [{"code!": "string"}]}
    crm = {"lines": [{"sku!": "string", "quantity": "integer"}]}
    found = by_id(proposal(shop, crm))
    assert {one.rule.sources[0][0] for one in found.values()} == {"line_items"}
    assert len(found) == 2


def test_complexity_rises_with_what_a_person_has_to_do() -> None:
    """Copying is 1; required fields without a source, holes and losses raise it, and it says so."""
    easy = proposal({"email!": "string", "name!": "string"}, {"email!": "string", "name": "string"})
    hard = proposal(SHOP, {**CRM, "colour_of_socks!": "string", "legal_basis!": "string", "status": "string=a|b"})
    assert easy.complexity.score <= 2 < hard.complexity.score
    assert any("required fields without a source" in reason for reason in hard.complexity.because)


def test_propose_fills_a_required_field_that_has_one_value_only() -> None:
    """Nothing is guessed: the schema leaves no choice. Where it leaves one, the choices are named."""
    found = proposal({"photos": ["string"]}, {"kind!": "string=person", "origin!": "string=web|shop"})
    kind = by_id(found)["kind"]
    assert (kind.rule.sources, kind.rule.transform, kind.rule.options) == ((), "constant", {"value": "person"})
    assert kind.by == "schema"
    (origin,) = [one for one in found.unfilled if one.destination == ("origin",)]
    assert "one of `web`, `shop`" in origin.why


def test_propose_calls_a_function_that_is_made_for_the_field() -> None:
    """Of the registry's functions, the one whose name and types are those of the two fields."""
    made = RegisteredFunction(
        name="is_subscribed",
        origin="custom/consent.py",
        module="custom.consent",
        function="is_subscribed",
        inputs=(ValueType(kinds=("string",)),),
        result=ValueType(kinds=("boolean",)),
        place=Place(file="custom/consent.py"),
    )
    registry = Registry(functions={**REGISTRY.functions, made.name: made})
    shop, crm = source({"marketing_consent": "string"}), destination({"subscribed": "boolean"})
    found = propose(
        "customers", shop, crm, registry=registry, asked=Asked(hints={"subscribed": ("marketing_consent",)})
    )
    (one,) = found.proposals
    assert (one.rule.transform, one.rule.options) == ("custom", {"function": "is_subscribed"})
    (without,) = propose(
        "customers", shop, crm, registry=REGISTRY, asked=Asked(hints={"subscribed": ("marketing_consent",)})
    ).proposals
    assert without.rule.transform == "parse_bool"


def test_propose_names_the_units_that_differ() -> None:
    """Cents are not the currency: the rule waits for a person."""
    found = by_id(proposal({"amount_cents": "integer"}, {"amount": "number"}, hints={"amount": ("amount_cents",)}))
    assert any("counts cents" in hole for hole in found["amount"].holes)


@pytest.mark.parametrize(
    ("example", "wanted", "options", "hole"),
    [
        ("31/12/2024", "string:date", {"to": "date", "form": "%d/%m/%Y"}, ""),
        ("03/09/2024", "string:date", {"to": "date", "form": "%d/%m/%Y"}, "say which"),
        ("09.03.2024 18:32", "string:date-time", {"to": "datetime", "form": "%d.%m.%Y %H:%M", "read_as": "UTC"}, "no zone"),
        ("2024-03-09T18:32:05", "string:date-time", {"to": "datetime", "read_as": "UTC"}, "no zone"),
    ],
)  # fmt: skip
def test_propose_reads_a_time_as_its_example_is_written(
    example: str, wanted: str, options: dict[str, str], hole: str
) -> None:
    """Form and zone with the transform; what the example leaves open is a decision."""
    shop = source({"ordered_at": "string"})
    (field,) = shop.type.fields  # type: ignore[union-attr]
    shown = replace(shop, type=replace(shop.type, fields=(replace(field, example=example),)))  # type: ignore[type-var]
    (one,) = propose(
        "orders", shown, destination({"ordered_at": wanted}), registry=REGISTRY, asked=Asked(hints={})
    ).proposals
    assert (one.rule.transform, one.rule.options) == ("date", options)
    assert any(hole in text for text in one.holes) if hole else not one.holes


def test_propose_says_what_makes_a_mapping_complex() -> None:
    """From 1 to 10, with the reasons; a plain copy has none."""
    plain = proposal({"email": "string"}, {"email": "string"}).complexity
    hard = proposal(SHOP, {**CRM, "xa!": "boolean", "xb!": "boolean", "xc!": "boolean"}).complexity
    assert plain.score == 1
    assert hard.score > plain.score
    assert any(line.startswith("3 required fields without a source") for line in hard.because)


EXPANDED = {
    "email": "string",
    "name": "string",
    "source": {
        "account": {"email": "string", "vat": "string", "owner": {"name": "string"}},
        "address": {"city": "string"},
    },
    "address": {"city": "string"},
}


def test_propose_takes_no_field_of_another_record_inside_this_one() -> None:
    """An expanded account has an email of its own; the record's is nearer. What only stands there is looked at."""
    found = by_id(proposal(EXPANDED, {"email": "string", "account_email": "string", "vat": "string"}))
    assert sources(found["email"]) == ["email"]
    assert sources(found["vat"]) == ["source.account.vat"]
    assert "source.account.email" not in {source for one in found.values() for source in sources(one)}


def test_propose_with_a_hint_reaches_a_field_of_another_record() -> None:
    """A person may know better."""
    found = by_id(proposal(EXPANDED, {"contact": "string"}, hints={"contact": ("source.account.email",)}))
    assert sources(found["contact"]) == ["source.account.email"]
    assert (found["contact"].confidence, found["contact"].by) == (1.0, "hint")

"""Gates over rules: one case for each, with its code, its place and its way out."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vitesse.api.model import Field, Object, Union
from vitesse.api.model import Place as ApiPlace
from vitesse.api.paths import format_path
from vitesse.diagnostics import Diagnostic, DiagnosticError, Place
from vitesse.hooks import Parameter
from vitesse.registry import BUILT_IN, RegisteredFunction, Registry, ValueType
from vitesse.rules.check import check_rules, required_unfilled
from vitesse.rules.model import Default, ReviewedRules, Rules
from vitesse.rules.review import Review

from .apis import destination, rule, rules, source, type_of

SHOP = {
    "id!": "integer:int64",
    "email!": "string:email",
    "first_name": "string?",
    "last_name": "string<200",
    "state": "string=on|off|gone",
    "note": "string",
    "created_at": "string:date-time",
    "born": "string:date",
    "local": "string",
    "spent": "string",
    "amount": "number",
    "total": "number:decimal",
    "orders_count": "integer",
    "vip!": "boolean",
    "tags": ["string"],
    "words": "string",
    "address?": {"city": "string", "zip!": "string"},
    "addresses!": [{"city!": "string", "zip": "string?", "codes": ["string"]}],
    "orders": [{"id!": "integer", "lines": [{"sku!": "string"}]}],
    "meta": {"*": "string"},
    "raw": "any",
}
CRM = {
    "-id": "string",
    "mail": "string:email",
    "name": "string<100",
    "status": "string=active|inactive",
    "since": "string:date",
    "at": "string:date-time",
    "value": "number:double",
    "exact": "number",
    "count": "integer:int32",
    "flag": "boolean",
    "labels": ["string"],
    "numbers": ["integer"],
    "home": {"city!": "string", "code": "string"},
    "places": [{"town!": "string", "code": "string"}],
    "props": {"*": "string"},
    "extra": "any",
    "unix": "integer",
}
FUNCTION = RegisteredFunction(
    name="shout",
    origin="custom/words.py",
    module="custom.words",
    function="shout",
    inputs=(ValueType(kinds=("string",)),),
    result=ValueType(kinds=("string",)),
    parameters=(
        Parameter(name="times", kinds=("int",)),
        Parameter(name="mark", choices=("!", "?"), has_default=True, default="!"),
    ),
    loses=("case_of_letters",),
    place=Place(file="custom/words.py"),
)
REGISTRY = Registry(functions={one.name: one for one in (*BUILT_IN, FUNCTION)})


def check(
    mapping: Rules, *, shop: Any = SHOP, crm: Any = CRM, review: Review | None = None, draft: bool = True
) -> ReviewedRules:
    return check_rules(
        mapping,
        source=source(shop),
        destination=destination(crm),
        registry=REGISTRY,
        review=review or Review(stream="customers"),
        draft=draft,
    )


def faults(mapping: Rules, **ends: Any) -> tuple[Diagnostic, ...]:
    """What a draft is refused for, the open rules apart."""
    with pytest.raises(DiagnosticError) as caught:
        check(mapping, **ends)
    return tuple(found for found in caught.value.diagnostics if found.is_error)


def words(found: Diagnostic) -> str:
    return " ".join([found.message, *found.notes, found.help or ""])


@pytest.mark.parametrize(
    ("one", "code", "said"),
    [
        (rule("mial", "email"), "V410", "`mail`"),
        (rule("home.town", "email"), "V410", "no `town` in `home`"),
        (rule("home.street", "email"), "V410", "use one of `city`, `code`"),
        (rule("code", "email"), "V410", "`home.code`"),
        (rule("mail.x", "email"), "V410", "has no fields"),
        (rule("mail[]", "email"), "V410", "remove the `[]`"),
        (rule("mail", "emial"), "V411", "`email`"),
        (rule("name", "addresses.city"), "V411", "`addresses[].city`"),
        (rule("id", "email"), "V412", "read-only"),
        (rule("home", "address"), "V413", "`home.city`"),
        (rule("name", "note", "dircet"), "V414", "`direct`"),
        (rule("since", "created_at", "parse_iso8601_to_date"), "V414", "with: {function: parse_iso8601_to_date}"),
        (rule("name", ("first_name", "last_name")), "V415", "`join`"),
        (rule("name", (), "text"), "V415", "`from`"),
        (rule("name", "email", "constant", options={"value": "x"}), "V415", "no source field"),
        (rule("value", "spent", "parse"), "V416", "needs `to`"),
        (rule("value", "spent", "parse", options={"to": "money"}), "V416", "`decimal`"),
        (rule("value", "spent", "parse", options={"to": "decimal", "plcaes": 2}), "V416", "`places`"),
        (rule("count", "spent", "parse", options={"to": "integer", "places": 2}), "V416", "no `places`"),
        (rule("value", "spent", "parse", options={"to": "decimal", "places": "2"}), "V416", "whole number"),
        (rule("since", "created_at", "date", options={"to": "%Q"}), "V416", "%Q"),
        (rule("since", "orders_count", "date", options={"to": "date"}), "V416", "`form: unix_s`"),
        (rule("since", "created_at", "date", options={"to": "date", "zone": "../x"}), "V416", "Europe/Berlin"),
        (rule("labels", "words", "collect"), "V416", "separator"),
        (rule("labels", "tags", "collect", options={"separator": ","}), "V416", "a list already"),
        (rule("labels", ("words", "note"), "collect", options={"separator": ","}), "V416", "several fields"),
        (rule("name", ("first_name", "last_name"), "template", options={"template": "{first_name} {lastname}"}), "V416", "{lastname}"),
        (rule("name", ("first_name", "last_name"), "template", options={"template": "{first_name}"}), "V416", "`{last_name}`"),
        (rule("name", "first_name", "template", options={"template": "a } b {first_name}"}), "V416", "`}}`"),
        (rule("name", "words", "split", options={"separator": " ", "rest": True}), "V416", "`part`"),
        (rule("name", "words", "split", options={"separator": " ", "part": -1, "rest": True}), "V416", "front"),
        (rule("status", "orders_count", "enum", options={"map": {"one": "active"}}), "V416", "numbers as keys"),
        (rule("labels", "tags", "each", options={"transform": "loop"}), "V416", "one item"),
        (rule("labels", "tags", "each", options={"case": "upper"}), "V416", "add `transform`"),
        (rule("name", "email", "custom", options={"function": "shuot"}), "V417", "`shout`"),
        (rule("name", "email", "custom", options={"function": "shout"}), "V416", "needs `times`"),
        (rule("name", "email", "custom", options={"function": "shout", "times": "2"}), "V416", "takes int"),
        (rule("name", "email", "custom", options={"function": "shout", "times": 2, "mark": "."}), "V416", "`!` or `?`"),
        (rule("name", "email", "custom", options={"function": "shout", "times": 2, "tims": 1}), "V416", "`times`"),
        (rule("name", ("email", "note"), "custom", options={"function": "shout", "times": 2}), "V415", "1 values"),
        (rule("name", "orders_count", "custom", options={"function": "shout", "times": 2}), "V419", "takes string"),
        (rule("labels", "orders[].lines[].sku"), "V418", "2 lists"),
        (rule("value", "tags", "parse", options={"to": "decimal"}), "V419", "`first`"),
        (rule("count", "state", "parse", options={"to": "integer"}), "V419", "none of the source's values is a number"),
        (rule("name", "address", "text"), "V419", "fields inside"),
        (rule("name", ("first_name", "orders_count"), "coalesce"), "V419", "one kind"),
        (rule("mail", "email", "direct"), "V419", "transform: mapping"),
        (rule("value", "spent"), "V420", "`parse` with `to: decimal`"),
        (rule("count", "amount"), "V420", "`rounding`"),
        (rule("name", "orders_count"), "V420", "`stringify`"),
        (rule("since", "created_at"), "V420", "`date` with `to: date`"),
        (rule("at", "born"), "V420", "`to: datetime`"),
        (rule("flag", "words"), "V420", "`parse_bool`"),
        (rule("name", "tags"), "V420", "`join` or `first`"),
        (rule("labels", "words"), "V420", "`collect`"),
        (rule("numbers", "tags"), "V420", "`each`"),
        (rule("places", "addresses"), "V420", "`lines[].sku`"),
        (rule("name", "address"), "V420", "field inside"),
        (rule("status", (), "constant", options={"value": "on"}), "V420", "none of `active`, `inactive`"),
        (rule("places", (), "constant", options={"value": [{"code": "x"}]}), "V420", "no `town`"),
        (rule("home", (), "constant", options={"value": {"city": 5}}), "V420", "no string"),
        (rule("status", "state", "enum", options={"map": {"on": "actve", "off": "inactive", "gone": "inactive"}}), "V420", "`active`"),
        (rule("value", "spent", "parse", options={"to": "decimal"}, on_missing=Default(value="0")), "V423", "no number"),
        (rule("name", "email", "lookup", options={}), "V416", "`stream`"),
        (rule("mail", "email", waive={"lossy": "x"}), "V431", "no loss"),
    ],
)  # fmt: skip
def test_check_rules_of_one_fault_names_it_and_the_way_out(one: Any, code: str, said: str) -> None:
    """A person finds the line in the mapping and knows what to write."""
    found = faults(rules(one))
    assert [fault.code for fault in found][:1] == [code]
    assert said in " ".join(map(words, found))
    assert found[0].places[0].file == "mappings/customers.yaml"


@pytest.mark.parametrize(
    ("one", "crm", "code", "said"),
    [
        (rule("mail", "note"), {"mail!": "string"}, "V421", "on_missing: dead"),
        (rule("mail", "note", on_missing="omit"), {"mail!": "string"}, "V421", "on_missing: dead"),
        (rule("home.city", "address.zip"), {"home": {"city!": "string?"}}, "V421", "on_missing: omit"),
        (
            rule("mail", "first_name", on_missing="dead", on_null="omit"),
            {"mail!": "string?"},
            "V421",
            "leaves a null out",
        ),
        (rule("mail", "first_name"), {"mail": "string"}, "V422", "on_null: omit"),
        (rule("mail", "address.city"), {"mail": "string"}, "V422", "on_null: omit"),
    ],
)
def test_check_rules_where_the_destination_cannot_do_without_wants_a_policy(
    one: Any, crm: Any, code: str, said: str
) -> None:
    """A missing or null value never surprises the destination."""
    (found,) = faults(rules(one), crm=crm)
    assert (found.code, found.places[1].file) == (code, "specs/crm.yaml")
    assert said in words(found)


@pytest.mark.parametrize(
    ("one", "loss"),
    [
        (rule("value", "spent", "parse", options={"to": "decimal", "places": 2}), "decimal_to_float"),
        (rule("value", "total"), "decimal_to_float"),
        (rule("count", "id"), "int64_to_int32"),
        (rule("count", "amount", "parse", options={"to": "integer", "rounding": "down"}), "fraction"),
        (rule("since", "created_at", "date", options={"to": "date"}), "datetime_to_date"),
        (rule("since", "created_at", "custom", options={"function": "parse_iso8601_to_date"}), "datetime_to_date"),
        (rule("name", "created_at", "date", options={"to": "%Y-%m-%d"}), "datetime_to_date"),
        (rule("name", "created_at", "date", options={"to": "%Y-%m-%d %H:%M"}), "zone_loss"),
        (rule("name", "last_name"), "length"),
        (rule("name", "note", "text", options={"max_length": 10}), "length"),
        (rule("status", "note"), "enum_gap"),
        (rule("status", "state"), "enum_gap"),
        (rule("status", "state", "enum", options={"map": {"on": "active"}}), "enum_gap"),
        (rule("status", "state", "enum", options={"map": {"on": "active", "off": "inactive", "gone": "inactive"}}), "many_to_one"),
        (rule("name", "tags", "first"), "list_into_scalar"),
        (rule("name", ("note", "words"), "coalesce"), "many_to_one"),
        (rule("mail", "first_name", on_null="keep"), "null_into_non_null"),
        (rule("mail", "email", "custom", options={"function": "shout", "times": 2}), "case_of_letters"),
    ],
)  # fmt: skip
def test_check_rules_of_a_loss_wants_a_reason(one: Any, loss: str) -> None:
    """Nothing is lost in silence: a warning in a draft, an error otherwise, nothing once it is waived."""
    from dataclasses import replace

    warnings = [found for found in check(rules(one)).warnings if found.code == "V430"]
    assert len(warnings) == 1
    assert f"waive: {{{loss}: …}}" in words(warnings[0])
    with pytest.raises(DiagnosticError) as caught:
        check(rules(one), draft=False)
    assert "V430" in {found.code for found in caught.value.diagnostics if found.is_error}
    reviewed = check(rules(replace(one, waive={loss: "the CRM wants it so"})))
    assert [found.code for found in reviewed.warnings] == ["V450"]
    assert [(lost.code, lost.reason) for lost in reviewed.rules[0].losses] == [(loss, "the CRM wants it so")]


@pytest.mark.parametrize(
    "one",
    [
        rule("mail", "email"),
        rule("since", "born"),
        rule("at", "created_at"),
        rule("name", "note", on_missing="omit"),
        rule("exact", "orders_count"),
        rule("exact", "total"),
        rule("value", "amount"),
        rule("extra", "address", on_null="omit"),
        rule("extra", "raw"),
        rule("name", "raw", on_null="dead"),
        rule("labels", "tags"),
        rule("places[].town", "email"),
        rule("labels", "addresses[].city"),
        rule("labels", "words", "collect", options={"separator": ","}),
        rule("labels", ("words", "note"), "collect"),
        rule("labels", "email", "wrap"),
        rule("numbers", "tags", "each", options={"transform": "parse", "to": "integer"}),
        rule("props.email", "email"),
        rule("props.app", "meta.app"),
        rule("name", "tags", "join", options={"separator": ", "}),
        rule("name", ("first_name", "words"), "join", options={"separator": " "}, on_null="omit"),
        rule("unix", "created_at", "date", options={"to": "unix_s"}),
        rule("since", "orders_count", "date", options={"to": "date", "form": "unix_ms"}, waive={"datetime_to_date": "a day will do"}),
        rule("name", "created_at", "date", options={"to": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"}),
        rule("flag", "vip"),
        rule("flag", "words", "parse_bool", options={"true": ["ja"], "false": ["nein"]}),
        rule("status", "state", "enum", options={"map": {"on": "active"}, "default": "inactive"}),
        rule("home", (), "constant", options={"value": {"city": "Paris"}}),
        rule("extra", (), "constant", options={"value": None}),
        rule("name", "words", "split", options={"separator": " ", "part": 0}),
        rule("value", "spent", "parse", options={"to": "number"}, on_missing=Default(value=0), waive={"decimal_to_float": "ok"}),
    ],
)  # fmt: skip
def test_check_rules_of_a_rule_that_fits_finds_nothing(one: Any) -> None:
    """What is right is not warned of."""
    assert [found.code for found in check(rules(one)).warnings] == ["V450"]


def test_check_rules_of_an_unfilled_required_field_points_at_the_spec_and_offers_a_source() -> None:
    """The error of the style guide."""
    (found,) = faults(
        rules(rule("name", "note")),
        crm={"email_address!": "string", "name": "string"},
        shop={"email_addres": "string", "note": "string"},
    )
    assert (found.code, found.places[0].file, found.places[0].pointer) == (
        "V440",
        "specs/crm.yaml",
        "#/properties/email_address",
    )
    assert "`email_addres`" in words(found)
    waived = rules(rule("name", "note"), waive={"email_address": "the CRM fills it"})
    assert check(waived, crm={"email_address!": "string", "name": "string"}).unfilled == ()


def test_check_rules_of_an_object_that_is_written_wants_its_required_fields() -> None:
    """Half an address is refused by the destination; better here than at night."""
    (found,) = faults(rules(rule("home.code", "note")))
    assert (found.code, found.message) == ("V440", "required destination field `home.city` is never filled")
    (found,) = faults(rules(rule("places[].code", "addresses[].zip", on_null="omit")))
    assert found.message == "required destination field `places[].town` is never filled"


@pytest.mark.parametrize(
    ("filled", "missing"),
    [
        (("to.name",), ["to.line"]),
        (("to.name", "to.line"), []),
        (("to.company",), ["to.line", "to.country"]),
        (("to.company", "to.line", "to.country"), []),
        (("to",), []),
    ],
)
def test_check_rules_of_alternatives_wants_what_the_one_that_is_meant_requires(filled, missing) -> None:
    """An address, or the id of one: filling the name alone is neither."""
    place = ApiPlace(file="specs/crm.yaml", pointer="#")
    members = tuple(
        type_of(form, file="specs/crm.yaml")
        for form in (
            "string",
            {"name!": "string", "line!": "string"},
            {"company!": "string", "line!": "string", "country!": "string"},
        )
    )
    field = Field(name="to", type=Union(members=members, place=place), required=True, place=place)
    crm = replace(destination({}), type=Object(fields=(field,), place=place))
    done = rules(*(rule(id, "note", on_missing="dead") for id in filled))
    assert [format_path(path) for path, _ in required_unfilled(done, (), crm)] == missing


@pytest.mark.parametrize(
    ("others", "losses"),
    [
        (({"*": "string"},), ["enum_gap"]),
        (({"*": "string"}, "string"), []),
        (({"*": "string"}, "any"), []),
        ((["string"], "string=off"), ["enum_gap"]),
    ],
)
def test_check_rules_of_a_union_whose_only_texts_are_named(others: tuple[Any, ...], losses: list[str]) -> None:
    """A map or one certain text, as vendors write what may be emptied: another text is none that they take."""
    place = ApiPlace(file="specs/crm.yaml", pointer="#")
    members = tuple(type_of(form, file="specs/crm.yaml") for form in (*others, "string=none"))
    field = Field(name="meta", type=Union(members=members, place=place), place=place)
    crm = replace(destination({}), type=Object(fields=(field,), place=place))
    mapping = rules(rule("meta", "note"))
    checked = check_rules(
        mapping, source=source(SHOP), destination=crm, registry=REGISTRY, review=Review(stream="customers"), draft=True
    )
    assert [loss.code for loss in checked.rules[0].losses] == losses


def test_check_rules_of_a_waiver_for_a_field_that_is_not_there() -> None:
    """A waiver outlives a renamed field only with a word about it."""
    (found,) = faults(rules(rule("mail", "email"), waive={"ownr": "set by the CRM"}))
    assert found.code == "V441"


def test_check_rules_of_a_field_filled_whole_and_inside() -> None:
    """Two rules for one place: one would be lost."""
    found = faults(rules(rule("home", (), "constant", options={"value": {"city": "x"}}), rule("home.code", "note")))
    assert [one.code for one in found] == ["V442"]


@pytest.mark.parametrize(
    ("whole", "inside", "is_fault"),
    [
        (rule("props", "meta"), rule("name", "meta.nick"), True),
        (rule("extra", "raw"), rule("name", "raw.nick", on_null="omit"), True),
        (rule("labels", "tags"), rule("name", "tags", "join", options={"separator": " "}), False),
        (rule("value", "amount"), rule("name", "address.zip", on_missing="omit", on_null="omit"), False),
    ],
)
def test_check_rules_of_a_field_read_whole_and_inside(whole: Any, inside: Any, is_fault: bool) -> None:
    """V443: in the package it would have to be a value and a model at once."""
    some = rules(whole, inside)
    if not is_fault:
        check(some)
        return
    (found,) = faults(some)
    assert (found.code, found.places[0].pointer) == ("V443", "#/rules/name/from")
    assert "read whole here" in found.places[1].label


def test_check_rules_of_list_items_pairs_one_list_with_one_list() -> None:
    """Rules below a list are one loop."""
    reviewed = check(
        rules(
            rule("places[].town", "addresses[].city"),
            rule("places[].code", "addresses[].zip", on_null="omit"),
        )
    )
    assert [[tuple(map(len, pair)) for pair in one.loops] for one in reviewed.rules] == [[(2, 2)], [(2, 2)]]
    assert not reviewed.rules[0].may_be_missing  # `addresses` and `city` are required
    found = faults(rules(rule("places[].town", "addresses[].city"), rule("places[].code", "orders[].id", "stringify")))
    assert [one.code for one in found] == ["V418"]


def test_check_rules_of_rules_out_of_order_gives_them_in_the_schemas_order() -> None:
    """Reviewing a mapper is reading down the destination's schema."""
    reviewed = check(
        rules(
            rule("unix", "created_at", "date", options={"to": "unix_s"}),
            rule("home.code", "note"),
            rule("home.city", "email"),
            rule("props.b", "email"),
            rule("props.a", "email"),
            rule("mail", "email"),
        )
    )
    assert [one.id for one in reviewed.rules] == ["mail", "home.city", "home.code", "props.a", "props.b", "unix"]


def test_check_rules_says_what_is_not_filled_and_not_read() -> None:
    """The lists that MAPPING.md shows; read-only fields are nobody's to fill."""
    reviewed = check(
        rules(rule("home.city", "email"), waive={"name": "not needed"}),
        shop={"email!": "string", "a": {"b": "string"}},
        crm={"-id": "string", "home": {"city!": "string", "code": "string"}, "name": "string", "x": {"y": "string"}},
    )
    assert reviewed.unfilled == (("home", "code"), ("x",))
    assert reviewed.unread == (("a",),)


def test_check_rules_decides_absences_as_the_policies_say() -> None:
    """What the destination model must allow follows from the source and the policy."""
    cases = {
        (None, None): (True, True),
        ("dead", None): (False, True),
        (None, "omit"): (True, False),
        ("dead", "omit"): (True, False),
        ("dead", "dead"): (False, False),
        (Default(value="x"), Default(value="y")): (False, False),
    }
    for (on_missing, on_null), expected in cases.items():
        one = rule("mail", "first_name", on_missing=on_missing, on_null=on_null)
        (checked,) = check(rules(one), crm={"mail": "string?"}).rules
        assert (checked.ends_missing, checked.ends_null) == expected


def test_check_rules_of_a_review_that_holds_accepts_and_of_others_says_why() -> None:
    """Only what a person looked at, as it is now, is compiled."""
    from dataclasses import replace

    one = rule("mail", "email")
    (checked,) = check(rules(one)).rules
    held = Review(stream="customers").accepting(
        "mail", rule=checked.rule_digest, fields=checked.fields_digest, by="ana", on="2026-11-21"
    )
    reviewed = check(rules(one), review=held, draft=False)
    assert (reviewed.open, reviewed.rules[0].accepted_by, reviewed.rules[0].accepted_on) == ((), "ana", "2026-11-21")

    def codes(mapping: Rules, review: Review, **ends: Any) -> list[str]:
        with pytest.raises(DiagnosticError) as caught:
            check(mapping, review=review, draft=False, **ends)
        return [found.code for found in caught.value.diagnostics]

    assert codes(rules(one), Review(stream="customers")) == ["V450"]
    assert codes(rules(replace(one, on_missing="dead")), held) == ["V451"]
    assert codes(rules(one), held, shop={**SHOP, "email!": "string"}) == ["V451"]
    assert codes(
        rules(one),
        held.rejecting("mail", rule=checked.rule_digest, fields=checked.fields_digest, by="bo", on="2026-11-22"),
    ) == ["V453"]
    assert check(rules(one), review=held, shop={**SHOP, "note": "integer"}, draft=False).open == ()


def test_reviewed_rules_are_made_by_check_rules_alone() -> None:
    """The type is the gate."""
    makers = set()
    for path in (Path(__file__).resolve().parents[2] / "compiler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ReviewedRules":
                makers.add(path.name)
    assert makers == {"check.py"}


def test_check_rules_of_a_waiver_that_is_not_needed_warns_of_it() -> None:
    """A loss that is gone leaves no excuse behind."""
    reviewed = check(rules(rule("mail", "email", waive={"length": "fine"})))
    assert [found.code for found in reviewed.warnings] == ["V432", "V450"]

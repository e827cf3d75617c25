"""What reviewers decided before moves the next proposal, visibly."""

from __future__ import annotations

from typing import Any

from vitesse.hooks import Words
from vitesse.mapper.knowledge import with_words
from vitesse.mapper.lessons import Lesson, Lessons, lesson_key
from vitesse.mapper.model import Proposal, StreamProposal
from vitesse.mapper.names import read_name
from vitesse.mapper.propose import Asked, propose
from vitesse.mapper.schema_fields import fields_of
from vitesse.registry import BUILT_IN, Registry
from vitesse.rules.model import End

from .ends import destination, source

REGISTRY = Registry(functions={one.name: one for one in BUILT_IN})
SHOP = {"id!": "integer", "club": "string", "email": "string", "shoe": "string", "state": "string=on|off"}
CRM = {"email": "string", "loyalty_tier": "string", "status": "string=active|idle"}


def key(end: End, text: str, *, writable: bool = False) -> str:
    fields = fields_of(end, writable=writable)
    return next(
        lesson_key(view)
        for reached, view in zip(fields.reached, fields.side.views, strict=True)
        if reached.text == text
    )


def lesson(said: Any, one: str, other: str, **more: Any) -> Lesson:
    return Lesson(
        said=said,
        sources=(key(source(SHOP), one),) if one else (),
        destination=key(destination(CRM), other, writable=True),
        where="shop-crm, customers",
        **more,
    )


def proposal(*lessons: Lesson, registry: Registry = REGISTRY) -> StreamProposal:
    asked = Asked(hints={}, lessons=Lessons.of(lessons))
    return propose("customers", source(SHOP), destination(CRM), registry=registry, asked=asked)


def found(made: StreamProposal, id: str) -> Proposal | None:
    return next((one for one in made.proposals if one.id == id), None)


def test_an_accepted_pair_is_proposed_though_no_word_is_shared() -> None:
    """And the evidence says where it comes from."""
    assert found(proposal(), "loyalty_tier") is None
    one = found(proposal(lesson("accepted", "club", "loyalty_tier")), "loyalty_tier")
    assert one is not None
    assert one.rule.sources == (("club",),)
    assert one.confidence > 0.4
    assert "accepted before in shop-crm, customers" in one.evidence


def test_more_acceptances_make_it_surer() -> None:
    """Counted, not fitted."""
    once = found(proposal(lesson("accepted", "club", "loyalty_tier")), "loyalty_tier")
    again = found(proposal(*[lesson("accepted", "club", "loyalty_tier")] * 4), "loyalty_tier")
    assert once is not None
    assert again is not None
    assert again.confidence > once.confidence + 0.2


def test_a_rejected_pair_is_less_sure() -> None:
    """Half of the chance is gone, and it is said."""
    before = found(proposal(), "email")
    after = found(proposal(lesson("rejected", "email", "email")), "email")
    assert before is not None
    assert after is not None
    assert after.confidence < 0.6 * before.confidence
    assert "rejected before in shop-crm, customers" in after.evidence


def test_a_waived_field_is_filled_less_readily() -> None:
    """What the destination did without it may do without again."""
    before, after = found(proposal(), "email"), found(proposal(lesson("waived", "", "email")), "email")
    assert before is not None
    assert after is None or after.confidence < before.confidence


def test_the_accepted_transform_comes_back_with_its_parameters() -> None:
    """The table of values that a person wrote is not guessed again."""
    table = {"map": {"on": "active", "off": "idle"}}
    one = found(proposal(lesson("accepted", "state", "status", transform="enum", options=table)), "status")
    assert one is not None
    assert (one.rule.transform, one.rule.options) == ("enum", table)
    assert not one.holes


def test_an_accepted_transform_that_does_not_hold_here_gives_way() -> None:
    """Proved like any other: a table for other values is no rule."""
    one = found(proposal(lesson("accepted", "state", "status", transform="parse", options={"to": "integer"})), "status")
    assert one is None or one.rule.transform != "parse"


def test_words_of_a_plugin_are_read_beside_the_shipped_ones() -> None:
    """A trade's own synonyms, and only while its plugin is loaded."""
    taught = Registry(functions=REGISTRY.functions, words=(Words(same={"loyalty_tier": ("loyalty tier", "club")}),))
    one = found(proposal(registry=taught), "loyalty_tier")
    assert one is not None
    assert one.rule.sources == (("club",),)
    assert any("words for one thing" in line for line in one.evidence)
    assert found(proposal(), "loyalty_tier") is None


def test_short_forms_of_a_plugin_are_written_out() -> None:
    """`shp_dt` means what the plugin says."""
    with with_words([Words(short={"shp": "shipping"})]):
        assert read_name("shp_date").concepts == ("shipping", "time")
    assert read_name("shp_date").concepts == ("shp", "time")

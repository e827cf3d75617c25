"""Reading a reply never raises, and lets nothing through that was not asked."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mapper.ends import destination, source
from vitesse.mapper.llm.answers import read_reply
from vitesse.mapper.llm.forms import answer_schema
from vitesse.mapper.llm.prompt import INSTRUCTIONS
from vitesse.mapper.llm.questions import Group, questions_for
from vitesse.mapper.schema_fields import fields_of
from vitesse.rules.transforms import TRANSFORMS

FROM = {"a": "string", "b": "integer", "c": "string=x|y", "d": ["string"]}
TO = {"p": "string", "q": "number", "r": "string=x|z", "s": "boolean"}
GROUP = Group(
    questions=tuple(
        questions_for(
            fields_of(source(FROM), writable=False),
            fields_of(destination(TO), writable=True),
            [[]] * 4,
            [[]] * 4,
            range(4),
            {},
        )
    )
)
_LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from([*FROM, *TO, *TRANSFORMS]),
    st.text(),
)
_JSON = st.recursive(_LEAF, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
_USE = st.fixed_dictionaries(
    {"transform": st.sampled_from([*TRANSFORMS, "none"]) | _LEAF},
    optional=dict.fromkeys(
        ("to", "form", "places", "separator", "part", "map", "function", "template", "value"), _JSON
    ),
)
_ITEM = st.fixed_dictionaries(
    {
        "destination": st.sampled_from(list(TO)) | _LEAF,
        "sources": st.lists(st.sampled_from(list(FROM)) | _LEAF),
        "use": _USE,
    },
    optional={"why": _LEAF, "x": _JSON},
)


def check(text: str) -> None:
    read = read_reply(text, GROUP, ("lower",))
    assert set(read.answers) <= set(TO)
    assert read.faults or set(read.answers) == set(TO)
    for answer in read.answers.values():
        assert set(answer.sources) <= set(FROM)
        assert answer.transform in {*TRANSFORMS, "none"}
        assert answer.transform not in ("template", "constant", "lookup", "each")
        assert len(answer.why) <= 200
        json.dumps(dict(answer.options), ensure_ascii=False).encode()
    assert all(len(fault) < 400 and fault.isprintable() for fault in read.faults)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """As faults, when it is no answer."""
    check(text)


@settings(max_examples=100, deadline=None)
@given(_JSON)
def test_any_json_is_read(value: object) -> None:
    """Of any form."""
    check(json.dumps(value))
    check(json.dumps({"answers": value}))


@settings(max_examples=60, deadline=None)
@given(st.lists(_ITEM, max_size=3))
def test_any_answers_are_held_to_the_form(items: list[object]) -> None:
    """Near misses too."""
    check(json.dumps({"answers": items}))


def test_lone_surrogates_go_nowhere() -> None:
    """They could not be written down."""
    text = '{"answers": [{"destination": "p", "sources": ["a"], "use": {"transform": "mapping"}, "why": "\\ud800"}]}'
    check(text)


def test_parameters_that_say_nothing_are_overlooked() -> None:
    """As models give them that see no schema; one that says something and does not belong there is a fault."""
    use = {"transform": "mapping", "separator": None, "places": None}
    item = {"destination": "p", "sources": ["a"], "use": use, "why": ""}
    assert set(read_reply(json.dumps({"answers": [item]}), GROUP, ()).answers) == {"p"}
    use["separator"] = ","
    assert read_reply(json.dumps({"answers": [item]}), GROUP, ()).answers == {}


def test_the_instructions_name_every_transform_of_the_form_and_every_word_of_its_lists() -> None:
    """A server may enforce nothing: what a model may answer stands in words too."""
    schema = json.dumps(answer_schema(["p"], ["a"], ["f"]))
    for word in {word for match in re.findall(r'"enum": (\[[^]]*\])', schema) for word in json.loads(match)} - {
        "p",
        "a",
        "f",
    }:
        assert json.dumps(word) in INSTRUCTIONS or word == "direct", word

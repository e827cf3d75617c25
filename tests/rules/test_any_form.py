"""A rule of any form holds, or is refused with a place; nothing else comes of it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.registry import BUILT_IN, Registry
from vitesse.rules.check import check_rules
from vitesse.rules.load import read_rule
from vitesse.rules.model import Rules
from vitesse.rules.review import Review
from vitesse.rules.transforms import TRANSFORMS

from .apis import destination, source

REGISTRY = Registry(functions={one.name: one for one in BUILT_IN})
FIELDS = {
    "t!": "string",
    "n?": "integer",
    "d": "string:date-time",
    "e": "string=a|b",
    "l": ["string"],
    "o": {"x": "string"},
    "os": [{"x!": "string", "y": "number?"}],
    "m": {"*": "integer"},
    "any": "any",
    "f": "number:double",
}
PATHS = st.sampled_from(
    ["t", "n", "d", "e", "l", "l[]", "o", "o.x", "os", "os[].x", "os[].y", "m", "m.k", "any", "any.k", "f", "none"]
)
OPTION = st.sampled_from(sorted({option.name for row in TRANSFORMS.values() for option in row.options}))
WORDS = st.sampled_from(["a", "decimal", "integer", "{t}", "iso8601", "unix_s", "%Y", "%", "UTC", "up", "parse", ""])
OPTION_VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2000, 2000),
    WORDS,
    st.lists(WORDS, max_size=2),
    st.dictionaries(WORDS, st.sampled_from(["a", 1, True]), max_size=2),
)
FORMS = st.fixed_dictionaries(
    {"transform": st.sampled_from(sorted(TRANSFORMS))},
    optional={
        "from": PATHS | st.lists(PATHS, min_size=1, max_size=3),
        "with": st.dictionaries(OPTION, OPTION_VALUE, max_size=3),
        "on_missing": st.sampled_from(["omit", "dead"]) | st.fixed_dictionaries({"value": OPTION_VALUE}),
        "on_null": st.sampled_from(["keep", "omit", "dead"]) | st.fixed_dictionaries({"value": OPTION_VALUE}),
        "waive": st.dictionaries(
            st.sampled_from(["length", "enum_gap", "decimal_to_float", "no"]), st.just("so"), max_size=2
        ),
    },
)


@settings(max_examples=200, deadline=None)
@given(forms=st.dictionaries(PATHS, FORMS, min_size=1, max_size=4))
def test_rules_of_any_form_hold_or_are_refused_with_places_and_never_raise_anything_else(forms: dict[str, Any]) -> None:
    """A slip in a mapping is never a traceback."""
    ends = source(FIELDS), destination(FIELDS)
    try:
        rules = Rules(
            stream="people",
            file="mappings/people.yaml",
            rules=tuple(read_rule("people", id, form) for id, form in forms.items()),
        )
        check_rules(
            rules, source=ends[0], destination=ends[1], registry=REGISTRY, review=Review(stream="people"), draft=True
        )
        found: tuple[Diagnostic, ...] = ()
    except DiagnosticError as error:
        found = error.diagnostics
    assert all(one.places and one.message for one in found)

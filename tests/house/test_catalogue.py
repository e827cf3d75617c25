"""Every diagnostic code is used, explained and produced by a test."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.house.tree import texts
from vitesse.diagnostics.catalogue import TITLES

_CODE = re.compile(r"""["'](V\d{3})["']""")
_SECTION = re.compile(r"^#{2,3} (V\d{3})\b[ :—-]*(.*)$", re.MULTILINE)


def used_codes(files: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Code → the first file that names it as a string."""
    found: dict[str, str] = {}
    for name, text in files:
        for code in _CODE.findall(text):
            found.setdefault(code, name)
    return found


def _in_source() -> dict[str, str]:
    files = texts("compiler/", "plugins/")
    return used_codes((name, text) for name, text in files if not name.endswith("diagnostics/catalogue.py"))


def test_codes_in_the_source_are_in_the_catalogue():
    assert {code: name for code, name in _in_source().items() if code not in TITLES} == {}


def test_codes_in_the_catalogue_are_used():
    """A code that nothing says any more leaves the table, and its number is not given again."""
    assert sorted(set(TITLES) - set(_in_source())) == []


def test_codes_in_the_catalogue_stand_in_order():
    assert list(TITLES) == sorted(TITLES)


def test_titles_are_clauses_of_their_own():
    assert {
        code: title for code, title in TITLES.items() if not title or title != title.strip() or title[-1] in ".!"
    } == {}
    assert len(set(TITLES.values())) == len(TITLES)


def test_codes_have_a_section_with_their_title():
    page = dict(texts("docs/diagnostics.md"))["docs/diagnostics.md"]
    assert dict(_SECTION.findall(page)) == TITLES


def test_sections_say_something_and_stand_in_order():
    page = dict(texts("docs/diagnostics.md"))["docs/diagnostics.md"]
    parts = re.split(r"^#{2,3} ", page, flags=re.MULTILINE)
    sections = [part for part in parts if re.match(r"V\d{3}\b", part)]
    assert [part.splitlines()[0] for part in sections if len("".join(part.splitlines()[1:]).strip()) < 40] == []
    assert [part[:4] for part in sections] == sorted(part[:4] for part in sections)


def test_codes_are_produced_by_a_test():
    files = ((name, text) for name, text in texts("tests/") if not name.startswith("tests/house/"))
    tested = {code for _, text in files for code in re.findall(r"\bV\d{3}\b", text)}
    assert sorted(set(TITLES) - tested) == []


def test_used_codes_finds_a_code_that_is_not_in_the_catalogue():
    assert used_codes([("a.py", 'Diagnostic(code="V000", message="x")')]) == {"V000": "a.py"}

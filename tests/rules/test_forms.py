"""Forms are read as YAML 1.2 means them, and the published JSON Schemas are the forms' own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitesse.diagnostics import DiagnosticError
from vitesse.forms import either, near, pointer, read_form
from vitesse.schemas import SCHEMAS, schema_text
from vitesse.yaml import YamlError, _read_with_pyyaml, read_json, read_yaml

DOCS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("read", [read_yaml, _read_with_pyyaml])
def test_read_yaml_of_words_that_yaml_1_1_changes_keeps_them_text(read) -> None:  # type: ignore[no-untyped-def]
    """`no` is Norway, a date is text, a key is text: with both parsers."""
    found = read(
        'country: no\non: 2024-01-15\nmap: {1: one, true: no, 010: x, "2": two}\nat: 12:30:00\ndone: true\nn: 1.5\n'
    )
    assert found == {
        "country": "no",
        "on": "2024-01-15",
        "map": {"1": "one", "true": "no", "010": "x", "2": "two"},
        "at": "12:30:00",
        "done": True,
        "n": 1.5,
    }


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2\n", "a: [1\n", "a: !!python/object:os.system x\n", "a: !mine x\n", "\t- a"]
)
def test_read_yaml_of_what_means_two_things_or_none_is_refused(text: str) -> None:
    """A key that stands twice would lose one of its values in silence."""
    with pytest.raises(YamlError):
        read_yaml(text)


def test_read_yaml_of_aliases_that_grow_without_end_is_refused() -> None:
    """A few lines must not take the machine's memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(YamlError, match="more values"):
        read_yaml("\n".join(lines))


def test_read_json_of_a_fault_names_the_line() -> None:
    """As for YAML."""
    with pytest.raises(YamlError) as caught:
        read_json('{\n"a": }')
    assert caught.value.line == 2


def test_read_form_of_bytes_that_are_no_text_says_so(tmp_path: Path) -> None:
    """Encoding faults are the user's to mend."""
    (tmp_path / "integration.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(DiagnosticError, match=r"V001: .*UTF-8"):
        read_form(tmp_path, "integration.yaml")


def test_near_of_a_misspelt_name_finds_it_first() -> None:
    """Suggestions are few and plausible."""
    assert near("lifetim_value", ["lifetime_value", "email", "life"])[0] == "lifetime_value"
    assert near("zzz", ["email", "phone"]) == ()
    assert either(("a", "b", "c")) == "`a`, `b` or `c`"
    assert pointer("paths", "/a~b", 0) == "#/paths/~1a~0b/0"


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schema_is_the_one_the_forms_give(name: str) -> None:
    """Run `python scripts/schemas.py` after a change of a form."""
    assert (DOCS / name).read_text() == schema_text(name)
    assert json.loads(schema_text(name))["$schema"].startswith("https://json-schema.org/")

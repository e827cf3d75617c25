from __future__ import annotations

from pathlib import Path

import pytest

from vitesse.diagnostics import Diagnostic, Place
from vitesse.diagnostics.terminal import render_terminal, visible

SPEC = """\
components:
  schemas:
    Person:
      type: object
      properties:
        email: {type: string, format: email}
"""


@pytest.fixture
def required() -> Diagnostic:
    return Diagnostic(
        code="T100",
        message="required destination field `email` is never filled",
        places=(
            Place(file="specs/crm.yaml", pointer="#/components/schemas/Person/properties/email", label="required here"),
            Place(file="mappings/customers.yaml", pointer="#/rules"),
        ),
        notes=("`shopify` offers `contact_email` (string, may be null)",),
        help="add a rule for it, or list it under `waive` with a reason",
    )


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def test_render_with_files_shows_lines_and_carets(tmp_path: Path, required: Diagnostic):
    write(tmp_path, "specs/crm.yaml", SPEC)
    write(tmp_path, "mappings/customers.yaml", "vitesse: 1\nrules:\n")
    assert render_terminal([required], tmp_path) == (
        "error[T100]: required destination field `email` is never filled\n"
        "  --> specs/crm.yaml:6:9   #/components/schemas/Person/properties/email\n"
        "   |\n"
        "  6|         email: {type: string, format: email}\n"
        "   |         ^^^^^ required here\n"
        "  --> mappings/customers.yaml:2:1\n"
        "   = note: `shopify` offers `contact_email` (string, may be null)\n"
        "   = help: add a rule for it, or list it under `waive` with a reason\n"
        "\n"
        "1 error\n"
    )


def test_render_with_a_four_digit_line_keeps_the_bars_in_one_column(tmp_path: Path, required: Diagnostic):
    write(tmp_path, "specs/crm.yaml", "# line\n" * 1176 + SPEC)
    lines = render_terminal([required], tmp_path).splitlines()
    assert lines[1:5] == [
        "   --> specs/crm.yaml:1182:9   #/components/schemas/Person/properties/email",
        "    |",
        "1182|         email: {type: string, format: email}",
        "    |         ^^^^^ required here",
    ]


def test_render_without_files_shows_pointers(tmp_path: Path, required: Diagnostic):
    text = render_terminal([required], tmp_path)
    assert "  --> specs/crm.yaml   #/components/schemas/Person/properties/email   required here\n" in text
    assert "  --> mappings/customers.yaml   #/rules\n" in text


def test_render_of_nothing_is_nothing():
    assert render_terminal([]) == ""


def test_render_of_several_counts_each_kind(tmp_path: Path):
    found = [
        Diagnostic(code="T200", severity="warning", message="w"),
        Diagnostic(code="T100", message="b"),
        Diagnostic(code="T100", message="a"),
        Diagnostic(code="T300", severity="note", message="n"),
    ]
    assert render_terminal(found) == (
        "error[T100]: a\n\nerror[T100]: b\n\nwarning[T200]: w\n\nnote[T300]: n\n\n2 errors, 1 warning, 1 note\n"
    )


def test_render_of_many_notes_alike_gives_those_after_the_third_a_line_each(tmp_path: Path):
    """Errors and warnings are always shown in full; of notes nothing is left out but their excerpts."""
    (tmp_path / "a.yaml").write_text("".join(f"n{number}: 1\n" for number in range(6)))
    notes = [
        Diagnostic(
            code="V216",
            severity="note",
            message=f"left out n{n}",
            places=(Place(file="a.yaml", pointer=f"#/n{n}"),),
            help="h",
        )
        for n in range(6)
    ]
    errors = [
        Diagnostic(code="V412", severity="error", message=f"e{n}", places=(Place(file="a.yaml", pointer=f"#/n{n}"),))
        for n in range(5)
    ]
    text = render_terminal([*notes, *errors], tmp_path)
    assert text.count("= help: h") == 3
    assert [line for line in text.splitlines() if "  --> " in line and line.startswith("note")] == [
        f"note[V216]: left out n{n}  --> a.yaml:{n + 1}" for n in (3, 4, 5)
    ]
    assert text.count("error[V412]") == 5
    assert text.count("^^") == 8
    assert text.endswith("5 errors, 6 notes\n")


def test_render_of_outside_text_shows_escapes_everywhere(tmp_path: Path):
    """Text from a spec cannot clear the screen, forge a line or turn its direction."""
    nasty = "a\x1b[2J\nb\u202ec\x85d\u2028e"
    write(tmp_path, "s.json", '{"k": "\u202e\u2066 \x7f\x9b2J"}\n')
    text = render_terminal(
        [
            Diagnostic(
                code="T100",
                message=nasty,
                places=(
                    Place(file="s.json", pointer="#/k", label=nasty),
                    Place(file="s.json\x1b[1m", pointer=f"#/{nasty}"),
                ),
                notes=(nasty,),
                help=nasty,
            )
        ],
        tmp_path,
    )
    assert all(char == "\n" or char.isprintable() for char in text)
    assert text.count("a\\u{1b}[2J\\nb\\u{202e}c\\u{85}d\\u{2028}e") == 4 + 1
    assert len(text.splitlines()) == 10


def test_render_of_wide_letters_puts_the_caret_under_the_name(tmp_path: Path):
    write(tmp_path, "s.yaml", "{名前: é, key: x}\n")
    lines = render_terminal(
        [Diagnostic(code="T100", message="m", places=(Place(file="s.yaml", pointer="#/key"),))], tmp_path
    )
    shown, marks = lines.splitlines()[3:5]
    assert shown == "  1| {名前: é, key: x}"
    assert marks == "   | " + " " * 10 + "^^^"


def test_render_of_a_tab_keeps_the_caret_in_place(tmp_path: Path):
    write(tmp_path, "s.json", '{\n\t"a": 1}\n')
    lines = render_terminal(
        [Diagnostic(code="T100", message="m", places=(Place(file="s.json", pointer="#/a"),))], tmp_path
    )
    assert lines.splitlines()[3:5] == ['  2|     "a": 1}', "   |     ^^^"]


def test_render_of_one_endless_line_cuts_around_what_is_meant(tmp_path: Path):
    text = "{" + ",".join(f'"k{n}": {n}' for n in range(10_000)) + "}"
    write(tmp_path, "s.json", text)
    place = Place(file="s.json", pointer="#/k5000", label="this one")
    shown, marks = render_terminal([Diagnostic(code="T100", message="m", places=(place,))], tmp_path).splitlines()[3:5]
    assert len(shown) < 120
    start = marks.index("^")
    assert shown[start : start + marks.count("^")] == '"k5000"'


def test_render_in_colour_colours_the_head_alone():
    text = render_terminal([Diagnostic(code="T100", message="m\x1b", help="h")], colour=True)
    assert text.splitlines()[0] == "\x1b[1;31merror[T100]\x1b[0;1m: m\\u{1b}\x1b[0m"
    assert "\x1b" not in "".join(text.splitlines()[1:])


def test_visible_keeps_ordinary_letters_of_any_script():
    assert visible("naïve 名前 العربية") == "naïve 名前 العربية"

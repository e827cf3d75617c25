"""The Python templates: outside text cannot leave the literal it is written as, and a template that would let it is refused."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import TemplateSyntaxError

from tests.render.plans import plan
from vitesse.diagnostics import InternalError
from vitesse.plan.model import Plan
from vitesse.render import literals
from vitesse.render.environment import PyEnvironment, load_modules
from vitesse.render.memo import Memo
from vitesse.render.package import derived_modules

MODULES = Path(__file__).resolve().parents[2] / "runtime_template" / "modules"

POISON = (
    ' "x" \'y\' """z""" \'\'\'w\'\'\'\n    import os\n\\ \\" {{ 7*7 }} {% raw %} #! ${x} `id` \u202e \u2028 \u0000 \u0301'
    " \U000e0041 \ud800 \u0430 \u540d\r\nEND"
)
"""Both quotes and runs of them, newlines, backslashes, template marks, bidirectional marks, NUL, half a surrogate pair."""


# --- 1: what stands in the templates ----------------------------------------------------------------------------------


def marks_inside_strings(source: str) -> list[int]:
    """Lines on which a `{{ }}` stands inside a string, a docstring or a comment of the Python around it."""
    text, line_of_mark = _with_marks(source)
    spans = re.compile(
        r"'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^\\'\n])*'|\"(?:\\.|[^\\\"\n])*\"|#[^\n]*",
        re.DOTALL,
    )
    inside = [match.start() + offset for match in spans.finditer(text) for offset in _marks(match[0])]
    return sorted(line_of_mark[position] for position in inside)


def _marks(text: str) -> Iterator[int]:
    return (offset for offset, character in enumerate(text) if character == "\0")


def _with_marks(source: str) -> tuple[str, dict[int, int]]:
    """The template's own Python with one NUL for each `{{ }}`."""
    parts: list[str] = []
    lines: dict[int, int] = {}
    length = 0
    is_skipped = False
    for number, token, value in PyEnvironment({}).lex(source):
        piece = ""
        if token in ("block_begin", "variable_begin", "comment_begin", "raw_begin"):
            is_skipped = True
            if token == "variable_begin":
                piece, lines[length] = "\0", number
        elif token in ("block_end", "variable_end", "comment_end", "raw_end"):
            is_skipped = False
        elif not is_skipped:
            piece = value
        parts.append(piece)
        length += len(piece)
    return "".join(parts), lines


@pytest.mark.parametrize("name", sorted(load_modules(MODULES)))
def test_template_puts_no_value_inside_a_string_or_a_comment(name: str):
    """A literal brings its own quotes; inside others it would end them."""
    source = (MODULES / name).read_text()
    assert marks_inside_strings(source) == []


@pytest.mark.parametrize(
    "source",
    [
        'X = "{{ value }}"',
        "X = '{{ value }}'",
        'X = f"{{ value }}"',
        'X = "a {{ value }} b"',
        '"""{{ value }}"""',
        '"""\n{{ value }}\n"""',
        "x = 1  # {{ value }}",
        "# {{ value }}",
        '{% if a %}X = "{% endif %}{{ value }}"',
    ],
)
def test_value_inside_a_string_or_a_comment_is_seen(source: str):
    """The test above can fail."""
    assert marks_inside_strings(source)


@pytest.mark.parametrize(
    "source", ['X = {{ value }}  # "why"', 'X = "a" {{ value }} "b"', "{# '{{ x }}' #}X = {{ y }}"]
)
def test_value_beside_strings_is_not_seen_as_inside(source: str):
    assert not marks_inside_strings(source)


# --- 2: what comes out ------------------------------------------------------------------------------------------------


def token_kinds(text: str) -> list[tuple[int, str]]:
    """Tokens with what strings say blanked; black may break lines elsewhere when strings grow."""
    layout = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kept = [
        (token.type, "" if token.type == tokenize.STRING else token.string)
        for token in tokens
        if token.type not in layout
    ]
    # A trailing comma before a bracket is black's.
    return [
        token
        for token, following in zip(kept, [*kept[1:], (0, "")], strict=True)
        if not (token[1] == "," and following[1] in ")]}")
    ]


def test_poisoned_plan_gives_the_same_code_but_for_strings():
    """Whatever a vendor or a user writes: the same statements, names and calls, and the text whole in its constants."""
    benign = dict(derived_modules(plan("benign"), MODULES.parent, Memo()))
    poisoned = dict(derived_modules(plan(POISON), MODULES.parent, Memo()))
    assert list(benign) == list(poisoned)
    for path, text in poisoned.items():
        assert token_kinds(text) == token_kinds(benign[path]), path
        tree = ast.parse(text)
        constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        texts = [value for value in constants if isinstance(value, str) and "END" in value]
        for value in texts:
            assert POISON in value or " ".join(POISON.split()) in value, (path, value)
        assert len(texts) == len([v for v in _constants(benign[path]) if isinstance(v, str) and "benign" in v])


def _constants(text: str) -> list[object]:
    return [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]


def test_poisoned_plan_leaves_nothing_unseen_in_the_source():
    """A reviewer sees every character: no bidirectional mark, no NUL, no letter that looks like another."""
    for path, text in derived_modules(plan(POISON), MODULES.parent, Memo()):
        odd = {character for character in text if ord(character) > 126 or (ord(character) < 32 and character != "\n")}
        assert odd <= {"→", "名"}, path


def test_names_of_the_plan_are_checked_again():
    before = plan()
    for bad in ("x y", "print(1)", "class", "__init__", "é", "", 'a"'):
        broken: Plan = replace(before, source=replace(before.source, constant=bad))
        with pytest.raises(InternalError):
            derived_modules(broken, MODULES.parent, Memo())


# --- 3: templates that are refused ------------------------------------------------------------------------------------

REFUSED_AT_COMPILE = [
    "{% filter upper %}{{ value }}{% endfilter %}",
    "{% set x %}{{ value }}{% endset %}",
    "{% autoescape true %}{{ value }}{% endautoescape %}",
    "{{ value.__class__ }}",
    "{{ value._private }}",
    "{{ value|replace('a', 'b') }}",
    "{{ value|safe }}",
    "{{ value|tojson }}",
    "{{ value|e }}",
    "{{ value|attr('__class__') }}",
    "{% do value.append(1) %}",
    "{{ _('x') }}{% trans %}x{% endtrans %}",
]


@pytest.mark.parametrize("source", REFUSED_AT_COMPILE)
def test_template_that_would_undo_quoting_is_refused(source: str):
    with pytest.raises(TemplateSyntaxError):
        PyEnvironment({"x": source}).text("x", value="outside")


REFUSED_AT_RUN = [
    "{% if value is sameas 1 %}{% endif %}",
    "{{ missing }}",
    "{{ value.missing }}",
    "{{ [missing] }}",
    "{{ ', ' if false }}",
    "{{ value.title }}",
    "{{ numbers|args }}{{ generator }}",
    "{{ value['__class__'] }}",
    "{{ code['__class__'] }}",
    "{{ value|name }}",
    "{{ value|dotted }}",
    "{{ nan }}",
    "{{ subclass }}",
    "{{ code.__class__('x') }}",
    "{{ range(3) }}",
    "{{ markup }}",
    "{{ numbers|docstring }}",
    "{{ value|args }}",
]


@pytest.mark.parametrize("source", REFUSED_AT_RUN)
def test_value_without_a_literal_is_refused(source: str):
    """Nothing is guessed: an undefined name, a bound method, a generator, a subclass of `str`."""
    from markupsafe import Markup

    class Text(str):
        pass

    values = {
        "value": "out side",
        "code": literals.name("x"),
        "numbers": [1, 2],
        "generator": (x for x in ()),
        "nan": float("nan"),
        "subclass": Text("x"),
        "markup": Markup("x"),
    }
    with pytest.raises(Exception) as error:  # noqa: PT011 - Jinja's own errors beside ours
        PyEnvironment({"x": source}).text("x", **values)
    assert not isinstance(error.value, AssertionError)


QUOTED = [
    ("{{ value }}", '"a\\nb"'),
    ("{{ value ~ '!' }}", '"a\\nb!"'),
    ("{{ code ~ value }}", '"xa\\nb"'),
    ("{{ code + value }}", '"xa\\nb"'),
    ("{{ value.upper() }}", '"A\\nB"'),
    ("{{ '%s' % value }}", '"a\\nb"'),
    ("{{ '{}'.format(value) }}", '"a\\nb"'),
    ("{{ value[0:1] }}", '"a"'),
    ("{{ 'constant' }}", '"constant"'),
    ("{% set x = value %}{{ x }}", '"a\\nb"'),
    ("{{ [value, 1, none, true, 1.5] }}", '["a\\nb", 1, None, True, 1.5]'),
    ("{{ {value: [value]} }}", '{"a\\nb": ["a\\nb"]}'),
    ("{{ (value,) }}", '("a\\nb",)'),
    ("{% for v in [value] %}{{ v }}{% endfor %}", '"a\\nb"'),
    ("{% include 'other' %}", '"a\\nb"'),
    ("{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(value) }}", '["a\\nb"]'),
    ("{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(m(value)) }}", '[["a\\nb"]]'),
    ("{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}{{ value }}{% endcall %}", '["a\\nb"]'),
    ("{% from 'macros' import f %}{{ f(value) }}", 'f("a\\nb")'),
    ("{{ [value, value]|args }}", '"a\\nb", "a\\nb"'),
    ("{{ code }}{{ 'a.b'|dotted }}", "xa.b"),
]


@pytest.mark.parametrize(("source", "written"), QUOTED)
def test_value_is_written_as_one_literal(source: str, written: str):
    """Through every way Jinja has, a value is quoted once; joined with code it is text again."""
    env = PyEnvironment({"x": source, "other": "{{ value }}", "macros": "{% macro f(x) %}f({{ x }}){% endmacro %}"})
    assert env.text("x", value="a\nb", code=literals.name("x")) == written


def test_macro_gives_what_its_text_would_give_in_place():
    """Two internals of Jinja are relied on for this."""
    env = PyEnvironment(
        {"macro": "{% macro m(a, b) %}{{ a }}: {{ b }}{% endmacro %}{{ m(1, b='x') }}", "plain": "{{ 1 }}: {{ 'x' }}"}
    )
    assert env.text("macro") == env.text("plain")


def test_code_is_made_by_its_module_only():
    for kind in (literals.Code, literals.Identifier):
        with pytest.raises(InternalError):
            kind("os.system")

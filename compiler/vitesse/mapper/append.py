"""A mapping file's text + new rules → its text with a block for each, in the order of the destination's schema.

Never touches what is there: lines, comments and order stay byte for byte; blocks are put between them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import yaml

from ..api.model import Json
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..rules.digests import rule_form
from .model import Proposal

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.+-]*(?: [A-Za-z0-9_$.+-]+)*")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.+\-\[\]]*")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})
Position = tuple[tuple[int, str], ...]


def new_mapping(stream: str) -> str:
    """An empty mapping."""
    return f"vitesse: 1\nstream: {stream}\nrules: {{}}\n"


def append_rules(text: str, proposals: Sequence[Proposal], positions: Mapping[str, Position], file: str) -> str:
    """Put a block for each proposal where it belongs.

    Args:
        text: The file as it is.
        positions: Rule → where its destination stands in the schema; for the rules that are there and the new ones.

    Raises:
        DiagnosticError: V433 when the rules stand in braces, where no block can be put between them.
    """
    if not proposals:
        return text
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found = {key.value: (key, value) for key, value in root.value} if root is not None else {}
    blocks = sorted(
        ((positions.get(one.id, ()), block_of(one)) for one in proposals), key=lambda one: (one[0] == (), one[0])
    )
    ends = text if text.endswith("\n") or not text else text + "\n"
    if "rules" not in found:
        return ends + "rules:\n" + "".join(block for _, block in blocks)
    key, value = found["rules"]
    lines = ends.splitlines(keepends=True)
    if value.id == "scalar" or not value.value:
        at = key.start_mark.line
        lines[at : value.end_mark.line + 1] = [f"rules:{_comment(lines[value.end_mark.line])}\n"]
        return "".join([*lines[: at + 1], *(block for _, block in blocks), *lines[at + 1 :]])
    if value.flow_style:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V433",
                    message="the rules stand in braces, where `map` cannot put new ones between",
                    places=(Place(file=file, pointer="#/rules"),),
                    help="write each rule on lines of its own",
                )
            ]
        )
    return _between(lines, value, blocks, positions)


def _between(
    lines: list[str],
    rules: yaml.MappingNode,
    blocks: Sequence[tuple[Position, str]],
    positions: Mapping[str, Position],
) -> str:
    starts = [(positions.get(key.value, ()), _first_line(lines, key.start_mark.line)) for key, _ in rules.value]
    indent = " " * rules.value[0][0].start_mark.column
    end = _last_line(lines, rules.value[-1][1].end_mark.line, len(indent))
    inserted: dict[int, list[str]] = {}
    for position, block in blocks:
        later = [line for other, line in starts if other and position and other > position]
        at = min(later) if later else end
        inserted.setdefault(at, []).append(block if indent == "  " else _indented(block, indent))
    out: list[str] = []
    for number, line in enumerate([*lines, ""]):
        out += inserted.get(number, [])
        out.append(line)
    return "".join(out)


def _first_line(lines: Sequence[str], line: int) -> int:
    """The line of a rule, or of the comment that stands right above it."""
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def _last_line(lines: Sequence[str], line: int, indent: int) -> int:
    """Behind the last rule: before the blank lines and comments that belong to what follows."""
    line = min(line, len(lines))
    while line > 0 and (
        not lines[line - 1].strip()
        or (lines[line - 1].lstrip().startswith("#") and len(lines[line - 1]) - len(lines[line - 1].lstrip()) < indent)
    ):
        line -= 1
    while line < len(lines) and lines[line].strip() and not lines[line][:indent].strip():
        line += 1
    return line


def _indented(block: str, indent: str) -> str:
    return "".join(indent + line[2:] for line in block.splitlines(keepends=True))


def _comment(line: str) -> str:
    at = line.find(" #")
    return line[at:].rstrip() if at >= 0 else ""


# --- writing ----------------------------------------------------------------------------------------------------------


def block_of(proposal: Proposal) -> str:
    """One rule as a person would write it, with a comment for each decision that is left to them."""
    lines = [f"  # decide: {' '.join(hole.split())}" for hole in proposal.holes]
    lines.append(f"  {key_text(proposal.id)}:")
    for name, value in rule_form(proposal.rule).items():
        lines.append(f"    {name}: {flow(value)}")
    return "\n".join(lines) + "\n"


def key_text(text: str) -> str:
    """A key, bare where nothing is ambiguous."""
    return text if _PLAIN_KEY.fullmatch(text) and text.lower() not in _RESERVED else quoted(text)


def flow(value: Json) -> str:
    """A value on one line."""
    match value:
        case str():
            return _flow_text(value)
        case list():
            return "[" + ", ".join(flow(one) for one in value) + "]"
        case dict():
            return "{" + ", ".join(f"{_flow_text(key)}: {flow(one)}" for key, one in value.items()) + "}"
        case _:
            return json.dumps(value)


def _flow_text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED else quoted(text)


def quoted(text: str) -> str:
    """In double quotes, with whatever does not print as an escape."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    code = ord(char)
    short = {10: "\\n", 13: "\\r", 9: "\\t"}.get(code)
    return short or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")

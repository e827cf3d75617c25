"""The lines of a facts file: taken apart so that a person's stay, and written one fact a line.

A fact's lines are found by the marks of a YAML parser, not by their looks; whatever stands between two facts belongs to the
one after it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from .model import Json

_PLAIN = re.compile(r"[A-Za-z_/#.$][A-Za-z0-9_./#$@%+=?&~*()-]*\Z")
_PLAIN_KEY = re.compile(r"[A-Za-z_/][A-Za-z0-9_./$@%+=?&~*(){}-]*(?: [A-Za-z0-9_./$@%+=?&~*(){}-]+)*\Z")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~", ""})
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\ud800-\udfff\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(slots=True)
class Part:
    """One fact as it stands: the comments above it, its lines, a comment behind it."""

    name: str
    comments: list[str]
    lines: list[str]
    remark: str
    by_person: bool


@dataclass(slots=True)
class Block:
    """One operation as it stands."""

    name: str
    comments: list[str]
    head: str
    parts: list[Part] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    """Comments after the last fact."""


def split_lines(text: str) -> tuple[list[str], list[Block]]:
    """(lines above the first operation, the operations). A text that cannot be taken apart is refused.

    Raises:
        ValueError: When it is not YAML; who calls has read it before and knows what to say.
    """
    import yaml

    lines = text.splitlines()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if root is None or not isinstance(root, yaml.MappingNode):
        return lines, []
    starts = [key.start_mark.line for key, _ in root.value] + [len(lines)]
    head_end = _comments_before(lines, starts[0], 0)
    blocks: list[Block] = []
    above = lines[head_end : starts[0]]
    for index, (key, value) in enumerate(root.value):
        end = starts[index + 1]
        own_end = _comments_before(lines, end, starts[index] + 1) if index + 1 < len(root.value) else end
        blocks.append(_block(key, value, lines, starts[index], own_end, above))
        above = lines[own_end:end]
    return lines[:head_end], blocks


def _comments_before(lines: list[str], line: int, floor: int) -> int:
    """Where the run of unindented comments and empty lines above a line begins."""
    while line > floor and (not lines[line - 1].strip() or lines[line - 1].startswith("#")):
        line -= 1
    return line


def _block(key: Any, value: Any, lines: list[str], start: int, end: int, above: list[str]) -> Block:
    import yaml

    block = Block(name=key.value, comments=above, head=lines[start])
    if not isinstance(value, yaml.MappingNode) or value.flow_style or not value.value:
        members = value.value if isinstance(value, yaml.MappingNode) else []
        block.head = render_key(key.value) + ":"
        block.parts = [_flow_part(name, member) for name, member in members]
        return block
    starts = [name.start_mark.line for name, _ in value.value] + [end]
    comments = lines[start + 1 : starts[0]]
    for index, (name, member) in enumerate(value.value):
        until = starts[index + 1]
        while until > starts[index] + 1 and (not lines[until - 1].strip() or lines[until - 1].lstrip().startswith("#")):
            until -= 1
        own = lines[starts[index] : until]
        block.parts.append(Part(name.value, comments, own, _remark(member, lines), _is_persons(member)))
        comments = lines[until : starts[index + 1]]
    block.tail = comments
    return block


def _flow_part(name: Any, member: Any) -> Part:
    import yaml

    value = yaml.SafeLoader("").construct_object(member, deep=True)
    return Part(name.value, [], [render_line(name.value, value)], "", _is_persons(member))


def _is_persons(member: Any) -> bool:
    pairs = member.value if member.id == "mapping" else ()
    return any(key.value == "by" and getattr(value, "value", None) == "person" for key, value in pairs)


def _remark(member: Any, lines: list[str]) -> str:
    """The comment behind a fact that is one flow mapping on one line."""
    mark = member.end_mark
    if member.id != "mapping" or not member.flow_style or mark.line >= len(lines):
        return ""
    rest = lines[mark.line][mark.column :]
    return rest if rest.lstrip().startswith("#") else ""


def render_line(kind: str, fact: Any) -> str:
    """One fact: `  records: {value: customers, at: "#/…", confidence: 0.99}`."""
    return f"  {render_key(kind)}: {render_flow(fact)}"


def render_flow(value: Json) -> str:
    """JSON as a YAML flow value, words without quotes where that is safe."""
    match value:
        case dict():
            return "{" + ", ".join(f"{render_word(key)}: {render_flow(member)}" for key, member in value.items()) + "}"
        case list():
            return "[" + ", ".join(render_flow(item) for item in value) + "]"
        case str():
            return render_word(value)
        case _:
            return json.dumps(value)


def render_word(text: str) -> str:
    """A text inside a flow value."""
    plain = _PLAIN.match(text) and text.lower() not in _WORDS and not text.startswith("#") and not text.endswith(":")
    return text if plain else _quoted(text)


def render_key(text: str) -> str:
    """A text as the key of a block mapping: `GET /customers/{id}.json`."""
    return text if _PLAIN_KEY.match(text) and text.lower() not in _WORDS else _quoted(text)


def _quoted(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))

"""A mapping file's text + one decision → its text, with every other line, comment and space as it was.

The file is the person's: a changed rule keeps its place, and its unchanged keys keep their lines. What a text looks like afterwards is
read back before it is written, so an edit that does not mean what it should is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import yaml

from ..api.model import Json
from ..api.paths import Path, PathSyntaxError, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..mapper.append import Position, append_rules, flow, key_text
from ..mapper.model import Proposal
from ..rules.digests import rule_form
from ..rules.model import Rule

_ORDER = ("from", "transform", "with", "on_missing", "on_null", "waive")
_DECIDE = "# decide:"
"""What `map` writes above a rule that holds a decision; it goes with the decision."""


def put_rule(text: str, rule: Rule, before: Rule | None, positions: Mapping[str, Position], file: str) -> str:
    """Write a rule: in place of the one with its id, or where its destination stands in the schema.

    Args:
        before: The rule as the file has it; None when it has none.
        positions: Rule → where its destination stands, for the rules that are there and this one.

    Raises:
        DiagnosticError: V433 when the rules stand in braces, V435 when the rule cannot be told from the lines around it.
    """
    if before is None:
        return append_rules(text, [Proposal(rule=rule, confidence=0, evidence=())], positions, file)
    key, value = _find(text, "rules", rule.destination, file)
    edited = _edited(text, value, rule_form(before), rule_form(rule), _ORDER)
    return _without_decisions(edited, key.start_mark.line)


def settle(text: str, rule: Rule, file: str) -> str:
    """Take away the comments in which `map` asked for the decision that was made."""
    key, _ = _find(text, "rules", rule.destination, file)
    return _without_decisions(text, key.start_mark.line)


def take_out_rule(text: str, rule: Rule, file: str) -> str:
    """Remove a rule with what `map` wrote above it. A person's comment above it stays.

    Raises:
        DiagnosticError: V435 when the rule cannot be told from the lines around it.
    """
    key, value = _find(text, "rules", rule.destination, file)
    rules = _section(text, "rules", file)
    if rules.flow_style:
        raise refused(file, "the rules stand in braces")
    lines = text.splitlines(keepends=True)
    del lines[key.start_mark.line : _last(value) + 1]
    if len(rules.value) == 1:
        for number in range(key.start_mark.line - 1, -1, -1):
            if lines[number].startswith("rules:"):
                lines[number] = lines[number].replace("rules:", "rules: {}", 1)
                break
    return _without_decisions("".join(lines), key.start_mark.line)


def put_waiver(text: str, destination: str, reason: str, file: str) -> str:
    """Say that a destination field stays empty, and why.

    Raises:
        DiagnosticError: V435 when the waivers stand in braces.
    """
    ends = text if text.endswith("\n") or not text else text + "\n"
    line = f"{key_text(destination)}: {flow(reason)}\n"
    root = _compose(ends, file)
    found = {key.value: (key, value) for key, value in root.value}
    if "waive" not in found:
        return f"{ends}waive:\n  {line}"
    key, value = found["waive"]
    lines = ends.splitlines(keepends=True)
    if not isinstance(value, yaml.MappingNode) or not value.value:
        lines[key.start_mark.line : _last(value) + 1] = ["waive:\n", f"  {line}"]
        return "".join(lines)
    if value.flow_style:
        raise refused(file, "the waivers stand in braces")
    first, _ = value.value[0]
    lines.insert(_last(value) + 1, " " * first.start_mark.column + line)
    return "".join(lines)


# --- nodes and lines --------------------------------------------------------------------------------------------------


def _compose(text: str, file: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if not isinstance(root, yaml.MappingNode):
        raise refused(file, "the file is empty")
    return root


def _section(text: str, name: str, file: str) -> yaml.MappingNode:
    for key, value in _compose(text, file).value:
        if key.value == name and isinstance(value, yaml.MappingNode):
            return value
    raise refused(file, f"there is no block `{name}`")


def _find(text: str, section: str, path: Path, file: str) -> tuple[yaml.Node, yaml.Node]:
    for key, value in _section(text, section, file).value:
        try:
            if parse_path(str(key.value)) == path:
                return key, value
        except PathSyntaxError:
            continue
    raise refused(file, "the rule is not there")


def _edited(
    text: str, node: yaml.Node, old: Mapping[str, Json], new: Mapping[str, Json], order: Sequence[str] = ()
) -> str:
    """The text with one mapping of it changed from `old` to `new`, key by key."""
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        return text[: node.start_mark.index] + flow(dict(new)) + text[node.end_mark.index :]
    nodes = {str(key.value): (key, value) for key, value in node.value}
    indent = " " * node.value[0][0].start_mark.column
    for name in sorted(
        nodes, key=lambda name: -nodes[name][0].start_mark.index
    ):  # from the end, so that lines above hold
        if name in new and old.get(name) == new[name]:
            continue
        key, value = nodes[name]
        if name not in new:
            text = _cut_lines(text, key.start_mark.line, _last(value))
            continue
        fresh = new[name]
        if isinstance(fresh, dict) and isinstance(value, yaml.MappingNode) and not value.flow_style and value.value:
            was = old.get(name)
            text = _edited(text, value, was if isinstance(was, dict) else {}, fresh)
        elif value.start_mark.line == key.start_mark.line and _ends_on_its_line(value):
            text = text[: value.start_mark.index] + flow(fresh) + text[value.end_mark.index :]
        else:
            text = _cut_lines(text, key.start_mark.line, _last(value), f"{indent}{key_text(name)}: {flow(fresh)}\n")
    added = [name for name in new if name not in nodes]
    return _with_keys(text, node, nodes, {name: new[name] for name in added}, indent, order) if added else text


def _with_keys(
    text: str,
    node: yaml.MappingNode,
    nodes: Mapping[str, tuple[yaml.Node, yaml.Node]],
    added: Mapping[str, Json],
    indent: str,
    order: Sequence[str],
) -> str:
    """Put new keys behind the last of those that come before them, else at the end."""
    start = node.value[0][0].start_mark.line
    for name in added:
        again = _block_at(text, start, len(indent))
        behind = [one for one in order[: order.index(name)] if one in again] if name in order else list(again)
        line = again[behind[-1]] + 1 if behind else start
        lines = text.splitlines(keepends=True)
        if line == len(lines) and lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.insert(line, f"{indent}{key_text(name)}: {flow(added[name])}\n")
        text = "".join(lines)
    return text


def _block_at(text: str, start: int, indent: int) -> dict[str, int]:
    """Keys of the block mapping that begins on a line → the last line of each."""
    for node in _mappings(_compose(text, "")):
        first = node.value[0][0].start_mark
        if first.line == start and first.column == indent:
            return {str(key.value): _last(value) for key, value in node.value}
    return {}


def _mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode) and node.value:
        if not node.flow_style:
            yield node
        for _, value in node.value:
            yield from _mappings(value)


def _last(node: yaml.Node) -> int:
    """The last line that belongs to a value: marks of blocks run on to the next token."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        inner = node.value[-1]
        return _last(inner[1] if isinstance(inner, tuple) else inner)
    end = node.end_mark
    return end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line


def _ends_on_its_line(node: yaml.Node) -> bool:
    return bool(node.start_mark.line == node.end_mark.line)


def _cut_lines(text: str, first: int, last: int, instead: str = "") -> str:
    lines = text.splitlines(keepends=True)
    lines[first : last + 1] = [instead] if instead else []
    return "".join(lines)


def _without_decisions(text: str, line: int) -> str:
    lines = text.splitlines(keepends=True)
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        if lines[line].lstrip().startswith(_DECIDE):
            del lines[line]
    return "".join(lines)


def refused(file: str, why: str) -> DiagnosticError:
    """V435, to be raised."""
    return DiagnosticError(
        [
            Diagnostic(
                code="V435",
                message=f"the mapping cannot be edited where it stands: {why}",
                places=(Place(file=file, pointer="#/rules"),),
                help="edit the file by hand and run `vitesse accept`, or write each rule on lines of its own",
            )
        ]
    )

"""What `vitesse review` shows for one question: a screen of plain lines, in colour where that is wanted."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..diagnostics.terminal import visible

if TYPE_CHECKING:
    from ..diagnostics import Diagnostic
    from ..mapper.proposal_file import AlternativeForm
    from ..rules.model import End, Reached
    from ..workflow.review import OpenFact, OpenField, OpenRule, Question

_LABEL = 12
RULE_KEYS = "[a]ccept  [c]hange  [r]eject  [s]kip  [b]ack  [u]ndo  [q]uit  [?] help"
FIELD_KEYS = "[c]hoose a source  [w]aive  [s]kip  [b]ack  [u]ndo  [q]uit  [?] help"
FACT_KEYS = "[a]ccept  [s]kip  [b]ack  [u]ndo  [q]uit  [?] help"
HELP = """\
  a        accept: you stand behind it as it is; a reason is asked for each loss
  1 2 …    take that alternative instead; it is written to the mapping and shown again
  c        change the rule key by key; each line is checked at once
  r        reject: the rule is taken out and not proposed again
  w        waive: the field stays empty, and you say why
  s        skip, or Enter: leave it open and go on
  b        back to the one before
  u        undo the last decision
  q        quit: what is decided is kept
"""


class Screen:
    """Lines for a terminal of a width."""

    def __init__(self, *, width: int, colour: bool) -> None:
        self._width = max(60, min(width, 110))
        self._colour = colour

    def paint(self, text: str, style: str) -> str:
        """In colour where that is wanted."""
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and text else text

    def question(self, question: Question, number: int, of: int) -> str:
        """One question from its head to its keys."""
        from ..workflow.review import OpenField, OpenRule

        head = f"── {visible(question.key.stream)} · {number} of {of} "
        lines = ["", self.paint(head + "─" * max(0, self._width - len(head)), "2")]
        if isinstance(question, OpenRule):
            lines += self._rule(question)
        elif isinstance(question, OpenField):
            lines += self._field(question)
        else:
            lines += self._fact(question)
        return "\n".join(lines)

    def keys(self, question: Question) -> str:
        """The keys that can be pressed now."""
        from ..workflow.review import OpenField, OpenRule

        count = len(alternatives(question))
        numbers = "" if not count else "[1] instead  " if count == 1 else f"[1-{count}] instead  "
        if isinstance(question, OpenRule):
            return RULE_KEYS.replace("[c]hange", f"{numbers}[c]hange")
        return f"{numbers}{FIELD_KEYS}" if isinstance(question, OpenField) else FACT_KEYS

    def _rule(self, question: OpenRule) -> Iterator[str]:
        from ..api.paths import format_path
        from ..mapper.append import flow
        from ..rules.words import detail, status_in_words

        rule, checked = question.rule, question.checked
        types = checked.sources if checked is not None else ()
        yield self._end(question.key.id, checked.destination if checked is not None else None, question.destination)
        for index, source in enumerate(rule.sources):
            reached = types[index] if index < len(types) else None
            yield "  ← " + self._end(format_path(source), reached, question.source)
        told = detail(rule)
        yield f"  {self.paint(visible(rule.transform), '36')}" + (f"  {visible(told)}" if told else "")
        yield ""
        if question.sample is not None:
            yield from self._told("sample", str(question.sample))
        yield from self._evidence(question)
        for one in question.found:
            if one.code != "V430":
                yield from self._fault(one)
        for loss in checked.losses if checked is not None else ():
            yield from self._told("loses", f"{loss.code}: {loss.detail}", "33")
            yield from self._told("", _because(loss.reason))
        yield from self._alternatives(alternatives(question))
        yield from self._told("review", status_in_words(question.status, question.entry))
        if not question.is_as_proposed and question.proposed is not None:
            proposed = question.proposed.rule
            parts = [f"{key}: {flow(value)}" for key, value in proposed.items() if key != "waive"]
            yield from self._told("", f"not as it was proposed, which was {', '.join(parts)}")

    def _evidence(self, question: OpenRule) -> Iterator[str]:
        proposed = question.proposed
        if proposed is None:
            yield from self._told("proposed", "by nobody: it was written by hand")
            return
        if not question.is_as_proposed:
            return
        style = "32" if proposed.confidence >= 0.9 else "33" if proposed.confidence >= 0.6 else "31"
        yield from self._told("confidence", f"{proposed.confidence:.2f}, by {proposed.proposer}", style)
        for index, sentence in enumerate(proposed.evidence):
            yield from self._told("evidence" if index == 0 else "", sentence)
        if (back := proposed.back) is not None:
            yield from self._told("way back", back.transform or f"none: {back.why}")
        for hole in proposed.holes:
            yield from self._told("decide", hole, "1;33")

    def _field(self, question: OpenField) -> Iterator[str]:
        yield self._end(question.key.id, question.reached, question.destination)
        field = question.reached.steps[-1].field
        yield ""
        is_required = all(step.required for step in question.reached.steps)
        told = f"it is required, and {question.why}" if is_required else "no rule fills it, and none has to"
        yield from self._told("open", told, "33")
        if field is not None and field.description:
            yield from self._told("meaning", field.description)
        yield from self._alternatives(question.alternatives)

    def _fact(self, question: OpenFact) -> Iterator[str]:
        from ..api.canonical import canonical

        use = question.use
        yield f"{self.paint(visible(use.operation), '1')}  {use.fact.kind}  {self.paint(visible(use.api), '2')}"
        yield ""
        yield from self._told("value", str(canonical(use.fact.value)))
        yield from self._told("confidence", f"{use.fact.confidence:.2f}, by {use.fact.by}", "33")
        yield from self._told("change", f"edit facts/{use.api}.yaml and add `by: person`")

    def _end(self, path: str, reached: Reached | None, end: End) -> str:
        from ..rules.words import type_in_words

        told = f"  {visible(type_in_words(reached, end.types))}" if reached is not None else ""
        return f"{self.paint(visible(path), '1')}{told}  {self.paint(visible(end.title), '2')}"

    def _alternatives(self, found: Sequence[AlternativeForm]) -> Iterator[str]:
        for index, one in enumerate(found):
            text = f"{index + 1}  {' + '.join(one.sources)}  {one.transform}  {one.confidence:.2f}"
            yield from self._told("instead" if index == 0 else "", text)

    def _fault(self, one: Diagnostic) -> Iterator[str]:
        yield from self._told("wrong" if one.is_error else "note", f"{one.message} [{one.code}]", "31")
        if one.help:
            yield from self._told("", one.help)

    def _told(self, label: str, text: str, style: str = "") -> Iterator[str]:
        wrapped = textwrap.wrap(visible(text), self._width - _LABEL - 2, break_on_hyphens=False) or [""]
        for index, line in enumerate(wrapped):
            yield f"  {label if index == 0 else '':<{_LABEL}}{self.paint(line, style) if style else line}"


def _because(reason: str | None) -> str:
    from ..workflow.review import PROPOSED

    if reason is None:
        return "no reason yet: accepting asks for one"
    if reason.startswith(PROPOSED):
        return f"a reason is proposed: {reason.removeprefix(PROPOSED)}"
    return f"because: {reason}"


def alternatives(question: Question) -> tuple[AlternativeForm, ...]:
    """Other ways to fill the field, as they were proposed."""
    from ..workflow.review import OpenFact, OpenField

    if isinstance(question, OpenFact):
        return ()
    if isinstance(question, OpenField):
        return question.alternatives
    return question.proposed.alternatives if question.proposed is not None else ()

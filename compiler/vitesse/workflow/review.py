"""The walk through what nobody stands behind yet: open rules, required fields without one, facts that are questions.

Everything is read again before each decision and written right after it, in one step per file: whoever stops loses nothing, and an
editor may be open beside it. Knows nothing of terminals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

from ..api.model import Json
from ..api.paths import format_path, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import either, near
from ..mapper.append import Position, new_mapping
from ..mapper.proposal_file import AlternativeForm, ProposalForm, ProposedForm, load_proposal
from ..mapper.propose import Asked, propose
from ..pipeline import read_integration, stream_facts
from ..rules.check import required_unfilled
from ..rules.digests import rule_digest, rule_form
from ..rules.load import load_rules, mapping_file, read_rule
from ..rules.model import CheckedRule, End, Reached, Rule, Rules
from ..rules.prove import prove_rule
from ..rules.review import Entry, FactUse, Review, Status, is_open, load_review, review_file, review_text, write_text
from ..rules.sample import Sample, sample_of
from ..rules.shapes import position_of, reach
from .mapping_edit import put_rule, put_waiver, refused, settle, take_out_rule

PROPOSED = "proposed: "
"""Begins a reason that `map` gave for a loss: a person has not said it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is asked about."""

    stream: str
    kind: Literal["rule", "field", "fact"]
    id: str
    """A destination path, or `GET /customers paging`."""

    def __str__(self) -> str:
        return f"{self.stream}.{self.id}" if self.kind != "fact" else f"{self.stream}: {self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRule:
    """A rule as it stands in the mapping, or as it is about to."""

    key: Key
    rule: Rule
    checked: CheckedRule | None
    """None while it cannot be proved."""
    found: tuple[Diagnostic, ...]
    """What is wrong with it on its own; a loss without a reason is a warning."""
    status: Status
    entry: Entry | None
    """Who accepted or rejected it before; None when nobody did."""
    proposed: ProposedForm | None
    """What was proposed for the field, if anything was."""
    is_as_proposed: bool
    sample: Sample | None
    seen: Rule | None
    """What the mapping had for the field when this was asked."""
    source: End
    destination: End

    @property
    def reasons_wanted(self) -> tuple[tuple[str, str, str], ...]:
        """Losses that no person gave a reason for: (loss, what is lost, the reason that was proposed)."""
        losses = self.checked.losses if self.checked is not None else ()
        return tuple(
            (loss.code, loss.detail, (loss.reason or "").removeprefix(PROPOSED))
            for loss in losses
            if loss.reason is None or loss.reason.startswith(PROPOSED)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenField:
    """A required destination field that no rule fills and nobody waived."""

    key: Key
    reached: Reached
    alternatives: tuple[AlternativeForm, ...]
    why: str
    source: End
    destination: End


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFact:
    """A fact that `ingest` is not sure of."""

    key: Key
    use: FactUse


Question: TypeAlias = "OpenRule | OpenField | OpenFact"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """What does not change during a walk."""

    source: End
    destination: End


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One decision: file → its text before and after; None is a file that was not there."""

    key: Key
    before: Mapping[str, str | None]
    after: Mapping[str, str]


class Stale(Exception):
    """The mapping was edited between question and answer; nothing was written."""


class Session:
    """One walk. Reads the specs once, the mapping and the review before every answer."""

    def __init__(self, folder: Path, *, by: str, on: str) -> None:
        """Read the integration. Raises DiagnosticError with what is wrong before any rule can be looked at."""
        self._folder = folder
        self._by, self._on = by, on
        self._integration = read_integration(folder)
        ends = {name: self._integration.ends(name) for name in self._integration.manifest.streams}
        self._streams = {name: _Stream(source=one, destination=other) for name, (one, other) in ends.items()}
        self._steps: list[_Step] = []

    # --- what is open ---

    def keys(self, selection: Sequence[str] = ()) -> list[Key]:
        """What is open, in the order of the destination's schema; with a selection, those rules whatever their state.

        Raises:
            DiagnosticError: V009 for a selection that names nothing, and all that loading the mappings finds.
        """
        wanted = self._wanted(selection)
        found: list[Key] = []
        for name, ids in wanted.items():
            found += self._keys(name, ids)
        return found

    def _keys(self, name: str, ids: list[str] | None) -> Iterator[Key]:
        stream, rules, review = self._streams[name], self._rules(name), load_review(self._folder, name)
        if ids is not None:
            yield from (Key(stream=name, kind="rule", id=id) for id in ids)
            return
        keys = []
        for rule in rules.rules:
            question = self._rule(name, rule, review, None, rule)
            if question.status != "accepted" or question.found:
                keys.append(Key(stream=name, kind="rule", id=rule.id))
        keys += [
            Key(stream=name, kind="field", id=format_path(path))
            for path, _ in required_unfilled(rules, rules.waivers, stream.destination)
        ]
        positions = self._positions(name, [key.id for key in keys])
        yield from sorted(keys, key=lambda key: (key.id not in positions, positions.get(key.id, ())))
        for use in stream_facts(self._integration, name):
            if is_open(use, review):
                yield Key(stream=name, kind="fact", id=f"{use.operation} {use.fact.kind}")

    def question(self, key: Key, draft: Rule | None = None) -> Question | None:
        """The question as the files have it now; None when there is nothing any more to ask about.

        Args:
            draft: Ask about this rule instead of the one in the mapping.
        """
        stream, rules, review = (
            self._streams[key.stream],
            self._rules(key.stream),
            load_review(self._folder, key.stream),
        )
        if key.kind == "fact":
            for use in stream_facts(self._integration, key.stream):
                if f"{use.operation} {use.fact.kind}" == key.id:
                    return OpenFact(key=key, use=use)
            return None
        rule = draft or rules.rule(key.id)
        proposal = load_proposal(self._folder, key.stream)
        if rule is not None:
            return self._rule(key.stream, rule, review, proposal, rules.rule(key.id))
        reached = reach(stream.destination.type, stream.destination.types, parse_path(key.id))
        if not isinstance(reached, Reached) or any(waiver.id == key.id for waiver in rules.waivers):
            return None
        left = proposal.unfilled.get(key.id) if proposal is not None else None
        return OpenField(
            key=Key(stream=key.stream, kind="field", id=key.id),
            reached=reached,
            alternatives=left.alternatives if left is not None else (),
            why=left.why if left is not None else "no rule fills it",
            source=stream.source,
            destination=stream.destination,
        )

    def _rule(
        self, name: str, rule: Rule, review: Review, proposal: ProposalForm | None, seen: Rule | None
    ) -> OpenRule:
        stream = self._streams[name]
        checked, found = prove_rule(
            rule, source=stream.source, destination=stream.destination, registry=self._integration.registry
        )
        entry = review.rules.get(rule.id)
        proposed = proposal.rules.get(rule.id) if proposal is not None else None
        digest = rule_digest(rule)
        fields = checked.fields_digest if checked is not None else ""
        return OpenRule(
            key=Key(stream=name, kind="rule", id=rule.id),
            rule=rule,
            checked=checked,
            found=found,
            status=review.status(rule.id, digest, fields),
            entry=entry,
            proposed=proposed,
            is_as_proposed=proposed is not None and proposed.digest == digest,
            sample=sample_of(checked, stream.source) if checked is not None else None,
            seen=seen,
            source=stream.source,
            destination=stream.destination,
        )

    # --- decisions ---

    def accept(self, question: OpenRule, reasons: Mapping[str, str] | None = None) -> None:
        """Stand behind a rule, with a reason for each loss.

        Raises:
            DiagnosticError: What is wrong with the rule; V430 for a loss without a reason.
            Stale: Here and below, when the mapping says something else than when the question was asked.
        """
        self._require_same(question)
        rule = replace(question.rule, waive={**question.rule.waive, **(reasons or {})})
        stream = self._streams[question.key.stream]
        checked, found = prove_rule(
            rule, source=stream.source, destination=stream.destination, registry=self._integration.registry
        )
        wrong = [one for one in found if one.is_error or one.code == "V430"]
        if checked is None or wrong:
            raise DiagnosticError([replace(one, severity="error") for one in wrong])
        review = load_review(self._folder, question.key.stream).accepting(
            rule.id, rule=checked.rule_digest, fields=checked.fields_digest, by=self._by, on=self._on
        )
        file = mapping_file(question.key.stream)
        text = settle(self._put(question.key.stream, rule), rule, file)
        self._write(question.key, text, review, expect={rule.id: rule})

    def put(self, question: OpenRule | OpenField, rule: Rule) -> None:
        """Write another rule for the field; nobody stands behind it yet."""
        self._require_same(question)
        self._write(question.key, self._put(question.key.stream, rule), None, expect={rule.id: rule})

    def reject(self, question: OpenRule) -> None:
        """Take a rule out; it is not proposed again."""
        self._require_same(question)
        name, rule = question.key.stream, question.rule
        fields = question.checked.fields_digest if question.checked is not None else ""
        review = load_review(self._folder, name).rejecting(
            rule.id, rule=rule_digest(rule), fields=fields, by=self._by, on=self._on
        )
        text = self._text(name)
        present = self._rules(name).rule(rule.id)
        if present is not None:
            text = take_out_rule(text, present, mapping_file(name))
        self._write(question.key, text, review, expect={rule.id: None})

    def waive(self, question: OpenField, reason: str) -> None:
        """Say why a required field stays empty."""
        name = question.key.stream
        text = put_waiver(self._text(name), question.key.id, reason, mapping_file(name))
        self._write(question.key, text, None, expect={})

    def accept_fact(self, question: OpenFact) -> None:
        """Vouch for a fact as it is."""
        name, use = question.key.stream, question.use
        review = load_review(self._folder, name).accepting_fact(use.operation, use.fact, by=self._by, on=self._on)
        self._write(question.key, None, review, expect={})

    def undo(self) -> Key | None:
        """Take the last decision back: what it was about. None when there is none, or when a file was edited since."""
        if not self._steps or any(self._read(file) != text for file, text in self._steps[-1].after.items()):
            return None
        step = self._steps.pop()
        for file, text in step.before.items():
            if text is None:
                (self._folder / file).unlink()
            else:
                write_text(self._folder / file, text)
        return step.key

    # --- other rules for the same field ---

    def alternative(self, question: OpenRule | OpenField, sources: Sequence[str]) -> Rule | None:
        """The rule that `map` would write for these sources; None when none holds."""
        name, id = question.key.stream, question.key.id
        rules = self._rules(name)
        others = replace(rules, rules=tuple(rule for rule in rules.rules if rule.id != id))
        made = propose(
            name,
            question.source,
            question.destination,
            registry=self._integration.registry,
            asked=Asked(hints={id: tuple(sources)}, rules=others),
        )
        return next((one.rule for one in made.proposals if one.id == id and one.by == "hint"), None)

    def edited(self, question: OpenRule | OpenField, form: Mapping[str, Json]) -> OpenRule:
        """The question about the rule with this form, as its file would have it.

        Raises:
            DiagnosticError: V003 to V005 and V401 when it is not a rule's form.
        """
        rule = read_rule(question.key.stream, question.key.id, form)
        found = self.question(question.key, rule)
        assert isinstance(found, OpenRule)
        return found

    # --- files ---

    def _require_same(self, question: OpenRule | OpenField) -> None:
        seen = question.seen if isinstance(question, OpenRule) else None
        now = self._rules(question.key.stream).rule(question.key.id)
        if (None if now is None else rule_form(now)) != (None if seen is None else rule_form(seen)):
            raise Stale

    def _rules(self, name: str) -> Rules:
        if not (self._folder / mapping_file(name)).exists():
            return Rules(stream=name, file=mapping_file(name))
        return load_rules(self._folder, name)

    def _text(self, name: str) -> str:
        return self._read(mapping_file(name)) or new_mapping(name)

    def _read(self, file: str) -> str | None:
        path = self._folder / file
        return path.read_bytes().decode("utf-8-sig") if path.exists() else None

    def _put(self, name: str, rule: Rule) -> str:
        rules = self._rules(name)
        positions = self._positions(name, [rule.id, *(one.id for one in rules.rules)])
        present = rules.rule(rule.id)
        if present is not None and rule_form(present) == rule_form(rule):
            return self._text(name)
        return put_rule(self._text(name), rule, present, positions, mapping_file(name))

    def _positions(self, name: str, ids: Sequence[str]) -> dict[str, Position]:
        end = self._streams[name].destination
        reached = {id: reach(end.type, end.types, parse_path(id)) for id in ids}
        return {id: position_of(end.type, end.types, one) for id, one in reached.items() if isinstance(one, Reached)}

    def _write(self, key: Key, text: str | None, review: Review | None, *, expect: Mapping[str, Rule | None]) -> None:
        """Write what changed: the mapping, then the review; each in one step, so that stopping in between leaves a rule open."""
        name = key.stream
        after: dict[str, str] = {}
        if text is not None and text != self._read(mapping_file(name)):
            after[mapping_file(name)] = text
        if review is not None:
            after[review_file(name)] = review_text(review)
        self._check(name, after.get(mapping_file(name)), expect)
        self._steps.append(_Step(key=key, before={file: self._read(file) for file in after}, after=after))
        for file, content in after.items():
            write_text(self._folder / file, content)

    def _check(self, name: str, text: str | None, expect: Mapping[str, Rule | None]) -> None:
        """The text reads back as it is meant: the rule as decided, every other as it is."""
        if text is None:
            return
        wanted = {rule.id: rule_form(rule) for rule in self._rules(name).rules}
        for id, rule in expect.items():
            wanted.pop(id, None)
            if rule is not None:
                wanted[id] = rule_form(rule)
        with TemporaryDirectory() as folder:
            write_text(Path(folder) / mapping_file(name), text)
            try:
                found = {rule.id: rule_form(rule) for rule in load_rules(Path(folder), name).rules}
            except DiagnosticError:
                found = {}
        if found != wanted:
            raise refused(mapping_file(name), "it would not read back as it is meant")

    def _wanted(self, selection: Sequence[str]) -> dict[str, list[str] | None]:
        wanted: dict[str, list[str] | None] = {} if selection else dict.fromkeys(self._streams)
        for text in selection:
            name, _, rule = text.partition(".")
            if name not in self._streams:
                raise _nothing(text, f"there is no stream `{name}`", list(self._streams), name)
            known = [one.id for one in self._rules(name).rules]
            if not rule:
                wanted[name] = None
            elif rule not in known:
                raise _nothing(text, f"the stream `{name}` has no rule `{rule}`", known, rule)
            elif (ids := wanted.setdefault(name, [])) is not None:
                ids.append(rule)
        return wanted


def _nothing(text: str, why: str, known: list[str], asked: str) -> DiagnosticError:
    close = near(asked, known)
    return DiagnosticError(
        [
            Diagnostic(
                code="V009",
                message=f"`{text}` names nothing: {why}",
                places=(Place(file="mappings"),),
                help=f"write {either(close)}" if close else f"choose from {', '.join(known[:12])}",
            )
        ]
    )

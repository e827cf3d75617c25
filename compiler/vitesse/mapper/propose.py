"""Two ends of a stream → proposals: rules with confidence and evidence, each proved as far as a rule can be on its own.

One assignment over all fields, from names, types and structure; no network, no chance. What is mapped, waived or rejected already is
left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ..api.model import Place
from ..api.paths import EACH, Path, PathSyntaxError, format_path, parse_path
from ..diagnostics import Diagnostic
from ..forms import pointer
from ..registry import Registry
from ..rules.load import mapping_file
from ..rules.model import CheckedRule, End, Rule, Rules, Shape
from ..rules.prove import prove_rule
from ..rules.review import Review
from ..rules.shapes import shape_of
from ..rules.transforms import LOSSES
from .advice import Adviser
from .back import back_of
from .choose import Choice, FunctionOffer, choose
from .complexity import complexity_of
from .evidence import evidence_for
from .fields import View
from .knowledge import with_words
from .lessons import Lessons, lessons_said, taught
from .memory import Memory, shipped_memory
from .model import Alternative, Proposal, StreamProposal, Unfilled
from .names import read_name
from .samples import example_for, sample_of
from .schema_fields import EndFields, example_of, fields_of
from .scoring import THRESHOLD, Way, Weights, score, shipped_weights
from .sets import Candidate, Pattern

REQUIRED_THRESHOLD = 0.12
"""A required field is filled with the best there is, for a person to judge."""
DOUBTFUL = 0.4
"""A rule with less chance than this is proposed with a word of doubt, and never accepted by its confidence."""
_TRIED = 4
"""Ways to fill one field that are tried, the likeliest first, until one holds."""
_SHOWN = 3
"""Alternatives that a proposal names."""
_WORTH_SHOWING = 0.03
"""The least chance of an alternative."""
_MENDS = 4
"""How often a rule is proved, each time with one more policy or reason, before it is given up."""
_DOUBT = "the likeliest, but not likely: look twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user said beside the two specs."""

    hints: Mapping[str, tuple[str, ...]]
    """Destination path → source paths."""
    rules: Rules | None = None
    review: Review | None = None
    lessons: Lessons | None = None
    """What reviewers decided before, in this integration's like."""
    also_required: frozenset[str] = frozenset()
    """Destination paths that the stream needs, such as those it matches by."""
    set_there: frozenset[Path] = frozenset()
    """Where the destination puts what names a record: filled only where it is required, or by a hint."""


def propose(
    stream: str,
    source: End,
    destination: End,
    *,
    registry: Registry,
    asked: Asked,
    memory: Memory | None = None,
    weights: Weights | None = None,
    adviser: Adviser | None = None,
) -> StreamProposal:
    """Propose rules for one stream.

    Args:
        memory: What was mapped before; the shipped one when None.
        adviser: Ranks the ways to fill each open field again, such as a language model.
    """
    with with_words(registry.words):
        return _propose(stream, source, destination, registry, asked, memory or shipped_memory(), weights, adviser)


def _propose(
    stream: str,
    source: End,
    destination: End,
    registry: Registry,
    asked: Asked,
    known: Memory,
    weights: Weights | None,
    adviser: Adviser | None,
) -> StreamProposal:
    from_fields = fields_of(source, writable=False)
    to_fields = fields_of(destination, writable=True)
    ways, pairs = score(from_fields.side, to_fields.side, weights or shipped_weights(), known)
    if asked.lessons:
        ways = taught(ways, pairs, from_fields.side, to_fields.side, asked.lessons)
    taken = _taken(asked) | {
        one.path
        for one in to_fields.reached
        if one.path in asked.set_there and one.text not in asked.hints and not all(step.required for step in one.steps)
    }
    if adviser is not None:
        wanted = [
            position
            for position, reached in enumerate(to_fields.reached)
            if reached.text not in asked.hints and not _is_taken(reached.path, taken)
        ]
        ways = adviser.advise(from_fields, to_fields, ways, pairs, wanted)
    maker = _Maker(stream, from_fields, to_fields, registry, known, asked)
    proposals: list[Proposal] = []
    unfilled: list[Unfilled] = []
    for position, (reached, row) in enumerate(zip(to_fields.reached, ways, strict=True)):
        if _is_taken(reached.path, taken):
            continue
        made = maker.hinted(position) or maker.best(position, row)
        if isinstance(made, Proposal):
            proposals.append(made)
        else:
            unfilled.append(made)
    proposals += maker.hinted_elsewhere({one.id for one in proposals})
    kept = _one_list_each(proposals)
    return StreamProposal(
        stream=stream,
        proposals=tuple(kept),
        unfilled=tuple(unfilled),
        complexity=complexity_of(
            [*(asked.rules.rules if asked.rules is not None else ()), *(one.rule for one in kept)],
            kept,
            unfilled,
            len(to_fields.reached),
        ),
    )


def _taken(asked: Asked) -> set[Path]:
    """Destinations that a person has decided on."""
    taken: set[Path] = set()
    if asked.rules is not None:
        taken |= {rule.destination for rule in asked.rules.rules}
        taken |= {waiver.destination for waiver in asked.rules.waivers}
    if asked.review is not None:
        for id, entry in asked.review.rules.items():
            if entry.state == "rejected":
                taken.add(parse_path(id))
    return taken


def _is_taken(path: Path, taken: set[Path]) -> bool:
    """Whether a decision was made on the field, on what it stands in, or inside it."""
    return any(path[: len(one)] == one or one[: len(path)] == path for one in taken)


class _Maker:
    """Turns the ways to fill one destination into a proved rule."""

    def __init__(
        self, stream: str, source: EndFields, destination: EndFields, registry: Registry, memory: Memory, asked: Asked
    ) -> None:
        self._file = mapping_file(stream)
        self._source = source
        self._destination = destination
        self._registry = registry
        self._memory = memory
        self._asked = asked
        self._offers = tuple(_offers(registry))

    def hinted(self, position: int) -> Proposal | None:
        """The rule that a hint asks for; it overrules everything."""
        reached = self._destination.reached[position]
        texts = self._asked.hints.get(reached.text)
        if texts is None:
            return None
        views = [self._view_at(text) for text in texts]
        if any(view is None for view in views):
            return self._hinted_far(reached.text, texts)
        sources = tuple(view for view in views if view is not None)
        candidate = Candidate(sources=sources, chances=tuple(1.0 for _ in sources), pattern=_pattern(sources))
        made = self._make(position, Way(candidate=candidate, chance=1.0, features=[]))
        if made is None:
            return None
        proposal, choice = made
        return replace(
            proposal, confidence=1.0, evidence=("a hint asks for it", choice.why), holes=choice.holes, by="hint"
        )

    def hinted_elsewhere(self, done: set[str]) -> list[Proposal]:
        """Hints for destinations that no schema names, such as a key of a map."""
        found = []
        for text, sources in self._asked.hints.items():
            if text in done or any(one.text == text for one in self._destination.reached):
                continue
            far = self._hinted_far(text, sources)
            if far is not None:
                found.append(far)
        return found

    def _hinted_far(self, text: str, sources: Sequence[str]) -> Proposal | None:
        """A hinted rule for paths that are not looked at otherwise; None where it does not hold."""
        try:
            paths = tuple(parse_path(source) for source in sources)
        except PathSyntaxError:
            return None
        rule = Rule(
            destination=parse_path(text),
            sources=paths,
            transform="mapping" if len(sources) == 1 else "coalesce",
            place=Place(file=self._file, pointer=pointer("rules", text)),
        )
        proved = self._prove(rule)
        if proved is None:
            return None
        rule, checked = proved
        return Proposal(
            rule=rule,
            confidence=1.0,
            evidence=("a hint asks for it",),
            losses=tuple(loss.code for loss in checked.losses),
            by="hint",
        )

    def best(self, position: int, ways: Sequence[Way]) -> Proposal | Unfilled:
        """The best way that holds, or why there is none."""
        reached = self._destination.reached[position]
        is_required = all(step.required for step in reached.steps) or reached.text in self._asked.also_required
        threshold = REQUIRED_THRESHOLD if is_required else THRESHOLD
        likely = [way for way in ways if way.chance >= threshold]
        for way in likely[:_TRIED]:
            made = self._make(position, way)
            if made is None:
                continue
            proposal, choice = made
            rivals = [other for other in ways if other is not way]
            rival = max((other.own_chance for other in rivals if other.candidate.pattern == "one"), default=0.0)
            advice = way.advice
            view = self._destination.side.views[position]
            return replace(
                proposal,
                confidence=round(min(way.chance * choice.sure, 0.999), 3),
                without_adviser=None if advice is None else round(min(way.own_chance * choice.sure, 0.999), 3),
                evidence=(
                    *(advice.says if advice is not None else ()),
                    *lessons_said(way.taught),
                    *evidence_for(view, replace(way, chance=way.own_chance), rival, self._memory, choice.why),
                ),
                by=advice.by if advice is not None and advice.decided else proposal.by,
                alternatives=tuple(self._alternatives(position, rivals)),
                holes=(*choice.holes, *((_DOUBT,) if way.chance < DOUBTFUL else ())),
            )
        why = "nothing is like it" if not likely else "what is like it cannot be converted"
        if is_required:
            constant = self._constant(position)
            if constant is not None:
                return constant
            allowed = self._destination.known(position, 0).enum
            if allowed:
                shown = ", ".join(f"`{value}`" for value in allowed[:6])
                why = f"{why}: a constant may fill it, one of {shown}"
        return Unfilled(
            destination=reached.path,
            is_required=is_required,
            why=why,
            alternatives=tuple(self._alternatives(position, ways)),
        )

    def _constant(self, position: int) -> Proposal | None:
        """The only value that a required field may have."""
        reached = self._destination.reached[position]
        allowed = self._destination.known(position, 0).enum
        if len(allowed) != 1 or EACH in reached.path:
            return None
        rule = Rule(
            destination=reached.path,
            sources=(),
            transform="constant",
            options={"value": allowed[0]},
            place=Place(file=self._file, pointer=pointer("rules", reached.text)),
        )
        proved = self._prove(rule)
        if proved is None:
            return None
        return Proposal(
            rule=proved[0],
            confidence=0.98,
            evidence=("it is required, and may have this value only",),
            by="schema",
        )

    def _alternatives(self, position: int, ways: Iterable[Way]) -> Iterable[Alternative]:
        for way in islice((way for way in ways if way.chance >= _WORTH_SHOWING), _SHOWN):
            yield Alternative(
                sources=tuple(view.given.path for view in way.candidate.sources),
                transform=self._choose(position, way.candidate).transform,
                confidence=round(way.chance, 3),
            )

    def _choose(self, position: int, candidate: Candidate) -> Choice:
        view = self._destination.side.views[position]
        given = [self._source.known(one.position, view.lists) for one in candidate.sources]
        wanted = self._destination.known(position, view.lists)
        return choose(candidate.sources, view, given, wanted, candidate.pattern, self._offers)

    def _make(self, position: int, way: Way) -> tuple[Proposal, Choice] | None:
        """The rule for one way, proved; None where no rule can be made of it."""
        own = self._choose(position, way.candidate)
        choices = (own,) if way.advice is None else way.advice.choices(own)
        if way.choice is not None:  # what a person accepted comes before what anybody guesses
            choices = (way.choice, *choices)
        for choice in choices:
            proposal = self._proposal(position, way, choice)
            if proposal is not None:
                return proposal, choice
        return None

    def _proposal(self, position: int, way: Way, choice: Choice) -> Proposal | None:
        reached = self._destination.reached[position]
        sources = tuple(self._source.reached[view.position].path for view in way.candidate.sources)
        if choice.transform == "collect" and len(sources) > 1 and reached.path[-1] is not EACH and EACH in reached.path:
            return None  # a field of several items is not one rule
        rule = Rule(
            destination=reached.path,
            sources=sources,
            transform=choice.transform,
            options=dict(choice.options),
            place=Place(file=self._file, pointer=pointer("rules", reached.text)),
        )
        proved = self._prove(rule, leave=frozenset({"enum_gap"}) if choice.holes else frozenset())
        if proved is None:
            return None
        rule, checked = proved
        values = [
            example_for(
                view,
                self._source.known(view.position, _depth(reached.path)),
                example_of(self._source.reached[view.position]),
            )
            for view in way.candidate.sources
        ]
        return Proposal(
            rule=rule,
            confidence=0.0,
            evidence=(),
            sample=sample_of(rule.transform, rule.options, values),
            back=back_of(rule, self._shape(way.candidate.sources)),
            losses=tuple(loss.code for loss in checked.losses),
        )

    def _shape(self, sources: Sequence[View]) -> Shape | None:
        if len(sources) != 1:
            return None
        return shape_of(self._source.reached[sources[0].position].type, self._source.end.types)

    def _prove(self, rule: Rule, leave: frozenset[str] = frozenset()) -> tuple[Rule, CheckedRule] | None:
        """Say what happens to absent values and why losses are fine, as far as that makes the rule hold.

        Args:
            leave: Losses that are for a person to decide: they stay without a reason, and the build says so.
        """
        for _ in range(_MENDS):
            checked, found = prove_rule(
                rule, source=self._source.end, destination=self._destination.end, registry=self._registry
            )
            errors = [one for one in found if one.is_error]
            if checked is not None and not errors:
                losses = {
                    loss.code: loss.detail for loss in checked.losses if loss.reason is None and loss.code not in leave
                }
                if not losses:
                    return rule, checked
                rule = replace(
                    rule, waive={**rule.waive, **{code: _reason(code, detail) for code, detail in losses.items()}}
                )
                continue
            mended = _mended(rule, errors)
            if mended is None:
                return None
            rule = mended
        return None

    def _view_at(self, text: str) -> View | None:
        try:
            path = parse_path(text)
        except PathSyntaxError:
            return None
        for position, reached in enumerate(self._source.reached):
            if reached.path == path:
                return self._source.side.views[position]
        return None


def _depth(path: Path) -> int:
    """How many lists a path leads through."""
    return sum(segment is EACH for segment in path)


def _mended(rule: Rule, errors: Sequence[Diagnostic]) -> Rule | None:
    """The rule with the policies that its diagnostics ask for; None where it takes more than that."""
    codes = {error.code for error in errors}
    if codes - {"V421", "V422"}:
        return None
    if "V421" in codes:
        if rule.on_null == "omit":
            return replace(rule, on_null="dead")
        if rule.on_missing is None:
            may_leave_out = all("on_missing: omit" in (one.help or "") for one in errors if one.code == "V421")
            return replace(rule, on_missing="omit" if may_leave_out else "dead")
        return None
    return replace(rule, on_null="omit") if rule.on_null is None else None


def _reason(code: str, detail: str) -> str:
    reasons = {
        "datetime_to_date": "proposed: the destination keeps days",
        "decimal_to_float": f"proposed: {detail}",
    }
    return reasons.get(code, f"proposed: {detail or LOSSES.get(code, code)}")


def _pattern(sources: tuple[View, ...]) -> Pattern:
    """How hinted sources belong together."""
    if len(sources) == 1:
        return "one"
    concepts = {concept for view in sources for concept in view.leaf.concepts}
    return "names" if {"first_name", "last_name"} <= concepts else "series"


def _offers(registry: Registry) -> Iterable[FunctionOffer]:
    for function in registry.functions.values():
        if len(function.inputs) != 1:
            continue
        name = read_name(function.name)
        words = {*name.words, *name.concepts}
        yield FunctionOffer(
            name=function.name,
            takes=str(function.inputs[0]),
            gives=str(function.result.without_null()),
            words=frozenset(words),
            vendor=frozenset() if function.origin == "built in" else frozenset(read_name(function.origin).words),
            ready=all(one.has_default for one in function.parameters),
        )


def _one_list_each(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Rules below one destination list take one source list: the one that most of the confidence is with."""
    votes: dict[Path, dict[Path, float]] = {}
    for one in proposals:
        for filled, walked in _lists(one.rule):
            votes_here = votes.setdefault(filled, {})
            votes_here[walked] = votes_here.get(walked, 0.0) + one.confidence
    chosen = {
        filled: max(votes_here, key=lambda path: (votes_here[path], format_path(path)))
        for filled, votes_here in votes.items()
    }
    return [one for one in proposals if all(chosen[filled] == walked for filled, walked in _lists(one.rule))]


def _lists(rule: Rule) -> Iterable[tuple[Path, Path]]:
    """Each destination list that a rule fills by walking one of the source, with that one."""
    depth = 0
    for index, segment in enumerate(rule.destination):
        if segment is EACH:
            depth += 1
            walked = _list_walked(rule, depth)
            if walked is not None:
                yield rule.destination[: index + 1], walked


def _list_walked(rule: Rule, depth: int) -> Path | None:
    """The source list that pairs with the destination's list number `depth`, counted from the outermost; None where it has none."""
    for source in rule.sources:
        places = [at for at, segment in enumerate(source) if segment is EACH]
        if len(places) >= depth:
            return source[: places[depth - 1] + 1]
    return None

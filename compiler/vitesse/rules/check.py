"""Rules × two ends × review → ReviewedRules.

Proves that every rule reads fields that exist, produces a value the destination takes, says what happens when there is none, loses
nothing in silence, that no required destination field is left empty, and that a person accepted each rule as it is. The only
place that makes `ReviewedRules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..api.model import Array, Object, Type, Union
from ..api.model import Place as ApiPlace
from ..api.paths import EACH, Path, format_path
from ..diagnostics import Place, Severity, raise_errors
from ..forms import either, near
from ..registry import Registry
from .digests import meaning_digest
from .model import CheckedRule, End, ReviewedRules, Rule, Rules, Waiver
from .prove import Prover, some_leaves
from .review import Review
from .shapes import Unreached, position_of, reach, resolve


def check_rules(
    rules: Rules,
    *,
    source: End,
    destination: End,
    registry: Registry,
    review: Review,
    draft: bool = False,
) -> ReviewedRules:
    """Prove the rules of one stream.

    Args:
        source, destination: The stream's ends, from `stream_ends`.
        registry: Functions that `custom` may call.
        review: Who accepted what, from `load_review`.
        draft: Open rules and losses that nobody waived become warnings; everything else stays an error.

    Raises:
        DiagnosticError: V410 to V453, all that were found, with places in the mapping and in the specs.
    """
    prover = Prover(source, destination, registry, draft)
    checked = [one for rule in rules.rules if (one := prover.rule(rule)) is not None]
    checker = _Checker(prover)
    waivers = [waiver for waiver in rules.waivers if checker.waiver(waiver)]
    checker.loops(checked)
    checker.overlaps(rules.rules)
    checker.reads(rules.rules)
    checker.required(rules, waivers)
    accepted = [checker.reviewed(rule, review) for rule in checked]
    raise_errors(prover.found)
    return ReviewedRules(
        stream=rules.stream,
        file=rules.file,
        source=source,
        destination=destination,
        rules=tuple(
            sorted(accepted, key=lambda one: position_of(destination.type, destination.types, one.destination))
        ),
        waivers=tuple(waivers),
        unfilled=unfilled_fields(rules, destination),
        unread=unread_fields(rules, source),
        open=tuple(sorted(one.id for one in accepted if one.accepted_by is None)),
        digest=meaning_digest(rules.rules),
        warnings=tuple(prover.found),
    )


class _Checker:
    """The gates over all rules of a stream."""

    def __init__(self, prover: Prover) -> None:
        self._prover = prover
        self._source = prover.source
        self._destination = prover.destination
        self._draft = prover.draft
        self._add = prover.add

    def waiver(self, waiver: Waiver) -> bool:
        update, types = self._destination.update, self._destination.types
        if update is not None and not isinstance(reach(update, types, waiver.destination), Unreached):
            return True
        return self._prover.reach_destination(waiver.destination, Place.of(waiver.place), "V441") is not None

    def loops(self, checked: Sequence[CheckedRule]) -> None:
        """All rules below one destination list walk through one source list; where none walks, it is a list of one."""
        walked: dict[Path, tuple[Path, CheckedRule]] = {}
        for rule in checked:
            for theirs, ours in rule.loops:
                first = walked.setdefault(ours, (theirs, rule))
                if first[0] != theirs:
                    self._add(
                        "V418",
                        f"`{format_path(ours)}` is filled from `{format_path(first[0])}` and from `{format_path(theirs)}`",
                        (Place.of(rule.rule.place), Place.of(first[1].rule.place, "the other one")),
                        "take all fields of a list's items from one list",
                    )

    def overlaps(self, rules: Iterable[Rule]) -> None:
        """A field and something inside it cannot both be filled."""
        places = {rule.destination: rule.place for rule in rules}
        for path, place in places.items():
            for length in range(1, len(path)):
                outer = path[:length]
                if outer in places and not (length < len(path) and path[length - 1] is EACH):
                    self._add(
                        "V442",
                        f"`{format_path(path)}` lies inside `{format_path(outer)}`, and both are filled",
                        (Place.of(place), Place.of(places[outer], "filled whole here")),
                        "keep one of the two",
                    )

    def reads(self, rules: Iterable[Rule]) -> None:
        """An object cannot be read whole and field by field: in the package it is either a value or a model."""
        places: dict[Path, ApiPlace] = {}
        for rule in rules:
            for index, path in enumerate(rule.sources):
                places.setdefault(path, rule.at("from") if len(rule.sources) == 1 else rule.at("from", index))
        for path, place in places.items():
            for length in range(1, len(path)):
                outer = path[:length]
                if outer in places and any(segment is not EACH for segment in path[length:]):
                    self._add(
                        "V443",
                        f"`{format_path(path)}` lies inside `{format_path(outer)}`, and both are read",
                        (Place.of(place), Place.of(places[outer], "read whole here")),
                        "keep one of the two, or take both from the whole with a `custom` function",
                    )

    def required(self, rules: Rules, waivers: Sequence[Waiver]) -> None:
        """Every required field of every object that is written has a rule, a waiver, or is set by the destination."""
        for path, place in required_unfilled(rules, waivers, self._destination):
            self._unfilled(path, place, rules)

    def _unfilled(self, path: Path, place: ApiPlace, rules: Rules) -> None:
        name = format_path(path)
        offered = near(str(path[-1]), tuple(dict.fromkeys(str(one.path[-1]) for one in some_leaves(self._source))))
        notes: tuple[str, ...] = ()
        if offered:
            texts = [one.text for one in some_leaves(self._source) if str(one.path[-1]) in offered][:3]
            notes = (f"{self._source.title} offers {either(texts)}",)
        self._add(
            "V440",
            f"required destination field `{name}` is never filled",
            (Place.of(place, "required here"), Place(file=rules.file, pointer="#/rules")),
            "add a rule for it, or list it under `waive` with a reason",
            notes=notes,
        )

    def reviewed(self, checked: CheckedRule, review: Review) -> CheckedRule:
        """The rule with who accepted it; a diagnostic when nobody did, or not as it is now."""
        status = review.status(checked.id, checked.rule_digest, checked.fields_digest)
        entry = review.rules.get(checked.id)
        place = (Place.of(checked.rule.place),)
        severity: Severity = "warning" if self._draft else "error"
        target = f"{review.stream}.{checked.id}"
        match status:
            case "accepted":
                assert entry is not None
                return replace(checked, accepted_by=entry.by, accepted_on=entry.on)
            case "open":
                self._add(
                    "V450",
                    f"nobody has accepted the rule `{checked.id}`",
                    place,
                    f"look at it and run `vitesse accept DIR {target}`",
                    severity=severity,
                )
            case "rejected":
                assert entry is not None
                self._add(
                    "V453",
                    f"{entry.by} rejected the rule `{checked.id}` on {entry.on}",
                    place,
                    f"remove or change the rule, or run `vitesse accept DIR {target}`",
                    severity=severity,
                )
            case "edited" | "changed":
                assert entry is not None
                what = "the rule was edited" if status == "edited" else "the schema of a field it touches changed"
                spec = (
                    tuple(Place.of(field.place) for field in (checked.destination, *checked.sources))
                    if status == "changed"
                    else ()
                )
                self._add(
                    "V451",
                    f"the review of `{checked.id}` no longer holds: {what} since {entry.by} looked at it on {entry.on}",
                    (*place, *spec),
                    f"look at it again and run `vitesse accept DIR {target}`",
                    severity=severity,
                )
        return checked


def required_unfilled(rules: Rules, waivers: Sequence[Waiver], destination: End) -> Iterator[tuple[Path, ApiPlace]]:
    """Required destination fields of every object that is written, without a rule or a waiver, and where the spec requires them."""
    filled = [rule.destination for rule in rules.rules] + [waiver.destination for waiver in waivers]
    yield from unfilled_in(destination.type, destination.types, filled)


def unfilled_in(type: Type, types: Mapping[str, Type], filled: Sequence[Path]) -> Iterator[tuple[Path, ApiPlace]]:
    """Required fields of a body of which these paths are filled."""
    yield from _required(resolve(type, types), (), filled, types)


def _required(
    type: Type, path: Path, filled: Sequence[Path], types: Mapping[str, Type]
) -> Iterator[tuple[Path, ApiPlace]]:
    if not isinstance(type, Object):
        return
    for field in type.fields:
        here = (*path, field.name)
        if field.read_only or here in filled:
            continue
        inside = [one for one in filled if one[: len(here)] == here]
        inner = resolve(field.type, types)
        if inside:
            below: Path = here
            while isinstance(inner, Array) and any(one[: len(below) + 1] == (*below, EACH) for one in inside):
                below = (*below, EACH)
                inner = resolve(inner.items, types)
            if below not in filled:
                yield from _required_in_one(inner, below, inside, types)
        elif field.required:
            yield here, field.place


def unfilled_fields(rules: Rules, destination: End) -> tuple[Path, ...]:
    """Destination fields that no rule fills and no waiver names: whole objects where nothing inside is named."""
    filled = [rule.destination for rule in rules.rules] + [waiver.destination for waiver in rules.waivers]
    return tuple(_untouched(destination, filled, writable=True))


def unread_fields(rules: Rules, source: End) -> tuple[Path, ...]:
    """Source fields that no rule reads."""
    return tuple(_untouched(source, [path for rule in rules.rules for path in rule.sources], writable=False))


def _required_in_one(
    type: Type, path: Path, filled: Sequence[Path], types: Mapping[str, Type]
) -> Iterator[tuple[Path, ApiPlace]]:
    """Of alternatives the one that is meant: it has all that is filled, and lacks least."""
    if not isinstance(type, Union):
        yield from _required(type, path, filled, types)
        return
    names = {one[len(path)] for one in filled if len(one) > len(path)}
    lacks = []
    for member in type.members:
        inner = resolve(member, types)
        if isinstance(inner, Union) or (isinstance(inner, Object) and all(inner.field(str(name)) for name in names)):
            lacks.append(list(_required_in_one(inner, path, filled, types)))
    yield from min(lacks, key=len, default=[])


def _untouched(end: End, touched: Sequence[Path], *, writable: bool) -> Iterator[Path]:
    """Fields that no path names: whole objects where nothing inside is named."""
    yield from _untouched_in(resolve(end.type, end.types), (), touched, end.types, writable)


def _untouched_in(
    type: Type, path: Path, touched: Sequence[Path], types: Mapping[str, Type], writable: bool
) -> Iterator[Path]:
    while isinstance(type, Array):
        type, path = resolve(type.items, types), (*path, EACH)
    if not isinstance(type, Object):
        return
    for field in type.fields:
        here = (*path, field.name)
        if (writable and field.read_only) or here in touched:
            continue
        inside = [one for one in touched if one[: len(here)] == here]
        if inside:
            yield from _untouched_in(resolve(field.type, types), here, inside, types, writable)
        else:
            yield here

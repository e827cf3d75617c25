"""Rules × two ends × review → ReviewedRules.

Proves that every rule reads fields that exist, produces a value the destination takes, says what happens when there is none, loses
nothing in silence, that no required destination field is left empty, and that a person accepted each rule as it is. The only
place that makes `ReviewedRules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from ..api.model import Array, Json, Object, Type
from ..api.paths import EACH, Path, format_path
from ..diagnostics import Diagnostic, Place, Severity, raise_errors
from ..forms import either, near
from ..registry import Registry
from .digests import fields_digest, meaning_digest, rule_digest
from .fits import accepts, find_losses, unfit, way_out
from .model import (
    CheckedRule,
    Default,
    End,
    Loss,
    OnMissing,
    OnNull,
    Reached,
    ReviewedRules,
    Rule,
    Rules,
    Shape,
    Waiver,
    lists_of,
)
from .review import Review
from .shapes import Unreached, leaves, reach, resolve, shape_of
from .spelling import Fault, Input, Outcome, Refused, spell
from .transforms import LOSSES

_CODES: Mapping[str, str] = {
    "unknown transform": "V414",
    "arity": "V415",
    "option": "V416",
    "function": "V417",
    "source type": "V419",
    "lookup": "V424",
}


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
    checker = _Checker(source, destination, registry, draft)
    checked = [one for rule in rules.rules if (one := checker.rule(rule)) is not None]
    waivers = [waiver for waiver in rules.waivers if checker.waiver(waiver)]
    checker.loops(checked)
    checker.overlaps(rules.rules)
    checker.required(rules, waivers)
    accepted = [checker.reviewed(rule, review) for rule in checked]
    raise_errors(checker.found)
    filled = [rule.destination for rule in rules.rules] + [waiver.destination for waiver in waivers]
    read = [path for rule in rules.rules for path in rule.sources]
    return ReviewedRules(
        stream=rules.stream,
        file=rules.file,
        source=source,
        destination=destination,
        rules=tuple(sorted(accepted, key=lambda one: _position(destination, one.destination))),
        waivers=tuple(waivers),
        unfilled=tuple(_untouched(destination, filled, writable=True)),
        unread=tuple(_untouched(source, read, writable=False)),
        open=tuple(sorted(one.id for one in accepted if one.accepted_by is None)),
        digest=meaning_digest(rules.rules),
        warnings=tuple(checker.found),
    )


def open_rules(
    rules: Rules, *, source: End, destination: End, registry: Registry, review: Review
) -> Iterator[tuple[CheckedRule, str]]:
    """Every rule that can be proved on its own, with its status: what `accept` and `review` walk through.

    Losses and missing waivers do not matter here; they are for `check_rules` to say.
    """
    checker = _Checker(source, destination, registry, draft=True)
    for rule in rules.rules:
        checked = checker.rule(rule)
        if checked is not None:
            yield checked, review.status(checked.id, checked.rule_digest, checked.fields_digest)


class _Checker:
    """Collects what is found; each method is one gate."""

    def __init__(self, source: End, destination: End, registry: Registry, draft: bool) -> None:
        self._source = source
        self._destination = destination
        self._registry = registry
        self._draft = draft
        self.found: list[Diagnostic] = []

    # --- one rule ---

    def rule(self, rule: Rule) -> CheckedRule | None:
        before = len(self.found)
        target = self._reach_destination(rule.destination, Place.of(rule.place))
        sources = [self._reach_source(rule, index) for index in range(len(rule.sources))]
        if target is None or None in sources:
            return None
        fields = [one for one in sources if one is not None]
        loops = self._loops_of(rule, fields)
        if loops is None or not self._is_leaf(rule, target):
            return None
        depth = len(loops)
        inputs = [self._input(field, depth) for field in fields]
        try:
            outcome = spell(rule.transform, rule.options, inputs, rule.destination, self._registry)
        except Refused as refused:
            for fault in refused.faults:
                self._fault(rule, fault)
            return None
        self._type(rule, target, outcome)
        on_missing, on_null, ends_missing, ends_null = self._absences(rule, target, outcome, depth)
        losses = tuple(self._losses(rule, target, inputs, outcome, ends_null))
        if any(found.is_error for found in self.found[before:]):
            return None
        return CheckedRule(
            rule=rule,
            sources=tuple(fields),
            destination=target,
            loops=loops,
            spelling=outcome.spelling,
            shape=outcome.shape,
            may_be_missing=outcome.may_be_missing,
            may_be_null=outcome.may_be_null,
            on_missing=on_missing,
            on_null=on_null,
            ends_missing=ends_missing,
            ends_null=ends_null,
            losses=losses,
            rule_digest=rule_digest(rule),
            fields_digest=fields_digest([target, *fields]),
        )

    def _reach_destination(self, path: Path, place: Place, code: str = "V410") -> Reached | None:
        reached = reach(self._destination.type, self._destination.types, path)
        if isinstance(reached, Unreached):
            self._unreached(
                code, reached, path, place, self._destination, f"a destination field of {self._destination.title}"
            )
            return None
        return reached

    def _reach_source(self, rule: Rule, index: int) -> Reached | None:
        path = rule.sources[index]
        reached = reach(self._source.type, self._source.types, path)
        if isinstance(reached, Unreached):
            at = Place.of(rule.at("from") if len(rule.sources) == 1 else rule.at("from", index))
            self._unreached("V411", reached, path, at, self._source, f"a field of {self._source.title}")
            return None
        return reached

    def _unreached(self, code: str, reached: Unreached, path: Path, place: Place, end: End, what: str) -> None:
        parent = format_path(reached.parent)
        inside = f" in `{parent}`" if parent else ""
        if reached.segment is EACH:
            message, help = f"`{parent}` is no list but {reached.parent_is}", "remove the `[]`"
        elif reached.parent_is == "list":
            message, help = f"`{parent}` is a list", f"write `{parent}[].{reached.segment}` for that field of each item"
        elif not reached.names:
            message = f"`{parent}` is {reached.parent_is} and has no fields"
            help = f"write `{parent}`"
        else:
            message = f"`{format_path(path)}` is not {what}: there is no `{reached.segment}`{inside}"
            close = near(str(reached.segment), reached.names)
            help = f"write {either(close)}" if close else self._elsewhere(str(path[-1]), end, reached.names)
        self._add(code, message, (place, Place.of(reached.place.place, "what is there")), help)

    def _elsewhere(self, leaf: str, end: End, names: tuple[str, ...]) -> str:
        """A field of that name in another place, or the names that are here."""
        others = [one.text for one in _some_leaves(end) if str(one.path[-1]).lower() == leaf.lower()]
        if others:
            return f"write {either(others[:3])}"
        listed = ", ".join(f"`{name}`" for name in sorted(names)[:12])
        return f"use one of {listed}" + (" …" if len(names) > 12 else "")

    def _loops_of(self, rule: Rule, fields: Sequence[Reached]) -> tuple[tuple[Path, Path], ...] | None:
        """Pair the lists that both sides walk through, outermost first."""
        ours = lists_of(rule.destination)
        walked = [lists_of(field.path) for field in fields]
        loops: list[tuple[Path, Path]] = []
        for depth, ours_here in enumerate(ours):
            theirs = {lists[depth] for lists in walked if len(lists) > depth}
            if len(theirs) > 1:
                names = " and ".join(f"`{format_path(one)}`" for one in sorted(theirs, key=format_path))
                self._add(
                    "V418",
                    f"the rule walks through {names} at once",
                    (Place.of(rule.at("from")),),
                    "take the sources of one rule from one list",
                )
                return None
            if theirs:
                loops.append((theirs.pop(), ours_here))
        for field, lists in zip(fields, walked, strict=True):
            if len(lists) > len(ours) + 1:
                self._add(
                    "V418",
                    f"`{field.text}` goes through {len(lists)} lists and its destination through {len(ours)}",
                    (Place.of(rule.at("from")),),
                    "a rule can make one list of one list; use a `custom` function on the outer one",
                )
                return None
        return tuple(loops)

    def _is_leaf(self, rule: Rule, target: Reached) -> bool:
        place = Place.of(rule.place)
        if any(step.field is not None and step.field.read_only for step in target.steps):
            self._add(
                "V412",
                f"`{rule.id}` is read-only: {self._destination.title} sets it",
                (place, Place.of(target.place, "read-only here")),
                "remove the rule",
            )
            return False
        inner = target.type
        if isinstance(inner, Object) and inner.fields and rule.transform not in ("constant", "custom"):
            names = ", ".join(f"`{rule.id}.{field.name}`" for field in inner.fields[:3])
            self._add(
                "V413",
                f"`{rule.id}` is an object",
                (place, Place.of(target.place)),
                f"write a rule for each of its fields: {names}{' …' if len(inner.fields) > 3 else ''}",
            )
            return False
        return True

    def _input(self, field: Reached, depth: int) -> Input:
        """A source field inside `depth` loops: what it is, and whether it may be absent there."""
        lists = [index for index, segment in enumerate(field.path) if segment is EACH]
        start = lists[depth - 1] + 1 if depth and len(lists) >= depth else 0
        inner = next((index for index in lists[depth:]), None)
        steps = field.steps[start : len(field.steps) if inner is None else inner]
        shape = shape_of(field.type, self._source.types)
        items_null = False
        if inner is not None:
            shape = Shape(kind="list", items=shape)
        else:
            if isinstance(field.type, Array):
                items_null = resolve(field.type.items, self._source.types).nullable
        return Input(
            path=field.path,
            shape=shape,
            may_be_missing=any(not step.required for step in steps),
            may_be_null=any(step.type.nullable for step in steps),
            items_may_be_null=items_null,
        )

    def _type(self, rule: Rule, target: Reached, outcome: Outcome) -> None:
        types = self._destination.types
        places = (Place.of(rule.place), Place.of(target.place, "what is taken here"))
        if rule.transform == "constant":
            if why := unfit(outcome.spelling.constant, target.type, types):
                self._add(
                    "V420", f"the constant of `{rule.id}` {why}", places, "write a value that the destination takes"
                )
            return
        wanted = shape_of(target.type, types)
        if rule.transform == "each" and "transform" not in rule.options and rule.destination[-1] is EACH:
            return
        if not accepts(wanted, outcome.shape):
            self._add(
                "V420",
                f"`{rule.id}` takes {wanted}, and the rule gives {outcome.shape}",
                places,
                way_out(wanted, outcome.shape),
            )
        elif rule.transform == "enum" and wanted.enum:
            for value in outcome.shape.enum:
                if value not in wanted.enum:
                    close = near(str(value), [str(one) for one in wanted.enum])
                    shown = either(close or [str(one) for one in wanted.enum[:8]])
                    self._add(
                        "V420",
                        f"`{value}` is no value of `{rule.id}`",
                        (Place.of(rule.at("with", "map")), places[1]),
                        f"write {shown}",
                    )

    def _absences(
        self, rule: Rule, target: Reached, outcome: Outcome, depth: int
    ) -> tuple[OnMissing, OnNull, bool, bool]:
        """Decide the policies; a rule must say what happens where the destination cannot do without."""
        lists = [index for index, segment in enumerate(rule.destination) if segment is EACH]
        steps = target.steps[lists[-1] + 1 :] if lists and lists[-1] + 1 < len(target.steps) else target.steps
        is_required = all(step.required for step in steps)
        has_required_place = steps[-1].required
        on_missing: OnMissing = rule.on_missing if rule.on_missing is not None else "omit"
        on_null: OnNull = rule.on_null if rule.on_null is not None else "keep"
        places = (Place.of(rule.place), Place.of(target.place, "required here"))
        if isinstance(on_missing, Default):
            self._default(rule, target, on_missing.value, "on_missing")
        if isinstance(on_null, Default):
            self._default(rule, target, on_null.value, "on_null")
        left_out = outcome.may_be_missing and on_missing == "omit"
        nulled_out = outcome.may_be_null and on_null == "omit"
        if left_out and is_required:
            self._add(
                "V421",
                f"`{rule.id}` is required, and its source may be missing",
                places,
                "say what happens: `on_missing: dead`, or `on_missing: {value: …}`",
            )
        elif left_out and has_required_place and rule.on_missing is None:
            self._add(
                "V421",
                f"`{rule.id}` is required where `{format_path(rule.destination[:-1])}` is written, and its source may be missing",
                places,
                "say what happens: `on_missing: dead`, `on_missing: {value: …}`, or `on_missing: omit` when it is missing "
                "only together with the others",
            )
        if nulled_out and is_required:
            self._add(
                "V421",
                f"`{rule.id}` is required, and the rule leaves a null out",
                places,
                "say what happens: `on_null: dead`, or `on_null: {value: …}`",
            )
        ends_null = outcome.may_be_null and on_null == "keep"
        nullable = target.type.nullable
        if ends_null and not nullable and rule.on_null is None and "null_into_non_null" not in rule.waive:
            self._add(
                "V422",
                f"`{rule.id}` takes no null, and its source may be one",
                (Place.of(rule.place), Place.of(target.place, "takes no null")),
                "say what happens: `on_null: omit`, `on_null: dead` or `on_null: {value: …}`",
            )
        return on_missing, on_null, left_out or nulled_out, ends_null

    def _default(self, rule: Rule, target: Reached, value: Json, key: str) -> None:
        if why := unfit(value, target.type, self._destination.types):
            self._add(
                "V423",
                f"the value under `{key}` of `{rule.id}` {why}",
                (Place.of(rule.at(key, "value")), Place.of(target.place, "what is taken here")),
                "write a value that the destination takes",
            )

    def _losses(
        self, rule: Rule, target: Reached, inputs: Sequence[Input], outcome: Outcome, ends_null: bool
    ) -> Iterator[Loss]:
        losses = list(find_losses(rule.transform, inputs, outcome, target.type, self._destination.types))
        if ends_null and not target.type.nullable and (rule.on_null == "keep" or "null_into_non_null" in rule.waive):
            losses.append(Loss(code="null_into_non_null", detail=LOSSES["null_into_non_null"]))
        named = {loss.code for loss in losses}
        for code in rule.waive:
            self._waive_key(rule, code, named)
        for loss in losses:
            reason = rule.waive.get(loss.code)
            if reason is None:
                self._add(
                    "V430",
                    f"`{rule.id}` may lose something: {loss.detail}",
                    (Place.of(rule.place), Place.of(target.place)),
                    f"change the rule, or accept it with a reason: `waive: {{{loss.code}: …}}`",
                    severity="warning" if self._draft else "error",
                )
            yield Loss(code=loss.code, detail=loss.detail, reason=reason)

    def _waive_key(self, rule: Rule, code: str, named: set[str]) -> None:
        if code in named:
            return
        place = (Place.of(rule.at("waive", code)),)
        if code in LOSSES:
            self._add(
                "V432", f"`{rule.id}` does not have the loss `{code}`", place, "remove the waiver", severity="warning"
            )
        else:
            known = sorted({*LOSSES, *named})
            self._add("V431", f"`{code}` is no loss", place, f"write {either(near(code, known) or known)}")

    def _fault(self, rule: Rule, fault: Fault) -> None:
        notes = (fault.note,) if fault.note else ()
        self._add(_CODES[fault.kind], fault.message, (Place.of(rule.at(*fault.at)),), fault.help, notes=notes)

    # --- all rules ---

    def waiver(self, waiver: Waiver) -> bool:
        update, types = self._destination.update, self._destination.types
        if update is not None and not isinstance(reach(update, types, waiver.destination), Unreached):
            return True
        return self._reach_destination(waiver.destination, Place.of(waiver.place), "V441") is not None

    def loops(self, checked: Sequence[CheckedRule]) -> None:
        """All rules below one destination list walk through one source list, and at least one walks."""
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
        for rule in checked:
            for ours in lists_of(rule.rule.destination):
                if ours not in walked:
                    self._add(
                        "V418",
                        f"no rule says which list `{format_path(ours)}` is made from",
                        (Place.of(rule.rule.place),),
                        f"take one of its fields from a list, or fill `{format_path(ours[:-1])}` with `wrap` or a constant",
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

    def required(self, rules: Rules, waivers: Sequence[Waiver]) -> None:
        """Every required field of every object that is written has a rule, a waiver, or is set by the destination."""
        filled = [rule.destination for rule in rules.rules] + [waiver.destination for waiver in waivers]
        top = resolve(self._destination.type, self._destination.types)
        self._required(top, (), filled, rules)

    def _required(self, type: object, path: Path, filled: Sequence[Path], rules: Rules) -> None:
        if not isinstance(type, Object):
            return
        for field in type.fields:
            here = (*path, field.name)
            if field.read_only or here in filled:
                continue
            inside = [one for one in filled if one[: len(here)] == here]
            inner = resolve(field.type, self._destination.types)
            if inside:
                below = here
                while isinstance(inner, Array) and any(one[: len(below) + 1] == (*below, EACH) for one in inside):
                    below = (*below, EACH)
                    inner = resolve(inner.items, self._destination.types)
                if below not in filled:
                    self._required(inner, below, inside, rules)
            elif field.required:
                self._unfilled(here, field.place, rules)

    def _unfilled(self, path: Path, place: object, rules: Rules) -> None:
        name = format_path(path)
        offered = near(str(path[-1]), tuple(dict.fromkeys(str(one.path[-1]) for one in _some_leaves(self._source))))
        notes: tuple[str, ...] = ()
        if offered:
            texts = [one.text for one in _some_leaves(self._source) if str(one.path[-1]) in offered][:3]
            notes = (f"{self._source.title} offers {either(texts)}",)
        self._add(
            "V440",
            f"required destination field `{name}` is never filled",
            (Place.of(place, "required here"), Place(file=rules.file, pointer="#/rules")),  # type: ignore[arg-type]
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

    def _add(
        self,
        code: str,
        message: str,
        places: tuple[Place, ...],
        help: str | None = None,
        *,
        notes: tuple[str, ...] = (),
        severity: Severity = "error",
    ) -> None:
        self.found.append(
            Diagnostic(code=code, severity=severity, message=message, places=places, notes=notes, help=help)
        )


def _some_leaves(end: End) -> Iterator[Reached]:
    """For suggestions: large schemas have more fields than anyone would look through."""
    return islice(leaves(end.type, end.types), 5000)


def _position(end: End, reached: Reached) -> tuple[tuple[int, str], ...]:
    """Where a destination stands in its schema; entries of a map by name."""
    position = []
    parent = resolve(end.type, end.types)
    for step in reached.steps:
        names = [field.name for field in parent.fields] if isinstance(parent, Object) else []
        name = step.segment or ""
        position.append((names.index(name) if name in names else len(names), name))
        parent = step.type
    return tuple(position)


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

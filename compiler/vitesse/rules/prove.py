"""One rule × two ends → a proved rule, or what is wrong with it.

The gates that need nothing but the rule: paths, transform, types, absences, losses. What concerns all rules of a stream together is
`check`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from ..api.model import Array, Json, Object
from ..api.paths import EACH, Path, format_path
from ..diagnostics import Diagnostic, Place, Severity
from ..forms import either, near
from ..registry import Registry
from .digests import fields_digest, rule_digest
from .fits import accepts, find_losses, unfit, way_out
from .model import CheckedRule, Default, End, Loss, OnMissing, OnNull, Reached, Rule, Shape, lists_of
from .shapes import Unreached, leaves, reach, resolve, shape_of
from .spelled import Fault, Input, Outcome, Refused
from .spelling import spell
from .transforms import LOSSES

_CODES: Mapping[str, str] = {
    "unknown transform": "V414",
    "arity": "V415",
    "option": "V416",
    "function": "V417",
    "source type": "V419",
}


def prove_rule(
    rule: Rule, *, source: End, destination: End, registry: Registry
) -> tuple[CheckedRule | None, tuple[Diagnostic, ...]]:
    """Prove one rule on its own.

    Returns:
        The proved rule, None where it cannot be; and what was found: errors, and a warning for each loss that nobody waived.
    """
    prover = Prover(source, destination, registry, draft=True)
    return prover.rule(rule), tuple(prover.found)


class Prover:
    """Collects what is found; each method is one gate."""

    def __init__(self, source: End, destination: End, registry: Registry, draft: bool) -> None:
        self.source = source
        self.destination = destination
        self._registry = registry
        self.draft = draft
        self.found: list[Diagnostic] = []

    def rule(self, rule: Rule) -> CheckedRule | None:
        before = len(self.found)
        target = self.reach_destination(rule.destination, Place.of(rule.place))
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

    def reach_destination(self, path: Path, place: Place, code: str = "V410") -> Reached | None:
        reached = reach(self.destination.type, self.destination.types, path)
        if isinstance(reached, Unreached):
            self._unreached(
                code, reached, path, place, self.destination, f"a destination field of {self.destination.title}"
            )
            return None
        return reached

    def _reach_source(self, rule: Rule, index: int) -> Reached | None:
        path = rule.sources[index]
        reached = reach(self.source.type, self.source.types, path)
        if isinstance(reached, Unreached):
            at = Place.of(rule.at("from") if len(rule.sources) == 1 else rule.at("from", index))
            self._unreached("V411", reached, path, at, self.source, f"a field of {self.source.title}")
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
        self.add(code, message, (place, Place.of(reached.place.place, "what is there")), help)

    def _elsewhere(self, leaf: str, end: End, names: tuple[str, ...]) -> str:
        """A field of that name in another place, or the names that are here."""
        others = [one.text for one in some_leaves(end) if str(one.path[-1]).lower() == leaf.lower()]
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
                self.add(
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
                self.add(
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
            self.add(
                "V412",
                f"`{rule.id}` is read-only: {self.destination.title} sets it",
                (place, Place.of(target.place, "read-only here")),
                "remove the rule",
            )
            return False
        inner = target.type
        if isinstance(inner, Object) and inner.fields and rule.transform not in ("constant", "custom"):
            names = ", ".join(f"`{rule.id}.{field.name}`" for field in inner.fields[:3])
            self.add(
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
        shape = shape_of(field.type, self.source.types)
        items_null = False
        if inner is not None:
            shape = Shape(kind="list", items=shape)
        else:
            if isinstance(field.type, Array):
                items_null = resolve(field.type.items, self.source.types).nullable
        return Input(
            path=field.path,
            shape=shape,
            may_be_missing=any(not step.required for step in steps),
            may_be_null=any(step.type.nullable for step in steps),
            items_may_be_null=items_null,
        )

    def _type(self, rule: Rule, target: Reached, outcome: Outcome) -> None:
        types = self.destination.types
        places = (Place.of(rule.place), Place.of(target.place, "what is taken here"))
        if rule.transform == "constant":
            if why := unfit(outcome.spelling.constant, target.type, types):
                self.add(
                    "V420", f"the constant of `{rule.id}` {why}", places, "write a value that the destination takes"
                )
            return
        wanted = shape_of(target.type, types)
        if rule.transform == "each" and "transform" not in rule.options and rule.destination[-1] is EACH:
            return
        if not accepts(wanted, outcome.shape):
            self.add(
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
                    self.add(
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
            self.add(
                "V421",
                f"`{rule.id}` is required, and its source may be missing",
                places,
                "say what happens: `on_missing: dead`, or `on_missing: {value: …}`",
            )
        elif left_out and has_required_place and rule.on_missing is None:
            self.add(
                "V421",
                f"`{rule.id}` is required where `{format_path(rule.destination[:-1])}` is written, and its source may be missing",
                places,
                "say what happens: `on_missing: dead`, `on_missing: {value: …}`, or `on_missing: omit` when it is missing "
                "only together with the others",
            )
        if nulled_out and is_required:
            self.add(
                "V421",
                f"`{rule.id}` is required, and the rule leaves a null out",
                places,
                "say what happens: `on_null: dead`, or `on_null: {value: …}`",
            )
        ends_null = outcome.may_be_null and on_null == "keep"
        nullable = target.type.nullable
        if ends_null and not nullable and rule.on_null is None and "null_into_non_null" not in rule.waive:
            self.add(
                "V422",
                f"`{rule.id}` takes no null, and its source may be one",
                (Place.of(rule.place), Place.of(target.place, "takes no null")),
                "say what happens: `on_null: omit`, `on_null: dead` or `on_null: {value: …}`",
            )
        return on_missing, on_null, left_out or nulled_out, ends_null

    def _default(self, rule: Rule, target: Reached, value: Json, key: str) -> None:
        if why := unfit(value, target.type, self.destination.types):
            self.add(
                "V423",
                f"the value under `{key}` of `{rule.id}` {why}",
                (Place.of(rule.at(key, "value")), Place.of(target.place, "what is taken here")),
                "write a value that the destination takes",
            )

    def _losses(
        self, rule: Rule, target: Reached, inputs: Sequence[Input], outcome: Outcome, ends_null: bool
    ) -> Iterator[Loss]:
        losses = list(find_losses(rule.transform, inputs, outcome, target.type, self.destination.types))
        if ends_null and not target.type.nullable and (rule.on_null == "keep" or "null_into_non_null" in rule.waive):
            losses.append(Loss(code="null_into_non_null", detail=LOSSES["null_into_non_null"]))
        named = {loss.code for loss in losses}
        for code in rule.waive:
            self._waive_key(rule, code, named)
        for loss in losses:
            reason = rule.waive.get(loss.code)
            if reason is None:
                self.add(
                    "V430",
                    f"`{rule.id}` may lose something: {loss.detail}",
                    (Place.of(rule.place), Place.of(target.place)),
                    f"change the rule, or accept it with a reason: `waive: {{{loss.code}: …}}`",
                    severity="warning" if self.draft else "error",
                )
            yield Loss(code=loss.code, detail=loss.detail, reason=reason)

    def _waive_key(self, rule: Rule, code: str, named: set[str]) -> None:
        if code in named:
            return
        place = (Place.of(rule.at("waive", code)),)
        if code in LOSSES:
            self.add(
                "V432", f"`{rule.id}` does not have the loss `{code}`", place, "remove the waiver", severity="warning"
            )
        else:
            known = sorted({*LOSSES, *named})
            self.add("V431", f"`{code}` is no loss", place, f"write {either(near(code, known) or known)}")

    def _fault(self, rule: Rule, fault: Fault) -> None:
        notes = (fault.note,) if fault.note else ()
        self.add(_CODES[fault.kind], fault.message, (Place.of(rule.at(*fault.at)),), fault.help, notes=notes)

    def add(
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


def some_leaves(end: End) -> Iterator[Reached]:
    """For suggestions: large schemas have more fields than anyone would look through."""
    return islice(leaves(end.type, end.types), 5000)

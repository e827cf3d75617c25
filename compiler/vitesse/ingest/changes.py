"""Two versions of a description × what an integration uses → what changed for it, weighed.

Looks at the used operations, the fields that rules touch and the facts; whatever else a vendor changed is nobody's concern here.
Reading and writing weigh differently: a field that may be null now breaks its reader and nothing of its writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ..api.canonical import canonical
from ..api.facts import ApiFacts, Fact, FactKind, Paging, RateLimit
from ..api.fields import FoundField, find_field
from ..api.model import Api, Array, Json, Object, Operation, Parameter, Scalar, Type
from ..api.paths import EACH, Path, format_path, parse_path
from ..manifest import Manifest
from ..rules.check import unfilled_in
from ..rules.model import Rules

Weight: TypeAlias = Literal["breaking", "additive", "none"]
"""breaking: what was compiled may fail or do something else. additive: more is possible, or needed by nobody yet. none: told, and
without consequence for the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """One fact that differs from what the file said before."""

    operation: str
    kind: FactKind
    before: Fact | None
    after: Fact | None

    @property
    def weight(self) -> Weight:
        """How much it matters: a bound that widened or a fact that is new adds; any other value breaks."""
        before = self.before.value if self.before is not None else None
        after = self.after.value if self.after is not None else None
        if before == after:
            return "none"
        if before is None or after is None:
            return "additive" if before is None else "breaking"
        if isinstance(before, RateLimit) and isinstance(after, RateLimit):
            slower = after.per_s < before.per_s or after.burst < before.burst
            return "breaking" if slower else "additive"
        if isinstance(before, Paging) and isinstance(after, Paging):
            return _paging(before, after)
        return "additive" if _only_adds(canonical(before), canonical(after)) else "breaking"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChange:
    """One thing about a used operation, or about a field that a rule touches, that is not what it was."""

    weight: Weight
    operation: str
    what: str
    """`parameter query.limit`, `field email`, `sign-in`."""
    change: str
    """In words: `may be null now`."""
    at: str = ""
    """Pointer into the newer description; into the older one for what is gone."""
    rules: tuple[str, ...] = ()
    """`customers.email`: stream and rule that touch the field."""


def compare_specs(
    before: Api, after: Api, *, manifest: Manifest, side: str, rules: Sequence[Rules], facts: tuple[ApiFacts, ApiFacts]
) -> tuple[SpecChange, ...]:
    """Say what of a new version matters to one side of an integration.

    Args:
        before: Built from the pinned description.
        after: Built from the new one; has all operations that the streams use.
        rules: Of every stream that has a mapping.
        facts: Of this API, before and after.

    Returns:
        Operations in the manifest's order, each with its fields after it.
    """
    found: dict[SpecChange, None] = {}
    system = manifest.source if side == "source" else manifest.destination
    servers = [server.url for server in before.servers[:1]], [server.url for server in after.servers[:1]]
    if system.base_url is None and servers[0] != servers[1]:
        at = after.servers[0].place.pointer if after.servers else "#"
        text = f"is {''.join(servers[1]) or 'not said'} now, was {''.join(servers[0]) or 'not said'}"
        found[SpecChange(weight="breaking", operation="", what="server", change=text, at=at)] = None
    seen: set[str] = set()
    for stream in manifest.streams:
        mapping = next((one for one in rules if one.stream == stream), None)
        for use in _uses(manifest, stream, side, facts):
            old, new = before.operation(use.operation), after.operation(use.operation)
            if old is None or new is None:
                continue
            if use.operation not in seen:
                seen.add(use.operation)
                found |= dict.fromkeys(_operation(before, after, old, new, _sent(manifest, facts[0], use.operation)))
            for path, touching in _touched(mapping, stream, manifest, side).items():
                found |= dict.fromkeys(_field(before, after, old, new, use, path, touching))
            if use.writes and mapping is not None:
                found |= dict.fromkeys(_newly_required(before, after, old, new, mapping))
    return tuple(found)


# --- what is used -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    operation: str
    writes: bool = False
    before: Path | None = None
    """Where a record is in the reply."""
    after: Path | None = None
    reads: bool = False


def _uses(manifest: Manifest, stream: str, side: str, facts: tuple[ApiFacts, ApiFacts]) -> Iterator[_Use]:
    one = manifest.streams[stream]
    if one.side("source") == side:
        old, new = (_records(known, one.source.list) for known in facts)
        yield _Use(operation=one.source.list, reads=old is not None and new is not None, before=old, after=new)
        if one.source.get is not None:
            old, new = (_record(known, one.source.get) for known in facts)
            yield _Use(operation=one.source.get, reads=old is not None and new is not None, before=old, after=new)
        return
    to = one.destination
    yield _Use(operation=to.create, writes=True)
    if to.update is not None:
        yield _Use(operation=to.update, writes=True)
    for id in (to.get, to.list, to.delete, to.find.operation if to.find is not None else None, *to.batches):
        if id is not None:
            yield _Use(operation=id)


def _records(facts: ApiFacts, operation: str) -> Path | None:
    fact = facts.get(operation, "records")
    return (*parse_path(fact.value), EACH) if fact is not None and isinstance(fact.value, str) else None


def _record(facts: ApiFacts, operation: str) -> Path | None:
    fact = facts.get(operation, "record")
    if fact is None or not isinstance(fact.value, str):
        return None
    return parse_path(fact.value) if fact.value else ()


def _touched(rules: Rules | None, stream: str, manifest: Manifest, side: str) -> dict[Path, tuple[str, ...]]:
    """Field → the rules that touch it."""
    found: dict[Path, list[str]] = {}
    reads = manifest.streams[stream].side("source") == side
    for rule in rules.rules if rules is not None else ():
        for path in rule.sources if reads else (rule.destination,):
            found.setdefault(path, []).append(f"{stream}.{rule.id}")
    if reads:
        source = manifest.streams[stream].source
        for name in ("identity", "version"):
            text = getattr(source, name)
            if isinstance(text, str):
                found.setdefault(parse_path(text), []).append(f"{stream} ({name})")
    for match in manifest.streams[stream].match:
        text = match.source if reads else match.destination
        found.setdefault(parse_path(text), []).append(f"{stream} (match)")
    return {path: tuple(touching) for path, touching in found.items()}


def _sent(manifest: Manifest, facts: ApiFacts, operation: str) -> set[str]:
    """Names of the optional parameters that the package sends because the manifest or a fact says so."""
    sent: set[str] = set()
    for stream in manifest.streams.values():
        since, find = stream.source.since, stream.destination.find
        sent |= {name.partition(".")[2] for name in stream.parameters}
        if operation == stream.source.list and since is not None:
            sent.add(since if isinstance(since, str) else since.parameter)
        if find is not None and operation == find.operation:
            sent |= {value.removeprefix("query.") for value in find.by.values()}
    for fact in facts.operations.get(operation, {}).values():
        if isinstance(fact.value, Paging):
            sent |= {name for name in (fact.value.limit, fact.value.cursor, fact.value.page, fact.value.offset) if name}
        elif fact.kind in ("since", "idempotency") and isinstance(fact.value, str):
            sent.add(fact.value)
        elif fact.kind == "find" and isinstance(fact.value, Mapping):
            sent |= {str(value).removeprefix("query.") for value in fact.value.values()}
    return sent


# --- operations -------------------------------------------------------------------------------------------------------


def _operation(before: Api, after: Api, old: Operation, new: Operation, sent: set[str]) -> Iterator[SpecChange]:
    at = new.place.pointer

    def change(weight: Weight, what: str, text: str, at: str = at) -> SpecChange:
        return SpecChange(weight=weight, operation=old.id, what=what, change=text, at=at)

    if new.deprecated and not old.deprecated:
        yield change("none", "operation", "is deprecated now")
    gone = [names for names in old.security if names not in new.security]
    if gone or (new.security and not old.security):
        yield change("breaking", "sign-in", f"was {_alternatives(old.security)}, is {_alternatives(new.security)}")
    elif set(new.security) != set(old.security):
        yield change("additive", "sign-in", f"may be {_alternatives(new.security)} too")
    schemes = {scheme.name: scheme for scheme in before.security_schemes}
    for scheme in after.security_schemes:
        known = schemes.get(scheme.name)
        if known is None or not any(scheme.name in names for names in new.security):
            continue
        if (known.kind, known.location, known.parameter) != (scheme.kind, scheme.location, scheme.parameter):
            text = f"is {scheme.kind} now, was {known.kind}"
            if known.kind == scheme.kind:
                text = (
                    f"is sent in {scheme.location} `{scheme.parameter}` now, was {known.location} `{known.parameter}`"
                )
            yield change("breaking", f"sign-in {scheme.name}", text, scheme.place.pointer)
    yield from _parameters(before, after, old, new, sent)
    if (old.body is None) != (new.body is None):
        required = new.body is not None and new.body.required
        text = "is gone" if new.body is None else "is asked for now" if required else "may be sent now"
        yield change("breaking" if new.body is None or required else "additive", "body", text)
    elif old.body is not None and new.body is not None and old.body.media_type != new.body.media_type:
        yield change("breaking", "body", f"is {new.body.media_type} now, was {old.body.media_type}")
    replies = [response.media_type for response in (old.success(), new.success()) if response is not None]
    if len(set(replies)) == 2:
        yield change("breaking", "reply", f"is {replies[1] or 'empty'} now, was {replies[0] or 'empty'}")


def _alternatives(security: Sequence[tuple[str, ...]]) -> str:
    return " or ".join(" with ".join(f"`{name}`" for name in names) or "none" for names in security) or "none"


def _parameters(before: Api, after: Api, old: Operation, new: Operation, sent: set[str]) -> Iterator[SpecChange]:
    were = {(one.location, one.name): one for one in old.parameters}
    are = {(one.location, one.name): one for one in new.parameters}
    for key in dict.fromkeys((*were, *are)):
        was, now = were.get(key), are.get(key)
        used = was is not None and (was.required or was.name in sent)
        weight, text = _parameter(before, after, was, now, used)
        if text:
            known = now or was
            assert known is not None
            name = f"parameter {key[0]}.{key[1]}"
            yield SpecChange(weight=weight, operation=old.id, what=name, change=text, at=known.place.pointer)


def _parameter(before: Api, after: Api, was: Parameter | None, now: Parameter | None, used: bool) -> tuple[Weight, str]:
    if was is None:
        assert now is not None
        return ("breaking", "is required and new") if now.required else ("additive", "is new")
    if now is None:
        return "breaking" if used else "none", "is gone"
    if now.required and not was.required:
        return "breaking", "is required now"
    spelling = [(one.style, one.explode, one.allow_reserved) for one in (was, now)]
    if spelling[0] != spelling[1]:
        return "breaking" if used else "none", f"is written in style {now.style} now, was {was.style}"
    weight, text = _type(before, after, was.type, now.type, writes=True)
    if text:
        return weight if used else "none", text
    return ("additive", "may be left out now") if was.required and not now.required else ("none", "")


# --- fields -----------------------------------------------------------------------------------------------------------


def _field(
    before: Api, after: Api, old: Operation, new: Operation, use: _Use, path: Path, touching: tuple[str, ...]
) -> Iterator[SpecChange]:
    was, now = _find(before, old, use, use.before, path), _find(after, new, use, use.after, path)
    if was is None and now is None:
        return
    for weight, text in _found(before, after, was, now, writes=use.writes):
        known = now or was
        assert known is not None
        name = f"field {format_path(path)}"
        at = known.place.pointer
        yield SpecChange(weight=weight, operation=old.id, what=name, change=text, at=at, rules=touching)


def _find(api: Api, operation: Operation, use: _Use, records: Path | None, path: Path) -> FoundField | None:
    if use.writes:
        return None if operation.body is None else find_field(api, operation.body.type, path)
    reply = operation.success()
    if not use.reads or records is None or reply is None or reply.type is None:
        return None
    record = find_field(api, reply.type, records)
    return None if record is None else find_field(api, record.type, path)


def _found(
    before: Api, after: Api, was: FoundField | None, now: FoundField | None, *, writes: bool
) -> Iterator[tuple[Weight, str]]:
    if was is None:
        yield "additive", "is there now"
        return
    if now is None:
        yield "breaking", "is gone"
        return
    weight, text = _type(before, after, was.type, now.type, writes=writes)
    if text:
        yield weight, text
    if was.nullable != now.nullable:
        narrower = now.nullable != writes
        yield "breaking" if narrower else "additive", "may be null now" if now.nullable else "is never null now"
    if was.required != now.required:
        narrower = now.required == writes
        here, gone = (
            ("is required now", "may be left out now") if writes else ("is always there now", "may be missing now")
        )
        yield "breaking" if narrower else "additive", here if now.required else gone
    old_field, new_field = was.field, now.field
    if writes and old_field is not None and new_field is not None and old_field.read_only != new_field.read_only:
        read_only = new_field.read_only
        yield "breaking" if read_only else "additive", "cannot be written now" if read_only else "can be written now"


def _newly_required(before: Api, after: Api, old: Operation, new: Operation, rules: Rules) -> Iterator[SpecChange]:
    """Fields that a vendor asks for now and that no rule fills, in every object that is written."""
    if old.body is None or new.body is None:
        return
    filled = [rule.destination for rule in rules.rules] + [waiver.destination for waiver in rules.waivers]
    before_too = {path for path, _ in unfilled_in(old.body.type, before.types, filled)}
    for path, place in unfilled_in(new.body.type, after.types, filled):
        if path not in before_too:
            text, what = "is required now, and no rule fills it", f"field {format_path(path)}"
            yield SpecChange(weight="breaking", operation=new.id, what=what, change=text, at=place.pointer)


# --- types ------------------------------------------------------------------------------------------------------------


def _type(before: Api, after: Api, was: Type, now: Type, *, writes: bool, depth: int = 0) -> tuple[Weight, str]:
    """How a type differs; an empty text when it does not. Null is not looked at here."""
    was, now = before.resolve(was), after.resolve(now)
    if isinstance(was, Scalar) and isinstance(now, Scalar):
        return _scalar(was, now, writes=writes)
    if type(was) is not type(now):
        return "breaking", f"is {_name(now)} now, was {_name(was)}"
    if isinstance(was, Array) and isinstance(now, Array) and depth < 4:
        weight, text = _type(before, after, was.items, now.items, writes=writes, depth=depth + 1)
        return weight, f"each item {text}" if text else ""
    if isinstance(was, Object) and isinstance(now, Object):
        gone = [field.name for field in was.fields if now.field(field.name) is None]
        if gone:
            return "breaking", f"has no `{gone[0]}` any more"
        more = [field.name for field in now.fields if was.field(field.name) is None]
        return "additive", f"has `{more[0]}` too" if more else ""
    same = canonical(was) == canonical(now)
    return "breaking", "" if same else "has other alternatives now"


def _scalar(was: Scalar, now: Scalar, *, writes: bool) -> tuple[Weight, str]:
    if was.kind != now.kind:
        widened = (was.kind, now.kind) == ("integer", "number") and writes
        return "additive" if widened else "breaking", f"is {_name(now)} now, was {_name(was)}"
    if was.format != now.format:
        return "breaking", f"has format {now.format or 'none'} now, was {was.format or 'none'}"
    if was.enum != now.enum and set(map(repr, was.enum)) != set(map(repr, now.enum)):
        if not was.enum or not now.enum:
            narrower = bool(now.enum) == writes
            text = "has listed values now" if now.enum else "has no listed values any more"
            return "breaking" if narrower and writes else "additive", text
        gone = [value for value in was.enum if value not in now.enum]
        more = [value for value in now.enum if value not in was.enum]
        text = "; ".join(
            f"{what} {', '.join(map(str, values))}" for what, values in (("loses", gone), ("gains", more)) if values
        )
        return "breaking" if gone and writes else "additive", text
    for what, old, new, sign in (
        ("at most {} characters", was.max_length, now.max_length, 1),
        ("at most {}", was.maximum, now.maximum, 1),
        ("at least {}", was.minimum, now.minimum, -1),
    ):
        if old != new:
            narrower = new is not None and (old is None or (new - old) * sign < 0)
            text = f"takes {what.format(new)} now" if new is not None else f"no longer takes {what.format(old)} only"
            return "breaking" if narrower and writes else "additive", text
    return "none", ""


def _name(type: Type) -> str:
    if isinstance(type, Scalar):
        return type.kind
    return {"Array": "a list", "Object": "an object", "Union": "one of several", "Anything": "anything"}.get(
        type.__class__.__name__, "another type"
    )


def _paging(before: Paging, after: Paging) -> Weight:
    if replace(before, max=None, total=None) != replace(after, max=None, total=None):
        return "breaking"
    narrower = after.max is not None and (before.max is None or after.max < before.max)
    return "breaking" if narrower else "additive"


def _only_adds(before: Json, after: Json) -> bool:
    """Whether all that was known is known still."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    return all(value is None or after.get(name) == value for name, value in before.items())


def worst(weights: Sequence[Weight]) -> Weight:
    """The weightiest; `none` of no changes."""
    order: tuple[Weight, ...] = ("breaking", "additive", "none")
    return next((weight for weight in order if weight in weights), "none")

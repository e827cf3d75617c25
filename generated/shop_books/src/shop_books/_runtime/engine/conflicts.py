"""Records that may have changed on both sides: read there, merged, written or held.

A `Merger` stands beside one run of a stream that merges. It decides about items before their requests are made, again when the
destination says that the record has changed meanwhile, and keeps what each link is to remember until the group's outcomes are
written. The same class serves both directions: `forward` goes from the integration's source to its destination, and merges are
always made in the destination's fields, as the forward mapping writes them.

    forward      the item is the source's record, mapped; the destination's record is read
    backward     the item is the destination's record; the source's record is read, and mapped forward to be compared
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from ..declare import Merge, Operation, Stream
from ..errors import ApiError, Conflict, DecodeError, IntegrationError, NotFound
from ..hashing import content_hash, decode_exact, encode_json
from ..http.session import Reply, Session
from ..matching import optional_text
from ..state import State
from ..state.rows import ConflictRow, Found, Known, Link, Look, MergeOutcomes, NewBase, NewLink, Outcomes
from .adopt import Adopter, object_of
from .classify import classify, new_item
from .decoding import record_decoder
from .drift import Drift
from .items import Item, Past, Reader, Why
from .json_paths import at, wrapped
from .merge import (
    Answer,
    Base,
    Merged,
    View,
    changed_by_destination,
    laid_in,
    merge,
    newer_side,
    view_of,
)
from .pages import Params
from .versions import is_older

Direction: TypeAlias = Literal["forward", "backward"]
TRIES = 3
"""How often a record that changes under our hands is read and merged anew within one run."""
_WRITTEN = frozenset({"created", "updated", "unchanged"})
OWED = b""
"""In place of a hash: one side is still to get what the other has."""


@dataclass(slots=True, eq=False)
class _Plan:
    """What is known and meant about one item."""

    known: Known | None
    base: Base
    """As the link remembers it now."""
    after: Base
    """As it is to be remembered when the item is written, or needs no write."""
    record: dict[str, Any] | None = None
    """The record that is written to, as it was read."""
    etag: str | None = None
    merged: Merged | None = None
    tries: int = 0
    source_view: View | None = None
    destination_view: View | None = None
    hash: bytes = OWED
    """Backward: of the source's record, mapped forward."""
    version: str | None = None
    """Backward: of the source's record."""
    other_version: str | None = None
    """Forward: of the destination's record."""
    match: str | None = None


class Merger:
    """Merges for one run."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        forward: Stream[Any, Any],
        backward: Stream[Any, Any] | None,
        *,
        session: Session,
        fixed: Params,
        adopter: Adopter,
        state: State,
        run_id: str,
        ids: Callable[[], str],
        now: Callable[[], float],
        workers: int,
        answers: Mapping[str, Answer],
    ) -> None:
        assert forward.merge is not None
        self.direction: Direction = "forward" if stream is forward else "backward"
        self.is_pair = backward is not None
        self._stream, self._forward, self._backward = stream, forward, backward
        self._rule: Merge = forward.merge
        self._session, self._fixed, self._adopter = session, dict(fixed), adopter
        self._state, self._run_id, self._ids, self._now, self._workers = state, run_id, ids, now, workers
        self._answers = answers
        """By the identity of the source's record."""
        self._plans: dict[int, _Plan] = {}
        self._known: Mapping[str, Known] = {}
        self._reader: Reader[Any, Any] = Reader(stream, Drift(stream))
        self._forward_reader = self._reader if self.direction == "forward" else Reader(forward, Drift(forward))
        if backward is not None:
            self._decode_back = record_decoder(backward.source.record, exact=backward.source.exact_numbers)
        self._finds_only = stream.destination.get is None and stream.destination.find is not None
        self._if_match = _header(stream.destination.update, "if-match")

    # --- what is looked up ---

    def look(self, look: Look) -> Look:
        """The look-up with what merging needs."""
        return Look(
            stream=look.stream,
            source_ids=look.source_ids,
            matches=look.matches,
            index=look.index,
            merges=self.direction,
            links_of=self._forward.name,
        )

    async def links_of(self, identities: Sequence[str]) -> dict[str, Link]:
        """Links of some records, by the identity that items of this direction have."""
        look = self.look(Look(stream=self._stream.name, source_ids=identities))
        found = await self._state.call(lambda: self._state.store.look(look))
        self._known = found.known
        return dict(found.links)

    async def owner_of(self, destination_id: str) -> str | None:
        """The record that one of the written side is linked to."""
        store, name = self._state.store, self._forward.name
        if self.direction == "forward":
            return await self._state.call(lambda: store.owner_of(name, destination_id))
        return await self._state.call(lambda: store.merges.owner_back(name, destination_id))

    # --- before requests are made ---

    def classify(self, items: Sequence[Item], found: Found, unknown: Container[str]) -> dict[str, Link]:
        """As `classify`, for records that two sides may have changed."""
        self._plans, self._known = {}, found.known
        if self.direction == "forward":
            renewed = classify(self._stream, items, found, unknown)
            for item in items:
                known = found.known.get(item.source_id)
                if item.fate == "unchanged" and known is not None and known.conflict is not None:
                    # The source took its change back, or a person has answered: look again.
                    item.fate, item.is_create, item.destination_id = None, False, known.destination_id
            return renewed
        return self._classify_back(items, found, unknown)

    def _classify_back(self, items: Sequence[Item], found: Found, unknown: Container[str]) -> dict[str, Link]:
        renewed: dict[str, Link] = {}
        in_group: dict[str, str] = {}
        for item in items:
            if item.fate == "skipped" and item.why.failure == "repeated":
                continue
            item.fate = None
            link, known = found.links.get(item.source_id), found.known.get(item.source_id)
            item.link = link
            if item.source_id in unknown:
                item.fate, item.why = "unknown", Why("send", "unknown", "an earlier write of it has no known outcome")
            elif link is None or known is None:
                new_item(self._stream, item, found, in_group)
            elif link.gone_at is not None:
                item.fate, item.why = "skipped", Why("match", "gone", "the record that it is linked to was deleted")
            elif is_older(item.version, link.version):
                item.fate, item.why = "skipped", Why("match", "older", "a newer state of it was synced before")
            else:
                base = self._base(known)
                view = view_of(decode_exact(item.raw), self._rule.fields)
                if known.conflict is None and known.base and not changed_by_destination(self._rule, base, view):
                    item.fate = "unchanged"  # an echo of what we wrote, or nothing new
                    if item.version is not None and item.version != link.version:
                        renewed[item.source_id] = link
                else:
                    item.is_create, item.destination_id = False, link.destination_id
        return renewed

    async def settle(self, items: Sequence[Item]) -> IntegrationError | None:
        """Read what the other side has and decide about each item that would be written over it.

        Returns:
            What stops the run, if anything. Items may have their fates afterwards: unchanged, held, skipped.
        """
        queue = deque(item for item in items if item.fate is None and not item.is_create and not _comes_again(item))
        for item in queue:
            if item.destination_id is None:  # written once without learning its name
                item.destination_id = next((identity for identity, _ in await self._adopter.find(item)), None)
        queue = deque(item for item in queue if item.destination_id is not None)
        listed = await self._listed(queue) if queue and not self._reads_one() else {}
        stop: list[IntegrationError] = []

        async def work() -> None:
            while queue and not stop:
                item = queue.popleft()
                try:
                    await self._one(item, listed.get(item.destination_id or ""))
                except IntegrationError as error:
                    stop.append(error)

        await asyncio.gather(*[work() for _ in range(min(self._workers, len(queue)))])
        return stop[0] if stop else None

    async def again(self, item: Item) -> bool:
        """Read and decide once more: the record has changed meanwhile, or was only just found. False: often enough."""
        plan = self._plans.get(id(item))
        tries = plan.tries + 1 if plan is not None else 0
        if tries >= TRIES:
            return False
        listed = {} if self._reads_one() else await self._listed([item])
        await self._one(item, listed.get(item.destination_id or ""))
        if (plan := self._plans.get(id(item))) is not None:
            plan.tries = tries
        return True

    def has_changed_meanwhile(self, item: Item, error: IntegrationError) -> bool:
        """Whether a refusal says that the record is not as it was read."""
        if id(item) not in self._plans or not isinstance(error, ApiError):
            return False
        return error.status == 412 or isinstance(error, Conflict)

    def params(self, item: Item) -> Params:
        """What an update sends so that it changes nothing but the record that was read."""
        plan = self._plans.get(id(item))
        if plan is None or plan.etag is None or self._if_match is None:
            return {}
        return {self._if_match: plan.etag}

    def record(self, item: Item) -> dict[str, Any] | None:
        """The record that an item is written to, when it was read for merging."""
        plan = self._plans.get(id(item))
        return plan.record if plan is not None else None

    async def _one(self, item: Item, listed: dict[str, Any] | None) -> None:
        assert item.destination_id is not None
        record, etag = listed, None
        if record is None:
            found = await self._read(item)
            if found is None and self._finds_only:
                reason = "it is linked, and looking it up by its match value does not give the linked record any more"
                item.fate, item.why = "dead", Why("match", "permanent_record", reason)
                return
            if found is None:
                item.destination_id, item.is_create = None, True  # gone over there: it is made again
                return
            record, etag = found
        if self.direction == "forward":
            self._forwards(item, record, etag)
        else:
            self._backwards(item, record, etag)

    def _forwards(self, item: Item, record: dict[str, Any], etag: str | None) -> None:
        envelope, fields = self._forward.destination.envelope, self._rule.fields
        body = at(decode_exact(item.body), envelope)
        known = self._known.get(item.source_id)
        plan = self._plan(item, known, record, etag)
        source, destination = view_of(body, fields), view_of(record, fields)
        previous = self._plans.get(id(item))
        if previous is not None and previous.source_view is not None:
            source = previous.source_view  # the body may hold an earlier merge
        plan.other_version = self._version_of(record)
        stated = self._stated_version(record)
        merged = self._decide(item, plan, source, destination, item.version, stated, item.source_id)
        self._plans[id(item)] = plan
        if merged is None:
            return
        plan.after = Base(
            _kept({**plan.base.source, **source}, plan.base.source, merged.skipped),
            _kept(_after(destination, merged, merged.to_destination), plan.base.destination, merged.skipped),
            to_source=merged.to_source if self.is_pair else frozenset(),
        )
        if not merged.to_destination:
            item.fate = "unchanged"
            return
        differ = [each.name for each in fields if merged.view.get(each.name) != source.get(each.name)]
        if differ or previous is not None:
            item.body = encode_json(
                wrapped(envelope, laid_in(body, merged.view, fields, [each.name for each in fields]))
            )

    def _backwards(self, item: Item, record: dict[str, Any], etag: str | None) -> None:
        fields = self._rule.fields
        known = self._known.get(item.source_id)
        plan = self._plan(item, known, record, etag)
        twin = self._mapped_forward(record)
        if twin is None:
            item.fate = "dead"
            item.why = Why("match", "permanent_record", "the record it is linked to cannot be mapped, so not compared")
            return
        own = decode_exact(item.raw) if item.raw else None
        if own is None:
            return  # of an earlier run; what it was made from is not kept
        source = view_of(at(decode_exact(twin.body), self._forward.destination.envelope), fields)
        destination = view_of(own, fields)
        plan.hash, plan.version, plan.match = twin.hash, twin.version, twin.match
        stated = self._stated_version(own)
        merged = self._decide(item, plan, source, destination, twin.version, stated, item.destination_id or "")
        self._plans[id(item)] = plan
        if merged is None:
            return
        plan.after = Base(
            _kept(_after(source, merged, merged.to_source), plan.base.source, merged.skipped),
            _kept(destination, plan.base.destination, merged.skipped),
            to_destination=merged.to_destination,
        )
        if merged.to_destination:
            plan.hash = OWED
        if not merged.to_source:
            item.fate = "unchanged"
            return
        differ = [each.name for each in fields if merged.view.get(each.name) != destination.get(each.name)]
        if differ:
            raw = encode_json(laid_in(own, merged.view, fields, differ))
            items, bad = self._reader.read([raw])
            if bad:
                item.fate, item.why = "dead", bad[0].why
                return
            item.body, item.hash = items[0].body, items[0].hash

    def _decide(
        self,
        item: Item,
        plan: _Plan,
        source: View,
        destination: View,
        source_version: str | None,
        destination_version: str | None,
        source_id: str,
    ) -> Merged | None:
        """None: the item has its fate."""
        plan.source_view, plan.destination_view = source, destination
        newer = newer_side(source_version, destination_version, skew_s=self._rule.clock_skew_s)
        answer = self._answers.get(source_id)
        if answer is not None and not answer.is_about(source, destination):
            answer = None  # it has changed since the person looked
        merged = merge(self._rule, self._forward.conflicts, plan.base, source, destination, newer=newer, answer=answer)
        plan.merged = merged
        if merged.conflicts:
            names = ", ".join(f"`{name}`" for name in merged.conflicts)
            item.fate, item.why = "held", Why("merge", "conflict", f"both sides changed {names}")
            plan.version = plan.version or source_version
            plan.other_version = plan.other_version or destination_version
            return None
        if merged.skipped and not merged.to_source and not merged.to_destination:
            item.fate, item.why = "skipped", Why("merge", "conflict", "both sides changed it, and are left as they are")
            return None
        return merged

    def _plan(self, item: Item, known: Known | None, record: dict[str, Any], etag: str | None) -> _Plan:
        base = self._base(known)
        return _Plan(known=known, base=base, after=base, record=record, etag=etag)

    def _base(self, known: Known | None) -> Base:
        if known is None or not known.base:
            return Base()
        return Base.decode(self._state.sealer.open(bytes(known.base)), self._rule.fields)

    def _mapped_forward(self, record: dict[str, Any]) -> Item | None:
        """A source record as the forward mapping writes it; None when it cannot be."""
        items, _ = self._forward_reader.read([encode_json(record)])
        return items[0] if items else None

    # --- reading the other side ---

    def _reads_one(self) -> bool:
        destination = self._stream.destination
        return destination.get is not None or (destination.find is not None and bool(self._stream.match))

    async def _read(self, item: Item) -> tuple[dict[str, Any], str | None] | None:
        """The record that an item is written to; None when it is gone."""
        destination = self._stream.destination
        if destination.get is not None:
            params = {**self._fixed, destination.get_argument: item.destination_id}
            try:
                reply = await self._session.request(destination.get, params=params)
            except NotFound:
                return None
            return object_of(reply), reply.headers.get("etag")
        for identity, record in await self._adopter.find(item):
            if identity == item.destination_id and record is not None:
                return record, None
        return None

    async def _listed(self, items: Sequence[Item] | deque[Item]) -> dict[str, dict[str, Any]]:
        """The records of a group out of the whole list, where there is no other way to read one."""
        operation = self._stream.destination.list
        wanted = {item.destination_id for item in items}
        found: dict[str, dict[str, Any]] = {}
        if operation is None:
            return found
        async for page in self._session.pages(operation, params=self._fixed):
            for raw in page.records:
                record = decode_exact(raw)
                identity = self._adopter.identity(record)
                if identity in wanted and identity is not None and isinstance(record, dict):
                    found[identity] = record
            if len(found) == len(wanted):
                break
        return found

    # --- after a write ---

    async def written(self, item: Item, reply: Reply, operation: Operation) -> None:
        """Note what the written side shows now, so that it is known again when it comes back."""
        record = self._shown(reply, operation)
        plan = self._plans.get(id(item))
        if plan is None:
            plan = self._plans[id(item)] = self._new_plan(item)
        if item.destination_id is None and self.is_pair:
            item.destination_id = next((identity for identity, _ in await self._adopter.find(item)), None)
        if self.is_pair and not self._is_whole(plan, record):
            record = await self._seen(item) or record
        if record is None:
            return
        if self.direction == "forward":
            shown = view_of(record, self._rule.fields)
            after = plan.after
            plan.after = Base(after.source, {**after.destination, **shown}, after.to_source, after.to_destination)
            plan.other_version = self._version_of(record) or plan.other_version
            return
        twin = self._mapped_forward(record)
        if twin is None:
            plan.hash = OWED
            return
        view = view_of(at(decode_exact(twin.body), self._forward.destination.envelope), self._rule.fields)
        after = plan.after
        plan.after = Base({**after.source, **view}, after.destination, after.to_source, after.to_destination)
        plan.version, plan.match = twin.version, twin.match
        if not after.to_destination:
            plan.hash = twin.hash

    def _new_plan(self, item: Item) -> _Plan:
        """Of a record that is new over there."""
        known = self._known.get(item.source_id)
        fields = self._rule.fields
        if self.direction == "forward":
            view = view_of(at(decode_exact(item.body), self._forward.destination.envelope), fields)
        else:
            view = view_of(decode_exact(item.raw), fields) if item.raw else {}
        return _Plan(known=known, base=Base(), after=Base(view, view))

    def _is_whole(self, plan: _Plan, record: dict[str, Any] | None) -> bool:
        """Whether a reply shows all that was written."""
        if record is None:
            return False
        if self.direction == "backward":
            twin = self._mapped_forward(record)
            if twin is None:
                return False
            shown = view_of(at(decode_exact(twin.body), self._forward.destination.envelope), self._rule.fields)
            return all(name in shown for name, value in plan.after.source.items() if value is not None)
        shown = view_of(record, self._rule.fields)
        return all(name in shown for name, value in plan.after.destination.items() if value is not None)

    async def _seen(self, item: Item) -> dict[str, Any] | None:
        """The record as it is after a write whose reply does not show it."""
        if item.destination_id is None:
            return None
        try:
            found = await self._read(item)
        except IntegrationError:
            return None  # it was written; what it looks like is found out by the next run
        return found[0] if found is not None else None

    @staticmethod
    def _shown(reply: Reply, operation: Operation) -> dict[str, Any] | None:
        try:
            record = at(decode_exact(reply.body), operation.record)
        except (msgspec.MsgspecError, DecodeError):
            return None
        return record if isinstance(record, dict) and record else None

    def _version_of(self, record: dict[str, Any]) -> str | None:
        """The version of a destination's record, as the other direction reads it."""
        if self._backward is None or self._backward.source.version is None:
            return self._stated_version(record)
        try:
            return self._backward.source.version(self._decode_back(encode_json(record)))
        except Exception:  # a reply that is less than a record says nothing about versions
            return None

    def _stated_version(self, record: dict[str, Any]) -> str | None:
        value = at(record, self._rule.version) if self._rule.version is not None else None
        return None if isinstance(value, dict | list) else optional_text(value)

    # --- outcomes ---

    def finish(self, items: Sequence[Item], outcomes: Outcomes) -> None:
        """Add to a group's outcomes what links remember, what is held and what was decided."""
        merged = outcomes.merged = MergeOutcomes()
        written = {link.source_id: link for link in outcomes.links}
        links = {**written, **{link.source_id: link for link in outcomes.kept}}
        if self.direction == "backward":
            outcomes.links, outcomes.kept = [], []
        for item in items:
            plan = self._plans.get(id(item))
            if item.fate == "held" and plan is not None and plan.merged is not None:
                merged.conflicts.append(self._conflict(item, plan))
            elif item.fate in _WRITTEN and (link := links.get(item.source_id)) is not None:
                if plan is None and item.fate == "created" and item.hash != OWED:
                    plan = self._new_plan(item)
                if self.direction == "backward":
                    link = self._turned(item, plan, link, merged)
                    if link is None:
                        continue  # made, and not found again: the next run looks for it by its match value
                    (outcomes.links if item.source_id in written else outcomes.kept).append(link)
                self._remember(item, plan, link, outcomes, merged)

    def _turned(self, item: Item, plan: _Plan | None, link: NewLink, merged: MergeOutcomes) -> NewLink | None:
        """The link of a record that went back, as it stands in the table: by the source's identity."""
        source_id, known = link.destination_id, self._known.get(item.source_id)
        if source_id is None:
            return None
        if known is not None and known.source_id != source_id:
            merged.unlinked.append((self._forward.name, known.source_id))
            known = None
        digest, version, match = (None, None, None) if plan is None else (plan.hash, plan.version, plan.match)
        if known is not None:
            digest = known.hash if digest is None else digest
            version, match = version or known.version, match or known.match
        return link._replace(
            stream=self._forward.name,
            source_id=source_id,
            destination_id=item.source_id,
            hash=digest or OWED,
            version=version,
            match=match or item.match,
        )

    def _remember(
        self, item: Item, plan: _Plan | None, link: NewLink, outcomes: Outcomes, merged: MergeOutcomes
    ) -> None:
        is_backward = self.direction == "backward"
        known = self._known.get(item.source_id)
        version = item.version if is_backward else None
        if plan is None:
            # Nothing was compared: an echo that is only newer, or an outcome of an earlier run.
            is_recovered = item.hash == OWED
            if is_recovered or is_backward:
                base = self._base(known)
                shown = OWED if is_backward and is_recovered else self._destination_hash(base)
                stored = base.encode() if known is not None and known.base else None
                outcomes.bases.append(NewBase(stored, shown, version, link.stream, link.source_id))
            return
        shown = OWED if plan.after.to_source else self._destination_hash(plan.after)
        outcomes.bases.append(
            NewBase(plan.after.encode(), shown, version or plan.other_version, link.stream, link.source_id)
        )
        self._tell(item, plan, link.source_id, merged)

    def _tell(self, item: Item, plan: _Plan, source_id: str, merged: MergeOutcomes) -> None:
        """What was decided: the conflict is closed, what lost is kept."""
        decided = plan.merged
        if plan.known is not None and plan.known.conflict is not None:
            answer = self._answers.get(source_id)
            resolution = "the sides agree again" if answer is None else _words(answer)
            by = answer.by if answer is not None else "by itself"
            merged.closed.append((self._forward.name, source_id, resolution, by))
        if decided is None or not decided.lost:
            return
        names = sorted({name for values in decided.lost.values() for name in values})
        past = item.past = item.past or Past()
        past.kind = "kept" if item.fate == "unchanged" else "merged"
        past.reason = f"both sides changed {', '.join(names)}: {', '.join(decided.strategies)}"
        past.loser = encode_json(dict(decided.lost))

    def _conflict(self, item: Item, plan: _Plan) -> ConflictRow:
        assert plan.merged is not None
        seal = self._state.sealer.seal
        is_forward = self.direction == "forward"
        known = plan.known
        raw = item.raw if is_forward and self._forward.source.get is None else b""
        source: dict[str, Any] = {"fields": plan.source_view}
        if raw:
            source["record"] = raw.decode()
        return ConflictRow(
            id=self._ids(),
            stream=self._forward.name,
            source_id=item.source_id if is_forward else item.destination_id or "",
            destination_id=item.destination_id if is_forward else item.source_id,
            base=seal(encode_json(plan.base.source)),
            source=seal(encode_json(source)),
            destination=seal(encode_json({"fields": plan.destination_view})),
            fields=json.dumps(list(plan.merged.conflicts)),
            made_at=self._now(),
            run_id=self._run_id,
            strategy=", ".join(plan.merged.strategies),
            source_version=item.version if is_forward else plan.version,
            destination_version=plan.other_version if is_forward else item.version,
            link_hash=known.hash if known is not None else None,
        )

    @staticmethod
    def _destination_hash(base: Base) -> bytes:
        return content_hash(base.destination)


def _comes_again(item: Item) -> bool:
    """A record whose link was given up: it is written whole."""
    return item.link is not None and item.link.gone_at is not None


def _after(before: View, merged: Merged, names: Container[str]) -> View:
    """The written side's view when it has the fields that it is to get."""
    kept = {name: value for name, value in before.items() if name not in names}
    return kept | {name: value for name, value in merged.view.items() if name in names}


def _kept(view: View, base: View, names: Sequence[str]) -> View:
    """`view`, with what was left undecided as the base has it."""
    kept = {name: value for name, value in view.items() if name not in names}
    return kept | {name: base[name] for name in names if name in base}


def _words(answer: Answer) -> str:
    values = f"values for {', '.join(sorted(answer.values))}" if answer.values else ""
    return " and ".join(part for part in (f"take {answer.take}" if answer.take else "", values) if part)


def _header(operation: Operation | None, name: str) -> str | None:
    """The wire name of a header parameter, whatever its case."""
    for parameter in operation.parameters if operation is not None else ():
        if parameter.location == "header" and parameter.name.lower() == name:
            return parameter.name
    return None

"""Records that may have changed on both sides: read there, merged, written or held.

A `Merger` stands beside one run of a stream that merges. It decides about items before their requests are made, again when the
destination says that the record has changed meanwhile, and has its memory keep what each link is to remember until the group's
outcomes are written. The same class serves both directions: `forward` goes from the integration's source to its destination, and
merges are always made in the destination's fields, as the forward mapping writes them.

    forward      the item is the source's record, mapped; the destination's record is read
    backward     the item is the destination's record; the source's record is read, and mapped forward to be compared
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from ..declare import Operation, Stream
from ..errors import ApiError, Conflict, IntegrationError
from ..hashing import decode_exact, encode_json
from ..http.session import Reply, Session
from ..json_paths import at, wrapped
from ..state import State
from ..state.rows import Found, Link, Look, NewChange, Outcomes
from .adopt import Adopter
from .classify import classify, new_item
from .items import Item, Why
from .merge import Answer, Base, Merged, View, alike, changed_by_destination, laid_in, merge, newer_side
from .merge_memory import OWED, Decision, MergeMemory
from .other_side import OtherSide, shown_in
from .pages import Params
from .partings import Partings
from .requests import Request
from .sides import Sides
from .versions import is_older, seconds_of

TRIES = 3
"""How often a record that changes under our hands is read and merged anew within one run."""
CLOCKS_OF_ONE_S = 2.0
"""How much later than the date of its answer a write may seem to be: the date is in whole seconds, a vendor has several machines."""
_STAYS_GONE = "the record that it is linked to was deleted"


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
        """`answers`: a person's, by the identity of the source's record."""
        self._sides = sides = Sides(stream, forward, backward)
        self._other = OtherSide(stream, session, fixed, adopter)
        self._memory = MergeMemory(sides, sealer=state.sealer, run_id=run_id, ids=ids, now=now)
        self._stream, self._forward, self._rule = stream, forward, sides.rule
        self._state, self._workers, self._answers = state, workers, answers
        self._if_match = _header(stream.destination.update, "if-match")
        self._partings = Partings(
            sides,
            self._other,
            self._memory,
            seal=state.sealer.seal,
            run_id=run_id,
            ids=ids,
            now=now,
            workers=workers,
            answers=answers,
        )

    # --- what is looked up ---

    def look(self, look: Look) -> Look:
        """The look-up with what merging needs."""
        return Look(
            stream=look.stream,
            source_ids=look.source_ids,
            matches=look.matches,
            index=look.index,
            merges=self._sides.direction,
            links_of=self._forward.name,
        )

    async def links_of(self, identities: Sequence[str]) -> dict[str, Link]:
        """Links of some records, by the identity that items of this direction have."""
        look = self.look(Look(stream=self._stream.name, source_ids=identities))
        found = await self._state.call(lambda: self._state.store.look(look))
        self._memory.known = found.known
        return dict(found.links)

    async def owner_of(self, destination_id: str) -> str | None:
        """The record that one of the written side is linked to."""
        store, name = self._state.store, self._forward.name
        if self._sides.direction == "forward":
            return await self._state.call(lambda: store.owner_of(name, destination_id))
        return await self._state.call(lambda: store.merges.owner_back(name, destination_id))

    def written_at(self, identity: str) -> float | None:
        """When a record was last written, by the identity that items of this direction have."""
        known = self._memory.known.get(identity)
        return known.written_at if known is not None else None

    # --- before requests are made ---

    def classify(self, items: Sequence[Item], found: Found, unknown: Container[str]) -> dict[str, Link]:
        """As `classify`, for records that two sides may have changed."""
        self._memory.begin_group(found.known)
        self._partings.begin_group()
        if self._sides.direction == "forward":
            renewed = classify(self._stream, items, found, unknown)
            for item in items:
                known = found.known.get(item.source_id)
                if item.fate == "unchanged" and known is not None and known.conflict is not None:
                    # The source took its change back, or a person has answered: look again.
                    item.fate, item.is_create, item.destination_id = None, False, known.destination_id
                elif item.fate != "unknown" and self._stays_gone(item.link):
                    item.fate, item.why = "skipped", Why("match", "gone", _STAYS_GONE)
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
            elif self._stays_gone(link):
                item.fate, item.why = "skipped", Why("match", "gone", _STAYS_GONE)
            elif link.gone_at is not None and self._stream.deletes is not None and self._stream.deletes.mode == "hard":
                new_item(self._stream, item, found, in_group)  # it was deleted here first, and is here again
            elif is_older(item.version, link.version):
                item.fate, item.why = "skipped", Why("match", "older", "a newer state of it was synced before")
            else:
                base, view = self._memory.base(known), self._sides.view(decode_exact(item.raw))
                if known.conflict is None and known.base and not changed_by_destination(self._rule, base, view):
                    item.fate = "unchanged"  # an echo of what we wrote, or nothing new
                    if item.version is not None and item.version != link.version:
                        renewed[item.source_id] = link
                else:
                    item.is_create, item.destination_id = False, link.destination_id
        return renewed

    def _stays_gone(self, link: Link | None) -> bool:
        return link is not None and link.gone_at is not None and self._partings.stays_gone(link)

    async def part(self, items: Sequence[Item]) -> IntegrationError | None:
        """Decide about records that are gone where they came from; those that are to be deleted keep no fate.

        Their links were looked up with `links_of`.
        """
        self._memory.begin_group(self._memory.known)
        return await self._partings.settle(items)

    def is_asked_about(self, item: Item) -> bool:
        """Whether a record that is found to be gone over there is more than made again."""
        return self._partings.are_told and item.source_id in self._memory.known

    async def settle(self, items: Sequence[Item]) -> IntegrationError | None:
        """Read what the other side has and decide about each item that would be written over it.

        Returns:
            What stops the run, if anything. Items may have their fates afterwards: unchanged, held, skipped.
        """
        queue = deque(item for item in items if item.fate is None and not item.is_create and not _comes_again(item))
        for item in queue:
            await self._other.identify(item)
        queue = deque(item for item in queue if item.destination_id is not None)
        listed = await self._other.listed(queue)
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
        decision = self._memory.of(item)
        tries = decision.tries + 1 if decision is not None else 0
        if tries >= TRIES:
            return False
        listed = await self._other.listed([item])
        await self._one(item, listed.get(item.destination_id or ""))
        if (decision := self._memory.of(item)) is not None:
            decision.tries = tries
        return True

    def has_changed_meanwhile(self, item: Item, error: IntegrationError) -> bool:
        """Whether a refusal says that the record is not as it was read."""
        if self._memory.of(item) is None or not isinstance(error, ApiError):
            return False
        return error.status == 412 or isinstance(error, Conflict)

    def params(self, item: Item) -> Params:
        """What an update sends so that it changes nothing but the record that was read."""
        decision = self._memory.of(item)
        if decision is None or decision.etag is None or self._if_match is None:
            return {}
        return {self._if_match: decision.etag}

    def seen(self, item: Item) -> View:
        """What the written side showed of an item after its write, in the destination's fields."""
        decision = self._memory.of(item)
        if decision is None:
            return {}
        return decision.after.destination if self._sides.direction == "forward" else decision.after.source

    def begin_undoing(self) -> None:
        """Records are put back: nothing is merged."""
        self._memory.begin_group({})
        self._partings.begin_group()

    def record(self, item: Item) -> dict[str, Any] | None:
        """The record that an item is written to, when it was read for merging."""
        decision = self._memory.of(item)
        return decision.record if decision is not None else None

    async def _one(self, item: Item, listed: dict[str, Any] | None) -> None:
        assert item.destination_id is not None
        record, etag = listed, None
        if record is None:
            found = await self._other.read(item)
            if found is None and (written_at := self.written_at(item.source_id)) is not None:
                found = await self._other.read_late(item, written_at)
            if found is None and self._other.finds_only:
                reason = "it is linked, and looking it up by its match value does not give the linked record any more"
                item.fate, item.why = "dead", Why("match", "permanent_record", reason)
                return
            if found is None:
                self._memory.drop(item)
                if self._partings.is_made_again(item):
                    item.destination_id, item.is_create = None, True
                return
            record, etag = found
        if self._sides.direction == "forward":
            self._forwards(item, record, etag)
        else:
            self._backwards(item, record, etag)

    def _forwards(self, item: Item, record: dict[str, Any], etag: str | None) -> None:
        envelope, fields = self._forward.destination.envelope, self._rule.fields
        decision = self._memory.about(item, record, etag)
        source, destination = self._sides.mapped_view(item.body), self._sides.view(record)
        previous = self._memory.of(item)
        if previous is not None and previous.source_view is not None:
            source = previous.source_view  # the body may hold an earlier merge
        decision.other_version = self._sides.version_of(record)
        stated = self._sides.stated_version(record)
        merged = self._decide(item, decision, source, destination, item.version, stated, item.source_id)
        self._memory.keep(item, decision)
        if merged is None:
            return
        base = decision.base
        decision.after = Base(
            _kept({**base.source, **source}, base.source, merged.skipped),
            _kept(_after(destination, merged, merged.to_destination), base.destination, merged.skipped),
            to_source=merged.to_source if self._sides.is_pair else frozenset(),
        )
        if not merged.to_destination:
            item.fate = "unchanged"
            return
        names = [each.name for each in fields]
        if previous is not None or any(merged.view.get(name) != source.get(name) for name in names):
            body = at(decode_exact(item.body), envelope)
            item.body = encode_json(wrapped(envelope, laid_in(body, merged.view, fields, names)))

    def _backwards(self, item: Item, record: dict[str, Any], etag: str | None) -> None:
        fields = self._rule.fields
        decision = self._memory.about(item, record, etag)
        twin = self._sides.mapped_forward(record)
        if twin is None:
            item.fate = "dead"
            item.why = Why("match", "permanent_record", "the record it is linked to cannot be mapped, so not compared")
            return
        own = decode_exact(item.raw) if item.raw else None
        if own is None:
            return  # of an earlier run; what it was made from is not kept
        source, destination = self._sides.mapped_view(twin.body), self._sides.view(own)
        decision.hash, decision.version, decision.match = twin.hash, twin.version, twin.match
        stated = self._sides.stated_version(own)
        merged = self._decide(item, decision, source, destination, twin.version, stated, item.destination_id or "")
        self._memory.keep(item, decision)
        if merged is None:
            return
        base = decision.base
        decision.after = Base(
            _kept(_after(source, merged, merged.to_source), base.source, merged.skipped),
            _kept(destination, base.destination, merged.skipped),
            to_destination=merged.to_destination,
        )
        if merged.to_destination:
            decision.hash = OWED
        if not merged.to_source:
            item.fate = "unchanged"
            return
        # A write carries all mapped fields: what was left undecided goes back as the source has it.
        wanted = _kept(merged.view, source, merged.skipped)
        differ = [each.name for each in fields if wanted.get(each.name) != destination.get(each.name)]
        if differ:
            items, bad = self._sides.mapped_here(encode_json(laid_in(own, wanted, fields, differ)))
            if bad:
                item.fate, item.why = "dead", bad[0].why
                return
            item.body, item.hash = items[0].body, items[0].hash

    def _decide(
        self,
        item: Item,
        decision: Decision,
        source: View,
        destination: View,
        source_version: str | None,
        destination_version: str | None,
        source_id: str,
    ) -> Merged | None:
        """None: the item has its fate."""
        decision.source_view, decision.destination_view = source, destination
        newer = newer_side(source_version, destination_version, skew_s=self._rule.clock_skew_s)
        answer = self._answers.get(source_id)
        if answer is not None and not answer.is_about(source, destination):
            answer = None  # it has changed since the person looked
        conflicts = self._forward.conflicts
        merged = merge(self._rule, conflicts, decision.base, source, destination, newer=newer, answer=answer)
        decision.merged, decision.answer = merged, answer
        if merged.conflicts:
            names = ", ".join(f"`{name}`" for name in merged.conflicts)
            item.fate, item.why = "held", Why("merge", "conflict", f"both sides changed {names}")
            decision.version = decision.version or source_version
            decision.other_version = decision.other_version or destination_version
            return None
        if merged.skipped and not merged.to_source and not merged.to_destination:
            item.fate, item.why = "skipped", Why("merge", "conflict", "both sides changed it, and are left as they are")
            return None
        return merged

    # --- after a write ---

    async def written(self, item: Item, reply: Reply, operation: Operation, *, is_repeated: bool = False) -> None:
        """Note what the written side shows now, so that it is known again when it comes back.

        Args:
            is_repeated: The request was carried out by an earlier run, and answered again: the answer's date says nothing of it.
        """
        record = shown_in(reply, operation)
        decision = self._memory.of(item)
        if decision is None:
            decision = self._memory.about_new(item)
            self._memory.keep(item, decision)
        read = None
        if self._sides.is_pair:
            await self._other.identify(item)
            if not self._is_whole(decision, record):
                read = await self._other.after_write(item)
                record = read or record
        if self._sides.direction == "backward" and item.destination_id is None:
            # A pair is known by what both are called. Until it is, a second record would be made of the one that went back.
            self._memory.drop(item)
            item.fate, item.why = (
                "unknown",
                Why("send", "unknown", "it was made, and what it is called there is not known"),
            )
            return
        if record is None:
            return
        after = decision.after
        if self._sides.direction == "forward":
            version = self._sides.version_of(record)
            shown = decision.settled(self._sides.view(record))
            if read is not None and (is_repeated or _is_after(version, reply)):
                shown, version = _as_written(shown, after.destination), None
            decision.after = Base(after.source, {**after.destination, **shown}, after.to_source, after.to_destination)
            decision.other_version = version or decision.other_version
            return
        twin = self._sides.mapped_forward(record)
        if twin is None:
            decision.hash = OWED
            return
        view = decision.settled(self._sides.mapped_view(twin.body))
        is_changed = read is not None and (is_repeated or _is_after(twin.version, reply))
        if is_changed:
            view = _as_written(view, after.source)
        # Of an earlier run, what it was made from is not kept: what was sent is what both sides had.
        destination = after.destination or view
        decision.after = Base({**after.source, **view}, destination, after.to_source, after.to_destination)
        decision.match = twin.match
        if is_changed:
            decision.hash = OWED  # what it has now is another change, which the way on is still to carry
            return
        decision.version = twin.version
        if not after.to_destination:
            decision.hash = twin.hash

    def _is_whole(self, decision: Decision, record: dict[str, Any] | None) -> bool:
        """Whether a reply shows all that was written."""
        if record is None:
            return False
        if self._sides.direction == "backward":
            twin = self._sides.mapped_forward(record)
            return twin is not None and _shows(self._sides.mapped_view(twin.body), decision.after.source)
        return _shows(self._sides.view(record), decision.after.destination)

    def losing(self, requests: Sequence[Request]) -> list[NewChange]:
        """What requests are about to take away, to be written down with them."""
        return self._memory.losing(requests)

    def finish(self, items: Sequence[Item], outcomes: Outcomes) -> None:
        """Add to a group's outcomes what links remember, what is held and what was decided."""
        self._memory.finish(items, outcomes)
        self._partings.finish(items, outcomes)


def _comes_again(item: Item) -> bool:
    """A record whose link was given up: it is written whole."""
    return item.link is not None and item.link.gone_at is not None


def _is_after(version: str | None, reply: Reply) -> bool:
    """Whether a record that was read back has changed since the write: its version is past the date of the answer to that."""
    changed_s, answered_s = seconds_of(version), reply.server_date_s
    return changed_s is not None and answered_s is not None and changed_s > answered_s + CLOCKS_OF_ONE_S


def _as_written(shown: View, written: View) -> View:
    """What a record that has changed since still shows of what was written, in its own spelling."""
    return {name: value for name, value in shown.items() if name in written and alike(value, written[name])}


def _shows(shown: View, written: View) -> bool:
    return all(name in shown for name, value in written.items() if value is not None)


def _after(before: View, merged: Merged, names: Container[str]) -> View:
    """The written side's view when it has the fields that it is to get."""
    kept = {name: value for name, value in before.items() if name not in names}
    return kept | {name: value for name, value in merged.view.items() if name in names}


def _kept(view: View, base: View, names: Sequence[str]) -> View:
    """`view`, with what was left undecided as the base has it."""
    kept = {name: value for name, value in view.items() if name not in names}
    return kept | {name: base[name] for name in names if name in base}


def _header(operation: Operation | None, name: str) -> str | None:
    """The wire name of a header parameter, whatever its case."""
    for parameter in operation.parameters if operation is not None else ():
        if parameter.location == "header" and parameter.name.lower() == name:
            return parameter.name
    return None

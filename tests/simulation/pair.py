"""Seeds of a stream that merges, mostly one that goes both ways: people change both systems while runs write to them.

Every value that somebody types is one that nobody typed before, so that the auditor knows of each value who made it, when, and
on which side it has been seen. It holds:

    I1, I3  a value that a run wrote over without the other side ever having had it is in the history as the loser, was decided
            by the declared strategy, and never where a person was to decide
    I2      one record for one key on each side
    I1      when the faults are over both sides say the same, or the conflict stands in the queue with both versions as they are
    I5      no ping-pong: when nobody changes anything, runs soon find nothing to write, and a run over everything neither
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import httpx

from runtime.actions.conflicts import resolve
from runtime.declare import CONTRACT, Integration, MergeField, Operation, Paging, Parameter, Since, Strategy, Stream
from runtime.engine import RunReport, RunRequest
from runtime.errors import TransportError
from runtime.hashing import decode_exact
from tests.runtime.two_way import ENTRIES, FIELDS, LEDGER, PRODUCTS, SHOP
from tests.simulation.auditor import Auditor
from tests.simulation.destination import Effect
from tests.simulation.process import Process
from tests.simulation.simulation import MOST_QUIET_RUNS, Simulation
from tests.simulation.source import Page
from tests.simulation.world import World

FORWARD, BACKWARD = PRODUCTS.name, ENTRIES.name
NAMES = ("name", "amount", "quantity")
"""Fields that people change, as the destination calls them."""
KEYS_KEPT_S = 24 * 3600.0
LAG_S = 5.0
SKEW_S = 40.0
"""Between what the rule of `timestamp_based` allows for and the clocks that differ."""

Answer = tuple[int, dict[str, str], bytes]


@dataclass(slots=True, kw_only=True)
class PairShape:
    """The draw, beside that of every seed."""

    both_ways: bool
    strategy: Strategy
    otherwise: Any
    own: Strategy | None
    """Of the field `quantity`."""
    etags: bool
    gets: tuple[bool, bool]
    """Whether the source, the destination reads single records."""
    key: bool
    silent: bool
    """Updates are answered without a body."""
    since: bool
    unique: bool

    def strategy_of(self, name: str) -> Strategy:
        """What decides about a field that both sides changed."""
        strategy = self.own if name == "quantity" and self.own is not None else self.strategy
        return self.otherwise if strategy == "merge_fields" else strategy

    def is_single(self, name: str) -> bool:
        """Whether a field is decided by itself, not together with the others of its record."""
        return self.strategy == "merge_fields" or (name == "quantity" and self.own is not None)


STRATEGIES: tuple[Strategy, ...] = (
    "source_priority",
    "destination_priority",
    "manual_review",
    "merge_fields",
    "timestamp_based",
    "skip",
)


def draw_pair(chance: random.Random) -> PairShape:
    """A pair that could be declared."""
    return PairShape(
        both_ways=chance.random() < 0.75,
        strategy=chance.choice(STRATEGIES),
        otherwise=chance.choice(["source_priority", "destination_priority", "manual_review"]),
        own=chance.choice([None, None, "source_priority", "destination_priority", "manual_review"]),
        etags=chance.random() < 0.6,
        gets=(chance.random() < 0.85, chance.random() < 0.85),
        key=chance.random() < 0.4,
        silent=chance.random() < 0.2,
        since=chance.random() < 0.7,
        unique=chance.random() < 0.6,
    )


def integration_of(shape: PairShape) -> Integration:
    """The two streams of the engine's own tests, as drawn."""
    fields = tuple(
        MergeField(name=each.name, path=each.path, strategy=shape.own) if each.name == "quantity" else each
        for each in FIELDS
    )
    merge = PRODUCTS.merge
    assert merge is not None
    forward = replace(
        _drawn(PRODUCTS, shape, *shape.gets),
        conflicts=shape.strategy,
        merge=replace(merge, fields=fields, otherwise=shape.otherwise, clock_skew_s=SKEW_S),
    )
    streams: tuple[Stream[Any, Any], ...] = (forward,)
    if shape.both_ways:
        streams = (forward, _drawn(ENTRIES, shape, *reversed(shape.gets)))
    return Integration(
        name="simulated", version="1", contract=CONTRACT, source=SHOP, destination=LEDGER, streams=streams
    )


def _drawn(stream: Stream[Any, Any], shape: PairShape, reads: bool, writes: bool) -> Stream[Any, Any]:
    listing = stream.source.list
    query = tuple(
        Parameter(argument=name, name=name, location="query") for name in ("since", "match", "limit", "cursor")
    )
    paging = Paging(style="cursor", limit="limit", max=3, cursor="cursor", next=("next",))
    header = "Idempotency-Key" if shape.key else None
    create: Operation = replace(stream.destination.create, idempotency_header=header)
    return replace(
        stream,
        source=replace(
            stream.source,
            list=replace(listing, parameters=query, paging=paging),
            get=stream.source.get if reads else None,
            since=Since(parameter="since") if shape.since else None,
        ),
        destination=replace(stream.destination, create=create, get=stream.destination.get if writes else None),
    )


# --- the systems ---


@dataclass(slots=True)
class Side:
    """One of the two systems."""

    world: World
    shape: PairShape
    name: str
    names: dict[str, str]
    """Field as the destination calls it → as this side does; `id` and `version` too."""
    book: Book
    effects: list[Effect]
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    made_at: dict[str, float] = field(default_factory=dict)
    read_at: dict[tuple[str, str], float] = field(default_factory=dict)
    """(process, record) → when it was last shown to it."""
    reads: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """Record → when it was shown, and to which process."""
    looked_at: dict[str, float] = field(default_factory=dict)
    """Record → when it was last shown to a run that writes down what it sees: not to a dry one."""
    skew_s: float = 0.0
    down_until: float = 0.0
    on_listing: Any = None
    _answers: dict[str, tuple[bytes, int, Any]] = field(default_factory=dict)
    _next: int = 0

    def view(self, id: str) -> dict[str, str | None]:
        """A record's fields under common names, as texts that can be compared."""
        record = self.records[id]
        return {name: spelled(record.get(self.names[name])) for name in ("code", *NAMES)}

    def of(self, key: str) -> list[str]:
        """The records with a key."""
        return [id for id, record in self.records.items() if record[self.names["code"]] == key]

    def put(self, id: str | None, **fields: Any) -> str:
        """One record, made or changed, by whomever."""
        if id is None:
            self._next += 1
            id = str(self._next if self.name == "source" else 500 + self._next)
            self.made_at[id] = self.world.now
        old = self.records.get(id, {self.names["id"]: int(id)})
        now = int(self.world.true_time() + self.skew_s)
        before = old.get(self.names["version"])
        if before is not None:
            now = max(now, int(datetime.fromisoformat(before).timestamp()) + 1)
        at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.records[id] = {**old, **fields, self.names["version"]: at}
        return id

    def answer(self, process: str, request: httpx.Request, path: str, query: dict[str, str], body: bytes) -> Answer:
        """One request: carried out or not, answered or not."""
        world, method = self.world, request.method
        if world.now < self.down_until:
            return 503, {}, b'{"error":"maintenance"}'
        if world.happens("destination-down"):
            self.down_until = world.now + world.chance.uniform(1, 400)
            return 503, {}, b'{"error":"maintenance"}'
        if (failed := self._fails(method)) is not None:
            return failed
        id = path.removeprefix("/items").strip("/")
        is_first = method == "PUT" and not self.book.remembers(self.name, id)
        status, reply, more = self._carry_out(process, request, path, query, body)
        headers = {"date": formatdate(world.true_time() + self.skew_s, usegmt=True), **more}
        content = json.dumps(reply).encode()
        if method == "GET":
            if "/" not in path.strip("/") and world.happens("source-cut-page"):
                return 200, headers, content[: len(content) // 2]
            return status, headers, content
        if status >= 300:
            return status, headers, content
        before, self.book.unanswered = self.book.unanswered, self.book.unanswered | self._made(method, body)
        if is_first:
            self.book.adopting[self.name, id] = None
        if method == "PUT":
            self.book.told[self.name, id] = (None, world.now)
            self.book.unlearnt.append((self, id, world.now))
        if world.happens("destination-lost-after"):
            raise TransportError("lost on the way back", sent=None if world.chance.random() < 0.5 else True)
        if world.happens("destination-500-after"):
            return world.chance.choice([500, 502, 504]), {}, b"{}"
        if world.happens("destination-cut-reply"):
            return status, headers, b'{"cut'
        if is_first:
            self.book.adopting[self.name, id] = process
        if method == "PUT":
            self.book.told[self.name, id] = (process, world.now)
            self.book.unlearnt.pop()
        if (method == "PUT" and self.shape.silent) or world.happens("destination-empty-reply"):
            return 204, headers, b""
        self.book.unanswered = before
        if method == "POST":
            self.book.made_by |= dict.fromkeys(self._made(method, body), process)
        return status, headers, content

    def _made(self, method: str, body: bytes) -> set[str]:
        return {str(json.loads(body).get(self.names["code"]))} if method == "POST" else set()

    def _fails(self, method: str) -> Answer | None:
        world = self.world
        if method == "GET":
            if world.happens("source-lost-reply"):
                raise TransportError("no complete reply", sent=None)
            if world.happens("source-error"):
                return world.chance.choice([500, 503]), {}, b"{}"
            if world.happens("source-throttled"):
                return 429, {"retry-after": str(world.chance.randint(0, 40))}, b"{}"
            return None
        if world.happens("destination-lost-before"):
            raise TransportError("lost on the way there", sent=None)
        if world.happens("destination-503"):
            return 503, {}, b"{}"
        if world.happens("destination-500-before"):
            return 500, {}, b"{}"
        if world.happens("destination-throttled"):
            return 429, {}, b"{}"
        return None

    def _carry_out(
        self, process: str, request: httpx.Request, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        id = path.removeprefix("/items").strip("/")
        if request.method == "GET":
            return self._shown(process, id) if id else (200, self._list(process, query), {})
        if request.method == "PUT":
            return self._update(process, id, request.headers.get("if-match"), body)
        key = request.headers.get("idempotency-key")
        if key is not None and key in self._answers:
            kept, status, reply = self._answers[key]
            if kept != body:
                self.world.violate("I2", f"one key for two requests: {kept!r} and {body!r}")
            return status, reply, {}
        status, reply = self._create(process, json.loads(body))
        if key is not None:
            self._answers[key] = (body, status, reply)
        return status, reply, {}

    def _shown(self, process: str, id: str, status: int = 200) -> tuple[int, Any, dict[str, str]]:
        if id not in self.records:
            return 404, {"error": "not here"}, {}
        self._note_read(process, id)
        return status, self.records[id], {"etag": self._etag(id)} if self.shape.etags else {}

    def _note_read(self, process: str, id: str) -> None:
        self.read_at[process, id] = self.world.now
        self.reads.setdefault(id, []).append((self.world.now, process))
        if process not in self.book.dry:
            self.looked_at[id] = self.world.now

    def _etag(self, id: str) -> str:
        return f'"{self.records[id][self.names["version"]]}"'

    def _list(self, process: str, query: dict[str, str]) -> Any:
        world = self.world
        late = world.now - (LAG_S if world.has("destination-lags") and not world.quiet else 0.0)
        found = [
            (id, record) for id, record in self.records.items() if "match" not in query or self.made_at[id] <= late
        ]
        if len(found) < len(self.records):
            world.injected["destination-lags"] += 1
        if "match" in query:
            found = [each for each in found if each[1][self.names["code"]] == query["match"]]
        if "since" in query:
            found = [each for each in found if each[1][self.names["version"]] >= query["since"]]
        found.sort(key=lambda each: int(each[0]))
        after = int(query.get("cursor") or 0)
        rest = [each for each in found if int(each[0]) > after]
        page = rest[: int(query.get("limit") or 1000)]
        for id, _ in page:
            self._note_read(process, id)
        shown = {"items": [dict(record) for _, record in page], "next": page[-1][0] if len(rest) > len(page) else None}
        world.note(process, f"reads {self.name} {[each[0] for each in page]} {query}")
        if "match" not in query and world.happens("source-changes-while-paging") and self.on_listing is not None:
            self.on_listing()
        return shown

    def _create(self, process: str, sent: dict[str, Any]) -> tuple[int, Any]:
        key = str(sent.get(self.names["code"]))
        if self.shape.unique and self.of(key):
            return 409, {"error": "already exists"}
        id = self.put(None, **sent)
        self._effect("create", id, {}, process)
        return 201, self.records[id]

    def _update(self, process: str, id: str, wanted: str | None, body: bytes) -> tuple[int, Any, dict[str, str]]:
        if id not in self.records:
            return 404, {"error": "not here"}, {}
        if self.shape.etags and wanted is not None and wanted != self._etag(id):
            return 412, {"error": "it has changed"}, {}
        before, made = self.view(id), self.read_at.get((process, id), 0.0)
        self.put(id, **json.loads(body))
        self._effect("update", id, before, process)
        self.read_at[process, id] = made
        return 200, self.records[id], {"etag": self._etag(id)} if self.shape.etags else {}

    def _effect(self, kind: str, id: str, before: dict[str, str | None], process: str) -> None:
        after = self.view(id)
        effect = Effect(self.world.now, kind, str(after["code"]), 0, id, process)
        self.effects.append(effect)
        changed = {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}
        self.world.note(self.name, f"{kind} {id} {after['code']} by {process}: {changed}")
        self.book.written(self, id, before, after, process)
        if kind == "create" and len(self.of(effect.ext)) > 1:
            self.world.violate("I2", f"{effect.ext} was made twice in the {self.name}")


def spelled(value: Any) -> str | None:
    """A value as text; numbers whatever their spelling."""
    if value is None:
        return None
    try:
        return str(Decimal(str(value)).normalize())
    except ArithmeticError:
        return str(value)


# --- what is known of every value ---


@dataclass(frozen=True, slots=True)
class Overwritten:
    """A person's value that a run wrote over before the other side had it."""

    side: str
    key: str
    field: str
    value: str
    by: str


class Book:
    """Who typed what, where it has been seen, and what was written over."""

    def __init__(self, world: World, shape: PairShape) -> None:
        self._world, self._shape = world, shape
        self.typed: dict[tuple[str, str, str], tuple[str, float]] = {}
        """(key, field, value) → (side, when)."""
        self.seen: set[tuple[str, str, str, str]] = set()
        """(side, key, field, value)."""
        self.answers: dict[str, float] = {}
        """Key → when a person last answered a conflict of it."""
        self.overwritten: list[Overwritten] = []
        self.made_by: dict[str, str] = {}
        """Key of a record that was made → the process that was told so, until a run of that process ends in good order."""
        self.remembered_at: dict[str, float] = {}
        """Key of a record of `made_by` → when another process had written down what both sides of it had."""
        self.unanswered: set[str] = set()
        """Keys of records that were made with a request whose answer was lost, or said nothing."""
        self.adopting: dict[tuple[str, str], str | None] = {}
        """(side, record) that was there before it was linked → the process that was told how its first write ended, if one was."""
        self.told: dict[tuple[str, str], tuple[str | None, float]] = {}
        """(side, record) → the process that was told how the last write to it ended, if one was, and when that was carried out; until
        a run of that process ends in good order."""
        self.unlearnt: list[tuple[Side, str, float]] = []
        """Updates that were carried out and whose answer was lost: where, of which record, and when."""
        self.source_reads: Callable[[str], list[tuple[float, str]]] = lambda key: []
        """Key → when the source's record was shown, and to which process."""
        self.is_owed: Callable[[str, str], bool] = lambda side, id: False
        """Whether the state says that it does not know what a record was last written as."""
        self.remembers: Callable[[str, str], bool] = lambda side, id: True
        """Whether the state says what both sides of a record had last."""
        self.dry: set[str] = set()
        """Processes with a dry run under way."""

    def type(self, side: Side, id: str, names: Sequence[str]) -> None:
        """A person has changed fields of a record."""
        view = side.view(id)
        for name in names:
            value = view[name]
            assert value is not None
            self.typed[str(view["code"]), name, value] = (side.name, self._world.now)
            self.seen.add((side.name, str(view["code"]), name, value))

    def answered(self, key: str, values: dict[str, Any]) -> None:
        """A person has decided a conflict."""
        self.answers[key] = self._world.now
        for name, value in values.items():
            text = spelled(value)
            assert text is not None
            self.typed[key, name, text] = ("person", self._world.now)

    def written(
        self, side: Side, id: str, before: dict[str, str | None], after: dict[str, str | None], process: str
    ) -> None:
        """A run has written a record."""
        world, key = self._world, str(after["code"])
        other = "destination" if side.name == "source" else "source"
        for name in NAMES:
            old, new, older = before.get(name), after[name], set[str]()
            if new is not None:
                if (key, name, new) not in self.typed:
                    world.violate("I3", f"`{name}` of {key} in the {side.name} became {new}, which nobody gave it")
                older = {new} if (side.name, key, name, new) in self.seen else set()
                self.seen.add((side.name, key, name, new))
            if old is None or old == new or (other, key, name, old) in self.seen:
                continue
            who, at = self.typed[key, name, old]
            if who == "person":
                continue
            given = self.typed.get((key, name, new)) if new is not None and not self._shape.both_ways else None
            if given is not None and self._was_decided(side.reads.get(id, ()), key, at, given[1]):
                continue  # it was decided, nothing goes back, and what the source alone changes then goes over it
            # What is looked up or listed comes without one.
            has_tag = side.shape.etags and side.shape.gets[side.name == "destination"]
            if not has_tag and at >= side.read_at.get((process, id), 0.0):
                world.note("auditor", f"{old} was typed between the read and the write, and nothing tells the vendor")
                continue
            self.overwritten.append(Overwritten(side.name, key, name, old, process))
            self._check_strategy(side, key, name, old, process)
            is_lost = key in self.unanswered  # without a link, what is there on both sides is all that is known
            is_lost = is_lost or self._is_adoption_open(side.name, id, process)
            is_lost = is_lost or self._is_creation_open(key, side.name, id, process, at)
            is_lost = is_lost or self._is_update_open(side.name, id, process, at)
            if new in older and self._shape.is_single(name) and key not in self.answers and not is_lost:
                world.violate(
                    "I3", f"`{name}` of {key} in the {side.name} went back from {old} to {new}, which it had before"
                )

    def _was_decided(self, reads: Sequence[tuple[float, str]], key: str, at: float, later: float) -> bool:
        """Whether a run saw what was typed at the destination, beside a source's record read before the value was there that goes over
        it now. What counts is when that run had read the source: a run that reads a page decides about it a while later."""
        for seen, process in reads:
            before = [read for read, who in self.source_reads(key) if who == process and read <= seen]
            if at <= seen and (seen < later or (before and before[-1] <= later)):
                return True
        return False

    def _is_adoption_open(self, side: str, id: str, process: str) -> bool:
        """Whether the first write to a record that was there before has no outcome on record: its answer was lost, or the process
        ended that had it. The link knows then of nothing that both had, so the strategy decides about all that differs, and what
        was changed since counts as changed by both, as after a creation without an answer. What loses is in the history all the
        same: that is checked for every value, these too."""
        return self.adopting.get((side, id), process) != process and not self.remembers(side, id)

    def _is_creation_open(self, key: str, side: str, id: str, process: str, at: float) -> bool:
        """Whether the process ended that was told that a record is made on the other side, and nobody else had learnt it when a value
        was typed: as after a creation without an answer, what is there on both sides is all that is known. A run may decide so, and
        the next one carry it out."""
        is_open = not self.remembers(side, id) or at <= self.remembered_at.get(key, float("-inf"))
        return self.made_by.get(key, process) != process and is_open

    def _is_update_open(self, side: str, id: str, process: str, at: float) -> bool:
        """Whether a value was typed after a write whose outcome is not on record: its answer was lost, or the process ended that had
        it. Had it not been carried out, both sides would have changed the field, and the strategy would decide; from what is there
        now nobody can tell that it had been. So the strategy decides, what loses is in the history, and the record has what the
        source has now: it does not go back to an older state of that."""
        told, carried_out = self.told.get((side, id), (process, 0.0))
        return told != process and at > carried_out and self.is_owed(side, id)

    def is_after_unlearnt(self, side: Side, id: str, name: str) -> bool:
        """Whether a value was typed between an update whose answer was lost and the next look at the record: see `_is_update_open`."""
        view = side.view(id)
        typed = self.typed.get((str(view["code"]), name, str(view[name])))
        if typed is None or typed[0] != side.name:
            return False
        for where, which, at in self.unlearnt:
            looks = [seen for seen, _ in side.reads.get(id, ()) if seen > at]
            if where is side and which == id and at <= typed[1] <= min(looks, default=typed[1]):
                return True
        return False

    def _check_strategy(self, side: Side, key: str, name: str, old: str, process: str) -> None:
        if key in self.answers:
            return
        strategy = self._shape.strategy_of(name)
        loser = {"source_priority": "destination", "destination_priority": "source"}.get(strategy)
        if strategy in ("manual_review", "skip") or (loser is not None and loser != side.name):
            self._world.violate(
                "I3", f"{process} wrote over {old}, `{name}` of {key} in the {side.name}, against `{strategy}`"
            )


# --- the auditor ---


class PairAuditor(Auditor):
    """Of a seed with two systems that people work in."""

    lease_name = f"stream:{FORWARD}"

    def committed(self, process: Process) -> None:
        self._check_lease(process)
        pair: PairSimulation = self._simulation  # type: ignore[assignment]
        book = pair.book
        for key, maker in book.made_by.items():
            is_open = maker != process.name and key not in book.remembered_at
            if is_open and any(self.has_base("source", id) for id in pair.source.of(key)):
                book.remembered_at[key] = self._world.now

    def effect(self, effect: Effect) -> None:
        return

    def check_end(self) -> None:
        return  # the story itself looks, before people answer and afterwards

    def reported(
        self, process: Process, request: RunRequest, report: RunReport, effects: list[Effect], *, is_calm: bool
    ) -> None:
        book = self._simulation.book  # type: ignore[attr-defined]
        book.told = {each: known for each, known in book.told.items() if known[0] != process.name}
        book.made_by = {each: name for each, name in book.made_by.items() if name != process.name}
        world, counts = self._world, report.counts
        clean = counts.dead == counts.unknown == counts.held == 0
        if report.state == "done" and not clean:
            world.violate("I6", f"`done` with {counts}")
        if report.state == "failed" and not report.error:
            world.violate("I6", "`failed` without a word")
        fates = counts.written + counts.unchanged + counts.skipped + counts.dead + counts.unknown + counts.held
        if counts.read != fates:
            world.violate("I6", f"the run equation does not hold: {counts}")

    def open_conflicts(self) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
        """Source record → the conflict's name, and both versions."""
        rows = self._rows("SELECT source_id, id, source, destination FROM conflicts WHERE state = 'open'")
        return {row[0]: (row[1], decode_exact(row[2])["fields"], decode_exact(row[3])["fields"]) for row in rows}

    def has_base(self, side: str, id: str) -> bool:
        """Whether a link holds what both sides of a record had last."""
        column = "source_id" if side == "source" else "destination_id"
        query = f"SELECT 1 FROM links WHERE {column} = ? AND base IS NOT NULL"
        return bool(self._rows(query, id))

    def is_owed(self, side: str, id: str) -> bool:
        """Whether a link says that what a record was last written as is not known."""
        column, digest = ("source_id", "destination_hash") if side == "source" else ("destination_id", "hash")
        return bool(self._rows(f"SELECT 1 FROM links WHERE {column} = ? AND length({digest}) = 0", id))

    def losers(self) -> set[tuple[str, str, str]]:
        """(source record, field, value) that lost and was kept."""
        found = set()
        for source_id, loser in self._rows("SELECT source_id, loser FROM changes WHERE loser IS NOT NULL"):
            for values in decode_exact(loser).values():
                found.update((source_id, name, str(spelled(value))) for name, value in values.items())
        return found

    def check_pair(self, pair: PairSimulation) -> None:
        """Both sides say the same, or it is told why not; and nothing was lost on the way."""
        world, source, destination, shape = self._world, pair.source, pair.destination, pair.pair
        letters = {row[0]: row[1] for row in self._rows("SELECT source_id, reason FROM dead_letters")}
        conflicts, intents = self.open_conflicts(), self._open_intents()
        losers = {
            (str(source.view(id)["code"]), name, value) for id, name, value in self.losers() if id in source.records
        }
        keys = [str(record["sku"]) for record in source.records.values()]
        if shape.both_ways:
            keys += [str(record["code"]) for record in destination.records.values()]
        for key in sorted(set(keys)):
            here, there = source.of(key), destination.of(key)
            named = {*here, *there}
            if named & letters.keys() or named & intents:
                world.note("auditor", f"{key}: {[letters.get(id, 'unknown') for id in sorted(named)]}")
                if bad := [letters[id] for id in sorted(named & letters.keys()) if not pair.may_be_dead(letters[id])]:
                    world.violate("I1", f"{key} is dead: {bad}")
                continue
            if len(here) != 1 or len(there) != 1:
                world.violate("I1", f"{key} is {len(here)} times in the source and {len(there)} in the destination")
                continue
            self._check_alike(pair, key, here[0], there[0], conflicts.get(here[0]), losers)
        for each in pair.book.overwritten:
            if (each.key, each.field, each.value) not in losers:
                world.violate("I1", f"{each} is neither in the other side nor in the history")
        if self._rows("SELECT id FROM runs WHERE state = 'running'"):
            world.violate("I6", "runs say that they are under way")
        self._check_secrets()

    def _check_alike(
        self,
        pair: PairSimulation,
        key: str,
        here: str,
        there: str,
        conflict: tuple[str, dict[str, Any], dict[str, Any]] | None,
        losers: set[tuple[str, str, str]],
    ) -> None:
        world, book = self._world, pair.book
        source, destination = pair.source.view(here), pair.destination.view(there)
        apart = [name for name in NAMES if source[name] != destination[name]]
        if not apart:
            return
        if conflict is not None:
            _, ours, theirs = conflict
            stale = [
                name
                for name in apart
                if spelled(ours.get(name)) != source[name]
                or (spelled(theirs.get(name)) != destination[name] and not self._is_drift(pair, key, name, there))
            ]
            if stale:
                world.violate("I1", f"{key}: the conflict in the queue has other versions of {stale} than the sides")
            return
        fresh_in = {name: self._fresh(book, key, name, source[name], destination[name]) for name in apart}
        clashing = {side for name in apart if name not in pair.owned for side, _ in fresh_in[name]}
        is_clash = len(clashing) == 2  # what `skip` decides about is one thing
        # Nobody learnt how its creation ended: without a link, what is there on both sides counts as changed by both.
        is_clash = is_clash or key in book.unanswered or key in book.made_by
        # Nor how an update did: what was typed before anybody looked counts as changed by both.
        sides = ((pair.source, here), (pair.destination, there))
        is_clash = is_clash or any(book.is_after_unlearnt(side, id, name) for side, id in sides for name in apart)
        for name in apart:
            fresh = [value for _, value in fresh_in[name]]
            if pair.pair.strategy == "skip" and (is_clash if name not in pair.owned else len(fresh) == 2):
                continue
            if not pair.pair.both_ways and source[name] not in fresh:
                continue  # the destination alone was changed, and nothing goes back
            if not pair.pair.both_ways and (key in book.answers or (key, name, source[name]) in losers):
                continue  # decided for the destination, which the source is not told
            world.violate(
                "I1", f"`{name}` of {key} is {source[name]} in the source, {destination[name]} in the destination"
            )

    @staticmethod
    def _is_drift(pair: PairSimulation, key: str, name: str, there: str) -> bool:
        """Whether the destination alone was changed since a run last looked at a record that waits for a person.

        A stream that goes one way reads the destination only for records that the source changed: what people type there is drift,
        which `verify` shows, also where a conflict is open already. The queue then has the version that was read last; an answer
        to that one is not carried out, and brings the queue up to date. That is held below, where people answer.
        """
        typed = pair.book.typed.get((key, name, str(pair.destination.view(there)[name])))
        return not pair.pair.both_ways and typed is not None and typed[1] > pair.destination.looked_at.get(there, 0.0)

    @staticmethod
    def _fresh(book: Book, key: str, name: str, source: str | None, destination: str | None) -> list[tuple[str, str]]:
        """Values that the other side never had, by the side that has them."""
        both = (("source", "destination", source), ("destination", "source", destination))
        return [(side, value) for side, other, value in both if value and (other, key, name, value) not in book.seen]


# --- the story ---


class PairSimulation(Simulation):
    """One seed."""

    source: Side  # type: ignore[assignment]
    destination: Side  # type: ignore[assignment]
    auditor: PairAuditor

    def make_systems(self) -> None:
        world = self.world
        world.shape.webhooks = False
        self.pair = draw_pair(world.chance)
        self.integration = integration_of(self.pair)
        self.book = Book(world, self.pair)
        effects: list[Effect] = []
        names = {
            "id": "id",
            "version": "updated_at",
            "code": "sku",
            "name": "title",
            "amount": "price",
            "quantity": "stock",
        }
        self.source = Side(world, self.pair, "source", names, self.book, effects)
        names = {"id": "ref", "version": "changed", **{name: name for name in ("code", *NAMES)}}
        self.destination = Side(world, self.pair, "destination", names, self.book, effects)
        self.source.on_listing = self.destination.on_listing = lambda: self._people(1)
        self.auditor = PairAuditor(self)
        self.book.remembers = self.auditor.has_base
        self.book.is_owed = self.auditor.is_owed
        self.book.source_reads = lambda key: [
            each for id in self.source.of(key) for each in self.source.reads.get(id, ())
        ]
        self._tokens = 0
        self._turn = 0

    @property
    def owned(self) -> tuple[str, ...]:
        """Fields with a strategy of their own."""
        return ("quantity",) if self.pair.own is not None else ()

    def may_be_dead(self, reason: str) -> bool:
        """Whether a dead letter has a good reason: a record is in the way that the look-up does not show yet."""
        return "already exists" in reason and self.world.injected["destination-lags"] > 0

    def arrive(
        self,
        process: Process,
        side: str,
        request: httpx.Request,
        path: str,
        query: dict[str, str],
        data: bytes,
        pages: list[Page],
    ) -> Any:
        system = self.source if side == "source" else self.destination
        return system.answer(process.name, request, path, query, data)

    def _begin(self) -> None:
        world = self.world
        world.note("world", f"{self.pair}")
        if world.happens("clock-differs"):
            self.source.skew_s = world.chance.choice([-30.0, 30.0])
        for _ in range(world.chance.randint(1, 5)):
            self._new()
        for _ in range(world.chance.randint(0, 3)):  # the same thing on both sides, before anybody linked them
            key = self._new(self.source)
            self._new(self.destination, key)
        for side in (self.source, self.destination):
            side.made_at = dict.fromkeys(side.records, -LAG_S)  # they were there long before

    async def _stir(self, length_s: float) -> None:
        world = self.world
        until = world.now + length_s
        while world.now < until and not self._is_over():
            await asyncio.sleep(world.chance.uniform(length_s / 20, length_s / 3))
            self._people(world.chance.randint(0, 4))
            if world.happens("clock-jumps", 10):
                self.clock_off_s = world.chance.choice([0.0, 0.0, 86_400.0, -86_400.0, 3.0, -300.0, 90.0])
                world.note("world", f"the machine's clock is {self.clock_off_s:+.0f} s off")

    def _token(self) -> int:
        self._tokens += 1
        return self._tokens

    def _value(self, side: Side, name: str) -> Any:
        number = self._token()
        if name == "name":
            return f"n{number}"
        if name == "quantity":
            return number
        return f"{number}.90" if side.name == "source" else number + 0.9

    def _new(self, side: Side | None = None, key: str | None = None) -> str:
        """Somebody makes a record."""
        world = self.world
        is_alone = not self.pair.both_ways
        side = side or (self.source if is_alone else world.chance.choice([self.source, self.destination]))
        key = key or f"k{self._token()}"
        fields = {side.names[name]: self._value(side, name) for name in NAMES}
        id = side.put(None, **{side.names["code"]: key}, **fields)
        self.book.type(side, id, NAMES)
        world.note(side.name, f"somebody makes {id}: {side.view(id)}")
        return key

    def _people(self, times: int) -> None:
        """People make and change records, in both systems."""
        world = self.world
        for _ in range(times):
            if world.chance.random() < 0.2:
                self._new()
                continue
            sides = [each for each in (self.source, self.destination) if each.records]
            side = world.chance.choice(sides)
            id = world.chance.choice(sorted(side.records, key=int))
            names = [name for name in NAMES if world.chance.random() < 0.5] or ["name"]
            self._change(side, id, names)
            if world.chance.random() < 0.4:  # and somebody else the same record in the other system
                other = self.source if side is self.destination else self.destination
                for twin in other.of(str(side.view(id)["code"])):
                    self._change(other, twin, [name for name in NAMES if world.chance.random() < 0.5] or names)

    def _change(self, side: Side, id: str, names: Sequence[str]) -> None:
        side.put(id, **{side.names[name]: self._value(side, name) for name in names})
        self.book.type(side, id, names)
        view = side.view(id)
        self.world.note(side.name, f"somebody changes {id} {view['code']}: { {name: view[name] for name in names} }")

    def _draw_request(self) -> RunRequest:
        chance = self.world.chance
        names = (FORWARD, BACKWARD) if self.pair.both_ways else (FORWARD,)
        plain = RunRequest(stream=chance.choice(names))
        draw = chance.random()
        if draw < 0.85:
            return plain
        return replace(plain, resync=True) if draw < 0.93 else replace(plain, dry_run=True)

    async def _run(self, process: Process, request: RunRequest, *, is_calm: bool = False) -> RunReport | None:
        if request.dry_run:
            self.book.dry.add(process.name)
        try:
            return await super()._run(process, request, is_calm=is_calm)
        finally:
            self.book.dry.discard(process.name)

    async def _live(self, process: Process, until: float) -> None:
        if self.world.chance.random() < 0.4:
            await self._guarded(process, self._answer(process, most=1))
        await super()._live(process, until)

    async def _answer(self, process: Process, *, most: int) -> int:
        """A person looks at the queue and answers."""
        world, count = self.world, 0
        for source_id, (name, ours, _) in sorted(self.auditor.open_conflicts().items())[:most]:
            take = world.chance.choice(["source", "destination", None])
            values = {} if take is not None else {each: self._value(self.destination, each) for each in NAMES}
            key = str(ours.get("code") or self.source.view(source_id)["code"])
            self.book.answered(key, values)
            process.note(f"somebody answers {name} about {key}: {take} {values}")
            report, is_done = await resolve(process.engine, name, take=take, values=values, by="ana")
            self.auditor.reported(process, RunRequest(stream=FORWARD), report, [], is_calm=False)
            process.note(f"answered {name}: {report.state} {report.counts} {report.error or ''} resolved: {is_done}")
            count += 1
        return count

    # --- quiet ---

    async def _settle(self) -> None:
        world = self.world
        world.quiet = True
        self.state_down_until = 0.0
        self.source.down_until = self.destination.down_until = 0.0
        await asyncio.sleep(60.0)
        world.note("world", "QUIET")
        process = self._start("q")
        try:
            await self._until_still(process)
            if self._is_over():
                return
            self.auditor.check_pair(self)
            for _ in range(3):  # an answer may bring up what the person did not see
                if self._is_over() or not await self._answered(process):
                    break
                await self._until_still(process)
            if self._is_over():
                return
            if self.auditor.open_conflicts():
                world.violate("I1", f"answered conflicts stay open: {self.auditor.open_conflicts()}")
            self.auditor.check_pair(self)
            before = len(self.destination.effects)
            for name in self._streams():
                await self._run(process, RunRequest(stream=name, resync=True), is_calm=True)
            if len(self.destination.effects) > before:
                world.violate("I5", f"a run over everything writes again: {self.destination.effects[before:]}")
        finally:
            self._end(process)

    async def _answered(self, process: Process) -> bool:
        counts: list[int] = []

        async def answer() -> None:
            counts.append(await self._answer(process, most=100))

        await self._guarded(process, answer())
        return bool(counts and counts[0])

    def _streams(self) -> tuple[str, ...]:
        return (FORWARD, BACKWARD) if self.pair.both_ways else (FORWARD,)

    async def _until_still(self, process: Process) -> None:
        """Runs of both directions, until none of them has anything to do."""
        world = self.world
        for number in range(MOST_QUIET_RUNS):
            before = len(self.destination.effects)
            is_still = number > 0  # the first may go on in the middle of one that failed
            for name in self._streams():
                report = await self._run(process, RunRequest(stream=name), is_calm=True)
                await asyncio.sleep(70.0)
                if self._is_over():
                    return
                is_still = is_still and report is not None and report.state in ("done", "partial")
                if report is None:
                    await self._wait_for_lease(process)
                else:
                    is_still = is_still and not report.counts.resolved
            if is_still and len(self.destination.effects) == before:
                return
        world.violate("I5", f"after {MOST_QUIET_RUNS} rounds without faults there is still something to write")


__all__ = ["PairSimulation"]

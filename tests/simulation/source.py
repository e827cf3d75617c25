"""The source: records that change, in a list with every kind of paging, with everything that goes wrong with one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from runtime.engine.letters import unnamed
from runtime.errors import TransportError
from runtime.hashing import BodyCodec
from tests.simulation.shapes import SOURCE_URL, Body, Shape, Thing, to_body
from tests.simulation.world import World

OVERLAP_S = 60
LATE_S = 50.0
"""A late commit becomes visible after at most so long: less than the overlap."""

Answer = tuple[int, dict[str, str], bytes]


@dataclass(slots=True)
class State:
    """One state of one record."""

    id: int
    rev: int
    email: str
    name: str
    changed: int
    """In whole seconds since 1970, by the source's clock."""

    @property
    def is_bad(self) -> bool:
        """Whether it cannot be mapped."""
        return self.name in ("bad", "poison")


@dataclass(slots=True)
class Page:
    """A page that was handed out: what the auditor holds a checkpoint against."""

    mark: str
    """What the cursor of the next page ends with."""
    states: list[tuple[int, int]]
    """(record, rev)."""


@dataclass(slots=True)
class Source:
    """The system."""

    world: World
    states: dict[int, State] = field(default_factory=dict)
    before: dict[int, State] = field(default_factory=dict)
    """The state before the last change."""
    emails: dict[int, set[str]] = field(default_factory=dict)
    """All addresses that a record ever had."""
    put_at: dict[int, float] = field(default_factory=dict)
    hidden: dict[int, State] = field(default_factory=dict)
    """Committed late: not visible yet."""
    gone: set[int] = field(default_factory=set)
    shifted: bool = False
    """Whether anything happened that pages by number cannot follow."""
    skew_s: float = 0.0
    digests: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    """Hash of a mapped body → (record, rev)."""
    raws: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """As they were sent."""
    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    changed_hook: Any = None
    _tokens: dict[str, tuple[tuple[int, int], str]] = field(default_factory=dict)
    _next_id: int = 1
    _codec: Any = field(default_factory=lambda: BodyCodec(Body))

    # --- what happens in it ---

    def time(self) -> float:
        """Its own clock."""
        return self.world.true_time() + self.skew_s

    def add(self) -> State:
        """A new record."""
        number = self._next_id
        self._next_id += 1
        email = f"p{number}@sim.test"
        if self.world.happens("source-same-match") and self.states:
            email = self.world.chance.choice(list(self.states.values())).email
        state = State(number, 1, email, f"n{number}", int(self.time()))
        self._settle(state)
        return state

    def change(self, number: int) -> State:
        """One more state of a record; its time moves on."""
        old = self.hidden.get(number) or self.states[number]
        email = old.email
        if self.world.happens("source-match-moves"):
            email = f"p{number}x{old.rev}@sim.test"
        state = State(number, old.rev + 1, email, f"n{number}", max(int(self.time()), old.changed + 1))
        self._settle(state)
        return state

    def _settle(self, state: State) -> None:
        world = self.world
        if world.happens("source-bad-record"):
            state.name = "bad"
        elif world.happens("source-poison-record") and not any(each.name == "poison" for each in self.states.values()):
            state.name = "poison"
        elif world.happens("destination-refuses"):
            state.name = "refused"
        self.digest(state)
        if state.id not in self.hidden and world.happens("source-late-commit"):
            delay = world.chance.uniform(1, LATE_S)
            self.hidden[state.id] = state
            world.note("source", f"record {state.id} rev {state.rev} will be visible in {delay:.0f} s")
            world.loop.call_later(delay, self._show, state.id)
            return
        if state.id in self.hidden:
            self.hidden[state.id] = state
            return
        self._put(state)

    def _show(self, number: int) -> None:
        if (state := self.hidden.pop(number, None)) is not None and number not in self.gone:
            self._put(state)

    def _put(self, state: State) -> None:
        if (old := self.states.get(state.id)) is not None:
            self.before[state.id] = old
            if self.world.shape.order == "version":
                self.shifted = True
        self.states[state.id] = state
        self.put_at[state.id] = self.world.now
        self.emails.setdefault(state.id, set()).add(state.email)
        self.world.note("source", f"record {state.id} rev {state.rev} {state.email} {state.name} at {state.changed}")
        if self.changed_hook is not None:
            self.changed_hook(state)

    def vanish(self, number: int) -> None:
        """Deleted without a trace."""
        self.states.pop(number, None)
        self.gone.add(number)
        self.shifted = True
        self.world.note("source", f"record {number} is gone")

    def digest(self, state: State) -> bytes:
        """The hash of the body that it becomes; empty for one that cannot be mapped."""
        found = self.hashes.get((state.id, state.rev))
        if found is None:
            found = b""
            if not state.is_bad:
                _, found = self._codec.encode(to_body(Thing.model_validate(self.json(state))))
                self.digests[found] = (str(state.id), state.rev)
            self.hashes[state.id, state.rev] = found
            self.raws[state.id, state.rev] = json.dumps(self.json(state)).encode()
        return found

    def unnamed(self, number: int, rev: int) -> str:
        """How a dead letter calls a state that could not be read."""
        return unnamed(self.raws.get((number, rev), b""))

    # --- what it answers ---

    def json(self, state: State) -> dict[str, Any]:
        """A record as it is sent."""
        return {
            "id": state.id,
            "email": state.email,
            "name": state.name,
            "rev": state.rev,
            "updated_at": self.version(state),
            "padding": "x" * 20,
        }

    def version(self, state: State) -> str | int:
        """Its version on the wire."""
        if self.world.shape.version == "unix_s":
            return state.changed
        return datetime.fromtimestamp(state.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self, process: str, path: str, query: dict[str, str], pages: list[Page]) -> Answer:
        """One request, or what goes wrong with it."""
        world = self.world
        if world.happens("source-lost-reply"):
            raise TransportError("no complete reply", sent=None)
        if world.happens("source-error"):
            kind = world.chance.choice(["refused", "500", "503"])
            if kind == "refused":
                raise TransportError("refused", sent=False)
            return int(kind), {}, b'{"error":"down"}'
        if world.happens("source-throttled"):
            return 429, {"retry-after": str(world.chance.randint(0, 40))}, b"{}"
        if world.happens("source-refused-credential"):
            return 401, {}, b'{"error":"the key planted-source-key-41f7 is not known"}'
        headers = {"date": formatdate(self.time(), usegmt=True)}
        if path.startswith("/things/"):
            number = int(path.rsplit("/", 1)[1])
            state = self.states.get(number)
            if state is None:
                return 404, headers, b"{}"
            return 200, headers, json.dumps({"thing": self.json(self._read(state))}).encode()
        return self._list(process, query, headers, pages)

    def _read(self, state: State) -> State:
        """The state, or the one before it when a replica lags. Without versions nobody could tell them apart."""
        old = self.before.get(state.id)
        if old is None or self.world.shape.version == "none" or self.world.now - self.put_at[state.id] > LATE_S:
            return state
        if not self.world.happens("source-stale-read"):
            return state
        self.world.note("source", f"hands out the old rev {old.rev} of record {state.id}")
        return old

    def _list(self, process: str, query: dict[str, str], headers: dict[str, str], pages: list[Page]) -> Answer:
        world, shape = self.world, self.world.shape
        since = query.get("since", "")
        token = query.get("cursor") or query.get("token")
        after: tuple[int, int] | None = None
        if token is not None:
            if token not in self._tokens or world.happens("source-cursor-forgotten"):
                self._tokens.clear()
                return world.chance.choice([400, 410]), headers, b'{"error":"cursor expired"}'
            after, since = self._tokens[token]
        wanted = [state for state in self.states.values() if not since or state.changed >= _seconds(since)]
        key = _by_version if shape.order == "version" else _by_id
        wanted.sort(key=key)
        size = int(query.get("limit", 1_000_000))
        more = {}
        mark = "last"
        start = 0
        if shape.paging in ("page", "offset"):
            start = int(query.get("offset") or (int(query.get("page", 1)) - 1) * size)
            page = wanted[start : start + size]
            mark = str(start + len(page)) if shape.paging == "offset" else str(int(query.get("page", 1)) + 1)
        elif shape.paging == "since_id":
            last = int(query.get("since_id", 0))
            page = [state for state in wanted if state.id > last][:size]
            mark = str(page[-1].id) if page else "last"
        else:
            rest = [state for state in wanted if after is None or key(state) > after]
            page = rest[:size]
            if len(rest) > size:
                mark = f"tk{len(self._tokens) + 1}.{world.new_id()}"
                self._tokens[mark] = (key(page[-1]), since)
                url = f"{SOURCE_URL}/things?limit={size}&token={mark}"
                if shape.paging == "link":
                    headers["link"] = f'<{url}>; rel="next"'
                else:
                    more = {"next": url if shape.paging == "next_url" else mark}
        if page and start == 0 and token is not None and world.happens("source-page-twice"):
            earlier = [state for state in wanted if key(state) <= key(page[0]) and state is not page[0]]
            page = earlier[-2:] + page
        states = [self._read(state) for state in page]
        body = json.dumps({"things": [self.json(state) for state in states], **more}).encode()
        if world.happens("source-cut-page"):
            return 200, headers, body[: len(body) // 2]
        pages.append(Page(mark, [(state.id, state.rev) for state in states]))
        world.note(process, f"reads page {[f'{s.id}.{s.rev}' for s in states]} since={since!r} next={mark}")
        if world.happens("source-changes-while-paging"):
            self.stir(1)
        return 200, headers, body

    def stir(self, times: int) -> None:
        """Records come, change and go."""
        world = self.world
        for _ in range(times):
            what = world.chance.random()
            if not self.states or what < 0.3:
                self.add()
            elif what < 0.9 or not world.happens("source-vanishes"):
                self.change(world.chance.choice(list(self.states)))
            else:
                self.vanish(world.chance.choice(list(self.states)))


def _by_id(state: State) -> tuple[int, int]:
    return state.id, 0


def _by_version(state: State) -> tuple[int, int]:
    return state.changed, state.id


def _seconds(text: str) -> float:
    return int(text) if text.isdigit() else datetime.fromisoformat(text).timestamp()


def needs_reconciliation(source: Source, shape: Shape) -> bool:
    """Whether a pass may have missed what stood at the edge of a page that moved."""
    return shape.paging in ("page", "offset") and source.shifted

"""The destination: objects, and a log of every effect on them that is written where it happens."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runtime.errors import TransportError
from tests.simulation.shapes import Shape
from tests.simulation.world import World

Answer = tuple[int, dict[str, str], bytes]
KEYS_KEPT_S = 24 * 3600.0
LAG_S = 5.0


class Effect(NamedTuple):
    """One object made or changed."""

    at: float
    kind: str
    ext: str
    rev: int
    object: str
    process: str


@dataclass(slots=True)
class Destination:
    """The system."""

    world: World
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    made_at: dict[str, float] = field(default_factory=dict)
    taken_away: set[str] = field(default_factory=set)
    """Source records whose object somebody removed over there."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """How often a creation of a source record was not answered as it should be."""
    untold: set[str] = field(default_factory=set)
    """Source records that stood in a batch whose answer, each time it is asked for again, says nothing of them."""
    down_until: float = 0.0
    on_effect: Any = None
    injected_removal: bool = False
    _answers: dict[str, tuple[float, bytes, int, dict[str, Any]]] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)
    _next: int = 1

    @property
    def shape(self) -> Shape:
        return self.world.shape

    def live(self, ext: str) -> list[dict[str, Any]]:
        """The objects of one source record."""
        return [each for each in self.objects.values() if each.get("ext") == ext]

    def had(self, email: str) -> None:
        """Objects that were there before us."""
        identity = self._name()
        self.objects[identity] = {"id": identity, "email": email.upper(), "owner": "sales", "ext": None, "rev": 0}
        self.made_at[identity] = -1e9

    def _name(self) -> str:
        self._next += 1
        return f"o{self._next}"

    # --- requests ---

    def answer(self, process: str, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Answer:
        """One request: carried out or not, answered or not."""
        world = self.world
        if world.draw > 1:
            self._forget_keys()
        if world.now < self.down_until:
            return 503, {}, b'{"error":"maintenance"}'
        if world.happens("destination-down"):
            self.down_until = world.now + world.chance.uniform(1, 400)
            return 503, {}, b'{"error":"maintenance"}'
        if world.happens("destination-lost-before"):
            self._doubt(method, body)
            raise TransportError("lost on the way there", sent=None)
        if world.happens("destination-503"):
            self._doubt(method, body)
            return 503, {}, b"{}"
        if world.happens("destination-500-before"):
            self._doubt(method, body)
            return 500, {}, b"{}"
        if world.happens("destination-throttled"):
            return 429, {"retry-after": str(world.chance.randint(0, 30))} if world.chance.random() < 0.5 else {}, b"{}"
        if world.happens("destination-refused-credential"):
            return 401, {}, b'{"error":"the key planted-destination-key-9c02 is not known"}'
        if method == "GET":
            status, reply = self._read(path, query)
            return status, {}, json.dumps(reply).encode()
        status, reply = self._write_once(process, method, path, headers.get("idempotency-key"), body)
        if status >= 300:
            return status, {}, json.dumps(reply).encode()
        if world.happens("destination-lost-after"):
            self._doubt(method, body)
            if world.has("destination-busy-key") and (key := headers.get("idempotency-key")):
                self._busy.add(key)
            raise TransportError("lost on the way back", sent=None if world.chance.random() < 0.5 else True)
        if world.happens("destination-500-after"):
            self._doubt(method, body)
            return world.chance.choice([500, 502, 504]), {}, b"{}"
        if world.happens("destination-cut-reply"):
            self._doubt(method, body)
            return status, {}, b'{"cut'
        can_be_empty = method == "POST" and path == "/items" and self.shape.can_find
        if can_be_empty and world.happens("destination-empty-reply"):
            return 204, {}, b""
        return status, {}, json.dumps(reply).encode()

    def _doubt(self, method: str, body: bytes) -> None:
        if method == "POST":
            self.unanswered.update(each.get("ext") or "" for each in _bodies(body))

    def _write_once(self, process: str, method: str, path: str, key: str | None, body: bytes) -> tuple[int, Any]:
        world = self.world
        if key is None or not self.shape.key:
            return self._write(process, method, path, body)
        if key in self._busy:
            self._busy.discard(key)
            world.injected["destination-busy-key"] += 1
            return 409, {"error": "a request with this key is being carried out"}
        content = f"{method} {path} ".encode() + body
        kept = self._answers.get(key)
        kept_s = KEYS_KEPT_S * (9 if world.has("clock-jumps") else 1)
        if kept is not None and world.draw == 1 and world.now - kept[0] > kept_s:
            kept = None
        if kept is not None:
            if kept[1] != content:
                world.violate("I2", f"one key for two requests: {kept[1]!r} and {content!r}")
            return kept[2], kept[3]
        status, reply = self._write(process, method, path, body)
        if status < 500:
            self._answers[key] = (world.now, content, status, reply)
        return status, reply

    def _forget_keys(self) -> None:
        """A vendor that keeps keys for a day and no longer; others keep them for ever."""
        # The age of a key is told by the machine's clock: set back by a day, it takes an old key for a young one.
        kept_s = KEYS_KEPT_S * (9 if self.world.has("clock-jumps") else 1)
        old = [key for key, kept in self._answers.items() if self.world.now - kept[0] > kept_s]
        if old and self.world.has("destination-forgets-keys"):
            self.world.injected["destination-forgets-keys"] += 1
            for key in old:
                del self._answers[key]

    def _write(self, process: str, method: str, path: str, body: bytes) -> tuple[int, Any]:
        world = self.world
        if path == "/items/batch":
            return self._batch(process, _bodies(body))
        [record] = _bodies(body)
        if method == "POST":
            return self._create(process, record)
        identity = path.rsplit("/", 1)[1]
        if identity in self.objects and world.happens("destination-loses-object"):
            lost = self.objects.pop(identity)
            self.injected_removal = True
            self.taken_away.add(lost.get("ext") or "")
            world.note("destination", f"somebody removes {identity}")
        if identity not in self.objects:
            return 404, {"error": "no such item"}
        if record.get("name") == "refused":
            return 422, {"error": "name refused"}
        if (other := self._clash(record)) is not None and other != identity:
            return 409, {"error": "already exists"}
        old = self.objects[identity]
        new = {"id": identity, **record} if self.shape.update == "replace" else {**old, **record}
        if old.get("owner") is not None and new.get("owner") != old["owner"]:
            world.violate("I1", f"an update of {identity} lost the field `owner` that only the destination has")
        self.objects[identity] = new
        self._effect("update", record, identity, process)
        return 200, new

    def _create(self, process: str, record: dict[str, Any]) -> tuple[int, Any]:
        if record.get("name") == "refused":
            return 422, {"error": "name refused"}
        if self._clash(record) is not None:
            return 409, {"error": "already exists"}
        identity = self._name()
        self.objects[identity] = {"id": identity, **record}
        self.made_at[identity] = self.world.now
        self._effect("create", record, identity, process)
        return 201, self.objects[identity]

    def _batch(self, process: str, records: list[dict[str, Any]]) -> tuple[int, Any]:
        world, shape = self.world, self.shape
        if len(records) > 1 and world.happens("destination-too-large"):
            return 413, {"error": "too large"}
        if shape.batch_refuses == "whole" and any(
            each.get("name") == "refused" or self._clash(each) for each in records
        ):
            return 400, {"error": "one of them cannot be taken"}
        results: list[dict[str, Any]] = []
        for index, record in enumerate(records):
            if shape.batch_reply != "silent" and world.happens("destination-item-fails"):
                results.append({"index": index, "status": world.chance.choice([429, 503]), "error": "later"})
                continue
            status, reply = self._create(process, record)
            result = {"index": index, "status": status}
            results.append({**result, "id": reply["id"]} if status == 201 else {**result, "error": reply["error"]})
        if shape.batch_reply == "index":
            if world.happens("destination-other-order"):
                world.chance.shuffle(results)
            if len(results) > 1 and world.happens("destination-item-untold"):
                untold = results.pop(world.chance.randrange(len(results)))
                self.untold.add(records[untold["index"]].get("ext") or "")
        return 207, {"results": results}

    def _clash(self, record: dict[str, Any]) -> str | None:
        if not self.shape.unique:
            return None
        name = self.shape.match
        value = str(record.get(name) or "").lower()
        for identity, each in self.objects.items():
            if str(each.get(name) or "").lower() == value:
                return identity
        return None

    def _effect(self, kind: str, record: dict[str, Any], identity: str, process: str) -> None:
        effect = Effect(self.world.now, kind, record.get("ext") or "", int(record.get("rev") or 0), identity, process)
        self.effects.append(effect)
        self.taken_away.discard(effect.ext)
        self.world.note("destination", f"{kind} {identity} for record {effect.ext} rev {effect.rev} by {process}")
        if self.on_effect is not None:
            self.on_effect(effect)

    def _read(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/items/"):
            found = self.objects.get(path.rsplit("/", 1)[1])
            return (404, {"error": "no such item"}) if found is None else (200, found)
        late = self.world.now - (LAG_S if self.world.has("destination-lags") and not self.world.quiet else 0.0)
        items = [each for identity, each in self.objects.items() if self.made_at[identity] <= late]
        if len(items) < len(self.objects):
            self.world.injected["destination-lags"] += 1
        for name in ("email", "ext"):
            if name in query:
                value = query[name].lower()
                items = [each for each in items if str(each.get(name) or "").lower() == value]
        start, size = int(query.get("cursor") or 0), int(query.get("limit") or 7)
        return 200, {
            "items": items[start : start + size],
            "next": str(start + size) if start + size < len(items) else None,
        }


def _bodies(body: bytes) -> list[dict[str, Any]]:
    if not body:
        return []
    value = json.loads(body)
    found: list[dict[str, Any]] = value.get("items", [value])
    return found

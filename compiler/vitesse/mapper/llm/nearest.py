"""Names, types and descriptions as embeddings → for each destination field the source fields that lie nearest.

Vectors are compared and forgotten; what is recorded is who is near whom. Fields that the names settle are not embedded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul

from ...rules.digests import digest
from ..advice import Advice, Fields
from ..scoring import Pair, Way
from .rank import Trust, lifted, way_for
from .records import NearestForm
from .words import one_line

NEAREST = 5
"""Sources that are kept for a destination."""
MOST_DESTINATIONS = 200
SURE = 0.8
"""A destination whose best way has this chance needs no further candidates."""
TEXTS_A_REQUEST = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What is embedded: unsure destinations and all sources."""

    destinations: Mapping[str, str]
    """Path → text."""
    sources: Mapping[str, str]

    @property
    def digest(self) -> str:
        return digest([dict(self.destinations), dict(self.sources)])

    @property
    def all(self) -> list[str]:
        return list(dict.fromkeys([*self.destinations.values(), *self.sources.values()]))


def texts_for(source: Fields, destination: Fields, ways: Sequence[Sequence[Way]]) -> Texts:
    """What to embed. Depends on the specs and the matcher alone, not on what is mapped already."""
    unsure = [position for position, row in enumerate(ways) if not row or row[0].own_chance < SURE]
    return Texts(
        destinations={
            destination.side.views[position].given.path: _text(destination, position)
            for position in unsure[:MOST_DESTINATIONS]
        },
        sources={view.given.path: _text(source, view.position) for view in source.side.views},
    )


def nearest_of(texts: Texts, vectors: Mapping[str, Sequence[float]], model: str, tokens: int) -> NearestForm:
    """Compare every destination with every source.

    Args:
        vectors: By text.
    """
    unit = {text: _unit(vector) for text, vector in vectors.items()}
    fields: dict[str, dict[str, float]] = {}
    for path, text in texts.destinations.items():
        own = unit[text]
        likeness = [(sum(map(mul, own, unit[other])), source) for source, other in texts.sources.items()]
        likeness.sort(key=lambda one: (-one[0], one[1]))
        fields[path] = {source: round(value, 4) for value, source in likeness[:NEAREST]}
    return NearestForm(model=model, texts=texts.digest, fields=fields, tokens=tokens)


def is_usable(vectors: Sequence[Sequence[float]]) -> bool:
    """Whether likeness can be computed from them."""
    return all(0.0 < sum(map(mul, one, one)) < math.inf for one in vectors)


def by_position(near: NearestForm, source: Fields, destination: Fields) -> dict[int, list[int]]:
    """Destination → sources near it, as positions."""
    sources = {view.given.path: view.position for view in source.side.views}
    return {
        view.position: [sources[path] for path in near.fields[view.given.path] if path in sources]
        for view in destination.side.views
        if view.given.path in near.fields
    }


def with_nearest(
    ways: Sequence[Sequence[Way]],
    pairs: Sequence[Sequence[Pair]],
    near: NearestForm,
    source: Fields,
    destination: Fields,
    wanted: Sequence[int],
    trust: Trust,
) -> list[list[Way]]:
    """The ways, where two fields that are each other's nearest count for more."""
    best_for: dict[str, tuple[float, str]] = {}
    for path, row in near.fields.items():
        for other, likeness in row.items():
            if likeness > best_for.get(other, (-2.0, ""))[0]:
                best_for[other] = (likeness, path)
    found = [list(row) for row in ways]
    sources = {view.given.path: view.position for view in source.side.views}
    for position in wanted:
        path = destination.side.views[position].given.path
        nearby = near.fields.get(path)
        if not nearby:
            continue
        other, likeness = max(nearby.items(), key=lambda one: one[1])
        if best_for[other][1] != path or other not in sources:
            continue
        views = [source.side.views[sources[other]]]
        own, way = way_for(found[position], pairs[position], views)
        advice = Advice(
            by=near.model,
            chance=way.own_chance,
            says=(f"for the embeddings of `{near.model}` they are each other's nearest ({likeness:.2f})",),
            decided=own is None or own is not found[position][0],
        )
        moved = replace(way, chance=lifted(way.chance, trust.nearest), advice=advice)
        rest = [one for one in found[position] if one is not own]
        found[position] = sorted([moved, *rest], key=lambda one: -one.chance)
    return found


def _text(side: Fields, position: int) -> str:
    view = side.side.views[position]
    words = " ".join(word for name in view.segments for word in name.words)
    description = f": {one_line(view.given.description, 160)}" if view.given.description else ""
    return f"{words} ({view.given.format or view.given.kind or 'any'}){description}"


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(map(mul, vector, vector)))
    return [value / length for value in vector]

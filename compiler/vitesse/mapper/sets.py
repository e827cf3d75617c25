"""Several sources for one destination: the same thing in two branches, a series of phones, first and last name.

Makes candidate sets from a destination's best single candidates; whether one is better than a single field is for the weights to
say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .context import Hits, parent_of
from .fields import View

Pattern: TypeAlias = Literal["one", "twins", "series", "names"]

SETS = (
    "p_max", "p_min", "p_mean", "p_sum", "p_total", "p_best", "is_best", "size", "twins", "series", "names", "lists_delta", "recurs",
    "recurs_share", "single_twins", "single_series", "same_parent", "digits_differ", "used_elsewhere", "role_name", "role_phone",
    "role_email", "role_place", "role_time", "other_qualifier", "rival_out", "qualifier_in_destination", "depth", "complete",
    "left_out", "series_recurs", "series_share", "primary",
)  # fmt: skip

QUALIFIERS = frozenset(
    "home work mobile office personal private business secondary alternate other primary main fax billing shipping mailing preferred"
    " overridden original cell default company additional first last second internal external plus daytime evening asst assistant"
    " backup legacy".split()
)
"""Words that tell members of a series apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to fill a destination: one source field, or several."""

    sources: tuple[View, ...]
    chances: tuple[float, ...]
    pattern: Pattern = "one"


def core_of(view: View) -> tuple[str, ...]:
    """The leaf's concepts without what tells members of a series apart."""
    if view.core is None:
        view.core = _core(view)
    return view.core


def _core(view: View) -> tuple[str, ...]:
    kept = [
        concept
        for concept in view.leaf.concepts
        if not concept.isdigit() and concept not in QUALIFIERS and view.concepts[concept] > 0.12
    ]
    if "mobile" in view.leaf.concepts or "fax" in view.leaf.concepts:
        kept = [concept for concept in kept if concept not in ("phone", "number")] + ["phone"]
    return tuple(kept) or view.leaf.concepts


def candidates_for(destination: View, hits: Hits) -> list[Candidate]:
    """Single candidates and sets, the best single first."""
    found = [Candidate(sources=(view,), chances=(p,)) for view, p in hits[:6]]
    pool = [(view, p) for view, p in hits[:16] if p > 0.01]
    seen: set[frozenset[int]] = set()
    for pattern, members in _sets(destination, pool):
        key = frozenset(view.position for view, _ in members)
        if 2 <= len(key) <= 5 and key not in seen:
            seen.add(key)
            found.append(
                Candidate(
                    sources=tuple(view for view, _ in members), chances=tuple(p for _, p in members), pattern=pattern
                )
            )
    return found


def _sets(destination: View, pool: Hits) -> Iterator[tuple[Pattern, Hits]]:
    by_leaf: dict[tuple[str, ...], Hits] = defaultdict(list)
    by_core: dict[tuple[str, ...], Hits] = defaultdict(list)
    for view, p in pool:
        by_leaf[view.leaf.concepts].append((view, p))
        by_core[core_of(view)].append((view, p))
    for members in by_leaf.values():
        apart = list({parent_of(view): (view, p) for view, p in reversed(members)}.values())[::-1]
        apart.sort(key=lambda hit: -hit[1])
        for size in (2, 3):
            if len(apart) >= size:
                yield "twins", apart[:size]
        for one in range(len(apart[:4])):
            for other in range(one + 1, len(apart[:4])):
                yield "twins", [apart[one], apart[other]]
    for members in by_core.values():
        if len(members) < 2:
            continue
        in_order = sorted(members, key=lambda hit: hit[0].position)
        yield "series", in_order
        ranked = sorted(members, key=lambda hit: -hit[1])
        for size in (2, 3, 4):
            if len(ranked) > size:
                yield "series", sorted(ranked[:size], key=lambda hit: hit[0].position)
        without = [hit for hit in in_order if "fax" not in hit[0].leaf.concepts]
        if 2 <= len(without) < len(in_order):
            yield "series", without
        here = [hit for hit in in_order if parent_of(hit[0]) == parent_of(ranked[0][0])]
        if 2 <= len(here) < len(in_order):
            yield "series", here


def name_parts(destination: View, sources: Sequence[View]) -> list[list[View]]:
    """First (and middle) and last name of one object, where the destination wants the whole name."""
    concepts = set(destination.leaf.concepts)
    if not concepts & {"full_name", "name"} or concepts & {"first_name", "last_name", "company", "product", "username"}:
        return []
    parts: dict[str, dict[str, View]] = defaultdict(dict)
    for view in sources:
        for part in ("first_name", "middle_name", "last_name"):
            if view.leaf.concepts[-1:] == (part,) and len(view.leaf.words) <= 2:
                parts[parent_of(view)].setdefault(part, view)
    found = []
    for known in parts.values():
        if "first_name" in known and "last_name" in known:
            found.append([known["first_name"], known["last_name"]])
            if "middle_name" in known:
                found.append([known["first_name"], known["middle_name"], known["last_name"]])
    return found


def recurrences(all_hits: Sequence[Hits]) -> Mapping[tuple[str, str], int]:
    """How many destinations have twins in each two branches of the source."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for hits in all_hits:
        pool = [view for view, p in hits[:8] if p > 0.04]
        branches = {
            branch_of(one, other)
            for index, one in enumerate(pool)
            for other in pool[index + 1 :]
            if one.leaf.concepts == other.leaf.concepts and parent_of(one) != parent_of(other)
        }
        for branch in branches:
            counts[branch] += 1
        series = {
            " ".join(sorted(_apart(one) | _apart(other)))
            for index, one in enumerate(pool)
            for other in pool[index + 1 :]
            if one.leaf.concepts != other.leaf.concepts and core_of(one) == core_of(other)
        }
        for apart in series:
            counts["series", apart] += 1
    return counts


def branch_of(one: View, other: View) -> tuple[str, str]:
    """The objects that two fields stand in, in one order."""
    first, second = sorted((parent_of(one), parent_of(other)))
    return first, second


def set_features(
    destination: View,
    candidate: Candidate,
    hits: Hits,
    recurring: Mapping[tuple[str, str], int],
    other_uses: Mapping[int, float],
    destinations: int,
) -> list[float]:
    """Features of one candidate, in the order of SETS."""
    chances = candidate.chances
    best = hits[0][1] if hits else 0.0
    inside = {view.position for view in candidate.sources}
    rival = max((p for view, p in hits if view.position not in inside), default=0.0)
    first = candidate.sources[0]
    branches = [
        branch_of(one, other) for index, one in enumerate(candidate.sources) for other in candidate.sources[index + 1 :]
    ]
    recurs = max((recurring.get(branch, 0) for branch in branches), default=0)
    is_one = len(candidate.sources) == 1
    twins = [p for view, p in hits[:10] if view.position not in inside and view.leaf.concepts == first.leaf.concepts]
    series = [p for view, p in hits[:10] if view.position not in inside and core_of(view) == core_of(first)]
    qualifiers = [QUALIFIERS & set(view.words) for view in candidate.sources]
    wanted = QUALIFIERS & set(destination.words)
    members = [view for view, p in hits[:16] if p > 0.01 and core_of(view) == core_of(first)]
    left_out = [view for view in members if view.position not in inside]
    apart = frozenset(word for view in candidate.sources for word in _apart(view))
    series_recurs = recurring.get(("series", " ".join(sorted(apart))), 0) if len(candidate.sources) > 1 else 0
    return [
        max(chances, default=0.0),
        min(chances, default=0.0),
        sum(chances) / len(chances),
        sum(chances),
        sum(p for _, p in hits),
        best,
        float(bool(hits) and hits[0][0].position in inside),
        float(len(candidate.sources)),
        float(candidate.pattern == "twins"),
        float(candidate.pattern == "series"),
        float(candidate.pattern == "names"),
        float(destination.lists - max(view.lists for view in candidate.sources)),
        float(recurs),
        recurs / (destinations or 1),
        max(twins, default=0.0) if is_one else 0.0,
        max(series, default=0.0) if is_one else 0.0,
        float(len({parent_of(view) for view in candidate.sources}) == 1),
        float(len({view.digits for view in candidate.sources}) > 1),
        max((other_uses.get(view.position, 0.0) for view in candidate.sources), default=0.0),
        float(bool({"full_name", "name"} & set(destination.leaf.concepts))),
        float("phone" in destination.roles),
        float("email" in destination.roles),
        float("place" in destination.roles),
        float("time" in destination.roles),
        float(sum(bool(some - wanted) for some in qualifiers)),
        rival,
        float(len(wanted)),
        float(len(first.segments)),
        float(not left_out or all("fax" in view.leaf.concepts for view in left_out)),
        float(min(len(left_out), 6)),
        float(series_recurs),
        series_recurs / (destinations or 1),
        float(sum(bool(_PRIMARY & set(view.words)) for view in candidate.sources)),
    ]


_PRIMARY = frozenset("primary main default mailing billing work business first 1 preferred".split())


def _apart(view: View) -> set[str]:
    """The words that tell a member of a series from the others."""
    return {word for word in view.words if word in QUALIFIERS or word.isdigit()}

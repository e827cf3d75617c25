"""What was mapped to what before, as counts of pairs of names: from the fit, and from a user's own accepted mappings.

Two counts a pair of leaf names: in how many mappings both stood and were free to be paired, and in how many they were. The same for
what is left of both names once their common words are taken away (`billing city` → `city` leaves `billing` and nothing).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources

from .fields import View

Count = tuple[float, float]
"""(paired, stood together)."""


def leaf_key(view: View) -> str:
    """The leaf's concepts without what names the record, without digits and without what is only structure."""
    kept = [concept for concept in view.bare if view.concepts[concept] > 0.12]
    return " ".join(kept) or view.leaf.flat


def long_key(view: View) -> str:
    """The same with the name of the object around it: `owner.id` and `owner_id` are one."""
    return " ".join(view.bare_long) or view.leaf.flat


def rest_key(source: View, destination: View) -> str | None:
    """What the leaves do not share, `billing>`; None when they share nothing."""
    one, other = set(source.bare), set(destination.bare)
    if not one & other:
        return None
    return " ".join(sorted(one - other)) + ">" + " ".join(sorted(other - one))


@dataclass(frozen=True, slots=True)
class Keys:
    """What a field is remembered by."""

    leaf: str
    long: str


def keys_of(view: View) -> Keys:
    return Keys(leaf_key(view), long_key(view))


@dataclass(slots=True)
class Memory:
    """Counts, and what they say of a pair."""

    leaves: dict[tuple[str, str], Count] = field(default_factory=dict)
    rests: dict[str, Count] = field(default_factory=dict)
    longs: dict[tuple[str, str], Count] = field(default_factory=dict)
    filled: dict[str, Count] = field(default_factory=dict)
    """Destination name → (filled at all, seen)."""
    several: dict[str, Count] = field(default_factory=dict)
    """Destination name → (filled from several fields, filled)."""

    def features(self, source: View, destination: View, keys: Keys, other: Keys) -> list[float]:
        """(share of times paired, how often seen) for the leaves and for their rests; the prior where nothing was seen."""
        source_key, destination_key = keys.leaf, other.leaf
        paired, seen = self.leaves.get((source_key, destination_key), (0.0, 0.0))
        rest = rest_key(source, destination)
        long_paired, long_seen = self.longs.get((keys.long, other.long), (0.0, 0.0))
        filled, filled_seen = self.filled.get(destination_key, (0.0, 0.0))
        long_filled, long_filled_seen = self.filled.get(">" + other.long, (0.0, 0.0))
        rest_paired, rest_seen = self.rests.get(rest, (0.0, 0.0)) if rest is not None else (0.0, 0.0)
        return [
            (paired + 0.2) / (seen + 1.0),
            min(seen, 12.0),
            (rest_paired + 0.5) / (rest_seen + 1.5),
            min(rest_seen, 20.0),
            (long_paired + 0.2) / (long_seen + 1.0),
            min(long_seen, 12.0),
            (filled + 1.0) / (filled_seen + 2.0),
            min(filled_seen, 12.0),
            (long_filled + 1.0) / (long_filled_seen + 2.0),
            min(long_filled_seen, 12.0),
        ]

    def share_several(self, other: Keys) -> float:
        """How often the destination took several fields, of the times it was filled."""
        several, seen = self.several.get(other.long, (0.0, 0.0))
        return (several + 0.1) / (seen + 1.0)

    def add(self, observed: Observed, weight: float = 1.0) -> None:
        """Count one mapping."""
        for pair, paired in observed.leaves.items():
            have = self.leaves.get(pair, (0.0, 0.0))
            self.leaves[pair] = (have[0] + weight * paired, have[1] + weight)
        for rest, paired in observed.rests.items():
            have = self.rests.get(rest, (0.0, 0.0))
            self.rests[rest] = (have[0] + weight * paired, have[1] + weight)
        for pair, paired in observed.longs.items():
            have = self.longs.get(pair, (0.0, 0.0))
            self.longs[pair] = (have[0] + weight * paired, have[1] + weight)
        for name, filled in observed.filled.items():
            have = self.filled.get(name, (0.0, 0.0))
            self.filled[name] = (have[0] + weight * filled, have[1] + weight)
        for name, several in observed.several.items():
            have = self.several.get(name, (0.0, 0.0))
            self.several[name] = (have[0] + weight * several, have[1] + weight)


@dataclass(slots=True)
class Observed:
    """One mapping: pair of names → 1 when it was mapped, 0 when it could have been."""

    leaves: dict[tuple[str, str], int] = field(default_factory=dict)
    rests: dict[str, int] = field(default_factory=dict)
    longs: dict[tuple[str, str], int] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    several: dict[str, int] = field(default_factory=dict)


def observe(pairs: Iterable[tuple[View, View, bool]], destinations: Iterable[tuple[View, int]] = ()) -> Observed:
    """Read one mapping: candidate pairs of the mapped destinations, and whether each was mapped.

    Args:
        destinations: Every destination that somebody decided on, with how many fields it takes; 0 when it was left empty.
    """
    seen = Observed()
    for view, count in destinations:
        for name in (leaf_key(view), ">" + long_key(view)):
            seen.filled[name] = max(seen.filled.get(name, 0), int(count > 0))
        if count:
            name = long_key(view)
            seen.several[name] = max(seen.several.get(name, 0), int(count > 1))
    for source, destination, paired in pairs:
        key = (leaf_key(source), leaf_key(destination))
        seen.leaves[key] = max(seen.leaves.get(key, 0), int(paired))
        long = (long_key(source), long_key(destination))
        seen.longs[long] = max(seen.longs.get(long, 0), int(paired))
        rest = rest_key(source, destination)
        if rest is not None:
            seen.rests[rest] = max(seen.rests.get(rest, 0), int(paired))
    return seen


def memory_form(memory: Memory) -> dict[str, object]:
    """JSON values, sorted: what the fit writes and what `load_memory` reads."""
    return {
        "leaves": [[*pair, round(count[0], 2), round(count[1], 2)] for pair, count in sorted(memory.leaves.items())],
        "rests": [[rest, round(count[0], 2), round(count[1], 2)] for rest, count in sorted(memory.rests.items())],
        "longs": [[*pair, round(count[0], 2), round(count[1], 2)] for pair, count in sorted(memory.longs.items())],
        "filled": [[name, round(count[0], 2), round(count[1], 2)] for name, count in sorted(memory.filled.items())],
        "several": [[name, round(count[0], 2), round(count[1], 2)] for name, count in sorted(memory.several.items())],
    }


def read_memory(form: Mapping[str, list[list[object]]]) -> Memory:
    """The counts of a form that `memory_form` wrote."""
    return Memory(
        leaves={(str(s), str(d)): (float(p), float(n)) for s, d, p, n in form["leaves"]},  # type: ignore[arg-type]
        rests={str(rest): (float(p), float(n)) for rest, p, n in form["rests"]},  # type: ignore[arg-type]
        longs={(str(s), str(d)): (float(p), float(n)) for s, d, p, n in form.get("longs", ())},  # type: ignore[arg-type]
        filled={str(name): (float(p), float(n)) for name, p, n in form.get("filled", ())},  # type: ignore[arg-type]
        several={str(name): (float(p), float(n)) for name, p, n in form.get("several", ())},  # type: ignore[arg-type]
    )


def shipped_memory() -> Memory:
    """The counts that ship with Vitesse."""
    text = resources.files("vitesse.mapper.knowledge").joinpath("learned.json").read_text(encoding="utf-8")
    return read_memory(json.loads(text))

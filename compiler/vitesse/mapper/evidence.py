"""Why a pair is proposed, in words that a reviewer can check against the two names."""

from __future__ import annotations

from collections.abc import Sequence

from .fields import View
from .memory import Memory, leaf_key
from .scoring import Way


def evidence_for(destination: View, way: Way, rival: float, memory: Memory, why: str) -> tuple[str, ...]:
    """Sentences, what counts most first."""
    source = way.candidate.sources[0]
    found = [*_names(source, destination), *_types(source, destination)]
    if len(way.candidate.sources) > 1:
        found.insert(0, f"{len(way.candidate.sources)} fields belong together: {why}")
    paired, seen = memory.leaves.get((leaf_key(source), leaf_key(destination)), (0.0, 0.0))
    if paired >= 1:
        found.append(f"paired in {paired:g} of {seen:g} known mappings that had both")
    if _parents(source) & _parents(destination):
        found.append("they stand in objects of one kind")
    if way.chance - rival > 0.5:
        found.append("nothing else comes near")
    elif rival > 0.25:
        found.append(f"another field is nearly as likely ({rival:.2f})")
    return tuple(found) or ("the nearest of all names",)


def _names(source: View, destination: View) -> list[str]:
    if source.flat == destination.flat:
        return ["same path"]
    if source.leaf.flat == destination.leaf.flat:
        return ["same name"]
    if source.leaf.words == destination.leaf.words:
        return ["same words in another spelling"]
    found = []
    shared = [word for word in destination.leaf.words if word in source.words]
    if source.leaf.concepts == destination.leaf.concepts:
        found.append(f"{_quoted(source.leaf.words)} and {_quoted(destination.leaf.words)} are words for one thing")
    else:
        same = [one for one in destination.leaf.concepts if one in source.concepts]
        if shared:
            found.append(f"shared words: {', '.join(f'`{word}`' for word in dict.fromkeys(shared))}")
        meant = [one for one in same if one not in shared]
        if meant:
            found.append(f"same meaning: {', '.join(one.replace('_', ' ') for one in dict.fromkeys(meant))}")
        if not found and source.near & destination.near:
            found.append(f"related meaning: {', '.join(sorted(source.near & destination.near))}")
    return found


def _types(source: View, destination: View) -> list[str]:
    found = []
    if source.given.format and source.given.format == destination.given.format:
        found.append(f"same format {source.given.format}")
    elif source.type == destination.type and source.type not in ("unknown", "string"):
        found.append(f"same type {source.type}")
    shared = {one.lower() for one in source.given.enum} & {one.lower() for one in destination.given.enum}
    if shared:
        found.append(f"{len(shared)} values in common")
    return found


def _parents(view: View) -> set[str]:
    return {concept for name in view.segments[:-1] for concept in name.concepts}


def _quoted(words: Sequence[str]) -> str:
    return f"`{' '.join(words)}`"

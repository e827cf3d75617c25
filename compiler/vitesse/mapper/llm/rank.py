"""The matcher's ways + a model's answers → ways in a new order, each with what was said of it.

The confidence stays ours: the matcher's calibrated chance, moved by a constant share towards what the model says. How sure a model
calls itself is never asked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from ..advice import Advice, Fields
from ..choose import Choice
from ..fields import View
from ..scoring import THRESHOLD, Pair, Way
from ..sets import Candidate, Pattern
from .answers import Answer
from .forms import value_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The shares of `trust.toml`."""

    picked: float
    passed_over: float
    nearest: float


@lru_cache(maxsize=1)
def shipped_trust() -> Trust:
    text = resources.files("vitesse.mapper.llm").joinpath("trust.toml").read_text(encoding="utf-8")
    return Trust(**tomllib.loads(text))


def lifted(chance: float, share: float) -> float:
    return chance + share * (1.0 - chance)


def lowered(chance: float, share: float) -> float:
    """Not below what makes a proposal: what the matcher would propose by itself stays one, whatever the model says of it."""
    return max(chance * share, min(chance, THRESHOLD))


def with_answer(
    ways: Sequence[Way], pairs: Sequence[Pair], answer: Answer, source: Fields, model: str, trust: Trust
) -> list[Way]:
    """The ways of one destination after a model spoke."""
    if not answer.sources:
        return _passed_over(ways, trust, (_nothing(model, answer),), model)
    views = [_view(source, path) for path in answer.sources]
    own, way = way_for(ways, pairs, views)
    top = ways[0] if ways else None
    agrees = own is not None and own is top
    choice = _choice(answer) if answer.transform not in ("direct", "mapping") else None
    lifted_way = replace(
        way,
        chance=lifted(way.chance, trust.picked),
        advice=Advice(
            by=model,
            chance=way.own_chance,
            says=(_says(model, "agrees" if agrees else "would take this", answer.why), *_said(way)),
            decided=not agrees,
            choice=choice,
            values=tuple(map(value_key, answer.question.source_values.get(answer.sources[0], ()))),
        ),
    )
    other = _says(model, f"would take {' + '.join(f'`{path}`' for path in answer.sources)}", answer.why)
    rest = _passed_over([one for one in ways if one is not own], trust, (other,), model)
    return sorted([lifted_way, *rest], key=lambda one: -one.chance)


def _passed_over(ways: Sequence[Way], trust: Trust, says: tuple[str, ...], model: str) -> list[Way]:
    return [
        replace(
            way,
            chance=lowered(way.chance, trust.passed_over),
            advice=Advice(by=model, chance=way.own_chance, says=(*says, *_said(way))),
        )
        for way in ways
    ]


def _view(source: Fields, path: str) -> View:
    return next(view for view in source.side.views if view.given.path == path)


def _said(way: Way) -> tuple[str, ...]:
    return way.advice.says if way.advice is not None else ()


def way_for(ways: Sequence[Way], pairs: Sequence[Pair], views: Sequence[View]) -> tuple[Way | None, Way]:
    """The matcher's own way over these source fields, if it made one, and the way to go on with."""
    picked = {view.position for view in views}
    own = next((way for way in ways if {view.position for view in way.candidate.sources} == picked), None)
    return own, own or _way(views, pairs)


def _way(views: Sequence[View], pairs: Sequence[Pair]) -> Way:
    """A way that the matcher did not make itself; its chance is that of its best field."""
    chances = {pair.source.position: pair for pair in pairs}
    found = [chances[view.position] for view in views if view.position in chances]
    best = max(found, key=lambda pair: pair.chance, default=None)
    concepts = {concept for view in views for concept in view.leaf.concepts}
    several: Pattern = "names" if {"first_name", "last_name"} <= concepts else "series"
    return Way(
        candidate=Candidate(
            sources=tuple(views),
            chances=tuple(chances[view.position].chance if view.position in chances else 0.0 for view in views),
            pattern="one" if len(views) == 1 else several,
        ),
        chance=best.chance if best is not None else 0.0,
        features=best.features if best is not None else [],
    )


def _choice(answer: Answer) -> Choice:
    return Choice(transform=answer.transform, options=answer.options, why="as the model chose", sure=0.9)


def _says(model: str, what: str, why: str) -> str:
    return f"the model `{model}` {what}" + (f": “{why}”" if why else "")


def _nothing(model: str, answer: Answer) -> str:
    return _says(model, "finds nothing that fits", answer.why)

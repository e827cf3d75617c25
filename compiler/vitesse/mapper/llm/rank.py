"""The matcher's ways + a model's answers → ways in a new order, each with what was said of it.

The confidence stays ours: the matcher's calibrated chance, moved by a constant share towards what the model says. How sure a model
calls itself is never asked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from ...api.model import Json
from ..advice import Advice
from ..choose import Choice
from ..fields import View
from ..schema_fields import EndFields
from ..scoring import Pair, Way
from ..sets import Candidate, Pattern
from .answers import Answer

KEPT = 0.35
"""What the matcher would propose by itself stays a proposal, whatever the model says of it."""


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
    return max(chance * share, min(chance, KEPT))


def with_answer(
    ways: Sequence[Way], pairs: Sequence[Pair], answer: Answer, source: EndFields, model: str, trust: Trust
) -> list[Way]:
    """The ways of one destination after a model spoke."""
    if not answer.sources:
        return _passed_over(ways, trust, (_nothing(model, answer),), model)
    views = [_view(source, path) for path in answer.sources]
    picked = {view.position for view in views}
    own = next((way for way in ways if {view.position for view in way.candidate.sources} == picked), None)
    way = own or _way(views, pairs)
    top = ways[0] if ways else None
    agrees = own is not None and own is top
    choice = _choice(answer) if answer.transform not in ("direct", "mapping") else None
    lifted_way = replace(
        way,
        chance=lifted(way.chance, trust.picked),
        advice=Advice(
            by=model,
            chance=way.chance,
            says=(_says(model, "agrees" if agrees else "would take this", answer.why),),
            decided=not agrees,
            choice=choice,
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
            advice=Advice(by=model, chance=way.chance, says=says),
        )
        for way in ways
    ]


def _view(source: EndFields, path: str) -> View:
    return next(view for view, reached in zip(source.side.views, source.reached, strict=True) if reached.text == path)


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
    options: Mapping[str, Json] = answer.options
    holes: tuple[str, ...] = ()
    if answer.transform == "enum":
        table = options["map"]
        assert isinstance(table, dict)
        known = answer.question.source_values.get(answer.sources[0], ())
        gaps = [text for value in known if (text := _key(value)) not in table]
        holes = ("a model paired the values: look at each",)
        if gaps:
            holes = (*holes, f"say what becomes of {', '.join(f'`{gap}`' for gap in gaps[:8])}")
    return Choice(transform=answer.transform, options=options, why="as the model chose", sure=0.9, holes=holes)


def _key(value: Json) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _says(model: str, what: str, why: str) -> str:
    return f"the model `{model}` {what}" + (f": “{why}”" if why else "")


def _nothing(model: str, answer: Answer) -> str:
    return _says(model, "finds nothing that fits", answer.why)

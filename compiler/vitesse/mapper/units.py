"""What a number counts, by its name and description: `amount_cents`, `duration_ms`, `weight in grams`.

No transform of the table multiplies, so two fields that count differently are a decision for a person: a function of `custom/`, or
another field.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from .fields import View

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ONLY_TOLD = frozenset({"second", "day", "min", "minute"})
"""Words that mean something else in names: a second phone, the day itself, a least value."""
_COUNTING = frozenset({"integer", "number"})


@lru_cache(maxsize=1)
def _units() -> Mapping[str, tuple[str, str]]:
    """Word → (what is measured, the unit)."""
    text = resources.files("vitesse.mapper.knowledge").joinpath("units.toml").read_text(encoding="utf-8")
    return {
        word: (dimension, unit)
        for dimension, units in tomllib.loads(text).items()
        for unit, words in units.items()
        for word in words
    }


_TOLD = re.compile(r"\bin (?:the )?((?:smallest )?[a-z]+(?: units?)?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """What one field counts."""

    dimension: str
    name: str


def unit_of(view: View) -> Unit | None:
    """The unit that a field's own name or description gives; None when neither says."""
    units = _units()
    for told in _TOLD.findall(view.given.description):
        if (found := units.get(told.lower())) is not None:
            return Unit(*found)
    if "time" in view.roles and "duration" not in view.leaf.concepts:
        return None  # `seconds` in a point in time is its form, which a transform reads
    leaf = view.given.path.rpartition(".")[2]
    for word in reversed([word.lower() for word in _WORDS.findall(leaf)]):
        if word in units and word not in _ONLY_TOLD:
            return Unit(*units[word])
    return None


def unit_hole(source: View, destination: View) -> str | None:
    """What a person has to decide where two numbers count differently; None where they do not, or where nothing says so."""
    one, other = unit_of(source), unit_of(destination)
    if one == other or not {source.type, destination.type} & _COUNTING:
        return None
    if one is not None and other is not None:
        if one.dimension != other.dimension:
            return None
        return f"`{source.given.path}` counts {one.name}, `{destination.given.path}` {other.name}: name a function that converts"
    known, field, silent = (one, source, destination) if one is not None else (other, destination, source)
    if known is None or known.dimension != "money" or "money" not in silent.roles:
        return None
    return f"`{field.given.path}` counts {known.name}: make sure that `{silent.given.path}` does too, or name a function that converts"

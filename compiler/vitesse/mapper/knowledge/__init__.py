"""What is known of names: words, short forms, synonyms. Readable data with its origin; plugins and users add to it.

Read once a process; about 1,200 words, 100 short forms, 200 groups of synonyms.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Everything that names are read with."""

    words: frozenset[str]
    """Words that run-together names are cut into."""
    abbreviations: Mapping[str, Phrase]
    same: Mapping[Phrase, str]
    """Phrase → the name of its group."""
    near: Mapping[str, frozenset[str]]
    """Name of a group, or a word → the looser groups it belongs to."""
    longest: int
    """Words in the longest phrase."""


def singular(word: str) -> str:
    """The word without its plural ending."""
    if len(word) <= 3 or word.endswith(("ss", "us", "is", "news")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s"):
        return word[:-1]
    return word


@lru_cache(maxsize=1)
def knowledge() -> Knowledge:
    """The tables that ship with Vitesse."""
    folder = resources.files(__name__)
    words = {
        word
        for line in folder.joinpath("words.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
        for word in line.split()
    }
    short = tomllib.loads(folder.joinpath("abbreviations.toml").read_text(encoding="utf-8"))
    tables = tomllib.loads(folder.joinpath("concepts.toml").read_text(encoding="utf-8"))
    same: dict[Phrase, str] = {}
    for section in tables["same"].values():
        for group, phrases in section.items():
            for phrase in phrases:
                parts = tuple(singular(word) for word in phrase.split())
                same.setdefault(parts, group)
                if all(part.isascii() for part in parts):
                    words.update(parts)
    near: dict[str, set[str]] = {}
    for section in tables["near"].values():
        for group, phrases in section.items():
            for phrase in phrases:
                parts = tuple(singular(word) for word in phrase.split())
                near.setdefault(same.get(parts, "_".join(parts)), set()).add(group)
    return Knowledge(
        words=frozenset(word for word in words if not word.isdigit()),
        abbreviations={key: tuple(value.split()) for key, value in short.items()},
        same=same,
        near={key: frozenset(groups) for key, groups in near.items()},
        longest=max(map(len, same)),
    )

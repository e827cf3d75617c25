"""What is known of names: words, short forms, synonyms. Readable data with its origin; plugins and users add to it.

Read once a process; about 1,200 words, 100 short forms, 200 groups of synonyms.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from ...hooks import Words

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knowledge:
    """Everything that names are read with. One is itself only, so that what was read with it can be kept by it."""

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


def knowledge() -> Knowledge:
    """What names are read with here: the shipped tables, with the words of plugins inside `with_words`."""
    return _USED.get() or shipped_knowledge()


_USED: ContextVar[Knowledge | None] = ContextVar("knowledge", default=None)


@contextmanager
def with_words(more: Sequence[Words]) -> Iterator[None]:
    """Read names with the words of plugins beside the shipped ones."""
    if not more:
        yield
        return
    token = _USED.set(_extended(shipped_knowledge(), more))
    try:
        yield
    finally:
        _USED.reset(token)


def _extended(base: Knowledge, more: Sequence[Words]) -> Knowledge:
    words, short = set(base.words), dict(base.abbreviations)
    same, near = dict(base.same), {key: set(groups) for key, groups in base.near.items()}
    for one in more:
        short.update({key.lower(): tuple(value.lower().split()) for key, value in one.short.items()})
        for group, phrases in one.same.items():
            for phrase in phrases:
                parts = _phrase(phrase)
                same[parts] = group
                words.update(part for part in parts if part.isascii() and not part.isdigit())
        for group, phrases in one.near.items():
            for phrase in phrases:
                parts = _phrase(phrase)
                near.setdefault(same.get(parts, "_".join(parts)), set()).add(group)
    return Knowledge(
        words=frozenset(words),
        abbreviations=short,
        same=same,
        near={key: frozenset(groups) for key, groups in near.items()},
        longest=max(map(len, same)),
    )


def _phrase(text: str) -> Phrase:
    return tuple(singular(word) for word in text.lower().split())


@lru_cache(maxsize=1)
def shipped_knowledge() -> Knowledge:
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

"""Names → words → concepts: `CreatedOn`, `created_at` and `hs_createdate` are read as the same two ideas.

Case, marks between words, run-together words, plurals, short forms and phrases with one meaning are undone here, in that order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .knowledge import Knowledge, knowledge, singular

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_SHORT_WORDS = frozenset({"id", "at", "on", "by", "of", "is", "to", "in", "ip", "no", "or"})


@dataclass(frozen=True, slots=True)
class Name:
    """One name, read."""

    flat: str
    """Letters and digits in lower case, as two spellings of one name share them."""
    words: tuple[str, ...]
    """Singular, written out."""
    concepts: tuple[str, ...]
    """Groups of synonyms, or words that belong to none."""


def read_name(text: str) -> Name:
    """Read one name, such as a segment of a field path."""
    return _read(text, knowledge())


@lru_cache(maxsize=65536)
def _read(text: str, known: Knowledge) -> Name:
    words: list[str] = []
    for part in _PARTS.findall(text):
        for word in _cut(part.lower(), known):
            words.extend(known.abbreviations.get(word, (word,)))
    plain = tuple(singular(word) for word in words)
    flat = re.sub(r"[\W_]+", "", text.lower())
    return Name(flat=flat, words=plain, concepts=_concepts(plain, known))


@lru_cache(maxsize=65536)
def _concepts(words: tuple[str, ...], known: Knowledge) -> tuple[str, ...]:
    """Replace phrases by the group they name, longest first, from the left."""
    found: list[str] = []
    at = 0
    while at < len(words):
        for length in range(min(known.longest, len(words) - at), 0, -1):
            group = known.same.get(words[at : at + length])
            # `address 1` is a line of an address; `address 1 city` is the first of several addresses.
            if group is not None and not (words[at + length - 1].isdigit() and at + length < len(words)):
                found.append(group)
                at += length
                break
        else:
            found.append(words[at])
            at += 1
    return tuple(found)


def cut(word: str) -> tuple[str, ...]:
    """Cut a run-together name into known words; the word itself where that does not come out even.

    The fewest pieces win, so that `numberofemployees` is `number of employees`.
    """
    return _cut(word, knowledge())


@lru_cache(maxsize=65536)
def _cut(word: str, known: Knowledge) -> tuple[str, ...]:
    if len(word) < 5 or word in known.words or word in known.abbreviations or not word.isascii():
        return (word,)
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - 16), end):
            before = best[start]
            piece = word[start:end]
            if before is None or not _is_word(piece, known):
                continue
            if best[end] is None or len(before) + 1 < len(best[end] or ()):
                best[end] = (*before, piece)
    return best[-1] or (word,)


def _is_word(piece: str, known: Knowledge) -> bool:
    if len(piece) < 3:
        return piece in _SHORT_WORDS
    return piece in known.words or singular(piece) in known.words

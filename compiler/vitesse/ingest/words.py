"""Names as words: `updatedAt`, `updated_at` and `page[updated-at]` are the same to whoever looks for a date."""

from __future__ import annotations

import re
from functools import lru_cache

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SUFFIX = re.compile(r"\.(?:json|xml|php)\Z")
_PARAMETER = re.compile(r"\{[^{}]*\}")

_NOT_NOUNS = frozenset(
    "list search query find all get fetch export create new add insert batch bulk lookup filter read read_all index count "
    "v1 v2 v3 v4 api rest paginated pages json xml me".split()
)
"""Words of a path that say what is done, not to what."""


@lru_cache(maxsize=20_000)
def words(name: str) -> tuple[str, ...]:
    """`page[updatedAt]` → (`page`, `updated`, `at`)."""
    return tuple(part.lower() for part in _PARTS.findall(name))


def plain(name: str) -> str:
    """The words of a name, joined: `updatedAt` → `updated_at`."""
    return "_".join(words(name))


def singular(word: str) -> str:
    """`companies` → `company`, `addresses` → `address`, `customers` → `customer`; others as they are."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stem(path: str) -> tuple[str, ...]:
    """The segments of a path, parameters as `{}`, a file suffix left out: `/a/{id}.json` → (`a`, `{}`)."""
    bare = re.split(r"[?#]", path)[0].rstrip("/")
    bare = _SUFFIX.sub("", bare)
    return tuple(_PARAMETER.sub("{}", part) for part in bare.split("/") if part)


def noun(path: str) -> str:
    """The thing a path is about, as published: `/v1/customers/{id}` → `customers`, `/users.list` → `users`."""
    for part in reversed(stem(path)):
        if "{}" in part and part.strip(".") == "{}":
            continue
        for piece in reversed(re.split(r"[.:()]", part)):
            name = plain(piece.replace("{}", ""))
            if name and name not in _NOT_NOUNS and not re.fullmatch(r"[v_0-9]*", name):
                return piece.replace("{}", "")
    return ""


def same_thing(name: str, other: str) -> bool:
    """Whether two names are one noun, in singular or plural: `Customers`, `customer`."""
    one, two = words(name), words(other)
    if not one or not two:
        return False
    return (*one[:-1], singular(one[-1])) == (*two[:-1], singular(two[-1]))


def shares_noun(name: str, other: str) -> bool:
    """Whether the last word of both is the same noun: `sms_messages`, `messages`."""
    one, two = words(name), words(other)
    return bool(one and two) and singular(one[-1]) == singular(two[-1])

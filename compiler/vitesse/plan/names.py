"""Outside text → Python names.

The only place that makes identifiers. A name is ASCII, `[a-z_][a-z0-9_]*` (classes `[A-Z][A-Za-z0-9]*`), at most 60
characters, no keyword, builtin, dunder or name that a framework gives a meaning to, and unique in its scope: collisions are
numbered in the order the names are asked for, so the order of the input decides and nothing else.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable

MAX_NAME = 60

_KEYWORDS = frozenset(keyword.kwlist) | {"self", "cls", "src", "it", "body", "idempotency_key"}

_SPOKEN_FOR = frozenset(
    "str int bool float list dict date datetime Decimal Any Annotated AsyncIterator Field MISSING Record".split()
)
"""Names that annotations use: a field or argument called so would change what the next annotation means."""

_PYDANTIC = frozenset(
    (
        "construct copy dict fields from_orm json parse_file parse_obj parse_raw schema schema_json update_forward_refs "
        "validate model_computed_fields model_config model_construct model_copy model_dump model_dump_json model_extra "
        "model_fields model_fields_set model_json_schema model_parametrized_name model_post_init model_rebuild "
        "model_validate model_validate_json model_validate_strings"
    ).split()
)
"""Attributes of pydantic's BaseModel: a field of that name would shadow them."""

_INNER = _KEYWORDS | _SPOKEN_FOR | _PYDANTIC
"""What a field or an argument may not be called."""

_OUTER = _INNER | frozenset(keyword.softkwlist) | frozenset(dir(builtins)) | {"annotations"}
"""What a module, function, class or constant may not be called."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[A-Za-z0-9]+")


def words(text: str) -> list[str]:
    """The ASCII words of a text in lower case: `defaultAddress_ID` → default, address, id. Empty when it has none."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return [part.lower() for word in _WORD.findall(folded) for part in _CAMEL.split(word)]


def snake(text: str, *, otherwise: str, inner: bool = False) -> str:
    """A lower-case identifier for a text; `otherwise` when nothing of it can stand in one.

    Args:
        inner: True for fields and arguments, which may be called `id` or `type`; other names may not shadow a builtin.
    """
    name = "_".join(words(text))[:MAX_NAME].rstrip("_")
    if not name:
        name = otherwise
    if name[0].isdigit():
        name = f"{otherwise}_{name}"[:MAX_NAME]
    return f"{name}_" if name in (_INNER if inner else _OUTER) else name


def pascal(text: str, *, otherwise: str) -> str:
    """A class name for a text: `default_address` → `DefaultAddress`."""
    name = "".join(word.capitalize() for word in words(text))[:MAX_NAME]
    if not name:
        name = otherwise
    if name[0].isdigit():
        name = f"{otherwise}{name}"[:MAX_NAME]
    return f"{name}_" if name in _OUTER else name


def constant(text: str, *, otherwise: str) -> str:
    """An upper-case identifier: `list_customers` → `LIST_CUSTOMERS`."""
    return snake(text, otherwise=otherwise).upper()


def singular(word: str) -> str:
    """English singular of a lower-case plural, good enough for naming: `customers` → `customer`, `addresses` → `address`."""
    for plural, one in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")):
        if word.endswith(plural) and len(word) > len(plural) + 1:
            return word[: -len(plural)] + one
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2:
        return word[:-1]
    return word


class Scope:
    """Names that must differ from each other. Comparing ignores case where names become files."""

    def __init__(self, taken: Iterable[str] = (), *, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case
        self._taken = {self._key(name) for name in taken}

    def _key(self, name: str) -> str:
        return name.lower() if self._ignore_case else name

    def claim(self, name: str) -> str:
        """The name itself, or the first of `name_2`, `name_3`, … that is free; taken from now on."""
        candidate, number = name, 1
        while self._key(candidate) in self._taken:
            number += 1
            candidate = f"{name[: MAX_NAME - 4]}_{number}"
        self._taken.add(self._key(candidate))
        return candidate

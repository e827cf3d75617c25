"""A word → the APIs it may mean: what is known of them before their description is at hand.

Three sources in one list: the bundled `catalogue.toml`, files of the same form, and the vendors that plugins know. Asks nobody.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..api.facts import RateLimit
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..hooks import Plugin

BUNDLED = Path(__file__).with_name("catalogue.toml")
_MAX_BYTES = 4 * 1024 * 1024
_NEAR = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of one API. An empty text is not known."""

    name: str
    base_url: str = ""
    """May hold `{variables}`."""
    docs: str = ""
    specs: tuple[str, ...] = ()
    """Addresses of its description; none where the vendor publishes none, or we know of none."""
    auth: str = ""
    limits: str = ""
    aliases: tuple[str, ...] = ()
    """Other words that people look for it by."""
    confidence: float = 0.5
    origin: str = "bundled"


def load_catalogue(path: Path = BUNDLED) -> tuple[Entry, ...]:
    """Read one catalogue file.

    Raises:
        DiagnosticError: V308 when it is no catalogue.
    """
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            raise _unusable(path, "it is larger than any catalogue")
        form = tomllib.loads(data.decode("utf-8"))
    except OSError:
        raise _unusable(path, "it cannot be read") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        raise _unusable(path, "it is not TOML") from None
    listed = form.get("api")
    if set(form) != {"api"} or not isinstance(listed, list):
        raise _unusable(path, "it is not a list of `[[api]]` tables")
    origin = "bundled" if path == BUNDLED else path.name
    return tuple(_entry(path, one, number, origin) for number, one in enumerate(listed, 1))


def plugin_entries(plugins: Iterable[Plugin]) -> tuple[Entry, ...]:
    """The vendors that plugins know, in their order."""
    return tuple(
        Entry(
            name=vendor.name,
            base_url=f"https://{vendor.hosts[0]}" if vendor.hosts else "",
            limits=next(
                (
                    f"{known.fact.value.per_s:g} requests per second, bursts of {known.fact.value.burst}"
                    for known in vendor.facts
                    if isinstance(known.fact.value, RateLimit)
                ),
                "",
            ),
            aliases=vendor.titles,
            confidence=max((known.fact.confidence for known in vendor.facts), default=0.5),
            origin=plugin.name,
        )
        for plugin in plugins
        for vendor in plugin.vendors
    )


def search(entries: Sequence[Entry], words: str) -> tuple[Entry, ...]:
    """Entries that the words may mean, the nearest first; of equal ones the surer first."""
    wanted = " ".join(words.lower().split())
    scored = [(score, entry) for entry in entries if (score := _score(entry, wanted)) >= _NEAR]
    return tuple(entry for _, entry in sorted(scored, key=lambda pair: (-pair[0], -pair[1].confidence, pair[1].name)))


def _score(entry: Entry, wanted: str) -> float:
    name = entry.name.lower()
    if not wanted:
        return 0
    if wanted == name:
        return 102
    if wanted in name:
        return 101
    said = " ".join((name, *entry.aliases, entry.base_url.partition("://")[2].partition("/")[0])).lower()
    if all(word in said for word in wanted.split()):
        return 100
    if len(wanted) < 4:
        return 0
    from rapidfuzz import fuzz

    return max(fuzz.ratio(wanted, word) for word in (name, *name.split()))


def _entry(path: Path, value: Any, number: int, origin: str) -> Entry:
    """One table of a file: known keys, of the type that each has."""
    kinds: dict[str, type | tuple[type, ...]] = {one.name: str for one in fields(Entry) if one.name != "origin"}
    kinds |= {"specs": list, "aliases": list, "confidence": (int, float)}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"].strip():
        raise _unusable(path, f"entry {number} has no name")
    for key, member in value.items():
        kind = kinds.get(key)
        if kind is None:
            raise _unusable(path, f"entry {number} has a key `{key[:40]}` that the form does not know")
        texts = not isinstance(member, list) or all(isinstance(one, str) for one in member)
        if not isinstance(member, kind) or isinstance(member, bool) or not texts:
            raise _unusable(path, f"`{key}` of entry {number} is not as the form asks")
    if not 0 <= value.get("confidence", 0.5) <= 1:
        raise _unusable(path, f"`confidence` of entry {number} is not between 0 and 1")
    given: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in value.items()}
    return Entry(**given, origin=origin)


def _unusable(path: Path, why: str) -> DiagnosticError:
    help = "write `[[api]]` tables with `name`, `base_url`, `docs`, `specs`, `auth`, `limits`, `aliases`, `confidence`"
    message = f"the catalogue `{path.name}` cannot be used: {why}"
    return DiagnosticError([Diagnostic(code="V308", message=message, places=(Place(file=str(path)),), help=help)])

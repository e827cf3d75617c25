"""Gold cases of a folder → sides, labels and groups, as the fit and the benchmark read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitesse.mapper.fields import Described, Side, read_side

_GENERIC = frozenset(
    {"api", "object", "unified", "model", "template", "integration", "the", "record", "table", "of", "to"}
)


_SAME_VENDOR = {
    "sfdc": "salesforce", "zohocrm": "zoho", "ms_dynamics_365_sales": "microsoft", "ms": "microsoft", "azure": "microsoft",
    "outlook": "microsoft", "onedrive": "microsoft", "googledrive": "google",
}  # fmt: skip
"""Two names for one vendor: its cases are held out together."""


def normal(path: str) -> str:
    """Letters and digits: how paths are compared."""
    return re.sub(r"[^a-z0-9]", "", path.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One mapping that somebody wrote."""

    id: str
    origin: str
    provider: str
    domain: str
    form: Mapping[str, Any]
    source: Side
    destination: Side
    right: Mapping[str, tuple[frozenset[str], ...]]
    """Destination path → the source sets that count, normalised."""
    transforms: Mapping[str, tuple[str, ...]]
    scored: frozenset[str]
    """Destination paths that the score looks at."""


def load_cases(folder: Path) -> list[Case]:
    """Every case of a folder, in the order of their files."""
    return [read_case(json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]


def read_case(form: Mapping[str, Any]) -> Case:
    right: dict[str, list[frozenset[str]]] = {}
    transforms: dict[str, tuple[str, ...]] = {}
    for mapping in form.get("mappings", ()):
        if mapping["source"]:
            sets = [mapping["source"], *mapping.get("accept", [])]
            right.setdefault(mapping["destination"], []).extend(frozenset(map(normal, some)) for some in sets)
            transforms[mapping["destination"]] = (mapping["transform"], *mapping.get("accept_transform", []))
    ignored = set(form.get("ignore_destinations", ()))
    silent = form.get("silent_unmapped")
    destination = read_side(described(form["destination"]["fields"]), about(form["destination"]["name"]))
    scored = frozenset(
        view.given.path
        for view in destination.views
        if view.given.path not in ignored and (not silent or view.given.path in right)
    )
    words = form["id"].split("-")
    return Case(
        id=form["id"],
        origin=form.get("origin", "").split(" ")[0],
        provider=_SAME_VENDOR.get(found := words[1] if len(words) > 1 else words[0], found),
        domain=form.get("domain", ""),
        form=form,
        source=read_side(described(form["source"]["fields"]), about(form["source"]["name"])),
        destination=destination,
        right={path: tuple(sets) for path, sets in right.items()},
        transforms=transforms,
        scored=scored,
    )


def turned(case: Case) -> Case:
    """The case with its sides exchanged: as much of a lesson, and as true, where one field goes to one."""
    right: dict[str, list[frozenset[str]]] = {}
    paths = {normal(view.given.path): view.given.path for view in case.source.views}
    for mapping in case.form.get("mappings", ()):
        for source in mapping["source"]:
            if normal(source) in paths:
                sets = right.setdefault(paths[normal(source)], [])
                sets.append(frozenset({normal(mapping["destination"])}))
    return Case(
        id=f"{case.id} turned",
        origin=case.origin,
        provider=case.provider,
        domain=case.domain,
        form={"mappings": []},
        source=read_side([view.given for view in case.destination.views], about(case.form["destination"]["name"])),
        destination=read_side(_lesson_fields(case, right), about(case.form["source"]["name"])),
        right={path: tuple(sets) for path, sets in right.items()},
        transforms={},
        scored=frozenset(right),
    )


def _lesson_fields(case: Case, right: Mapping[str, object]) -> list[Described]:
    """The mapped fields, and about as many others: enough for a lesson."""
    given = [view.given for view in case.source.views]
    others = [one for one in given if one.path not in right]
    step = max(1, len(others) // max(1, len(right)))
    kept = {one.path for one in others[::step]} | set(right)
    return [one for one in given if one.path in kept]


def described(fields: Iterable[Mapping[str, Any]]) -> list[Described]:
    return [
        Described(
            path=field["path"],
            kind=field.get("type"),
            format=field.get("format"),
            enum=tuple(str(value) for value in field.get("enum") or ()),
            description=field.get("description") or "",
        )
        for field in fields
    ]


def about(name: str) -> list[str]:
    """The words of a schema's name that say what its records are."""
    return [word for word in re.findall(r"[A-Za-z_]+", name) if word.lower() not in _GENERIC]


def folds_of(groups: Sequence[str], count: int) -> dict[str, int]:
    """Group → fold, the same on every machine."""
    ordered = sorted(
        set(groups), key=lambda group: (sum(ord(char) * 31**index for index, char in enumerate(group)) % 9973, group)
    )
    return {group: index % count for index, group in enumerate(ordered)}

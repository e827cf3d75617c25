"""Cases of one description: what a client is asked to send, and what must arrive. Written by hand from the description."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


class _Loader(yaml.SafeLoader):
    """YAML with `!decimal 1.10` and `!file text` (bytes)."""


_Loader.add_constructor("!decimal", lambda loader, node: Decimal(str(loader.construct_scalar(node))))
_Loader.add_constructor("!file", lambda loader, node: str(loader.construct_scalar(node)).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request."""

    operation: str
    why: str
    """The rule or the example of the description that decides what must arrive."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """By wire name."""
    body: Any = None
    path: str
    query: list[str] = field(default_factory=list)
    """Encoded pairs, byte for byte; pairs of one name in their order."""
    headers: dict[str, str | None] = field(default_factory=dict)
    """None: must not be sent."""
    json: str | None = None
    """Compared value by value, numbers digit by digit."""
    form: list[str] | None = None
    raw: str | None = None
    parts: list[dict[str, str]] | None = None
    """Of a multipart body: name, and as far as they matter filename, type; text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Cases of one description, and the system as a manifest would name it."""

    file: Path
    spec: str
    """Below `specs/` of the published ones, or a file beside the cases."""
    system: dict[str, Any]
    environ: dict[str, str]
    base_url: str
    """What the address must come to."""
    cases: tuple[Case, ...]


def load(file: Path) -> Cases:
    read = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # a safe loader with two more tags
    return Cases(
        file=file,
        spec=read["spec"],
        system=read.get("system") or {},
        environ=read.get("environ") or {},
        base_url=read["base_url"],
        cases=tuple(Case(**case) for case in read["cases"]),
    )


def all_cases(folder: str) -> list[Cases]:
    return [load(file) for file in sorted((FOLDER / folder).glob("*.yaml")) if not file.name.endswith(".spec.yaml")]

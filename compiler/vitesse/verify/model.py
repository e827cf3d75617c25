"""What verification holds a package to, and the type that says it was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from ..diagnostics import InternalError
from ..frozen import dataclass
from ..package import RenderedPackage
from ..plan.model import ApiPlan, MapperModule, ModelModule

_SEAL: Final = object()


Gap: TypeAlias = Literal["toml", "compose", "env", "markdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactly:
    """These bytes: copied files, and files whose only variables are the package's names."""

    sha256: str
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A Python module made from the plan. `part` is what it was made from."""

    kind: Literal["package", "app", "settings", "client", "mapper", "models"]
    part: ApiPlan | MapperModule | ModelModule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A file of the user's or of a plugin, whole."""

    sha256: str
    origin: str
    plugin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """A file of which all is known but the places where outside text stands.

    `parts` are the constant stretches in order; between two of them stands a text whose kind `gaps` names, one fewer.
    """

    parts: tuple[str, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """MAPPING.md: so many rows in so many tables."""

    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFile:
    """A JSON file that must read as this value."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """A YAML file that must read as this JSON value."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """`vitesse.lock`: the digests of every other file, and the drafts of the plan."""

    draft: tuple[str, ...]
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """A module with nothing in it but a comment of ours."""


Expected: TypeAlias = "Exactly | Derived | Copied | Around | Page | JsonFile | YamlFile | LockFile | Empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """Every file a package must have, and no other."""

    name: str
    module: str
    """The import name."""
    version: str
    doc: str
    """What the package's own docstring says."""
    clients: tuple[tuple[str, str], ...]
    """(module, class) of both clients, sorted."""
    files: Mapping[str, Expected]
    texts: frozenset[str] = frozenset()
    """Every string of the plan: what a string constant of derived code may say."""
    names: frozenset[str] = frozenset()
    """Every name of the plan: what derived code may define and import from its own package."""


class VerifiedPackage:
    """A rendered package that was proved to be what its plan says. Only `verify_package` makes one."""

    __slots__ = ("_package",)

    def __init__(self, package: RenderedPackage, seal: object = None) -> None:
        if seal is not _SEAL:
            raise InternalError("a `VerifiedPackage` was made without verification")
        self._package = package

    @property
    def package(self) -> RenderedPackage:
        return self._package

    @property
    def digest(self) -> str:
        return self._package.digest


def _sealed(package: RenderedPackage) -> VerifiedPackage:
    return VerifiedPackage(package, _SEAL)

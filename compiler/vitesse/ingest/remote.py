"""A URL → a description in a file: the address itself, or one of the places where vendors usually put it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..openapi import read_document
from .fetch import Fetched, Policy, Resolve, fetch, resolve_host, shown

PLACES: tuple[str, ...] = (
    "/openapi.json",
    "/openapi.yaml",
    "/swagger.json",
    "/v1/openapi.json",
    "/v2/openapi.json",
    "/api-docs",
    "/v3/api-docs",
    "/v2/api-docs",
    "/api/openapi.json",
    "/swagger/v1/swagger.json",
    "/swagger/doc.json",
    "/.well-known/openapi.json",
)
"""Asked in this order, below the given path first and then at the host's top."""

_SEARCH_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSpec:
    """A description that was fetched."""

    url: str
    path: Path
    """Where it is now, for as long as the caller keeps the folder."""
    bytes: int


def fetch_spec(
    url: str,
    folder: Path,
    policy: Policy | None = None,
    *,
    places: Sequence[str] = PLACES,
    resolve: Resolve = resolve_host,
) -> RemoteSpec:
    """Fetch a description into a folder.

    Args:
        url: Of the description, or of an API: then the usual places are asked.
        places: The usual ones; paths that start with `/`.

    Raises:
        DiagnosticError: V304 and V305 as `fetch` does; V306 when none of the places has a description; V1xx when the address names
            a file that is none.
    """
    allowed = policy or Policy()
    end = monotonic() + _SEARCH_S
    asked: list[str] = []
    for candidate in _candidates(url, places):
        left = end - monotonic()
        if left <= 0:
            break
        bounded = replace(allowed, total_s=min(allowed.total_s, left))
        try:
            fetched = fetch(candidate, bounded, resolve=resolve)
        except DiagnosticError as error:
            if candidate == url or any(found.code == "V304" for found in error.diagnostics):
                raise
            asked.append(f"{shown(candidate)}: no reply")
            continue
        if fetched.status != 200:
            asked.append(f"{shown(candidate)}: status {fetched.status}")
            continue
        try:
            return _keep(fetched, folder)
        except DiagnosticError as error:
            if _names_a_file(url):
                raise
            asked.append(f"{shown(candidate)}: {error.diagnostics[0].code}")
    message = f"no description of an API was found at `{shown(url)}`"
    raise DiagnosticError(
        [
            Diagnostic(
                code="V306",
                message=message,
                places=(Place(file=shown(url)),),
                notes=tuple(f"asked {one}" for one in asked),
                help="name the description's own address, or give a file with `--spec`",
            )
        ]
    )


def _candidates(url: str, places: Sequence[str]) -> Iterator[str]:
    yield url
    if _names_a_file(url):
        return
    parts = urlsplit(url)
    top = f"{parts.scheme}://{parts.netloc}"
    below = top + parts.path.rstrip("/")
    yield from dict.fromkeys(base + place for base in dict.fromkeys((below, top)) for place in places)


def _names_a_file(url: str) -> bool:
    return urlsplit(url).path.lower().endswith((".json", ".yaml", ".yml"))


def _keep(fetched: Fetched, folder: Path) -> RemoteSpec:
    is_json = fetched.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    path = folder / ("openapi.json" if is_json else "openapi.yaml")
    path.write_bytes(fetched.content)
    read_document(path)
    return RemoteSpec(url=fetched.url, path=path, bytes=len(fetched.content))

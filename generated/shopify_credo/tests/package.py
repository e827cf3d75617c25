"""The package under test, found by its own pyproject.toml: these tests are the same in every package."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.mocks import MockForm, load_mock
from tests.mocks.store import dumps, loads

ROOT = Path(__file__).resolve().parents[1]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMAND, _ENTRY = next(iter(_PROJECT["scripts"].items()))
MODULE: str = _ENTRY.split(".")[0]

INTEGRATION: Any = import_module(f"{MODULE}.app").INTEGRATION
STREAMS: list[str] = [stream.name for stream in INTEGRATION.streams]


def runtime(module: str) -> Any:
    """A module of the package's runtime: `runtime("engine")`."""
    return import_module(f"{MODULE}._runtime.{module}")


def stream_named(name: str) -> Any:
    return next(stream for stream in INTEGRATION.streams if stream.name == name)


def source_form() -> MockForm:
    return load_mock(Path(__file__).parent / "mocks" / "source.json")


def destination_form() -> MockForm:
    return load_mock(Path(__file__).parent / "mocks" / "destination.json")


def sides(stream: Any) -> tuple[str, str]:
    """The systems of the integration that a stream reads and writes; one that goes back has them exchanged."""
    return ("source", "destination") if stream.reverse_of is None else ("destination", "source")


def form_of(side: str) -> MockForm:
    return source_form() if side == "source" else destination_form()


def operations(stream: Any) -> Iterator[tuple[str, Any]]:
    """(side, operation) of everything a stream uses, each once."""
    source, destination = stream.source, stream.destination
    reads, writes = sides(stream)
    seen: set[tuple[str, str]] = set()
    used = [(reads, source.list), (reads, source.get)]
    used += [(writes, getattr(destination, role)) for role in ("create", "update", "get", "list", "delete")]
    several = (destination.find, destination.batch, destination.batch_update)
    used += [(writes, each.operation) for each in several if each is not None]
    for side, operation in used:
        if operation is not None and (side, operation.id) not in seen:
            seen.add((side, operation.id))
            yield side, operation


def mapped(stream: Any, record: Any, links: Any = None) -> Any:
    """What the package makes of one source record: the body as it is sent. Raises `Unmappable`.

    Args:
        links: (stream, source identity) → destination identity, for references to other streams; without them a reference
            stays as the source has it.
    """
    following = runtime("links")
    if links is not None:
        known = following.Links(links)
        with following.following(known):
            body = mapped(stream, record)
        if known.unknown:
            raise Unmappable(f"it refers to a record of {known.unknown[0][0]} that has no link")
        return body
    try:
        source = runtime("http.decode").decode_record(
            stream.source.record, dumps(record).encode(), exact=stream.source.exact_numbers
        )
        data, _ = runtime("hashing").BodyCodec(stream.destination.body).encode(stream.map(source))
    except (runtime("errors").DecodeError, runtime("values").MappingError) as error:
        raise Unmappable(str(error)) from error
    return loads(data)


def is_refused_by_the_mapper(stream: Any, record: Any) -> bool:
    """Whether the record can be read, and the mapper says no."""
    source = runtime("http.decode").decode_record(
        stream.source.record, dumps(record).encode(), exact=stream.source.exact_numbers
    )
    try:
        stream.map(source)
    except runtime("values").MappingError:
        return True
    return False


class Unmappable(Exception):
    """The record would be a dead letter: its decoding or its mapping says no."""


def is_mappable(stream: Any, record: Any, links: Any = None) -> bool:
    try:
        mapped(stream, record, links)
    except Unmappable:
        return False
    return True

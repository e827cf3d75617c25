"""Requests of generated clients, as an independent server sees them, beside expectations written by hand."""

from __future__ import annotations

import email.parser
import email.policy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.shared import SHARED, needs_shared
from tests.wire.cases import FOLDER, Case, Cases, all_cases
from tests.wire.client import Client, call, compiled
from tests.wire.recorder import Request, recording

PUBLISHED = all_cases("published")
OWN = all_cases("own")
_clients: dict[Path, Client] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


def _ids(groups: list[Cases]) -> list[Any]:
    return [
        pytest.param(cases, case, id=f"{cases.file.stem} {case.operation} {number}")
        for cases in groups
        for number, case in enumerate(cases.cases)
    ]


def test_published_cases_are_forty_operations_of_twenty_descriptions():
    """What the published cases cover, counted."""
    assert len({(cases.spec, case.operation) for cases in PUBLISHED for case in cases.cases}) >= 40
    assert len({cases.spec for cases in PUBLISHED}) >= 20


@needs_shared
@pytest.mark.parametrize(("cases", "case"), _ids(PUBLISHED))
async def test_request_of_a_published_operation_is_as_its_description_says(cases: Cases, case: Case, folder: Path):
    spec = SHARED / "specs" / cases.spec
    bounds = SHARED / "specs" / cases.spec.split("/")[0] if "/" in cases.spec else None
    await _compare(spec, bounds, cases, case, folder)


@pytest.mark.parametrize(("cases", "case"), _ids(OWN))
async def test_request_is_as_the_rules_of_openapi_say(cases: Cases, case: Case, folder: Path):
    await _compare(FOLDER / "own" / cases.spec, None, cases, case, folder)


async def _compare(spec: Path, bounds: Path | None, cases: Cases, case: Case, folder: Path) -> None:
    if cases.file not in _clients:
        _clients[cases.file] = compiled(spec, bounds, cases, folder)
    client = _clients[cases.file]
    async with recording() as server:
        local, address, settings = client.redirected(cases.environ, server.port)
        assert address == cases.base_url
        async with client.runtime("client").open_api(local, settings) as session:
            try:
                await call(client, session, case)
            except client.runtime("errors").DecodeError:
                pass  # the server's answer is none of this API's
    (request,) = server.requests
    _check(request, case)


def _check(request: Request, case: Case) -> None:
    assert request.method == case.operation.partition(" ")[0]
    assert request.path == case.path
    assert _by_name(request.query) == _by_name(case.query)
    for name, value in case.headers.items():
        assert request.header(name) == value, name
    if case.json is not None:
        assert _exact(request.body.decode()) == _exact(case.json)
    elif case.form is not None:
        assert request.header("Content-Type") == "application/x-www-form-urlencoded"
        assert _by_name(request.body.decode().split("&")) == _by_name(case.form)
    elif case.raw is not None:
        assert request.body == case.raw.encode()
    elif case.parts is not None:
        _check_parts(request, case.parts)
    else:
        assert request.body == b""
        assert request.header("Content-Type") is None


def _by_name(pairs: list[str]) -> dict[str, list[str]]:
    """Encoded values by encoded name: the order within a name counts, the order of names does not."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        assert equals, pair
        found.setdefault(name, []).append(value)
    return found


def _exact(text: str) -> Any:
    """JSON with every number as the text it is written in, and no key twice."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert not [name for name, times in Counter(name for name, _ in found).items() if times > 1]
        return dict(found)

    number = lambda digits: ("number", digits)  # noqa: E731
    return json.loads(text, parse_int=number, parse_float=number, object_pairs_hook=pairs)


def _check_parts(request: Request, expected: list[dict[str, str]]) -> None:
    """Read by the standard library's own parser of MIME."""
    media = request.header("Content-Type")
    assert media is not None
    assert media.startswith("multipart/form-data; boundary=")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + media.encode() + b"\r\n\r\n" + request.body
    )
    assert not message.defects
    found = []
    for part in message.iter_parts():
        assert not part.defects
        seen = {
            "name": part.get_param("name", header="content-disposition"),
            "text": part.get_payload(decode=True).decode(),
        }
        if (filename := part.get_filename()) is not None:
            seen["filename"] = filename
        if part["content-type"] is not None:
            seen["type"] = part["content-type"]
        found.append(seen)
    wanted = [{**one, "text": str(one["text"])} for one in expected]
    assert found == wanted

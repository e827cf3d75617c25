"""Each method of both clients, called once against the mocks: arguments in their places, replies read as they are declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import serving
from tests.calls import Caller, client_class, client_methods, used_operations
from tests.package import INTEGRATION, STREAMS, form_of, runtime

METHODS = [
    pytest.param(side, method, id=f"{side}:{method.name}")
    for side in ("source", "destination")
    for method in client_methods(getattr(INTEGRATION, side))
]


@pytest.mark.parametrize(("side", "method"), METHODS)
async def test_method_sends_its_operation_and_reads_the_reply(side: str, method: object, tmp_path: Path) -> None:
    async with serving(STREAMS[0], tmp_path) as bench:
        mock, api = bench.mocks[side], getattr(INTEGRATION, side)
        settings = runtime("settings").resolve_settings(INTEGRATION, bench.environ)
        tokens = runtime("http.token_places").MemoryTokens()
        async with runtime("http.session").open_api(api, settings, clock=bench.clock, tokens=tokens) as session:
            caller = Caller(side, client_class(api)(session), bench.mocks, bench.environ)
            await caller.call(method)  # type: ignore[arg-type]

        assert {name for name, _ in mock.requests} == {method.operation.id}  # type: ignore[attr-defined]
        assert all(200 <= status < 300 for _, status in mock.requests)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_client_has_a_method_for_every_operation_of_the_streams(side: str) -> None:
    form = form_of(side)
    have = {method.operation.id for method in client_methods(getattr(INTEGRATION, side))}
    assert set(used_operations(form)) <= have

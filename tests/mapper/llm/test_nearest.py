"""`--embeddings`: further candidates and a small say, recorded like answers, never more than a proposal."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from vitesse.cli.group import run as vitesse
from vitesse.diagnostics import DiagnosticError
from vitesse.workflow.map import map_streams

from .server import Raw, Request, picks, serving
from .test_failures import offline
from .test_map_with_model import DAY, PICKS, asking, files, folder

__all__ = ["folder"]


def embedding(text: str) -> list[float]:
    """Notes and job titles are one thing to this model; everything else lies apart from everything else."""
    if text.startswith(("note", "job title")):
        return [0.0, 0.0, 1.0, 0.02 * len(text) / 100]
    angle = sum(ord(char) * 31**index for index, char in enumerate(text)) % 9973
    return [math.cos(angle), math.sin(angle), 0.0, 0.0]


def embeddings(request: Request) -> Any:
    data = [
        {"object": "embedding", "index": index, "embedding": embedding(text)}
        for index, text in enumerate(request.body["input"])
    ]
    # Out of order, as the protocol allows.
    return {"object": "list", "data": data[::-1], "model": "e", "usage": {"prompt_tokens": 9, "total_tokens": 9}}


def both(request: Request) -> Any:
    return embeddings(request) if request.path.endswith("/embeddings") else picks(request, PICKS)


def test_embeddings_alone_lift_what_is_near_and_say_so(folder: Path) -> None:
    """Evidence names the model; the chance without it is kept."""
    with serving(embeddings) as server:
        run = asking(server.url, model=None, embeddings="e")
        (done,) = map_streams(folder, on=DAY, model=run)
    run.close()
    assert run.found == []
    assert {request.path for request in server.requests} == {"/v1/embeddings"}
    said = [one for one in done.proposal.proposals if any("embeddings of `e`" in text for text in one.evidence)]
    assert said
    assert all(one.without_adviser is not None and one.without_adviser <= one.confidence for one in said)
    near = json.loads(files(folder)["customers.proposal.json"])["recorded"]["nearest"][0]
    assert near["fields"]["job_title"]["note"] > 0.99
    assert near["model"] == "e"


def test_embeddings_are_replayed_without_a_network(folder: Path) -> None:
    """Byte for byte, with the model's answers and without."""
    with serving(both) as server:
        run = asking(server.url, embeddings="e")
        map_streams(folder, on=DAY, model=run)
        run.close()
    first = files(folder)
    (folder / "mappings" / "customers.yaml").unlink()
    again = asking(server.url, embeddings="e", replay=True, key="")
    map_streams(folder, on=DAY, model=again)
    assert (files(folder), again.requests) == (first, 0)


def test_embeddings_that_are_not_recorded_are_not_replayed(folder: Path) -> None:
    """V466."""
    with pytest.raises(DiagnosticError) as caught:
        map_streams(folder, on=DAY, model=asking("http://127.0.0.1:9/v1", model=None, embeddings="e", replay=True))
    assert [found.code for found in caught.value.diagnostics] == ["V466"]


def vectors(*found: Any) -> Any:
    return {"data": [{"index": index, "embedding": one} for index, one in enumerate(found)]}


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (lambda request: Raw(status=500), "V463"),
        (lambda request: Raw(status=400, body={"error": {"message": "no embeddings here"}}), "V465"),
        (lambda request: vectors([1.0]), "V465"),
        (lambda request: vectors(*[[0.0, 0.0]] * len(request.body["input"])), "V465"),
        (lambda request: vectors(*[[1e200, 1e200]] * len(request.body["input"])), "V465"),
        (
            lambda request: vectors(*[[float(index)] * (1 + index % 2) for index in range(len(request.body["input"]))]),
            "V465",
        ),
        (lambda request: vectors(*[["a"]] * len(request.body["input"])), "V465"),
        (lambda request: {"data": "none"}, "V465"),
        (lambda request: Raw(body=b"[" * 100_000), "V465"),
    ],
)
def test_embeddings_that_fail_leave_the_offline_proposal(folder: Path, behaviour: Any, code: str) -> None:
    """And the run says why."""
    expected = offline(folder)
    with serving(behaviour) as server:
        run = asking(server.url, model=None, embeddings="e", attempts=1)
        map_streams(folder, on=DAY, model=run)
    run.close()
    assert files(folder)["customers.yaml"] == expected
    assert [found.code for found in run.found] == [code]


def test_show_prompt_prints_the_texts_that_would_be_embedded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option alone asks for embeddings and for nothing else."""
    options = ["--embeddings", "e", "--llm-url", "http://127.0.0.1:9/v1", "--show-prompt"]
    assert vitesse(["map", str(folder), *options]) == 0
    shown = capsys.readouterr()
    assert "# texts to embed, stream customers" in shown.out
    assert "texts to e, about" in shown.err
    assert "## system" not in shown.out

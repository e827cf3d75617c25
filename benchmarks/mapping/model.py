"""The Mapper with a language model on gold cases: the product's own adviser, fed with a case's two sides.

Nothing is measured with it yet: no model was at hand. It runs against any server that speaks the OpenAI protocol.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitesse.cli.model import key_from, url_from
from vitesse.mapper.choose import Known
from vitesse.mapper.fields import Side, View
from vitesse.mapper.llm.adviser import ModelAdviser, Planner
from vitesse.mapper.llm.questions import Asking
from vitesse.mapper.llm.records import RecordedForm
from vitesse.mapper.llm.run import Estimate, ModelRun
from vitesse.mapper.llm.settings import ModelSettings
from vitesse.mapper.scoring import Pair, Way

from .cases import Case

_KINDS = {"array": "list", "number": "number", "integer": "integer"}


def known(view: View, lists: int) -> Known:
    """A case's type as the Mapper has it: a field inside more lists than the destination is itself a list."""
    kinds = (view.given.kind or "").split("|")
    kind: str | None = "number" if set(kinds) == {"number", "string"} else _KINDS.get(kinds[0], kinds[0]) or None
    if kind == "date" or (kind is None and view.given.format in ("date", "date-time")):
        kind = "string"
    if view.lists > lists:
        return Known(kind="list", items=kind, format=view.given.format, enum=view.given.enum)
    return Known(kind=kind, format=view.given.format, enum=view.given.enum)


@dataclass(frozen=True, slots=True)
class CaseFields:
    """One side of a case, as an adviser needs it."""

    side: Side

    def known(self, position: int, lists: int) -> Known:
        return known(self.side.views[position], lists)


class Panel:
    """A model, its limits, and where its answers are kept."""

    def __init__(self, run: ModelRun, folder: Path, only_estimate: bool = False) -> None:
        self._run = run
        self._folder = folder
        self._estimate = Estimate() if only_estimate else None

    @property
    def name(self) -> str:
        return self._run.settings.model or str(self._run.settings.embeddings)

    def advised(self, case: Case, ways: Sequence[Sequence[Way]], pairs: Sequence[Sequence[Pair]]) -> list[list[Way]]:
        """The ways of a case after the model spoke; as they were when only an estimate is wanted."""
        file = self._folder / f"{case.id}.json"
        recorded = RecordedForm.model_validate_json(file.read_bytes()) if file.is_file() else None
        asking = Asking(
            stream=case.form["destination"]["name"],
            intent=case.form.get("intent", ""),
            source=case.form["source"]["name"],
            destination=case.form["destination"]["name"],
        )
        adviser = ModelAdviser(self._run, asking, recorded, file.name)
        source, destination = CaseFields(case.source), CaseFields(case.destination)
        wanted = range(len(case.destination.views))
        if self._estimate is not None:
            return Planner(adviser, self._estimate, case.id).advise(source, destination, ways, pairs, wanted)
        found = adviser.advise(source, destination, ways, pairs, wanted)
        self._folder.mkdir(parents=True, exist_ok=True)
        file.write_text(adviser.recorded.model_dump_json(indent=1, exclude_defaults=True), encoding="utf-8")
        return found

    def close(self) -> None:
        """Say what it would cost, or what it did, and what went wrong."""
        if self._estimate is not None:
            print(f"{self._run.settings.host}: {self._run.described(self._estimate)}")
        for line in (*self._run.spent(), *(f"{found.code}: {found.message}" for found in self._run.found)):
            print(line)
        self._run.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--llm", action="store_true", help="let a language model rank the candidates; see docs/llm.md")
    parser.add_argument("--model", help="the model")
    parser.add_argument("--embeddings", help="a model for embeddings")
    parser.add_argument("--llm-url", help="base URL; else the environment's, as `vitesse map` has it")
    parser.add_argument("--llm-limit", type=int, default=5_000_000, help="most tokens")
    parser.add_argument(
        "--estimate", action="store_true", help="say how much would be asked, and score without a model"
    )


def panel_from(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Panel | None:
    """The panel that the options ask for; the key comes from the environment."""
    if not arguments.llm and not arguments.embeddings:
        return None
    if arguments.llm and not arguments.model:
        parser.error("--llm needs --model")
    if arguments.cross:
        parser.error("--llm ranks what the shipped weights propose: leave --cross out")
    settings = ModelSettings(
        model=arguments.model if arguments.llm else None,
        embeddings=arguments.embeddings,
        base_url=arguments.llm_url or url_from(os.environ),
        key="" if arguments.estimate else key_from(os.environ),
        max_tokens=arguments.llm_limit,
    )
    return Panel(ModelRun(settings), arguments.out / "answers", only_estimate=arguments.estimate)

"""What we want to reach, each with the place of its figure in the results; a missed one says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .tables import number

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One promise. The figure is that of `row`, or how many times `over` has it when `over` is set."""

    text: str
    result: str
    table: str
    row: str
    figure: str = "cpu_s"
    at_most: float | None = None
    at_least: float | None = None
    over: str | None = None
    unit: str = ""
    why: str = ""
    """Shown when it is missed."""

    def reached(self, results: dict[str, Json]) -> tuple[str, str] | None:
        """(what was measured, how it stands to the aim); None when it was not measured."""
        if (value := self._value(results)) is None:
            return None
        measured = f"{number(value)}{self.unit}"
        if self.at_most is not None:
            bound, met = self.at_most, value <= self.at_most
        else:
            assert self.at_least is not None
            bound, met = self.at_least, value >= self.at_least
        if met:
            return measured, "met"
        missed = f"missed by {abs(value / bound - 1):.0%}" if bound else "missed"
        return measured, missed + (f": {self.why}" if self.why else "")

    def _value(self, results: dict[str, Json]) -> float | None:
        tables = {table["key"]: table for table in results.get(self.result, {}).get("tables", ())}
        rows = {row["name"]: row for row in tables.get(self.table, {}).get("rows", ())}
        own = _median(rows.get(self.row), self.figure)
        if self.over is None or own is None:
            return own
        other = _median(rows.get(self.over), self.figure)
        return None if other is None else other / own


def _median(row: Json | None, figure: str) -> float | None:
    spread = row.get(figure) if row else None
    return spread["median"] if spread else None


_BUILD, _UNCHANGED = "vitesse build", "vitesse build, nothing changed"
_SHAKEN = "datamodel-code-generator, shaken"
_CLIENT = "openapi-python-client, literal enums"

_IMPORTS = "nearly half of a build is importing the libraries that write a package (below)"
_GENERATED = "generated package"
_FAST = "generated package, WIRE=fast"
_THREE = "three workers"
_DLT = "dlt, rest_api → destination"

AIMS = (
    Aim(
        text="two operations of Stripe's description as JSON, the whole package written: at most 0.9 s",
        result="compile",
        table="stripe-json",
        row=_BUILD,
        at_most=0.9,
        unit=" s",
        why=_IMPORTS,
    ),
    Aim(
        text="the same from YAML: at most 1.1 s",
        result="compile",
        table="stripe-yaml",
        row=_BUILD,
        at_most=1.1,
        unit=" s",
        why=_IMPORTS,
    ),
    Aim(
        text="the same of a small description: at most 0.8 s",
        result="compile",
        table="example",
        row=_BUILD,
        at_most=0.8,
        unit=" s",
        why=_IMPORTS,
    ),
    Aim(
        text="nothing changed: at most 0.15 s",
        result="compile",
        table="stripe-json",
        row=_UNCHANGED,
        at_most=0.15,
        unit=" s",
    ),
    Aim(
        text="ten times as fast as datamodel-code-generator shaken to one path",
        result="compile",
        table="stripe-json",
        row=_BUILD,
        over=_SHAKEN,
        at_least=10,
        unit="×",
        why=(
            "since this aim was set (by 0.86), that tool has learnt to shake about five times as fast; a tenth of what it takes now "
            "is what importing the libraries that write a package takes (below)"
        ),
    ),
    Aim(
        text="the same against version 0.86, by which the aim was set",
        result="compile",
        table="stripe-json",
        row=_BUILD,
        over="datamodel-code-generator 0.86, shaken",
        at_least=10,
        unit="×",
    ),
    Aim(
        text="forty times as fast as openapi-python-client",
        result="compile",
        table="stripe-json",
        row=_BUILD,
        over=_CLIENT,
        at_least=40,
        unit="×",
        why=_IMPORTS,
    ),
    Aim(
        text="the same from YAML",
        result="compile",
        table="stripe-yaml",
        row=_BUILD,
        over=_CLIENT,
        at_least=40,
        unit="×",
        why=_IMPORTS,
    ),
    Aim(
        text="memory of a build from 4 MB of YAML: at most 150 MiB",
        result="compile",
        table="stripe-yaml",
        row=_BUILD,
        figure="max_rss_mb",
        at_most=150,
        unit=" MiB",
    ),
    Aim(
        text="`vitesse --help`: at most 0.15 s",
        result="compile",
        table="start",
        row="vitesse --help",
        at_most=0.15,
        unit=" s",
    ),
    Aim(
        text="import of a generated package: at most 0.15 s",
        result="compile",
        table="start",
        row="import of a package",
        at_most=0.15,
        unit=" s",
    ),
    Aim(
        text="its `--help`: at most 0.3 s",
        result="compile",
        table="start",
        row="a package's --help",
        at_most=0.3,
        unit=" s",
    ),
    Aim(
        text="a mapping proposed for 200 × 200 fields: at most 1 s",
        result="mapping-size",
        table="size",
        row="200 × 200 fields",
        at_most=1.0,
        unit=" s",
    ),
    Aim(
        text="for 1,000 × 1,000 fields: at most 15 s",
        result="mapping-size",
        table="size",
        row="1,000 × 1,000 fields",
        at_most=15.0,
        unit=" s",
    ),
    Aim(
        text="many integrations: two processes at least 1.7 times as fast as one, on cores of their own",
        result="many",
        table="new",
        row="two processes",
        figure="ratio",
        at_least=1.7,
        unit="×",
    ),
    Aim(
        text="batches: 1.15 times as many records a CPU second as idiomatic aiohttp",
        result="sync",
        table="batch_0ms",
        row=_GENERATED,
        figure="ratio",
        at_least=1.15,
        unit="×",
        why=(
            "a third of a record's CPU goes to its two checked models and the exact mapping, encoding and hashing between them, over a "
            "quarter to intents, links and look-ups (stages below); the client by hand with the same state shows what doing without "
            "the models would give"
        ),
    ),
    Aim(
        text="one request a record: at least 0.9 times idiomatic aiohttp",
        result="sync",
        table="single_0ms",
        row=_GENERATED,
        figure="ratio",
        at_least=0.9,
        unit="×",
        why="that client and ours spend two thirds of it in the same aiohttp",
    ),
    Aim(
        text="one request a record, `WIRE=fast`: at least 1.2 times idiomatic aiohttp",
        result="sync",
        table="single_0ms",
        row=_FAST,
        figure="ratio",
        at_least=1.2,
        unit="×",
    ),
    Aim(
        text="batches: at least three times dlt",
        result="sync",
        table="batch_0ms",
        row=_DLT,
        over=_GENERATED,
        figure="records_per_cpu_s",
        at_least=3,
        unit="×",
        why=(
            "dlt keeps no intents, links or hashes: it writes its pages to files and posts them from there; over a quarter of a record's "
            "CPU here is that state (stages below)"
        ),
    ),
    Aim(
        text="one request a record: at least three times dlt",
        result="sync",
        table="single_0ms",
        row=_DLT,
        over=_GENERATED,
        figure="records_per_cpu_s",
        at_least=3,
        unit="×",
    ),
    Aim(
        text="memory with a million records: at most 90 MiB",
        result="growth",
        table="growth",
        row="1,000,000 records",
        figure="max_rss_mb",
        at_most=90,
        unit=" MiB",
    ),
    Aim(
        text="more of it than with ten thousand: at most 5 MiB",
        result="growth",
        table="growth",
        row="1,000,000 records",
        figure="grown_mib",
        at_most=5,
        unit=" MiB",
        why="twelve thousand match values are held until they are merged, and the pages of what is merged into are kept",
    ),
    *[
        Aim(
            text=f"97 % of an allowed 40 requests a second, burst {burst}",
            result="limits",
            table=f"burst_{burst}",
            row=_GENERATED,
            figure="share_used",
            at_least=0.97,
        )
        for burst in (10, 40)
    ],
    *[
        aim
        for burst in (10, 40)
        for aim in (
            Aim(
                text=f"95 % of it by three workers together, burst {burst}",
                result="replicas",
                table=f"replicas_burst_{burst}",
                row=_THREE,
                figure="share_used",
                at_least=0.95,
            ),
            Aim(
                text=f"three workers: fewer than 1 refusal in 200, burst {burst}",
                result="replicas",
                table=f"replicas_burst_{burst}",
                row=_THREE,
                figure="refused_share",
                at_most=0.005,
            ),
            Aim(
                text=f"three workers: no request above burst + rate × time as the server counts, burst {burst}",
                result="replicas",
                table=f"replicas_burst_{burst}",
                row=_THREE,
                figure="over_budget",
                at_most=0.0,
                why="tokens that are used late bunch up when a worker stands still between its draw and its request",
            ),
        )
    ],
    *[
        Aim(
            text=f"webhooks on {kind}: 99 of 100 durable and acknowledged within a second at 1,000 a second",
            result="webhooks",
            table="webhooks",
            row=kind,
            figure="p99_ms",
            at_most=1000,
            unit=" ms",
        )
        for kind in ("SQLite", "PostgreSQL")
    ],
)

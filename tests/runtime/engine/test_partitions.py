"""A pass in parts: every record once, whatever the cut; resumed by part; shared by replicas; one watermark for the whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.declare import Partition
from runtime.engine import Engine, RunReport, RunRequest
from runtime.engine.parts import keys_of, part_of
from tests.runtime.engine.conftest import World
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS

RANGES = Partition(by="range", first="id_min", last="id_max", size=100, start=0)
WINDOWS = Partition(by="window", first="created_at_min", last="created_at_max", size=30 * 86_400, start="2024-01-01")


class Cut(Shopify):
    """A source that can be asked for a range of identities, or for a window of creation."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str | None, str | None]] = []
        self.per_page = 40
        self.fail_at: int | None = None

    def _list(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        after, low, high, since = 0, query.get("id_min"), query.get("id_max"), query.get("updated_at_min", "")
        first, last = query.get("created_at_min", ""), query.get("created_at_max", "9")
        if "page_info" in query:
            text, low, high, first, last = (each or None for each in query["page_info"].split("|"))  # type: ignore[assignment]
            after = int(text or 0)
        else:
            self.asked.append((low or first or None, high or (last if last != "9" else None)))
        wanted = sorted(
            (
                c for c in self.customers.values()
                if c["id"] > after and c["id"] >= int(low or 0) and c["id"] <= int(high or 10**9)
                and c["updated_at"] >= since and (first or "") <= c["created_at"] <= (last or "9")
            ),
            key=lambda customer: customer["id"],
        )  # fmt: skip
        page, headers = wanted[: self.per_page], self._headers()
        if self.fail_at is not None and any(c["id"] == self.fail_at for c in page):
            return httpx.Response(400, json={"errors": "no"})
        if len(wanted) > self.per_page:
            mark = "|".join(str(each or "") for each in (page[-1]["id"], low, high, first, last))
            headers["Link"] = f'<{request.url.copy_with(params={"page_info": mark})}>; rel="next"'
        return httpx.Response(200, json={"customers": page}, headers=headers)


@pytest.fixture
def cut(world: World) -> World:
    world.shopify = Cut()
    for number in range(1, 351):
        month = (number - 1) // 60 + 1
        world.shopify.put(number, created_at=f"2024-{month:02}-10T12:00:00Z")
    return world


def engine_of(world: World, partition: Partition, **changes: Any) -> Engine:
    return world.engine(source__partition=partition, **changes)


async def run(world: World, partition: Partition = RANGES, **changes: Any) -> RunReport:
    return await engine_of(world, partition, **changes).run(RunRequest(stream="customers"))


async def test_ranges_are_found_read_one_after_another_and_add_up(cut: World) -> None:
    report = await run(cut)
    assert report.state == "done", report
    assert (report.counts.read, report.counts.created) == (350, 350)
    assert sorted(cut.credo.created()) == sorted({f"Person{number}@Example.com" for number in range(1, 351)})
    asked = cut.shopify.asked  # type: ignore[attr-defined]
    assert asked[-4:] == [("0", "99"), ("100", "199"), ("200", "299"), ("300", None)]
    rows = cut.state.runs.latest()
    assert sorted(row["read"] for row in rows if row["partition"]) == [51, 99, 100, 100]
    assert [row["id"] for row in rows if not row["partition"]] == [report.run_id]


async def test_windows_that_share_a_bound_write_each_record_once(cut: World) -> None:
    report = await run(cut, WINDOWS)
    assert report.state == "done", report
    assert report.counts.created == 350
    assert len(cut.credo.created()) == 350


async def test_the_watermark_moves_for_the_whole_when_all_parts_are_done(
    cut: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.engine.run.BATCHED_RECORDS", 40)
    assert isinstance(cut.shopify, Cut)
    cut.shopify.fail_at = 250
    report = await run(cut)
    assert report.state == "failed"
    assert "part 00000000000000000200" in str(report.error)
    assert cut.state.store.checkpoint("customers").watermark is None
    left = cut.state.partitions.left("customers")
    assert left == ["00000000000000000200", "00000000000000000300"]
    cut.shopify.fail_at = None
    cut.shopify.asked.clear()
    report = await run(cut)
    assert report.state == "done"
    assert report.counts.read == 111, "the parts that were done are read again, or a cursor was lost"
    assert [low for low, _ in cut.shopify.asked] == ["300"], "part 200 goes on from its cursor"
    assert cut.state.partitions.keys("customers", CUSTOMERS.mapping_digest) == []
    point = cut.state.store.checkpoint("customers")
    assert point.watermark is not None
    assert point.watermark == max(c["updated_at"] for c in cut.shopify.customers.values())
    cut.shopify.asked.clear()
    cut.shopify.put(7, last_name="Changed")
    report = await run(cut)
    assert (report.kind, report.counts.updated) == ("incremental", 1)
    assert cut.shopify.asked == [(None, None)], "what changed since is one pass"


async def test_other_replicas_take_parts_and_the_report_is_of_the_whole(cut: World) -> None:
    first, second, third = (engine_of(cut, RANGES) for _ in range(3))
    helped: list[int] = []
    tasks = []

    async def spread(name: str, run_id: str, token: int, parts: int) -> None:
        assert parts == 4

        async def help_out(engine: Engine) -> None:
            helped.append(await engine.help(name, run_id, token))

        tasks.extend(asyncio.ensure_future(help_out(engine)) for engine in (second, third))
        await asyncio.sleep(0)

    first.spread = spread
    report = await first.run(RunRequest(stream="customers"))
    await asyncio.gather(*tasks)
    assert report.state == "done", report
    assert report.counts.created == report.counts.read == 350
    assert len(cut.credo.created()) == len(set(cut.credo.created())) == 350
    assert sum(helped) > 0
    holders = {row["holder"] for row in cut.state.runs.latest() if row["partition"]}
    assert holders


async def test_who_helped_an_older_run_can_write_nothing_more(cut: World) -> None:
    assert isinstance(cut.shopify, Cut)
    taken: list[tuple[str, int]] = []

    async def spread(name: str, run_id: str, token: int, parts: int) -> None:
        taken.append((run_id, token))

    cut.shopify.fail_at = 150
    first = engine_of(cut, RANGES)
    first.spread = spread
    assert (await first.run(RunRequest(stream="customers"))).state == "failed"
    cut.shopify.fail_at = None
    before = len(cut.credo.created())
    [(run_id, token)] = taken
    assert await engine_of(cut, RANGES).help("customers", run_id, token) == 0
    assert len(cut.credo.created()) == before
    assert any("was taken over" in str(row["error"]) for row in cut.state.runs.latest() if row["partition"])


async def test_parts_by_parent_read_the_lists_of_its_records(cut: World) -> None:
    lists = {"1": [3, 4], "2": [], "30": [5], "4": [6, 7]}

    class ByParent(Cut):
        def _list(self, request: httpx.Request) -> httpx.Response:
            group = request.url.params["group"]
            self.asked.append((group, None))
            if group == "30" and 5 not in self.customers:
                return httpx.Response(404, json={"errors": "gone"})
            return httpx.Response(
                200, json={"customers": [self.customers[n] for n in lists[group]]}, headers=self._headers()
            )

    customers = cut.shopify.customers
    cut.shopify = ByParent()
    cut.shopify.customers = customers
    with cut.state.store.database._engine.begin() as connection:
        for identity in lists:
            row = {
                "stream": "groups",
                "source_id": identity,
                "destination_id": "x",
                "hash": b"",
                "run_id": "r",
                "written_at": 0.0,
            }
            connection.execute(cut.state.store.database.tables.links.insert(), row)
    partition = Partition(by="parent", stream="groups", parameter="group")
    report = await run(cut, partition, source__since=None)
    assert report.state == "done", report
    assert sorted(cut.credo.created()) == [f"Person{number}@Example.com" for number in (3, 4, 5, 6, 7)]
    assert [group for group, _ in cut.shopify.asked] == ["1", "2", "30", "4"]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 1_000])
async def test_ranges_reach_up_to_the_highest_key_and_not_much_further(count: int) -> None:
    asked = []

    class Asked:
        records: list[bytes]

        def __init__(self, found: bool) -> None:
            self.records = [b"{}"] if found else []

    class Session:
        async def page(self, operation: object, *, params: dict[str, int]) -> Asked:
            asked.append(params["id_min"])
            return Asked(params["id_min"] <= count)

    stream = replace(CUSTOMERS, source=replace(CUSTOMERS.source, partition=RANGES))

    async def none() -> list[str]:
        return []

    keys = await keys_of(stream, Session(), {}, 0.0, none)  # type: ignore[arg-type]
    assert len(keys) == count // 100 + 1
    assert part_of(stream, keys[-1], None, None).params == {"id_min": count // 100 * 100}
    assert len(asked) <= 12


def test_windows_have_an_end_but_the_last(tmp_path: Path) -> None:
    stream = replace(CUSTOMERS, source=replace(CUSTOMERS.source, partition=WINDOWS))
    part = part_of(stream, "2024-01-01T00:00:00Z", "2024-01-31T00:00:00Z", None)
    assert part.params == {"created_at_min": "2024-01-01T00:00:00Z", "created_at_max": "2024-01-31T00:00:00Z"}
    assert part_of(stream, "2024-01-31T00:00:00Z", None, None).params == {"created_at_min": "2024-01-31T00:00:00Z"}

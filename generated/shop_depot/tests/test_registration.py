"""Webhooks at the source: those that this package wants are asked for below its public URL, each once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Bench, serving
from tests.mocks.places import at, put
from tests.package import INTEGRATION, MODULE, runtime

URL = "https://hooks.example.com"
MOVED = "https://elsewhere.example.com/sync"
WEBHOOKS = [webhook for webhook in INTEGRATION.webhooks if webhook.register is not None]
LISTED = [webhook for webhook in WEBHOOKS if webhook.register.list is not None]
pytestmark = pytest.mark.skipif(
    not LISTED, reason="this package registers no webhooks, or its source does not list them"
)


def wanted(url: str = URL) -> list[tuple[tuple[str, ...], str]]:
    """The topics of each registration and the URL that it is for."""
    return [(each.topics, each.url) for each in runtime("registration").wanted(INTEGRATION.webhooks, url)]


def collections(bench: Bench) -> list[Any]:
    """Where the source keeps registrations."""
    forms = [bench.source.form.operation(webhook.register.operation.id) for webhook in WEBHOOKS]
    return [bench.source.store.collections[name] for name in {str(form.collection) for form in forms}]


def kept(bench: Bench) -> list[Any]:
    """The registrations that the source keeps, in the order they came."""
    return [stored.record for collection in collections(bench) for stored in collection]


def urls(bench: Bench) -> list[str]:
    """Where each registration delivers to."""
    return [str(at(record, LISTED[0].register.url)) for record in kept(bench)]


async def told(bench: Bench, act: str, url: str = URL) -> list[str]:
    """Carry out `webhooks list` or `webhooks register`; what it says of each registration."""
    async with bench.opened() as ready:
        return [each.state for each in await getattr(runtime("registration"), act)(ready, url)]


def creations(bench: Bench) -> int:
    return bench.source.counts().get(WEBHOOKS[0].register.operation.id, 0)


async def test_registered_again_nothing_is_made_twice(tmp_path: Path) -> None:
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        count = len(wanted())
        assert await told(bench, "registrations") == ["missing"] * count
        assert creations(bench) == 0
        assert await told(bench, "register") == ["made"] * count
        assert sorted(urls(bench)) == sorted(url for _, url in wanted())
        before = kept(bench)

        assert await told(bench, "register") == ["there"] * count
        assert await told(bench, "registrations") == ["there"] * count
        assert (kept(bench), creations(bench)) == (before, count)


async def test_each_is_asked_for_below_the_public_url_as_the_description_has_it(tmp_path: Path) -> None:
    """The mock checks every body against its schema."""
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        await told(bench, "register", f"{URL}/")
        assert {status for name, status in bench.source.requests if not name.startswith("GET ")} <= {200, 201, 202}
        for url in urls(bench):
            assert url.startswith(f"{URL}/webhooks/")
        if LISTED[0].register.topic is not None:
            found = [at(record, LISTED[0].register.topic) for record in kept(bench)]
            topics = {topic for each in found for topic in (each if isinstance(each, list) else [each])}
            assert topics == {topic for topics, _ in wanted() for topic in topics}


async def test_after_the_public_url_changed_they_are_made_for_the_new_one(tmp_path: Path) -> None:
    """What is there for another URL does not count, and stays."""
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        await told(bench, "register")
        before = urls(bench)
        count = len(wanted())

        assert await told(bench, "registrations", MOVED) == ["missing"] * count
        assert await told(bench, "register", MOVED) == ["made"] * count
        assert await told(bench, "register", MOVED) == ["there"] * count
        assert sorted(urls(bench)) == sorted([*before, *(url for _, url in wanted(MOVED))])
        assert await told(bench, "registrations") == ["there"] * count


async def test_those_on_later_pages_are_found(tmp_path: Path) -> None:
    """An app may have more webhooks than a page holds; ours are the last."""
    if LISTED[0].register.list.paging.style == "none":
        pytest.skip("the source lists its webhooks at once")
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        await told(bench, "register")
        bench.source.page_cap = 1

        assert await told(bench, "register") == ["there"] * len(wanted())
        assert creations(bench) == len(wanted())


async def test_answer_that_is_lost_makes_no_second_one(tmp_path: Path) -> None:
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        id = WEBHOOKS[0].register.operation.id
        bench.source.faults.add("truncate", operation=id, after_effect=True)

        assert await told(bench, "register") == ["made"] * len(wanted())
        assert sorted(urls(bench)) == sorted(url for _, url in wanted())


async def test_one_that_is_gone_is_made_again(tmp_path: Path) -> None:
    """Vendors remove a webhook whose deliveries nobody took for long."""
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        await told(bench, "register")
        collection = collections(bench)[0]
        collection.delete(collection.ids()[0])

        assert sorted(await told(bench, "register")) == sorted(["made"] + ["there"] * (len(wanted()) - 1))
        assert sorted(urls(bench)) == sorted(url for _, url in wanted())


async def test_those_of_others_stay_as_they_are(tmp_path: Path) -> None:
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        await told(bench, "register")
        register = LISTED[0].register
        collection = collections(bench)[0]
        foreign = put(kept(bench)[0], register.url, "https://others.example.com/hook")
        foreign.pop(str(collection.form.identity[0]))
        collection.clear()
        collection.add(foreign)

        assert await told(bench, "register") == ["made"] * len(wanted())
        assert urls(bench).count("https://others.example.com/hook") == 1


async def test_unregistered_only_its_own_below_that_url_are_removed(tmp_path: Path) -> None:
    """Of the URL of before, so that nothing is delivered there any more; those for the new one stay. Twice is once."""
    if any(webhook.register.delete is None for webhook in WEBHOOKS):
        pytest.skip("no operation of the source removes webhooks")
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:
        for url in (URL, MOVED):
            await told(bench, "register", url)
        register = LISTED[0].register
        foreign = put(kept(bench)[0], register.url, f"{URL}/webhooks/of-others")
        foreign.pop(str(register.identity[0]))
        collections(bench)[0].add(foreign)

        count = len(wanted())
        assert await told(bench, "unregister") == ["removed"] * count
        assert sorted(urls(bench)) == sorted([f"{URL}/webhooks/of-others", *(url for _, url in wanted(MOVED))])
        assert await told(bench, "unregister") == ["missing"] * count
        assert await told(bench, "registrations", MOVED) == ["there"] * count


async def test_command_tells_what_it_did(tmp_path: Path) -> None:
    async with serving(WEBHOOKS[0].stream, tmp_path, count=3, parents=False) as bench:

        async def command(*arguments: str, **environ: str) -> tuple[int | None, bytes, bytes]:
            work = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE, "webhooks", *arguments),
                env={**os.environ, **bench.environ, **environ},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await work.communicate()
            return work.returncode, out, err

        code, _, said = await command("register", PUBLIC_URL="")
        assert (code, b"PUBLIC_URL" in said, creations(bench)) == (1, True, 0), said
        for expected in ("made", "there"):
            code, out, said = await command("register", "--json", PUBLIC_URL=URL)
            assert code == 0, said
            found = [(tuple(each["topics"]), each["url"], each["state"]) for each in json.loads(out)]
            assert found == [(topics, url, expected) for topics, url in wanted()]

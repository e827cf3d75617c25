"""Promises about references between streams: translated through links; a record whose parent is missing waits, has it fetched, or dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtime.declare import Operation, Parameter, Stream
from runtime.engine import Engine, RunReport, RunRequest
from runtime.http.session import Session, open_api
from runtime.links import linked
from runtime.settings import resolve_settings
from tests.runtime.engine.conftest import World
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION
from tests.runtime.sample.models.credo_contact import Contact
from tests.runtime.sample.models.shopify_customer import Customer

# Two streams over one pair of fakes: people, and the notes about them. A note's `phone` names the person.
BASE = replace(CUSTOMERS, destination=replace(CUSTOMERS.destination, batch=None), match=(), adopt="never")


def to_note(src: Customer) -> Contact:
    return replace_last(CUSTOMERS.map(src), linked(src.phone, stream="people"))


def replace_last(contact: Contact, last: Any) -> Contact:
    contact.last_name = last
    return contact


def operation(of: Operation, path: str) -> Operation:
    return replace(of, id=f"{of.method} {path}", path=path)


PEOPLE: Stream[Any, Any] = replace(BASE, name="people")
NOTES: Stream[Any, Any] = replace(
    BASE,
    name="notes",
    map=to_note,
    lookups=("people",),
    source=replace(
        BASE.source,
        list=operation(BASE.source.list, "/notes/customers.json"),
        get=replace(
            operation(BASE.source.list, "/notes/customers/{id}.json"),
            record=("customer",),
            records=None,
            parameters=(Parameter(argument="id", name="id", location="path", style="simple", required=True),),
        ),
    ),
)


class Both(World):
    """Notes come from a Shopify of their own, behind the same address."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.notes = Shopify()
        self.parents = "wait"
        self.people = PEOPLE

    def source(self, request: httpx.Request) -> httpx.Response:
        self.notes.now_s = self.shopify.now_s = max(self.notes.now_s, self.shopify.now_s)
        return (self.notes if "/notes/" in request.url.path else self.shopify)(request)

    def engine(self, **changes: Any) -> Engine:
        notes = replace(NOTES, parents=self.parents, **changes)  # type: ignore[arg-type]
        integration = replace(INTEGRATION, streams=(self.people, notes))
        settings = resolve_settings(integration, self.environ)

        def session(api: Any, fake: Callable[[httpx.Request], httpx.Response]) -> Session:
            return open_api(api, settings, transport=httpx.MockTransport(fake), clock=self.clock)

        return Engine(
            integration,
            source=session(integration.source, self.source),
            destination=session(integration.destination, self.credo),
            state=self.state,
            settings=settings,
            clock=self.clock,
            ids=lambda: next(self.ids),
            holder="me",
        )

    async def run(self, stream: str, **request: Any) -> RunReport:
        self.clock.moment = max(self.clock.moment, self.shopify.now_s, self.notes.now_s) + 10
        report = await self.engine().run(RunRequest(stream=stream, **request))
        report.counts.check()
        return report

    def called(self, number: int) -> str:
        """What the person of this number is called at the destination."""
        [identity] = [name for name, c in self.credo.contacts.items() if c["email"] == f"Person{number}@Example.com"]
        return identity

    def note(self, number: int) -> dict[str, Any]:
        [found] = [c for c in self.credo.contacts.values() if c["email"] == f"note{number}@example.com"]
        return found

    def write(self, number: int, person: int | None, **fields: Any) -> None:
        phone = None if person is None else str(person)
        self.notes.put(number, email=f"note{number}@example.com", phone=phone, **fields)

    def held(self) -> dict[str, Any]:
        return self.state.store.lifecycle.held("notes")


def emptied(credo: Credo) -> Callable[[httpx.Request], httpx.Response | None]:
    """Creations are carried out, and answered with nothing."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        credo.fail.remove(answer)
        response = credo(request)
        credo.fail.append(answer)
        return httpx.Response(204) if response.is_success else response

    return answer


@pytest.fixture
def both(tmp_path: Any) -> Any:
    both = Both(f"sqlite:///{tmp_path / 'state.db'}")
    yield both
    both.state.close()


async def test_reference_becomes_what_the_parent_is_called_there(both: Both) -> None:
    both.shopify.put(1)
    both.shopify.put(2)
    both.write(10, 2)
    both.write(11, 2)
    both.write(12, 1)
    await both.run("people")
    report = await both.run("notes")
    assert (report.counts.created, report.counts.held) == (3, 0)
    assert both.note(10)["last_name"] == both.note(11)["last_name"] == both.called(2)
    assert both.note(12)["last_name"] == both.called(1)
    assert (await both.run("notes", resync=True)).counts.unchanged == 3


@pytest.mark.parametrize("parents", ["wait", "fetch"])
async def test_parent_that_nobody_learnt_the_name_of_is_looked_up_when_it_is_read_again(
    both: Both, parents: str
) -> None:
    """The answer to its creation was empty. It has not changed since, and its children go once its name is known."""
    both.parents = parents
    both.people = replace(PEOPLE, match=CUSTOMERS.match)
    both.credo.fail.append(emptied(both.credo))
    both.shopify.put(1)
    both.shopify.put(2)
    await both.run("people")
    both.credo.fail.clear()
    both.write(10, 1)
    if parents == "wait":
        assert (await both.run("notes")).counts.held == 1
        report = await both.run("people", resync=True)
        assert (report.counts.unchanged, report.counts.written) == (2, 0)
    else:
        assert (await both.run("notes")).counts.created == 1
    assert both.note(10)["last_name"] == both.called(1)
    assert both.held() == {}
    before = len(both.credo.requests)
    await both.run("people", resync=True)
    await both.run("people", resync=True)
    assert len(both.credo.requests) - before <= 1  # what is known is not asked for again


async def test_reference_to_nobody_stays_null(both: Both) -> None:
    both.write(10, None)
    report = await both.run("notes")
    assert (report.state, report.counts.created, both.note(10)["last_name"]) == ("done", 1, None)


async def test_record_waits_for_its_parent_and_goes_when_that_is_there(both: Both) -> None:
    """Held, not lost: its own list need not bring it again."""
    both.shopify.put(1)
    await both.run("people")
    both.write(10, 1)
    both.write(11, 7)
    report = await both.run("notes")
    assert (report.state, report.exit_code) == ("partial", 3)
    assert (report.counts.read, report.counts.created, report.counts.held) == (2, 1, 1)
    assert both.held()["people"]["records"] == 1
    both.notes.customers.clear()
    both.crash()
    both.shopify.put(7)
    await both.run("people")
    assert both.note(11)["last_name"] == both.called(7)
    assert both.held() == {}
    [run] = both.state.runs.latest("notes", limit=1)
    assert (run["trigger"], run["created"], run["held"]) == ("parent", 1, 0)


async def test_record_that_changes_while_it_waits_goes_as_it_is_last(both: Both) -> None:
    both.write(11, 7, first_name="Old")
    await both.run("notes")
    both.write(11, 7, first_name="New")
    await both.run("notes")
    both.shopify.put(7)
    await both.run("people")
    assert both.note(11)["first_name"] == "New"
    assert [kind for kind, email in both.credo.effects if email == "note11@example.com"] == ["create"]


async def test_record_whose_reference_is_mended_waits_no_more(both: Both) -> None:
    both.shopify.put(1)
    await both.run("people")
    both.write(11, 7)
    await both.run("notes")
    both.write(11, 1)
    await both.run("notes")
    assert both.held() == {}
    both.shopify.put(7)
    await both.run("people")
    assert both.note(11)["last_name"] == both.called(1)


async def test_held_records_are_taken_along_by_their_own_stream(both: Both) -> None:
    """When nobody woke them: the process ended between the two."""
    both.write(11, 7)
    await both.run("notes")
    both.shopify.put(7)
    both.state.store.lifecycle.waits_for = lambda name: []  # type: ignore[method-assign]
    await both.run("people")
    report = await both.run("notes")
    assert (report.counts.created, both.held()) == (1, {})


async def test_parent_is_fetched_first(both: Both) -> None:
    """By name, once for all that refer to it, though no run of its stream ever took place."""
    both.parents = "fetch"
    for number in (1, 2, 3):
        both.shopify.put(number)
    both.write(10, 2)
    both.write(11, 2)
    report = await both.run("notes")
    assert (report.state, report.counts.created, report.counts.held) == ("done", 2, 0)
    assert both.note(10)["last_name"] == both.called(2)
    assert [c["email"] for c in both.credo.contacts.values() if "Person" in c["email"]] == ["Person2@Example.com"]
    [run] = both.state.runs.latest("people")
    assert (run["trigger"], run["kind"], run["created"]) == ("child", "ids", 1)
    assert (await both.run("people")).counts.created == 2


async def test_parent_that_cannot_be_fetched_is_waited_for(both: Both) -> None:
    both.parents = "fetch"
    both.write(10, 9)
    both.write(11, 9)
    report = await both.run("notes")
    assert (report.counts.held, report.counts.created) == (2, 0)
    asked = [request for request in both.shopify.requests if request.url.path.endswith("/9.json")]
    assert len(asked) == 1


async def test_orphan_is_a_dead_letter_where_that_is_declared(both: Both) -> None:
    both.parents = "dead"
    both.write(10, 9)
    report = await both.run("notes")
    assert (report.counts.dead, report.counts.held) == (1, 0)
    [letter] = both.state.dead_letters.latest("notes")
    assert (letter["stage"], letter["source_id"]) == ("match", "10")
    assert "`people`" in letter["reason"]
    both.shopify.put(9)
    await both.run("people")
    assert (await both.run("notes", resync=True)).counts.created == 1
    assert both.state.dead_letters.open_count("notes") == 0


async def test_dry_run_fetches_and_holds_nothing(both: Both) -> None:
    both.parents = "fetch"
    both.shopify.put(2)
    both.write(10, 2)
    report = await both.run("notes", dry_run=True)
    assert (report.counts.held, both.credo.contacts, both.held()) == (1, {}, {})
    assert [entry["action"] for entry in report.sample] == ["held"]


async def test_crash_between_holding_and_the_checkpoint_loses_nothing(both: Both) -> None:
    """The hold is in the transaction that moves the cursor."""
    both.notes.page_size = 1
    both.write(10, 7)
    both.write(11, 8)

    def fails(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(500) if "page_info" in request.url.params else None

    both.notes.fail.append(fails)
    assert (await both.run("notes")).state == "failed"
    both.crash()
    both.notes.fail.clear()
    both.notes.customers.pop(10)
    await both.run("notes")
    both.shopify.put(7)
    both.shopify.put(8)
    await both.run("people")
    assert both.note(10)["last_name"] == both.called(7)
    assert both.note(11)["last_name"] == both.called(8)


async def test_reference_to_a_duplicate_leads_to_what_the_first_was_written_to(both: Both) -> None:
    """Two customers with one address are one contact; notes about either are about that."""
    people = replace(PEOPLE, match=CUSTOMERS.match, adopt="on_conflict", duplicates="first")
    both.people = people
    both.shopify.put(1)
    both.shopify.put(2, email="person1@EXAMPLE.com ")
    both.shopify.put(3)
    both.write(10, 2)
    report = await both.run("people")
    assert (report.counts.created, report.counts.skipped) == (2, 1)
    assert (await both.run("notes")).counts.created == 1
    assert both.note(10)["last_name"] == both.called(1)
    both.shopify.put(2, email="Person2@Example.com")
    both.write(10, 2, first_name="again")
    assert (await both.run("people")).counts.created == 1
    await both.run("notes")
    assert both.note(10)["last_name"] == both.called(2)


async def test_record_that_waits_for_a_duplicate_is_woken_by_the_first(both: Both) -> None:
    both.people = replace(PEOPLE, match=CUSTOMERS.match, adopt="on_conflict", duplicates="first")
    both.write(10, 2)
    assert (await both.run("notes")).counts.held == 1
    both.shopify.put(1)
    both.shopify.put(2, email="person1@EXAMPLE.com ")
    await both.run("people")
    assert both.note(10)["last_name"] == both.called(1)

"""`vitesse.plan`: streams that delete, that refer to one another, and that update in batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.plan.integrations import CUSTOMERS, inputs_for, manifest_for, rules_text
from vitesse.api.facts import ApiFacts, BatchResults, Fact
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import Batch, Deletes, Manifest
from vitesse.plan.build import build_plan
from vitesse.plan.model import Plan


def codes(caught: Any) -> list[str]:
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def manifest(**changes: Any) -> Manifest:
    """One stream, some of its members changed."""
    given = manifest_for()
    stream = given.streams[CUSTOMERS].model_copy(update=changes)
    return given.model_copy(update={"streams": {CUSTOMERS: stream}})


def two(lookup: str, *, first: tuple[str, ...] = ()) -> Plan:
    """Orders that refer to records of the stream `lookup`, and customers that come after `first`; the orders stand first."""
    given = manifest(after=first)
    orders = given.streams[CUSTOMERS].model_copy(update={"after": ()})
    streams = {"orders": orders, CUSTOMERS: given.streams[CUSTOMERS]}
    plain = inputs_for()
    rule = f"  phones[].number: {{from: nickname, transform: lookup, with: {{stream: {lookup}}}}}\n"
    referring = inputs_for(rules=rules_text(rule)).rules[CUSTOMERS]
    return build_plan(
        replace(
            plain,
            manifest=given.model_copy(update={"streams": streams}),
            rules={"orders": referring, CUSTOMERS: plain.rules[CUSTOMERS]},
        )
    )


def test_lookup_follows_the_other_streams_links_and_its_stream_comes_after_it():
    """The mapper calls one function of the runtime, the stream says whose links it needs, and the order follows."""
    plan = two(CUSTOMERS)
    assert [stream.name for stream in plan.streams] == [CUSTOMERS, "orders"]
    orders = plan.streams[1]
    assert (orders.lookups, orders.parents) == ((CUSTOMERS,), "wait")
    mapper = next(mapper for mapper in plan.mappers if mapper.module == orders.mapper_module)
    assert ("_runtime.links", "linked") in {(each.module, each.name) for each in mapper.imports}


def test_lookup_in_a_stream_that_is_not_there_names_those_that_are():
    """V424: a link of nothing would hold every record for ever."""
    with pytest.raises(DiagnosticError) as caught:
        two("people")
    assert codes(caught) == ["V424"]
    assert "orders, customers" in str(caught.value.diagnostics[0].help)


def test_streams_that_wait_for_one_another_are_named_as_a_circle():
    """V513: no order keeps it."""
    with pytest.raises(DiagnosticError) as caught:
        two(CUSTOMERS, first=("orders",))
    assert codes(caught) == ["V513"]
    assert "`orders` → `customers` → `orders`" in caught.value.diagnostics[0].message


def test_deletes_know_a_record_by_its_raw_identity():
    deletes = Deletes(mode="soft", set={"town": "gone"}, brake=0.2, every="6 hours")
    [stream] = build_plan(inputs_for(manifest(deletes=deletes))).streams
    assert stream.deletes is not None
    assert (stream.deletes.identity, stream.deletes.set) == (("id",), ((("town",), "gone"),))
    assert (stream.deletes.brake, stream.deletes.every_s, stream.deletes.found_by) == (0.2, 21_600, "reconciliation")


@pytest.mark.parametrize(
    "deletes",
    [
        Deletes(mode="soft", set={"nowhere": "gone"}),
        Deletes(mode="soft", set={"town": "gone"}, tombstone="deleted_at"),
    ],
    ids=["set", "tombstone"],
)
def test_deletes_that_name_what_is_not_there_are_refused(deletes: Deletes):
    """V514: a run would find that out with the first record that is gone."""
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest(deletes=deletes)))
    assert codes(caught) == ["V514"]


def test_soft_delete_by_an_update_that_asks_for_more_is_refused():
    """V514: the vendor would refuse every one of them."""
    given = manifest().streams[CUSTOMERS].destination
    deletes = Deletes(mode="soft", set={"town": "gone"})
    destination = given.model_copy(update={"update_is": "merge"})
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest(destination=destination, deletes=deletes)))
    assert codes(caught) == ["V514"]
    assert "requires `email`" in caught.value.diagnostics[0].message


def _updating(items: str, **changes: Any) -> Plan:
    given = manifest().streams[CUSTOMERS].destination
    many = Batch(operation="POST /persons/batch")
    destination = given.model_copy(update={"batch_update": many, **changes})
    inputs = inputs_for(manifest(destination=destination))
    fact = Fact(kind="batch", value=BatchResults(items=items, results=""), confidence=1.0)
    known = {**inputs.destination_facts.operations, "POST /persons/batch": {"batch": fact}}
    return build_plan(replace(inputs, destination_facts=ApiFacts(api="crm", operations=known)))


def test_batch_of_updates_where_the_stream_replaces_records_is_refused():
    """V515: each record would have to be read first, one by one."""
    with pytest.raises(DiagnosticError) as caught:
        _updating("phones")
    assert codes(caught) == ["V515"]
    assert "cannot replace" in caught.value.diagnostics[0].message


def test_batch_of_updates_whose_items_cannot_name_their_record_is_refused():
    """V515: a phone has no `id`."""
    with pytest.raises(DiagnosticError) as caught:
        _updating("phones", update_is="merge")
    assert codes(caught) == ["V515"]
    assert "has no `id`" in caught.value.diagnostics[0].message

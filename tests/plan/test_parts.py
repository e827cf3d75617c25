"""`vitesse.plan`: streams whose pass is cut into parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.plan.integrations import CUSTOMERS, inputs_for, manifest_for
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import Deletes, Manifest, Partition
from vitesse.plan.build import build_plan
from vitesse.plan.model import PartitionPlan


def manifest(partition: dict[str, Any], **changes: Any) -> Manifest:
    """One stream whose source is cut so."""
    given = manifest_for()
    stream = given.streams[CUSTOMERS]
    source = stream.source.model_copy(update={"partition": Partition.model_validate(partition)})
    stream = stream.model_copy(update={"source": source, **changes})
    return given.model_copy(update={"streams": {CUSTOMERS: stream}})


def planned(partition: dict[str, Any], **changes: Any) -> PartitionPlan | None:
    plan = build_plan(replace(inputs_for(), manifest=manifest(partition, **changes)))
    return plan.streams[0].source.partition


def refused(partition: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        planned(partition, **changes)
    return [(each.code, each.message) for each in caught.value.diagnostics]


WINDOW = {"by": "window", "from": "changed_after", "size": "30 days", "start": "2015-01-01"}


def test_a_window_has_its_size_in_seconds_and_its_parameters_are_sent():
    """The list's operation declares what bounds a part."""
    found = planned(WINDOW)
    assert found == PartitionPlan(by="window", first="changed_after", size=30 * 86_400, start="2015-01-01")
    plan = build_plan(replace(inputs_for(), manifest=manifest(WINDOW)))
    source = plan.streams[0].source
    operation = next(each for each in plan.source.operations if each.constant == source.list)
    assert "changed_after" in {parameter.name for parameter in operation.parameters}


def test_a_parameter_that_the_list_does_not_take_is_refused_with_those_it_takes():
    """V530: the source does not allow it."""
    [(code, message)] = refused({**WINDOW, "from": "born_after"})
    assert code == "V530"
    assert "takes no parameter `born_after`" in message


def test_a_size_of_another_kind_is_refused():
    """V530: a window is a length of time, a range is a number."""
    assert refused({**WINDOW, "size": 30})[0][0] == "V530"
    assert refused({**WINDOW, "by": "range", "start": 0})[0][0] == "V530"
    assert "needs `size` and `start`" in refused({"by": "range", "from": "changed_after"})[0][1]


def test_a_parent_that_is_no_stream_is_refused():
    """V530: its records must have links."""
    [(code, message)] = refused({"by": "parent", "stream": "people", "parameter": "changed_after"})
    assert code == "V530"
    assert "there is no other stream `people`" in message


def test_deletes_by_reconciliation_need_one_piece():
    """V530: only a pass over everything knows what did not come."""
    [(code, message)] = refused(WINDOW, deletes=Deletes(mode="soft", set={"nickname": None}))
    assert code == "V530"
    assert "one piece" in message

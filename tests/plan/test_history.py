"""Promises of `rollback`, `mask` and `retention`: what the manifest says, the package declares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plan.integrations import CUSTOMERS, inputs_for, manifest_for
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import Manifest
from vitesse.plan.build import build_plan
from vitesse.plan.model import Plan, RetentionPlan
from vitesse.render import render_package
from vitesse.verify import expect, verify_package

TEMPLATE = Path(__file__).resolve().parents[2] / "runtime_template"


def planned(retention: dict[str, str] | None = None, **stream: Any) -> Plan:
    form = manifest_for().model_dump(mode="json", exclude_defaults=True)
    form["streams"][CUSTOMERS].update(stream)
    if retention is not None:
        form["retention"] = retention
    manifest = Manifest.model_validate_json(json.dumps(form))
    return build_plan(inputs_for(manifest))


def test_plan_without_a_word_keeps_the_defaults() -> None:
    """Nothing is kept that nobody asked for, and a package's text does not change."""
    plan = planned()
    [stream] = plan.streams
    assert (stream.rollback, stream.mask, stream.mask_destination, plan.retention) == (False, (), (), RetentionPlan())


def test_mask_names_source_fields_and_finds_what_rules_fill_from_them() -> None:
    """A field, what is inside one, and one in the members of a list; what holds a masked field is masked too."""
    [stream] = planned(mask=["address", "lines[].text"]).streams
    assert stream.mask == (("address",), ("lines", "text"))
    assert stream.mask_destination == (("town",),)
    [stream] = planned(mask=["email"]).streams
    assert stream.mask_destination == (("email",),)


def test_mask_of_a_field_that_is_not_there_is_refused() -> None:
    """It would hide nothing."""
    with pytest.raises(DiagnosticError) as refused:
        planned(mask=["email", "address.street"])
    [found] = refused.value.diagnostics
    assert (found.code, found.places[0].pointer) == ("V519", "#/streams/customers/mask/1")
    assert "`city`" in found.notes[0]


def test_package_declares_what_the_plan_says() -> None:
    """Through the renderer and its proof."""
    plan = planned({"history": "30 days", "deliveries": "36 hours"}, rollback=True, mask=["email"])
    package = render_package(plan, TEMPLATE)
    verify_package(package, expect(plan, TEMPLATE))
    app = next(file.content.decode() for file in package.files if file.path.endswith("/app.py"))
    assert "    rollback=True," in app
    assert '    mask=(("email",),),' in app
    assert '    mask_destination=(("email",),),' in app
    assert "retention=Retention(history_s=2592000, deliveries_s=129600)" in app

"""What is wrong in a schema that a stream uses stops the build; what is wrong elsewhere in the spec does not."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from tests.shared import REPOSITORY
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import LimitName
from vitesse.openapi.limits import Limits
from vitesse.pipeline import compile_integration


@pytest.fixture
def integration(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", tmp_path / "shopify_credo")
    shutil.copytree(REPOSITORY / "plugins", tmp_path / "plugins")
    return tmp_path / "shopify_credo"


def _damage(integration: Path, component: str) -> None:
    path = integration / "specs" / "credo.json"
    spec = json.loads(path.read_text(encoding="utf-8"))
    schema = spec["components"]["schemas"].setdefault(component, {"type": "object", "properties": {}})
    part = next((one for one in schema.get("allOf", []) if "properties" in one), schema)
    part["properties"]["broken"] = {"$ref": "#/components/schemas/Nowhere"}
    path.write_text(json.dumps(spec), encoding="utf-8")


def _compile(integration: Path) -> object:
    return compile_integration(integration, draft=True, plugin_folders=[REPOSITORY / "plugins"])


def test_fault_in_a_schema_that_is_used_stops_the_build(integration: Path):
    _damage(integration, "Contact")
    with pytest.raises(DiagnosticError) as caught:
        _compile(integration)
    (found,) = [one for one in caught.value.diagnostics if one.is_error]
    assert (found.code, found.places[0].file) == ("V112", "specs/credo.json")
    assert found.places[0].pointer.endswith("/properties/broken/$ref")


def test_fault_in_a_schema_that_nothing_uses_does_not(integration: Path):
    _damage(integration, "Unused")
    assert _compile(integration)


def test_fault_in_a_schema_is_named_beside_a_rule_that_fails_for_another_reason(integration: Path):
    """One build shows all that has to be corrected: the spec's fault may be why the rule does not hold."""
    _damage(integration, "ContactInput")
    mapping = integration / "mappings" / "customers.yaml"
    mapping.write_text(mapping.read_text().replace("from: last_name", "from: surname"))
    with pytest.raises(DiagnosticError) as caught:
        _compile(integration)
    assert {one.code for one in caught.value.diagnostics if one.is_error} == {"V112", "V411"}


def test_limit_that_the_manifest_raises_lets_the_description_pass(integration: Path):
    """V105 says which one is in the way; who trusts the vendor sets it in the manifest."""
    manifest = integration / "integration.yaml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("  api: credo\n", "  api: credo\n  limits: {nodes: 50}\n"), encoding="utf-8")
    with pytest.raises(DiagnosticError) as caught:
        _compile(integration)
    (found,) = caught.value.diagnostics
    assert (found.code, "`nodes` is 50" in found.message) == ("V105", True)
    assert "`nodes` under the system's `limits`" in (found.help or "")
    manifest.write_text(text.replace("  api: credo\n", "  api: credo\n  limits: {nodes: 5000}\n"), encoding="utf-8")
    assert _compile(integration)


def test_every_limit_can_be_set_in_the_manifest():
    """And nothing else can: a slip in the name is found."""
    assert set(get_args(LimitName)) == {limit.name for limit in fields(Limits)}

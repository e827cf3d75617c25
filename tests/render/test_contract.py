"""The plan and the runtime's declarations: what the one can say, the other has, under the same names and defaults."""

from __future__ import annotations

import ast
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from runtime import declare
from vitesse import hooks
from vitesse.plan import model
from vitesse.plan.build import CONTRACT
from vitesse.verify import declarations

PAIRS: list[tuple[type, type, set[str]]] = [
    (model.PagingPlan, declare.Paging, set()),
    (model.SuccessPlan, declare.Success, set()),
    (model.RateLimitPlan, declare.RateLimit, set()),
    (model.SincePlan, declare.Since, set()),
    (model.FindPlan, declare.Find, set()),
    (model.BatchPlan, declare.Batch, set()),
    (model.SignaturePlan, declare.SignatureScheme, set()),
    (model.WebhookPlan, declare.Webhook, set()),
    (model.MatchPlan, declare.Match, set()),
    (model.ParameterPlan, declare.Parameter, {"type"}),
    (model.FixedPlan, declare.Fixed, set()),
    (
        model.OperationPlan,
        declare.Operation,
        {"constant", "method_name", "body_type", "result", "result_type"},
    ),
    (model.SourcePlan, declare.Source, {"model", "model_module"}),
    (model.DestinationPlan, declare.Destination, {"model", "model_module"}),
    (model.StreamPlan, declare.Stream, {"constant", "mapper_module", "mapper_function"}),
    (model.ApiPlan, declare.Api, {"module", "constant", "client", "operations"}),
]
LATER = {
    "Api": {"retry_statuses"},
    "Source": {"record"},
    "Destination": {"body"},
    "Operation": {"api"},
    "Stream": {"map"},
}
"""Members that the renderer fills from elsewhere in the plan, and the one that stays at its default."""


def _default(field: Any) -> object:
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return {f.name: getattr(value, f.name) for f in fields(value)} if hasattr(value, "__dataclass_fields__") else value


@pytest.mark.parametrize(("planned", "declared", "own"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_plan_has_the_members_of_the_declaration(planned: type, declared: type, own: set[str]):
    """A member that one side lacks would be dropped in silence, and one whose default differs would change meaning."""
    here = {field.name: _default(field) for field in fields(planned) if field.name not in own}
    there = {field.name: _default(field) for field in fields(declared)}
    for name in LATER.get(declared.__name__, ()):
        there.pop(name)
    assert set(here) == set(there)
    differing = {
        name
        for name in here
        if name in there and MISSING not in (here[name], there[name]) and here[name] != there[name]
    }
    assert differing <= {"mapping_digest"}


def test_plan_is_made_for_the_contract_of_the_runtime():
    assert CONTRACT == declare.CONTRACT


def test_what_derived_code_may_call_is_declared():
    for name in set().union(*declarations._CALLS.values()):
        assert hasattr(declare, name)


def test_templates_import_from_the_runtime_only_what_it_has(folder: Path):
    """mypy proves it too; this says which name, in a moment."""
    source = folder / "src" / "shopify_credo"
    for path in [*source.glob("*.py"), *source.glob("clients/*.py"), *source.glob("models/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("_runtime."):
                runtime = source / f"{(node.module or '').replace('.', '/')}.py"
                names = {n.id for n in ast.walk(ast.parse(runtime.read_text())) if isinstance(n, ast.Name)}
                tree = ast.parse(runtime.read_text()).body
                names |= {n.name for n in tree if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}
                names |= {a.name for n in tree if isinstance(n, ast.ImportFrom) for a in n.names}
                assert {alias.name for alias in node.names} <= names, (path.name, node.module)


def test_plugins_preset_has_every_member_of_the_plan():
    """The pipeline takes a preset member by member."""
    planned = {field.name: field.default for field in fields(model.SignaturePlan)}
    assert {field.name: field.default for field in fields(hooks.SignaturePreset) if field.name != "name"} == planned

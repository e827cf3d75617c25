"""The dashboard and the alert rules: only metrics that the runtime has, with labels they have, in the forms that are read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runtime.watch.metrics import FAMILIES
from tests.shared import REPOSITORY
from vitesse.plan.monitoring import plan_monitoring
from vitesse.yaml import read_yaml

PLAN = plan_monitoring("shop-crm")
_METRIC = re.compile(r"vitesse_[a-z_0-9]+")
_SELECTOR = re.compile(r"(vitesse_[a-z_0-9]+)\{([^}]*)\}")
_GROUPED = re.compile(r"by \(([^)]*)\)")
_LASTING = re.compile(r"[0-9]+[smhd]")
_OF_PROMETHEUS = {"instance", "job", "le", "integration"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in PLAN.dashboard["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    return [rule for group in PLAN.alert_rules["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]] + [rule["expr"] for rule in rules()]


def family_of(name: str) -> str:
    return name if name in FAMILIES else re.sub(r"_(bucket|count|sum)$", "", name)


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_that_is_asked_for_is_one_of_the_runtimes(expression: str):
    """By its name, with labels that it has; counters are asked for their growth only."""
    names = _METRIC.findall(expression)
    assert names
    for name in names:
        assert family_of(name) in FAMILIES, name
    labels = {"integration", *(label for name in names for label in FAMILIES[family_of(name)].labels)}
    for name, selector in _SELECTOR.findall(expression):
        used = re.findall(r"([a-z_]+)=~?\"", selector)
        assert "integration" in used, "each integration looks at its own"
        assert set(used) <= {"integration", *FAMILIES[family_of(name)].labels}
    for grouped in _GROUPED.findall(expression):
        assert {name.strip() for name in grouped.split(",")} <= labels | _OF_PROMETHEUS
    for name in names:
        if FAMILIES[family_of(name)].kind in ("counter", "histogram"):
            assert re.search(rf"(rate|increase)\({name}\{{", expression), f"{name} grows for ever"
    assert expression.count("(") == expression.count(")")
    assert expression.count("{") == expression.count("}")
    assert "$i}" not in expression


def test_every_metric_of_the_runtime_is_on_the_dashboard():
    shown = {family_of(name) for expression in expressions() for name in _METRIC.findall(expression)}
    assert set(FAMILIES) - shown == set()


def test_legends_and_summaries_name_labels_that_are_there():
    for panel in panels():
        for target in panel["targets"]:
            names = _METRIC.findall(target["expr"])
            labels = {label for name in names for label in FAMILIES[family_of(name)].labels} | _OF_PROMETHEUS
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels
    for rule in rules():
        names = _METRIC.findall(rule["expr"])
        labels = {label for name in names for label in FAMILIES[family_of(name)].labels}
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels


def test_dashboard_has_the_form_that_grafana_reads():
    """Panels with ids of their own that do not lie on one another, and variables that are declared."""
    whole = PLAN.dashboard
    assert {"title", "uid", "panels", "templating", "schemaVersion", "time"} <= set(whole)
    assert len(whole["uid"]) <= 40
    ids = [panel["id"] for panel in whole["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in whole["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(0 <= x < 24 for x, _ in cells)
        taken |= cells
    variables = {variable["name"] for variable in whole["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(whole)))
    assert used <= variables
    for panel in panels():
        assert panel["targets"]
        assert [target["refId"] for target in panel["targets"]] == [chr(65 + n) for n in range(len(panel["targets"]))]


def test_alert_rules_have_the_form_that_prometheus_reads():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"[A-Za-z]\w*", rule["alert"])
        assert _LASTING.fullmatch(rule["for"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"].startswith("shop-crm: ")
        assert rule["annotations"]["description"].endswith((".", "?"))


@pytest.mark.parametrize("name", ["shopify_credo", "tracker_ledger"])
def test_package_has_both_files(name: str):
    """Of the committed examples, as the plan has them."""
    package: Path = REPOSITORY / "generated" / name
    made = plan_monitoring(name.replace("_", "-"))
    assert json.loads((package / "deploy/grafana/dashboard.json").read_text()) == made.dashboard
    assert read_yaml((package / "deploy/prometheus/alerts.yaml").read_text()) == made.alert_rules


def test_page_names_every_metric_with_its_labels_and_every_rule():
    """docs/operations.md is what people look a name up in."""
    page = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
    for family in FAMILIES.values():
        labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
        assert f"| `{family.name}` | {labels} | {family.help} |" in page
    for rule in rules():
        assert f"| `{rule['alert']}` |" in page
    assert set(re.findall(r"\| `(vitesse_\w+)`", page)) == set(FAMILIES)

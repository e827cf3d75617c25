"""The variables that a package's README and `.env.example` name are those that its runtime reads, with the runtime's own sentences."""

from __future__ import annotations

import ast
import re
from dataclasses import fields

from runtime.options import OPTIONS, Options
from tests.render.plans import plan
from tests.shared import REPOSITORY
from vitesse.render import docs

TEMPLATE = REPOSITORY / "runtime_template"
SKELETON = TEMPLATE / "skeleton" / "{{cookiecutter.distribution}}"
README = (SKELETON / "README.md").read_text("utf-8")
ENVIRONMENT = (SKELETON / ".env.example").read_text("utf-8")
SECRET = {each.metadata["env"] for each in fields(Options) if each.metadata["secret"]}

NOT_SET_BY_ANYBODY = {"COLUMNS", "NO_COLOR"}
"""What the runtime may look at although it is no setting."""


def as_given(default: str) -> str:
    """A default as one would write it into the environment."""
    return {"True": "true", "False": "false"}.get(default, default.removesuffix(".0"))


def test_readme_has_every_option_with_its_sentence_and_its_default():
    for one in OPTIONS:
        default = f"; `{as_given(one.default)}` when unset" if one.default else ""
        assert f"\n| `{one.env}` | {one.text}{default}{'; secret' if one.env in SECRET else ''} |\n" in README


def test_environment_example_has_every_option_with_its_sentence_and_its_default():
    for one in OPTIONS:
        assert f"\n# {one.text}\n# {one.env}={as_given(one.default)}\n" in ENVIRONMENT


def test_both_tell_of_every_variable_that_the_runtime_names():
    """Those of `Env("…")`, of `envvar=` and of `os.environ`, where the name is fixed."""
    found: set[str] = set()
    for path in (TEMPLATE / "runtime").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named: list[ast.expr] = []
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Env", "os.environ.get", "os.getenv"):
                named = node.args[:1]
            elif isinstance(node, ast.keyword) and node.arg == "envvar":
                named = [node.value]
            found |= {str(each.value) for each in named if isinstance(each, ast.Constant)}
    found |= {one.env for one in OPTIONS}
    assert {"CONTROL_TOKEN", "CONTROL_PORT", "PUBLIC_URL", "ALERT_WEBHOOK_URL"} <= found
    wanted = {name for name in found if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)} - NOT_SET_BY_ANYBODY
    assert set(re.findall(r"^\| `([A-Z0-9_]+)` \|", README, re.MULTILINE)) == wanted
    assert set(re.findall(r"^# ([A-Z0-9_]+)=", ENVIRONMENT, re.MULTILINE)) == wanted


def test_secret_of_a_webhook_is_required_for_the_webhook_alone():
    """`sync` runs without it."""
    lines = str(docs.settings(plan())).splitlines()
    assert "| `SHOPIFY_ACCESS_TOKEN` | required, secret |" in lines
    assert "| `SHOPIFY_WEBHOOK_SECRET` | required for webhooks, secret |" in lines
    assert "| `SHOPIFY_WEBHOOK_WORD` | required for webhooks, secret |" in lines

"""The plugin that plugins/README.md writes down is a plugin."""

from __future__ import annotations

import re
from pathlib import Path

from tests.shared import REPOSITORY
from vitesse.registry import load_registry


def test_the_readmes_plugin_loads_as_written(tmp_path: Path):
    page = (REPOSITORY / "plugins" / "README.md").read_text("utf-8")
    blocks = re.findall(r"```(?:toml|python)\n# (\S+)\n(.*?)```", page, re.DOTALL)
    assert [name for name, _ in blocks] == [
        "pyproject.toml",
        "src/vitesse_acme/__init__.py",
        "src/vitesse_acme/vendored/numbers.py",
    ]
    for name, text in blocks:
        file = tmp_path / "plugins" / "vitesse_acme" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    registry = load_registry(["vitesse-acme"], tmp_path, folders=[tmp_path / "plugins"])
    assert str(registry.functions["acme_number"].inputs[0]) == "string | integer"
    assert registry.warnings == ()


def test_the_custom_page_shows_a_function_that_registers(tmp_path: Path):
    page = (REPOSITORY / "docs" / "custom-functions.md").read_text("utf-8")
    ((name, text),) = re.findall(r"```python\n# (\S+)\n(.*?)```", page, re.DOTALL)
    (tmp_path / "custom").mkdir()
    (tmp_path / name).write_text(text)
    assert str(load_registry([], tmp_path).functions["is_subscribed"].result) == "boolean"

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType

import pytest

from tests.shared import REPOSITORY


@pytest.fixture(scope="session")
def vendored() -> Callable[[str, str], ModuleType]:
    """Import one file that a plugin vendors, as a package would: alone, without the plugin."""

    def load(plugin: str, name: str) -> ModuleType:
        file = REPOSITORY / "plugins" / plugin / "src" / plugin / "vendored" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"vendored_{plugin}_{name}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load

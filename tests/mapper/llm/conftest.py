"""No key and no address of the machine that the tests run on."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def nothing_from_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("OPENAI_", "VITESSE_LLM_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)

from __future__ import annotations

import pytest

from vitesse.diagnostics.catalogue import TITLES


@pytest.fixture(autouse=True)
def codes_for_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes that only these tests know, so that no real code counts as tested here."""
    for code in ("T100", "T200", "T300"):
        monkeypatch.setitem(TITLES, code, f"title of {code}")

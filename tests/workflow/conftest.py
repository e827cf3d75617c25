"""What tests of the steps share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vitesse.cli.test import cache_folder


@pytest.fixture(scope="session")
def environments() -> Path:
    """Where clean environments are kept between runs, as `vitesse test` keeps them."""
    return cache_folder(os.environ)

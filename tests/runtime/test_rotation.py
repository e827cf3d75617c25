"""Secrets of webhooks in files: a new one counts without a restart, one that is taken out counts no more, and both are told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.rotation import Secrets
from runtime.settings import resolve_settings
from runtime.webhooks import Delivery, Refused, Verifier
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.sample.app import INTEGRATION

[WEBHOOK] = INTEGRATION.webhooks


def delivered(verifier: Verifier, secret: str) -> bool:
    """Whether a delivery that this secret signed is taken."""
    signature = base64.b64encode(hmac.new(secret.encode(), b"{}", hashlib.sha256).digest()).decode()
    headers = {"x-shopify-hmac-sha256": [signature], "x-shopify-webhook-id": ["1"]}
    try:
        verifier.verify(Delivery(body=b"{}", headers=headers), 0.0)
    except Refused:
        return False
    return True


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "secret"
    made.write_text("planted-old")
    return made


@pytest.fixture
def secrets(file: Path) -> Secrets:
    settings = resolve_settings(INTEGRATION, {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET_FILE": str(file)})
    return Secrets(replace(WEBHOOK), settings)


def write(file: Path, text: str, at: int) -> None:
    file.write_text(text)
    os.utime(file, (at, at))


def test_secret_is_replaced_without_a_restart(secrets: Secrets, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Old; old and new; new. Each change is logged, and no secret with it."""
    assert delivered(secrets.verifier(0.0), "planted-old")
    write(file, "planted-new planted-old", 1)
    assert not delivered(secrets.verifier(1.0), "planted-new"), "looked at every few seconds only"
    for secret in ("planted-old", "planted-new"):
        assert delivered(secrets.verifier(6.0), secret)
    write(file, "planted-new", 2)
    assert delivered(secrets.verifier(12.0), "planted-new")
    assert not delivered(secrets.verifier(12.0), "planted-old")
    assert "takes other secrets now: 2 of them" in caplog.text
    assert "takes other secrets now: 1 of them" in caplog.text
    assert "planted" not in caplog.text


def test_file_that_holds_nothing_for_a_moment_changes_nothing(secrets: Secrets, file: Path) -> None:
    write(file, "", 1)
    assert delivered(secrets.verifier(6.0), "planted-old")


def test_secret_from_the_environment_is_looked_at_once() -> None:
    settings = resolve_settings(INTEGRATION, {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "planted"})
    made = Secrets(WEBHOOK, settings)
    assert made.verifier(0.0) is made.verifier(100.0)

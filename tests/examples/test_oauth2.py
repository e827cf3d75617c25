"""An example whose APIs both sign in with OAuth2: compiled, and its own tests of fetched tokens run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S
from vitesse.workflow.build import build_integration

from .conftest import EXAMPLES

OWN = (
    "{kind: oauth2, grant: client_credentials, token_url: 'https://login.tracker.example/oauth/token',"
    " client_id: tracker-client, client_secret: {env: TRACKER_SECRET}, scopes: ['time.read', 'users.read']}"
)
REFRESHED = (
    "{kind: oauth2, token_url: /oauth/token, client_id: {env: LEDGER_CLIENT}, client_secret: {env: LEDGER_SECRET},"
    " refresh_token: {env: LEDGER_REFRESH}, client_auth: body}"
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("oauth2")
    folder = root / "tracker_ledger"
    shutil.copytree(EXAMPLES / "tracker_ledger", folder)
    manifest = folder / "integration.yaml"
    text = manifest.read_text()
    text = text.replace("{scheme: token, token: {env: TRACKER_TOKEN}}", OWN)
    text = text.replace(
        "{scheme: basic, username: {env: LEDGER_USERNAME}, password: {env: LEDGER_PASSWORD}}",
        REFRESHED.replace("client_auth: body}", "grant: refresh_token, client_auth: body}"),
    )
    manifest.write_text(text)
    build_integration(folder, root / "package", draft=False, discard=False)
    return root / "package"


def test_declarations_name_the_sign_in_and_no_secret(package: Path) -> None:
    text = (package / "src" / "tracker_ledger" / "clients" / "ledger.py").read_text()
    assert "auth=OAuth2(" in text
    assert 'client_secret=Env("LEDGER_SECRET", secret=True)' in text
    assert 'grant="refresh_token"' in text
    assert 'url_env="LEDGER_TOKEN_URL"' in text


def test_package_passes_its_own_tests_of_fetched_tokens(package: Path) -> None:
    """Both mocks give tokens, count them and refuse what was used."""
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_oauth.py"],
        cwd=package,
        env={**environ, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout

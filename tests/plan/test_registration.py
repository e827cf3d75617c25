"""`register` under a webhook, the whole way: manifest, package, its command, the vendor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.fakes import Credo
from tests.runtime.loopback import listening
from tests.runtime.test_registration import URL, Vendor
from tests.shared import REPOSITORY
from vitesse.cli.group import run

PATHS = """
  /webhooks.json:
    get:
      operationId: listWebhooks
      summary: List webhooks
      responses:
        "200":
          description: All webhooks of the app.
          content:
            application/json:
              schema:
                type: object
                properties:
                  webhooks:
                    type: array
                    items: {$ref: "#/components/schemas/WebhookSubscription"}
    post:
      operationId: createWebhook
      summary: Subscribe to a topic
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [webhook]
              properties:
                webhook: {$ref: "#/components/schemas/WebhookSubscription"}
      responses:
        "201":
          description: The webhook as stored.
          content:
            application/json:
              schema:
                type: object
                properties:
                  webhook: {$ref: "#/components/schemas/WebhookSubscription"}
"""
SCHEMA = """
    WebhookSubscription:
      type: object
      required: [topic, address]
      properties:
        id: {type: integer, readOnly: true}
        topic: {type: string}
        address: {type: string, format: uri}
        format: {type: string, enum: [json, xml]}
"""
REGISTER = """
    register:
      operation: POST /webhooks.json
      list: GET /webhooks.json
      body: {webhook.topic: "{topic}", webhook.address: "{url}", webhook.format: json}
      records: webhooks
      topic: topic
      url: address
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example, whose vendor registers webhooks by an operation."""
    target = tmp_path / "shopify_credo"
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", target)
    spec = target / "specs" / "shopify.yaml"
    text = spec.read_text("utf-8")
    text = text.replace("\n  /customers/search.json:", PATHS + "\n  /customers/search.json:", 1)
    text = text.replace("\n  schemas:\n", "\n  schemas:" + SCHEMA, 1)
    spec.write_text(text, "utf-8")
    return target


def register_in(folder: Path, text: str = REGISTER) -> None:
    manifest = folder / "integration.yaml"
    said = manifest.read_text("utf-8")
    at = "    secret: {env: SHOPIFY_WEBHOOK_SECRET}\n"
    manifest.write_text(said.replace(at, at + text.lstrip("\n"), 1), "utf-8")


def command(package: Path, environ: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "shopify_credo", "webhooks", *arguments, "--json"],
        cwd=package,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(package / "src"), **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_package_registers_what_its_manifest_says_and_only_once(folder: Path, tmp_path: Path) -> None:
    register_in(folder)
    package = tmp_path / "package"
    assert run(["build", str(folder), "--out", str(package)]) == 0
    [package] = [each.parent for each in package.rglob("pyproject.toml")]
    vendor = Vendor()
    with listening(vendor, Credo()) as urls:
        environ = {
            "SHOPIFY_SHOP": "shop",
            "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
            "SHOPIFY_WEBHOOK_SECRET": "hook_planted",
            "CREDO_API_KEY": "credo_planted",
            "SHOPIFY_BASE_URL": urls[0] + "/admin",
            "CREDO_BASE_URL": urls[1] + "/v1",
            "PUBLIC_URL": URL,
        }
        assert {each["state"] for each in command(package, environ, "list")} == {"missing"}
        assert {each["state"] for each in command(package, environ, "register")} == {"made"}
        assert {each["state"] for each in command(package, environ, "register")} == {"there"}
    assert [(hook["topic"], hook["address"], hook["format"]) for hook in vendor.hooks[1:]] == [
        (topic, f"{URL}/webhooks/{topic}", "json") for topic in ("customers/create", "customers/update")
    ]
    assert all(request.headers["x-shopify-access-token"] == "shpat_planted" for request in vendor.requests)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('    register: {operation: POST /webhooks.json, body: {webhook.topic: "{topic}"}}\n', "V008"),
        (
            '    register: {operation: POST /webhooks.json, list: GET /webhooks.json, body: {webhook.address: "{url}"}}\n',
            "V008",
        ),
        (
            '    register: {operation: POST /webhooks.json, body: {webhook.address: "{url}"}, '
            'delete: "DELETE /webhooks/{id}.json"}\n',
            "V008",
        ),
        (
            "    register: {operation: POST /webhooks.json, list: GET /webhooks.json, url: address, "
            'body: {webhook.address: "{url}"}, delete: DELETE /webhooks.json}\n',
            "V008",
        ),
        ('    register: {operation: POST /hooks, body: {address: "{url}"}}\n', "V219"),
    ],
)
def test_registration_that_cannot_be_is_refused(
    folder: Path, tmp_path: Path, text: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    register_in(folder, text)
    assert run(["build", str(folder), "--out", str(tmp_path / "package")]) == 1
    said = capsys.readouterr()
    assert code in said.out + said.err

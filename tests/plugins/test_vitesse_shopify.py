"""The Shopify plugin is found in the checkout, agrees with its files, knows its vendor, and can be installed."""

from __future__ import annotations

import base64
import hmac
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from vitesse.api.model import Api, Operation, Place, Server
from vitesse.hooks import ENTRY_POINTS, RateLimit, WebhookFact
from vitesse.registry import Registry, load_registry, vendor_facts

PROJECT = REPOSITORY / "plugins" / "vitesse_shopify"
_PLACE = Place(file="shopify.yaml", pointer="#")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("integration")
    return load_registry(["vitesse-shopify"], folder, folders=[REPOSITORY / "plugins"])


def test_the_checkouts_plugins_are_found_without_a_folder(tmp_path: Path):
    assert "parse_shopify_timestamp" in load_registry(["vitesse-shopify"], tmp_path).functions


def test_its_function_is_registered_with_options(registry: Registry):
    function = registry.functions["parse_shopify_timestamp"]
    assert function.module == "_plugins.vitesse_shopify.timestamps"
    assert [(option.name, option.default) for option in function.parameters] == [
        ("format", "iso8601"),
        ("timezone", "UTC"),
    ]


def test_the_webhook_scheme_says_how_a_delivery_is_signed(registry: Registry):
    """Carried out word by word, the scheme gives the signature that was worked out apart from it."""
    scheme = registry.signatures["shopify"]
    body = '{"id":7063120904331}'
    signed = hmac.digest(b"hush", scheme.content.format(body=body).encode(), scheme.algorithm)
    text = base64.b64encode(signed).decode() if scheme.encoding == "base64" else signed.hex()
    assert scheme.prefix + text == "qdt/9K4A3kIOog5DbNi9U146nwXR2dqFdEbovvOCRo8="
    assert (scheme.header, scheme.id_header) == ("X-Shopify-Hmac-Sha256", "X-Shopify-Webhook-Id")


def test_what_is_known_of_a_shop_goes_to_its_operations(registry: Registry):
    operations = tuple(
        Operation(id=id, method=id.split()[0], path=id.split()[1], place=_PLACE)
        for id in ("GET /customers.json", "PUT /customers/{id}.json")
    )
    shop = Api(
        title="A shop",
        version="1",
        spec_file="shopify.yaml",
        spec_version="3.1",
        servers=(Server(url="https://{shop}.myshopify.com/admin/api/2024-01", place=_PLACE),),
        operations=operations,
    )
    facts = {(operation, fact.kind): fact.value for operation, fact in vendor_facts(shop, registry)}
    limit = RateLimit(per_s=2, burst=40, used_header="X-Shopify-Shop-Api-Call-Limit")
    topics = ("customers/create", "customers/update", "customers/delete")
    assert facts == {
        ("GET /customers.json", "rate_limit"): limit,
        ("GET /customers.json", "webhooks"): WebhookFact(topics=topics, scheme="shopify"),
        ("PUT /customers/{id}.json", "rate_limit"): limit,
        ("PUT /customers/{id}.json", "update_is"): "merge",
    }


def test_the_project_states_what_the_plugin_states(registry: Registry):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    assert registry.plugins == ((project["name"], project["version"]),)
    assert project["entry-points"][ENTRY_POINTS] == {"vitesse-shopify": "vitesse_shopify:plugin"}


def test_its_licence_is_the_compilers():
    assert (PROJECT / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


@pytest.mark.slow
def test_a_wheel_brings_the_vendored_files(tmp_path: Path):
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(PROJECT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "vitesse_shopify/vendored/timestamps.py" in names
    assert "vitesse_shopify/py.typed" in names
    assert [name for name in names if name.endswith(".pyc")] == []

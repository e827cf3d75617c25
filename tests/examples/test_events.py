"""An example whose webhooks deliver as HubSpot, Xero, Meta (with its handshake) and Twilio do: compiled, and proved by its own tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.shared import prove_by_its_own_tests
from vitesse.workflow.build import build_integration

from .conftest import EXAMPLES

WEBHOOKS = """webhooks:
  - topics: [contact.creation, contact.propertyChange]
    deleted_topics: [contact.deletion]
    scheme: hubspot
    secret: {env: HUBSPOT_CLIENT_SECRET}
    stream: customers
    topic_path: subscriptionType
    events: ""
    record_id: objectId
  - topics: [CONTACT]
    scheme: xero
    secret: {env: XERO_WEBHOOK_KEY}
    stream: customers
    topic_path: eventCategory
    events: events
    record_id: resourceId
  - topics: [customers]
    scheme: meta
    secret: {env: META_APP_SECRET}
    handshake_secret: {env: META_VERIFY_TOKEN}
    stream: customers
    topic_path: field
    events: entry[].changes
    record: value
  - topics: [delivered]
    scheme: twilio
    secret: {env: TWILIO_AUTH_TOKEN}
    stream: customers
    topic_path: MessageStatus
    record_id: MessageSid

"""


@pytest.mark.slow
def test_package_takes_bodies_with_several_events_and_forms(tmp_path: Path) -> None:
    """Signed, split, carried out one by one; refused, repeated, rotated and lost as deliveries are."""
    folder = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLES / "shopify_credo", folder)
    manifest = folder / "integration.yaml"
    head, _, rest = manifest.read_text().partition("webhooks:\n")
    manifest.write_text(head + WEBHOOKS + rest[rest.index("deploy:") :])
    build_integration(folder, tmp_path / "package", draft=False, discard=False)
    prove_by_its_own_tests(tmp_path / "package", "tests/test_webhooks.py")

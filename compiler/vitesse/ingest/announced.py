"""Webhooks of an API that tell of the records an operation lists."""

from __future__ import annotations

import re

from ..api.facts import Fact, WebhookFact
from ..api.model import Operation
from .reading import Reading
from .words import noun, singular, words

_SCHEMES = {
    "x-shopify-hmac-sha256": "shopify",
    "stripe-signature": "stripe",
    "x-hub-signature-256": "github",
    "x-slack-signature": "slack",
    "x-hubspot-signature-v3": "hubspot",
    "x-gitlab-token": "gitlab",
    "x-xero-signature": "xero",
    "x-square-hmacsha256-signature": "square",
    "x-zendesk-webhook-signature": "zendesk",
    "x-zm-signature": "zoom",
    "paddle-signature": "paddle",
    "linear-signature": "linear",
    "calendly-webhook-signature": "calendly",
    "x-wc-webhook-signature": "woocommerce",
    "x-twilio-signature": "twilio",
    "webhook-signature": "standard",
    "svix-signature": "svix",
}
"""A header that only one scheme uses → the scheme's name."""
_HEADER = re.compile("|".join(re.escape(name) for name in _SCHEMES), re.IGNORECASE)


def infer_webhooks(reading: Reading, operation: Operation) -> Fact | None:
    """Find the webhooks whose topic names what a list operation lists, and their signature scheme when a header gives it away."""
    thing = words(noun(operation.path))
    if not thing:
        return None
    own = singular(thing[-1])
    if len(thing) == 1 and own in ("webhook", "hook", "event", "callback", "subscription"):
        return None
    topics = [webhook for webhook in reading.api.webhooks if own in {singular(word) for word in words(webhook.topic)}]
    if not topics:
        return None
    found = next((hit for webhook in topics if (hit := _HEADER.search(webhook.description))), None)
    said = reading.says(_HEADER)
    header = found or (said[1] if said is not None else None)
    scheme = _SCHEMES[header[0].lower()] if header is not None else None
    value = WebhookFact(topics=tuple(dict.fromkeys(webhook.topic for webhook in topics)), scheme=scheme)
    return Fact(kind="webhooks", value=value, at=topics[0].place.pointer, confidence=0.85 if scheme else 0.7)

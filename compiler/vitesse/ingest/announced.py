"""Webhooks of an API that tell of the records an operation lists."""

from __future__ import annotations

import re

from ..api.facts import Fact, WebhookFact
from ..api.model import Operation
from ..registry.schemes import PRESETS
from .reading import Reading
from .words import noun, singular, words

OF_SEVERAL: dict[str, str | None] = {
    "x-hub-signature": None,
    "x-hub-signature-256": "github",  # who else uses it says so in words of its own, if it publishes a description at all
    "x-hubspot-signature": None,  # also that of the vendor's first version, which is none of the schemes
}
"""A header that does not belong to one scheme alone → the scheme that a description means by it, None where it may be any."""


def schemes_by_header() -> dict[str, str]:
    """Each header that gives a scheme away, in lower case → the scheme's name."""
    found = {preset.header.lower(): preset.name for preset in PRESETS} | OF_SEVERAL
    return {header: name for header, name in found.items() if name is not None}


_SCHEMES = schemes_by_header()
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

"""What Vitesse needs to know of Shopify: timestamps, the call limit, signed webhooks."""

from __future__ import annotations

from pathlib import Path

from vitesse.hooks import (
    Fact,
    Function,
    Parameter,
    Plugin,
    RateLimit,
    SignaturePreset,
    Vendor,
    VendorFact,
    WebhookFact,
)

__all__ = ["plugin"]

CALL_LIMIT = Fact(
    kind="rate_limit",
    value=RateLimit(per_s=2, burst=40, used_header="X-Shopify-Shop-Api-Call-Limit"),
    confidence=0.95,
)
"""Of shops on a usual plan; the header tells when a shop has more, so the pace is corrected by what is seen."""

PUT_MERGES = Fact(kind="update_is", value="merge", confidence=0.95)
"""A PUT leaves the fields that it does not name as they are."""


def _webhooks(resource: str) -> VendorFact:
    topics = tuple(f"{resource}/{event}" for event in ("create", "update", "delete"))
    return VendorFact(
        operation=f"GET */{resource}.json",
        fact=Fact(kind="webhooks", value=WebhookFact(topics=topics, scheme="shopify"), confidence=0.95),
    )


plugin = Plugin(
    name="vitesse-shopify",
    version="0.1.0",
    hooks=1,
    vendored=Path(__file__).parent / "vendored",
    functions=(
        Function(
            name="parse_shopify_timestamp",
            module="timestamps",
            function="parse_shopify_timestamp",
            inputs=("string",),
            result="string",
            parameters=(
                Parameter(name="format", has_default=True, default="iso8601"),
                Parameter(name="timezone", has_default=True, default="UTC"),
            ),
            description="A Shopify timestamp in one time zone and one form: ISO 8601, the date alone, or a pattern.",
        ),
    ),
    signatures=(
        SignaturePreset(
            name="shopify",
            header="X-Shopify-Hmac-Sha256",
            algorithm="sha256",
            encoding="base64",
            content="{body}",
            id_header="X-Shopify-Webhook-Id",
        ),
    ),
    vendors=(
        Vendor(
            name="shopify",
            hosts=("*.myshopify.com",),
            titles=("shopify admin",),
            facts=(
                VendorFact(operation="*", fact=CALL_LIMIT),
                VendorFact(operation="PUT *", fact=PUT_MERGES),
                _webhooks("customers"),
                _webhooks("orders"),
                _webhooks("products"),
            ),
        ),
    ),
)

"""How vendors sign their webhooks, as they publish it: signature schemes that a manifest names without a plugin.

A plugin that brings a scheme of the same name counts before these.
"""

from __future__ import annotations

from ..hooks import SignaturePreset as Preset

PRESETS = (
    Preset(name="calendly", header="Calendly-Webhook-Signature", prefix="v1=", content="{ts}.{body}",
           timestamp_prefix="t=", tolerance_s=180, separator=","),
    Preset(name="github", header="X-Hub-Signature-256", prefix="sha256=", id_header="X-GitHub-Delivery"),
    Preset(name="gitlab", header="X-Gitlab-Token", construction="token", id_header="Idempotency-Key"),
    Preset(name="hubspot", header="X-HubSpot-Signature-v3", encoding="base64", content="{method}{url}{body}{ts}",
           timestamp_header="X-HubSpot-Request-Timestamp", timestamp_unit="ms", tolerance_s=300,
           url_unescaped=":/?@!$'()*,;"),
    Preset(name="hubspot_v2", header="X-HubSpot-Signature", construction="digest", content="{secret}{method}{url}{body}"),
    Preset(name="intercom", header="X-Hub-Signature", algorithm="sha1", prefix="sha1=", id_path=("id",)),
    Preset(name="jira", header="X-Hub-Signature", prefix="sha256=", id_header="X-Atlassian-Webhook-Identifier"),
    Preset(name="linear", header="Linear-Signature", id_header="Linear-Delivery", timestamp_path=("webhookTimestamp",),
           timestamp_unit="ms", tolerance_s=60),
    Preset(name="meta", header="X-Hub-Signature-256", prefix="sha256=", handshake_challenge="hub.challenge",
           handshake_word="hub.verify_token", handshake_mode="hub.mode=subscribe"),
    Preset(name="paddle", header="Paddle-Signature", prefix="h1=", content="{ts}:{body}", timestamp_prefix="ts=",
           tolerance_s=5, separator=";", id_path=("event_id",)),
    Preset(name="shopify", header="X-Shopify-Hmac-Sha256", encoding="base64", id_header="X-Shopify-Webhook-Id"),
    Preset(name="slack", header="X-Slack-Signature", prefix="v0=", content="v0:{ts}:{body}",
           timestamp_header="X-Slack-Request-Timestamp", tolerance_s=300, id_path=("event_id",),
           challenge_path=("challenge",)),
    Preset(name="square", header="x-square-hmacsha256-signature", encoding="base64", content="{url}{body}",
           id_path=("event_id",)),
    Preset(name="standard", header="webhook-signature", encoding="base64", prefix="v1,", content="{id}.{ts}.{body}",
           id_header="webhook-id", timestamp_header="webhook-timestamp", tolerance_s=300, separator=" ",
           secret_encoding="whsec_base64"),
    Preset(name="stripe", header="Stripe-Signature", prefix="v1=", content="{ts}.{body}", timestamp_prefix="t=",
           tolerance_s=300, separator=",", id_path=("id",)),
    Preset(name="svix", header="svix-signature", encoding="base64", prefix="v1,", content="{id}.{ts}.{body}",
           id_header="svix-id", timestamp_header="svix-timestamp", tolerance_s=300, separator=" ",
           secret_encoding="whsec_base64"),
    Preset(name="twilio", header="X-Twilio-Signature", algorithm="sha1", encoding="base64", content="{url}{form}",
           id_header="I-Twilio-Idempotency-Token", forms=True),
    Preset(name="woocommerce", header="X-WC-Webhook-Signature", encoding="base64",
           id_header="X-WC-Webhook-Delivery-ID"),
    Preset(name="xero", header="x-xero-signature", encoding="base64"),
    Preset(name="zendesk", header="X-Zendesk-Webhook-Signature", encoding="base64", content="{ts}{body}",
           id_header="X-Zendesk-Webhook-Invocation-Id", timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
           timestamp_unit="iso8601", tolerance_s=300),
    Preset(name="zoom", header="x-zm-signature", prefix="v0=", content="v0:{ts}:{body}",
           timestamp_header="x-zm-request-timestamp", tolerance_s=300, challenge_path=("payload", "plainToken"),
           challenge_reply="hmac"),
)  # fmt: skip
"""By name. `hubspot` is its third version; `standard` is Standard Webhooks, which many senders follow under its own headers."""

"""Deliveries of webhooks: proved, stored, answered; the work comes after."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..declare import Webhook
from ..inbox import InboxWriter
from ..rotation import Secrets
from ..webhooks import MAX_DELIVERY_BYTES, Delivery, Refused, Verifier, parse_delivery
from .common import problem, read_body

if TYPE_CHECKING:
    from ..server import Service

log = logging.getLogger(__name__)


class WebhookRoutes:
    """The handler of deliveries. Raises `SettingsError` when a webhook has no secret."""

    def __init__(self, service: Service, inbox: InboxWriter, *, public_url: str | None) -> None:
        self._service = service
        self._engine = service.engine
        self._inbox = inbox
        self._public_url = (public_url or "").rstrip("/")
        self._webhooks: dict[str, tuple[Webhook, Secrets]] = {}
        for webhook in service.opened.integration.webhooks:
            secrets = Secrets(webhook, service.opened.settings)
            for topic in (*webhook.topics, *webhook.deleted_topics):
                self._webhooks[topic] = (webhook, secrets)

    def __bool__(self) -> bool:
        return bool(self._webhooks)

    async def webhook(self, request: Request) -> Response:
        """Prove, store, answer; the work comes after."""
        found = self._webhooks.get(request.path_params["topic"])
        if found is None:
            return problem(404, "there is no such webhook")
        webhook, secrets = found
        if request.headers.get("content-encoding", "identity") != "identity":
            return problem(415, "deliveries are not compressed")
        body = await read_body(request, MAX_DELIVERY_BYTES)
        headers: dict[str, list[str]] = {}
        for name, value in request.headers.raw:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        path = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
        query = request.scope["query_string"].decode("ascii", "replace")
        url = f"{self._public_url}{path}{'?' + query if query else ''}"
        delivery = Delivery(body=body, headers=headers, method=request.method, url=url)
        now = self._engine.clock.now()
        verifier = secrets.verifier(now)
        try:
            verifier.verify(delivery, now)
        except Refused as refused:
            log.warning("a delivery to %s was refused: %s", request.path_params["topic"], refused)
            return problem(401, "not proved")
        return await self._store(webhook, verifier, delivery, request.path_params["topic"])

    async def _store(self, webhook: Webhook, verifier: Verifier, delivery: Delivery, topic: str) -> Response:
        try:
            parsed = parse_delivery(delivery.body)
        except ValueError as error:
            await self._inbox.put({
                "stream": webhook.stream, "topic": topic, "delivery_id": verifier.delivery_id(delivery, None),
                "body": delivery.body, "state": "dead", "error": str(error),
            })  # fmt: skip
            return problem(400, str(error))
        if (answer := verifier.challenge(parsed)) is not None:
            return JSONResponse(answer)
        state = "waiting"
        if webhook.topic_path is not None:
            named = _text_at(parsed, webhook.topic_path)
            if named not in webhook.topics and named not in webhook.deleted_topics:
                state = "ignored"
            else:
                topic = named
        if topic in webhook.deleted_topics and self._engine.stream(webhook.stream).deletes is None:
            state = "ignored"
        await self._inbox.put({
            "stream": webhook.stream, "topic": topic, "delivery_id": verifier.delivery_id(delivery, parsed),
            "body": delivery.body, "state": state, "error": None,
        })  # fmt: skip
        return JSONResponse({"status": "stored" if state == "waiting" else state})


def _text_at(value: Any, path: tuple[str | int, ...]) -> str:
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        else:
            return ""
    return value if isinstance(value, str) else ""

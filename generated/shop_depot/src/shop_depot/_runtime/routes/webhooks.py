"""Deliveries of webhooks: proved, stored, answered; the work comes after."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..declare import Webhook
from ..deliveries import Event, events_of
from ..inbox import InboxWriter
from ..json_paths import at
from ..rotation import Secrets
from ..webhooks import MAX_DELIVERY_BYTES, Delivery, Refused, Verifier
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
        self._topics = {topic: self._topics_of(each) for topic, (each, _) in self._webhooks.items()}

    @property
    def methods(self) -> list[str]:
        """Those that some webhook takes."""
        is_asked = any(webhook.handshake_secret is not None for webhook, _ in self._webhooks.values())
        return ["GET", "POST"] if is_asked else ["POST"]

    def __bool__(self) -> bool:
        return bool(self._webhooks)

    async def webhook(self, request: Request) -> Response:
        """Prove, store, answer; the work comes after."""
        found = self._webhooks.get(request.path_params["topic"])
        if found is None:
            return problem(404, "there is no such webhook")
        webhook, secrets = found
        if request.method != "POST":
            return self._handshake(request, secrets)
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

    def _handshake(self, request: Request, secrets: Secrets) -> Response:
        """Answer a sender that asks before it delivers. The text is its own, so it is sent as text and nothing else."""
        handshake = secrets.handshake(self._engine.clock.now())
        if handshake is None or request.method != "GET":
            return problem(405, "not this method")
        try:
            text = handshake.answer(request.scope["query_string"].decode("latin-1"))
        except Refused as refused:
            log.warning("a handshake for %s was refused: %s", request.path_params["topic"], refused)
            return problem(403, "not proved")
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        return PlainTextResponse(text, headers=headers)

    def _topics_of(self, webhook: Webhook) -> dict[str, Webhook]:
        """Topic → the webhook that it belongs to, of those that a body which names its topic can be for."""
        alike = [each for each, _ in self._webhooks.values() if webhook.topic_path is not None and _same(each, webhook)]
        own_last = (*alike, webhook)  # so that they count
        return {topic: each for each in own_last for topic in (*each.topics, *each.deleted_topics)}

    async def _store(self, webhook: Webhook, verifier: Verifier, delivery: Delivery, topic: str) -> Response:
        try:
            body, parsed = verifier.read(delivery)
            if (answer := verifier.challenge(parsed)) is not None:
                return JSONResponse(answer)
            if webhook.events is None:
                events = [Event(body, parsed)]
                names = [verifier.delivery_id(delivery, parsed)]
            else:
                events = events_of(body, parsed, webhook.events)
                names = verifier.event_ids(delivery, [event.value for event in events])
        except ValueError as error:
            await self._inbox.put({
                "stream": webhook.stream, "topic": topic, "delivery_id": verifier.delivery_id(delivery, None),
                "body": delivery.body, "state": "dead", "error": str(error),
            })  # fmt: skip
            return problem(400, str(error))
        rows = [self._row(webhook, topic, event, name) for event, name in zip(events, names, strict=True)]
        if rows:
            await self._inbox.put(*rows)
        is_kept = any(row["state"] != "ignored" for row in rows)
        return JSONResponse({"status": "stored" if is_kept else "ignored"})

    def _row(self, webhook: Webhook, topic: str, event: Event, name: str) -> dict[str, Any]:
        state = "waiting"
        if event.error is not None:
            state = "dead"
        elif webhook.topic_path is not None:
            named = at(event.value, webhook.topic_path)
            found = self._topics[topic].get(named) if isinstance(named, str) else None
            if found is None:
                state = "ignored"
            else:
                webhook, topic = found, named
        is_carried_out = topic not in webhook.deleted_topics or self._engine.stream(webhook.stream).deletes is not None
        if state == "waiting" and not is_carried_out:
            state = "ignored"
        return {
            "stream": webhook.stream, "topic": topic, "delivery_id": name, "body": event.raw, "state": state,
            "error": event.error,
        }  # fmt: skip


def _same(one: Webhook, other: Webhook) -> bool:
    """Whether a body that is proved to come from the sender of one comes from that of the other, and reads alike."""
    return (one.scheme, one.secret, one.secrets, one.topic_path, one.events) == (
        other.scheme, other.secret, other.secrets, other.topic_path, other.events,
    )  # fmt: skip

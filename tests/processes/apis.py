"""Both APIs of the sample as one process of their own, with every effect in a file.

    python -m tests.processes.apis --log effects.jsonl --port-file port --customers 500

Shopify answers below `/admin`, Credo below `/v1`. The log has one line for each write that arrived (`request`, with the key it
carried and the addresses it was about) and one for each object that was made or changed (`create`, `update`), written before
the answer. `POST /_control` changes what it does (`Knobs`), `GET /_control` tells what happened so far. The process outlives
those that talk to it, so what it counts is what the world saw.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from tests.runtime.fakes import Credo, Shopify


@dataclass(slots=True)
class Knobs:
    """What `POST /_control` sets, by name."""

    latency_s: float = 0.0
    """Before each answer."""
    hold: bool = False
    """What arrives is carried out and answered when this is false again, also when nobody waits for the answer any more."""
    hold_after: int = 0
    """The same from the moment when so many contacts were made, however fast they come; 0: never."""
    lose: float = 0.0
    """Share of the writes that are carried out and then not answered."""
    down: bool = False
    """Everything is answered 503."""
    unique: bool = True
    """Whether an e-mail address may stand for one contact only."""
    remembers_keys: bool = True
    lag_s: float = 0.0
    """A contact is not found by e-mail for so long after it was made."""
    page_size: int = 50
    per_s: float = 0.0
    """Writes that are allowed a second, with `burst`; 0: any number. More are answered 429."""
    burst: float = 1.0
    quote: bool = False
    """Every contact is refused, with all of it quoted in the reason."""


class LoggedCredo(Credo):
    """The destination, with its effects in a file."""

    def __init__(self, knobs: Knobs, path: Path) -> None:
        super().__init__()
        self.knobs = knobs
        self.file = path.open("a", buffering=1, encoding="utf-8")
        self.made_at: dict[str, float] = {}

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; what it does is in the file before that."""
        before = len(self.effects)
        key = request.headers.get("idempotency-key")
        if request.method != "GET":
            self.note("request", key=key, path=request.url.path, emails=_emails(request.content))
        response = self(request)
        for kind, email in self.effects[before:]:
            self.note(kind, key=key, email=email)
        return response

    def note(self, kind: str, **what: Any) -> None:
        """One line."""
        self.file.write(json.dumps({"at": round(time.time(), 3), "kind": kind, **what}) + "\n")

    def by_email(self, email: str) -> list[dict[str, Any]]:
        if not self.knobs.unique:
            return []
        return [self.contacts[each] for each in self._of.get(email.lower(), ()) if each in self.contacts]

    def seed(self, **fields: Any) -> str:
        identity = super().seed(**fields)
        self.made_at[identity] = time.time()
        self._of.setdefault((fields.get("email") or "").lower(), []).append(identity)
        return identity

    @property
    def _of(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.__dict__.setdefault("_by_address", {})
        return found

    def _find(self, query: Any) -> Any:
        if "email" not in query:
            return super()._find(query)
        late = time.time() - self.knobs.lag_s
        found = [each for each in self._of.get(query["email"].lower(), ()) if self.made_at[each] <= late]
        return {"contacts": [self.contacts[each] for each in found], "next_cursor": None}


class Apis:
    """The server."""

    def __init__(self, log: Path, customers: int, seed: int = 0) -> None:
        self.knobs = Knobs()
        self.shopify = Shopify(customers)
        self.credo = LoggedCredo(self.knobs, log)
        self.random = random.Random(seed)
        self.requests = 0
        self.held = 0
        self.bucket = (0.0, 0.0)
        self.passed = self.refused = 0
        self.first_at = self.last_at = 0.0

    def application(self) -> web.Application:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_get("/_control", self.tell)
        application.router.add_post("/_control", self.change)
        application.router.add_route("*", "/{rest:.*}", self.answer)
        return application

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request of the package."""
        self.requests += 1
        knobs = self.knobs
        self.shopify.page_size = knobs.page_size
        self.credo.remembers_keys = knobs.remembers_keys
        self.credo.refuse = (lambda body: f"refused: {json.dumps(body)}") if knobs.quote else (lambda body: None)
        content = await request.read()
        if knobs.latency_s:
            await asyncio.sleep(knobs.latency_s)
        self.held += 1
        while knobs.hold or 0 < knobs.hold_after <= self.credo.made:
            await asyncio.sleep(0.01)
        self.held -= 1
        if knobs.down:
            return web.json_response({"error": "down"}, status=503)
        if knobs.per_s and request.method != "GET" and not self._passes():
            return web.json_response({"error": "too many"}, status=429)
        asked = httpx.Request(request.method, str(request.url), headers=dict(request.headers), content=content)
        reply = self.shopify(asked) if request.path.startswith("/admin") else self.credo.handle(asked)
        if request.method != "GET" and knobs.lose and self.random.random() < knobs.lose:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError
        headers = {name: value for name, value in reply.headers.items() if name in ("link", "date")}
        return web.Response(
            body=reply.content, status=reply.status_code, headers=headers, content_type="application/json"
        )

    def _passes(self) -> bool:
        now = time.monotonic()
        tokens, at = self.bucket
        tokens = min(self.knobs.burst, tokens + (now - at) * self.knobs.per_s)
        if tokens < 1:
            self.bucket = (tokens, now)
            self.refused += 1
            return False
        self.bucket = (tokens - 1, now)
        self.passed += 1
        self.first_at, self.last_at = self.first_at or now, now
        return True

    async def change(self, request: web.Request) -> web.Response:
        """Set knobs; `put` makes or changes customers: `{"put": {"7": {"phone": null}}}`; `take` removes some."""
        wanted = await request.json()
        for number, changed in wanted.pop("put", {}).items():
            self.shopify.put(int(number), **changed)
        for number in wanted.pop("take", []):
            self.shopify.customers.pop(int(number), None)
        for number in wanted.pop("forget", []):  # contacts that somebody else deletes
            self.credo.contacts.pop(str(number), None)
        known = {each.name for each in fields(Knobs)}
        for name, value in wanted.items():
            if name not in known:
                return web.json_response({"error": f"no knob {name}"}, status=400)
            setattr(self.knobs, name, value)
        return web.json_response({})

    async def tell(self, request: web.Request) -> web.Response:
        """What is there now."""
        made = self.credo.created()
        missing = [
            c["email"]
            for c in self.shopify.customers.values()
            if not any(
                self.credo.contacts[i].get("last_name") == c["last_name"]
                for i in self.credo._of.get(c["email"].lower(), ())
            )
        ]
        return web.json_response({
            "requests": self.requests, "held": self.held, "customers": len(self.shopify.customers), "contacts": len(self.credo.contacts),
            "passed": self.passed, "refused": self.refused, "writing_s": self.last_at - self.first_at,
            "created": len(made), "created_twice": sorted(_twice(made)), "missing": missing,
        })  # fmt: skip


def _twice(made: list[str]) -> set[str]:
    seen: set[str] = set()
    return {email for email in made if email in seen or seen.add(email)}  # type: ignore[func-returns-value]


def _emails(content: bytes) -> list[str]:
    body = json.loads(content) if content else {}
    return [each.get("email") or "" for each in body.get("contacts", [body])]


async def serve(arguments: argparse.Namespace) -> None:
    """Until it is killed."""
    runner = web.AppRunner(Apis(arguments.log, arguments.customers).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", arguments.port)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    ready = arguments.port_file.with_suffix(".new")
    ready.write_text(str(port))
    ready.rename(arguments.port_file)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--customers", type=int, default=500)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()

"""A stateful fake of both APIs of the sample, behind httpx's transport interface: no sockets, no waiting.

Shopify: customers with `Link` paging, `updated_at_min`, a token. Credo: contacts with unique e-mail addresses, find, batch with
results per item, idempotency keys that replay their answer. `Credo.effects` logs every object that was made or changed, so
that a test counts effects where they happen and not in our database. `fail` puts one-off faults in the way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import httpx

from runtime.state import LEASE_S

Answer = Callable[[httpx.Request], "httpx.Response | None"]


class Shopify:
    """The source."""

    def __init__(self, count: int = 0) -> None:
        self.customers: dict[int, dict[str, Any]] = {}
        self.requests: list[httpx.Request] = []
        self.page_size: int | None = None
        self.now_s = 1_760_000_000
        self.fail: list[Answer] = []
        for number in range(1, count + 1):
            self.put(number)

    def put(self, number: int, **fields: Any) -> dict[str, Any]:
        """Make or change a customer; `updated_at` moves on by a second."""
        self.now_s += 1
        before = self.customers.get(number) or {
            "id": number,
            "email": f"Person{number}@Example.com",
            "first_name": f"First{number}",
            "last_name": f"Last{number}",
            "phone": None if number % 5 == 0 else f"+4930{number:06}",
            "created_at": "2024-03-01T12:00:00+01:00",
            "total_spent": f"{number}.10",
            "tags": "vip, news",
            "note": "x" * 200,
        }
        self.customers[number] = {**before, "updated_at": iso(self.now_s), **fields}
        return self.customers[number]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        for answer in list(self.fail):
            if (response := answer(request)) is not None:
                return response
        if request.headers.get("x-shopify-access-token") != "shpat_planted":
            return httpx.Response(401, json={"errors": "no"})
        path = request.url.path
        if path.endswith("/customers.json"):
            return self._list(request)
        number = int(path.rsplit("/", 1)[1].removesuffix(".json"))
        if number not in self.customers:
            return httpx.Response(404, json={"errors": "Not Found"})
        return httpx.Response(200, json={"customer": self.customers[number]}, headers=self._headers())

    def _list(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        size = self.page_size or int(query.get("limit", 50))
        after, since = int(query.get("id_min", 1)) - 1, query.get("updated_at_min", "")
        last = query.get("id_max", "")
        if "page_info" in query:
            cursor, _, last = query["page_info"].partition("~")
            number, _, since = cursor.partition("-")
            after = int(number)
        most = int(last or 10**30)
        wanted = [c for c in self.customers.values() if after < c["id"] <= most and c["updated_at"] >= since]
        wanted.sort(key=lambda customer: customer["id"])
        page, headers = wanted[:size], self._headers()
        if len(wanted) > size:
            url = request.url.copy_with(
                query=f"limit={size}&page_info={page[-1]['id']}-{since}{'~' + last if last else ''}".encode()
            )
            headers["Link"] = f'<{url}>; rel="next"'
        return httpx.Response(200, json={"customers": page}, headers=headers)

    def _headers(self) -> dict[str, str]:
        moment = self.now_s + 5
        return {"Date": formatdate(moment, usegmt=True)}


class Credo:
    """The destination."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}
        self.made = 0
        self.effects: list[tuple[str, str]] = []
        self.requests: list[httpx.Request] = []
        self.answers: dict[str, tuple[bytes, int, Any]] = {}
        self.fail: list[Answer] = []
        self.lose: list[Callable[[httpx.Request], bool]] = []
        """The request is carried out, and then its answer is lost."""
        self.refuse: Callable[[dict[str, Any]], str | None] = lambda body: None
        self.remembers_keys = True

    def seed(self, **fields: Any) -> str:
        """A contact that is there already."""
        self.made += 1
        identity = f"c{self.made}"
        self.contacts[identity] = {"id": identity, "created_at": "x", "updated_at": "x", "owner": "sales", **fields}
        return identity

    def by_email(self, email: str) -> list[dict[str, Any]]:
        """Contacts with an address, whatever its case."""
        return [c for c in self.contacts.values() if (c.get("email") or "").lower() == email.lower()]

    def created(self) -> list[str]:
        """E-mail addresses of the contacts made, one entry for each time."""
        return [email for kind, email in self.effects if kind == "create"]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        for answer in list(self.fail):
            if (response := answer(request)) is not None:
                return response
        if request.headers.get("x-api-key") != "credo_planted":
            return httpx.Response(401, json={"error": "no"})
        status, body = self._remembered(request)
        if request.method != "GET":
            for lost in list(self.lose):
                if lost(request):
                    self.lose.remove(lost)
                    raise httpx.ReadError("connection reset by peer", request=request)
        return httpx.Response(status, json=body)

    def _remembered(self, request: httpx.Request) -> tuple[int, Any]:
        key = request.headers.get("idempotency-key")
        if key is None or request.method == "GET" or not self.remembers_keys:
            return self._route(request)
        content = request.method.encode() + request.url.raw_path + request.content
        if (before := self.answers.get(key)) is not None:
            assert before[0] == content, "one key was used for two different requests"
            return before[1], before[2]
        status, body = self._route(request)
        if status < 500:
            self.answers[key] = (content, status, body)
        return status, body

    def _route(self, request: httpx.Request) -> tuple[int, Any]:
        path, method = request.url.path.removeprefix("/v1"), request.method
        if path == "/contacts/batch":
            bodies = json.loads(request.content)["contacts"]
            assert len(bodies) <= 100
            results = []
            for index, body in enumerate(bodies):
                status, answer = self._create(body)
                result = {"index": index, "status": status}
                results.append(result | ({"id": answer["id"]} if status == 201 else {"error": answer["error"]}))
            return 207, {"results": results}
        if path == "/contacts" and method == "POST":
            return self._create(json.loads(request.content))
        if path == "/contacts":
            return 200, self._find(request.url.params)
        identity = path.rsplit("/", 1)[1]
        if identity not in self.contacts:
            return 404, {"error": "no such contact"}
        if method == "DELETE":
            self.effects.append(("delete", self.contacts.pop(identity).get("email") or ""))
            return 204, None
        if method == "PUT":
            body = json.loads(request.content)
            self.contacts[identity] = {"id": identity, "created_at": "x", "updated_at": "y", **body}
            self.effects.append(("update", body.get("email") or ""))
        return 200, self.contacts[identity]

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if (reason := self.refuse(body)) is not None:
            return 422, {"error": reason}
        email = body.get("email") or ""
        if email and self.by_email(email):
            return 409, {"error": "a contact with this email already exists"}
        identity = self.seed(**body)
        self.effects.append(("create", email))
        return 201, self.contacts[identity]

    def _find(self, query: Mapping[str, str]) -> Any:
        found = list(self.contacts.values()) if "email" not in query else self.by_email(query["email"])
        start, size = int(query.get("cursor") or 0), int(query.get("limit") or 100)
        more = str(start + size) if start + size < len(found) else None
        return {"contacts": found[start : start + size], "next_cursor": more}


class FakeClock:
    """Time that passes only when somebody sleeps; sleeping is instant, but for heartbeats, which never come due."""

    def __init__(self, now: float = 1_760_000_000.0) -> None:
        self.moment = now
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.moment

    def now(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        if seconds == LEASE_S / 3:
            await asyncio.Event().wait()
        self.slept.append(seconds)
        await asyncio.sleep(0)
        self.moment += seconds

    def random(self) -> float:
        return 0.5


def iso(seconds: float) -> str:
    """As Shopify writes a time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The control paths of a mock, under `/_mock/`, without a credential.

GET    /_mock                     what is served, counts, the clock
GET    /_mock/log                 every effect on a record, with its operation, match value and idempotency key
GET    /_mock/requests            how often each operation was asked, and the statuses sent
GET    /_mock/records[?collection=…]
GET POST DELETE /_mock/faults     {"kind": "status", "status": 503, "count": 2, "operation": "POST /contacts", …}: see faults.py
POST   /_mock/rate                {"off": true} | {"per_s": 2, "burst": 1}
POST   /_mock/seed                {"count": 1247}: start over
POST   /_mock/webhook             {"topic": …, "id": …, "url": …, "secret"?, "forged"?: true}: deliver one record, signed;
                                  "ids": […] with an event for each, where one body holds several
POST   /_mock/<collection>        add a record as it is
GET PATCH DELETE /_mock/<collection>/<id>    PATCH lays fields over the record, or revises it when it names none,
                                  and stamps it with the clock plus one second
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import web

from .form import Json, RateLimitForm
from .limits import Bucket
from .store import Collection, dumps
from .webhooks import delivery, sent_to, webhook_of

if TYPE_CHECKING:
    from .server import Mock


async def control(mock: Mock, request: web.BaseRequest) -> web.StreamResponse:
    """Answer one request under `/_mock/`."""
    steps = [unquote(step) for step in request.rel_url.raw_path.split("/")[2:] if step]
    raw = await request.read()
    try:
        body = json.loads(raw) if raw else {}
        value = await _answer(mock, request.method, steps, body, dict(request.query))
    except (KeyError, ValueError, TypeError) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, 400)
    return _json({"error": "there is no such control path"}, 404) if value is None else _json(value, 200)


def _json(value: Json, status: int) -> web.Response:
    return web.Response(status=status, text=dumps(value), content_type="application/json")


async def _answer(mock: Mock, method: str, steps: list[str], body: Json, query: dict[str, str]) -> Json:
    store = mock.store
    match method, steps:
        case "GET", []:
            return _summary(mock)
        case "GET", ["log"]:
            return [asdict(entry) for entry in store.log]
        case "GET", ["requests"]:
            return {"operations": mock.counts(), "statuses": Counter(str(status) for _, status in mock.requests)}
        case "GET", ["records"]:
            names = [query["collection"]] if "collection" in query else list(store.collections)
            return {name: [stored.record for stored in store.collections[name]] for name in names}
        case "GET", ["faults"]:
            return [asdict(fault) for fault in mock.faults.waiting()]
        case "POST", ["faults"]:
            return asdict(mock.faults.add(**body))
        case "DELETE", ["faults"]:
            mock.faults.clear()
            return []
        case "POST", ["rate"]:
            return _set_rate(mock, body)
        case "POST", ["seed"]:
            store.seed(int(body["count"]))
            return _summary(mock)
        case "POST", ["webhook"]:
            return await _deliver(mock, body)
        case "POST", [name] if name in store.collections:
            return {"id": store.collections[name].add(body)}
        case _, [name, id] if name in store.collections:
            return _one(store.collections[name], method, id, body)
        case _:
            return None


def _summary(mock: Mock) -> Json:
    return {
        "api": mock.form.api,
        "collections": {name: len(collection) for name, collection in mock.store.collections.items()},
        "requests": len(mock.requests),
        "effects": len(mock.store.log),
        "clock": mock.store.clock.now.isoformat(),
    }


def _set_rate(mock: Mock, body: Json) -> Json:
    if body.get("off"):
        mock.bucket = Bucket(None)
        return {"off": True}
    form = mock.form.rate_limit or RateLimitForm(per_s=1)
    form = replace(form, per_s=float(body.get("per_s", form.per_s)), burst=int(body.get("burst", form.burst)))
    mock.bucket = Bucket(form)
    return {"per_s": form.per_s, "burst": form.burst}


def _one(collection: Collection, method: str, id: str, body: Json) -> Json:
    match method:
        case "GET":
            stored = collection.get(id)
            return None if stored is None else stored.record
        case "PATCH":
            return collection.change(id, body)
        case "DELETE":
            collection.delete(id)
            return {"deleted": id}
        case _:
            return None


async def _deliver(mock: Mock, body: Json) -> Json:
    if urlsplit(body["url"]).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError("deliveries go to this machine only")
    headers, raw = delivery(
        mock.form,
        mock.store,
        topic=body["topic"],
        id=[str(id) for id in body["ids"]] if "ids" in body else str(body["id"]),
        url=body["url"],
        secret=body.get("secret"),
        forged=bool(body.get("forged")),
    )
    url = sent_to(webhook_of(mock.form, body["topic"]).scheme, body["url"], raw)
    async with aiohttp.ClientSession() as session, session.post(url, data=raw, headers=headers) as answer:
        return {"status": answer.status, "body": (await answer.text())[:2000]}

"""Two stateful fakes that hold the same things, and a pair of streams between them.

`Shelf` is one of the systems: records with a version that moves on with every change, a filter for changed ones, a find, and
what vendors do beside: spell values their own way, answer without a body, hand out ETags, lose answers. Effects are counted
where they happen. `Shop` keeps products (price as text), `Ledger` keeps entries (amount as a number).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import httpx

from runtime.declare import (
    Api,
    Destination,
    Find,
    Integration,
    Match,
    Merge,
    MergeField,
    Operation,
    Paging,
    Parameter,
    Since,
    Source,
    Stream,
)
from runtime.engine import Engine, RunReport, RunRequest
from runtime.http.session import open_api
from runtime.matching import identity_text, optional_text
from runtime.records import MISSING, Record
from runtime.settings import resolve_settings
from runtime.state import State
from tests.runtime.fakes import FakeClock, iso

# --- the systems ------------------------------------------------------------------------------------------------------


class Shelf:
    """One system."""

    def __init__(self, clock: FakeClock, *, identity: str, version: str, match: str, first: int) -> None:
        self.clock = clock
        self.identity, self.version, self.match = identity, version, match
        self.records: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.effects: list[tuple[str, str]] = []
        self.numbers = itertools.count(first)
        self.normalise: Callable[[dict[str, Any]], dict[str, Any]] = lambda record: record
        self.is_silent = False
        """Writes are answered without a body."""
        self.has_etags = False
        self.before: list[Callable[[httpx.Request], None]] = []
        """Each is called once, before the next update is carried out."""
        self.lose: list[Callable[[httpx.Request], bool]] = []
        """The request is carried out, and then its answer is lost."""
        self.refuse: list[Callable[[httpx.Request], httpx.Response | None]] = []

    def put(self, id: str | None = None, **fields: Any) -> str:
        """Somebody makes or changes a record."""
        self.clock.moment += 1
        id = id or str(next(self.numbers))
        before = self.records.get(id, {self.identity: int(id)})
        self.records[id] = self.normalise({**before, **fields, self.version: iso(self.clock.moment)})
        return id

    def of(self, match: str) -> str | None:
        """The identity of the record with a match value, where there is one."""
        found = [id for id, record in self.records.items() if record[self.match] == match]
        assert len(found) < 2, f"{match} is there {len(found)} times"
        return found[0] if found else None

    def view(self, *names: str) -> dict[str, tuple[Any, ...]]:
        """Match value → some fields."""
        return {record[self.match]: tuple(record.get(name) for name in names) for record in self.records.values()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path
        self.requests.append((method, path))
        for refuse in list(self.refuse):
            if (response := refuse(request)) is not None:
                return response
        response = self._answer(method, path.rpartition("/items")[2].lstrip("/"), request)
        response.headers["Date"] = formatdate(self.clock.moment + 1, usegmt=True)
        for lost in list(self.lose):
            if method != "GET" and lost(request):
                self.lose.remove(lost)
                raise httpx.ReadError("connection reset by peer", request=request)
        return response

    def _answer(self, method: str, id: str, request: httpx.Request) -> httpx.Response:
        if method == "GET" and not id:
            return self._list(request)
        if method == "POST":
            sent = json.loads(request.content, parse_float=Decimal)
            id = self.put(**_plain(sent))
            self.effects.append(("create", str(sent.get(self.match))))
            return self._one(id, 201)
        if method == "PUT" and self.before:
            self.before.pop(0)(request)
        if id not in self.records:
            return httpx.Response(404, json={"error": "not here"})
        if method == "DELETE":
            self.effects.append(("delete", str(self.records.pop(id).get(self.match))))
            return httpx.Response(204)
        if method == "PUT":
            wanted = request.headers.get("if-match")
            if self.has_etags and wanted is not None and wanted != self._etag(id):
                return httpx.Response(412, json={"error": "it has changed"})
            sent = json.loads(request.content, parse_float=Decimal)
            self.put(id, **_plain(sent))
            self.effects.append(("update", str(self.records[id].get(self.match))))
            if self.is_silent:
                return httpx.Response(204)
        return self._one(id, 200)

    def _one(self, id: str, status: int) -> httpx.Response:
        if self.is_silent and status == 201:
            return httpx.Response(201, json={self.identity: int(id)})
        headers = {"ETag": self._etag(id)} if self.has_etags else {}
        return httpx.Response(status, json=self.records[id], headers=headers)

    def _etag(self, id: str) -> str:
        return f'"{self.records[id][self.version]}"'

    def _list(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        found = list(self.records.values())
        if "match" in query:
            found = [record for record in found if record[self.match] == query["match"]]
        if "since" in query:
            found = [record for record in found if record[self.version] >= query["since"]]
        return httpx.Response(200, json={"items": found})


def _plain(sent: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in sent.items()}


# --- the package ------------------------------------------------------------------------------------------------------


class Product(Record):
    id: int
    sku: str | MISSING = MISSING  # type: ignore[valid-type]
    title: str | None | MISSING = MISSING  # type: ignore[valid-type]
    price: str | None | MISSING = MISSING  # type: ignore[valid-type]
    stock: int | None | MISSING = MISSING  # type: ignore[valid-type]
    updated_at: str | MISSING = MISSING  # type: ignore[valid-type]


class EntryBody(Record):
    code: str | MISSING = MISSING  # type: ignore[valid-type]
    name: str | None | MISSING = MISSING  # type: ignore[valid-type]
    amount: Decimal | None | MISSING = MISSING  # type: ignore[valid-type]
    quantity: int | None | MISSING = MISSING  # type: ignore[valid-type]


class Entry(Record):
    ref: int
    code: str | MISSING = MISSING  # type: ignore[valid-type]
    name: str | None | MISSING = MISSING  # type: ignore[valid-type]
    amount: Decimal | None | MISSING = MISSING  # type: ignore[valid-type]
    quantity: int | None | MISSING = MISSING  # type: ignore[valid-type]
    changed: str | MISSING = MISSING  # type: ignore[valid-type]


class ProductBody(Record):
    sku: str | MISSING = MISSING  # type: ignore[valid-type]
    title: str | None | MISSING = MISSING  # type: ignore[valid-type]
    price: str | None | MISSING = MISSING  # type: ignore[valid-type]
    stock: int | None | MISSING = MISSING  # type: ignore[valid-type]


def to_entry(src: Product) -> EntryBody:
    amount = Decimal(src.price) if isinstance(src.price, str) else src.price
    return EntryBody(code=src.sku, name=src.title, amount=amount, quantity=src.stock)


def to_product(src: Entry) -> ProductBody:
    price = f"{src.amount:.2f}" if isinstance(src.amount, Decimal) else src.amount
    return ProductBody(sku=src.code, title=src.name, price=price, stock=src.quantity)


def _operations(api: str) -> dict[str, Operation]:
    def id_of() -> Parameter:
        return Parameter(argument="id", name="id", location="path", style="simple", explode=False, required=True)

    query = tuple(Parameter(argument=name, name=name, location="query") for name in ("since", "match"))
    if_match = Parameter(argument="if_match", name="If-Match", location="header")
    return {
        "list": Operation(
            id="GET /items", api=api, method="GET", path="/items", parameters=query, records=("items",), paging=Paging()
        ),
        "get": Operation(id="GET /items/{id}", api=api, method="GET", path="/items/{id}", parameters=(id_of(),)),
        "delete": Operation(
            id="DELETE /items/{id}", api=api, method="DELETE", path="/items/{id}", parameters=(id_of(),)
        ),
        "create": Operation(id="POST /items", api=api, method="POST", path="/items", body="json"),
        "update": Operation(
            id="PUT /items/{id}",
            api=api,
            method="PUT",
            path="/items/{id}",
            parameters=(id_of(), if_match),
            body="json",
        ),
    }


SHOP = Api(name="shop", title="Shop", base_url="https://shop.example")
LEDGER = Api(name="ledger", title="Ledger", base_url="https://ledger.example")
_SHOP, _LEDGER = _operations("shop"), _operations("ledger")
DELETES_IN_LEDGER, DELETES_IN_SHOP = _LEDGER["delete"], _SHOP["delete"]
FIELDS = tuple(MergeField(name=name, path=(name,)) for name in ("code", "name", "amount", "quantity"))

PRODUCTS: Stream[Product, EntryBody] = Stream(
    name="products",
    source=Source(
        list=_SHOP["list"],
        get=_SHOP["get"],
        record=Product,
        identity=lambda record: identity_text(record.id),
        version=lambda record: optional_text(record.updated_at),
        since=Since(parameter="since"),
    ),
    destination=Destination(
        body=EntryBody,
        create=_LEDGER["create"],
        update=_LEDGER["update"],
        get=_LEDGER["get"],
        list=None,
        find=Find(operation=_LEDGER["list"], parameters=(("code", "match"),)),
        identity=("ref",),
    ),
    map=to_entry,
    match=(Match(source=lambda record: optional_text(record.sku), destination=("code",)),),
    adopt="lookup",
    conflicts="merge_fields",
    merge=Merge(fields=FIELDS, version=("changed",)),
    mapping_digest="sha256:on",
)
ENTRIES: Stream[Entry, ProductBody] = Stream(
    name="entries",
    source=Source(
        list=_LEDGER["list"],
        get=_LEDGER["get"],
        record=Entry,
        identity=lambda record: identity_text(record.ref),
        version=lambda record: optional_text(record.changed),
        since=Since(parameter="since"),
        exact_numbers=True,
    ),
    destination=Destination(
        body=ProductBody,
        create=_SHOP["create"],
        update=_SHOP["update"],
        get=_SHOP["get"],
        find=Find(operation=_SHOP["list"], parameters=(("sku", "match"),)),
        identity=("id",),
    ),
    map=to_product,
    match=(Match(source=lambda record: optional_text(record.code), destination=("sku",)),),
    adopt="lookup",
    reverse_of="products",
    mapping_digest="sha256:back",
)


def changed(stream: Stream[Any, Any], changes: dict[str, Any]) -> Stream[Any, Any]:
    """A stream with other members."""
    for name, value in changes.items():
        part, _, member = name.partition("__")
        stream = replace(stream, **{part: replace(getattr(stream, part), **{member: value}) if member else value})
    return stream


class Between:
    """Both systems, one state, a new engine for each run, as after a restart.

    Args:
        both_ways: False leaves out the stream that goes back.
        back: Members of the stream that goes back.
        changes: Members of the stream that goes on; `merge__otherwise="manual_review"` of its parts.
    """

    def __init__(
        self, url: str = "sqlite://", *, both_ways: bool = True, back: dict[str, Any] | None = None, **changes: Any
    ) -> None:
        self.clock = FakeClock()
        self.shop = Shelf(self.clock, identity="id", version="updated_at", match="sku", first=1)
        self.ledger = Shelf(self.clock, identity="ref", version="changed", match="code", first=501)
        self.url = url
        self.ids = (f"id-{number:05}" for number in itertools.count(1))
        stream = changed(PRODUCTS, changes)
        self.streams: tuple[Stream[Any, Any], ...] = (stream, changed(ENTRIES, back or {})) if both_ways else (stream,)
        self.state = self.open_state()
        self.reports: list[RunReport] = []

    def open_state(self) -> State:
        state = State(self.url, name="shop-ledger", now=self.clock.now)
        state.prepare()
        return state

    @property
    def integration(self) -> Integration:
        return Integration(
            name="shop-ledger", version="1.0.0", contract=2, source=SHOP, destination=LEDGER, streams=self.streams
        )

    def engine(self) -> Engine:
        integration = self.integration
        settings = resolve_settings(integration, {"MAX_ATTEMPTS": "1"})
        source, destination = (
            open_api(api, settings, transport=httpx.MockTransport(fake), clock=self.clock)
            for api, fake in ((SHOP, self.shop), (LEDGER, self.ledger))
        )
        return Engine(
            integration,
            source=source,
            destination=destination,
            state=self.state,
            settings=settings,
            clock=self.clock,
            ids=lambda: next(self.ids),
            holder="me",
        )

    async def sync(self, stream: str = "products", **request: Any) -> RunReport:
        """One run, and a check that its numbers add up."""
        self.clock.moment += 10
        report = await self.engine().run(RunRequest(stream=stream, **request))
        report.counts.check()
        self.reports.append(report)
        return report

    async def both(self) -> tuple[RunReport, RunReport]:
        """One run of each direction."""
        return await self.sync("products"), await self.sync("entries")

    def crash(self) -> None:
        """Forget everything that was not committed, lease included."""
        self.state.close()
        self.clock.moment += 120
        self.state = self.open_state()

    def agree(self) -> bool:
        """Whether both sides hold the same."""
        shop = {
            sku: (title, None if price is None else Decimal(price), stock)
            for sku, (title, price, stock) in self.shop.view("title", "price", "stock").items()
        }
        ledger = {
            code: (name, None if amount is None else Decimal(str(amount)), quantity)
            for code, (name, amount, quantity) in self.ledger.view("name", "amount", "quantity").items()
        }
        return shop == ledger and len(self.shop.records) == len(self.ledger.records) == len(shop)

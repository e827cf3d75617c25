"""aiohttp and msgspec as fast as they go by hand: narrow records, fixed workers, the next page read ahead, no safety at all."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec

from benchmarks.sync.clients.plain import BATCH, IN_FLIGHT, READ_HEADERS, WRITE_HEADERS


class Consent(msgspec.Struct):
    """The one field of it that is mapped."""

    state: str


class Customer(msgspec.Struct):
    """The mapped fields; the decoder skips the others."""

    id: int
    email: str
    first_name: str | None
    last_name: str | None
    phone: str | None
    created_at: str
    total_spent: str
    tags: str
    updated_at: str
    email_marketing_consent: Consent | None


class Page(msgspec.Struct):
    """A page of customers."""

    customers: list[Customer]


class Contact(msgspec.Struct):
    """What is written."""

    email: str
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    created_date: str
    lifetime_value: float
    segments: list[str]
    marketing_opt_in: bool


class Created(msgspec.Struct):
    """The one field that is read of a reply."""

    id: str


class Result(msgspec.Struct):
    """The fate of one contact of a batch."""

    index: int
    status: int
    id: str


class Results(msgspec.Struct):
    """The reply to a batch."""

    results: list[Result]


_page = msgspec.json.Decoder(Page)
_created = msgspec.json.Decoder(Created)
_results = msgspec.json.Decoder(Results)
_encode = msgspec.json.Encoder().encode


def to_contact(customer: Customer) -> Contact:
    """As in the other clients."""
    consent = customer.email_marketing_consent
    return Contact(
        email=customer.email,
        first_name=customer.first_name,
        last_name=customer.last_name,
        phone_number=customer.phone,
        created_date=datetime.fromisoformat(customer.created_at).date().isoformat(),
        lifetime_value=round(float(customer.total_spent), 2),
        segments=[tag.strip() for tag in customer.tags.split(",") if tag.strip()],
        marketing_opt_in=consent is not None and consent.state == "subscribed",
    )


class Ledger:
    """Links, intents and a checkpoint in SQLite, in one transaction before and one after each page."""

    def __init__(self, path: str) -> None:
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE link (source TEXT PRIMARY KEY, destination TEXT, hash BLOB, version TEXT) WITHOUT ROWID;"
            "CREATE TABLE intent (id TEXT PRIMARY KEY, body BLOB, done INTEGER DEFAULT 0) WITHOUT ROWID;"
            "CREATE TABLE checkpoint (stream TEXT PRIMARY KEY, cursor TEXT);"
        )

    def intend(self, contacts: list[tuple[Customer, Contact]]) -> list[tuple[Customer, Contact, bytes, str]]:
        """Leave out what is written already; remember what is about to be."""
        sources = [str(customer.id) for customer, _ in contacts]
        marks = ",".join("?" * len(sources))
        self.database.execute("BEGIN IMMEDIATE")
        known = dict(self.database.execute(f"SELECT source, hash FROM link WHERE source IN ({marks})", sources))
        found = []
        for customer, contact in contacts:
            digest = sha256(_encode(contact)).digest()
            if known.get(str(customer.id)) != digest:
                found.append((customer, contact, digest, uuid4().hex))
        rows = ((intent, _encode(contact)) for _, contact, _, intent in found)
        self.database.executemany("INSERT INTO intent (id, body) VALUES (?, ?)", rows)
        self.database.execute("COMMIT")
        return found

    def conclude(self, done: list[tuple[Customer, Contact, bytes, str]], ids: list[str], cursor: str) -> None:
        """Outcomes, links and the checkpoint."""
        self.database.execute("BEGIN IMMEDIATE")
        self.database.executemany("DELETE FROM intent WHERE id = ?", ((intent,) for *_, intent in done))
        rows = [
            (str(c.id), created, digest, c.updated_at) for (c, _, digest, _), created in zip(done, ids, strict=True)
        ]
        self.database.executemany("INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?)", rows)
        self.database.execute("INSERT OR REPLACE INTO checkpoint VALUES ('customers', ?)", (cursor,))
        self.database.execute("COMMIT")


async def main(address: str, in_batches: bool, ledger: Ledger | None) -> None:
    """Read ahead by one page while this one is written by a fixed number of workers."""
    options: dict[str, Any] = {
        "cookie_jar": aiohttp.DummyCookieJar(),
        "skip_auto_headers": ("User-Agent", "Accept", "Accept-Encoding"),
        "timeout": aiohttp.ClientTimeout(total=None),
    }
    headers = {**WRITE_HEADERS, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(**options) as session:

        async def read(url: Any) -> tuple[list[Customer], Any]:
            async with session.get(url, headers=READ_HEADERS) as reply:
                reply.raise_for_status()
                page = _page.decode(await reply.read())
                return page.customers, reply.links.get("next", {}).get("url")

        async def create(contact: Contact) -> list[str]:
            async with session.post(f"{address}/crm/contacts", data=_encode(contact), headers=headers) as reply:
                reply.raise_for_status()
                return [_created.decode(await reply.read()).id]

        async def create_batch(contacts: list[Contact]) -> list[str]:
            body = _encode({"contacts": contacts})
            async with session.post(f"{address}/crm/contacts/batch", data=body, headers=headers) as reply:
                reply.raise_for_status()
                results = _results.decode(await reply.read()).results
                return [result.id for result in results if result.status == 201]

        async def write(contacts: list[Contact]) -> list[str]:
            ids: dict[int, list[str]] = {}
            if in_batches:
                starts = iter(range(0, len(contacts), BATCH))

                async def work() -> None:
                    for start in starts:
                        ids[start] = await create_batch(contacts[start : start + BATCH])
            else:
                numbered = iter(enumerate(contacts))

                async def work() -> None:
                    for index, contact in numbered:
                        ids[index] = await create(contact)

            await asyncio.gather(*(work() for _ in range(3 if in_batches else IN_FLIGHT)))
            return [each for index in sorted(ids) for each in ids[index]]

        ahead = asyncio.create_task(read(f"{address}/shop/customers.json?limit=250"))
        while True:
            customers, url = await ahead
            if url:
                ahead = asyncio.create_task(read(url))
            contacts = [to_contact(customer) for customer in customers]
            if ledger is None:
                await write(contacts)
            else:
                intended = ledger.intend(list(zip(customers, contacts, strict=True)))
                ids = await write([contact for _, contact, _, _ in intended])
                ledger.conclude(intended, ids, str(url))
            if not url:
                break


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] == "batch", Ledger(sys.argv[3]) if len(sys.argv) > 3 else None))

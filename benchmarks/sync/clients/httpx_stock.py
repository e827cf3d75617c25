"""httpx's AsyncClient as it comes, otherwise as the idiomatic aiohttp client."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from benchmarks.sync.clients.plain import BATCH, IN_FLIGHT, READ_HEADERS, WRITE_HEADERS, asked, to_contact


async def main(address: str, in_batches: bool) -> None:
    """Page by page; the next page is asked for when this one is written."""
    limit = asyncio.Semaphore(IN_FLIGHT)
    async with (
        httpx.AsyncClient(headers=READ_HEADERS, timeout=60) as shop,
        httpx.AsyncClient(headers=WRITE_HEADERS, timeout=60) as crm,
    ):

        async def create(contact: dict[str, Any]) -> str:
            async with limit:
                reply = await crm.post(f"{address}/crm/contacts", json=contact)
            reply.raise_for_status()
            return str(reply.json()["id"])

        async def create_batch(contacts: list[dict[str, Any]]) -> list[str]:
            async with limit:
                reply = await crm.post(f"{address}/crm/contacts/batch", json={"contacts": contacts})
            reply.raise_for_status()
            return [result["id"] for result in reply.json()["results"] if result["status"] == 201]

        url: str | None = f"{address}/shop/customers.json?limit=250"
        while url:
            reply = await shop.get(url)
            reply.raise_for_status()
            customers = reply.json()["customers"]
            url = reply.links.get("next", {}).get("url")
            contacts = [to_contact(customer) for customer in customers]
            if in_batches:
                chunks = [contacts[start : start + BATCH] for start in range(0, len(contacts), BATCH)]
                await asyncio.gather(*map(create_batch, chunks))
            else:
                await asyncio.gather(*map(create, contacts))


asyncio.run(main(*asked()))

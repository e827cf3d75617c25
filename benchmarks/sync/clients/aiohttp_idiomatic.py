"""aiohttp as its documentation shows it: one session, `json=`, a task for each request, a semaphore."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from benchmarks.sync.clients.plain import BATCH, IN_FLIGHT, READ_HEADERS, WRITE_HEADERS, asked, only_reads, to_contact


async def main(address: str, in_batches: bool) -> None:
    """Page by page; the next page is asked for when this one is written."""
    limit = asyncio.Semaphore(IN_FLIGHT)
    async with (
        aiohttp.ClientSession(headers=READ_HEADERS) as shop,
        aiohttp.ClientSession(headers=WRITE_HEADERS) as crm,
    ):

        async def create(contact: dict[str, Any]) -> str:
            async with limit, crm.post(f"{address}/crm/contacts", json=contact) as reply:
                reply.raise_for_status()
                created = await reply.json()
                return str(created["id"])

        async def create_batch(contacts: list[dict[str, Any]]) -> list[str]:
            async with limit, crm.post(f"{address}/crm/contacts/batch", json={"contacts": contacts}) as reply:
                reply.raise_for_status()
                created = await reply.json()
                return [result["id"] for result in created["results"] if result["status"] == 201]

        url: Any = f"{address}/shop/customers.json?limit=250"
        while url:
            async with shop.get(url) as reply:
                reply.raise_for_status()
                customers = (await reply.json())["customers"]
                url = reply.links.get("next", {}).get("url")
            contacts = [to_contact(customer) for customer in customers]
            if only_reads():
                continue
            if in_batches:
                chunks = [contacts[start : start + BATCH] for start in range(0, len(contacts), BATCH)]
                await asyncio.gather(*map(create_batch, chunks))
            else:
                await asyncio.gather(*map(create, contacts))


asyncio.run(main(*asked()))

"""The idiomatic aiohttp client that sleeps as long as `Retry-After` says and tries again."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from benchmarks.sync.clients.plain import IN_FLIGHT, READ_HEADERS, WRITE_HEADERS, asked, to_contact


async def main(address: str, _: bool) -> None:
    """One request a record, a task for each."""
    limit = asyncio.Semaphore(IN_FLIGHT)
    async with (
        aiohttp.ClientSession(headers=READ_HEADERS) as shop,
        aiohttp.ClientSession(headers=WRITE_HEADERS) as crm,
    ):

        async def create(contact: dict[str, Any]) -> str:
            async with limit:
                while True:
                    async with crm.post(f"{address}/crm/contacts", json=contact) as reply:
                        if reply.status != 429:
                            reply.raise_for_status()
                            return str((await reply.json())["id"])
                        wait_s = float(reply.headers["Retry-After"])
                    await asyncio.sleep(wait_s)

        url: Any = f"{address}/shop/customers.json?limit=250"
        while url:
            async with shop.get(url) as reply:
                reply.raise_for_status()
                customers = (await reply.json())["customers"]
                url = reply.links.get("next", {}).get("url")
            await asyncio.gather(*(create(to_contact(customer)) for customer in customers))


asyncio.run(main(*asked()))

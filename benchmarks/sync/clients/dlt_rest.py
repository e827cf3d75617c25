"""dlt: its declarative REST source, the mapping as a map, and a destination of its own that posts by its retrying session."""

from __future__ import annotations

import os
import sys
from typing import Any

import dlt
from dlt.common.typing import TDataItems
from dlt.sources.helpers import requests
from dlt.sources.rest_api import rest_api_source

from benchmarks.sync.clients.plain import BATCH, READ_HEADERS, WRITE_HEADERS, asked, only_reads, to_contact


def main(address: str, in_batches: bool) -> None:
    """One run of one pipeline, its working folder given by DLT_DATA_DIR."""
    source = rest_api_source(
        {
            "client": {"base_url": f"{address}/shop/", "headers": READ_HEADERS, "paginator": {"type": "header_link"}},
            "resources": [
                {
                    "name": "contacts",
                    "primary_key": "email",
                    "endpoint": {"path": "customers.json", "params": {"limit": 250}, "data_selector": "customers"},
                }
            ],
        }
    )
    source.resources["contacts"].add_map(to_contact)

    @dlt.destination(batch_size=BATCH if in_batches else 1, name="crm")
    def crm(items: TDataItems, table: Any) -> None:
        if in_batches:
            reply = requests.post(f"{address}/crm/contacts/batch", json={"contacts": items}, headers=WRITE_HEADERS)
        else:
            reply = requests.post(f"{address}/crm/contacts", json=items[0], headers=WRITE_HEADERS)
        reply.raise_for_status()

    pipeline = dlt.pipeline("customers", destination=crm, pipelines_dir=os.environ["DLT_DATA_DIR"])
    if only_reads():
        pipeline.extract(source)
        return
    info = pipeline.run(source)
    if info.has_failed_jobs:
        sys.exit(f"failed: {info}")


main(*asked())

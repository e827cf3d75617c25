"""singer-sdk: a tap of one REST stream; the records go to standard output as messages."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from singer_sdk import RESTStream, Stream, Tap
from singer_sdk.pagination import BaseHATEOASPaginator

from benchmarks.sync.clients.plain import READ_HEADERS

ADDRESS = sys.argv[1]
_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        **{name: {"type": ["string", "null"]} for name in ("email", "first_name", "last_name", "phone", "tags", "total_spent")},
        "created_at": {"type": "string"},
        "updated_at": {"type": "string"},
        "email_marketing_consent": {"type": ["object", "null"], "properties": {"state": {"type": "string"}}},
    },
}  # fmt: skip


class Links(BaseHATEOASPaginator):
    """Follows rel="next" of the header."""

    def get_next_url(self, response: Any) -> str | None:
        """The address of the next page."""
        url: str | None = response.links.get("next", {}).get("url")
        return url


class Customers(RESTStream):
    """The one stream."""

    name = "customers"
    path = "/customers.json"
    url_base = f"{ADDRESS}/shop"
    records_jsonpath = "$.customers[*]"
    primary_keys: ClassVar[list[str]] = ["id"]
    schema = _SCHEMA

    @property
    def http_headers(self) -> dict[str, str]:
        """The credential."""
        return READ_HEADERS

    def get_new_paginator(self) -> Links:
        """How pages follow one another."""
        return Links()

    def get_url_params(self, context: Any, next_page_token: Any) -> dict[str, str]:
        """Of the first page and of the next ones."""
        if next_page_token is None:
            return {"limit": "250"}
        return dict(pair.split("=", 1) for pair in next_page_token.query.split("&"))


class Shop(Tap):
    """The tap."""

    name = "tap-shop"
    config_jsonschema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {}}

    def discover_streams(self) -> list[Stream]:
        """One."""
        return [Customers(tap=self)]


Shop(config={}, validate_config=False).sync_all()

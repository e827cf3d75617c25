"""The mapping as one writes it by hand, and the command line of the clients."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

IN_FLIGHT = 20
"""Requests at a time, the same for every client that has the choice."""
BATCH = 100
READ_HEADERS = {"X-Shopify-Access-Token": "shpat_benchmark"}
WRITE_HEADERS = {"X-Api-Key": "benchmark"}


def to_contact(customer: dict[str, Any]) -> dict[str, Any]:
    """One customer's contact. Money through float, as most do."""
    consent = customer["email_marketing_consent"]
    return {
        "email": customer["email"],
        "first_name": customer["first_name"],
        "last_name": customer["last_name"],
        "phone_number": customer["phone"],
        "created_date": datetime.fromisoformat(customer["created_at"]).date().isoformat(),
        "lifetime_value": round(float(customer["total_spent"]), 2),
        "segments": [tag.strip() for tag in customer["tags"].split(",") if tag.strip()],
        "marketing_opt_in": consent is not None and consent["state"] == "subscribed",
    }


def asked() -> tuple[str, bool]:
    """(address of the server, whether to write in batches)."""
    return sys.argv[1], {"single": False, "batch": True, "read": True}[sys.argv[2]]


def only_reads() -> bool:
    """Whether to read and map, and to write nothing."""
    return sys.argv[2] == "read"

"""The records that are synced, rendered once: a source page is joined from prepared pieces when it is asked for.

Customers are whole (as `examples/shopify_credo/specs/shopify.yaml` has them, two addresses, about 1.9 kB), as a shop would send
them; eight of their fields are mapped. Record `slot` of page `page` has its own id, email and phone number.
"""

from __future__ import annotations

import json
import re
from typing import Any

PAGE_RECORDS = 250
_PAGE = "0PAGE0"
"""Stands for the six digits of a page's number. Never part of any other text of a record."""

_FIRST = ("Grace", "Ada", "Zoë", "Łukasz", "Mary", "José", "Anna-Lena", "Wei", "Olu", "Siobhán")
_LAST = ("Hopper", "Lovelace", "Müller", "Wójcik", "O’Neill", "García Márquez", "Nguyễn", "Svensson", "Adébáyọ̀")
_TAGS = ("", "vip", "vip, newsletter", "wholesale, net-30, newsletter", "returning")
_STATES = ("subscribed", "not_subscribed", "unsubscribed", None)


def customer(page: str, slot: int) -> dict[str, Any]:
    """One record of the source. `page` is six digits."""
    first, last = _FIRST[slot % len(_FIRST)], _LAST[slot % len(_LAST)]
    number = int(f"70{page}{slot:03d}") if page.isdigit() else f"70{page}{slot:03d}"
    phone = None if slot % 7 == 3 else f"+1{page}{slot:03d}0"
    state = _STATES[slot % len(_STATES)]
    changed = f"2024-03-{slot % 28 + 1:02d}T18:32:05-05:00"
    consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": changed}
    addresses = [_address(number, page, slot, which, first, last) for which in (1, 2)]
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Customer/70{page}{slot:03d}",
        "email": f"customer.{page}{slot:03d}@example.com",
        "first_name": first,
        "last_name": None if slot % 31 == 5 else last,
        "phone": phone,
        "state": "enabled",
        "verified_email": True,
        "note": "Prefers delivery in the evening." if slot % 3 else None,
        "tags": _TAGS[slot % len(_TAGS)],
        "currency": "CAD",
        "orders_count": slot % 40,
        "total_spent": f"{slot * 37}.{slot % 100:02d}",
        "last_order_id": 5314069201163 + slot,
        "last_order_name": f"#{1000 + slot}",
        "tax_exempt": False,
        "tax_exemptions": [],
        "multipass_identifier": None,
        "accepts_marketing": state == "subscribed",
        "accepts_marketing_updated_at": changed,
        "marketing_opt_in_level": "single_opt_in",
        "email_marketing_consent": consent if state else None,
        "sms_marketing_consent": None,
        "default_address": addresses[0],
        "addresses": addresses,
        "created_at": f"202{slot % 4}-{slot % 12 + 1:02d}-{slot % 28 + 1:02d}T21:47:10-05:00",
        "updated_at": changed,
    }


def _address(number: int | str, page: str, slot: int, which: int, first: str, last: str) -> dict[str, Any]:
    return {
        "id": 8471205511 + slot * 10 + which,
        "customer_id": number,
        "first_name": first,
        "last_name": last,
        "name": f"{first} {last}",
        "company": "Eckert & Mauchly Ltd." if which == 2 else None,
        "address1": f"{slot} Elgin Street",
        "address2": "Suite 400",
        "city": "Ottawa",
        "province": "Ontario",
        "province_code": "ON",
        "country": "Canada",
        "country_code": "CA",
        "country_name": "Canada",
        "zip": "K2P 1L4",
        "phone": "+16135550142",
        "default": which == 1,
    }


def contact(record: dict[str, Any]) -> dict[str, Any]:
    """What must arrive for a record, worked out from the mapping by hand; numbers as the JSON reader gives them."""
    consent = record["email_marketing_consent"]
    return {
        "email": record["email"],
        "first_name": record["first_name"],
        "last_name": record["last_name"],
        "phone_number": record["phone"],
        "created_date": record["created_at"][:10],
        "lifetime_value": float(record["total_spent"]),
        "segments": [tag.strip() for tag in record["tags"].split(",") if tag.strip()],
        "marketing_opt_in": consent is not None and consent["state"] == "subscribed",
    }


def expected(records: int) -> dict[str, dict[str, Any]]:
    """Email → contact, for the first so many records."""
    found = (divmod(number, PAGE_RECORDS) for number in range(records))
    contacts = (contact(customer(f"{page:06d}", slot)) for page, slot in found)
    return {each["email"]: each for each in contacts}


class Pages:
    """All pages of the source, as bytes."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.pages = -(-records // PAGE_RECORDS)
        self._whole = _pieces(PAGE_RECORDS)
        self._single: dict[int, list[bytes]] = {}
        self._last = _pieces(records - (self.pages - 1) * PAGE_RECORDS) if records else [b""]

    def body(self, page: int) -> bytes:
        """One page's records, with commas between them."""
        return (b"%06d" % page).join(self._last if page == self.pages - 1 else self._whole)

    def one(self, page: bytes, slot: int) -> bytes:
        """One record by itself; `page` as its identity has it."""
        if slot not in self._single:
            self._single[slot] = _split(customer(_PAGE, slot))
        return page.join(self._single[slot])


def _split(record: dict[str, Any]) -> list[bytes]:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return re.sub(rf'"(70{_PAGE}\d{{3}})"', r"\1", text).encode().split(_PAGE.encode())


def _pieces(records: int) -> list[bytes]:
    texts = (json.dumps(customer(_PAGE, slot), ensure_ascii=False, separators=(",", ":")) for slot in range(records))
    ids_as_numbers = re.sub(rf'"(70{_PAGE}\d{{3}})"', r"\1", ",".join(texts))
    return ids_as_numbers.encode().split(_PAGE.encode())

"""`python -m benchmarks.mapping.size [--quick]`: what `vitesse map` costs for 200 × 200 and for 1,000 × 1,000 fields.

Both sides are made here: objects of a business, each with the same two dozen attributes, named as two vendors would name them.
A third of the attributes have other words on the other side. The whole command is measured, reading and writing included.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import Command, Unfit, in_turn
from benchmarks.places import WORK
from benchmarks.tables import Table, installed, save, show
from benchmarks.vitesse import COMMAND, ENV

SIZES = (200, 1000)

_OBJECTS = (
    ("customer", "client"), ("billing_address", "invoiceAddress"), ("shipping_address", "deliveryAddress"),
    ("account", "organization"), ("owner", "assignee"), ("invoice", "bill"), ("payment", "payment"), ("refund", "refund"),
    ("subscription", "subscription"), ("plan", "plan"), ("product", "item"), ("variant", "variant"), ("order", "purchase"),
    ("shipment", "delivery"), ("warehouse", "location"), ("supplier", "vendor"), ("contract", "agreement"), ("ticket", "case"),
    ("agent", "representative"), ("campaign", "campaign"), ("lead", "prospect"), ("deal", "opportunity"), ("quote", "estimate"),
    ("employee", "worker"), ("department", "department"), ("project", "project"), ("task", "todo"), ("timesheet", "timecard"),
    ("expense", "expense"), ("bank", "bank"), ("tax", "tax"), ("discount", "coupon"), ("carrier", "carrier"), ("store", "shop"),
    ("partner", "partner"), ("event", "event"), ("message", "message"), ("attachment", "file"), ("session", "visit"), ("device", "device"),
)  # fmt: skip
"""An object's name on both sides."""
_ATTRIBUTES = (
    ("id", "id", "string"), ("name", "name", "string"), ("email", "emailAddress", "email"), ("phone", "phoneNumber", "string"),
    ("status", "state", "string"), ("type", "kind", "string"), ("created_at", "createdDate", "date-time"),
    ("updated_at", "lastModified", "date-time"), ("currency", "currencyCode", "string"), ("total_amount", "amount", "number"),
    ("description", "notes", "string"), ("city", "town", "string"), ("zip", "postalCode", "string"), ("country_code", "country", "string"),
    ("street_1", "addressLine1", "string"), ("first_name", "givenName", "string"), ("last_name", "familyName", "string"),
    ("is_active", "active", "boolean"), ("quantity", "qty", "integer"), ("reference", "externalReference", "string"),
    ("website", "url", "uri"), ("language", "locale", "string"), ("tags", "labels", "string"), ("due_date", "dueOn", "date"),
    ("priority", "importance", "string"),
)  # fmt: skip
"""An attribute's name on both sides, and its type or format."""
_FORMATS = ("email", "date-time", "uri", "date")


def document(fields: int, side: int) -> dict[str, Any]:
    """A description whose one record has so many fields. Side 0 is listed, side 1 is written."""
    count, rest = divmod(fields, len(_ATTRIBUTES))
    if rest or count > len(_OBJECTS):
        raise ValueError(f"no record of {fields} fields can be made")
    objects = {names[side]: _object(side) for names in _OBJECTS[:count]}
    record = {"type": "object", "title": "Record", "properties": objects}
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Record"}}}
    found = {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Record"}}}}
    paths = {
        "/records": {
            "get": {"responses": {"200": {"description": "records", "content": found}}},
            "post": {"requestBody": {"content": body}, "responses": {"201": {"description": "made", "content": body}}},
        }
    }
    info = {"title": ("Here", "There")[side], "version": "1"}
    return {"openapi": "3.0.3", "info": info, "paths": paths, "components": {"schemas": {"Record": record}}}


def _object(side: int) -> dict[str, Any]:
    properties = {}
    for names in _ATTRIBUTES:
        kind = names[2]
        properties[names[side]] = {"type": "string", "format": kind} if kind in _FORMATS else {"type": kind}
    return {"type": "object", "properties": properties}


_MANIFEST = """\
vitesse: 1
name: here-there
intent: Sync all records from Here to There
source: {api: here, base_url: https://api.here.example}
destination: {api: there, base_url: https://api.there.example}
streams:
  records:
    mode: append
    source: {list: GET /records, identity: customer.id}
    destination: {create: POST /records, identity: client.id}
"""


_FACTS = {
    "here": 'GET /records:\n  records: {value: "", at: "#/paths/~1records/get", confidence: 1.0, by: person}\n',
    "there": 'POST /records:\n  record: {value: "", at: "#/paths/~1records/post", confidence: 1.0, by: person}\n',
}


def integration(fields: int) -> Path:
    """An integration whose two records have so many fields each, made anew."""
    folder = WORK / "mapping" / f"of_{fields}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "specs").mkdir(parents=True)
    (folder / "facts").mkdir()
    (folder / "integration.yaml").write_text(_MANIFEST, encoding="utf-8")
    for side, api in enumerate(("here", "there")):
        (folder / "specs" / f"{api}.json").write_text(json.dumps(document(fields, side), indent=1), encoding="utf-8")
        (folder / "facts" / f"{api}.yaml").write_text(_FACTS[api], encoding="utf-8")
    return folder


def _command(fields: int) -> Command:
    folder = integration(fields)

    def before() -> None:
        shutil.rmtree(folder / "mappings", ignore_errors=True)

    def check(said: str) -> dict[str, float]:
        found = re.search(r"(\d+) rules proposed", said)
        if found is None:
            raise Unfit(f"nothing was proposed: {said[:200]}")
        return {"rules": float(found[1])}

    return Command(
        name=f"{fields:,} × {fields:,} fields",
        argv=(*COMMAND, "map", str(folder)),
        env=ENV,
        before=before,
        check=check,
        timeout_s=300,
    )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mapping.size", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one turn, nothing kept")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    measured = in_turn([_command(fields) for fields in SIZES], 1 if options.quick else options.runs)
    table = Table(
        key="size",
        title="`vitesse map`, the whole command",
        note="Each side is one record of nested objects; a third of the attributes have other words on the other side.",
        base=measured[0].command.name,
        measured=measured,
        figures=("rules",),
    )
    result = save(
        "quick" if options.quick else "mapping-size",
        [table],
        command=" ".join(["python -m benchmarks.mapping.size", *sys.argv[1:]]),
        versions=installed(sys.executable, ("rapidfuzz",)),
    )
    show(result)


if __name__ == "__main__":
    main()

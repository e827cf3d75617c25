"""The records and the server that syncing is measured with are what the example's descriptions say."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from benchmarks.sync.records import PAGE_RECORDS, Pages, contact, customer, expected
from benchmarks.sync.server import Bucket, Server
from benchmarks.sync.serving import serving
from tests.shared import REPOSITORY
from tests.waiting import PATIENCE_S

_SPECS = REPOSITORY / "examples" / "shopify_credo" / "specs"


def load(path: Path) -> dict[str, object]:
    return yaml.safe_load(path.read_text("utf-8"))


def send(url: str, body: object) -> tuple[int, dict[str, object]]:
    with urlopen(Request(url, data=json.dumps(body).encode(), method="POST"), timeout=PATIENCE_S) as reply:
        return reply.status, json.load(reply)


def test_customer_has_exactly_the_fields_of_the_description():
    schemas = load(_SPECS / "shopify.yaml")["components"]["schemas"]  # type: ignore[index]
    assert set(customer("000000", 0)) == set(schemas["Customer"]["properties"])
    assert set(customer("000000", 0)["default_address"]) == set(schemas["Address"]["properties"])


def test_pages_joined_from_pieces_are_the_records():
    pages = Pages(PAGE_RECORDS + 10)
    for page, count in ((0, PAGE_RECORDS), (1, 10)):
        records = json.loads(b"[%s]" % pages.body(page))
        assert records == [customer(f"{page:06d}", slot) for slot in range(count)]


def test_expected_contacts_are_told_apart_by_email():
    contacts = expected(1000)
    assert len(contacts) == 1000
    assert contacts["customer.000001000@example.com"] == contact(customer("000001", 0))


def test_server_pages_by_link_and_takes_contacts_and_counts():
    with serving("--records", "600", "--keep") as server:
        url, ids = f"{server.address}/shop/customers.json?limit=250", []
        while url:
            with urlopen(url, timeout=PATIENCE_S) as reply:
                ids += [record["id"] for record in json.load(reply)["customers"]]
                link = reply.headers.get("Link", "")
            url = link.partition("<")[2].partition(">")[0]
        assert len(set(ids)) == 600
        status, created = send(f"{server.address}/crm/contacts", {"email": "a@example.com"})
        assert status == 201
        assert str(created["id"]).startswith("ctc_")
        status, results = send(f"{server.address}/crm/contacts/batch", {"contacts": [{"email": "b"}, {"email": "c"}]})
        assert status == 207
        assert [result["index"] for result in results["results"]] == [0, 1]
        assert [each["email"] for each in server.kept()] == ["a@example.com", "b", "c"]
        counts = server.counts()
        assert (counts["reads"], counts["writes"], counts["contacts"]) == (3, 2, 3)


def test_server_with_a_limit_refuses_what_is_over_its_burst():
    with serving("--per-s", "0.001", "--burst", "2") as server:
        for _ in range(2):
            send(f"{server.address}/crm/contacts", {"email": "a"})
        with pytest.raises(HTTPError) as refused:
            send(f"{server.address}/crm/contacts", {"email": "a"})
        assert refused.value.code == 429
        assert int(refused.value.headers["Retry-After"]) >= 1
        assert server.counts()["refused"] == 1


def test_busiest_span_above_the_budget_is_found():
    """Burst + rate × time, over spans of any length."""
    server = Server(0, latency_s=0.0, bucket=Bucket(10.0, 5.0), keep=False)
    server.seen = [0.0] * 5 + [0.1 * each for each in range(1, 30)]
    assert server.over_budget() == pytest.approx(0.0)
    server.seen = [10.0 + 0.1 * each for each in range(20)] + [12.0] * 7
    assert server.over_budget() == pytest.approx(2.0)


def test_single_customer_is_the_one_of_the_pages():
    """What a delivery names is read by itself."""
    server = Server(500, latency_s=0.0, bucket=None, keep=False)
    head, body = server.reply(b"GET", b"/shop/customers/70000001007.json", b"").split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(body) == {"customer": customer("000001", 7)}
    assert server.reply(b"GET", b"/shop/customers/1.json", b"").startswith(b"HTTP/1.1 404")

"""Promises of `webhooks register` and `webhooks list`: what is missing is made, once; what is there stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.clock import SystemClock
from runtime.declare import Operation, Parameter, Registration
from runtime.engine.opened import Opened, opened
from runtime.errors import RequestRefused, TransportError
from runtime.registration import Registered, register, registrations, unregister
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import INTEGRATION

URL = "https://hooks.example.com"
POST = Operation(id="POST /webhooks.json", api="shopify", method="POST", path="/webhooks.json", body="json")
GET = Operation(id="GET /webhooks.json", api="shopify", method="GET", path="/webhooks.json")
DELETE = Operation(
    id="DELETE /webhooks/{id}",
    api="shopify",
    method="DELETE",
    path="/webhooks/{id}",
    parameters=(Parameter(argument="id", name="id", location="path", style="simple", explode=False, required=True),),
)
REGISTER = Registration(
    operation=POST,
    list=GET,
    body=((("webhook", "topic"), "{topic}"), (("webhook", "address"), "{url}"), (("webhook", "format"), "json")),
    records=("webhooks",),
    topic=("topic",),
    url=("address",),
)
TOPICS = INTEGRATION.webhooks[0].topics


class Vendor(Shopify):
    """A source with webhooks of its own."""

    def __init__(self) -> None:
        super().__init__(3)
        self.hooks: list[dict[str, Any]] = [{"id": 1, "topic": "orders/paid", "address": "https://other.example/x"}]
        self.loses = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "/webhooks" not in request.url.path:
            return super().__call__(request)
        self.requests.append(request)
        if request.method == "DELETE":
            before = len(self.hooks)
            self.hooks = [hook for hook in self.hooks if str(hook["id"]) != request.url.path.rpartition("/")[2]]
            if self.loses:
                self.loses = False
                raise httpx.ReadError("lost", request=request)
            return httpx.Response(200 if len(self.hooks) < before else 404, json={})
        if request.method == "GET":
            return httpx.Response(200, json={"webhooks": self.hooks})
        hook = json.loads(request.content)["webhook"]
        if any(each["topic"] == hook["topic"] and each["address"] == hook["address"] for each in self.hooks):
            return httpx.Response(422, json={"errors": {"address": ["for this topic has already been taken"]}})
        self.hooks.append({"id": len(self.hooks) + 1, **hook})
        if self.loses:
            self.loses = False
            raise httpx.ReadError("lost", request=request)
        return httpx.Response(201, json={"webhook": self.hooks[-1]})


@asynccontextmanager
async def opening(vendor: Vendor, folder: Path, how: Registration | None = REGISTER) -> AsyncIterator[Opened]:
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "hook", "DATABASE_URL": f"sqlite:///{folder / 's.db'}"}
    integration = replace(INTEGRATION, webhooks=(replace(INTEGRATION.webhooks[0], register=how),))
    transports = (httpx.MockTransport(vendor), httpx.MockTransport(Credo()))
    async with opened(integration, environ, transports=transports, clock=SystemClock()) as found:
        yield found


def states(found: list[Registered]) -> list[str]:
    return [each.state for each in found]


async def test_missing_ones_are_made_below_the_public_url_and_a_second_time_nothing_is(tmp_path: Path) -> None:
    vendor = Vendor()
    async with opening(vendor, tmp_path) as found:
        assert states(await registrations(found, URL)) == ["missing", "missing"]
        assert states(await register(found, f"{URL}/")) == ["made", "made"]
        assert vendor.hooks[1:] == [
            {"id": number, "topic": topic, "address": f"{URL}/webhooks/{topic}", "format": "json"}
            for number, topic in enumerate(TOPICS, 2)
        ]
        assert states(await register(found, URL)) == ["there", "there"]
        assert states(await registrations(found, URL)) == ["there", "there"]
    assert [each.method for each in vendor.requests].count("POST") == 2
    assert vendor.hooks[0]["topic"] == "orders/paid"


async def test_one_at_another_url_does_not_count(tmp_path: Path) -> None:
    vendor = Vendor()
    vendor.hooks.append({"id": 9, "topic": TOPICS[0], "address": "https://old.example/webhooks/" + TOPICS[0]})
    async with opening(vendor, tmp_path) as found:
        assert states(await register(found, URL)) == ["made", "made"]


async def test_lost_answer_is_looked_up_and_makes_no_second_one(tmp_path: Path) -> None:
    vendor = Vendor()
    vendor.loses = True
    async with opening(vendor, tmp_path) as found:
        assert states(await register(found, URL)) == ["made", "made"]
    assert len(vendor.hooks) == 3


async def test_one_registration_for_all_topics_names_them_all(tmp_path: Path) -> None:
    vendor = Vendor()
    how = replace(REGISTER, body=((("webhook", "topic"), "{topics}"), (("webhook", "address"), "{url}")))
    async with opening(vendor, tmp_path, how) as found:
        assert states(await register(found, URL)) == ["made"]
        assert vendor.hooks[1] == {"id": 2, "topic": list(TOPICS), "address": f"{URL}/webhooks/{TOPICS[0]}"}
        assert states(await register(found, URL)) == ["there"]


async def test_without_a_list_the_vendors_own_word_counts(tmp_path: Path) -> None:
    vendor = Vendor()
    async with opening(vendor, tmp_path, replace(REGISTER, list=None)) as found:
        assert states(await registrations(found, URL)) == ["not known", "not known"]
        assert states(await register(found, URL)) == ["made", "made"]


async def test_lost_answer_that_cannot_be_looked_up_is_told(tmp_path: Path) -> None:
    vendor = Vendor()
    vendor.loses = True
    async with opening(vendor, tmp_path, replace(REGISTER, list=None)) as found:
        with pytest.raises(TransportError) as caught:
            await register(found, URL)
    assert caught.value.may_have_acted


@pytest.mark.parametrize("url", [None, "", "http://hooks.example.com"])
async def test_url_that_no_vendor_should_be_told_is_refused(tmp_path: Path, url: str | None) -> None:
    vendor = Vendor()
    async with opening(vendor, tmp_path) as found:
        with pytest.raises(RequestRefused, match="PUBLIC_URL"):
            await register(found, url)
    assert vendor.requests == []


async def test_integration_that_does_not_say_how_is_refused(tmp_path: Path) -> None:
    async with opening(Vendor(), tmp_path, None) as found:
        with pytest.raises(RequestRefused, match="register"):
            await registrations(found, URL)


@pytest.mark.parametrize("loses", [False, True])
async def test_own_ones_are_removed_and_nothing_else_is(tmp_path: Path, loses: bool) -> None:
    """Also when an answer is lost: what is gone is gone. Another topic at our address was not asked for by us."""
    vendor = Vendor()
    async with opening(vendor, tmp_path, replace(REGISTER, delete=DELETE)) as found:
        await register(found, URL)
        others = {"id": 77, "topic": "orders/paid", "address": f"{URL}/webhooks/{TOPICS[0]}"}
        vendor.hooks.append(others)
        vendor.loses = loses
        assert states(await unregister(found, URL)) == ["removed", "removed"]
        assert states(await unregister(found, URL)) == ["missing", "missing"]
    assert [hook["id"] for hook in vendor.hooks] == [1, 77]


@pytest.mark.parametrize("how", [REGISTER, replace(REGISTER, delete=DELETE, list=None)], ids=["no-delete", "no-list"])
async def test_without_a_way_to_remove_them_it_is_said(tmp_path: Path, how: Registration) -> None:
    vendor = Vendor()
    async with opening(vendor, tmp_path, how) as found:
        with pytest.raises(RequestRefused, match="remove them at the vendor"):
            await unregister(found, URL)
    assert vendor.requests == []


async def test_one_that_does_not_say_what_it_is_called_is_not_guessed_at(tmp_path: Path) -> None:
    vendor = Vendor()
    async with opening(vendor, tmp_path, replace(REGISTER, delete=DELETE, identity=("name",))) as found:
        await register(found, URL)
        with pytest.raises(RequestRefused, match="does not say what it is called"):
            await unregister(found, URL)
    assert len(vendor.hooks) == 3

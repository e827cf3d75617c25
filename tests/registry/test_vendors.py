"""A vendor's API is known by host or title; what is known goes to the operations it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.registry.conftest import MakePlugin
from vitesse.api.model import Api, Operation, Place, Server
from vitesse.registry import Registry, load_registry, vendor_facts

_PLACE = Place(file="spec.yaml", pointer="#")
_VENDOR = """Vendor(
    name="acme", hosts=("*.acme.example",), titles=("acme books",),
    facts=(
        VendorFact(operation="*", fact=Fact(kind="rate_limit", value=RateLimit(per_s=3), confidence=0.9)),
        VendorFact(operation="PUT *", fact=Fact(kind="update_is", value="merge", confidence=0.9)),
    ),
),"""


def api(title: str = "Something", url: str = "https://other.example") -> Api:
    return Api(
        title=title,
        version="1",
        spec_file="spec.yaml",
        spec_version="3.1",
        servers=(Server(url=url, place=_PLACE),),
        operations=tuple(
            Operation(id=f"{method} /a", method=method, path="/a", place=_PLACE) for method in ("GET", "PUT")
        ),
    )


@pytest.fixture
def registry(make_plugin: MakePlugin, tmp_path: Path) -> Registry:
    folder = make_plugin(functions="", vendors=_VENDOR)
    return load_registry(["vitesse-loud"], tmp_path, folders=[folder])


@pytest.mark.parametrize(
    ("described", "base_url"),
    [
        (api(url="https://{shop}.acme.example/v1"), None),
        (api(url="https://SHOP.ACME.example:8443/v1"), None),
        (api(title="The  Acme Books API"), None),
        (api(), "https://shop.acme.example/v1"),
    ],
)
def test_facts_go_to_the_operations_they_are_about(registry: Registry, described: Api, base_url: str | None):
    found = vendor_facts(described, registry, base_url)
    assert [(operation, fact.kind) for operation, fact in found] == [
        ("GET /a", "rate_limit"),
        ("PUT /a", "rate_limit"),
        ("PUT /a", "update_is"),
    ]


@pytest.mark.parametrize(
    "described",
    [api(), api(url="https://acme.example.org"), api(url="https://a.example/x.acme.example"), api(title="Acme")],
)
def test_another_vendors_api_gets_nothing(registry: Registry, described: Api):
    assert vendor_facts(described, registry) == ()

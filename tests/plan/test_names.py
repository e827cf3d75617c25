"""`vitesse.plan.names`: outside text becomes safe, unique Python names."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitesse.plan.names import MAX_NAME, Scope, constant, pascal, singular, snake, words


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("defaultAddress_ID", "default_address_id"),
        ("id", "id"),
        ("type", "type"),
        ("from", "from_"),
        ("date", "date_"),
        ("48x48", "field_48x48"),
        ("", "field"),
        ('billingWeight"', "billing_weight"),
        ("app.site_name", "app_site_name"),
        ("@libre.graph.weight", "libre_graph_weight"),
        ("naïve", "naive"),
        ("名前", "field"),
        ("__class__", "class_"),
        ("model_dump", "model_dump_"),
        ("iDealConsumerIBAN", "i_deal_consumer_iban"),
    ],
)
def test_snake_for_a_field_is_an_identifier_that_shadows_nothing_it_must_not(text, name):
    """`id` and `type` stay as people know them; what annotations or pydantic need is stepped around."""
    assert snake(text, otherwise="field", inner=True) == name


@given(st.text(max_size=200))
def test_every_text_becomes_a_short_ascii_identifier(text):
    """Nothing that a vendor writes gets into code as it is."""
    for name in (
        snake(text, otherwise="field"),
        snake(text, otherwise="field", inner=True),
        pascal(text, otherwise="Model"),
        constant(text, otherwise="value"),
    ):
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)
        assert not name.startswith("_")
        assert len(name) <= MAX_NAME + 1


def test_scope_when_names_collide_numbers_them_in_the_order_of_asking():
    """The order of the input decides, and nothing else."""
    scope = Scope()
    assert [scope.claim(name) for name in ("iban", "iban", "name", "iban")] == ["iban", "iban_2", "name", "iban_3"]


def test_scope_for_files_ignores_case():
    """`Customer.py` and `customer.py` are one file on some machines."""
    scope = Scope(ignore_case=True)
    assert scope.claim("Customer") == "Customer"
    assert scope.claim("customer") == "customer_2"


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("customers", "customer"),
        ("addresses", "address"),
        ("companies", "company"),
        ("status", "status"),
        ("boxes", "box"),
    ],
)
def test_singular_of_a_resource_name(plural, one):
    """Names of models read as one record."""
    assert singular(plural) == one


def test_words_cut_camel_case_and_signs():
    """The parts of a name as a person hears them."""
    assert words("createdAt-HTTPServer_x2") == ["created", "at", "http", "server", "x2"]

"""The examples that show records that refer to others, records that are gone, and two sides that live: their packages pass their own
tests."""

from __future__ import annotations

import pytest

from tests.shared import REPOSITORY, prove_by_its_own_tests
from vitesse.manifest import load_manifest

STORIES = ("shop_books", "shop_depot", "shopify_atelier")


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_package_of_a_story_passes_its_prove_by_its_own_tests(name: str) -> None:
    """On its mocks: lookups, parents, deletes, the brake, batches, webhooks, comparing and mending; streams that go both ways."""
    prove_by_its_own_tests(REPOSITORY / "generated" / name)


def test_stories_use_what_they_are_there_to_show() -> None:
    books, depot = (load_manifest(REPOSITORY / "examples" / name) for name in STORIES[:2])
    orders, customers = books.streams["orders"], books.streams["customers"]
    assert (orders.parents, customers.duplicates) == ("fetch", "first")
    assert orders.removes is not None
    assert (orders.removes.mode, orders.removes.by) == ("soft", "tombstone")
    stock, locations = depot.streams["stock"], depot.streams["locations"]
    assert stock.destination.batch_update is not None
    assert [found.mode for found in (stock.removes, locations.removes) if found is not None] == ["hard", "soft"]
    [webhook] = depot.webhooks
    assert webhook.deleted_topics
    assert webhook.register_ is not None
    assert webhook.register_.list is not None

"""Pairs of published specs, from an integration's folder to two runs of its package on its mocks.

Needs the published test data (see `tests/shared.py`). `make pairs` does the same for any file of pairs and prints a table.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.published.folders import Pair
from tests.published.page import PAGE, committed, page
from tests.published.pairs import MAPPINGS, read_pairs
from tests.published.steps import Row, Setup, prove
from tests.shared import REPOSITORY, SHARED, needs_shared

SPECS = SHARED / "specs"
PAIRS = {pair.id: pair for pair in read_pairs(SPECS / "pairs.json")} if (SPECS / "pairs.json").is_file() else {}

# OpenAPI 3.0 and 3.1 and Swagger 2.0, one file and several, JSON and forms of JSON:API, all styles of paging, `custom/` functions.
WHOLE = (
    "shopify-customers-to-hubspot-contacts",
    "stripe-customers-to-hubspot",
    "shopify-products-to-bigcommerce",
    "bigcommerce-customers-to-klaviyo",
    "asana-tasks-to-notion-pages",
    "onfido-applicants-to-kratos",
    "amazon-catalog-to-shopify-products",
)


def proved(pair: Pair, work: Path, until: str) -> Row:
    home = REPOSITORY / "build" / "pairs"
    home.mkdir(parents=True, exist_ok=True)
    return prove(pair, Setup(specs=SPECS, mappings=MAPPINGS, home=home, work=work, count=60, until=until))


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("id", WHOLE)
def test_pair_builds_installs_imports_is_well_typed_passes_its_tests_and_syncs(id: str, tmp_path: Path):
    """Without Vitesse beside it; the second run writes nothing."""
    row = proved(PAIRS[id], tmp_path, "sync")
    assert row.ok, f"{row.failed_at}: {row.note}"
    first, second = row.runs
    assert first["read"] == 60
    assert first["written"] > 50
    assert second["written"] == 0


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("id", sorted(PAIRS))
def test_pair_is_pinned_accepted_and_compiled(id: str, tmp_path: Path):
    """With the facts that are inferred and the lines that a person has to state."""
    row = proved(PAIRS[id], tmp_path, "build")
    assert row.ok, f"{row.failed_at}: {row.note}"


@needs_shared
def test_every_pair_has_an_integration_that_a_person_wrote():
    written = {file.parent.name for file in MAPPINGS.glob("*/integration.yaml")}
    assert sorted(written) == sorted(PAIRS)


def test_mappings_hold_nothing_of_the_specs():
    """Names of fields and operations; the specs themselves are pinned where they are used."""
    assert list(MAPPINGS.glob("*/specs")) == []
    assert [file for file in MAPPINGS.rglob("*") if file.is_file() and file.stat().st_size > 10_000] == []


def test_page_is_what_the_committed_results_give():
    """Changed results, or a figure typed by hand, need `python -m tests.published.page`."""
    assert PAGE.read_text("utf-8") == page(committed())


def test_committed_results_hold_for_all_pairs_that_have_a_mapping():
    written = {file.parent.name for file in MAPPINGS.glob("*/integration.yaml")}
    for name, result in committed().items():
        assert {row["pair"] for row in result["rows"]} == written, name
        assert [row["pair"] for row in result["rows"] if not row["ok"]] == [], name


# --- the tool itself, on the specs of the examples --------------------------------------------------------------------

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"
OWN = Pair(
    id="shop-to-crm",
    source_spec="shopify.yaml",
    source_operation="GET /customers.json",
    dest_spec="credo.json",
    dest_operation="POST /contacts",
    intent="Keep the contacts as the customers are",
)


def own(work: Path, mappings: Path | None, until: str = "build") -> Row:
    return prove(OWN, Setup(specs=EXAMPLE / "specs", mappings=mappings, home=work, work=work / "work", until=until))


@pytest.mark.slow
def test_pair_without_a_mapping_is_built_from_what_is_proposed(tmp_path: Path):
    row = own(tmp_path, None)
    assert row.ok, f"{row.failed_at}: {row.note}"
    assert row.proposal is not None
    assert "customers.email" in row.proposal.accepted
    assert row.proposal.rules == len(row.proposal.accepted) + len(row.proposal.read)
    mapping = (tmp_path / "work" / OWN.id / "integration" / OWN.id / "mappings" / "customers.yaml").read_text()
    assert "from: email" in mapping


@pytest.mark.slow
def test_pair_with_one_mapping_file_is_built_from_it(tmp_path: Path):
    """The stream takes the name that the file gives it."""
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    text = "vitesse: 1\nstream: people\nrules:\n  email: {from: email, transform: direct, on_missing: dead, on_null: dead}\n"
    (mappings / f"{OWN.id}.yaml").write_text(text)
    row = own(tmp_path, mappings)
    assert row.ok, f"{row.failed_at}: {row.note}"
    assert (tmp_path / "work" / OWN.id / "generated" / OWN.id / "MAPPING.md").read_text().count("## people") == 1


def test_pair_whose_mapping_does_not_hold_says_so_in_its_row(tmp_path: Path):
    """A person's rules are not changed to make them compile."""
    written = tmp_path / "mappings" / OWN.id
    shutil.copytree(EXAMPLE, written, ignore=shutil.ignore_patterns("specs", "*.review.json"))
    manifest = written / "integration.yaml"
    manifest.write_text(manifest.read_text().replace("plugins: [vitesse-shopify]\n", "").split("webhooks:")[0])
    file = written / "mappings" / "customers.yaml"
    file.write_text(file.read_text().replace("from: last_name", "from: lastname"))
    row = own(tmp_path, tmp_path / "mappings")
    assert (row.ok, row.failed_at) == (False, "build")
    assert row.note.startswith("error[V411]: `lastname`")


def test_pair_whose_spec_is_not_there_says_so_in_its_row(tmp_path: Path):
    pair = Pair(
        id="lost", source_spec="lost.yaml", source_operation="GET /a", dest_spec="credo.json", dest_operation="POST /b"
    )
    row = prove(pair, Setup(specs=EXAMPLE / "specs", mappings=None, home=tmp_path, work=tmp_path / "work"))
    assert (row.failed_at, row.note) == ("folder", "there is no spec lost.yaml")

"""From a line of a package to what stands behind it; and plain words for lines behind which no rule stands."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import run

from .gates import CONTACT, small

GENERATED = REPOSITORY / "generated"
SHOPIFY = GENERATED / "shopify_credo" / "src" / "shopify_credo"
TRACKER = GENERATED / "tracker_ledger" / "src" / "tracker_ledger"


def line_of(path: Path, text: str) -> str:
    lines = path.read_text().splitlines()
    return f"{path}:{next(number for number, line in enumerate(lines, 1) if text in line)}"


def traces(where: str, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    assert run(["why", where, "--json", *more]) == 0, capsys.readouterr().err
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["traces"]
    return found


@pytest.mark.parametrize(
    ("path", "text", "rules"),
    [
        (SHOPIFY / "mappers/customers.py", "lifetime_value=", ["lifetime_value"]),
        (SHOPIFY / "mappers/customers.py", "marketing_opt_in=", ["marketing_opt_in"]),
        (SHOPIFY / "models/credo_contact.py", "phone_number:", ["phone_number"]),
        (SHOPIFY / "models/shopify_customer.py", "phone:", ["phone_number"]),
        (SHOPIFY / "custom/consent.py", "return state", ["marketing_opt_in"]),
        (GENERATED / "shopify_credo" / "MAPPING.md", "| `email`", ["email"]),
        (GENERATED / "shopify_credo" / "MAPPING.md", "| `marketing_opt_in`", ["marketing_opt_in"]),
        (TRACKER / "mappers/time_entries.py", '"rejected": "blocked"', ["state"]),
        (TRACKER / "mappers/time_entries.py", "amount=if_null", ["unit_price.amount"]),
        (
            TRACKER / "mappers/time_entries.py",
            "unit_price=ChargeUnitPrice",
            ["unit_price.amount", "unit_price.currency"],
        ),
        (TRACKER / "mappers/time_entries.py", "minutes=it.minutes", ["deductions[].minutes"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_of_a_line_names_its_rules(
    path: Path, text: str, rules: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind of file that holds mapped fields, down to lines inside one field's expression."""
    found = traces(line_of(path, text), capsys)
    assert [one["rule"] for one in found if one["is"] == "rule"] == rules


def test_why_of_every_field_of_the_examples_mappers_is_the_rule_that_mapping_md_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No field of a mapper is without a rule."""
    path = SHOPIFY / "mappers" / "customers.py"
    lines = path.read_text().splitlines()
    start = next(number for number, line in enumerate(lines, 1) if line.startswith("    return "))
    end = next(number for number, line in enumerate(lines, 1) if line == "    )")
    for number in range(start + 1, end):
        (one,) = traces(f"{path}:{number}", capsys)
        assert lines[number - 1].strip().startswith(f"{one['rule']}=")
        assert one["review"]["status"] == "accepted"


def test_why_shows_rule_sample_losses_places_and_review(capsys: pytest.CaptureFixture[str]) -> None:
    """With line numbers that can be clicked, in the mapping, both specs and the review."""
    assert run(["why", line_of(SHOPIFY / "mappers/customers.py", "lifetime_value=")]) == 0
    text = capsys.readouterr().out
    example = REPOSITORY / "examples" / "shopify_credo"
    for file, part in (
        ("mappings/customers.yaml", "  lifetime_value:"),
        ("specs/shopify.yaml", "        total_spent:"),
        ("mappings/customers.review.json", '    "lifetime_value": {'),
    ):
        number = (example / file).read_text().splitlines().index(part) + 1
        assert f"{file}:{number}" in text
    assert "specs/credo.json:" in text
    assert '"1249.90" → 1249.90' in text
    assert "because: the CRM stores two places" in text
    assert "accepted by maintainers on 2026-11-21" in text


@pytest.mark.parametrize("text", ["CREATE_CONTACT = ", "async def create_contact"])
def test_why_of_a_client_names_the_operation_its_facts_and_streams(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A constant or a method."""
    (one,) = traces(line_of(SHOPIFY / "clients/credo.py", text), capsys)
    assert (one["is"], one["operation"], one["streams"]) == ("operation", "POST /contacts", ["customers"])
    assert one["at"].startswith("specs/credo.json:")
    assert "idempotency" in [fact["fact"] for fact in one["facts"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("return identity_text(", "names a record"),
        ("def source_version", "orders the states"),
        ("def match_email", "records match"),
    ],
)
def test_why_of_a_reader_names_the_manifests_line(text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Identity, version and match are not rules; they are in integration.yaml."""
    (one,) = traces(line_of(SHOPIFY / "mappers/customers.py", text), capsys)
    assert one["is"] == "manifest"
    assert told in one["told"]
    assert one["at"].startswith("integration.yaml:")


def test_why_of_a_proposed_rule_shows_what_proposed_it_and_the_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when a person changed it afterwards."""
    folder = small(tmp_path / "integrations" / "small", {})
    assert run(["map", str(folder)]) == 0
    mapping = folder / "mappings" / "people.yaml"
    text = mapping.read_text()
    assert "  mail:" in text
    waived = "".join(f"  {name}: no\n" for name in CONTACT["properties"] if name != "id" and f"\n  {name}:" not in text)
    mapping.write_text(f"{text}waive:\n{waived}")
    for line in [line for line in mapping.read_text().splitlines() if "map: {" in line]:
        mapping.write_text(
            mapping.read_text().replace(line, "    with: {map: {on: active, off: inactive}, default: inactive}")
        )
    run(["accept", str(folder), "--all", "--by", "ana"])
    out = tmp_path / "generated"
    assert run(["build", str(folder), "--out", str(out), "--draft"]) == 0
    capsys.readouterr()
    mapper = out / "small" / "src" / "small" / "mappers" / "people.py"
    (one,) = traces(line_of(mapper, " mail="), capsys)
    assert one["proposed"]["as_it_stands"]
    assert one["proposed"]["confidence"] > 0.3
    assert one["proposed"]["evidence"]
    assert one["review"] == {"status": "accepted", "by": "ana", "on": one["review"]["on"]}
    assert run(["why", line_of(mapper, " mail=")]) == 0
    assert "evidence" in capsys.readouterr().out
    mapping.write_text(mapping.read_text().replace("from: email", "from: email\n    on_missing: dead"))
    assert run(["why", line_of(mapper, " mail=")]) == 0
    said = capsys.readouterr()
    assert "then changed by hand" in said.out
    assert "edited since ana looked at it" in said.out
    assert "the integration changed since the package was built (mappings/people.yaml)" in said.err


# --- lines without an answer ------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the example's package beside its integration."""
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", tmp_path / "integrations" / "shopify_credo")
    target = tmp_path / "generated" / "shopify_credo"
    shutil.copytree(GENERATED / "shopify_credo", target)
    return target


def refused(where: str, code: str, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert run(["why", where, *more]) == 1
    text = capsys.readouterr().err
    assert f"error[{code}]" in text
    assert "help:" in text
    return text


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("src/shopify_credo/mappers/customers.py", 1, "below `return`"),
        ("src/shopify_credo/mappers/customers.py", 12, "below `return`"),
        ("src/shopify_credo/_runtime/client.py", 3, "the same in every package"),
        ("src/shopify_credo/models/credo_contact.py", 1, "a line with a field"),
        ("src/shopify_credo/clients/credo.py", 3, "a line of an operation"),
        ("tests/test_mapping.py", 3, "the tests are the same"),
        ("README.md", 1, "`integration.yaml`"),
        ("MAPPING.md", 1, "`MAPPING.md`"),
        ("src/shopify_credo/mappers/customers.py", 9999, "lines, not 9999"),
        ("src/shopify_credo/mappers/customers.py", 0, "lines, not 0"),
    ],
)
def test_why_of_a_line_that_no_rule_made_says_where_to_look(
    file: str, line: int, said: str, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V437."""
    assert said in refused(f"{package / file}:{line}", "V437", capsys)


def test_why_of_a_file_that_is_not_ours_says_so(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V436: beside the generated ones, or in no package."""
    own = package / "src" / "shopify_credo" / "mine.py"
    own.write_text("x = 1\n")
    assert "does not list it" in refused(f"{own}:1", "V436", capsys)
    assert "the lock itself" in refused(f"{package / 'vitesse.lock'}:1", "V436", capsys)
    loose = tmp_path / "loose.py"
    loose.write_text("x = 1\n")
    assert "in no package" in refused(f"{loose}:1", "V436", capsys)


def test_why_of_an_edited_file_says_that_its_lines_are_not_ours(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V701."""
    path = package / "src" / "shopify_credo" / "mappers" / "customers.py"
    path.write_text(path.read_text() + "\n")
    assert "was edited by hand" in refused(f"{path}:22", "V701", capsys)


def test_why_finds_the_integration_or_is_told_it(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V438 when none or several of the name are near."""
    where = line_of(package / "src/shopify_credo/mappers/customers.py", " email=")
    (one,) = traces(where, capsys)
    assert one["rule"] == "email"
    monkeypatch.chdir(tmp_path)
    (one,) = traces(os.path.relpath(where.rpartition(":")[0], tmp_path) + ":" + where.rpartition(":")[2], capsys)
    assert one["rule"] == "email"
    shutil.copytree(tmp_path / "integrations" / "shopify_credo", tmp_path / "old" / "shopify_credo")
    refused(where, "V438", capsys)
    (one,) = traces(where, capsys, "--integration", str(tmp_path / "old" / "shopify_credo"))
    assert one["rule"] == "email"
    shutil.rmtree(tmp_path / "old")
    shutil.rmtree(tmp_path / "integrations")
    (tmp_path / ".git").mkdir()
    refused(where, "V438", capsys)


@pytest.mark.parametrize("where", ["customers.py", "customers.py:x", ":3", "not_there.py:3"])
def test_why_of_no_place_is_usage(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    assert run(["why", where]) == 2
    assert "FILE:LINE" in capsys.readouterr().err

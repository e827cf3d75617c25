"""`vitesse.workflow.diff`: what a pull request changes, in words."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
from vitesse.workflow.diff import diff_integration
from vitesse.workflow.diff_words import render_diff


@pytest.fixture
def folder(tmp_path):
    """The flagship example in a repository of its own, committed."""
    copy = tmp_path / "shopify_credo"
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", copy)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", "-C", str(copy), *identity, *arguments], check=True)
    return copy


def test_diff_when_nothing_changed_is_empty(folder):
    """Silence means that there is nothing to read."""
    assert diff_integration(folder).is_empty


def test_diff_of_an_edited_option_names_rule_option_before_and_after(folder):
    """A reviewer reads the change without reading YAML."""
    mapping = folder / "mappings" / "customers.yaml"
    mapping.write_text(mapping.read_text().replace("places: 2", "places: 4"))
    text = render_diff(diff_integration(folder).rules)
    assert "lifetime_value" in text
    assert "2" in text
    assert "4" in text


def test_diff_of_an_edited_fact_shows_both_values(folder):
    """Facts are decisions too."""
    facts = folder / "facts" / "shopify.yaml"
    facts.write_text(facts.read_text().replace("per_s: 2", "per_s: 4"))
    (change,) = diff_integration(folder).facts
    assert (change.operation, change.kind) == ("GET /customers.json", "rate_limit")
    assert '"per_s": 4' in change.in_words()


def test_diff_against_a_revision_that_is_not_there_says_so(folder):
    """V010: no traceback for a slip in a branch name."""
    with pytest.raises(DiagnosticError) as caught:
        diff_integration(folder, "no-such-branch")
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["V010"]


def edit(path, *pairs):
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)


def test_diff_shows_samples_reviews_and_what_is_left_out_on_both_sides(folder, capsys):
    """All that the reviewer of a pull request wants to know, without a look at the files."""
    edit(
        folder / "mappings" / "customers.yaml",
        ("places: 2", "places: 1"),
        ('  segments:\n    from: tags\n    transform: collect\n    with: {separator: ","}\n', ""),
        ("waive:\n  status", "  notes:\n    from: note\n    transform: mapping\nwaive:\n  status"),
        ("  notes: kept by the sales team\n", ""),
    )
    assert run(["diff", str(folder)]) == 0
    assert capsys.readouterr().out == (
        "customers: 1 rule added, 1 removed, 1 changed, 1 waiver changed\n"
        "  ~ lifetime_value\n"
        "      with places: 2 → 1\n"
        '      sample before: "1249.90" → 1249.90\n'
        '      sample now: "1249.90" → 1249.9\n'
        "      review: edited since maintainers looked at it on 2026-11-21\n"
        "  + notes: `mapping` of `note`\n"
        '      sample: "Prefers delivery in the evening." → "Prefers delivery in the evening."\n'
        "      review: nobody has looked at it\n"
        '  - segments: `collect` of `tags` (separator=",")\n'
        '      sample before: "vip, newsletter, wholesale" → ["vip", "newsletter", "wholesale"]\n'
        "  - waiver notes: kept by the sales team → (removed)\n"
        "  not filled in Credo CRM: segments\n"
        "  not read from Shopify: id, admin_graphql_api_id, state, verified_email, tags, currency, orders_count, last_order_id,"
        " last_order_name, tax_exempt, tax_exemptions, multipass_identifier, accepts_marketing, accepts_marketing_updated_at,"
        " marketing_opt_in_level, email_marketing_consent.opt_in_level, email_marketing_consent.consent_updated_at,"
        " sms_marketing_consent, default_address, addresses, updated_at\n"
    )


def test_diff_of_a_vendors_release_names_the_fields_that_came_went_and_changed(folder, capsys):
    """Also when the mapping is as it was; and which rules touch them."""
    edit(
        folder / "specs" / "shopify.yaml",
        ("        currency:", "        loyalty_tier: {type: string, enum: [gold, silver]}\n        currency:"),
        ("        email:\n          type: [string, \"null\"]\n          format: email\n          maxLength: 254",
         "        email:\n          type: [string, \"null\"]\n          format: email\n          maxLength: 320"),
    )  # fmt: skip
    assert run(["diff", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "customers: 2 fields of Shopify changed" in text
    assert "  + Shopify: loyalty_tier: string, one of gold, silver (not read)" in text
    assert "  ~ Shopify: email: " in text
    assert "at most 254 characters → " in text
    assert "(used by email)" in text


def test_diff_of_a_spec_that_cannot_be_read_any_more_still_shows_the_rules(folder, capsys):
    """With a note on what is left out, and why."""
    edit(folder / "mappings" / "customers.yaml", ("places: 2", "places: 1"))
    (folder / "specs" / "shopify.yaml").write_text("no description")
    assert run(["diff", str(folder)]) == 0
    said = capsys.readouterr()
    assert "with places: 2 → 1" in said.out
    assert "samples and fields are left out" in said.err


def test_diff_for_github_prints_annotations_and_writes_the_jobs_summary(folder, capsys, tmp_path, monkeypatch):
    """At the line of the rule; a warning where nobody stands behind it."""
    edit(folder / "mappings" / "customers.yaml", ("places: 2", "places: 1"))
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert run(["diff", str(folder), "--format", "github"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    number = (folder / "mappings" / "customers.yaml").read_text().splitlines().index("  lifetime_value:") + 1
    assert line.startswith(
        f"::warning file=mappings/customers.yaml,line={number},title=mapping of customers::changed lifetime_value"
    )
    assert '%0Asample now: "1249.90" → 1249.9%0Areview: edited since' in line
    text = summary.read_text()
    assert text.startswith("before\n## Mapping of shopify_credo\n")
    assert '| `lifetime_value` | sample | `"1249.90" → 1249.90` | `"1249.90" → 1249.9` |' in text
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert run(["diff", str(folder), "--format", "github"]) == 0
    assert "### customers" in capsys.readouterr().out


def test_diff_of_an_integration_below_the_repositorys_top_names_files_from_there(folder, tmp_path, capsys):
    """Where a CI service looks for them, wherever the command runs."""
    top = tmp_path / "top"
    (top / "integrations").mkdir(parents=True)
    shutil.copytree(folder, top / "integrations" / "small", ignore=shutil.ignore_patterns(".git"))
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", "-C", str(top), *identity, *arguments], check=True)
    edit(top / "integrations" / "small" / "mappings" / "customers.yaml", ("places: 2", "places: 1"))
    assert run(["diff", str(top / "integrations" / "small"), "--format", "github"]) == 0
    assert "file=integrations/small/mappings/customers.yaml,line=" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "markdown", "github"])
def test_diff_of_hostile_text_stays_text_in_every_form(folder, capsys, form, monkeypatch):
    """Paths, values, reasons and examples come from outside: no command, no markup, no escape sequence comes of them."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    evil = "##[error]x](https://evil.example) <img src=x> | ` @all %0A::error::y \\u001b[31m \\u202e \\n::warning::z"
    edit(
        folder / "specs" / "shopify.yaml",
        ("        currency:", f'        "{evil}": {{type: string, enum: ["{evil}"]}}\n        currency:'),
    )
    edit(
        folder / "mappings" / "customers.yaml",
        ('with: {separator: ","}', f'with: {{separator: "{evil}"}}'),
        ("owner_id: set by the CRM", f'owner_id: "{evil}"'),
    )
    assert run(["diff", str(folder), "--format", form]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not [line for line in text.splitlines() if line.startswith(("::error", "::warning::"))]
    assert not [line for line in text.splitlines() if line.startswith("::") and "%0A::error" in line]
    assert form == "text" or not [line for line in text.splitlines() if not line.startswith("::") and "##[" in line]
    if form == "markdown":
        import re

        outside_code = re.sub(r"`[^`]*`|<code>.*?</code>", "", re.sub(r"\\.", "", text))
        assert "<img" not in outside_code
        assert "](" not in outside_code
        assert "https://" not in outside_code
        assert "@all" not in outside_code
        assert all(len(re.findall(r"\|", line)) == 6 for line in outside_code.splitlines() if line.startswith("|"))


def test_diff_as_json_has_samples_fields_and_what_is_left(folder, capsys):
    """The same for a machine."""
    edit(folder / "mappings" / "customers.yaml", ("places: 2", "places: 1"))
    assert run(["diff", str(folder), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (rule,) = found["rules"]
    assert (rule["sample_before"], rule["sample_after"]) == ('"1249.90" → 1249.90', '"1249.90" → 1249.9')
    assert found["left"][0]["unread"][0] == "id"

"""`check`: what a folder differs in, in words and as a diff, without writing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.output.conftest import build
from tests.render.plans import plan
from vitesse.output import check_package, write_package
from vitesse.package import LOCK
from vitesse.verify import VerifiedPackage


def test_package_as_built_holds(verified: VerifiedPackage, tmp_path: Path):
    write_package(verified, tmp_path)
    report = check_package(verified, tmp_path)
    assert (report.diagnostics, report.diff, report.holds) == ((), "", True)


def test_stale_edited_and_missing_files_are_told_apart(
    verified: VerifiedPackage, smaller: VerifiedPackage, tmp_path: Path
):
    write_package(verified, tmp_path)
    (tmp_path / "tox.ini").write_text("mine\n")
    (tmp_path / "Dockerfile").unlink()
    report = check_package(smaller, tmp_path)
    told = {found.places[0].file: found.code for found in report.diagnostics}
    assert told["tox.ini"] == "V701"
    assert told["Dockerfile"] == "V706"
    assert told["MAPPING.md"] == told[LOCK] == told["src/shopify_credo/custom/dates.py"] == "V705"
    assert not report.holds
    assert "-Sync all customers from Shopify to Credo CRM\n+Sync customers\n" in report.diff
    assert LOCK not in report.diff, "its digests would drown the change"


def test_draft_does_not_hold(tmp_path: Path):
    package = build(replace(plan(), draft=("customers.email",)))
    write_package(package, tmp_path)
    report = check_package(package, tmp_path)
    assert [found.code for found in report.diagnostics] == ["V707"]
    assert "`customers.email`" in report.diagnostics[0].notes[0]


def test_package_of_another_version_says_which_to_install_and_shows_no_diff(verified: VerifiedPackage, tmp_path: Path):
    write_package(verified, tmp_path)
    lock = (tmp_path / LOCK).read_text()
    (tmp_path / LOCK).write_text(lock.replace('"vitesse": "0.1.0"', '"vitesse": "0.0.9"'))
    (tmp_path / "tox.ini").write_text("stale\n")
    report = check_package(verified, tmp_path)
    assert [found.code for found in report.diagnostics] == ["V704"]
    assert "vitesse==0.0.9" in (report.diagnostics[0].help or "")
    assert report.diff == ""

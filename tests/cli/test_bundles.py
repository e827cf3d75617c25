"""`--folder`: descriptions whose root file lies deeper than what it refers to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import run

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"
SHOPIFY, CREDO = EXAMPLE / "specs" / "shopify.yaml", EXAMPLE / "specs" / "credo.json"


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    """Credo's description as a vendor may publish it: the root in one folder, a schema in the folder beside it."""
    folder = tmp_path / "vendor"
    (folder / "api").mkdir(parents=True)
    (folder / "schemas").mkdir()
    spec = json.loads(CREDO.read_text())
    name = next(name for name in spec["components"]["schemas"] if "Contact" in name)
    text = json.dumps(spec["components"]["schemas"].pop(name))
    (folder / "schemas" / "part.json").write_text(text.replace('"#/', '"../api/openapi.json#/'))
    spec["components"]["schemas"][name] = {"$ref": "../schemas/part.json"}
    (folder / "api" / "openapi.json").write_text(json.dumps(spec))
    return folder


def test_inspect_without_the_folder_names_what_leads_out_and_with_it_reads_all(vendor, capsys):
    """What a reference may not leave is the root's folder, unless a person says a wider one."""
    root = str(vendor / "api" / "openapi.json")
    assert run(["inspect", root, "--json"]) == 3
    assert "V111" in capsys.readouterr().out
    assert run(["inspect", root, "--folder", str(vendor), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == ["api/openapi.json", "schemas/part.json"]


def test_create_keeps_the_files_of_the_folder_and_builds_on_them(vendor, tmp_path, capsys):
    """Only the description that lies in the folder is widened."""
    new = tmp_path / "new"
    options = ["--source", str(SHOPIFY), "--destination", f"credo={vendor / 'api' / 'openapi.json'}"]
    options += ["--stream", "GET /customers.json=POST /contacts", "--intent", "Sync", "--dir", str(new)]
    assert run(["create", "shopify-credo", *options, "--folder", str(vendor)]) == 0
    assert "spec: credo/api/openapi.json" in (new / "integration.yaml").read_text()
    assert (new / "specs" / "credo" / "schemas" / "part.json").is_file()
    assert run(["ingest", str(new)]) == 0


def test_ingest_pins_from_the_folder(vendor, tmp_path):
    """A new version in several files replaces the pinned one as it lies in the folder."""
    copy = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, copy)
    manifest = copy / "integration.yaml"
    manifest.write_text(
        manifest.read_text().replace("  api: credo\n", "  api: credo\n  spec: credo/api/openapi.json\n")
    )
    assert "spec: credo/api" in manifest.read_text()
    spec = f"credo={vendor / 'api' / 'openapi.json'}"
    assert run(["ingest", str(copy), "--spec", spec, "--folder", str(vendor)]) == 0
    assert (copy / "specs" / "credo" / "schemas" / "part.json").is_file()


def test_a_folder_that_no_spec_lies_in_is_usage(tmp_path, capsys):
    """A mistyped folder does not silently do nothing."""
    assert run(["inspect", str(CREDO), "--folder", str(tmp_path)]) == 2
    assert "lies in" in capsys.readouterr().err

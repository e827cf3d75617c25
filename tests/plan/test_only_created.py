"""Mapped fields that an update has no place for, the whole way: description, package, what the reviewer reads."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.shared import REPOSITORY
from vitesse.cli.group import run


def moved(text: str, line: str, required: str) -> str:
    """A field that is taken from what updates take, and stays in what creations take."""
    assert text.count(line) == 1
    assert text.count(required) == 1
    name, schema = line.strip().split(": ", 1)
    return text.replace(line, "").replace(required, f"{required}, properties: {{{name}: {schema}}}")


def test_update_and_batch_of_updates_leave_out_what_only_creations_take(tmp_path: Path) -> None:
    folder = tmp_path / "shop_depot"
    shutil.copytree(REPOSITORY / "examples" / "shop_depot", folder)
    spec = folder / "specs" / "depot.yaml"
    line = '        article: {type: [string, "null"]}\n'
    spec.write_text(moved(spec.read_text("utf-8"), line, "required: [external_key, warehouse_id, on_hand]"), "utf-8")
    assert run(["build", str(folder), "--out", str(tmp_path / "package")]) == 0
    [package] = [each.parent for each in (tmp_path / "package").rglob("pyproject.toml")]
    client = (package / "src" / "shop_depot" / "clients" / "depot.py").read_text("utf-8")
    create, update, many = (
        client.partition(f'id="{id}"')[2].partition("\n)")[0]
        for id in ("POST /stock", "PATCH /stock/{entry_id}", "PATCH /stock/batch")
    )
    assert "not_taken" not in create
    assert 'not_taken=(("article",),)' in update
    assert 'not_taken=(("entries", 0, "article"),)' in many
    [row] = [
        line for line in (package / "MAPPING.md").read_text("utf-8").splitlines() if line.startswith("| `article`")
    ]
    assert "written when the record is created; PATCH /stock/" in row

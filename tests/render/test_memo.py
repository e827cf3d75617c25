"""Kept answers: never another package, only less work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.render.plans import plan
from vitesse.package import RenderedPackage
from vitesse.render import render_package
from vitesse.render.memo import Memo


def test_package_is_the_same_with_and_without_a_memo(rendered: RenderedPackage, template: Path, tmp_path: Path):
    assert render_package(plan(), template, memo=tmp_path) == rendered
    assert render_package(plan(), template, memo=tmp_path) == rendered
    assert list(tmp_path.iterdir())


def test_second_build_asks_neither_tool(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    render_package(plan(), template, memo=tmp_path)
    for tool in ("black", "datamodel_code_generator"):
        monkeypatch.setitem(sys.modules, tool, None)
    render_package(plan(), template, memo=tmp_path)


def test_answer_is_made_once_for_each_tool_option_and_text(tmp_path: Path):
    memo, asked = Memo(tmp_path), []

    def answer(value: str) -> str:
        asked.append(value)
        return value

    for _ in range(2):
        for options, given in (("1", "a"), ("2", "a"), ("1", "b")):
            assert memo.text("black", options, given, lambda value=given + options: answer(value)) == given + options
    assert asked == ["a1", "a2", "b1"]


@pytest.mark.parametrize("damage", [b"", b"cut", b"\xff\xfe", b"0" * 64 + b"\nother"])
def test_damaged_answer_is_made_again(tmp_path: Path, damage: bytes):
    memo = Memo(tmp_path)
    memo.text("black", "", "x", lambda: "good")
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(damage)
    assert memo.text("black", "", "x", lambda: "good") == "good"
    assert memo.text("black", "", "x", lambda: "not asked") == "good"


def test_folder_that_cannot_be_written_is_done_without(tmp_path: Path):
    (tmp_path / "file").touch()
    assert Memo(tmp_path / "file" / "below").text("black", "", "x", lambda: "made") == "made"

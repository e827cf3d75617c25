"""The pages hold together: links lead somewhere, the index names every page, and commands that are told exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import group

PAGES = sorted(
    path
    for path in (
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "examples").glob("*.md"),
        *(REPOSITORY / "plugins").rglob("*.md"),
        *(REPOSITORY / "generated").glob("*/*.md"),
    )
)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).replace("`", "").strip().lower() for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_of_a_page_lead_to_files_and_headings_that_are_there(page: Path):
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", FENCE.sub("", page.read_text("utf-8")))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_index_names_every_page_once():
    index = (REPOSITORY / "docs" / "index.md").read_text("utf-8")
    named = re.findall(r"^\| \[([\w-]+\.md)\]\(\1\) \|", index, re.MULTILINE)
    assert sorted(named) == sorted(page.name for page in (REPOSITORY / "docs").glob("*.md") if page.name != "index.md")


def told(pattern: str) -> set[str]:
    """What all pages say that matches, in code and in fences."""
    texts = [page.read_text("utf-8") for page in PAGES if page.name != "CHANGELOG.md" and "generated" not in page.parts]
    code = [piece for text in texts for piece in (*FENCE.findall(text), *CODE.findall(FENCE.sub("", text)))]
    return {found for piece in code for found in re.findall(pattern, piece, re.MULTILINE)}


def test_make_targets_that_pages_tell_of_exist():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    found = told(r"(?:^|`|&& )make ([a-z-]+)")
    assert {"setup", "demo"} <= found
    assert found - targets == set()


def test_commands_of_vitesse_that_pages_tell_of_exist():
    found = told(r"(?:^|`|&& |\$ )vitesse ([a-z]+)")
    assert {"create", "build"} <= found
    assert found - set(group.list_commands(click.Context(group))) == set()

"""The committed figures → their part of docs/mapping.md: `python -m benchmarks.mapping.page`. No figure there is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.places import REPOSITORY, RESULTS

from .table import markdown

FILE = RESULTS / "mapping.json"
PAGE = REPOSITORY / "docs" / "mapping.md"
BEGIN, END = "<!-- figures: python -m benchmarks.mapping.page -->", "<!-- end of figures -->"
TITLES = {
    "provider": "Vendors that the weights have not seen",
    "origin": "Sources of mappings that the weights have not seen",
    "gdc": "Tables of tumour studies to the GDC dictionary, by names and values",
    "gdc-unseen": "The same, the seven studies that were not looked at while writing words for the trade",
}
_WHAT = {
    "provider": "Each case is scored by weights and counts that were fitted without its vendor: `--cross provider`.",
    "origin": "Each case is scored by weights and counts that were fitted without the project it was read from: `--cross origin`.",
    "gdc": "Nothing was fitted on these. For Recall@GT and the MRR of sources, published without training: Magneto 0.360 and 0.659.",
    "gdc-unseen": "`cao`, `clark` and `dou` were looked at pair by pair; of these seven, nothing but the first columns of `vasaikar` and "
    "the dictionary's list of fields.",
}
Aim = tuple[str, str, str, float]
AIMS: tuple[Aim, ...] = (
    ("F1, unseen vendors", "provider", "F1", 0.85),
    ("recall of pairs with other leaf names, unseen vendors", "provider", "other leaf", 0.75),
    ("precision of rules with confidence ≥ 0.9, unseen vendors", "provider", "precision", 0.97),
    ("pairs that those cover", "provider", "covers", 0.5),
    ("transform accuracy, unseen vendors", "provider", "transform", 0.95),
    ("MRR of destinations, unseen vendors", "provider", "MRR", 0.92),
    ("GDC, Recall@GT", "gdc", "Recall@GT", 0.36),
    ("GDC, MRR of sources", "gdc", "MRR of sources", 0.659),
)


def committed() -> dict[str, Any]:
    """Section → its figures."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return found


def keep(name: str, section: Mapping[str, Any]) -> None:
    """Write one section into the committed results, and the page again."""
    found = {**committed(), name: section}
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


def with_figures(page: str, found: Mapping[str, Any]) -> str:
    """The page with its figures replaced."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{figures(found)}\n\n{END}{rest.partition(END)[2]}"


def figures(found: Mapping[str, Any]) -> str:
    """All sections, the aims first."""
    parts = [_aims(found)]
    for name, title in TITLES.items():
        if name in found:
            parts.append(f"### {title}\n\n{_WHAT[name]} {markdown(found[name], short=name.startswith('gdc'))}")
    return "\n\n".join(parts)


def _aims(found: Mapping[str, Any]) -> str:
    lines = ["| aim | at least | measured | |", "| --- | --- | --- | --- |"]
    for text, name, figure, least in AIMS:
        if name not in found:
            lines.append(f"| {text} | {least} | – | not measured |")
            continue
        section = found[name]
        value = {**section["rows"][section["ours"]], **section["sure"]}[figure]
        verdict = "met" if value >= least else f"missed by {least - value:.3f}"
        lines.append(f"| {text} | {least} | {value:.3f} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), committed()), encoding="utf-8")

"""Promises of the signature schemes that a manifest names without a plugin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.registry.conftest import MakePlugin
from tests.shared import REPOSITORY
from vitesse.ingest.announced import OF_SEVERAL, schemes_by_header
from vitesse.registry import load_registry
from vitesse.registry.schemes import PRESETS


def test_schemes_that_ingest_names_are_known_without_a_plugin(tmp_path: Path):
    """A fact's scheme can be written into the manifest as it is; its header is the one that gave it away."""
    known = load_registry((), tmp_path).signatures
    announced = schemes_by_header()
    assert set(announced.values()) <= set(known)
    assert all(known[name].header.lower() == header for header, name in announced.items())


def test_header_of_several_schemes_is_decided_upon_by_hand():
    """Else the scheme that stands last would have it, and nobody would have said so."""
    count = Counter(preset.header.lower() for preset in PRESETS)
    assert {header for header, schemes in count.items() if schemes > 1} <= set(OF_SEVERAL) <= set(count)


def test_schemes_are_listed_once_and_in_order():
    names = [preset.name for preset in PRESETS]
    assert names == sorted(set(names))


def test_page_tells_of_each_scheme_as_it_is():
    """By name: header, tolerance, and what names a delivery."""
    rows = {}
    for line in (REPOSITORY / "docs/webhooks.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5:
            rows[cells[0].strip("`")] = cells
    for preset in PRESETS:
        _, _, header, tolerance, named = rows[preset.name]
        assert f"`{preset.header}`" in header
        assert ("SHA-1" in header) is (preset.algorithm == "sha1")
        assert tolerance == (f"{preset.tolerance_s} s" if preset.tolerance_s else "not signed")
        path = ".".join(map(str, preset.id_path)) if preset.id_path else None
        assert named == (f"`{preset.id_header or path}`" if preset.id_header or path else "its content")


def test_a_plugins_scheme_counts_before_the_one_of_that_name(make_plugin: MakePlugin, tmp_path: Path):
    folder = make_plugin("vitesse-own", functions="", signatures='SignaturePreset(name="stripe", header="X-Own"),')
    known = load_registry(("vitesse-own",), tmp_path, folders=[folder]).signatures
    assert known["stripe"].header == "X-Own"
    assert known["github"].header == "X-Hub-Signature-256"

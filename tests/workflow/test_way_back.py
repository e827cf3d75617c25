"""`vitesse map` for a stream that goes back: the accepted rules of the other direction, turned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.shared import REPOSITORY
from vitesse.workflow.map import map_streams

EXAMPLE = REPOSITORY / "examples" / "shopify_atelier"


def copy(tmp_path: Path) -> Path:
    folder = shutil.copytree(EXAMPLE, tmp_path / "shopify_atelier")
    for name in ("items.yaml", "items.review.json"):
        (folder / "mappings" / name).unlink()
    return folder


def test_way_back_is_proposed_from_the_accepted_rules(tmp_path: Path) -> None:
    """All seven, with their inverses; nobody has accepted them yet."""
    folder = copy(tmp_path)
    [mapped] = map_streams(folder, ["items"], on="2026-11-21")
    assert (folder / "mappings" / "items.yaml").read_text() == (EXAMPLE / "mappings" / "items.yaml").read_text()
    assert mapped.accepted == ()
    status = next(one for one in mapped.proposal.proposals if one.id == "product.status")
    assert any("the other way round in shopify-atelier, products" in word for word in status.evidence)


def test_rule_that_nobody_accepted_says_nothing_of_the_way_back(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    path = folder / "mappings" / "products.review.json"
    review = json.loads(path.read_text())
    del review["rules"]["state"]
    path.write_text(json.dumps(review))
    [mapped] = map_streams(folder, ["items"], on="2026-11-21")
    status = [one for one in mapped.proposal.proposals if one.id == "product.status"]
    assert not any("the other way round" in word for one in status for word in one.evidence)

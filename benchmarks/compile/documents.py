"""The descriptions that are compiled, laid out under `.bench/compile/documents/`."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import peers
from benchmarks.places import REPOSITORY, SHARED, WORK

PAIRS = (
    "bigcommerce-customers-to-klaviyo",
    "keap-contacts-to-capsule",
    "klaviyo-profiles-to-hubspot",
    "intercom-contacts-to-resend",
    "pagerduty-incidents-to-jira",
    "asana-tasks-to-notion-pages",
)
"""From 0.2 to 3 MB, JSON and YAML; their mappings are those of `tests/published/`."""
_FOLDER = WORK / "compile" / "documents"
_TO_JSON = "import json, ryaml, sys; json.dump(ryaml.load(open(sys.argv[1], encoding='utf-8')), open(sys.argv[2], 'w'))"
"""Done by another process: one that has held a large document would count its memory to every later child."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One description in one form."""

    name: str
    path: Path
    operation: str
    """The path that is compiled, for those who can be told."""
    pair: str | None = None
    """The pair of published descriptions whose integration is built; None: the one of the example or of Stripe here."""

    @property
    def is_json(self) -> bool:
        """By its name."""
        return self.path.suffix == ".json"

    @property
    def size_mb(self) -> float:
        """Megabytes."""
        return self.path.stat().st_size / 1e6


def example() -> Document:
    """The source of the example that comes with Vitesse."""
    path = REPOSITORY / "examples" / "shopify_credo" / "specs" / "shopify.yaml"
    return Document(name="example", path=path, operation="/customers.json")


def published() -> list[Document]:
    """The sources of `PAIRS`; none without the folder of published descriptions."""
    listed = SHARED / "specs" / "pairs.json"
    if not listed.is_file():
        return []
    pairs = {pair["id"]: pair for pair in json.loads(listed.read_text("utf-8"))}
    found = []
    for name in PAIRS:
        path = SHARED / "specs" / pairs[name]["source_spec"]
        operation = pairs[name]["source_operation"].partition(" ")[2]
        form = "JSON" if path.suffix == ".json" else "YAML"
        found.append(
            Document(name=f"{path.stem.partition('__')[0]} ({form})", path=path, operation=operation, pair=name)
        )
    return found


def stripe() -> list[Document]:
    """Stripe's description as published (YAML) and the same as JSON; none without the folder of published ones."""
    published = SHARED / "specs" / "stripe__api.yaml"
    if not published.is_file():
        return []
    _FOLDER.mkdir(parents=True, exist_ok=True)
    as_yaml, as_json = _FOLDER / "stripe.yaml", _FOLDER / "stripe.json"
    if not as_json.is_file() or as_yaml.read_bytes() != published.read_bytes():
        as_yaml.unlink(missing_ok=True)
        shutil.copyfile(published, as_yaml)
        subprocess.run([str(peers() / "python"), "-c", _TO_JSON, str(as_yaml), str(as_json)], check=True)
    return [
        Document(name="stripe (JSON)", path=as_json, operation="/v1/customers"),
        Document(name="stripe (YAML)", path=as_yaml, operation="/v1/customers"),
    ]

"""A corpus of hostile documents → cases.

A corpus is a JSON list of `{id, slot, payload, expected, …}` with a builder beside it: `build.py --all DIR` writes one document
a case, a whole file where the payload is one, and `_baseline.json`, the document that all of them were made from.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

Expected: TypeAlias = Literal["safe", "error", "safe_or_error"]

BASELINE = "_baseline"

GROUPS = {
    "doc": "docstrings",
    "cmt": "comments",
    "str": "string literals and wire text",
    "srv": "server addresses",
    "num": "numbers where text comes",
    "type": "numbers where text comes",
    "idn": "identifiers and file names",
    "ext": "extensions that name code",
    "toml": "TOML",
    "yml": "YAML and JSON",
    "dkr": "Dockerfile and shell",
    "sh": "Dockerfile and shell",
    "md": "Markdown, logs, tables",
    "csv": "Markdown, logs, tables",
    "log": "Markdown, logs, tables",
    "jin": "templates of templates",
    "fmt": "templates of templates",
    "sql": "SQL",
    "wh": "webhooks, callbacks, links",
    "cb": "webhooks, callbacks, links",
    "link": "webhooks, callbacks, links",
    "ext-docs": "docstrings",
    "lic": "TOML",
    "contact": "TOML",
    "tos": "docstrings",
    "re": "patterns",
    "ref": "references",
    "res": "resources",
    "raw": "whole files",
}
"""How an id begins → what the case tries to break out of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hostile document."""

    id: str
    group: str
    slot: str
    expected: Expected
    file: Path
    """As the builder wrote it."""
    baseline: Path

    @property
    def is_raw(self) -> bool:
        """Whether the case is a whole file and not a change of the baseline."""
        return self.slot == "rawfile"


def read_corpus(file: Path, folder: Path, only: frozenset[str] = frozenset()) -> tuple[Case, ...]:
    """Build the documents of a corpus into `folder` and list its cases, in the file's order.

    The builder is the `build.py` beside the corpus. It reads a corpus of a fixed name beside itself, so both are laid into one
    folder under that name first.
    """
    listed = json.loads(file.read_text(encoding="utf-8"))
    documents = folder / "documents"
    documents.mkdir(parents=True, exist_ok=True)
    _build(listed, file.name, _builder(file), folder, documents)
    cases = tuple(_case(entry, documents) for entry in listed if not only or entry["id"] in only)
    missing = only - {case.id for case in cases}
    if missing:
        raise SystemExit(f"no such case: {', '.join(sorted(missing))}")
    return cases


def _builder(file: Path) -> Path:
    from tests.shared import SHARED

    for place in (file.resolve().parent / "build.py", SHARED / "security" / "build.py"):
        if place.is_file():
            return place
    raise SystemExit(f"no build.py beside {file.name}, and none in the folder of shared test data")


def _build(listed: list[dict[str, Any]], name: str, builder: Path, folder: Path, documents: Path) -> None:
    """All at once; one after the other where the builder fails, to say which cases it does not know."""
    if _run_builder(listed, name, builder, folder, documents) is None:
        return
    unknown = [
        f"{entry['id']}: {why}" for entry in listed if (why := _run_builder([entry], name, builder, folder, documents))
    ]
    if unknown:
        raise SystemExit("\n".join(["the builder cannot make the documents of these cases:", *unknown]))


def _run_builder(listed: list[dict[str, Any]], name: str, builder: Path, folder: Path, documents: Path) -> str | None:
    """Lay the builder and a corpus into one folder and run it; the last line of what it said when it failed."""
    home = folder / "builder"
    home.mkdir(exist_ok=True)
    (home / "build.py").write_bytes(builder.read_bytes())
    for one in {"malicious_specs.json", "cases.json", name}:
        (home / one).write_text(json.dumps(listed), encoding="utf-8")
    command = [sys.executable, "-I", str(home / "build.py"), "--all", str(documents)]
    done = subprocess.run(command, check=False, cwd=home, capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip() or "it failed").splitlines()[-1]


def _case(entry: dict[str, Any], documents: Path) -> Case:
    suffix = entry.get("ext", ".yaml") if entry["slot"] == "rawfile" else ".json"
    return Case(
        id=entry["id"],
        group=group_of(entry["id"]),
        slot=entry["slot"],
        expected=entry["expected"],
        file=documents / f"{entry['id']}{suffix}",
        baseline=documents / f"{BASELINE}.json",
    )


def group_of(id: str) -> str:
    """What a case tries to break out of, by the beginning of its id."""
    begins = [prefix for prefix in GROUPS if id == prefix or id.startswith(f"{prefix}-")]
    return GROUPS[max(begins, key=len)] if begins else "others"

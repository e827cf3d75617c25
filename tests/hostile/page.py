"""docs/security.md, from what was measured and from the code's own limits and codes.

    python -m tests.hostile.page                  write the page anew
    python -m tests.hostile.page --from FILE…     first keep the counts of runs of `python -m tests.hostile --peers --json FILE`

Only counts are kept, in `results.json`: they are what the page shows.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.shared import REPOSITORY
from vitesse.diagnostics.catalogue import TITLES
from vitesse.openapi.limits import Limits

OWN = Path(__file__).parent / "own" / "cases.json"
RESULTS = Path(__file__).with_name("results.json")
PAGE = REPOSITORY / "docs" / "security.md"
OUTCOMES = ("data", "refused", "failed")
KINDS = {
    "executed": "code from the document ran",
    "escaped": "a call, an import, a file or a table that the document chose",
    "network": "it called a host that the document names",
    "crashed": "it ended with a traceback",
    "cost": "more than 10 s of CPU or 512 MB",
    "broken": "what came out does not parse or import, or its functions cannot be called",
    "dropped": "it ended with 0 and left operations out",
    "accepted": "it took in silence what cannot mean anything",
    "refused": "it refused a document that is sound",
    "wire": "another text goes over the wire than the document says",
}

MODEL = """\
Descriptions, and everything written from them, are taken as an attacker's: a description that a customer uploads, an overlay, the text
in a mapping that came from a vendor's page, the answer of a language model. The attacker wants one of these: code run where a package is
built, tested or run; a file or a network address reached; a credential sent elsewhere; a reviewer or a terminal shown something else
than there is; the machine brought to a halt; a package that silently does less, or something else, than the description says."""

PROMISES = """\
* **No text of a document becomes code.** It reaches Python as a literal, or not at all. Identifiers are made by one function: ASCII, no
  keyword, builtin, dunder or name of a framework, numbered where two would meet, at most 60 characters.
* **Everything is proved after it was rendered.** `verify/` parses each derived module again and holds it to a closed grammar; it shares
  no line with what rendered it. TOML, YAML, JSON and Markdown have the structure they should, and every other file is known by its
  digest. Dockerfiles, workflows, shell lines and SQL hold no text of a document at all.
* **No extension names code.** Keys that begin with `x-`, and keys that OpenAPI does not have, choose neither imports nor types nor
  functions. Patterns are never compiled to regular expressions.
* **References stay inside.** `$ref` is followed in the document and in files of its own folder. Nothing else is opened, and no build
  reaches the network.
* **Nothing is dropped in silence.** What cannot be compiled is an error, or a warning that names what is left out and where.
* **Wire text is kept byte for byte**: names of fields and parameters, values of enums, defaults, paths. What HTTP cannot carry under its
  name (a header called `X A`) is refused where it is required, and left out with a warning where it is not.
* **What is shown is escaped.** Control, bidirectional and line-separating characters reach no file, terminal or log as they are.
* **A build is bounded** by the limits below, and writes into the package's folder only."""

FETCHING = """\
`create`, `ingest`, `discover` and `probe` may reach the network, through one client: https only, public addresses only and checked on the
address that is connected to, five redirects that are each checked again, 30 seconds and 20 MB for all of it, no credential to another
origin. [ingest.md](ingest.md) has the options that loosen this; none opens link-local addresses or those at which clouds tell a machine
its secrets. What is fetched is a document like any other from there on."""

RULES = """\
* the exit code is 0, or 1 with a code and a place; no traceback, at most 10 s of CPU and 512 MB of the compiler's own process;
* every Python file parses and imports, and holds nothing but an allow-list of nodes, imports and callees that shares nothing with
  `verify/`;
* every client method and mapper is called and every stream synced against a recorder on loopback; nothing else is called, started or
  written;
* requests are compared byte for byte with what the document says; values reach the other side under the names they should;
* all other files are those of the benign document, or have their structure;
* its twin, the same document with harmless words in place of hostile ones, compiles to a package that differs in constants and planned
  names only, in every file."""

RUN = """\
```sh
make hostile CORPUS=FILE         # a table of counts; ARGS='--only ID' for one case, ARGS=--peers for the others
make fuzz SECONDS=60             # made-up documents through the compiler, made-up bytes through the loaders
```

A corpus is a JSON list of `id`, `slot`, `payload` and `expected` (`safe`, `error`, `safe_or_error`) with a `build.py` beside it that
writes one document a case. `tests/hostile/own/` is one; each of its cases runs in `make test` too, short of calling the package.
`make fuzz` draws anew with each run and prints its seed; CI runs it with a fixed seed and fixed counts. It builds documents with
odd texts, values and schemas in odd places, inspects every operation,
compiles packages in both roles, holds them to the rules above and imports them; atheris drives the JSON and YAML loaders. What it
found is a case in the corpus."""

OPEN = """\
* A vendor that answers with other data than its description says: the runtime counts such records and sets them aside.
* Code in `custom/` and in plugins: it is the user's own, and is copied as it is.
* A description that is plain wrong about what an operation does. Rules and facts are reviewed by people for that."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.page")
    parser.add_argument("--from", dest="files", type=Path, nargs="+", metavar="FILE", default=())
    asked = parser.parse_args(arguments)
    if asked.files:
        verdicts = {name: found for file in asked.files for name, found in json.loads(file.read_text("utf-8")).items()}
        RESULTS.write_text(json.dumps(condensed(verdicts), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(render(json.loads(RESULTS.read_text("utf-8"))), encoding="utf-8")
    return 0


def condensed(verdicts: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The counts of one run, by tool."""
    return {name: _counts(name, found) for name, found in verdicts.items()}


def _counts(name: str, verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    groups: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict["group"], Counter())[verdict["outcome"]] += 1
    counts: dict[str, Any] = {
        "cases": len(verdicts),
        "groups": {group: {one: found[one] for one in OUTCOMES} for group, found in sorted(groups.items())},
        "kinds": dict(sorted(Counter(kind for verdict in verdicts for kind in verdict.get("kinds", ())).items())),
    }
    tried = [one for verdict in verdicts for one in verdict.get("tried", ())]
    if not tried:
        return counts | {"version": _pinned(name)}
    codes = Counter(code for one in tried for code in {*one["codes"]} if one["outcome"] == "refused")
    return counts | {
        "codes": dict(sorted(codes.items())),
        "packages": sum(one["outcome"] == "data" and one["is_usable"] for one in tried),
        "twins": sum(one["has_twin"] for one in tried),
        "cpu_s": round(max(one["cpu_s"] for one in tried), 1),
        "memory_mb": round(max(one["memory_mb"] for one in tried)),
    }


def _pinned(name: str) -> str:
    text = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    found = re.findall(rf'"{re.escape(name)}==([\d.]+)"', text)
    return str(found[-1]) if found else version(name)


def render(results: Mapping[str, Any]) -> str:
    """The page."""
    corpus, ours = results, results["vitesse"]
    own = len(json.loads(OWN.read_text("utf-8")))
    parts = [
        "# Hostile descriptions",
        "<!-- Written by `python -m tests.hostile.page`; edit that. -->",
        "What Vitesse promises about descriptions that strangers wrote, what was tried, and where the limits are.\n"
        "[SECURITY.md](../SECURITY.md) says how to report a way around it.",
        "## Who is kept out",
        MODEL,
        "## What is promised",
        PROMISES,
        "## What was tried",
        f"A corpus of {ours['cases']} documents, each with one text that tries to leave its place. Each is compiled twice, as the source"
        " and as the\ndestination of an integration that uses all it can of it, by the command line in a process of its own. Then:",
        RULES,
        _beside(corpus),
        f"Of ours, {ours['packages']} packages were called and {ours['twins']} compared with a twin's. The dearest build took"
        f" {ours['cpu_s']} s of CPU, the largest {ours['memory_mb']} MB.",
        f"{own} documents of our own (`tests/hostile/own/`) are held to the same in every test run, short of calling each package.",
        "### By what a text tries to break out of",
        _groups(corpus),
        "### How the others fail",
        "A case can fail in several ways. The other generators are run with their defaults, as their users do; what they do not offer"
        " (both\nroles, mappers, syncs) is not asked of them.",
        _kinds(corpus),
        "## Limits",
        "A document beyond one of these is refused with `V105`, which names the limit. `limits` under `source` or `destination` in the\n"
        "manifest raises one where you trust the vendor.",
        _limits(),
        "## What is refused",
        "Errors about what a document says, and how often each came up, in both roles.",
        _codes(ours),
        "## Fetching",
        FETCHING,
        "## Run it",
        RUN,
        "## Not covered",
        OPEN,
    ]
    return "\n\n".join(parts) + "\n"


def _sums(counts: Mapping[str, Any]) -> dict[str, int]:
    return {one: sum(group[one] for group in counts["groups"].values()) for one in OUTCOMES}


def _name(name: str, counts: Mapping[str, Any]) -> str:
    return "Vitesse" if name == "vitesse" else f"{name} {counts['version']}"


def _beside(corpus: Mapping[str, Any]) -> str:
    lines = ["| | stays data | refused with a reason | fails |", "| --- | ---: | ---: | ---: |"]
    for name, counts in corpus.items():
        sums = _sums(counts)
        lines.append(f"| {_name(name, counts)} | {sums['data']} | {sums['refused']} | {sums['failed']} |")
    return "\n".join(lines)


def _groups(corpus: Mapping[str, Any]) -> str:
    names = list(corpus)
    lines = [
        "| data / refused / fails | cases | " + " | ".join(_name(name, corpus[name]) for name in names) + " |",
        "| --- | ---: |" + " ---: |" * len(names),
    ]
    for group, ours in corpus["vitesse"]["groups"].items():
        cells = [" / ".join(str(corpus[name]["groups"][group][one]) for one in OUTCOMES) for name in names]
        lines.append(f"| {group} | {sum(ours.values())} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _kinds(corpus: Mapping[str, Any]) -> str:
    peers = [name for name in corpus if name != "vitesse"]
    if not peers:
        return "The others were not tried in the last run."
    lines = [
        "| | " + " | ".join(_name(name, corpus[name]) for name in peers) + " |",
        "| --- |" + " ---: |" * len(peers),
    ]
    for kind, words in KINDS.items():
        counts = [corpus[name]["kinds"].get(kind, 0) for name in peers]
        if any(counts):
            lines.append(f"| {words} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _limits() -> str:
    source = inspect.getsource(Limits)
    lines = ["| limit | at most | |", "| --- | ---: | --- |"]
    for limit in fields(Limits):
        said = re.search(rf'\n    {limit.name}: int = [\d_]+\n\s+"""(.*?)"""', source, re.DOTALL)
        words = " ".join(said[1].split()) if said else ""
        lines.append(f"| `{limit.name}` | {limit.default:,} | {words} |")
    return "\n".join(lines)


def _codes(corpus: Mapping[str, Any]) -> str:
    counts: Mapping[str, int] = corpus.get("codes", {})
    lines = ["| code | | times |", "| --- | --- | ---: |"]
    for code, count in sorted(counts.items()):
        lines.append(f"| [`{code}`](diagnostics.md) | {TITLES[code]} | {count} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

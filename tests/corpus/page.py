"""Results → what is kept of them, the table that is printed, and `docs/compatibility.md`.

`docs/compatibility.json` holds what is kept; the page is nothing but that, written out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tests.corpus.run import Result

Kept: TypeAlias = dict[str, Any]
"""Of one description: name, version, counts, the errors of the file as a whole, and those of each operation."""

_HEAD = """\
# Compatibility

What compiles of published descriptions, as their vendors publish them. An operation counts as compiled when it was planned with all
its parameters and every field of its body and reply, rendered, verified, written and imported, and when its client and models pass
`mypy --strict`. What does not is named by code and place: `vitesse inspect SPEC` says which and where, and
[diagnostics](diagnostics.md) what each code means. A build reads the operations and fields that a mapping uses: what is wrong
elsewhere in a file does not stop it.

Written by `make corpus SPECS=FOLDER PAGE=docs/compatibility.md` from what it kept in `compatibility.json`; it does the same for any
folder of descriptions.
"""


def kept(result: Result) -> Kept:
    """What is kept of one description's result."""
    failed: dict[str, list[dict[str, str]]] = {}
    for one in result.found["operations"]:
        errors = _errors(one["codes"])
        if one["id"] in result.broken:
            errors.append({"code": "mypy", "pointer": result.broken[one["id"]][0]})
        if errors:
            failed[one["id"]] = errors
    whole = result.found.get("refused") or result.found.get("diagnostics", ())
    return {
        "spec": result.spec.name,
        "openapi": result.found.get("openapi"),
        "operations": result.total,
        "compiled": result.compiled,
        "errors": _errors(whole),
        "failed": failed,
    }


def written(results: Sequence[Kept]) -> str:
    """The text of `compatibility.json`: one description a line."""
    lines = ",\n".join(" " + json.dumps(one, ensure_ascii=False) for one in results)
    return f"[\n{lines}\n]\n"


def load(path: Path) -> list[Kept]:
    found: list[Kept] = json.loads(path.read_text(encoding="utf-8"))
    return found


def rows(results: Sequence[Kept]) -> list[tuple[str, str, str, str, str, str]]:
    """(spec, OpenAPI version, operations, compiled, share, codes) of each description, and of all."""
    found = [
        (
            one["spec"],
            one["openapi"] or "–",
            f"{one['operations']:,}",
            f"{one['compiled']:,}",
            _share(one["compiled"], one["operations"]),
            _codes(one),
        )
        for one in results
    ]
    total, compiled = sum(one["operations"] for one in results), sum(one["compiled"] for one in results)
    return [*found, ("all", "", f"{total:,}", f"{compiled:,}", _share(compiled, total), "")]


def printed(results: Sequence[Kept]) -> str:
    """The table for a terminal."""
    head = ("spec", "openapi", "operations", "compiled", "share", "codes")
    table = [head, *rows(results)]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        + f"  {row[5]}"
        for row in table
    )


def page(results: Sequence[Kept]) -> str:
    """The whole of `docs/compatibility.md`."""
    *each, last = rows(results)
    lines = [
        _HEAD,
        "| spec | OpenAPI | operations | compiled | share | codes |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    lines += [f"| {' | '.join(('`' + row[0] + '`', *row[1:]))} |" for row in each]
    lines += [f"| **{len(results)} descriptions** | | **{last[2]}** | **{last[3]}** | **{last[4]}** | |"]
    failed = [(one["spec"], id, why) for one in results for id, why in one["failed"].items()]
    if failed:
        lines += ["", "## What does not compile", "", "| spec | operation | why |", "| --- | --- | --- |"]
        lines += [f"| `{spec}` | `{id}` | {_why(why)} |" for spec, id, why in failed]
    whole = [one for one in results if one["errors"]]
    if whole:
        lines += ["", "## What is wrong with a file as a whole", "", "| spec | why |", "| --- | --- |"]
        lines += [f"| `{one['spec']}` | {_why(one['errors'])} |" for one in whole]
    return "\n".join(lines) + "\n"


def _errors(codes: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Each code once, with its first place."""
    first: dict[str, str] = {}
    for code in codes:
        if code["severity"] == "error":
            first.setdefault(code["code"], code["pointer"])
    return [{"code": code, "pointer": pointer} for code, pointer in first.items()]


def _why(errors: Sequence[dict[str, str]]) -> str:
    shown = [(one["code"], one["pointer"]) for one in errors]
    return ", ".join(f"mypy: {at}" if code == "mypy" else f"{code} at `{at}`" for code, at in shown)


def _codes(one: Kept) -> str:
    counts = Counter(error["code"] for errors in one["failed"].values() for error in errors)
    whole = [f"{error['code']} (the file)" for error in one["errors"]]
    return ", ".join([*whole, *(f"{code} × {count}" for code, count in sorted(counts.items()))])


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"

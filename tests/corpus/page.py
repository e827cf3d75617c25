"""Results → the table that is printed, and `docs/compatibility.md`."""

from __future__ import annotations

from collections.abc import Sequence

from tests.corpus.run import Result


def rows(results: Sequence[Result]) -> list[tuple[str, str, str, str, str, str]]:
    """(spec, OpenAPI version, operations, compiled, share, codes) of each description, and of all."""
    found = [
        (
            result.spec.name,
            str(result.found.get("openapi", "–")),
            str(result.total),
            str(result.compiled),
            _share(result.compiled, result.total),
            _codes(result),
        )
        for result in results
    ]
    total, compiled = sum(result.total for result in results), sum(result.compiled for result in results)
    return [*found, ("all", "", str(total), str(compiled), _share(compiled, total), "")]


def printed(results: Sequence[Result]) -> str:
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


def page(results: Sequence[Result]) -> str:
    """The whole of `docs/compatibility.md`."""
    lines = [
        "# Compatibility",
        "",
        "What compiles of published descriptions, as their vendors publish them. An operation counts as compiled when it was planned",
        "with all its parameters and every field of its body and reply, rendered, verified, written and imported, and when its client and",
        "models pass `mypy --strict`. What does not is named by code and place: `vitesse inspect SPEC --json` says which and where, and",
        "[diagnostics](diagnostics.md) what each code means. Written by `make corpus`, which does the same for any folder of descriptions.",
        "",
        "| spec | OpenAPI | operations | compiled | share | codes |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    lines += [f"| {' | '.join(('`' + row[0] + '`', *row[1:]))} |" for row in rows(results)[:-1]]
    last = rows(results)[-1]
    lines += [f"| **{len(results)} descriptions** | | **{last[2]}** | **{last[3]}** | **{last[4]}** | |"]
    failed = [one for result in results for one in _failed(result)]
    if failed:
        lines += ["", "## What does not compile", "", "| spec | operation | why |", "| --- | --- | --- |"]
        lines += [f"| `{spec}` | `{id}` | {why} |" for spec, id, why in failed]
    refused = [(result.spec.name, result.found["refused"]) for result in results if result.found.get("refused")]
    if refused:
        lines += ["", "## What is refused whole", "", "| spec | why |", "| --- | --- |"]
        lines += [f"| `{name}` | {_why(codes)} |" for name, codes in refused]
    return "\n".join(lines) + "\n"


def _failed(result: Result) -> list[tuple[str, str, str]]:
    found = []
    for one in result.found["operations"]:
        errors = [code for code in one["codes"] if code["severity"] == "error"]
        if errors:
            found.append((result.spec.name, one["id"], _why(errors)))
        elif one["id"] in result.broken:
            found.append((result.spec.name, one["id"], f"mypy: {result.broken[one['id']][0]}"))
    return found


def _why(codes: Sequence[dict[str, str]]) -> str:
    """Each code once, with its first place."""
    first: dict[str, str] = {}
    for code in codes:
        first.setdefault(code["code"], code["pointer"])
    return ", ".join(f"{code} at `{pointer}`" for code, pointer in first.items())


def _codes(result: Result) -> str:
    if result.found.get("refused"):
        return "refused: " + ", ".join(sorted({code["code"] for code in result.found["refused"]}))
    return ", ".join(f"{code} × {count}" for code, count in result.codes().items())


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"

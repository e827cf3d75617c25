"""`vitesse why`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import FOLDER, json_option
from .show import places_are_in, show_json

if TYPE_CHECKING:
    from ..diagnostics.positions import Sources
    from ..workflow.why_model import ManifestTrace, OperationTrace, RuleTrace, Trace, Why

EXAMPLE = """\b
Example:
  vitesse why generated/shopify_credo/src/shopify_credo/mappers/customers.py:22
"""


@click.command("why", epilog=EXAMPLE)
@click.argument("where", metavar="FILE:LINE")
@click.option(
    "--integration",
    "folder",
    metavar="DIR",
    type=FOLDER,
    help="The integration's folder.  [default: the one of the package's name near it]",
)
@json_option
def command(where: str, folder: Path | None, as_json: bool) -> int:
    """Trace a line of a package: its rule, what proposed it and why, who stands behind it, and where the specs say so.

    Works for lines of mappers, models, clients, copied functions and MAPPING.md.
    """
    from ..diagnostics import Exit
    from ..diagnostics.positions import Sources
    from ..diagnostics.terminal import visible
    from ..workflow.why import why_line

    text, _, number = where.rpartition(":")
    if not text or not number.isdigit():
        raise click.BadParameter("write FILE:LINE, as in `customers.py:42`", param_hint="FILE:LINE")
    path = Path(text)
    if not path.is_file():
        raise click.BadParameter(f"there is no file `{text}`", param_hint="FILE:LINE")
    if folder is not None:
        places_are_in(folder)
    found = why_line(path, int(number), folder)
    sources = Sources(found.folder)
    if as_json:
        show_json(_json(found, sources))
        return Exit.DONE
    click.echo(visible(f"{text}:{number}"))
    click.echo(visible(f"    {found.text.strip()}"))
    if found.origin:
        click.echo(visible(f"    copied from {found.origin}"))
    for trace in found.traces:
        click.echo("")
        for label, told in _lines(trace, sources):
            for line in _wrapped(label, told):
                click.echo(line)
    for note in found.notes:
        click.echo(visible(f"note: {note}"), err=True)
    return Exit.DONE


def _wrapped(label: str, text: str) -> Iterator[str]:
    import textwrap

    from ..diagnostics.terminal import visible

    width = max(60, min(shutil.get_terminal_size().columns - 1, 120)) if sys.stdout.isatty() else 120
    for index, line in enumerate(textwrap.wrap(visible(text), width - 13, break_on_hyphens=False) or [""]):
        yield f"  {label if index == 0 else '':<11}{line}"


def _lines(trace: Trace, sources: Sources) -> Iterator[tuple[str, str]]:
    from ..workflow.why_model import OperationTrace, RuleTrace

    if isinstance(trace, RuleTrace):
        yield from _rule(trace, sources)
    elif isinstance(trace, OperationTrace):
        yield from _operation(trace, sources)
    else:
        yield from _manifest(trace, sources)


def _rule(trace: RuleTrace, sources: Sources) -> Iterator[tuple[str, str]]:
    from ..rules.review import review_file
    from ..rules.words import in_words, status_in_words, type_in_words

    checked = trace.checked
    yield "rule", f"{trace.stream}.{checked.id}  {_at(sources, checked.rule.place.file, checked.rule.place.pointer)}"
    yield "", in_words(checked.rule)
    if trace.sample is not None:
        yield "sample", str(trace.sample)
    for loss in checked.losses:
        yield "loses", f"{loss.code}: {loss.detail}" + (f"; because: {loss.reason}" if loss.reason else "")
    fields = [
        ("fills", checked.destination, trace.destination),
        *(("reads", one, trace.source) for one in checked.sources),
    ]
    for label, reached, end in fields:
        place = _at(sources, reached.place.file, reached.place.pointer)
        yield label, f"{reached.text}, {type_in_words(reached, end.types)}  {place}  {end.title}"
    proposed = trace.proposed
    if proposed is None:
        yield "proposed", "by nobody: it was written by hand"
    elif not trace.is_as_proposed:
        other = proposed.rule.get("transform")
        yield "proposed", f"otherwise ({other} of {proposed.rule.get('from', 'nothing')}), then changed by hand"
    else:
        yield "proposed", f"with confidence {proposed.confidence:.2f}, by {proposed.proposer}"
        for index, sentence in enumerate(proposed.evidence):
            yield "evidence" if index == 0 else "", sentence
    place = (
        _at(sources, review_file(trace.stream), f"#/rules/{_escaped(checked.id)}") if trace.entry is not None else ""
    )
    yield "review", f"{status_in_words(trace.status, trace.entry)}  {place}".rstrip()


def _operation(trace: OperationTrace, sources: Sources) -> Iterator[tuple[str, str]]:
    import json

    from ..api.canonical import canonical

    operation = trace.operation
    yield "operation", f"{operation.id}  {_at(sources, operation.place.file, operation.place.pointer)}  {trace.title}"
    if operation.summary:
        yield "", operation.summary
    if trace.streams:
        yield "used by", ", ".join(trace.streams)
    for index, fact in enumerate(trace.facts):
        value = json.dumps(canonical(fact.value), ensure_ascii=False)
        place = _at(sources, f"facts/{trace.api}.yaml", f"#/{_escaped(operation.id)}/{fact.kind}")
        yield (
            "facts" if index == 0 else "",
            f"{fact.kind}: {value}, confidence {fact.confidence:g}, by {fact.by}  {place}",
        )


def _manifest(trace: ManifestTrace, sources: Sources) -> Iterator[tuple[str, str]]:
    yield "manifest", f"{trace.told}  {_at(sources, trace.place.file, trace.place.pointer)}"


def _at(sources: Sources, file: str, pointer: str) -> str:
    position = sources.position(file, pointer)
    return f"{file}:{position.line}" if position is not None else file


def _escaped(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def _json(found: Why, sources: Sources) -> dict[str, Any]:
    return {
        "file": found.file,
        "line": found.line,
        "integration": str(found.folder),
        "copied_from": found.origin or None,
        "traces": [_form(trace, sources) for trace in found.traces],
        "notes": list(found.notes),
    }


def _form(trace: Trace, sources: Sources) -> dict[str, Any]:
    from ..rules.digests import rule_form
    from ..workflow.why_model import ManifestTrace, OperationTrace

    if isinstance(trace, ManifestTrace):
        return {"is": "manifest", "told": trace.told, "at": _at(sources, trace.place.file, trace.place.pointer)}
    if isinstance(trace, OperationTrace):
        place = trace.operation.place
        return {
            "is": "operation",
            "operation": trace.operation.id,
            "at": _at(sources, place.file, place.pointer),
            "streams": list(trace.streams),
            "facts": [{"fact": one.kind, "confidence": one.confidence, "by": one.by} for one in trace.facts],
        }
    rule, entry = trace.checked.rule, trace.entry
    return {
        "is": "rule",
        "stream": trace.stream,
        "rule": trace.checked.id,
        "what": trace.what,
        "at": _at(sources, rule.place.file, rule.place.pointer),
        "form": rule_form(rule),
        "sample": None if trace.sample is None else {"before": list(trace.sample.before), "after": trace.sample.after},
        "spec": [
            _at(sources, one.place.file, one.place.pointer)
            for one in (trace.checked.destination, *trace.checked.sources)
        ],
        "proposed": None
        if trace.proposed is None
        else {
            "confidence": trace.proposed.confidence,
            "evidence": list(trace.proposed.evidence),
            "by": trace.proposed.by,
            "without_model": trace.proposed.without_model,
            "as_it_stands": trace.is_as_proposed,
        },
        "review": {"status": trace.status, "by": entry.by if entry else None, "on": entry.on if entry else None},
    }

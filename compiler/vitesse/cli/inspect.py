"""`vitesse inspect`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import bundle_option, json_option, require_inside
from .show import places_are_in, show_diagnostics, show_json

if TYPE_CHECKING:
    from ..ingest.inspect import InspectedOperation, Inspection

EXAMPLE = """\b
Example:
  vitesse inspect shopify.yaml
  vitesse inspect stripe.json --json | jq '.operations[] | select(.compiles | not)'
"""


@click.command("inspect", epilog=EXAMPLE)
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@bundle_option
@json_option
def command(spec: Path, bundle: Path | None, as_json: bool) -> int:
    """List what a spec offers: operations, sign-in, paging, limits, and what of it is not supported, and why.

    Every operation is compiled in memory, with all its parameters and fields: what is said to compile does.

    Exit code 3 when something is wrong and some operations compile, 1 when none does.
    """
    from ..diagnostics import Exit
    from ..workflow.inspect import inspect_file

    require_inside(bundle, [spec])
    places_are_in(bundle or spec.parent)
    memo = os.environ.get("VITESSE_CACHE")
    found = inspect_file(spec, folder=bundle, memo=Path(memo) if memo else None)
    if as_json:
        show_json(found.form())
    else:
        _print(found)
    if not found.has_errors:
        return Exit.DONE
    return Exit.PARTIAL if found.compiled else Exit.FAILED


def _print(found: Inspection) -> None:
    from ..diagnostics.terminal import visible

    api = found.api
    click.echo(visible(f"{api.title} {api.version} (OpenAPI {api.spec_version}), {len(found.files)} file(s)"))
    for server in api.servers:
        click.echo(visible(f"  server  {server.url}"))
    for scheme in api.security_schemes:
        where = f" in {scheme.location} `{scheme.parameter}`" if scheme.parameter else ""
        click.echo(visible(f"  sign-in {scheme.name}: {scheme.kind}{where}"))
    for webhook in api.webhooks:
        click.echo(visible(f"  webhook {webhook.topic}"))
    notes = [one for one in found.diagnostics if one.severity == "note"]
    show_diagnostics(one for one in found.diagnostics if one.severity != "note")
    for operation in found.operations:
        click.echo(visible(f"{'ok ' if operation.compiles else 'no '} {operation.operation.id}{_facts(operation)}"))
        for diagnostic in operation.diagnostics:
            place = diagnostic.places[0].pointer if diagnostic.places else ""
            click.echo(visible(f"      {diagnostic.code} {diagnostic.message}  {place}"))
    if notes:
        click.echo(f"{len(notes)} note(s) about what several operations share: `--json` has them")
    click.echo(f"{found.compiled} of {len(found.operations)} operations compile")


def _facts(operation: InspectedOperation) -> str:
    parts = []
    for kind in ("paging", "rate_limit", "identity", "version", "since", "batch", "idempotency"):
        fact = operation.facts.get(kind)
        if fact is not None and fact.value is not None:
            parts.append(f"{kind} {_short(fact.value)}")
    return f"   [{'; '.join(parts)}]" if parts else ""


def _short(value: Any) -> str:
    if hasattr(value, "style"):
        return str(value.style)
    if hasattr(value, "per_s"):
        return f"{value.per_s:g}/s burst {value.burst}"
    return "yes" if hasattr(value, "items") else str(value)

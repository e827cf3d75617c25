"""`vitesse ingest`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import (
    bundle_of,
    bundle_option,
    fetch_options,
    fetched_specs,
    folder_argument,
    json_option,
    require_inside,
    spec_url_option,
)
from .show import places_are_in, show_diagnostics, show_json

if TYPE_CHECKING:
    from ..ingest.changes import FactChange
    from ..ingest.pin import IngestedApi

EXAMPLE = """\b
Example:
  vitesse ingest integrations/shopify_credo
  vitesse ingest integrations/shopify_credo --spec credo=downloads/credo-2026-11.json --fail-on breaking
"""


def _specs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, Path]:
    specs = {}
    for value in values:
        name, sign, path = value.partition("=")
        if not sign or not Path(path).is_file():
            raise click.BadParameter(f"`{value}` is not API=FILE with a file that is there")
        specs[name] = Path(path)
    return specs


@click.command("ingest", epilog=EXAMPLE)
@folder_argument
@click.option(
    "--spec", "specs", metavar="API=FILE", multiple=True, callback=_specs, help="Pin this file as the API's spec first."
)
@spec_url_option
@fetch_options
@bundle_option
@click.option(
    "--fail-on",
    type=click.Choice(["breaking", "additive"]),
    help="End with exit code 1 when a change weighs this much or more; the files are written all the same.",
)
@json_option
def command(
    folder: Path,
    specs: dict[str, Path],
    spec_urls: dict[str, str],
    allow_http: bool,
    allow_private: bool,
    bundle: Path | None,
    fail_on: str | None,
    as_json: bool,
) -> int:
    """Pin the specs and write down the facts about the used operations: paging, limits, identities and so on.

    Lines that a person wrote in facts/ (`by: person`) are never overwritten. What is not sure is listed as open: confirm it in
    the facts file, or accept it with `vitesse accept`. Of a new version of a spec it is said what it changes for the operations
    and fields that the streams use: breaking, additive, or none.
    """
    from ..api.canonical import canonical
    from ..diagnostics.terminal import visible
    from ..ingest.pin import ingest

    require_inside(bundle, specs.values())
    places_are_in(folder)
    bundles = {api: inside for api, path in specs.items() if (inside := bundle_of(path, bundle)) is not None}
    both = sorted(set(specs) & set(spec_urls))
    if both:
        raise click.UsageError(f"`{both[0]}` has both --spec and --spec-url")
    with fetched_specs(spec_urls, allow_http=allow_http, allow_private=allow_private) as fetched:
        sides = ingest(folder, {**specs, **fetched}, bundles=bundles)
    if as_json:
        show_json(
            [
                {
                    "api": side.api,
                    "spec": side.spec,
                    "spec_changed": side.spec_changed,
                    "weight": side.weight,
                    "spec_changes": [canonical(change) for change in side.spec_changes],
                    "changes": [{"weight": change.weight, **_form(change)} for change in side.changes],
                    "open": [{"operation": operation, "fact": canonical(fact)} for operation, fact in side.open],
                }
                for side in sides
            ]
        )
        return _exit(sides, fail_on)
    for side in sides:
        for line in _lines(side):
            click.echo(visible(line))
        show_diagnostics(side.diagnostics, folder)
    return _exit(sides, fail_on)


def _lines(side: IngestedApi) -> Iterator[str]:
    known = sum(len(facts) for facts in side.facts.operations.values())
    changed = "new or changed" if side.spec_changed else "as before"
    yield f"{side.api}: {side.spec} ({changed}), {known} facts in facts/{side.api}.yaml"
    for found in side.spec_changes:
        touching = f" [{', '.join(found.rules)}]" if found.rules else ""
        yield f"  {found.weight} {found.operation} {found.what}: {found.change}{touching}  {found.at}"
    quiet = 0
    for change in side.changes:
        before, after = change.before, change.after
        if before is not None and after is not None and before.value == after.value:
            quiet += 1
            continue
        if before is None:
            sign, text = "+", _value(after)
        else:
            sign, text = ("-", _value(before)) if after is None else ("~", f"{_value(before)} → {_value(after)}")
        yield f"  {sign} {change.operation} {change.kind}: {text} ({change.weight})"
    if quiet:
        yield f"  {quiet} facts say what they said, from another place or with another confidence"
    for operation, fact in side.open:
        yield f"  ? {operation} {fact.kind}: {_value(fact)} (confidence {fact.confidence:g})"
    if side.spec_changed and (side.spec_changes or side.changes):
        counts = [*(change.weight for change in side.spec_changes), *(change.weight for change in side.changes)]
        told = ", ".join(f"{counts.count(weight)} {weight}" for weight in ("breaking", "additive") if weight in counts)
        yield f"  in all: {told or 'nothing of consequence'}"


def _exit(sides: Sequence[IngestedApi], fail_on: str | None) -> int:
    from ..diagnostics import Exit

    reached = {"breaking": {"breaking"}, "additive": {"breaking", "additive"}}.get(fail_on or "", set())
    heavy = [side for side in sides if side.weight in reached]
    for side in heavy:
        click.echo(f"{side.api}: the changes are {side.weight} (--fail-on {fail_on})", err=True)
    return Exit.FAILED if heavy else Exit.DONE


def _form(change: FactChange) -> dict[str, Any]:
    from ..api.canonical import canonical

    form = canonical(change)
    assert isinstance(form, dict)
    return form


def _value(fact: object) -> str:
    import json

    from ..api.canonical import canonical

    return json.dumps(canonical(getattr(fact, "value", None)), ensure_ascii=False)

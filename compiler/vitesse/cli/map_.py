"""`vitesse map`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .model import model_options, model_run, prompt_lines
from .options import folder_argument, json_option
from .show import places_are_in, progress, show_diagnostics, show_json

if TYPE_CHECKING:
    from ..mapper.llm.run import ModelRun
    from ..mapper.model import Proposal
    from ..workflow.map import Mapped

EXAMPLE = """\b
Example:
  vitesse map integrations/shopify_credo
  vitesse map integrations/shopify_credo customers --hint total_spent=lifetime_value
  vitesse map integrations/shopify_credo --learn-from integrations
  vitesse map integrations/shopify_credo --llm --model NAME --llm-url http://localhost:11434/v1
"""


@click.command("map", epilog=EXAMPLE)
@folder_argument
@click.argument("streams", metavar="[STREAM]...", nargs=-1)
@click.option(
    "--hint",
    "hints",
    metavar="SOURCE=DESTINATION",
    multiple=True,
    help="Fill this destination field from this source field, whatever would be proposed.",
)
@click.option(
    "--learn-from",
    "learn",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Raise what was accepted in this integration (or folder of integrations), lower what was rejected there.",
)
@model_options
@json_option
def command(
    folder: Path,
    streams: tuple[str, ...],
    hints: tuple[str, ...],
    learn: tuple[Path, ...],
    as_json: bool,
    **asked: Any,
) -> int:
    """Propose rules for the destination fields that have none, and append them to the mappings.

    Works offline, from names, types and structure. What is in a mapping, waived or rejected is left as it is. A proposal is
    compiled only when it is accepted.

    With --llm a language model ranks the candidates and says why; it is sent schemas and the intent, never records. The key comes
    from VITESSE_LLM_API_KEY or OPENAI_API_KEY, or from the file that the same name with _FILE names.
    """
    import gc

    gc.disable()  # a proposal ends before collecting garbage would pay
    from datetime import UTC, datetime

    from ..diagnostics import Exit
    from ..workflow.map import map_streams

    places_are_in(folder)
    model = model_run(folder, asked)
    if model is not None and (asked["estimate"] or asked["show_prompt"]):
        return _show_plan(folder, streams, hints, model, learn, show_prompt=asked["show_prompt"])
    day = datetime.now(UTC).date().isoformat()
    try:
        done = map_streams(folder, streams, hints=hints, on=day, model=model, learn=learn)
    finally:
        if model is not None:
            model.close()
            show_diagnostics(model.found)
            for line in model.spent():
                progress(line)
    if as_json:
        show_json({"streams": [_form(one) for one in done]})
        return Exit.DONE
    for one in done:
        for line in _lines(one):
            click.echo(line)
    return Exit.DONE


def _show_plan(
    folder: Path,
    streams: tuple[str, ...],
    hints: tuple[str, ...],
    model: ModelRun,
    learn: tuple[Path, ...],
    *,
    show_prompt: bool,
) -> int:
    """Print what would be asked; nothing is sent or written."""
    from ..diagnostics import Exit
    from ..mapper.llm.settings import check_address
    from ..workflow.map import plan_model

    check_address(model.settings)
    estimate = plan_model(folder, streams, hints=hints, model=model, learn=learn)
    for line in prompt_lines(estimate) if show_prompt else ():
        click.echo(line)
    click.echo(f"{model.settings.host}: {model.described(estimate)}", err=show_prompt)
    return Exit.DONE


def _lines(one: Mapped) -> Iterator[str]:
    proposal = one.proposal
    yield f"{proposal.stream}: {len(proposal.proposals)} rules proposed, complexity {proposal.complexity.score} of 10"
    for reason in proposal.complexity.because:
        yield f"  complex: {reason}"
    width = max((len(_pair(found)) for found in proposal.proposals), default=0)
    for found in proposal.proposals:
        told = "; ".join(found.evidence[:2])
        yield f"  {found.confidence:4.2f}  {_pair(found):<{width}}  {_transform(found)}  ({told})"
        for hole in found.holes:
            yield f"        decide: {hole}"
    for left in (left for left in proposal.unfilled if left.is_required):
        from ..api.paths import format_path

        yield f"  open  {format_path(left.destination)} is required, and {left.why}"
    optional = sum(not left.is_required for left in proposal.unfilled)
    if optional:
        yield f"  {optional} optional fields stay empty"
    if one.again:
        otherwise = [found.id for found in one.again if found.is_adviser_choice]
        said = f"; of {', '.join(otherwise)} it says otherwise" if otherwise else ""
        yield f"  the model looked at {len(one.again)} open rules again{said}"
    if one.accepted:
        yield f"  accepted by the manifest's policy: {len(one.accepted)} rules"
    if proposal.proposals:
        yield f"written to {one.written.mapping}; evidence and alternatives in {one.written.proposal}"


def _pair(found: Proposal) -> str:
    from ..api.paths import format_path

    return f"{' + '.join(format_path(source) for source in found.rule.sources)} → {found.id}"


def _transform(found: Proposal) -> str:
    function = found.rule.options.get("function")
    return f"{found.rule.transform} {function}" if function else found.rule.transform


def _form(one: Mapped) -> dict[str, Any]:
    from ..api.paths import format_path

    return {
        "stream": one.proposal.stream,
        "mapping": one.written.mapping,
        "proposal": one.written.proposal,
        "complexity": one.proposal.complexity.score,
        "because": list(one.proposal.complexity.because),
        "added": [
            {
                "rule": found.id,
                "confidence": found.confidence,
                "evidence": list(found.evidence),
                "holes": list(found.holes),
            }
            for found in one.proposal.proposals
        ],
        "unfilled": [
            {"field": format_path(left.destination), "required": left.is_required, "why": left.why}
            for left in one.proposal.unfilled
        ],
        "accepted": list(one.accepted),
        "again": [found.id for found in one.again],
    }

"""`vitesse check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from .options import (
    folders_argument,
    integrations,
    jobs_option,
    json_option,
    out_option,
    package_folder,
    shard_option,
)
from .show import places_are_in, show_json

EXAMPLE = """\b
Example:
  vitesse check integrations          in CI: exit code 1 when a package is not what its sources say
  vitesse check integrations/x --format github
"""


@click.command("check", epilog=EXAMPLE)
@folders_argument
@out_option
@click.option(
    "--format", "form", type=click.Choice(["text", "github"]), default="text", help="`github` prints annotations."
)
@jobs_option
@shard_option
@json_option
def command(
    folders: tuple[Path, ...],
    out: Path | None,
    form: str,
    jobs: int | None,
    shard: tuple[int, int] | None,
    as_json: bool,
) -> int:
    """Fail when a package is stale, edited by hand, a draft, or when a review no longer holds. Writes nothing.

    A folder that holds integrations means all of them; several are compiled at a time, one on each core.
    """
    from ..diagnostics import Exit

    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    chosen = integrations(folders, shard)
    requests = [
        {
            "task": "check",
            "folder": str(folder),
            "target": str(package_folder(folder, out)),
            "form": form,
            "colour": colour,
        }
        for folder in chosen
    ]
    results = []
    for checked in _checked(requests, jobs):
        results.append(checked["result"])
        if as_json:
            continue
        for text in checked["errors"]:
            click.echo(text, err=True)
        for text in checked["output"]:
            click.echo(text)
        result = checked["result"]
        click.echo(f"{result['package']}: {'holds' if result['holds'] else 'does not hold'}", err=not result["holds"])
    if as_json:
        show_json(results)
    return Exit.DONE if all(result["holds"] for result in results) else Exit.FAILED


def _checked(requests: Sequence[dict[str, Any]], jobs: int | None) -> Iterator[dict[str, Any]]:
    if len(requests) == 1:
        places_are_in(Path(requests[0]["folder"]))
        yield check_one(requests[0])
        return
    from contextlib import closing

    from ..workflow.pool import Ended, ask_all, default_jobs
    from .build import ended

    with closing(ask_all(requests, worker="vitesse.cli.worker", jobs=jobs or default_jobs())) as replies:
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, Ended):
                found = ended(request, reply.how)
                yield _outcome(request, [found["said"]], diagnostics=found["diagnostics"])
            elif bug := reply.get("bug"):
                from .group import BugInWorker

                raise BugInWorker(bug["what"], ["check", request["folder"]], bug["trace"])
            else:
                yield reply["checked"]


def check_one(request: dict[str, Any]) -> dict[str, Any]:
    """Check one integration: `result` is what `--json` shows, `output` and `errors` what a person reads."""
    from ..diagnostics.forms import diagnostic_forms, render_annotations
    from ..diagnostics.terminal import render_terminal
    from ..workflow.check import check_integration

    folder = Path(request["folder"])
    found = check_integration(folder, Path(request["target"]))
    output, errors = [], []
    if request["form"] == "github":
        output += render_annotations(found.diagnostics, folder, prefix=f"{folder.as_posix()}/").splitlines()
    elif text := render_terminal(found.diagnostics, folder, colour=request["colour"]):
        errors.append(text)
    if found.diff:
        output.append(found.diff)
    return _outcome(
        request,
        errors,
        output,
        holds=found.holds,
        diagnostics=diagnostic_forms(found.diagnostics),
        diff=found.diff,
    )


def _outcome(
    request: dict[str, Any],
    errors: Sequence[str],
    output: Sequence[str] = (),
    *,
    diagnostics: Sequence[Any],
    holds: bool = False,
    diff: str = "",
) -> dict[str, Any]:
    return {
        "result": {
            "integration": request["folder"],
            "package": request["target"],
            "holds": holds,
            "diagnostics": list(diagnostics),
            "diff": diff,
        },
        "output": list(output),
        "errors": list(errors),
    }

"""`vitesse build`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from .show import places_are_in, progress, show_diagnostics, show_json

if TYPE_CHECKING:
    from ..diagnostics import Diagnostic

EXAMPLE = """\b
Example:
  vitesse build integrations/shopify_credo
  vitesse build integrations --out packages
  vitesse build integrations --shard 2/4        in CI: the second of four machines
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One build: what `--json` shows of it, and what should be said."""

    result: dict[str, Any]
    warnings: tuple[Diagnostic, ...] = ()


@click.command("build", epilog=EXAMPLE)
@folders_argument
@out_option
@click.option("--draft", is_flag=True, help="Compile rules that nobody accepted yet; the lock says so.")
@click.option("--discard", is_flag=True, help="Overwrite generated files that were edited by hand.")
@jobs_option
@shard_option
@json_option
def command(
    folders: tuple[Path, ...],
    out: Path | None,
    draft: bool,
    discard: bool,
    jobs: int | None,
    shard: tuple[int, int] | None,
    as_json: bool,
) -> int:
    """Compile each integration into its package; a folder that holds integrations means all of them.

    The network is never used and nothing is guessed: the same folder gives the same bytes on any machine. When nothing
    changed since the last build, nothing is read but digests. Several are compiled at a time, one on each core; one that fails
    keeps none of the others from being built. VITESSE_CACHE may name a folder that makes later builds quicker and changes
    nothing else.
    """
    from ..diagnostics import Exit

    memo = os.environ.get("VITESSE_CACHE")
    kept = Path(memo).expanduser() if memo else None
    chosen = integrations(folders, shard)
    if shard is None and chosen == list(folders) and len(chosen) == 1:
        import gc

        gc.disable()  # a build ends before collecting garbage would pay
        places_are_in(chosen[0])
        done = build_one(chosen[0], package_folder(chosen[0], out), draft=draft, discard=discard, memo=kept)
        show_diagnostics(done.warnings, chosen[0])
        if as_json:
            show_json(done.result)
        else:
            progress(_sentence(done.result))
        return Exit.DONE
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    requests = requests_for(chosen, out, draft=draft, discard=discard, memo=kept, colour=colour)
    return _build_all(requests, jobs, as_json=as_json)


def requests_for(
    folders: Sequence[Path],
    out: Path | None,
    *,
    draft: bool = False,
    discard: bool = False,
    memo: Path | None = None,
    colour: bool = False,
) -> list[dict[str, Any]]:
    """What workers are asked to do, one request an integration."""
    return [
        {
            "task": "build",
            "folder": str(folder),
            "target": str(package_folder(folder, out)),
            "draft": draft,
            "discard": discard,
            "memo": str(memo) if memo is not None else None,
            "colour": colour,
        }
        for folder in folders
    ]


def _build_all(requests: Sequence[dict[str, Any]], jobs: int | None, *, as_json: bool) -> int:
    from contextlib import closing

    from ..diagnostics import Exit
    from ..workflow.pool import Ended, ask_all, default_jobs

    results: list[dict[str, Any]] = []
    with closing(ask_all(requests, worker="vitesse.cli.worker", jobs=jobs or default_jobs())) as replies:
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, Ended):
                reply = ended(request, reply.how)
            result = reply["result"] or {
                "package": request["target"],
                "state": "failed" if "bug" not in reply else "internal error",
                "diagnostics": reply.get("diagnostics", []),
            }
            results.append({"integration": request["folder"], **result})
            if reply.get("said"):
                click.echo(reply["said"], err=True)
            if bug := reply.get("bug"):
                from .group import bug_text

                click.echo(bug_text(bug["what"], ["build", request["folder"]], bug["trace"]), err=True)
            if not as_json:
                progress(_sentence(result))
    if as_json:
        show_json(results)
    else:
        progress(_sum(results))
    states = {result["state"] for result in results}
    if "internal error" in states:
        return Exit.INTERNAL
    if "failed" not in states:
        return Exit.DONE
    return Exit.PARTIAL if states - {"failed"} else Exit.FAILED


def build_one(folder: Path, target: Path, *, draft: bool, discard: bool, memo: Path | None) -> Built:
    """Build one integration; nothing is read but digests when nothing changed. Raises DiagnosticError."""
    from ..workflow.build import is_unchanged

    if not draft and not discard and is_unchanged(folder, target):
        return Built(result={"package": str(target), "state": "unchanged", "written": 0, "removed": 0, "draft": []})
    # To look for plugins of pydantic is to read what every installed distribution offers; none has a say in a build.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from ..workflow.build import build_integration

    compiled, report = build_integration(folder, target, draft=draft, discard=discard, memo=memo)
    written = len(report.added) + len(report.changed)
    return Built(
        result={
            "package": str(target),
            "state": "written" if written or report.removed else "unchanged",
            "written": written,
            "removed": len(report.removed),
            "draft": list(compiled.plan.draft),
        },
        warnings=compiled.warnings,
    )


def ended(request: dict[str, Any], how: str) -> dict[str, Any]:
    """V014 as a reply: the worker could not give one."""
    from ..diagnostics import Diagnostic
    from ..diagnostics.forms import diagnostic_forms
    from ..diagnostics.terminal import render_terminal

    found = Diagnostic(
        code="V014",
        message=f"the process that built `{Path(request['folder']).name}` ended {how}",
        notes=("its package is as it was, or the next build finishes it",),
        help="build it alone to see why; where memory is short, build fewer at a time with `--jobs`",
    )
    return {
        "result": None,
        "said": render_terminal([found], colour=request["colour"]),
        "diagnostics": diagnostic_forms([found]),
    }


def _sentence(result: dict[str, Any]) -> str:
    draft = result.get("draft")
    if result["state"] not in ("written", "unchanged"):
        return f"{result['package']}: {result['state']}"
    if result["state"] == "unchanged":
        return f"{result['package']}: unchanged"
    text = f"{result['package']}: {result['written']} files written"
    if result["removed"]:
        text += f", {result['removed']} removed"
    return text + (f"; a draft: {len(draft)} rules are open" if draft else "")


def _sum(results: Sequence[dict[str, Any]]) -> str:
    states = [result["state"] for result in results]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    return f"{len(results)} integrations: {', '.join(counts) or 'none in this share'}"

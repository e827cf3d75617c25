"""`vitesse build`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .options import folders_argument, json_option, out_option, package_folder
from .show import places_are_in, progress, show_diagnostics, show_json

EXAMPLE = """\b
Example:
  vitesse build integrations/shopify_credo
  vitesse build integrations/* --out packages
"""


@click.command("build", epilog=EXAMPLE)
@folders_argument
@out_option
@click.option("--draft", is_flag=True, help="Compile rules that nobody accepted yet; the lock says so.")
@click.option("--discard", is_flag=True, help="Overwrite generated files that were edited by hand.")
@json_option
def command(folders: tuple[Path, ...], out: Path | None, draft: bool, discard: bool, as_json: bool) -> int:
    """Compile each integration into its package.

    The network is never used and nothing is guessed: the same folder gives the same bytes on any machine. When nothing
    changed since the last build, nothing is read but digests. VITESSE_CACHE may name a folder that makes later builds
    quicker and changes nothing else.
    """
    import gc

    from ..diagnostics import DiagnosticError, Exit

    gc.disable()  # a build ends before collecting garbage would pay
    failed = []
    results = []
    for folder in folders:
        target = package_folder(folder, out)
        places_are_in(folder)
        try:
            result = _build(folder, target, draft=draft, discard=discard)
        except DiagnosticError as error:
            if len(folders) == 1:
                raise
            failed.append(folder)
            show_diagnostics(error.diagnostics, folder)
            continue
        results.append(result)
        if not as_json:
            progress(_sentence(result))
    if as_json:
        show_json(results if len(folders) > 1 else results[0])
    if not failed:
        return Exit.DONE
    return Exit.PARTIAL if results else Exit.FAILED


def _build(folder: Path, target: Path, *, draft: bool, discard: bool) -> dict[str, object]:
    from ..workflow.build import is_unchanged

    if not draft and not discard and is_unchanged(folder, target):
        return {"package": str(target), "state": "unchanged", "written": 0, "removed": 0, "draft": []}
    from ..workflow.build import build_integration

    memo = os.environ.get("VITESSE_CACHE")
    compiled, report = build_integration(
        folder, target, draft=draft, discard=discard, memo=Path(memo).expanduser() if memo else None
    )
    show_diagnostics(compiled.warnings, folder)
    written = len(report.added) + len(report.changed)
    return {
        "package": str(target),
        "state": "written" if written or report.removed else "unchanged",
        "written": written,
        "removed": len(report.removed),
        "draft": list(compiled.plan.draft),
    }


def _sentence(result: dict[str, object]) -> str:
    draft = result.get("draft")
    if result["state"] == "unchanged":
        return f"{result['package']}: unchanged"
    text = f"{result['package']}: {result['written']} files written"
    if result["removed"]:
        text += f", {result['removed']} removed"
    return text + (f"; a draft: {len(draft)} rules are open" if isinstance(draft, list) and draft else "")

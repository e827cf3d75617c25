"""`vitesse build` for one document: written anew, and once more when nothing changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Command, Unfit
from benchmarks.places import REPOSITORY, WORK

from .documents import Document
from .others import clear, written

BUILD = "vitesse build"
UNCHANGED = "vitesse build, nothing changed"
_HERE = Path(__file__).parent
_VITESSE = (sys.executable, "-m", "vitesse")
_ENV = {"PYTHONPATH": str(REPOSITORY / "compiler")}


def builds(document: Document) -> list[Command]:
    """Both commands, their integration prepared; none where this interpreter has no `vitesse build`."""
    if not _can_build():
        sys.stdout.write("`vitesse build` does not run with this interpreter: only the others are measured\n")
        return []
    integration = _prepared(document)
    new, kept = WORK / "compile" / "new", WORK / "compile" / "kept"
    clear(kept)
    _vitesse("build", str(integration), "--out", str(kept))

    def unchanged(said: str) -> dict[str, float]:
        if not (kept / "vitesse.lock").is_file():
            raise Unfit(f"no package is left: {said}")
        return {}

    return [
        Command(
            name=BUILD,
            argv=(*_VITESSE, "build", str(integration), "--out", str(new)),
            env=_ENV,
            before=lambda: clear(new),
            check=written(new, sys.executable),
        ),
        Command(
            name=UNCHANGED,
            argv=(*_VITESSE, "build", str(integration), "--out", str(kept)),
            env=_ENV,
            check=unchanged,
        ),
    ]


def _can_build() -> bool:
    done = subprocess.run([*_VITESSE, "build", "--help"], env=_ENV, capture_output=True, check=False)
    return done.returncode == 0


def _prepared(document: Document) -> Path:
    """The integration's folder: the example as it is, or Stripe's with the document in its place, facts and review made."""
    examples = REPOSITORY / "examples" / "shopify_credo"
    if document.name == "example":
        return examples
    folder = WORK / "compile" / "integrations" / f"stripe_credo_{document.path.suffix[1:]}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_HERE / "stripe_credo", folder)
    (folder / "specs").mkdir()
    shutil.copyfile(document.path, folder / "specs" / document.path.name)
    shutil.copyfile(examples / "specs" / "credo.json", folder / "specs" / "credo.json")
    _vitesse("ingest", str(folder))
    _vitesse("accept", str(folder), "--all", "--by", "benchmark")
    return folder


def _vitesse(*arguments: str) -> None:
    done = subprocess.run([*_VITESSE, *arguments], env=_ENV, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"vitesse {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")

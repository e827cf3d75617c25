"""`vitesse build` for one document: written anew, and once more when nothing changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Command, Unfit
from benchmarks.places import REPOSITORY, SHARED, WORK
from benchmarks.vitesse import COMMAND, ENV, can_build, vitesse

from .documents import Document
from .others import clear, written

BUILD = "vitesse build"
REMEMBERED = "vitesse build, slow tools' answers remembered"
UNCHANGED = "vitesse build, nothing changed"
_HERE = Path(__file__).parent


def builds(document: Document) -> list[Command]:
    """Both commands, their integration prepared; none where this interpreter cannot run the compiler."""
    if not can_build():
        sys.stdout.write("`vitesse build` does not run with this interpreter: only the others are measured\n")
        return []
    integration = prepared(document)
    new, kept, cache = (WORK / "compile" / name for name in ("new", "kept", "cache"))
    remembering = {**ENV, "VITESSE_CACHE": str(cache)}
    clear(kept)
    vitesse("build", str(integration), "--out", str(kept), env=remembering)

    def unchanged(said: str) -> dict[str, float]:
        if not (kept / integration.name / "vitesse.lock").is_file():
            raise Unfit(f"no package is left: {said}")
        return {}

    return [
        Command(
            name=BUILD,
            argv=(*COMMAND, "build", str(integration), "--out", str(new)),
            env=ENV,
            before=lambda: clear(new),
            check=written(new / integration.name, sys.executable),
        ),
        Command(
            name=REMEMBERED,
            argv=(*COMMAND, "build", str(integration), "--out", str(new)),
            env=remembering,
            before=lambda: clear(new),
            check=written(new / integration.name, sys.executable),
            shown=f"VITESSE_CACHE={cache} {' '.join(COMMAND)} build {integration} --out {new}",
        ),
        Command(
            name=UNCHANGED,
            argv=(*COMMAND, "build", str(integration), "--out", str(kept)),
            env=ENV,
            check=unchanged,
        ),
    ]


def prepared(document: Document) -> Path:
    """The integration's folder: the example as it is, or Stripe's with the document in its place, reviewed."""
    examples = REPOSITORY / "examples" / "shopify_credo"
    if document.name == "example":
        return examples
    if document.pair is not None:
        return _published(document.pair)
    folder = WORK / "compile" / "integrations" / f"stripe_credo_{document.path.suffix[1:]}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_HERE / "stripe_credo", folder)
    (folder / "specs").mkdir()
    shutil.copyfile(document.path, folder / "specs" / document.path.name)
    shutil.copyfile(examples / "specs" / "credo.json", folder / "specs" / "credo.json")
    vitesse("accept", str(folder), "--all", "--by", "benchmark")
    return folder


def _published(pair: str) -> Path:
    folder = WORK / "compile" / "integrations" / pair.replace("-", "_")
    specs = SHARED / "specs"
    arguments = (str(specs / "pairs.json"), str(specs), pair, str(folder))
    command = [sys.executable, "-m", "benchmarks.compile.pin", *arguments]
    subprocess.run(command, cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=True)
    vitesse("accept", str(folder), "--all", "--by", "benchmark")
    return folder

"""Fuzz for a while: bytes into the loaders with atheris, made-up documents through the whole compiler with hypothesis.

    python -m tests.hostile.fuzz --seconds 60 [--corpus FOLDER] [--seed N]

Ends with 1 and the input when something other than a diagnostic comes out. Where no atheris is to be had for this Python, that half
is left out, and said so.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.hostile import quick
from tests.hostile.corpus import Case

from .properties import compile_whole, read_whole
from .strategies import base_document, documents

LOADERS = Path(__file__).with_name("loaders.py")


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="keep the loaders' interesting inputs there")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        code = fuzz_loaders(asked.seconds // 2, asked.corpus or Path(folder) / "corpus")
        return fuzz_documents(asked.seconds - asked.seconds // 2, asked.seed, Path(folder)) or code


def has_atheris() -> bool:
    """Whether atheris can be imported; installs it when a wheel for this Python exists."""
    if importlib.util.find_spec("atheris") is not None:
        return True
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "atheris"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def fuzz_loaders(seconds: int, corpus: Path) -> int:
    """JSON and YAML texts, coverage-guided. The exit code of the fuzzer."""
    if not has_atheris():
        print("loaders: left out, since there is no wheel of atheris for this Python")
        return 0
    corpus.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(_seeds()):
        (corpus / f"seed-{number}").write_text(text)
    crashes = f"-artifact_prefix={corpus.parent}/crash-"
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-max_len=4096",
        crashes,
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [sys.executable, str(LOADERS), *limits, str(corpus)], capture_output=True, text=True, check=False
    )
    runs = next(
        (line.rpartition(":")[2].strip() for line in done.stderr.splitlines() if "number_of_executed_units" in line),
        "?",
    )
    print(f"loaders: {runs} texts in {seconds} s, " + ("nothing found" if done.returncode == 0 else "found:"))
    if done.returncode != 0:
        print(done.stderr[-4000:])
        for crash in corpus.parent.glob("crash-*"):
            print(f"{crash.name}: {crash.read_bytes()!r}")
    return 1 if done.returncode else 0


def _seeds() -> list[str]:
    small = {
        "openapi": "3.1.0",
        "info": {"title": "a", "version": "1"},
        "paths": {},
        "x": [1, -2.5e3, None, True, "\u00e9\n"],
    }
    return [
        json.dumps(small),
        "openapi: 3.0.3\ninfo: {title: no, version: 010}\npaths:\n  /a: &x {get: {responses: {200: {}}}}\n  /b: *x\n  <<: *x\n",
        "? a\n: - !!str 1\n  - |\n    text\n  - >-\n    more\n  - 0x1F\n  - .inf\n  - 'it''s'\n",
    ]


def fuzz_documents(seconds: int, number: int, folder: Path) -> int:
    """Made-up documents, read whole and compiled, for that long. 1 when one of them brings more than a diagnostic."""
    file = folder / "baseline.json"
    file.write_text(json.dumps(base_document()))
    case = Case(id="_", group="", slot="", expected="safe", file=file, baseline=file)
    baselines = quick.baseline_files(case, folder / "baseline")
    counts = {"documents": 0, "packages": 0}
    ends = time.monotonic() + seconds

    @seed(number)
    @settings(
        max_examples=100_000,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(document=documents())
    def everything(document: object) -> None:
        if time.monotonic() > ends:
            return
        file.write_text(json.dumps(document))
        read_whole(file)
        counts["documents"] += 1
        if counts["documents"] % 5 == 0:
            counts["packages"] += len(compile_whole(document, folder / "compiled", baselines))

    try:
        everything()
    except Exception:
        print(f"documents: found with --seed {number}:")
        import traceback

        traceback.print_exc()
        print(file.read_text())
        return 1
    print(
        f"documents: {counts['documents']} read and {counts['packages']} packages proved in {seconds} s, nothing found (seed {number})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

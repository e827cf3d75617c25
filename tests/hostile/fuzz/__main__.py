"""Fuzz for a while: bytes into the loaders with atheris, made-up documents through the whole compiler with hypothesis.

    python -m tests.hostile.fuzz --seconds 60 [--corpus FOLDER] [--seed N]
    python -m tests.hostile.fuzz --seed N --texts 200000 --rounds 4

Ends with 1 and the input when something other than a diagnostic comes out; `--seed` shows it again. Bounded by counts in place of
seconds it does the same each time. Where no atheris is installed, that half is left out, and said so.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.hostile import quick
from tests.hostile.corpus import Case

from .properties import compile_whole, inspect_whole, read_whole
from .strategies import base_document, documents

HERE = Path(__file__).parent
ROUND = 25
"""Documents between two looks at the clock."""


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for both halves together")
    parser.add_argument("--half", choices=["loaders", "documents"], help="this half alone")
    parser.add_argument("--corpus", type=Path, help="keep the loaders' interesting inputs there")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--texts", type=int, help="for the loaders, in place of seconds")
    parser.add_argument("--rounds", type=int, help=f"of {ROUND} documents each, in place of seconds")
    asked = parser.parse_args()
    each = asked.seconds if asked.half else asked.seconds // 2
    code = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name).resolve()
        if asked.half != "documents":
            code = fuzz_loaders(each, asked.texts, asked.seed, asked.corpus or folder / "corpus")
        if asked.half != "loaders":
            code = fuzz_documents(each, asked.rounds, asked.seed, folder) or code
    return code


def fuzz_loaders(seconds: int, texts: int | None, number: int, corpus: Path) -> int:
    """JSON and YAML texts, coverage-guided, for that long or so many. 1 when one of them brings more than a TextError."""
    if importlib.util.find_spec("atheris") is None:
        print(
            "loaders: left out, since atheris is not installed (the extra `fuzz`; it has wheels for some Pythons only)"
        )
        return 0
    corpus.mkdir(parents=True, exist_ok=True)
    for index, text in enumerate(_seeds()):
        (corpus / f"seed-{index}").write_text(text)
    ends = f"-max_total_time={seconds}" if texts is None else f"-runs={texts}"
    limits = f"{ends} -timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 -seed={number}"
    began = time.monotonic()
    command = [
        sys.executable,
        str(HERE / "loaders.py"),
        *limits.split(),
        f"-artifact_prefix={corpus.parent}/crash-",
        str(corpus),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    runs = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
    print(
        f"loaders: {runs} texts in {time.monotonic() - began:.0f} s, "
        + ("nothing found" if done.returncode == 0 else "found:"),
        f"(seed {number})",
    )
    if done.returncode != 0:
        print(done.stderr[-4000:])
        for crash in corpus.parent.glob("crash-*"):
            print(f"{crash.name}: {crash.read_bytes()!r}")
    return 1 if done.returncode else 0


def _seeds() -> list[str]:
    small = {
        "openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {}, "x": [1, -2.5e3, None, True, "\u00e9\n"],
    }  # fmt: skip
    return [
        json.dumps(small),
        "openapi: 3.0.3\ninfo: {title: no, version: 010}\npaths:\n  /a: &x {get: {responses: {200: {}}}}\n  /b: *x\n  <<: *x\n",
        "? a\n: - !!str 1\n  - |\n    text\n  - >-\n    more\n  - 0x1F\n  - .inf\n  - 'it''s'\n",
    ]


def fuzz_documents(seconds: int, rounds: int | None, first: int, folder: Path) -> int:
    """Made-up documents, inspected, compiled and imported, for that long or so many rounds. 1 when one of them brings more than
    a diagnostic.
    """
    file, memo = folder / "document.json", folder / "memo"
    file.write_text(json.dumps(base_document()))
    case = Case(id="_", group="", slot="", expected="safe", file=file, baseline=file)
    baselines = quick.baseline_files(case, folder / "baseline")
    counts: Counter[str] = Counter()
    began = time.monotonic()
    importer = subprocess.Popen(
        [sys.executable, str(HERE / "importing.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
    )

    def import_package(package: Path) -> None:
        assert importer.stdin is not None
        assert importer.stdout is not None
        print(package / "src", file=importer.stdin, flush=True)
        answer = importer.stdout.readline().strip()
        assert answer == "ok", answer
        assert not list(folder.glob("PWNED*"))

    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(document=documents())
    def everything(document: object) -> None:
        file.write_text(json.dumps(document))
        read_whole(file)
        counts["documents"] += 1
        counts["operations"] += inspect_whole(file, memo)
        for package in compile_whole(document, folder / "compiled", baselines):
            import_package(package)
            counts["packages"] += 1

    try:
        for number in itertools.count(first):
            if time.monotonic() - began > seconds if rounds is None else number - first >= rounds:
                break
            seed(number)(everything)()
    except Exception:
        print(f"documents: found with --seed {number}:")
        traceback.print_exc(file=sys.stdout)
        print(file.read_text())
        return 1
    finally:
        importer.kill()
        importer.wait()
    print(
        f"documents: {counts['documents']} inspected ({counts['operations']} operations compile), {counts['packages']} packages"
        f" proved and imported in {time.monotonic() - began:.0f} s, nothing found (seeds {first} to {number - 1})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

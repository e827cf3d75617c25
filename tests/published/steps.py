"""What is proved about one pair: it builds, installs without Vitesse, imports, is well typed, passes its tests and syncs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.published.folders import (
    FolderError,
    Pair,
    bundle,
    copy_folder,
    place_mapping,
    read_manifest,
    slug,
    spec_file,
    written_folder,
    written_mapping,
)
from tests.published.processes import Done, clean_environment, one_of, run
from tests.published.venvs import VenvError, dependencies_venv, install, last_line, package_venv, python_of
from tests.shared import REPOSITORY

ABOVE = 0.9
"""Proposed rules with this confidence are accepted unread."""


@dataclass(slots=True)
class Proposal:
    """What `vitesse map` and `vitesse accept --accept-above` made of a pair."""

    rules: int = 0
    accepted: list[str] = field(default_factory=list)
    """Accepted by confidence."""
    read: list[str] = field(default_factory=list)
    """Left for a person to read."""
    decide: list[str] = field(default_factory=list)
    """Holes that the proposals themselves name."""
    facts: list[str] = field(default_factory=list)
    """Facts that are not sure, for a person to confirm."""
    complexity: int = 0
    map_cpu_s: float = 0.0
    map_wall_s: float = 0.0


@dataclass(slots=True)
class Row:
    """What became of one pair. A step that was not reached is None."""

    pair: str
    build_cpu_s: float | None = None
    files: int | None = None
    installed: bool | None = None
    modules: int | None = None
    """How many of the package's modules were imported."""
    proposal: Proposal | None = None
    """What was proposed where nobody wrote a mapping; None where somebody did."""
    filled: list[str] | None = None
    """What had to be decided where nobody wrote an integration, and was filled with what says so; None where somebody wrote one."""
    well_typed: bool | None = None
    tests: int | None = None
    """How many of the package's own tests passed."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    """The counts of the first run on the mocks, and of the one after it."""
    operations: list[str] = field(default_factory=list)
    """The operations that were called, as the package's examination names them."""
    rules: int | None = None
    score: float | None = None
    """The Guardian's, on the package's mocks."""
    failed_at: str | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.failed_at is None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


class _Stop(Exception):
    """A step failed; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Where things are, and how far to go."""

    specs: Path
    mappings: Path | None
    home: Path
    """Environments and caches, kept from run to run."""
    work: Path
    """A folder for each pair: its integration, its package, its environment."""
    count: int = 120
    """Records that the source's mock holds."""
    until: str = "sync"
    """The last step."""


STEPS = ("folder", "build", "install", "import", "mypy", "tests", "sync", "score")


def prove(pair: Pair, setup: Setup, say: Callable[[str], None] = lambda text: None) -> Row:
    """Take one pair through all steps; what fails is in the row and is never raised."""
    row = Row(pair=pair.id)
    proof = _Proof(pair, setup, row)
    steps = STEPS[: STEPS.index(setup.until) + 1]
    for step in steps:
        if step == "tests" and "score" in steps:
            continue  # the Guardian runs them too
        say(f"{pair.id}: {step}")
        try:
            getattr(proof, f"step_{step}")()
        except (_Stop, VenvError, FolderError, OSError, ValueError) as error:
            row.failed_at, row.note = step, str(error) or type(error).__name__
            break
    return row


class _Proof:
    """The steps in their order; each needs what the ones before it left."""

    def __init__(self, pair: Pair, setup: Setup, row: Row) -> None:
        self.pair, self.setup, self.row = pair, setup, row
        self.work = setup.work / pair.id
        self.folder = self.work / "integration" / pair.id
        self.package = self.work / "generated" / pair.id
        self.venv = self.work / "venv"
        self.dependencies = Path()

    # --- with Vitesse ---

    def step_folder(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        written = written_folder(self.pair, self.setup.mappings)
        if written is None:
            self._create(written_mapping(self.pair, self.setup.mappings))
            return
        copy_folder(written, self.folder)
        manifest = read_manifest(self.folder)
        specs = self.setup.specs
        given = [
            f"{manifest['source']['api']}={spec_file(specs, self.pair.source_spec)}",
            f"{manifest['destination']['api']}={spec_file(specs, self.pair.dest_spec)}",
        ]
        within = bundle(specs, self.pair.source_spec, self.pair.dest_spec)
        arguments = [argument for spec in given for argument in ("--spec", spec)]
        self._vitesse("ingest", self.folder, *arguments, *(("--folder", within) if within else ()))

    def _create(self, mapping: Path | None) -> None:
        """A new integration, with the one mapping that someone wrote or with all that Vitesse proposes."""
        pair, specs = self.pair, self.setup.specs
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        within = bundle(specs, pair.source_spec, pair.dest_spec)
        self._vitesse(
            *("create", slug(pair.id), "--dir", self.folder),
            *("--source", spec_file(specs, pair.source_spec), "--destination", spec_file(specs, pair.dest_spec)),
            *("--stream", f"{pair.source_operation}={pair.dest_operation}", "--intent", pair.intent or pair.id),
            *(("--folder", within) if within else ()),
        )
        self._vitesse("ingest", self.folder)
        if mapping is not None:
            place_mapping(mapping, self.folder)
        else:
            self.row.proposal = self._propose()
        keep = ("--keep-rules",) if mapping is not None else ()
        done = self._python_here("-m", "tests.published.holes", self.folder, *keep)
        self.row.filled = done.output.splitlines()

    def _propose(self) -> Proposal:
        """`map`, and what of it is accepted unread."""
        mapped = self._vitesse("map", self.folder, "--json")
        sure = self._vitesse("accept", self.folder, "--accept-above", str(ABOVE), "--by", "pairs", "--json")
        streams = json.loads(mapped.output)["streams"]
        proposed = [(f"{one['stream']}.{rule['rule']}", rule) for one in streams for rule in one["added"]]
        accepted: list[str] = json.loads(sure.output)["rules"]
        return Proposal(
            rules=len(proposed),
            accepted=accepted,
            read=[name for name, _ in proposed if name not in accepted],
            decide=[f"{name}: {hole}" for name, rule in proposed for hole in rule["holes"]],
            complexity=max(one["complexity"] for one in streams),
            map_cpu_s=round(mapped.cpu_s, 2),
            map_wall_s=round(mapped.wall_s, 2),
        )

    def step_build(self) -> None:
        # The tool is no person: what it accepts is recorded under its own name.
        accepted = self._vitesse("accept", self.folder, "--all", "--by", "pairs", "--json")
        if self.row.proposal is not None:
            self.row.proposal.facts = json.loads(accepted.output)["facts"]
        done = self._vitesse("build", self.folder, "--out", self.package.parent, "--discard", "--json")
        self.row.build_cpu_s = round(done.cpu_s, 2)
        self.row.files = sum(path.is_file() for path in self.package.rglob("*") if "__pycache__" not in path.parts)

    def step_score(self) -> None:
        """What the Guardian says of the package; its clean environments are kept with ours."""
        command = ("-m", "vitesse", "test", self.folder, "--out", self.package.parent, "--json")
        done = self._run_here(*command, cache=self.setup.home / "cache")
        try:
            report = json.loads(done.output)
        except ValueError:
            raise _Stop(_why(done)) from None
        self.row.tests = report["package_tests"]["passed"]
        if failures := report["package_tests"]["failures"]:
            raise _Stop(f"{len(failures)} failed: {failures[0]['name']} {last_line(failures[0]['message'])}")
        if done.code:
            raise _Stop(last_line(done.errors) or f"the gate is closed: {report['overall_score']:g}")
        self.row.operations = [one["operation"] for one in report["test_results"]]
        self.row.rules = len(report["rules"])
        self.row.score = report["overall_score"]

    def _vitesse(self, *arguments: str | Path) -> Done:
        return self._python_here("-m", "vitesse", *arguments)

    def _python_here(self, *arguments: str | Path) -> Done:
        return _fine(self._run_here(*arguments))

    def _run_here(self, *arguments: str | Path, cache: Path | None = None) -> Done:
        paths = [str(REPOSITORY / "compiler"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path), "NO_COLOR": "1"}
        if cache is not None:
            environment["VITESSE_CACHE"] = str(cache)
        return run([sys.executable, *arguments], folder=self.work, environment=environment, limit_s=900)

    # --- without ---

    def step_install(self) -> None:
        self.dependencies = dependencies_venv(self.package, self.setup.home)
        package_venv(self.venv, self.dependencies)
        _fine(install(self.package, self.venv, self.dependencies))
        self.row.installed = True

    def step_import(self) -> None:
        done = _fine(run([self._python, "-I", "-c", _IMPORT, self._module], folder=self.work, environment=_alone()))
        self.row.modules = int(last_line(done.output))

    def step_mypy(self) -> None:
        command = [python_of(self.dependencies), "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
        command += ["--python-executable", self._python, "-p", self._module]
        # What all packages depend on is read once; two runs at a time have a cache each.
        with one_of(self.setup.home / "mypy") as cache:
            _fine(run([*command, "--cache-dir", cache], folder=self.work, environment=_alone()))
        self.row.well_typed = True

    def step_tests(self) -> None:
        command = [self._python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header"]
        done = run(command, folder=self.package, environment=_alone())
        passed = re.search(r"(\d+) passed", done.output)
        self.row.tests = int(passed[1]) if passed else 0
        if done.code or not self.row.tests:
            failures = re.findall(r"^(?:FAILED|ERROR) (\S+)(?: - (.*))?", done.output, re.MULTILINE)
            told = f"{len(failures)} failed: {failures[0][0]} {failures[0][1]}" if failures else _why(done)
            raise _Stop(told)

    def step_sync(self) -> None:
        """Twice on the package's mocks: what the first run wrote is unchanged for the second."""
        state = self.work / "state.db"
        for left in self.work.glob("state.db*"):
            left.unlink()
        with self._mocks() as environment:
            environment = _alone(**environment, DATABASE_URL=f"sqlite:///{state}")
            for _ in range(2):
                done = run([self._command, "sync", "--json"], folder=self.work, environment=environment, limit_s=300)
                # 3: some records are dead letters, which a schema full of holes explains.
                if done.code not in (0, 3):
                    raise _Stop(_failure(done.output) or _why(done))
                self.row.runs.append(_counts(done.output))
        first, second = self.row.runs
        if problem := _problem(first) or _problem(second):
            raise _Stop(problem)
        if first["read"] != self.setup.count or not first["written"]:
            raise _Stop(f"{first['read']} of {self.setup.count} records were read, {first['written']} written")
        # A list with a filter by time gives only the newest records again.
        if second["written"] or second["unchanged"] + second["dead"] != second["read"]:
            raise _Stop("what the first run wrote is not unchanged for the second")

    @contextmanager
    def _mocks(self) -> Iterator[dict[str, str]]:
        command = [str(self._python), "-m", "tests.mocks", "--count", str(self.setup.count), "--no-rate-limit"]
        with (self.work / "mocks.log").open("wb") as log:
            served = subprocess.Popen(
                command, cwd=self.package, env=_alone(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        try:
            assert served.stdout is not None
            line = served.stdout.readline()
            if not line:
                raise _Stop(f"the mocks: {last_line((self.work / 'mocks.log').read_text(encoding='utf-8'))}")
            environment: dict[str, str] = json.loads(line)["environment"]
            yield environment
        finally:
            served.terminate()
            try:
                served.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                served.kill()
                served.communicate()

    # --- names ---

    @property
    def _python(self) -> Path:
        return python_of(self.venv)

    @property
    def _scripts(self) -> dict[str, str]:
        import tomllib

        project = tomllib.loads((self.package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        scripts: dict[str, str] = project["scripts"]
        return scripts

    @property
    def _command(self) -> Path:
        return self.venv / "bin" / next(iter(self._scripts))

    @property
    def _module(self) -> str:
        return next(iter(self._scripts.values())).split(".")[0]


_IMPORT = """
import importlib, importlib.util, pkgutil, sys
if importlib.util.find_spec("vitesse") is not None:
    sys.exit("Vitesse is installed beside the package")
package = importlib.import_module(sys.argv[1])
names = [each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)
print(len(names) + 1)
"""


def _alone(**more: str) -> dict[str, str]:
    return clean_environment(NO_COLOR="1", **more)


def _fine(done: Done) -> Done:
    if done.code:
        raise _Stop(_why(done))
    return done


def _why(done: Done) -> str:
    """One line that says why a command failed: its first error, else the last thing it said."""
    if done.out_of_time:
        return "out of time"
    for line in [*done.errors.splitlines(), *done.output.splitlines()]:
        if re.match(r"(?:internal )?error\b|\S+:\d+: error", line.strip()):
            more = len(re.findall(r"^error\[", done.text, re.MULTILINE)) - 1
            return line.strip() + (f" (and {more} more)" if more > 0 else "")
    return last_line(done.errors) or last_line(done.output) or f"exit code {done.code}"


_FATES = ("written", "unchanged", "skipped", "dead", "unknown", "held")


def _counts(output: str) -> dict[str, int]:
    """The counts of a run over all streams."""
    reports = json.loads(output)
    return {name: sum(_count(report, name) for report in reports) for name in ("read", *_FATES)}


def _count(report: dict[str, Any], name: str) -> int:
    value = report.get("counts", report).get(name, 0)
    return value if isinstance(value, int) else sum(value.values())


def _problem(counts: dict[str, int]) -> str | None:
    """What is wrong with a run whatever it read."""
    told = ", ".join(f"{name} {value}" for name, value in counts.items())
    if counts["read"] != sum(counts[name] for name in _FATES):
        return f"the run equation does not hold: {told}"
    if counts["unknown"] or counts["held"] or 2 * counts["dead"] > counts["read"]:
        return f"too much is left open or dead: {told}"
    return None


def _failure(output: str) -> str | None:
    """Why a run failed, in its own words."""
    try:
        reports = json.loads(output)
        return next((str(report["error"]) for report in reports if report.get("error")), None)
    except (ValueError, TypeError, AttributeError):
        return None

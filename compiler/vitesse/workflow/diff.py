"""What changed in an integration since a revision, in words: rules, waivers, facts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..api.canonical import canonical
from ..api.facts import ApiFacts, Fact
from ..api.facts_file import load_facts
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..manifest import load_manifest
from ..rules.diff import RulesDiff, diff_rules
from ..rules.load import load_rules, mapping_file
from ..rules.model import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """One fact that is not what it was; None is a fact that is not there."""

    api: str
    operation: str
    kind: str
    before: Fact | None
    after: Fact | None

    def in_words(self) -> str:
        return f"{self.operation} {self.kind}: {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationDiff:
    """All that changed."""

    rules: tuple[RulesDiff, ...]
    facts: tuple[FactChange, ...]

    @property
    def is_empty(self) -> bool:
        return not self.facts and all(diff.is_empty for diff in self.rules)


def diff_integration(folder: Path, base: str = "HEAD") -> IntegrationDiff:
    """Compare the folder with what git has of it at a revision.

    Raises:
        DiagnosticError: V010 when there is no such revision or no repository, and what loading either state finds wrong.
    """
    with TemporaryDirectory() as name:
        before = Path(name)
        _restore(folder, base, before)
        manifest = load_manifest(folder)
        streams = set(manifest.streams) | {path.stem for path in (before / "mappings").glob("*.yaml")}
        pairs = [(_rules(before, stream), _rules(folder, stream)) for stream in sorted(streams)]
        apis = (manifest.source.api, manifest.destination.api)
        return IntegrationDiff(
            rules=tuple(diff_rules(was, now) for was, now in pairs if was is not None or now is not None),
            facts=tuple(change for api in apis for change in _facts(load_facts(before, api), load_facts(folder, api))),
        )


def _restore(folder: Path, base: str, target: Path) -> None:
    """Write the folder's mappings and facts as they were at `base`."""
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", base, "--", "mappings", "facts", base=base)
    for name in listed.decode("utf-8", "replace").split("\0"):
        path = Path(name)
        if not name or path.is_absolute() or ".." in path.parts or path.suffix not in (".yaml", ".json"):
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(_git(folder, "show", f"{base}:./{name}", base=base))


def _git(folder: Path, *arguments: str, base: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise _no_revision(folder, base, type(error).__name__) from None
    if done.returncode:
        raise _no_revision(folder, base, done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: "))
    return done.stdout


def _no_revision(folder: Path, base: str, why: str) -> DiagnosticError:
    return DiagnosticError(
        [
            Diagnostic(
                code="V010",
                message=f"git has no revision `{base}` of `{folder.name}`",
                places=(Place(file="."),),
                notes=(why,) if why else (),
                help="name another one with `--base`, and run it inside the repository that holds the integration",
            )
        ]
    )


def _rules(folder: Path, stream: str) -> Rules | None:
    return load_rules(folder, stream) if (folder / mapping_file(stream)).exists() else None


def _facts(before: ApiFacts, after: ApiFacts) -> Iterator[FactChange]:
    for operation in dict.fromkeys([*after.operations, *before.operations]):
        was, now = before.operations.get(operation, {}), after.operations.get(operation, {})
        for kind in dict.fromkeys([*now, *was]):
            old, new = was.get(kind), now.get(kind)
            if (old.value if old else None) != (new.value if new else None) or (old is None) != (new is None):
                yield FactChange(api=after.api, operation=operation, kind=kind, before=old, after=new)


def _shown(fact: Fact | None) -> str:
    import json

    if fact is None:
        return "(not there)"
    return json.dumps(canonical(fact.value), ensure_ascii=False)

"""What changed in an integration since a revision, in words: rules, waivers, facts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from ..api.canonical import canonical
from ..api.facts import ApiFacts, Fact
from ..api.facts_file import load_facts
from ..api.paths import Path as FieldPath
from ..api.paths import format_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..manifest import MANIFEST_FILE, load_manifest
from ..pipeline import Integration, read_integration
from ..registry import Registry
from ..rules.check import unfilled_fields, unread_fields
from ..rules.diff import FieldChange, RuleChange, RulesDiff, diff_rules
from ..rules.digests import rule_digest
from ..rules.load import load_rules, mapping_file
from ..rules.model import CheckedRule, End, Rule, Rules
from ..rules.prove import prove_rule, some_leaves
from ..rules.review import Review, load_review
from ..rules.sample import sample_of
from ..rules.shapes import Unreached, reach, shape_of
from ..rules.words import status_in_words, type_in_words


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
    notes: tuple[str, ...] = ()
    """What could not be compared, and why."""
    prefix: str = ""
    """Path from the repository's top to the folder: `examples/shopify_credo/`."""

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
        notes: list[str] = []
        now = _read(folder, "the specs cannot be read now", notes)
        was = (
            _read(before, f"the specs at {base} cannot be read", notes)
            if now and _has_other_specs(before, folder)
            else None
        )
        diffs = [
            _told(diff_rules(old, new), old, new, now, was or now)
            for old, new in pairs
            if old is not None or new is not None
        ]
        return IntegrationDiff(
            rules=tuple(diffs),
            facts=tuple(change for api in apis for change in _facts(load_facts(before, api), load_facts(folder, api))),
            notes=tuple(notes),
            prefix=_git(folder, "rev-parse", "--show-prefix", base=base).decode("utf-8", "replace").rstrip("\n"),
        )


def _told(
    diff: RulesDiff, old: Rules | None, new: Rules | None, now: Integration | None, was: Integration | None
) -> RulesDiff:
    """The diff with samples, who stands behind what, what changed in the specs, and what is left out on both sides."""
    if now is None or was is None or diff.stream not in now.manifest.streams:
        return diff
    ends = now.ends(diff.stream)
    try:
        ends_before = was.ends(diff.stream) if was is not now and diff.stream in was.manifest.streams else ends
    except DiagnosticError:
        ends_before = ends
    review = load_review(now.folder, diff.stream)
    rules = new or Rules(stream=diff.stream, file=diff.file)
    return replace(
        diff,
        rules=tuple(_with_samples(change, ends, ends_before, now.registry, review) for change in diff.rules),
        fields=tuple(_fields(rules, ends, ends_before)) if ends_before is not ends else (),
        unfilled=tuple(map(format_path, unfilled_fields(rules, ends[1]))),
        unread=tuple(map(format_path, unread_fields(rules, ends[0]))),
        source=ends[0].title,
        destination=ends[1].title,
    )


def _with_samples(
    change: RuleChange, ends: tuple[End, End], ends_before: tuple[End, End], registry: Registry, review: Review
) -> RuleChange:
    after, before = _proved(change.after, ends, registry), _proved(change.before, ends_before, registry)
    told = ""
    if change.after is not None:
        fields = after.fields_digest if after is not None else ""
        status = review.status(change.id, rule_digest(change.after), fields)
        told = status_in_words(status, review.rules.get(change.id))
    return replace(
        change,
        sample_before=_sample(before, ends_before[0]),
        sample_after=_sample(after, ends[0]),
        review=told,
    )


def _proved(rule: Rule | None, ends: tuple[End, End], registry: Registry) -> CheckedRule | None:
    if rule is None:
        return None
    return prove_rule(rule, source=ends[0], destination=ends[1], registry=registry)[0]


def _sample(checked: CheckedRule | None, source: End) -> str:
    sample = sample_of(checked, source) if checked is not None else None
    return str(sample) if sample is not None else ""


def _fields(rules: Rules, ends: tuple[End, End], ends_before: tuple[End, End]) -> Iterator[FieldChange]:
    """Fields of both records that came, went or changed, and the rules that touch them."""
    sides: tuple[tuple[Literal["source", "destination"], End, End], ...] = (
        ("source", ends_before[0], ends[0]),
        ("destination", ends_before[1], ends[1]),
    )
    for side, was, now in sides:
        old, new = ({one.text: one for one in some_leaves(end)} for end in (was, now))
        for text in dict.fromkeys([*new, *old]):
            path = (new.get(text) or old[text]).path
            before, after = _field_words(was, path), _field_words(now, path)
            if before != after:
                touching = (
                    rule.id
                    for rule in rules.rules
                    if path in (rule.sources if side == "source" else (rule.destination,))
                )
                yield FieldChange(side=side, path=text, before=before, after=after, rules=tuple(touching))


def _field_words(end: End, path: FieldPath) -> str:
    reached = reach(end.type, end.types, path)
    if isinstance(reached, Unreached) or reached.steps[-1].field is None:
        return ""
    shape = shape_of(reached.type, end.types)
    told = type_in_words(reached, end.types)
    if shape.enum:
        told += f", one of {', '.join(map(str, shape.enum[:12]))}" + (" …" if len(shape.enum) > 12 else "")
    return told + (f", at most {shape.max_length} characters" if shape.max_length is not None else "")


def _read(folder: Path, why: str, notes: list[str]) -> Integration | None:
    """The integration, as far as it can be read; a description that is broken keeps nobody from reading the rules' change."""
    try:
        integration = read_integration(folder)
        for stream in integration.manifest.streams:
            integration.ends(stream)
    except DiagnosticError as error:
        first = error.diagnostics[0]
        notes.append(f"{why}, so samples and fields are left out: {first.message} [{first.code}]")
        return None
    return integration


def _has_other_specs(before: Path, folder: Path) -> bool:
    """Whether the older state has specs, and they or what says how to read them are not those of now."""
    if not (before / MANIFEST_FILE).exists():
        return False
    names = {
        path.relative_to(root) for root in (before, folder) for path in (root / "specs").rglob("*") if path.is_file()
    }
    names.add(Path(MANIFEST_FILE))
    return any(_bytes(before / name) != _bytes(folder / name) for name in names)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _restore(folder: Path, base: str, target: Path) -> None:
    """Write what the folder is compiled from as it was at `base`."""
    inputs = (MANIFEST_FILE, "mappings", "facts", "specs", "custom")
    listed = _git(folder, "ls-tree", "-r", "-z", base, "--", *inputs, base=base).decode("utf-8", "replace")
    blobs: dict[Path, str] = {}
    for line in filter(None, listed.split("\0")):
        about, _, name = line.partition("\t")
        path, (mode, kind, blob) = Path(name), about.split()
        if kind == "blob" and mode != "120000" and not path.is_absolute() and ".." not in path.parts:
            blobs[path] = blob
    contents = _contents(folder, list(blobs.values()), base)
    for path, content in zip(blobs, contents, strict=True):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)


def _contents(folder: Path, blobs: Sequence[str], base: str) -> list[bytes]:
    """What git has for each blob, in one go."""
    answer = _git(folder, "cat-file", "--batch", base=base, given="".join(f"{blob}\n" for blob in blobs).encode())
    found, at = [], 0
    for _ in blobs:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split()[2])
        found.append(answer[end + 1 : end + 1 + size])
        at = end + size + 2
    return found


def _git(folder: Path, *arguments: str, base: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], input=given, capture_output=True, check=False, timeout=60
        )
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

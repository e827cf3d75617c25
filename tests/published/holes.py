"""An integration with gaps → one that compiles: constants that say what they are, and waivers with that reason.

    python -m tests.published.holes DIR

For pairs that nobody wrote a mapping for: it shows that the chain carries any pair of specs, not that the result is wanted. What is
filled is what Vitesse itself names as missing, by the codes of its diagnostics.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from vitesse.api.model import Array, Json, Object, Ref, Scalar, Type, Union
from vitesse.api.paths import parse_path
from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.pipeline import Integration, plan_integration, read_integration, review_rules
from vitesse.rules.shapes import Unreached, reach, resolve

MARK = "filled by tests.published.pairs: nobody has looked at it"
ROUNDS = 12

_TEXTS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "filled@pairs.example",
    "ipv4": "192.0.2.1",
    "time": "00:00:00Z",
    "uri": "https://pairs.example/filled",
    "url": "https://pairs.example/filled",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uuid4": "00000000-0000-4000-8000-000000000000",
}


def fill(folder: Path, *, keep_rules: bool = False) -> list[str]:
    """Fill what stops the integration from compiling as a draft; returns what a person would have had to decide, a line each.

    Args:
        keep_rules: A person wrote the rules: none is taken out or changed.
    """
    done: list[str] = [] if keep_rules else list(_losses(folder))
    for _ in range(ROUNDS):
        found = [one for one in _errors(folder) if not (keep_rules and one.code in _OF_RULES)]
        repaired = [text for diagnostic in found if (text := _repair(folder, diagnostic)) is not None]
        done += repaired
        if not repaired:
            break
    return done


def _losses(folder: Path) -> Iterator[str]:
    """Losses that were proposed with a reason of the machine: a person has to want them. A value that the destination does not take
    is none that a run could send."""
    for file in sorted((folder / "mappings").glob("*.yaml")):
        name = f"mappings/{file.name}"
        for id, rule in (_load(file).get("rules") or {}).items():
            for loss, reason in (rule.get("waive") or {}).items():
                if not str(reason).startswith("proposed: "):
                    continue
                yield f"`{id}`: {str(reason).removeprefix('proposed: ')}"
                if loss == "enum_gap":
                    value = _sample_at(folder, file.stem, id)
                    _edit_rule(folder, name, id, {"transform": "constant", "with": {"value": value}}, "")
                    break


def _errors(folder: Path) -> list[Diagnostic]:
    try:
        integration = read_integration(folder)
        reviewed = review_rules(integration, draft=True)
        plan_integration(integration, reviewed)
    except DiagnosticError as error:
        return [found for found in error.diagnostics if found.is_error]
    # A draft only warns of what may be lost.
    return [found for rules in reviewed.values() for found in rules.warnings if found.code == "V430"]


def _repair(folder: Path, found: Diagnostic) -> str | None:
    repair = _REPAIRS.get(found.code)
    return repair(folder, found) if repair is not None else None


# --- mappings ---------------------------------------------------------------------------------------------------------


def _constant(folder: Path, found: Diagnostic) -> str | None:
    """V440: a required field that nothing fills."""
    place = next((place for place in found.places if place.file.startswith("mappings/")), None)
    named = re.search(r"`([^`]*)`", found.message)
    if place is None or named is None:
        return None
    value = _sample_at(folder, Path(place.file).stem, named[1])
    what = f"`{named[1]}` is required and nothing fills it"
    return _edit_rule(folder, place.file, named[1], {"transform": "constant", "with": {"value": value}}, what)


def _without(folder: Path, found: Diagnostic) -> str | None:
    """A rule that does not hold."""
    rule = _rule_of(found)
    return None if rule is None else _edit_rule(folder, *rule, None, f"`{rule[1]}` is taken out: {found.message}")


def _missing(folder: Path, found: Diagnostic) -> str | None:
    """V421: nothing says what becomes of a missing value."""
    return _policy(folder, found, "on_missing") or _policy(folder, found, "on_null")


def _null(folder: Path, found: Diagnostic) -> str | None:
    """V422: nothing says what becomes of a null."""
    return _policy(folder, found, "on_null")


def _policy(folder: Path, found: Diagnostic, key: str) -> str | None:
    rule = _rule_of(found)
    if rule is None:
        return None
    file, id = rule
    form = _load(folder / file)["rules"].get(id, {})
    if isinstance(form.get(key), dict):
        return None
    filled = {**form, key: {"value": _sample_at(folder, Path(file).stem, id)}}
    what = "is missing" if key == "on_missing" else "is null"
    return _edit_rule(folder, file, id, filled, f"`{id}`: what to write when its source {what}")


def _waive(folder: Path, found: Diagnostic) -> str | None:
    """V430: something may be lost."""
    rule, loss = _rule_of(found), re.search(r"waive: \{(\w+):", found.help or "")
    if rule is None or loss is None:
        return None
    file, id = rule
    form = _load(folder / file)["rules"].get(id, {})
    return _edit_rule(
        folder, file, id, {**form, "waive": {**form.get("waive", {}), loss[1]: MARK}}, f"`{id}`: {found.message}"
    )


def _rule_of(found: Diagnostic) -> tuple[str, str] | None:
    """(mapping file, rule) that a diagnostic points to."""
    for place in found.places:
        steps = place.pointer.split("/")
        if place.file.startswith("mappings/") and len(steps) > 2 and steps[1] == "rules":
            return place.file, steps[2].replace("~1", "/").replace("~0", "~")
    return None


def _edit_rule(folder: Path, file: str, id: str, rule: dict[str, Any] | None, what: str) -> str | None:
    form = _load(folder / file)
    rules = form.setdefault("rules", None) or {}
    if rules.get(id) == rule:
        return None
    if rule is None:
        rules.pop(id, None)
    else:
        rules[id] = rule
    form["rules"] = rules
    _dump(folder / file, form)
    return what


# --- the manifest -----------------------------------------------------------------------------------------------------


def _parameter(folder: Path, found: Diagnostic) -> str | None:
    """V501: a required parameter without a value."""
    named = re.search(r'"((source|destination)\.[^"]+)"', found.help or "")
    if named is None:
        return None
    env = "FILLED_" + re.sub(r"[^A-Z0-9]+", "_", named[1].upper()).strip("_")
    return _edit_streams(
        folder, f"the value of the parameter `{named[1]}`", lambda stream: _add_parameter(stream, named[1], env)
    )


def _add_parameter(stream: dict[str, Any], name: str, env: str) -> bool:
    parameters = stream.setdefault("parameters", {})
    if name in parameters:
        return False
    parameters[name] = {"env": env}
    return True


def _append(folder: Path, found: Diagnostic) -> str | None:
    """V508: no body fills the update."""

    def change(stream: dict[str, Any]) -> bool:
        stream |= {"mode": "append", "adopt": "never"}
        return stream["destination"].pop("update", None) is not None

    return _edit_streams(folder, "how a record is updated: it appends instead", change)


def _single(folder: Path, found: Diagnostic) -> str | None:
    """V507: nobody knows how the batch operation works."""
    return _edit_streams(
        folder,
        "how a batch is answered: it writes one by one",
        lambda stream: stream["destination"].pop("batch", None) is not None,
    )


def _edit_streams(folder: Path, what: str, change: Callable[[dict[str, Any]], bool]) -> str | None:
    manifest = _load(folder / "integration.yaml")
    changed = [name for name, stream in manifest["streams"].items() if change(stream)]
    if not changed:
        return None
    _dump(folder / "integration.yaml", manifest)
    return what


_REPAIRS: dict[str, Callable[[Path, Diagnostic], str | None]] = {
    "V421": _missing,
    "V422": _null,
    "V430": _waive,
    "V440": _constant,
    "V501": _parameter,
    "V507": _single,
    "V508": _append,
    **dict.fromkeys("V410 V411 V412 V413 V414 V415 V416 V417 V418 V419 V420 V423 V424 V442".split(), _without),
}
_OF_RULES = frozenset(_REPAIRS) - {"V440", "V501", "V507", "V508"}


# --- values -----------------------------------------------------------------------------------------------------------


def _sample_at(folder: Path, stream: str, path: str) -> Json:
    integration: Integration = read_integration(folder)
    _, destination = integration.ends(stream)
    reached = reach(destination.type, destination.types, parse_path(path))
    return (
        None if isinstance(reached, Unreached) else sample(reached.type, lambda type: resolve(type, destination.types))
    )


def sample(type: Type, resolved: Callable[[Type], Type], depth: int = 0) -> Json:
    """The least value that a type takes."""
    type = resolved(type)
    match type:
        case Scalar():
            return _scalar(type)
        case Array():
            return []
        case Object():
            required = [field for field in type.fields if field.required and not field.read_only]
            return {} if depth > 8 else {field.name: sample(field.type, resolved, depth + 1) for field in required}
        case Union():
            members = sorted(type.members, key=lambda member: isinstance(resolved(member), Object))
            return sample(members[0], resolved, depth + 1) if members else None
        case Ref():
            raise AssertionError("resolved above")
        case _:
            return {}


def _scalar(type: Scalar) -> Json:
    if values := [value for value in type.enum if value is not None]:
        return values[0]
    match type.kind:
        case "string":
            text = _TEXTS.get(type.format or "", MARK)
            return text if type.max_length is None else text[: type.max_length]
        case "boolean":
            return False
        case "integer" | "number":
            return 1
        case _:
            return None


# --- files ------------------------------------------------------------------------------------------------------------


def _load(file: Path) -> dict[str, Any]:
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(form, dict)
    return form


def _dump(file: Path, form: dict[str, Any]) -> None:
    text = yaml.safe_dump(form, sort_keys=False, allow_unicode=True, width=120)
    file.write_text(f"# Partly {MARK}.\n{text}", encoding="utf-8")


if __name__ == "__main__":
    for line in fill(Path(sys.argv[1]), keep_rules="--keep-rules" in sys.argv[2:]):
        print(line)

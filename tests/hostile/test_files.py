"""Hostile texts in the integration's own files: manifest, facts, mappings, overlays.

A person writes these, but often from what a vendor says: a title, a reason, a constant. They are data like the description's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from vitesse.diagnostics import DiagnosticError

from . import quick, structure
from .corpus import Case, read_corpus
from .integration import HOSTILE, ROLES, Role, write_integration
from .test_own import CORPUS
from .twins import differences

TEXTS = {
    "everything": '`touch PWNED` $(touch PWNED) <script>alert(1)</script> [x](javascript:alert(1)) | "]\n'
    "__import__('os')\n\"\"\"\n'''{{ 7*7 }}{% raw %}\r\n\u2028\u202e\x00\x1b[31m",
    "toml": 'x"\n[project.scripts]\nx = "os:system"\n"""',
    "yaml": "x: [\n- !!python/object/apply:os.system\n'\"",
    "docker": "x\nRUN touch PWNED\nUSER 0",
    "markdown": "# a\n\n```\n<!-- | --> ![](http://127.0.0.1:9/)",
    "jinja": "{{cookiecutter.__class__}}{% for x in () %}{# #}",
    "format": "%s{0.__class__}${HOME}$$",
}
Change = Callable[[Path, Role, str], None]


def _change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def _manifest(change: Callable[[dict[str, Any], Role, str], object]) -> Change:
    return lambda folder, role, text: _change(folder / "integration.yaml", lambda value: change(value, role, text))


def _mapping(change: Callable[[dict[str, Any], str], object]) -> Change:
    def apply(folder: Path, role: Role, text: str) -> None:
        for path in (folder / "mappings").iterdir():
            _change(path, lambda value: change(value, text))

    return apply


def _constant(mapping: dict[str, Any], text: str) -> None:
    for rule in mapping["rules"].values():
        if rule["transform"] == "constant" and isinstance(rule["with"]["value"], str):
            rule["with"]["value"] = text


def _missing(mapping: dict[str, Any], text: str) -> None:
    for rule in mapping["rules"].values():
        if rule["transform"] == "mapping":
            rule["on_missing"] = {"value": text}


def _overlay(folder: Path, role: Role, text: str) -> None:
    action = {
        "target": "$.components.schemas.Author",
        "description": text,
        "update": {"title": text, "description": text},
    }
    overlay = {"overlay": "1.0.0", "info": {"title": text, "version": "1"}, "actions": [action]}
    (folder / "specs" / f"{HOSTILE}.overlay.yaml").write_text(json.dumps(overlay), encoding="utf-8")


def _fact(folder: Path, role: Role, text: str) -> None:
    def change(facts: dict[str, Any]) -> None:
        for operation in facts.values():
            for fact in operation.values():
                fact["at"] = text

    _change(folder / "facts" / f"{HOSTILE}.yaml", change)


def _review(folder: Path, role: Role, text: str) -> None:
    for path in (folder / "mappings").glob("*.yaml"):
        stream = json.loads(path.read_text("utf-8"))
        accepted = {"rule": "0" * 64, "fields": "0" * 64, "state": "accepted", "by": text, "on": text}
        review = {"vitesse": 1, "stream": stream["stream"], "rules": dict.fromkeys(stream["rules"], accepted)}
        path.with_suffix("").with_suffix(".review.json").write_text(json.dumps(review), encoding="utf-8")


PLACES: Mapping[str, Change] = {
    "intent": _manifest(lambda value, role, text: value.update(intent=text)),
    "intent of a stream": _manifest(
        lambda value, role, text: [one.update(intent=text) for one in value["streams"].values()]
    ),
    "title": _manifest(lambda value, role, text: value[role].update(title=text)),
    "name": _manifest(lambda value, role, text: value.update(name=text)),
    "version": _manifest(lambda value, role, text: value.update(version=text)),
    "api": _manifest(lambda value, role, text: value[role].update(api=text)),
    "spec": _manifest(lambda value, role, text: value[role].update(spec=text)),
    "base url": _manifest(lambda value, role, text: value[role].update(base_url=f"https://a.example.test/{text}")),
    "default of a variable": _manifest(
        lambda value, role, text: value[role].update(
            base_url="https://{v}.example.test", variables={"v": {"env": "V", "default": text}}
        )
    ),
    "name of a variable": _manifest(
        lambda value, role, text: value[role].update(
            base_url="https://{v}.example.test", variables={"v": {"env": text}}
        )
    ),
    "value of a header": _manifest(lambda value, role, text: value[role].update(headers={"X-A": text})),
    "name of a header": _manifest(lambda value, role, text: value[role].update(headers={text: "a"})),
    "scheme": _manifest(lambda value, role, text: value[role]["auth"].update(scheme=text)),
    "prefix of a key": _manifest(lambda value, role, text: value[role]["auth"].update(prefix=text)),
    "stream": _manifest(lambda value, role, text: value.update(streams={text: next(iter(value["streams"].values()))})),
    "schedule": _manifest(lambda value, role, text: [one.update(schedule=text) for one in value["streams"].values()]),
    "fixed parameter": _manifest(
        lambda value, role, text: [
            one.update(parameters=dict.fromkeys(one["parameters"], text)) for one in value["streams"].values()
        ]
    ),
    "plugin": _manifest(lambda value, role, text: value.update(plugins=[text])),
    "target": _manifest(lambda value, role, text: value.update(deploy={"target": text})),
    "reason of a waiver": _mapping(lambda value, text: value.update(waive={"nothing": text})),
    "constant": _mapping(_constant),
    "value for a missing field": _mapping(_missing),
    "overlay": _overlay,
    "place of a fact": _fact,
    "review": _review,
}


QUICK = ("intent", "title", "constant", "overlay")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return read_corpus(CORPUS, tmp_path_factory.mktemp("files"))[0]


@pytest.mark.parametrize("place", [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in PLACES])
def test_text_in_an_own_file_stays_data_or_is_refused(place: str, case: Case, tmp_path: Path) -> None:
    """Between a hostile and a harmless text only constants differ, in every output; or the text is refused with a place."""
    for role in ROLES:
        benign = _compile(case, role, PLACES[place], "plain text", tmp_path / role / "benign")
        for name, text in TEXTS.items():
            found = _compile(case, role, PLACES[place], text, tmp_path / role / name)
            if found is None or benign is None:
                continue  # such a text is no name, address or version
            assert differences(found, benign) == [], (role, name)
            for path, content in found.items():
                if content != benign[path]:
                    assert list(structure.invisible(content.decode("utf-8"))) == [], (role, name, path)


def _compile(case: Case, role: Role, change: Change, text: str, place: Path) -> structure.Files | None:
    """The package's files; None when the text was refused, with a code and a place."""
    write_integration(place, case.baseline.read_bytes(), ".json", role)
    change(place, role, text)
    try:
        return quick.compile_files(place)
    except DiagnosticError as error:
        assert all(found.places and found.message for found in error.diagnostics)  # noqa: PT017
        return None

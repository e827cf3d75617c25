"""Reviewed integrations → lessons for the Mapper: what was accepted, rejected and waived there.

Reads the folders as `build` reads them; compiles nothing. Where an integration goes the other way between the same two APIs, its
rules are turned: each stands for its inverse, where it has one. So are those of a stream for the one that goes back on its links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..api.model import Json
from ..api.paths import format_path, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..manifest import Manifest
from ..mapper.lessons import Lesson, Lessons, lesson_key
from ..mapper.proposal_file import load_proposal
from ..mapper.schema_fields import EndFields, fields_of
from ..mapper.write import existing_rules
from ..pipeline import Integration, read_integration
from ..rules.digests import rule_digest
from ..rules.review import load_review
from ..rules.shapes import shape_of
from ..rules.transforms import inverse_of

_MANIFEST = "integration.yaml"


def learn_from(folders: Sequence[Path], manifest: Manifest) -> Lessons:
    """Read what reviewers decided in other integrations.

    Args:
        folders: Integrations, or folders of integrations.
        manifest: Of the integration that learns; rules that go the other way between its two APIs are turned.

    Raises:
        DiagnosticError: V439 for a folder without an integration, and all that reading one finds.
    """
    found: list[Lesson] = []
    for folder in folders:
        for one in _integrations(folder):
            integration = read_integration(one)
            found += _lessons(integration, manifest)
    return Lessons.of(found)


def way_back(integration: Integration, name: str) -> list[Lesson]:
    """What the accepted rules of a stream say of the one that goes back on its links: each stands for its inverse, where it has one."""
    forward = integration.manifest.streams[name].reverse_of
    if forward is None or forward not in integration.manifest.streams:
        return []
    source, destination = integration.ends(forward)
    from_fields, to_fields = fields_of(source, writable=False), fields_of(destination, writable=True)
    where = f"{integration.manifest.name}, {forward}"
    read = _stream(integration.folder, forward, where, from_fields, to_fields)
    return [turned for lesson in read if (turned := _turned(lesson, from_fields)) is not None]


def _integrations(folder: Path) -> list[Path]:
    if (folder / _MANIFEST).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{_MANIFEST}"))
    if not found:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V439",
                    message=f"there is nothing to learn from in `{folder}`: it holds no integration",
                    places=(Place(file=str(folder)),),
                    help="name a folder with an `integration.yaml`, or one that holds such folders",
                )
            ]
        )
    return found


def _lessons(integration: Integration, manifest: Manifest) -> Iterator[Lesson]:
    here = (manifest.source.api, manifest.destination.api)
    there = integration.manifest
    is_turned = (there.destination.api, there.source.api) == here and here[0] != here[1]
    for name in there.streams:
        where = f"{there.name}, {name}"
        source, destination = integration.ends(name)
        from_fields, to_fields = fields_of(source, writable=False), fields_of(destination, writable=True)
        for lesson in _stream(integration.folder, name, where, from_fields, to_fields):
            turned = _turned(lesson, from_fields) if is_turned else lesson.lesson
            if turned is not None:
                yield turned


class _Read:
    """One lesson with the source field that its inverse would be proved on."""

    __slots__ = ("lesson", "position")

    def __init__(self, lesson: Lesson, position: int | None) -> None:
        self.lesson = lesson
        self.position = position


def _stream(folder: Path, name: str, where: str, from_fields: EndFields, to_fields: EndFields) -> Iterator[_Read]:
    review = load_review(folder, name)
    rules = existing_rules(folder, name)
    sources, destinations = _keys(from_fields), _keys(to_fields)
    for rule in rules.rules if rules is not None else ():
        entry = review.rules.get(rule.id)
        if entry is None or entry.state != "accepted" or entry.rule != rule_digest(rule):
            continue
        texts = [format_path(path) for path in rule.sources]
        if rule.id not in destinations or not texts or any(text not in sources for text in texts):
            continue
        yield _Read(
            Lesson(
                said="accepted",
                sources=tuple(sources[text][0] for text in texts),
                destination=destinations[rule.id][0],
                where=where,
                transform=rule.transform,
                options=dict(rule.options),
            ),
            sources[texts[0]][1] if len(texts) == 1 else None,
        )
    proposed = load_proposal(folder, name)
    for id, entry in review.rules.items():
        if entry.state == "rejected" and id in destinations and proposed is not None and id in proposed.rules:
            texts = _texts(proposed.rules[id].rule)
            if texts and all(text in sources for text in texts):
                yield _Read(
                    Lesson(
                        said="rejected",
                        sources=tuple(sources[text][0] for text in texts),
                        destination=destinations[id][0],
                        where=where,
                    ),
                    None,
                )
    for waiver in rules.waivers if rules is not None else ():
        id = format_path(waiver.destination)
        if id in destinations:
            yield _Read(Lesson(said="waived", sources=(), destination=destinations[id][0], where=where), None)


def _keys(fields: EndFields) -> dict[str, tuple[str, int]]:
    """Field path → (what it is remembered by, its position)."""
    return {
        reached.text: (lesson_key(view), view.position)
        for reached, view in zip(fields.reached, fields.side.views, strict=True)
    }


def _texts(rule: Mapping[str, Json]) -> list[str]:
    """The source paths of a rule as a proposal file has it."""
    value = rule.get("from")
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [format_path(parse_path(text)) for text in texts if isinstance(text, str)]


def _turned(read: _Read, from_fields: EndFields) -> Lesson | None:
    """The lesson for the way back; None where there is none to draw."""
    lesson = read.lesson
    if lesson.said == "waived" or len(lesson.sources) != 1:
        return None
    inverse: tuple[str, Mapping[str, Json]] | None = None
    if read.position is not None:
        shape = shape_of(from_fields.reached[read.position].type, from_fields.end.types)
        inverse = inverse_of(lesson.transform, lesson.options or {}, shape)
    return Lesson(
        said=lesson.said,
        sources=(lesson.destination,),
        destination=lesson.sources[0],
        where=lesson.where,
        transform=inverse[0] if inverse is not None else "mapping",
        options=dict(inverse[1]) if inverse is not None else None,
        turned=True,
        lost="" if inverse is not None or lesson.said != "accepted" else lesson.transform,
    )

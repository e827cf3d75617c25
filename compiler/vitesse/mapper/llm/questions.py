"""Open destination fields and the matcher's candidates → questions, in bounded groups. Schemas only: no example, no default.

A question's digest covers everything its answer may depend on, so a recorded answer is used again exactly as long as nothing of it
changed, whatever stood beside it in the request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...api.model import Json
from ...registry import Registry
from ...rules.digests import digest
from ...rules.model import End
from ..advice import Fields
from ..scoring import Pair, Way
from .words import one_line

VERSION = 1
"""Of the questions' and the instructions' text: another one makes every recorded answer stale."""
CANDIDATES = 12
"""Source fields offered for one destination, when there are too many to offer all."""
ALL_BELOW = 40
"""A source side of up to so many fields is offered whole."""
FIELDS_A_REQUEST = 24
SOURCES_A_REQUEST = 160
_LONGEST_PATH = 200
_DESCRIPTION = 160
_VALUES = 24
_WAYS = 3
_VALUE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is said of a stream in every request."""

    stream: str
    intent: str
    source: str
    """The source API's title and the operation."""
    destination: str
    functions: Mapping[str, str] = field(default_factory=dict)
    """Registered functions that take one value and no parameters → what they take and give."""

    def form(self) -> dict[str, Json]:
        return {
            "stream": self.stream,
            "intent": one_line(self.intent, 500),
            "from": one_line(self.source, 120),
            "to": one_line(self.destination, 120),
            "functions": dict(self.functions),
        }


def asking_for(stream: str, intent: str, source: End, destination: End, registry: Registry) -> Asking:
    """What is said of a stream."""
    functions = {
        function.name: one_line(f"{function.inputs[0]} → {function.result}. {function.description}", 160)
        for function in registry.functions.values()
        if len(function.inputs) == 1 and all(one.has_default for one in function.parameters)
    }
    return Asking(
        stream=stream,
        intent=intent,
        source=f"{source.title}, {source.operation.id}",
        destination=f"{destination.title}, {destination.operation.id}",
        functions=dict(sorted(functions.items())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which source fields, and how, for one destination field."""

    position: int
    destination: str
    note: Mapping[str, Json]
    """What the request says of the destination."""
    candidates: tuple[str, ...]
    """Source paths, best first."""
    notes: Mapping[str, Mapping[str, Json]]
    """Candidate → what the request says of it."""
    values: tuple[Json, ...] = ()
    """The destination's closed set."""
    source_values: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)

    def digest(self, model: str, asking: Asking) -> str:
        return digest([VERSION, model, asking.form(), self.note, [self.notes[path] for path in self.candidates]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The questions of one request."""

    questions: tuple[Question, ...]

    def halves(self) -> tuple[Group, ...]:
        middle = len(self.questions) // 2
        parts = (self.questions[:middle], self.questions[middle:])
        return tuple(Group(questions=part) for part in parts if part)


def questions_for(
    source: Fields,
    destination: Fields,
    ways: Sequence[Sequence[Way]],
    pairs: Sequence[Sequence[Pair]],
    wanted: Sequence[int],
    nearest: Mapping[int, Sequence[int]],
) -> list[Question]:
    """One question for each open destination.

    Args:
        ways: By the position of the destination, best first.
        pairs: All pairs that were looked at, in any order.
        nearest: Destination → sources that embeddings find near it.
    """
    texts = [view.given.path for view in source.side.views]
    found = []
    for position in wanted:
        text = destination.side.views[position].given.path
        if len(text) > _LONGEST_PATH or not text.isprintable():
            continue
        in_ways = [view.position for way in ways[position][:_WAYS] for view in way.candidate.sources]
        likely = sorted(pairs[position], key=lambda pair: (-pair.chance, pair.source.position))
        ranked = list(dict.fromkeys([*in_ways, *(pair.source.position for pair in likely)]))
        if len(texts) <= ALL_BELOW:
            # In the schema's order, so that the answer does not hang on the matcher's numbers.
            chosen = list(range(len(texts)))
        else:
            chosen = sorted(dict.fromkeys([*ranked[:CANDIDATES], *nearest.get(position, ())]))
        offered = [one for one in chosen if len(texts[one]) <= _LONGEST_PATH and texts[one].isprintable()]
        if not offered:
            continue
        known = destination.known(position, destination.side.views[position].lists)
        found.append(
            Question(
                position=position,
                destination=text,
                note=_note(destination, position, required=True),
                candidates=tuple(texts[one] for one in offered),
                notes={texts[one]: _note(source, one) for one in offered},
                values=known.enum,
                source_values={texts[one]: values for one in offered if (values := source.known(one, 0).enum)},
            )
        )
    return found


def groups_of(questions: Sequence[Question]) -> Iterator[Group]:
    """The questions in requests of bounded size, in the order of the destination's schema."""
    some: list[Question] = []
    sources: set[str] = set()
    for question in questions:
        grown = sources | set(question.candidates)
        if some and (len(some) >= FIELDS_A_REQUEST or len(grown) > SOURCES_A_REQUEST):
            yield Group(questions=tuple(some))
            some, grown = [], set(question.candidates)
        some.append(question)
        sources = grown
    if some:
        yield Group(questions=tuple(some))


def request_form(asking: Asking, group: Group) -> dict[str, Json]:
    """What a request says: the stream, the source fields once, and each destination with its candidates."""
    sources: dict[str, Mapping[str, Json]] = {}
    for question in group.questions:
        for path in question.candidates:
            sources.setdefault(path, question.notes[path])
    everything = list(sources)
    fields: list[Json] = []
    for question in group.questions:
        note = dict(question.note)
        if list(question.candidates) != everything:
            note["candidates"] = list(question.candidates)
        fields.append(note)
    return {
        **asking.form(),
        "source_fields": [dict(sources[path]) for path in everything],
        "destination_fields": fields,
    }


def data_text(form: Mapping[str, Json]) -> str:
    """JSON that cannot hold the marks it stands between."""
    text = json.dumps(form, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def _note(side: Fields, position: int, required: bool = False) -> dict[str, Json]:
    given = side.side.views[position].given
    known = side.known(position, 0)
    note: dict[str, Json] = {"path": given.path}
    if known.kind is not None:
        note["type"] = f"list of {known.items or 'anything'}" if known.kind == "list" else known.kind
    if known.format:
        note["format"] = one_line(known.format, 40)
    if known.enum:
        note["values"] = [
            one_line(value, _VALUE) if isinstance(value, str) else value for value in known.enum[:_VALUES]
        ]
        if len(known.enum) > _VALUES:
            note["more_values"] = len(known.enum) - _VALUES
    if required and given.required:
        note["required"] = True
    description = one_line(given.description, _DESCRIPTION) if given.description else ""
    if description:
        note["description"] = description
    return note

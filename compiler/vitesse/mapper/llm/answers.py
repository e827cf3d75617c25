"""A model's reply → answers that are looked up in what was asked, and what is wrong with the rest.

Outside text from the first byte to the last: bounded before it is parsed, parsed as JSON and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from ...api.model import Json
from ...rules.transforms import TRANSFORMS
from .forms import LONGEST_WHY, AnswerForm, NoneOf, Values, options_of
from .questions import Group, Question
from .words import one_line

LONGEST_REPLY = 200_000
"""Characters; of a longer reply nothing is read."""
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DEPTH = 40
_ITEMS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model says of one destination; no source means that nothing belongs there."""

    question: Question
    sources: tuple[str, ...]
    transform: str
    options: Mapping[str, Json] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One reply, read."""

    answers: Mapping[str, Answer]
    """By destination."""
    faults: tuple[str, ...]
    """What is wrong, in words that the model is told."""


def read_reply(text: str, group: Group, functions: Sequence[str]) -> Read:
    """Read one reply; never raises, whatever stands in it."""
    value, fault = _json(text)
    if fault is not None:
        return Read(answers={}, faults=(fault,))
    items = value.get("answers") if isinstance(value, dict) else value
    if not isinstance(items, list):
        return Read(answers={}, faults=('the reply is not an object with the list "answers"',))
    asked = {question.destination: question for question in group.questions}
    answers: dict[str, Answer] = {}
    faults: list[str] = []
    for index, item in enumerate(items[:_ITEMS]):
        found = _answer(item, index, asked, functions)
        if isinstance(found, str):
            faults.append(found)
        elif found.question.destination in answers:
            faults.append(f"`{found.question.destination}` is answered twice")
        else:
            answers[found.question.destination] = found
    faults += [f"`{path}` has no answer" for path in asked if path not in answers]
    return Read(answers=answers, faults=tuple(faults))


def _json(text: str) -> tuple[Json, str | None]:
    if len(text) > LONGEST_REPLY:
        return None, f"the reply is longer than {LONGEST_REPLY} characters"
    fenced = _FENCE.match(text)
    body = fenced[1] if fenced else text
    start, end = body.find("{"), body.rfind("}")
    if start < 0 or end < start:
        return None, "the reply holds no JSON object"
    body = body[start : end + 1]
    depth = deepest = 0
    for char in _STRING.sub("", body):
        depth += (char in "[{") - (char in "]}")
        deepest = max(deepest, depth)
    if deepest > _DEPTH:
        return None, "the reply is nested too deep"
    try:
        value: Json = json.loads(body, parse_constant=_no_constant)
    except ValueError as error:
        return None, f"the reply is not JSON: {str(error)[:120]}"
    return value, None


def _no_constant(text: str) -> Json:
    raise ValueError(f"{text} is no JSON")


def _without_nulls(item: Json) -> Json:
    """Servers that enforce no schema get every parameter from some models, null where it says nothing."""
    if isinstance(item, dict) and isinstance(use := item.get("use"), dict):
        return {**item, "use": {name: value for name, value in use.items() if value is not None}}
    return item


def _answer(item: Json, index: int, asked: Mapping[str, Question], functions: Sequence[str]) -> Answer | str:
    where = f"answer {index + 1}"
    if isinstance(item, dict) and isinstance(item.get("destination"), str):
        where = f"`{one_line(str(item['destination']), 80)}`"
    try:
        form = AnswerForm.model_validate_json(json.dumps(_without_nulls(item)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        steps = ".".join(str(step) for step in first["loc"])
        return f"{where}: {one_line(steps, 60)}: {one_line(first['msg'], 160)}"
    question = asked.get(form.destination)
    if question is None:
        return f"{where} is no destination field of the request"
    use = form.use
    why = one_line(form.why, LONGEST_WHY)
    if isinstance(use, NoneOf):
        return Answer(question=question, sources=(), transform="none", why=why)
    sources = tuple(dict.fromkeys(form.sources))
    unknown = [path for path in sources if path not in question.notes]
    if unknown:
        return f"{where}: `{one_line(unknown[0], 80)}` is no candidate"
    row = TRANSFORMS[use.transform]
    if len(sources) < max(1, row.least) or (row.most is not None and len(sources) > row.most):
        return f"{where}: `{use.transform}` does not take {len(sources)} source fields"
    options = options_of(use, {path: question.source_values.get(path, ()) for path in sources}, question.values)
    if isinstance(use, Values) and not options["map"]:
        return f"{where}: `map` pairs no value of the source with a value of the destination"
    if use.transform == "custom" and options["function"] not in functions:
        return f"{where}: `{one_line(str(options['function']), 80)}` is no function of the request"
    if use.transform == "join" and "separator" not in options:
        return f"{where}: `join` needs a separator"
    return Answer(question=question, sources=sources, transform=use.transform, options=options, why=why)

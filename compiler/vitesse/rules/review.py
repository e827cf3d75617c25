"""Who accepted which rule and which fact, for which text and which schema: `mappings/<stream>.review.json`.

An acceptance holds as long as the rule's text and the schemas of its fields are those it was given for. Only `accept` and `reject`
write it, and only they are told the date.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field

from ..api.facts import CONFIDENT, ApiFacts, Fact
from ..api.model import Place
from ..diagnostics import Diagnostic
from ..diagnostics import Place as ShownPlace
from ..forms import Form, check_form, form_schema, pointer, read_form
from ..frozen import dataclass
from .digests import digest

State: TypeAlias = Literal["accepted", "rejected"]
Status: TypeAlias = Literal["accepted", "rejected", "open", "edited", "changed"]
"""open: nobody looked at it. edited: the rule's text is not the accepted one. changed: the spec is not the accepted one."""


class EntryForm(Form):
    """One rule's review."""

    rule: str
    """Digest of the rule's text."""
    fields: str
    """Digest of the schemas of its fields."""
    state: Literal["accepted", "rejected"]
    by: str
    """A name, or `policy`."""
    on: str
    """The day, `2026-11-21`."""


class FactEntryForm(Form):
    """One fact's review."""

    fact: str
    """Digest of the fact's value."""
    by: str
    on: str


class ReviewForm(Form):
    """The reviews of one stream. Written by `vitesse accept` and `vitesse review`."""

    vitesse: Literal[1]
    stream: str
    rules: dict[str, EntryForm] = Field(default_factory=dict)
    """Rule → its review."""
    facts: dict[str, dict[str, FactEntryForm]] = Field(default_factory=dict)
    """Operation → kind of fact → its review."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    rule: str
    fields: str
    state: State
    by: str
    on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEntry:
    fact: str
    by: str
    on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The review file of one stream; empty when there is none yet."""

    stream: str
    rules: Mapping[str, Entry] = field(default_factory=dict)
    facts: Mapping[tuple[str, str], FactEntry] = field(default_factory=dict)
    """(operation, kind of fact) → entry."""

    def status(self, id: str, rule: str, fields: str) -> Status:
        """Where a rule with these digests stands."""
        entry = self.rules.get(id)
        if entry is None:
            return "open"
        if entry.state == "rejected":
            return "rejected" if entry.rule == rule else "edited"
        if entry.rule != rule:
            return "edited"
        return "accepted" if entry.fields == fields else "changed"

    def accepting(self, id: str, *, rule: str, fields: str, by: str, on: str) -> Review:
        """This review with one rule accepted as it is now."""
        return self._with(id, Entry(rule=rule, fields=fields, state="accepted", by=by, on=on))

    def rejecting(self, id: str, *, rule: str, fields: str, by: str, on: str) -> Review:
        """This review with one rule rejected: it is not proposed again."""
        return self._with(id, Entry(rule=rule, fields=fields, state="rejected", by=by, on=on))

    def accepting_fact(self, operation: str, fact: Fact, *, by: str, on: str) -> Review:
        """This review with one fact accepted as it is now."""
        entry = FactEntry(fact=fact_digest(fact), by=by, on=on)
        return replace(self, facts={**self.facts, (operation, fact.kind): entry})

    def _with(self, id: str, entry: Entry) -> Review:
        return replace(self, rules={**self.rules, id: entry})


def review_file(stream: str) -> str:
    """`mappings/customers.review.json`."""
    return f"mappings/{stream}.review.json"


def load_review(folder: Path, stream: str) -> Review:
    """Read a stream's review; an empty one when the file is not there.

    Raises:
        DiagnosticError: V001 to V006.
    """
    file = review_file(stream)
    if not (folder / file).exists():
        return Review(stream=stream)
    form = check_form(ReviewForm, read_form(folder, file), file)
    return Review(
        stream=form.stream,
        rules={
            id: Entry(rule=one.rule, fields=one.fields, state=one.state, by=one.by, on=one.on)
            for id, one in form.rules.items()
        },
        facts={
            (operation, kind): FactEntry(fact=one.fact, by=one.by, on=one.on)
            for operation, kinds in form.facts.items()
            for kind, one in kinds.items()
        },
    )


def review_text(review: Review) -> str:
    """The file's text: one spelling, sorted, so that two reviews merge line by line."""
    facts: dict[str, dict[str, Any]] = {}
    for (operation, kind), fact in review.facts.items():
        facts.setdefault(operation, {})[kind] = {"fact": fact.fact, "by": fact.by, "on": fact.on}
    form = {
        "vitesse": 1,
        "stream": review.stream,
        "rules": {
            id: {"rule": one.rule, "fields": one.fields, "state": one.state, "by": one.by, "on": one.on}
            for id, one in review.rules.items()
        },
        "facts": facts,
    }
    return json.dumps(form, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_review(folder: Path, review: Review) -> None:
    """Replace the review file in one step."""
    write_text(folder / review_file(review.stream), review_text(review))


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if path.exists():
            os.chmod(name, path.stat().st_mode & 0o777)
        else:
            os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def review_schema() -> Mapping[str, Any]:
    """The JSON Schema of the file."""
    schema = form_schema(ReviewForm)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mappings/<stream>.review.json",
        **{key: value for key, value in schema.items() if key != "title"},
    }


# --- facts ------------------------------------------------------------------------------------------------------------


def fact_digest(fact: Fact) -> str:
    """Of the fact's kind and value; where it was found and how sure `ingest` is do not matter."""
    return digest([fact.kind, _plain(fact.value)])


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    slots = getattr(value, "__dataclass_fields__", None)
    return value if slots is None else {name: _plain(getattr(value, name)) for name in slots}


@dataclass(frozen=True, slots=True, kw_only=True)
class FactUse:
    """A fact that a stream uses."""

    api: str
    operation: str
    fact: Fact

    @property
    def is_sure(self) -> bool:
        return self.fact.by == "person" or self.fact.confidence >= CONFIDENT


def fact_uses(facts: ApiFacts, operation: str, kinds: Iterable[str]) -> tuple[FactUse, ...]:
    """The facts of these kinds that one operation has."""
    known = facts.operations.get(operation, {})
    return tuple(FactUse(api=facts.api, operation=operation, fact=known[kind]) for kind in kinds if kind in known)  # type: ignore[index]


def is_open(use: FactUse, review: Review) -> bool:
    """Whether nobody vouches for a fact: `ingest` is unsure, no person wrote it, no review accepted this value."""
    entry = review.facts.get((use.operation, use.fact.kind))
    return not use.is_sure and (entry is None or entry.fact != fact_digest(use.fact))


def check_facts(uses: Iterable[FactUse], review: Review, *, draft: bool = False) -> list[Diagnostic]:
    """V452 for every fact that is an open question; a warning in a draft."""
    return [
        Diagnostic(
            code="V452",
            severity="warning" if draft else "error",
            message=f"nobody vouches for `{use.fact.kind}` of `{use.operation}`: confidence {use.fact.confidence:g}",
            places=(
                ShownPlace.of(
                    Place(file=f"facts/{use.api}.yaml", pointer=pointer(use.operation, use.fact.kind)), "inferred"
                ),
            ),
            help=f"run `vitesse accept`, or correct the line and add `by: person` (under {CONFIDENT:g} a fact is a question)",
        )
        for use in uses
        if is_open(use, review)
    ]

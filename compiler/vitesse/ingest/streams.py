"""A list operation and a create operation → the stream they ask for: the operations around them, proposed with reasons.

What is proposed is what a person would look up: how one record is read, updated, found and written in batches. Whatever is not
found is left out; the manifest's reader sees what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..api.facts import CONFIDENT, BatchResults, Fact, FactKind
from ..api.fields import FoundField, find_field, iter_fields
from ..api.model import Json, Operation, Scalar, Type
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import near
from .infer import infer_facts, record_type
from .reading import Reading
from .words import noun, plain, stem, words

_LIKELY = 0.7
"""A batch less sure than this is not worth the question: one write a record is always right."""
_MATCHES = (
    "email",
    "email_address",
    "mail",
    "sku",
    "external_id",
    "username",
    "phone",
    "phone_number",
    "domain",
    "handle",
    "code",
)
"""Fields that tell things apart, the surest first."""


@dataclass(frozen=True, slots=True)
class StreamProposal:
    """One stream for the manifest, with why each part was chosen and the facts it stands on."""

    name: str
    form: dict[str, Json]
    """The stream as it is written in `integration.yaml`."""
    reasons: dict[str, str]
    """Path in the form (`destination.update`) → why."""
    fixed: tuple[tuple[str, str], ...] = ()
    """(side, parameter) that an operation requires and that no record gives; each needs a value in the manifest."""
    source_facts: dict[str, dict[FactKind, Fact]] = field(default_factory=dict)
    destination_facts: dict[str, dict[FactKind, Fact]] = field(default_factory=dict)


def propose_stream(source: Reading, list_id: str, destination: Reading, create_id: str) -> StreamProposal:
    """Propose a stream from the records of one operation to the resource that another one creates.

    Args:
        list_id: Of the source, `GET /customers.json`.
        create_id: Of the destination, `POST /contacts`.

    Raises:
        DiagnosticError: V219 when one of the operations does not exist.
    """
    listing, creating = _operation(source, list_id), _operation(destination, create_id)
    facts = infer_facts(source, listing)
    reasons: dict[str, str] = {}
    from_form = _source(source, listing, facts, reasons)
    to_form, to_facts = _destination(destination, creating, reasons)
    form: dict[str, Json] = {
        "mode": "upsert" if "update" in to_form else "append",
        "source": from_form,
        "destination": to_form,
    }
    if form["mode"] == "append":
        reasons["mode"] = "no operation updates one record by its identity"
    match = _match(source, record_type(source, listing, facts.get("records")), destination, creating, to_form)
    if match is not None and form["mode"] == "upsert":
        form["match"] = [dict(match)]
        reasons["match"] = "both sides have a field of this name that tells records apart"
    _keep_find(to_form, match, reasons)
    get = from_form.get("get")
    source_facts = {listing.id: facts}
    if isinstance(get, str):
        source_facts[get] = infer_facts(source, _operation(source, get))
    return StreamProposal(
        name=stream_name(listing),
        form=form,
        reasons=reasons,
        fixed=(*_fixed("source", listing), *_fixed("destination", creating)),
        source_facts=source_facts,
        destination_facts=to_facts,
    )


def _keep_find(form: dict[str, Json], match: dict[str, Json] | None, reasons: dict[str, str]) -> None:
    """Records are found by what they are matched by, or not at all."""
    find = form.get("find")
    if not isinstance(find, dict) or not isinstance(find["by"], dict):
        return
    by = {path: target for path, target in find["by"].items() if match is not None and match["destination"] == path}
    if by:
        find["by"] = by
    else:
        del form["find"]
        del reasons["destination.find"]


def stream_name(listing: Operation) -> str:
    """What the stream is called: the thing that is listed, `customers`."""
    name = "-".join(words(noun(listing.path)))
    return name if re.fullmatch(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", name) else "records"


def _operation(reading: Reading, id: str) -> Operation:
    operation = reading.api.operation(id)
    if operation is not None:
        return operation
    close = near(id, [one.id for one in reading.api.operations])
    help = f"use {' or '.join(f'`{one}`' for one in close)}" if close else "list them with `vitesse inspect`"
    place = Place(file=reading.api.spec_file, pointer="#/paths")
    raise DiagnosticError(
        [Diagnostic(code="V219", message=f"there is no operation `{id}`", places=(place,), help=help)]
    )


def _source(
    reading: Reading, listing: Operation, facts: dict[FactKind, Fact], reasons: dict[str, str]
) -> dict[str, Json]:
    form: dict[str, Json] = {"list": listing.id}
    get = reading.at_stem((*stem(listing.path), "{}"), "GET") if listing.method == "GET" else None
    if get is not None:
        form["get"] = get.id
        reasons["source.get"] = "its path is that of the list and one parameter more"
    for kind in ("identity", "version"):
        fact = facts.get(kind)
        if fact is not None and fact.confidence >= CONFIDENT and isinstance(fact.value, str):
            form[kind] = fact.value
            reasons[f"source.{kind}"] = f"{fact.at} (confidence {fact.confidence:g})"
    since = facts.get("since")
    if since is not None and since.confidence >= CONFIDENT and "version" in form and isinstance(since.value, str):
        form["since"] = _since(reading, listing, since.value)
        reasons["source.since"] = f"{since.at} (confidence {since.confidence:g})"
    return form


def _since(reading: Reading, listing: Operation, name: str) -> Json:
    """The parameter alone, or with its format where that is not ISO 8601."""
    parameter = next((one for one in listing.parameters if one.location == "query" and name.startswith(one.name)), None)
    resolved = reading.resolve(parameter.type) if parameter is not None else None
    if isinstance(resolved, Scalar) and resolved.kind in ("integer", "number"):
        return {"parameter": name, "format": "unix_s"}
    if isinstance(resolved, Scalar) and resolved.format == "date":
        return {"parameter": name, "format": "date"}
    return name


def _destination(
    reading: Reading, creating: Operation, reasons: dict[str, str]
) -> tuple[dict[str, Json], dict[str, dict[FactKind, Fact]]]:
    steps = stem(creating.path)
    form: dict[str, Json] = {"create": creating.id}
    used = [creating]
    update = _update(reading, steps)
    if update is not None:
        form["update"] = update.id
        reasons["destination.update"] = "its path is that of `create` and one parameter more"
        used.append(update)
        fact = infer_facts(reading, update).get("update_is")
        if fact is not None and fact.confidence >= CONFIDENT and isinstance(fact.value, str):
            form["update_is"] = fact.value
            reasons["destination.update_is"] = f"{fact.at} (confidence {fact.confidence:g})"
    for name, method, path in (
        ("get", "GET", (*steps, "{}")),
        ("list", "GET", steps),
        ("delete", "DELETE", (*steps, "{}")),
    ):
        found = reading.at_stem(path, method)
        if found is None or (name == "list" and "records" not in infer_facts(reading, found)):
            continue
        form[name] = found.id
        reasons[f"destination.{name}"] = f"{method} on the same path"
        used.append(found)
    find = _find(reading, steps)
    if find is not None:
        operation, fact = find
        form["find"] = {"operation": operation.id, "by": dict(fact.value) if isinstance(fact.value, dict) else {}}
        reasons["destination.find"] = f"{fact.at} (confidence {fact.confidence:g})"
        used.append(operation)
    batch = _batch(reading, creating, steps)
    if batch is not None:
        form["batch"] = batch.id
        reasons["destination.batch"] = "it takes a list of what `create` takes one of"
        used.append(batch)
    facts = {operation.id: infer_facts(reading, operation) for operation in used}
    identity = _identity(facts, form)
    if identity is not None:
        form["identity"] = str(identity.value)
        reasons["destination.identity"] = f"{identity.at} (confidence {identity.confidence:g})"
    return form, facts


def _update(reading: Reading, steps: tuple[str, ...]) -> Operation | None:
    for method in ("PATCH", "PUT", "POST"):
        found = reading.at_stem((*steps, "{}"), method)
        if found is not None and found.body is not None:
            return found
    return None


def _find(reading: Reading, steps: tuple[str, ...]) -> tuple[Operation, Fact] | None:
    for path in (steps, (*steps, "search"), (*steps, "find"), (*steps, "lookup")):
        operation = reading.at_stem(path, "GET")
        fact = infer_facts(reading, operation).get("find") if operation is not None else None
        if operation is not None and fact is not None and fact.confidence >= CONFIDENT:
            return operation, fact
    return None


def _batch(reading: Reading, creating: Operation, steps: tuple[str, ...]) -> Operation | None:
    own = {plain(name) for name in reading.fields(creating.body.type)} if creating.body is not None else set()
    for path in _batch_stems(steps):
        operation = reading.at_stem(path, "POST")
        fact = infer_facts(reading, operation).get("batch") if operation is not None else None
        if operation is None or fact is None or operation.body is None or not isinstance(fact.value, BatchResults):
            continue
        if fact.confidence < _LIKELY:
            continue
        inner = {plain(found.text) for found in _items(reading, operation.body.type, fact.value.items)}
        if len(own & inner) * 2 >= len(own) > 0:
            return operation
    return None


def _batch_stems(steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for word in ("batch", "bulk"):
        yield from ((*steps, word), (*steps, word, "create"), (*steps, "create", word), (*steps, f"{word}_create"))
        yield from ((*steps, f"{word}-create"), (*steps[:-1], word, *steps[-1:]), (*steps[:-1], f"{steps[-1]}:{word}"))
        yield (*steps[:-1], f"{steps[-1]}_{word}")


def _items(reading: Reading, body: Type, items: str) -> list[FoundField]:

    found = find_field(reading.api, body, items)
    item = reading.item(found.type) if found is not None else None
    return list(iter_fields(reading.api, item, depth=1)) if item is not None else []


def _identity(facts: dict[str, dict[FactKind, Fact]], form: dict[str, Json]) -> Fact | None:
    """The identity the operations agree on: of what `create` gives back, else of what `get` or `list` does."""
    for name in ("create", "get", "update", "list"):
        known = facts.get(str(form.get(name)), {}).get("identity")
        if known is not None and known.confidence >= CONFIDENT:
            return known
    return None


def _match(
    source: Reading, record: Type | None, destination: Reading, creating: Operation, form: dict[str, Json]
) -> dict[str, Json] | None:
    if record is None or creating.body is None:
        return None
    ours = _by_leaf(source, record)
    theirs = _by_leaf(destination, creating.body.type)
    find: Any = form.get("find")
    preferred = [plain(path.split(".")[-1]) for path in find["by"]] if isinstance(find, dict) else []
    for word in (*preferred, *_MATCHES):
        mine = ours.get(word) or next((ours[one] for one in _alike(word) if one in ours), None)
        other = theirs.get(word)
        if mine is not None and other is not None:
            compare: list[Json] = ["trim", "lower"] if "mail" in word else ["trim"]
            return {"source": mine, "destination": other, "compare": compare}
    return None


def _alike(word: str) -> tuple[str, ...]:
    groups = (("email", "email_address", "mail", "e_mail"), ("phone", "phone_number", "mobile", "telephone"))
    return next((tuple(one for one in group if one != word) for group in groups if word in group), ())


def _by_leaf(reading: Reading, type: Type) -> dict[str, str]:
    """Last word of each scalar field → its path, the shallowest first; lists are left out."""
    found: dict[str, str] = {}
    for one in sorted(iter_fields(reading.api, type, depth=3, most=2000), key=lambda one: len(one.path)):
        if isinstance(one.type, Scalar) and "[]" not in one.text and one.field is not None and not one.field.read_only:
            found.setdefault(plain(str(one.path[-1])), one.text)
    for one in iter_fields(reading.api, type, depth=1):
        if isinstance(one.type, Scalar) and one.field is not None and one.field.read_only:
            found.setdefault(plain(str(one.path[-1])), one.text)
    return found


def _fixed(side: str, operation: Operation) -> Iterator[tuple[str, str]]:
    """Required parameters that a record does not give."""
    for parameter in operation.parameters:
        if parameter.required and parameter.default is None:
            yield side, parameter.name

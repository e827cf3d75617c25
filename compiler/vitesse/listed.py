"""The fields that a vendor lists for its records: from a saved reply, from the manifest → into the Api.

A vendor that lets customers define fields has an operation that lists them (`GET /crm/v3/properties/contacts`, `describe`). Its
reply, saved as `fields/<file>.json` in the integration's folder, is an input like a spec: pinned, in the lock, read without a
network. How vendors write such lists is read here by the names they use; the manifest overrules each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from .api.bags import Kind, ListedField, Spot, with_listed_fields
from .api.facts import ApiFacts
from .api.model import Api, Json, Place
from .api.paths import EACH, Path, parse_path
from .diagnostics import Diagnostic, DiagnosticError, raise_errors
from .diagnostics import Place as ShownPlace
from .forms import pointer, read_form
from .manifest import MANIFEST_FILE, ListedFields, Manifest, Stream

FOLDER = "fields"

_NAMES = ("key", "name", "api_name", "apiName", "field_key", "internalName", "attribute_code", "code", "id")
_TYPES = ("type", "data_type", "dataType", "field_type", "fieldType", "schema.type", "frontend_input", "attributeType")
_LABELS = ("label", "title", "full_name", "displayName", "display_name", "name")
_TEXTS = ("description", "inlineHelpText", "help_text", "helpText")
_CHOICES = ("options", "picklistValues", "choices", "custom_field_options", "allowedValues", "values")
_CHOICE = ("value", "key", "id", "name", "label")
_LENGTHS = ("length", "maxLength", "max_length")
_FIXED = ("readOnly", "read_only", "readonly", "calculated", "modificationMetadata.readOnlyValue")
_WRITABLE = ("createable", "updateable", "api_writable", "writable", "editable")
_GONE = ("archived", "deleted", "deprecatedAndHidden")

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("int", "integer", "long", "int64", "whole_number"), "integer"),
    **dict.fromkeys(("number", "double", "decimal", "float", "currency", "money", "monetary", "percent"), "decimal"),
    **dict.fromkeys(("bool", "boolean", "checkbox", "booleancheckbox"), "boolean"),
    "date": "date",
    **dict.fromkeys(("datetime", "date_time", "date-time", "timestamp", "any_datetime"), "datetime"),
    **dict.fromkeys(
        ("enumeration", "enum", "select", "picklist", "dropdown", "radio", "tagger", "single_select"), "choice"
    ),
    **dict.fromkeys(("multipicklist", "multiselect", "multi_select", "multi-select", "array", "set", "tags"), "list"),
    **dict.fromkeys(("object", "json", "address", "location", "any", "complexvalue"), "json"),
}
_TEXT_FORMATS = {"email": "email", "url": "uri", "uri": "uri", "uuid": "uuid"}


def extended(folder: FilePath, manifest: Manifest, side: str, api: Api, facts: ApiFacts) -> Api:
    """The Api of one side with the listed fields of all its streams.

    Raises:
        DiagnosticError: V001 and V002 for a saved reply that cannot be read, V309 for one that lists no fields, V310 where the
            records have no bag.
    """
    found: list[Diagnostic] = []
    for name, stream in manifest.streams.items():
        part = "source" if stream.side("source") == side else "destination"
        given = stream.source.fields if part == "source" else stream.destination.fields
        for at, bag in given.items():
            steps = ("streams", name, part, "fields", at)
            try:
                listed = tuple(load_listed(folder, bag, steps))
            except DiagnosticError as error:
                found += error.diagnostics
                continue
            bag_path = parse_path(at)
            spots = (
                _source_spots(stream, bag_path, facts)
                if part == "source"
                else _destination_spots(stream, bag_path, facts)
            )
            reached = False
            for is_main, alternatives in spots:
                better = next((one for spot in alternatives if (one := with_listed_fields(api, spot, listed))), None)
                if better is not None:
                    api, reached = better, reached or is_main
            if not reached:
                found.append(_no_bag(at, part, stream, steps))
    raise_errors(found)
    return api


def _source_spots(stream: Stream, bag: Path, facts: ApiFacts) -> Iterator[tuple[bool, tuple[Spot, ...]]]:
    source = stream.source
    yield True, (Spot(operation=source.list, where="reply", path=(*_fact(facts, source.list, "records"), EACH, *bag)),)
    if source.get is not None:
        yield False, _replies(source.get, bag, facts)


def _destination_spots(stream: Stream, bag: Path, facts: ApiFacts) -> Iterator[tuple[bool, tuple[Spot, ...]]]:
    """Bodies first; the bag's path is one of a body, and a reply may hold the record at another place."""
    destination = stream.destination
    yield True, (Spot(operation=destination.create, where="body", path=bag),)
    if destination.update is not None and destination.update != destination.create:
        yield False, (Spot(operation=destination.update, where="body", path=bag),)
    for id in (destination.create, destination.update, destination.get):
        if id is not None:
            yield False, _replies(id, bag, facts)
    for id in (destination.list, destination.find.operation if destination.find is not None else None):
        if id is not None:
            base = (*_fact(facts, id, "records"), EACH)
            yield (
                False,
                tuple(Spot(operation=id, where="reply", path=(*base, *bag[cut:])) for cut in range(len(bag) or 1)),
            )
    for id in destination.batches:
        fact = facts.get(id, "batch")
        items = parse_path(getattr(fact.value, "items", "")) if fact is not None else ()
        yield False, (Spot(operation=id, where="body", path=(*items, EACH, *bag)),)


def _replies(id: str, bag: Path, facts: ApiFacts) -> tuple[Spot, ...]:
    record = _fact(facts, id, "record")
    inside = bag[len(record) :] if record and bag[: len(record)] == record else bag
    return (Spot(operation=id, where="reply", path=(*record, *inside)), Spot(operation=id, where="reply", path=bag))


def _fact(facts: ApiFacts, operation: str, kind: str) -> Path:
    fact = facts.get(operation, kind)  # type: ignore[arg-type]
    return parse_path(fact.value) if fact is not None and isinstance(fact.value, str) else ()


# --- reading lists ----------------------------------------------------------------------------------------------------


def load_listed(folder: FilePath, bag: ListedFields, steps: tuple[str, ...]) -> Iterator[ListedField]:
    """The fields of one bag: those of the manifest, then those of the saved reply that it does not define.

    Args:
        steps: Where the bag stands in the manifest.

    Raises:
        DiagnosticError: V001, V002 and V309.
    """
    for name, one in bag.define.items():
        yield ListedField(
            name=name,
            kind=one.type,
            description=one.description,
            choices=one.choices,
            max_length=one.max_length,
            read_only=one.read_only,
            required=one.required,
            nullable=one.nullable,
            place=Place(file=MANIFEST_FILE, pointer=pointer(*steps, "define", name)),
        )
    if bag.reply is None:
        return
    file = f"{FOLDER}/{bag.reply}"
    value = read_form(folder, file)
    entries = list(_entries(value, bag.records))
    read = [field for at, entry in entries if (field := _listed(entry, bag, Place(file=file, pointer=at))) is not None]
    if not read:
        raise DiagnosticError([_no_list(file, bag, bool(entries), steps)])
    seen = set(bag.define)
    for field in read:
        if field.name not in seen:
            seen.add(field.name)
            yield field


def _entries(value: Json, records: str | None) -> Iterator[tuple[str, dict[str, Json]]]:
    """(JSON pointer, entry) of the longest list of objects in a reply, or of the one at `records`."""
    if records is not None:
        steps = tuple(str(step) for step in parse_path(records) if step is not EACH)
        lists = {steps: _at(value, steps)}
    else:
        lists = dict(_lists(value, ()))
    best = max(lists.items(), key=lambda item: len(item[1]) if isinstance(item[1], list) else -1, default=None)
    if best is None or not isinstance(best[1], list):
        return
    for index, entry in enumerate(best[1]):
        if isinstance(entry, dict):
            yield pointer(*best[0], str(index)), entry


def _lists(value: Json, steps: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    if isinstance(value, list):
        if all(isinstance(one, dict) and _first(one, _NAMES) is not None for one in value):
            yield steps, value
    elif isinstance(value, dict) and len(steps) < 3:
        for key, inner in value.items():
            yield from _lists(inner, (*steps, key))


def _listed(entry: Mapping[str, Json], bag: ListedFields, place: Place) -> ListedField | None:
    name = _at(entry, tuple(bag.name.split("."))) if bag.name is not None else _first(entry, _NAMES)
    if not isinstance(name, str | int) or isinstance(name, bool) or any(_at(entry, (key,)) is True for key in _GONE):
        return None
    said = _at(entry, tuple(bag.type.split("."))) if bag.type is not None else _first(entry, _TYPES)
    word = said.lower() if isinstance(said, str) else ""
    choices = tuple(dict.fromkeys(_choices(entry)))
    kind: Kind = _KINDS.get(word, "choice" if choices else "text")
    # A choice of several is one text in some bags; what it may be is then more than its choices.
    if kind == "choice" and (not choices or str(entry.get("fieldType")).lower() in ("checkbox", "multi_select")):
        kind = "text"
    length = _first(entry, _LENGTHS)
    texts = [text for keys in (_LABELS, _TEXTS) if isinstance(text := _first(entry, keys), str) and text != str(name)]
    nullable = next((entry[key] for key in ("nillable", "nullable") if isinstance(entry.get(key), bool)), None)
    return ListedField(
        name=str(name),
        kind=kind,
        format=_TEXT_FORMATS.get(word),
        description=". ".join(dict.fromkeys(texts)),
        choices=choices,
        max_length=length if type(length) is int and length > 0 and kind == "text" else None,
        read_only=_is_read_only(entry),
        required=any(entry.get(key) is True for key in ("required", "mandatory")),
        nullable=nullable if isinstance(nullable, bool) else None,
        place=place,
    )


def _is_read_only(entry: Mapping[str, Json]) -> bool:
    writable = [value for key in _WRITABLE if isinstance(value := entry.get(key), bool)]
    return any(_at(entry, tuple(key.split("."))) is True for key in _FIXED) or (bool(writable) and not any(writable))


def _choices(entry: Mapping[str, Json]) -> Iterator[str]:
    given = _first(entry, _CHOICES)
    if isinstance(given, dict):
        given = list(given)
    for one in given if isinstance(given, list) else ():
        value = _first(one, _CHOICE) if isinstance(one, dict) else one
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)


def _first(entry: Mapping[str, Json], keys: tuple[str, ...]) -> Json:
    return next((found for key in keys if (found := _at(entry, tuple(key.split(".")))) not in (None, "", [])), None)


def _at(value: Json | Mapping[str, Json], steps: tuple[str, ...]) -> Json:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value  # type: ignore[return-value]  # a mapping is one of JSON here


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _no_list(file: str, bag: ListedFields, has_entries: bool, steps: tuple[str, ...]) -> Diagnostic:
    what = "no entry has a name" if has_entries else "there is no list of objects with names in it"
    return Diagnostic(
        code="V309",
        message=f"`{file}` lists no fields: {what}",
        places=(ShownPlace(file=file), ShownPlace(file=MANIFEST_FILE, pointer=pointer(*steps, "reply"))),
        help="say where the list is (`records`) and what an entry calls its field (`name`, `type`)",
    )


def _no_bag(at: str, side: str, stream: Stream, steps: tuple[str, ...]) -> Diagnostic:
    id = stream.source.list if side == "source" else stream.destination.create
    return Diagnostic(
        code="V310",
        message=f"the records of `{id}` have no values under free names at `{at}`"
        if at
        else f"the records of `{id}` are no bags",
        places=(ShownPlace(file=MANIFEST_FILE, pointer=pointer(*steps)),),
        help="name the field that holds the properties; an empty path is the record itself",
    )

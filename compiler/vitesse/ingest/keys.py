"""Fields with a part to play: what names a record, what orders its states, how lists are filtered and sorted by it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..api.facts import Fact
from ..api.model import Field, Object, Operation, Parameter, Scalar, Type
from ..api.paths import Path, format_path
from .reading import Reading, query
from .words import noun, plain, singular, stem, words

_IDS = ("id", "uuid", "gid", "guid", "sid", "_id", "key", "uid", "object_id", "record_id", "global_id")
_VERSIONS = (
    "updated_at", "modified_at", "last_modified", "last_updated", "updated", "modified", "last_modified_at", "last_updated_at",
    "date_modified", "date_updated", "updated_date", "modified_date", "update_time", "updated_time", "modified_time",
    "last_modified_date", "last_updated_date", "updated_on", "modified_on", "last_modified_date_time", "last_update_time",
    "last_updated_time", "updated_date_utc", "changed_at", "update_date", "last_update", "lastmodifieddate", "system_modstamp",
    "last_edited_time", "edited_at", "modification_date", "last_changed", "last_status_change_at", "content_modified_at",
    "last_update_date", "last_modified_time", "updated_utc", "date_updated_utc", "change_date", "last_updated_utc", "modified_utc",
    "date_changed", "last_modification_time", "modified_gmt", "date_modified_gmt", "lastmodified", "last_modify_time",
    "last_edited_at", "edited_on", "last_edited", "last_updated_on", "last_modified_on", "changed_on", "changed", "change_time",
    "modify_time", "date_last_updated", "date_last_modified", "updated_timestamp", "modified_timestamp", "update_timestamp",
    "last_modified_utc", "last_changed_at", "last_change_date", "last_change", "modified_datetime", "updated_datetime",
    "last_updated_date_time", "last_modified_timestamp", "last_updated_timestamp", "updated_ts", "mtime", "mdate",
)  # fmt: skip
_HOLDERS = frozenset("meta metadata meta_data attributes properties audit_info system_metadata audit detail".split())
_SINCE = re.compile(
    r"(?:^|_)(?:(?:updated|modified|changed|last_updated|last_modified|update|updated_at|modified_at|last_modified_date"
    r"|last_updated_at|last_modified_time|last_update|lastupdated|lastmodified|updatedat|date_modified|date_updated)"
    r"(?:_(?:at|on|date|time|utc|gmt))?_(?:min|since|after|from|start|gte|gt|ge|start_date|date_min|greater_than)"
    r"|(?:min|since|after|from|start)_(?:date_)?(?:updated|modified|changed|updated_at|modified_at|last_modified|update)(?:_(?:at|on|date|time))?"
    r"|min_date_modified|updated_since|modified_since|changes_since|since_updated)$"
)
_SINCE_LOOSE = frozenset(
    "since from after start_date last_updated last_modified modified updated updated_at last_updated_date".split()
)
_ABOUT_CHANGES = re.compile(r"(?i)\b(?:updated|modified|changed|last[- ]?modified|last[- ]?updated)\b")
_ABOUT_AFTER = re.compile(r"(?i)\b(?:since|after|on or after|later than|newer than|from|greater than|more recent)\b")
_ABOUT_CREATION = re.compile(r"(?i)\b(?:created|creation|inserted|registered)\b")
_SORTED = re.compile(
    r"(?i)\b(?:sorted|ordered|order|sorts?|listed|returned) (?:in )?(?:(ascending|descending|reverse|chronological) (?:order )?)?"
    r"(?:by|on|of) (?:their |its |the |most recent )?[`\"']?([a-z][a-z_ -]{1,40}?)[`\"']?(?: date| time| timestamp| attribute| field)?"
    r"(?:,? ?(?:with |in |and |\()?(?:the )?"
    r"(?:(?:from|starting with|beginning with) (?:the )?)?"
    r"(most recent(?:ly)?|newest|latest|descending|desc|ascending|asc|oldest|reverse)\b[^.]*)?(?:[.,;)\n]|$)"
)
_NEWEST_FIRST = re.compile(
    r"(?i)most recent(?:ly)? (?:(created|updated|added|modified) )?(?:\w+ ){0,3}(?:appear(?:ing)? |listed |shown )?first"
    r"|newest first|reverse chronological"
)
_ENTERED = re.compile(
    r"(?i)in the order (?:in which )?(?:they (?:were|are) )?(?:entered|created|added|inserted|placed|received)"
)
_CREATED = (
    "created_at",
    "created",
    "date_created",
    "created_date",
    "creation_date",
    "created_on",
    "created_time",
    "create_time",
    "date",
)


def infer_identity(
    reading: Reading, operation: Operation, record: Type, holder: str = "", *, is_list: bool = False
) -> Fact | None:
    """Find the field that names a record.

    Args:
        record: One record of the operation's reply.
        holder: The field of the reply that holds it or its list: `userAgreements`.
    """
    fields = {name: field for name, field in reading.fields(record).items() if _is_key(reading, field.type)}
    by_word = {plain(name): name for name in reversed(fields)}
    thing = words(noun(operation.path))
    own = singular(thing[-1]) if thing else ""
    full = "_".join((*thing[:-1], own))
    parameter = _get_parameter(reading, operation)
    candidates: list[tuple[float, str]] = []
    for word, name in by_word.items():
        score = 0.0
        if word in _IDS:
            score = 0.9 - 0.03 * _IDS.index(word)
        elif own and word in (
            f"{full}_id",
            f"{own}_id",
            f"{own}_uuid",
            f"{own}_key",
            f"{own}_sid",
            f"{own}_gid",
            f"id_{own}",
        ):
            score = 0.86
        elif own and word.endswith(f"_{own}_id") and parameter is not None and plain(parameter).endswith(f"{own}_id"):
            score = 0.82
        elif parameter is not None and plain(parameter) == word and word not in ("name", "email"):
            score = 0.84
        elif own and word in (
            f"{own}_number",
            f"{own}_code",
            "sku",
            "asin",
            "code",
            "number",
            "slug",
            "handle",
            "iban",
        ):
            score = 0.45
        if (
            score
            and parameter is not None
            and (plain(parameter) == word or (word == "id" and plain(parameter).endswith("id")))
        ):
            score += 0.08
        if score and fields[name].read_only:
            score += 0.02
        if score and fields[name].required:
            score += 0.01
        if score:
            candidates.append((min(score, 0.99), name))
    candidates = candidates or list(_less_plainly(operation, fields, holder, is_list=is_list))
    if not candidates:
        return None
    score, name = max(candidates, key=lambda one: one[0])
    return Fact(kind="identity", value=format_path((name,)), at=fields[name].place.pointer, confidence=round(score, 2))


def _less_plainly(
    operation: Operation, fields: dict[str, Field], holder: str, *, is_list: bool
) -> Iterator[tuple[float, str]]:
    """Fields that name a record though they are not called after what the path ends in, and how likely that is.

    What a path parameter says is the same for all records of a list, and names what they belong to.
    """
    steps = [step for step in stem(operation.path) if "{}" not in step]
    above = [] if is_list else list(reversed(steps[:-1]))
    nouns = [singular(parts[-1]) for text in (holder, *above) if (parts := words(text))]
    parameters = [plain(name) for name in re.findall(r"\{([^{}]*)\}", operation.path)]
    ids = [name for name in fields if plain(name).endswith(_ID_ENDS)]
    for name, field in fields.items():
        word = plain(name)
        if word in parameters:
            continue
        about = [
            index
            for index, noun in enumerate(nouns)
            if noun and word.endswith(tuple(f"{noun}{end}" for end in _ID_ENDS))
        ]
        score = 0.0
        if _UNIQUE.search(field.description) and not _OF_OTHERS.search(field.description):
            score = 0.78
        if about:
            score = max(score, 0.8 - 0.06 * about[0])
        elif ids == [name]:
            score = max(score, 0.74 if field.required else 0.66)
        if not is_list and parameters and word.endswith(f"_{parameters[-1]}"):
            score = max(score, 0.7)
        if score:
            yield score + 0.01 * field.required, name


_ID_ENDS = ("_id", "_uuid", "_guid", "_gid", "_sid", "_key")
_UNIQUE = re.compile(r"(?i)\bunique(?:ly)?\b[^.]{0,40}\bidentif|\bunique (?:\w+ ){0,2}(?:id|key)\b")
_OF_OTHERS = re.compile(
    r"(?i)identif\w+ (?:of|for) (?:the|your|an?) "
    r"(?:account|user|customer|client|organi[sz]ation|owner|parent|tenant|company|business|SMB|merchant|shop|store)\b"
)


def _is_key(reading: Reading, type: Type) -> bool:
    resolved = reading.resolve(type)
    return isinstance(resolved, Scalar) and resolved.kind in ("string", "integer", "number")


def _get_parameter(reading: Reading, operation: Operation) -> str | None:
    """The name of the parameter of `GET /things/{…}` beside `GET /things`."""
    steps = stem(operation.path)
    if steps[-1:] == ("{}",):
        names = re.findall(r"\{([^{}]*)\}", operation.path)
        return names[-1] if names else None
    single = reading.at_stem((*steps, "{}"), "GET")
    names = re.findall(r"\{([^{}]*)\}", single.path) if single is not None else []
    return names[-1] if names else None


def infer_version(reading: Reading, operation: Operation, record: Type) -> Fact | None:
    """Find the field that orders a record's states: when it was last changed."""
    candidates: list[tuple[float, Path, Field]] = []
    for path, field in _shallow(reading, record):
        word = plain(str(path[-1]))
        scalar = reading.resolve(field.type)
        if word not in _VERSIONS or not isinstance(scalar, Scalar):
            continue
        score = 0.9 - 0.004 * _VERSIONS.index(word)
        if scalar.format in ("date-time", "date", "unix-time", "timestamp", "int64"):
            score += 0.06
        elif scalar.kind not in ("string", "integer", "number"):
            continue
        if _ABOUT_CHANGES.search(field.description) or field.read_only:
            score += 0.02
        if word in ("updated", "modified", "last_status_change_at") and scalar.format is None:
            score -= 0.1
        candidates.append((score - 0.04 * (len(path) - 1), path, field))
    if not candidates:
        return None
    score, path, field = max(candidates, key=lambda one: one[0])
    return Fact(kind="version", value=format_path(path), at=field.place.pointer, confidence=round(min(score, 0.98), 2))


def _shallow(reading: Reading, record: Type) -> Iterator[tuple[Path, Field]]:
    """The fields of a record and of the holders of its bookkeeping."""
    for name, field in reading.fields(record).items():
        yield (name,), field
        if plain(name) in _HOLDERS or name.startswith("_"):
            for inner, one in reading.fields(field.type).items():
                yield (name, inner), one


def infer_since(reading: Reading, operation: Operation, version: str | None) -> Fact | None:
    """Find the query parameter that lets through only what changed after a time."""
    candidates: list[tuple[float, str, Parameter]] = []
    for parameter in query(operation):
        for name, description in _spelt_out(reading, parameter):
            score = _since_score(reading, name, description, parameter, version)
            if score:
                candidates.append((score, name, parameter))
    if not candidates:
        return None
    score, name, parameter = max(candidates, key=lambda one: one[0])
    return Fact(kind="since", value=name, at=parameter.place.pointer, confidence=round(min(score, 0.97), 2))


def _spelt_out(reading: Reading, parameter: Parameter) -> Iterator[tuple[str, str]]:
    resolved = reading.resolve(parameter.type)
    if parameter.style == "deepObject" or isinstance(resolved, Object):
        for name, field in reading.fields(resolved).items():
            yield f"{parameter.name}[{name}]", f"{field.description} {parameter.description}"
    yield parameter.name, parameter.description


def _since_score(reading: Reading, name: str, description: str, parameter: Parameter, version: str | None) -> float:
    word = plain(name)
    resolved = reading.resolve(parameter.type)
    timely = isinstance(resolved, Scalar) and (resolved.format in ("date-time", "date") or resolved.kind == "integer")
    score = 0.0
    if _SINCE.search(word):
        score = 0.9
    elif word in _SINCE_LOOSE and _ABOUT_CHANGES.search(description) and _ABOUT_AFTER.search(description):
        score = 0.78
    elif version is not None and word == plain(version) and _ABOUT_AFTER.search(description):
        score = 0.75
    if not score:
        return 0.0
    if timely:
        score += 0.04
    if _ABOUT_CHANGES.search(description):
        score += 0.02
    elif _ABOUT_CREATION.search(description):
        return 0.0
    if re.search(r"(?i)before|until|max|\blte?\b|_to$|_end$", word) or (
        isinstance(resolved, Scalar) and resolved.kind == "boolean"
    ):
        return 0.0
    return score


def infer_sorted_by(reading: Reading, operation: Operation, record: Type) -> Fact | None:
    """Find the field a list is sorted by when nobody asks for another order, with `-` when the newest comes first."""
    return _by_parameter(reading, operation, record) or _by_prose(reading, operation, record)


def _by_parameter(reading: Reading, operation: Operation, record: Type) -> Fact | None:
    sort = next(
        (
            one
            for one in query(operation)
            if plain(one.name)
            in (
                "sort",
                "order_by",
                "sort_by",
                "order",
                "orderby",
                "sort_field",
                "sort_order_by",
                "ordering",
                "sort_key",
            )
            and isinstance(one.default, str)
        ),
        None,
    )
    if sort is None:
        return None
    text = str(sort.default)
    falling = text.startswith("-") or bool(re.search(r"(?i)[ :_.+,]desc(?:ending)?\b", text))
    name = re.sub(r"(?i)^[-+]|[ :.+,_-](?:asc|desc)(?:ending)?$", "", text).strip()
    if name.lower() in ("asc", "desc", "ascending", "descending"):
        return None
    direction = next(
        (
            one.default
            for one in query(operation)
            if plain(one.name)
            in ("direction", "sort_direction", "order", "sort_order", "sort_dir", "order_direction", "order_dir")
        ),
        None,
    )
    if isinstance(direction, str) and direction.lower().startswith("desc"):
        falling = True
    field = _named(reading, record, name)
    if field is None:
        return None
    value = ("-" if falling else "") + format_path((field,))
    return Fact(kind="sorted_by", value=value, at=sort.place.pointer, confidence=0.9)


def _by_prose(reading: Reading, operation: Operation, record: Type) -> Fact | None:
    for prose in reading.about(operation):
        newest = _NEWEST_FIRST.search(prose.text)
        found = _SORTED.search(prose.text)
        entered = _ENTERED.search(prose.text) is not None
        if found is None and newest is None and not entered:
            continue
        said = found[2].strip() if found and not entered else (newest[1] if newest else None) or "created"
        falling = newest is not None or bool(
            found and re.search(r"(?i)most recent|newest|latest|desc|reverse", f"{found[1] or ''} {found[3] or ''}")
        )
        field = _named(reading, record, said)
        if field is None and re.search(r"(?i)updat|modif", said):
            field = next((name for word in _VERSIONS if (name := _named(reading, record, word)) is not None), None)
        elif field is None and re.search(r"(?i)creat|date|chronolog|recent", said):
            field = next((name for word in _CREATED if (name := _named(reading, record, word)) is not None), None)
        if field is not None:
            value = ("-" if falling else "") + format_path((field,))
            return Fact(kind="sorted_by", value=value, at=prose.at, confidence=0.82 if found or entered else 0.7)
    return None


def _named(reading: Reading, record: Type, name: str) -> str | None:
    wanted = plain(name)
    return next((one for one in reading.fields(record) if plain(one) == wanted), None) if wanted else None

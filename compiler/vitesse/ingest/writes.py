"""What is known of operations that write: success, idempotency, replace or merge, batches, and how a record is found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..api.facts import BatchResults, Fact, Success
from ..api.model import Array, Field, Operation, Parameter, Scalar, Type
from ..api.paths import Path, format_path
from .reading import Reading, query
from .words import noun, plain, same_thing, stem, words

_OK = ("ok", "success", "succeeded", "is_success", "successful", "is_ok")
_IDEMPOTENCY = frozenset(
    "idempotency_key x_idempotency_key pay_pal_request_id paypal_request_id x_request_idempotency_key idempotence_key "
    "x_idempotence_key idempotent_key request_idempotency_key".split()
)
_IDEMPOTENT_PROSE = re.compile(r"(?i)[`\"'*]?\b((?:X-)?Idempoten(?:cy|ce)-Key)\b")
_GIVEN = r"(?:(?:fields|properties|attributes|values|parameters) )?(?:that (?:are|you)|provided|specified|included|you|sent|present)"
_MERGES = re.compile(
    rf"(?i)not provided will be left unchanged|left unchanged|remain unchanged|only (?:the )?{_GIVEN}|partial(?:ly)? updat"
    r"|(?:provided|specified|included|given) (?:\w+ ){0,3}(?:will be |are |is )?overwritten"
    r"|will not be (?:changed|modified|updated|affected)|merge patch|only update"
    r"|(?:omitted|missing|unspecified) (?:fields|properties|values) (?:are|will be) (?:ignored|kept|left)"
)
_REPLACES = re.compile(
    r"(?i)\breplac(?:e|es|ing)\b|overwrites? (?:the|all|any) (?:entire|whole|existing)|full(?:y)? update|complete representation"
    r"|(?:omitted|missing|unspecified|not (?:provided|included|specified))[^.]{0,60}(?:removed|deleted|cleared|reset|set to null|unset)"
    r"|must (?:be|include|contain) (?:all|the (?:full|complete|entire))"
)
_BATCH_WORDS = frozenset("batch bulk multiple many mass collection import batches bulks multi".split())
_OTHER_BATCHES = frozenset(
    "archive delete remove destroy read get search query check lookup find list validate".split()
)
"""Words of operations that take many things and write none of them as a record."""
_BATCH_MAX = re.compile(
    r"(?i)(?:up to|max(?:imum)?(?: of| is| number of \w+:?)?|at most|no more than|limit(?:ed)? (?:of|to)|between 1 and|exceed)\s*"
    r"(?:\w+ ){0,3}?`?(\d{1,5}(?:,\d{3})?)`?"
)
_RESULTS = (
    "results",
    "items",
    "responses",
    "data",
    "records",
    "outcomes",
    "batch_results",
    "created",
    "success",
    "operations",
)
_NOT_RESULTS = frozenset("error errors warning warnings failure failures link links message messages".split())
_STATUS = ("status", "status_code", "code", "http_status", "success", "ok", "result", "state")
_INDEX = ("index", "position", "row", "item_index", "object_index", "sequence", "line")
_ERROR = ("error", "errors", "message", "error_message", "reason", "detail", "failure")
_FINDERS = (
    "email", "external_id", "phone", "sku", "username", "reference", "email_address", "external_reference", "phone_number", "login",
    "code", "handle", "number", "slug", "external_key", "order_number", "vat_number", "domain", "mobile", "barcode", "gtin",
    "mail", "user_name", "reference_id", "unique_id", "custom_id", "tracking_number", "ean",
)  # fmt: skip


def infer_success(reading: Reading, operation: Operation) -> Fact | None:
    """Find when a reply counts as done: a 2xx status and, for APIs that answer 200 to a failure, a value in the body."""
    response = operation.success()
    if response is None or not response.status.startswith("2"):
        return None
    if response.type is not None:
        fields = reading.fields(response.type)
        has_record = bool(
            {plain(name) for name in fields} & {"id", "uuid", "sid", "gid", "amount", "created_at", "created"}
        )
        for name, field in fields.items():
            resolved = reading.resolve(field.type)
            if plain(name) in _OK and isinstance(resolved, Scalar) and resolved.kind == "boolean":
                return _flag(reading, response.type, name, field, resolved)
            if (
                plain(name) == "status"
                and not has_record
                and isinstance(resolved, Scalar)
                and _is_status_word(resolved)
            ):
                ok = next(value for value in resolved.enum if str(value).lower() in ("ok", "success"))
                value = Success(path=format_path((name,)), equals=ok)
                return Fact(kind="success", value=value, at=field.place.pointer, confidence=0.6)
        nested = _nested_flag(reading, fields)
        if nested is not None:
            return nested
        if not has_record and (doubt := _doubtful(reading, fields)) is not None:
            return Fact(kind="success", value=Success(), at=doubt.place.pointer, confidence=0.75)
    return Fact(kind="success", value=Success(), at=response.place.pointer, confidence=1.0)


_STATUS_HOLDERS = frozenset("status meta metadata result response header _meta response_status api_status".split())
_FAILS = frozenset("error errors has_error has_errors is_error failed failure err".split())
_CODES = frozenset("err_code errcode error_code err_no errno return_code result_code ret_code".split())


def _nested_flag(reading: Reading, fields: Mapping[str, Field]) -> Fact | None:
    """A flag of the call beside what was asked for: `{"data": …, "status": {"is_success": true}}`; `{"error": false}`."""
    for name, field in fields.items():
        resolved = reading.resolve(field.type)
        if plain(name) in _STATUS_HOLDERS:
            for inner, one in reading.fields(field.type).items():
                scalar = reading.resolve(one.type)
                if plain(inner) in _OK and isinstance(scalar, Scalar) and scalar.kind == "boolean":
                    value = Success(path=format_path((name, inner)), equals=True)
                    return Fact(kind="success", value=value, at=one.place.pointer, confidence=0.82)
        if plain(name) in _FAILS and isinstance(resolved, Scalar) and resolved.kind == "boolean" and field.required:
            value = Success(path=format_path((name,)), equals=False)
            return Fact(kind="success", value=value, at=field.place.pointer, confidence=0.72)
        if plain(name) in _CODES and isinstance(resolved, Scalar) and resolved.kind == "integer":
            value = Success(path=format_path((name,)), equals=0)
            return Fact(kind="success", value=value, at=field.place.pointer, confidence=0.72)
    return None


def _doubtful(reading: Reading, fields: Mapping[str, Field]) -> Field | None:
    """A word for the call's outcome that nobody explains: `{"status": "…", "message": "…"}`. A person should look at it."""
    words_of = {plain(name): field for name, field in fields.items()}
    status = words_of.get("status")
    about_call = words_of.keys() & {"message", "error", "errors", "error_message", "code", "msg"}
    return status if status is not None and about_call and isinstance(reading.resolve(status.type), Scalar) else None


def _flag(reading: Reading, reply: Type, name: str, field: Field, scalar: Scalar) -> Fact:
    beside = {plain(one) for one in reading.fields(reply)}
    confidence = 0.7
    if scalar.enum == (True,):
        confidence = 0.97
    elif beside & {"error", "errors", "error_message", "error_code"}:
        confidence = 0.88
    elif field.required and plain(name) == "ok":
        confidence = 0.85
    value = Success(path=format_path((name,)), equals=True)
    return Fact(kind="success", value=value, at=field.place.pointer, confidence=confidence)


def _is_status_word(scalar: Scalar) -> bool:
    """An enum of outcomes of the call itself: `OK`, `ERROR`."""
    values = {str(value).lower() for value in scalar.enum}
    return bool(values & {"ok", "success"}) and bool(
        values & {"error", "fail", "failure", "invalid_request", "failed", "request_denied"}
    )


def infer_idempotency(reading: Reading, operation: Operation) -> Fact | None:
    """Find the header that makes a repeated request harmless."""
    if operation.method not in ("POST", "PUT", "PATCH"):
        return None
    for parameter in operation.parameters:
        if parameter.location == "header" and plain(parameter.name) in _IDEMPOTENCY:
            return Fact(kind="idempotency", value=parameter.name, at=parameter.place.pointer, confidence=0.97)
    for prose in reading.prose_of(operation):
        if found := _IDEMPOTENT_PROSE.search(prose.text):
            return Fact(kind="idempotency", value=found[1], at=prose.at, confidence=0.85)
    if operation.method == "POST":
        said = reading.says(_IDEMPOTENT_PROSE)
        if said is not None:
            return Fact(kind="idempotency", value=said[1][1], at=said[0].at, confidence=0.75)
    return None


def infer_update_is(reading: Reading, operation: Operation) -> Fact | None:
    """Find whether an update replaces the record or changes what it names.

    Source:
        RFC 5789 and RFC 7396 for PATCH, RFC 9110 §9.3.4 for PUT.
    """
    last = stem(operation.path)[-1:]
    on_record = bool(last) and ("{}" in last[0] or "update" in words(last[0]))
    if operation.method == "PATCH" and operation.body is not None:
        exact = operation.body.media_type.startswith("application/merge-patch")
        return Fact(kind="update_is", value="merge", at=operation.place.pointer, confidence=0.99 if exact else 0.95)
    if operation.body is None or not on_record or operation.method not in ("PUT", "POST"):
        return None
    for prose in reading.about(operation):
        merges, replaces = _MERGES.search(prose.text), _REPLACES.search(prose.text)
        if merges and not replaces:
            return Fact(kind="update_is", value="merge", at=prose.at, confidence=0.92)
        if replaces and not merges:
            return Fact(kind="update_is", value="replace", at=prose.at, confidence=0.9)
    if operation.method == "PUT":
        return Fact(kind="update_is", value="replace", at=operation.place.pointer, confidence=0.7)
    return Fact(kind="update_is", value="merge", at=operation.place.pointer, confidence=0.6)


def infer_batch(reading: Reading, operation: Operation) -> Fact | None:
    """Find the list of items that one request writes, and where each item's fate stands in the reply."""
    if operation.method not in ("POST", "PUT", "PATCH") or operation.body is None:
        return None
    found = _items(reading, operation)
    if found is None:
        return None
    path, list_type, place, sure = found
    most = _most(reading, operation, list_type)
    value = BatchResults(items=format_path(path), max=most or BatchResults(items="").max)
    response = operation.success()
    if response is not None and response.type is not None:
        value = _with_results(reading, value, response.type)
    confidence = sure + (0.1 if value.results is not None and value.status is not None else 0.0)
    confidence = min(confidence, 0.95 if most is not None else 0.75)  # how many it takes is a question then
    return Fact(kind="batch", value=value, at=place, confidence=round(confidence, 2))


def _items(reading: Reading, operation: Operation) -> tuple[Path, Array, str, float] | None:
    assert operation.body is not None
    said = {*words(operation.path), *words(operation.operation_id or "")}
    tells = bool((said | set(words(operation.summary))) & _BATCH_WORDS)
    body = reading.resolve(operation.body.type)
    if said & _OTHER_BATCHES or "json-patch" in operation.body.media_type:
        return None
    if isinstance(body, Array):
        inner = {plain(name) for name in reading.fields(body.items)}
        is_patch = {"op", "path"} <= inner
        return ((), body, operation.body.place.pointer, 0.82) if inner and not is_patch else None
    lists: list[tuple[float, str, Field, Array]] = []
    fields = reading.fields(body)
    thing = noun(operation.path)
    for name, field in fields.items():
        resolved = reading.resolve(field.type)
        if not isinstance(resolved, Array) or not reading.objects(resolved.items):
            continue
        score = 2.0 * (
            plain(name)
            in ("inputs", "items", "records", "objects", "data", "batch", "operations", "resources", "requests")
        )
        score += 2.0 * same_thing(name, thing) + 1.0 * field.required + 1.0 * (len(fields) <= 2)
        lists.append((score, name, field, resolved))
    if not lists or not tells:
        return None
    score, name, field, list_type = max(lists, key=lambda one: one[0])
    return ((name,), list_type, field.place.pointer, min(0.6 + 0.06 * score, 0.85)) if score >= 1 else None


def _most(reading: Reading, operation: Operation, list_type: Array) -> int | None:
    if list_type.max_items is not None and 1 <= list_type.max_items <= 10_000:
        return list_type.max_items
    texts = [prose.text for prose in reading.about(operation)]
    for text in texts:
        numbers = [int(number.replace(",", "")) for number in _BATCH_MAX.findall(text)]
        if numbers and 2 <= max(numbers) <= 10_000:
            return max(number for number in numbers if number <= 10_000)
    return None


def _with_results(reading: Reading, value: BatchResults, reply: Type) -> BatchResults:
    resolved = reading.resolve(reply)
    results: Path | None = None
    item: Type | None = None
    if isinstance(resolved, Array):
        results, item = (), resolved.items
    else:
        lists = {
            name: inner
            for name, field in reading.fields(resolved).items()
            if (inner := reading.item(field.type)) is not None
        }
        name = next((one for word in _RESULTS for one in lists if plain(one) == word), None)
        if name is None and len(lists) == 1 and not set(words(next(iter(lists)))) & _NOT_RESULTS:
            name = next(iter(lists))  # with a list of failures beside it, the rest would not pair with the items
        if name is not None:
            results, item = (name,), lists[name]
    if results is None or item is None or not reading.objects(item):
        return value
    fields = reading.fields(item)
    found = {
        "status": _one_of(reading, fields, _STATUS),
        "index": _one_of(reading, fields, _INDEX),
        "identity": _one_of(reading, fields, ("id", "uuid", "gid", "resource_id", "record_id", "object_id")),
        "error": _one_of(reading, fields, _ERROR, scalar=False),
    }
    status = reading.resolve(fields[found["status"]].type) if found["status"] else None
    ok: tuple[object, ...] = value.ok
    if isinstance(status, Scalar) and status.kind == "boolean":
        ok = (True,)
    elif isinstance(status, Scalar) and status.kind == "string":
        good = tuple(
            one
            for one in status.enum
            if str(one).lower() in ("ok", "success", "created", "updated", "succeeded", "complete", "completed")
        )
        ok = good or value.ok
    return BatchResults(
        items=value.items,
        max=value.max,
        results=format_path(results),
        index=_text(found["index"]),
        status=_text(found["status"]),
        ok=ok,  # type: ignore[arg-type]
        identity=_text(found["identity"]),
        error=_text(found["error"]),
    )


def _text(name: str | None) -> str | None:
    return None if name is None else format_path((name,))


def _one_of(
    reading: Reading, fields: Mapping[str, Field], names: tuple[str, ...], *, scalar: bool = True
) -> str | None:
    for word in names:
        for name, field in fields.items():
            if plain(name) == word and (not scalar or isinstance(reading.resolve(field.type), Scalar)):
                return name
    return None


def infer_find(reading: Reading, operation: Operation, record: Type | None) -> Fact | None:
    """Find the query parameters that look up records by a field that tells them apart."""
    if operation.method != "GET" or record is None:
        return None
    by_word = {
        plain(name): name
        for name, field in reading.fields(record).items()
        if isinstance(reading.resolve(field.type), Scalar)
    }
    found: dict[str, str] = {}
    place = ""
    sure = 0.9
    for parameter, name, type in _by_name(reading, operation):
        word = _bare(name)
        if word not in _FINDERS:
            continue
        field = by_word.get(word) or by_word.get(
            {"email": "email_address", "email_address": "email", "phone": "phone_number"}.get(word, "")
        )
        if field is None or not isinstance(reading.resolve(type), Scalar):
            continue
        found.setdefault(format_path((field,)), f"query.{name}")
        place = place or parameter.place.pointer
        sure = min(sure, 0.92 if _FINDERS.index(word) < 10 else 0.8)
    return Fact(kind="find", value=found, at=place, confidence=sure) if found else None


def _by_name(reading: Reading, operation: Operation) -> Iterator[tuple[Parameter, str, Type]]:
    """Query parameters, those that are objects member by member: `filter[email]`."""
    for parameter in query(operation):
        if parameter.style == "deepObject":
            for name, field in reading.fields(parameter.type).items():
                yield parameter, f"{parameter.name}[{name}]", field.type
        else:
            yield parameter, parameter.name, parameter.type


def _bare(name: str) -> str:
    """`filter[email]`, `email[eq]` and `where.email` are about `email`."""
    parts = list(words(name))
    while parts and parts[0] in ("filter", "where", "search", "query", "by", "q"):
        parts.pop(0)
    while parts and parts[-1] in ("eq", "equals", "exact", "in"):
        parts.pop()
    return "_".join(parts)

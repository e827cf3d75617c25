"""Where the records are in a reply: the list in a list reply, the one record in a single one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..api.facts import Fact
from ..api.model import Anything, Array, Field, Object, Operation, Scalar, Type
from ..api.paths import Path, format_path
from .reading import Reading, body_fields, query
from .words import noun, plain, same_thing, shares_noun, singular, stem, words

_CONTAINERS = {
    "data": 3.0, "items": 3.0, "results": 3.0, "records": 3.0, "value": 3.0, "entries": 3.0, "objects": 3.0,
    "values": 2.5, "hits": 2.5, "resources": 2.5, "list": 2.5, "rows": 2.5, "elements": 2.5, "content": 2.5, "nodes": 2.5,
    "collection": 2.5, "documents": 2.5, "result": 2.0, "members": 2.0, "response": 1.5, "payload": 2.0, "edges": 1.0,
    "features": 2.0, "page_items": 2.5, "query_response": 2.0,
}  # fmt: skip
"""Names that hold whatever was asked for, and how surely."""
_ASIDE = frozenset(
    "errors error warnings links link included facets aggregations tags meta metadata messages_list filters sort "
    "columns fields schema permissions expand".split()
)
"""Names of lists that stand beside the records."""
_PAGE_WORDS = frozenset(
    "page pages per_page page_size limit offset cursor next next_cursor has_more total count total_count next_page_token "
    "pagination paging links meta next_token next_page more starting_after page_token total_results next_page_url "
    "response_metadata total_size previous prev first last".split()
)
_LIST_WORDS = frozenset("list search find query browse index filter".split())
_SINGLE = frozenset("data result item record response object payload resource value entity".split())
_ENVELOPE = frozenset("data result results response payload query_response embedded body list page".split())
_DEPTH = 3
_READS = re.compile(r"(?i)\s*(?:list|search|find|get|fetch|return|retrieve|query)(?:s|es)?\b")


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    items: Type
    score: float


def infer_records(reading: Reading, operation: Operation) -> Fact | None:
    """Find the list of records in an operation's reply; None when the operation lists nothing."""
    response = operation.success()
    if response is None or response.type is None or not _may_list(reading, operation):
        return None
    at = response.place.pointer
    reply = reading.resolve(response.type)
    if isinstance(reply, Array):
        item = reading.resolve(reply.items)
        if isinstance(item, Scalar):
            return None
        sure = 0.99 if isinstance(item, Object) or reading.objects(item) else 0.9
        return Fact(kind="records", value="", at=at, confidence=sure if _ends_open(operation) else 0.85)
    candidates = sorted(_candidates(reading, operation, reply), key=lambda one: -one.score)
    if len(candidates) == 1:
        candidates = [replace(candidates[0], score=candidates[0].score + 1.0)]  # nothing else it could be
    if not candidates or candidates[0].score < 2.0:
        return _only_list(reading, operation, reply, at)
    best = candidates[0]
    second = candidates[1].score if len(candidates) > 1 else 0.0
    listing = _list_signs(reading, operation, reply)
    if not _ends_open(operation) and (listing < 2 or best.score < 3):
        return None
    if listing < 0:
        return None  # it has a name of its own: one record with a list in it
    if listing < 1 and best.score < 4.5:
        return _only_list(reading, operation, reply, at)
    confidence = (
        0.6 + min(best.score, 6.0) * 0.045 + min(listing, 3) * 0.03 + (0.06 if best.score - second >= 2 else 0.0)
    )
    if best.score - second < 1:
        confidence -= 0.2
    return Fact(
        kind="records", value=format_path(best.path), at=at, confidence=round(max(0.3, min(confidence, 0.99)), 2)
    )


def _only_list(reading: Reading, operation: Operation, reply: Type, at: str) -> Fact | None:
    """The one list of objects of a reply in which nothing else is more than bookkeeping, whatever the list is called."""
    path: Path = ()
    for _ in range(2):
        fields = reading.fields(reply)
        lists = [
            name
            for name, field in fields.items()
            if plain(name) not in _ASIDE and (item := reading.item(field.type)) is not None and reading.objects(item)
        ]
        others = [name for name in fields if name not in lists and not set(words(name)) & _BOOKKEEPING]
        if len(lists) == 1 and len(others) <= 1 and not {plain(name) for name in others} & {"id", "uuid", "name"}:
            sure = 0.8 if not others else 0.66
            value = format_path((*path, lists[0]))
            return Fact(kind="records", value=value, at=at, confidence=sure) if _ends_open(operation) else None
        inner = [name for name in fields if plain(name) in _ENVELOPE and reading.objects(fields[name].type)]
        if lists or len(inner) != 1:
            return None
        path, reply = (*path, inner[0]), fields[inner[0]].type
    return None


_BOOKKEEPING = frozenset(
    "page pages total totals count counts limit offset size next previous prev first last cursor token status time took success "
    "ok message messages code usage links meta metadata pagination paging error errors warnings kind more url self request".split()
)


def _may_list(reading: Reading, operation: Operation) -> bool:
    if operation.method == "GET":
        return True
    if operation.method not in ("POST", "QUERY"):
        return False
    said = {*words(stem(operation.path)[-1] if stem(operation.path) else ""), *words(operation.operation_id or "")}
    if said & {"create", "add", "insert", "update", "delete", "remove", "upsert", "batch", "bulk", "import"}:
        return False
    if said & {"list", "search", "query", "find", "get", "fetch", "filter", "export", "lookup", "browse", "sync"}:
        return True
    if _READS.match(operation.summary) or (not operation.summary and _READS.match(operation.description)):
        return True
    return len({plain(name) for name in body_fields(reading, operation)} & _PAGE_WORDS) >= 2


def _ends_open(operation: Operation) -> bool:
    """Whether the path ends in a name, as those of lists do, and not in a parameter."""
    steps = stem(operation.path)
    return not steps or "{}" not in steps[-1] or "(" in steps[-1]


def _list_signs(reading: Reading, operation: Operation, reply: Type) -> float:
    """How much speaks for a list, apart from the list itself."""
    signs = 0.0
    parameters = {plain(parameter.name) for parameter in query(operation)} | {
        plain(name) for name in (body_fields(reading, operation) if operation.method != "GET" else ())
    }
    signs += 1.5 * bool(parameters & (_PAGE_WORDS - {"links", "meta", "next", "total", "count"}))
    names = {plain(name) for name in reading.fields(reply)}
    signs += 1.0 * bool(names & _PAGE_WORDS)
    said = {*words(operation.operation_id or ""), *words(" ".join(operation.summary.split()[:4]))}
    signs += 1.0 * bool(said & _LIST_WORDS or {"get", "all"} <= said)
    thing = noun(operation.path)
    signs += 0.5 * bool(thing and singular(words(thing)[-1] if words(thing) else "") != (words(thing) or ("",))[-1])
    if names & {"id", "uuid", "gid", "sid"} or _own_id(thing, names):
        signs -= 1.5
    return signs


def _own_id(thing: str, names: set[str]) -> bool:
    parts = words(thing)
    return bool(parts) and f"{singular(parts[-1])}_id" in names


def _candidates(reading: Reading, operation: Operation, reply: Type) -> Iterator[_Candidate]:
    thing = noun(operation.path)
    stack: list[tuple[Path, Type, int]] = [((), reply, 1)]
    while stack:
        path, type, depth = stack.pop(0)
        for name, field in reading.fields(type).items():
            resolved = reading.resolve(field.type)
            here = (*path, name)
            if isinstance(resolved, Array):
                score = _score(reading, name, thing, resolved, depth)
                if path and _envelops(path, thing):
                    score += 0.5
                if score > 0:
                    yield _Candidate(here, resolved.items, score)
            elif depth < _DEPTH and reading.objects(resolved) and _opens(name, thing, depth):
                stack.append((here, resolved, depth + 1))


def _opens(name: str, thing: str, depth: int) -> bool:
    """Whether a list of the reply may stand inside this object."""
    return plain(name) in _ENVELOPE or same_thing(name, thing) or (depth == 1 and plain(name) not in _ASIDE)


def _envelops(path: Path, thing: str) -> bool:
    return all(isinstance(step, str) and (plain(step) in _ENVELOPE or same_thing(step, thing)) for step in path)


def _score(reading: Reading, name: str, thing: str, list_type: Array, depth: int) -> float:
    item = reading.resolve(list_type.items)
    if isinstance(item, Scalar | Array):
        return -1.0
    score = _CONTAINERS.get(plain(name), 0.0)
    if thing and same_thing(name, thing):
        score = max(score, 0.0) + 4.0
    elif thing and shares_noun(name, thing):
        score += 2.5
    if plain(name) in _ASIDE and not same_thing(name, thing):
        score -= 3.0
    fields = {plain(field) for field in reading.fields(item)}
    if fields & {"id", "uuid", "gid", "sid", "key"} or _own_id(thing, fields):
        score += 1.0
    if isinstance(item, Anything):
        score -= 0.5
    return score - 1.0 * (depth - 1) + (0.5 if depth == 1 else 0.0)


def infer_record(reading: Reading, operation: Operation) -> Fact | None:
    """Find the one record in the reply of an operation that reads or writes one; None when it gives none back."""
    response = operation.success()
    if response is None or response.type is None or operation.method == "DELETE":
        return None
    at = response.place.pointer
    reply = reading.resolve(response.type)
    fields = reading.fields(reply)
    if not fields:
        return None
    thing = noun(operation.path)
    names = {plain(name) for name in fields}
    if names & {"id", "uuid", "gid", "sid"} or _own_id(thing, names):
        return Fact(kind="record", value="", at=at, confidence=0.97)
    best: tuple[float, str] | None = None
    for name, field in fields.items():
        if not isinstance(reading.resolve(field.type), Object) and not reading.objects(field.type):
            continue
        score = _single_score(reading, name, field, thing, len(fields))
        if best is None or score > best[0]:
            best = (score, name)
    if best is not None and best[0] >= 2:
        confidence = min(0.97, 0.7 + best[0] * 0.06)
        return Fact(kind="record", value=format_path((best[1],)), at=at, confidence=round(confidence, 2))
    scalars = sum(isinstance(reading.resolve(field.type), Scalar) for field in fields.values())
    if scalars >= 3:
        return Fact(kind="record", value="", at=at, confidence=0.85)
    return Fact(kind="record", value="", at=at, confidence=0.6) if scalars else None


def _single_score(reading: Reading, name: str, field: Field, thing: str, count: int) -> float:
    score = 0.0
    if thing and same_thing(name, thing):
        score += 4.0
    elif thing and shares_noun(name, thing):
        score += 2.0
    if plain(name) in _SINGLE:
        score += 3.0
    if plain(name) in _ASIDE:
        score -= 3.0
    inner = {plain(one) for one in reading.fields(field.type)}
    score += 1.0 * bool(inner & {"id", "uuid", "gid", "sid"} or _own_id(thing, inner))
    return score + (0.5 if count == 1 else 0.0)

"""A batch: each item is checked and takes effect on its own, where the reply can say so; else all of them or none."""

from __future__ import annotations

from copy import deepcopy

from .form import BatchForm, Json, OperationForm, Path
from .places import NOTHING, at, merge, put
from .refused import Refused
from .schema import Checker, Problem, without_waived
from .store import Collection, Duplicate, Store, set_by_server

_EACH = 0


class Batch:
    """One batch operation over a store."""

    def __init__(self, form: OperationForm, store: Store, requests: Checker) -> None:
        assert form.batch is not None
        assert form.body is not None
        self._form = form
        self._batch: BatchForm = form.batch
        self._invalid = form.reply.invalid
        self._store = store
        self._synthesis = store.synthesis
        self._collection: Collection = store.collections[str(form.collection)]
        item = self._synthesis.schema_at(form.body.schema, (*form.batch.items, _EACH))
        self._check_item = requests.check(item)
        self._server_only = set_by_server(self._collection, item, self._synthesis)
        self._check_whole = requests.check(form.body.schema)
        self._waived = form.body.waived
        results = form.batch.results
        result = {} if results is None else self._synthesis.schema_at(form.reply.schema or {}, (*results, _EACH))
        self._result_schema = result
        self._result_fields = set(result.get("properties", {}))
        self._result_envelope = self._synthesis.envelope(result or None)

    def write(self, body: Json, key: str | None, request: int, *, is_partial: bool = False) -> Json:
        """Write the items; the reply says what became of each. Raises `Refused` when none may be written.

        Args:
            is_partial: The first item is refused, the last is written and not mentioned.
        """
        items = at(body, self._batch.items)
        if not isinstance(items, list):
            raise Refused(self._invalid, "the batch has no list of items")
        if len(items) > self._batch.max:
            raise Refused(self._invalid, f"{len(items)} items are sent, at most {self._batch.max} are taken")
        if around := self._check_whole(_with_items(body, self._batch.items, [])):
            raise Refused(self._invalid, "the batch does not fit its schema", around)
        if self._batch.results is None or (self._batch.status is None and self._batch.error is None):
            self._refuse_whole(items)
        results = [
            self._failed(number, self._invalid, "switched on", item)
            if is_partial and number == 0
            else self._write_one(number, item, key, request)
            for number, item in enumerate(items)
        ]
        if is_partial:
            results = results[:-1] if self._batch.index is None else results[-2::-1]
        reply = self._synthesis.envelope(self._form.reply.schema)
        return reply if self._batch.results is None else put(reply, self._batch.results, results)

    def _refuse_whole(self, items: list[Json]) -> None:
        """The reply has no place for one item's fate: the first bad one refuses all."""
        seen: set[tuple[str, ...]] = set()
        for number, item in enumerate(items):
            if problems := self._problems(item):
                named = [Problem(f"[{number}].{one.field}", one.message) for one in problems]
                raise Refused(self._invalid, "an item does not fit its schema", named)
            if at(item, self._collection.form.identity) is NOTHING:
                match = self._collection.match(self._record_in(item))
                if match and (match in seen or self._collection.taken_by(self._record_in(item)) is not None):
                    raise Refused(409, f"item {number} is there already")
                seen.add(match)

    def _problems(self, item: Json) -> list[Problem]:
        return without_waived(self._check_item(item), self._waived)

    def _write_one(self, number: int, item: Json, key: str | None, request: int) -> Json:
        if problems := self._problems(item):
            words = "; ".join(f"{one.field} {one.message}" for one in problems)
            return self._failed(number, self._invalid, words, item)
        given = at(item, self._collection.form.identity)
        try:
            if given is NOTHING or given is None:
                id, record = self._collection.create(self._record_in(item), self._server_only)
            elif self._collection.get(str(given)) is None:
                return self._failed(number, 404, f"there is no `{given}`", item)
            else:
                id = str(given)
                record = self._collection.update(id, self._record_in(item), self._server_only, replaces=False)
        except Duplicate as duplicate:
            return self._failed(number, 409, f"{duplicate.fields} is taken by {duplicate.id}", item)
        effect = "update" if str(given) == id else "create"
        self._store.note(self._form, "update" if effect == "update" else "create", id, record, key, request)
        return self._written(number, record, is_new=effect == "create")

    def _record_in(self, item: Json) -> Json:
        path: Path = self._form.body.record if self._form.body else ()
        inner = at(item, path)
        return item if inner is NOTHING else inner

    def _written(self, number: int, record: Json, *, is_new: bool) -> Json:
        batch = self._batch
        result = merge(self._envelope(), {name: value for name, value in record.items() if name in self._result_fields})
        if batch.identity is not None:
            result = put(result, batch.identity, at(record, self._collection.form.identity))
        if batch.status is not None:
            preferred = 201 if is_new else 200
            result = put(result, batch.status, preferred if preferred in batch.ok else batch.ok[0])
        return self._numbered(result, number)

    def _failed(self, number: int, status: int, message: str, item: Json) -> Json:
        """A result that says no, with as much of the item as results show."""
        batch = self._batch
        sent = self._record_in(item)
        shown = (
            {name: value for name, value in sent.items() if name in self._result_fields}
            if isinstance(sent, dict)
            else {}
        )
        result = merge(self._envelope(), shown)
        if batch.status is not None:
            result = put(result, batch.status, _not_ok(batch, status))
        if batch.identity is not None:
            given = at(item, self._collection.form.identity)
            result = put(result, batch.identity, None if given is NOTHING else given)
        if batch.error is not None:
            result = put(result, batch.error, self._error(message))
        return self._numbered(result, number)

    def _error(self, message: str) -> Json:
        """The message as the reply's schema has it: a text, or an object with a `message`."""
        schema = self._synthesis.schema_at(self._result_schema, self._batch.error or ())
        if "message" not in schema.get("properties", {}):
            return message
        return put(self._synthesis.envelope(schema), ("message",), message)

    def _numbered(self, result: Json, number: int) -> Json:
        return result if self._batch.index is None else put(result, self._batch.index, number)

    def _envelope(self) -> Json:
        """A fresh result: the least the schema asks for, with no error in it."""
        result = deepcopy(self._result_envelope) if isinstance(self._result_envelope, dict) else {}
        if self._batch.error is not None and at(result, self._batch.error) is not NOTHING:
            result = put(result, self._batch.error, None)
        return result


def _not_ok(batch: BatchForm, status: int) -> Json:
    first = batch.ok[0]
    if isinstance(first, bool):
        return not first
    return status if isinstance(first, int) else "error"


def _with_items(body: Json, path: Path, items: list[Json]) -> Json:
    """The body with other items; what it shares with the body it does not change."""
    if not path:
        return items
    key = path[0]
    if isinstance(key, str) and isinstance(body, dict):
        return {**body, key: _with_items(body[key], path[1:], items)}
    return body

"""One mock operation: its requests checked, its effect on the store, its reply."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from .batches import Batch
from .bodies import read_body
from .form import AuthForm, Json, OperationForm, Path, SinceForm
from .paging import cut, original_query, say, token_parameter
from .places import NOTHING, at, put
from .refused import Refused
from .schema import Checker, Problem, without_waived
from .store import Collection, Duplicate, Store, Stored, comparable, dumps, equal_form, loads, set_by_server, unsayable
from .synthesis import kinds_of

_RECORDS = "\ue000records"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that reached an operation: path values decoded, query as sent, header names in lower case."""

    url: str
    """The operation's own URL without its query."""
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    number: int
    fault: str | None = None
    """What goes wrong inside the operation."""
    page_cap: int | None = None


@dataclass(slots=True)
class Reply:
    status: int
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


class Operation:
    """One operation over a store.

    Args:
        auth: Where the credential travels; a query parameter of that name is none of the operation's own.
    """

    def __init__(self, form: OperationForm, store: Store, auth: AuthForm | None) -> None:
        self.form = form
        self._store = store
        self._synthesis = store.synthesis
        self.pattern, self.names = _pattern(form.path)
        requests = Checker(store.form.defs, "request")
        self._scalars: dict[tuple[str, str], frozenset[str]] = {}
        self._parameter_checks: dict[tuple[str, str], Callable[[Json], list[Problem]]] = {}
        for parameter in form.parameters:
            kinds = kinds_of(self._synthesis.resolve(parameter.schema))
            self._scalars[parameter.location, parameter.name] = frozenset(kinds)
            schema = {} if kinds & {"array", "object"} else parameter.schema
            self._parameter_checks[parameter.location, parameter.name] = requests.check(schema)
        self._body_check = requests.check(form.body.schema) if form.body and not form.batch else None
        body_schema = self._synthesis.schema_at(form.body.schema, form.body.record) if form.body else {}
        self._server_only = (
            set_by_server(store.collections[form.collection], body_schema, self._synthesis) if form.collection else ()
        )
        self._unsayable = (
            unsayable(store.collections[form.collection], body_schema, self._synthesis)
            if form.collection and form.replaces
            else ()
        )
        self._batch = Batch(form, store, requests) if form.batch else None
        self._envelope = dumps(self._synthesis.envelope(form.reply.schema))
        self._known = _known_query(form, auth)
        self._answered: dict[str, tuple[str, Reply]] = {}
        self._ordered: tuple[int, list[Stored]] | None = None

    def answer(self, call: Call) -> Reply:
        """Do what was asked. Raises `Refused`; then nothing has happened."""
        self._check_parameters(call)
        if self.form.does == "list" and self.form.method != "GET":
            call = replace(call, query={**_flat(call.body), **call.query})
        body = self._read_body(call)
        key = call.headers.get(self.form.idempotency_header.lower()) if self.form.idempotency_header else None
        digest = hashlib.sha256(f"{call.path}{sorted(call.query.items())}".encode() + call.body).hexdigest()
        if key is not None and key in self._answered:
            first_digest, reply = self._answered[key]
            if first_digest != digest:
                raise Refused(422, "this idempotency key was used for another request")
            return reply
        reply = self._do(call, body, key)
        if key is not None:
            self._answered[key] = (digest, reply)
        return reply

    def refusal(self) -> Reply:
        """A 2xx reply whose body says that it failed."""
        envelope: Json = loads(self._envelope)
        if success := self.form.reply.success:
            envelope = put(envelope, success.path, not success.equals)
        return Reply(200, dumps(envelope))

    # --- what it does -------------------------------------------------------------------------------------------------

    def _do(self, call: Call, body: Json, key: str | None) -> Reply:
        match self.form.does:
            case "list":
                return self._list(call)
            case "get":
                _, stored = self._named(call)
                return self._one(stored.record)
            case "create":
                return self._create(self._record_in(body), key, call)
            case "update":
                id, _ = self._named(call)
                record = self._effect(
                    lambda collection: collection.update(
                        id,
                        self._record_in(body),
                        self._server_only,
                        replaces=self.form.replaces,
                        unsayable=self._unsayable,
                    )
                )
                self._store.note(self.form, "update", id, record, key, call.number)
                return self._one(record)
            case "delete":
                id, stored = self._named(call)
                self._collection.delete(id)
                self._store.note(self.form, "delete", id, stored.record, key, call.number)
                return self._one(stored.record)
            case "batch":
                assert self._batch is not None
                return Reply(
                    self.form.reply.status,
                    dumps(
                        self._succeeded(self._batch.write(body, key, call.number, is_partial=call.fault == "partial"))
                    ),
                )
            case "answer":
                schema = self.form.reply.schema
                value = self._synthesis.value(schema, "reply") if schema is not None else {}
                return self._reply(value)

    def _create(self, sent: Json, key: str | None, call: Call) -> Reply:
        existing = self._collection.taken_by(sent) if self.form.upserts else None
        if existing is not None:
            record = self._collection.update(
                existing, sent, self._server_only, replaces=self.form.replaces, unsayable=self._unsayable
            )
            self._store.note(self.form, "update", existing, record, key, call.number)
        else:
            existing, record = self._effect(lambda collection: collection.create(sent, self._server_only))
            self._store.note(self.form, "create", existing, record, key, call.number)
        return self._one(record)

    @property
    def _collection(self) -> Collection:
        return self._store.collections[str(self.form.collection)]

    def _effect(self, act: Callable[[Collection], Json]) -> Json:
        try:
            return act(self._collection)
        except Duplicate as duplicate:
            refused = Refused(409, f"{duplicate.fields} is taken", [Problem(duplicate.fields, "is taken")])
            refused.headers["X-Existing-Id"] = duplicate.id
            raise refused from None

    def _named(self, call: Call) -> tuple[str, Stored]:
        name = self.form.identity_parameter
        id = (call.path.get(name) or call.query.get(name)) if name else None
        stored = self._collection.get(id) if id is not None else None
        if id is None or stored is None:
            raise Refused(404, f"there is no `{id}` among the {self.form.collection}")
        return id, stored

    def _record_in(self, body: Json) -> Json:
        assert self.form.body is not None or body == {}
        inner = at(body, self.form.body.record) if self.form.body else body
        return body if inner is NOTHING else inner

    # --- lists --------------------------------------------------------------------------------------------------------

    def _list(self, call: Call) -> Reply:
        query = original_query(self.form, call.query)
        page = cut(
            self.form,
            self._select(query),
            call.query,
            call.url,
            self._collection.form.identity,
            cap=call.page_cap,
            fault=call.fault,
        )
        reply = self.form.reply
        envelope: Json = loads(self._envelope)
        envelope = say(envelope, page, reply.schema, self._synthesis)
        records = reply.records if reply.records is not None else ()
        envelope = self._succeeded(put(envelope, records, _RECORDS))
        listed = "[" + ",".join(stored.as_text() for stored in page.items) + "]"
        text = dumps(envelope).replace(f'"{_RECORDS}"', listed, 1)
        return Reply(reply.status, text, {"Link": page.link} if page.link else {})

    def _select(self, query: Mapping[str, str]) -> list[Stored]:
        chosen = self._in_order()
        if (since := self.form.since) and since.parameter in query:
            earliest = _moment(since, query[since.parameter])
            chosen = [stored for stored in chosen if _is_at_least(stored.version, earliest)]
        if (between := self.form.between) is not None and (path := between.path) is not None:
            if between.first in query:
                low = comparable(query[between.first])
                chosen = [stored for stored in chosen if _is_at_least(comparable(str(at(stored.record, path))), low)]
            if between.last is not None and between.last in query:
                high = comparable(query[between.last])
                chosen = [stored for stored in chosen if _is_at_least(high, comparable(str(at(stored.record, path))))]
        for filter in self.form.filters:
            if filter.parameter in query:
                wanted = equal_form(query[filter.parameter], filter.compare)
                chosen = [stored for stored in chosen if _equals(stored.record, filter.path, filter.compare, wanted)]
        return chosen

    def _in_order(self) -> list[Stored]:
        collection = self._collection
        if self._ordered is None or self._ordered[0] != collection.changes:
            records = list(collection)
            if self.form.order is not None:
                records.sort(key=lambda stored: _sortable(stored.version), reverse=self.form.order.startswith("-"))
            elif self.form.paging.style == "since_id":
                records.sort(key=lambda stored: _sortable(at(stored.record, collection.form.identity)))
            self._ordered = (collection.changes, records)
        return self._ordered[1]

    # --- replies ------------------------------------------------------------------------------------------------------

    def _one(self, record: Json) -> Reply:
        if self.form.reply.status == 204 or self.form.reply.schema is None:
            return Reply(204 if self.form.does in ("update", "delete") else self.form.reply.status)
        return self._reply(put(loads(self._envelope), self.form.reply.record, record))

    def _reply(self, value: Json) -> Reply:
        media_type = self.form.body.media_type if self.form.body else ""
        return Reply(
            self.form.reply.status,
            dumps(self._succeeded(value)),
            media_type=media_type if media_type.endswith("+json") else "application/json",
        )

    def _succeeded(self, value: Json) -> Json:
        success = self.form.reply.success
        return put(value, success.path, success.equals) if success else value

    # --- requests -----------------------------------------------------------------------------------------------------

    def _check_parameters(self, call: Call) -> None:
        problems = []
        for name in call.query:
            if name not in self._known and name.split("[", 1)[0] not in self._known:
                problems.append(Problem(f"query.{name}", "is no parameter of this operation"))
        for parameter in self.form.parameters:
            if parameter.location == "cookie":
                continue
            sent = {"path": call.path, "query": call.query, "header": call.headers}[parameter.location]
            name = parameter.name.lower() if parameter.location == "header" else parameter.name
            if name in sent:
                value = _read_text(sent[name], self._scalars[parameter.location, parameter.name])
                found = self._parameter_checks[parameter.location, parameter.name](value)
                problems += [Problem(f"{parameter.location}.{parameter.name}", one.message) for one in found]
            elif parameter.required and not any(key.startswith(f"{name}[") for key in sent):
                problems.append(Problem(f"{parameter.location}.{parameter.name}", "is required"))
        if problems:
            raise Refused(400, "parameters are wrong", problems)

    def _read_body(self, call: Call) -> Json:
        form = self.form.body
        if form is None:
            return {}
        body = read_body(form, call.headers.get("content-type", ""), call.body, self._synthesis)
        if self._body_check and (problems := without_waived(self._body_check(body), form.waived)):
            raise Refused(self.form.reply.invalid, "the body does not fit its schema", problems)
        return body


def _pattern(path: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    pieces = re.split(r"\{([^{}]+)\}", path.split("#", 1)[0].split("?", 1)[0])
    pattern = "".join(re.escape(piece) if number % 2 == 0 else "([^/]+)" for number, piece in enumerate(pieces))
    return re.compile(pattern), tuple(pieces[1::2])


def path_values(operation: Operation, path: str) -> dict[str, str] | None:
    """The path parameters of a raw path, decoded; None when it is not this operation's."""
    found = operation.pattern.fullmatch(path)
    if found is None:
        return None
    return {name: unquote(text) for name, text in zip(operation.names, found.groups(), strict=True)}


def _flat(body: bytes) -> dict[str, str]:
    """What a list is asked for in a body, by dotted names, as a query would have it."""
    try:
        value: Json = loads(body.decode()) if body.strip() else {}
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    found: dict[str, str] = {}
    stack: list[tuple[str, Json]] = [("", value)]
    while stack:
        name, part = stack.pop()
        if isinstance(part, dict):
            stack += [(f"{name}.{key}" if name else key, each) for key, each in part.items()]
        elif part is not None and not isinstance(part, list):
            found[name] = part if isinstance(part, str) else dumps(part)
    return found


def _known_query(form: OperationForm, auth: AuthForm | None) -> frozenset[str]:
    known = {parameter.name for parameter in form.parameters if parameter.location == "query"}
    known |= {name.split("[", 1)[0] for name in known}
    known |= {filter.parameter for filter in form.filters}
    paging = form.paging
    known |= {name for name in (paging.limit, paging.cursor, paging.page, paging.offset) if name}
    if form.since:
        known.add(form.since.parameter)
    if form.between:
        known |= {name for name in (form.between.first, form.between.last) if name}
    if (token := token_parameter(form)) is not None:
        known.add(token)
    if paging.style == "next_url":
        known.add("offset_token")
    if auth and auth.kind == "api_key" and auth.location == "query":
        known.add(auth.name)
    if "?" in form.path:
        known |= {pair.split("=", 1)[0] for pair in form.path.split("#", 1)[0].split("?", 1)[1].split("&")}
    return frozenset(known)


def _read_text(text: str, kinds: frozenset[str]) -> Json:
    """A parameter's text as the JSON value that one of these kinds means."""
    if "string" in kinds or not kinds & {"integer", "number", "boolean"}:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) else value


def _moment(since: SinceForm, text: str) -> float | str:
    value = comparable(text)
    if since.format in ("iso8601", "date") and isinstance(value, str):
        raise Refused(400, "the filter is no time", [Problem(f"query.{since.parameter}", f"is `{text}`, no time")])
    return value


def _is_at_least(version: float | str, earliest: float | str) -> bool:
    if isinstance(version, float | int) and isinstance(earliest, float | int):
        return version >= earliest
    return str(version) >= str(earliest)


def _equals(record: Json, path: Path, compare: tuple[str, ...], wanted: str) -> bool:
    value = at(record, path)
    return value is not NOTHING and value is not None and equal_form(value, compare) == wanted


def _sortable(value: Json) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, str(value))

"""What both mocks of a package share: the envelope of the form, operations, parameters, replies, made-up settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ..api.facts import ApiFacts, Paging
from ..api.model import Api, Json, Object, Operation, Parameter, Scalar, Type
from ..api.paths import EACH, Path
from ..frozen import dataclass
from .mock_hints import Hints, Rule
from .mock_schemas import SchemaWriter, type_at
from .model import ApiPlan, JsonPath, OperationPlan, SettingValue, StreamPlan

FORM = 1

Form: TypeAlias = dict[str, Any]

_CONTROL = frozenset({"log", "requests", "records", "faults", "rate", "seed", "webhook"})
_NOT_PARAMETERS = frozenset({"accept", "content-type", "authorization"})
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRecords:
    """What a stream's records are to the mocks, beside its plan: paths that its readers were made from."""

    identity: Path
    version: Path | None = None
    match: tuple[Path, ...] = ()
    """Source fields of the stream's match, in its order."""
    rules: Sequence[Rule] = ()
    waived: tuple[Path, ...] = ()
    """Destination fields that stay empty by the reviewer's word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One system: its plan, all that its spec offers, and the facts about it."""

    plan: ApiPlan
    api: Api
    facts: ApiFacts | None = None


@dataclass(slots=True)
class Collection:
    """One resource while it is collected from the streams that use it."""

    name: str
    type: Type | None
    identity: JsonPath
    version: JsonPath | None
    created: list[JsonPath] = field(default_factory=list)
    unique: list[list[Form]] = field(default_factory=list)
    hints: Hints = field(default_factory=Hints)
    examples: list[Json] = field(default_factory=list)
    is_read: bool = False
    """Whether a stream reads it: then it has records from the start."""
    references: list[Form] = field(default_factory=list)
    """Fields that name records of other collections."""
    absent: list[list[str | int]] = field(default_factory=list)
    """Fields that no record starts with."""


class MockBuilder:
    """What both sides share: collections by operation, parameters, replies, the envelope of the form."""

    side = ""

    def __init__(self, side: Side, streams: Sequence[StreamPlan], records: Mapping[str, StreamRecords]) -> None:
        self.plan, self.api, self.facts = side.plan, side.api, side.facts
        self.streams, self.records = streams, records
        self.writer = SchemaWriter(side.api)
        self.operations = {operation.constant: operation for operation in side.plan.operations}
        self.collections: dict[str, Collection] = {}
        self.forms: dict[str, Form] = {}
        self.stream_forms: list[Form] = []
        self.environment: dict[str, str] = {}

    def whole(self, webhooks: list[Form]) -> Json:
        collections = {known.name: self._collection_form(known) for known in self.collections.values()}
        plan = self.plan
        form: Form = {
            "form": FORM,
            "api": plan.name,
            "title": plan.title,
            "side": self.side,
            "url_env": plan.url_env,
            "base_path": _base_path(plan.base_url),
            "auth": self._auth(),
            "rate_limit": asdict(plan.rate_limit) if plan.rate_limit is not None else None,
            "collections": collections,
            "operations": list(self.forms.values()),
            "webhooks": webhooks,
            "streams": self.stream_forms,
        }
        for _, value in (*plan.variables, *plan.headers):
            self._value(value)
        form["environment"] = dict(sorted(self.environment.items()))
        form["$defs"] = dict(self.writer.close())
        return form

    def _collection_form(self, known: Collection) -> Form:
        return {
            "record": self.writer.schema(known.type),
            "identity": list(known.identity),
            "version": list(known.version) if known.version is not None else None,
            "created": [list(path) for path in known.created],
            "unique": known.unique,
            "hints": known.hints.forms(),
            "examples": known.examples[:_EXAMPLES],
            "seeded": known.is_read,
            **({"references": known.references} if known.references else {}),
            **({"absent": known.absent} if known.absent else {}),
        }

    def _auth(self) -> Form | None:
        auth = self.plan.auth
        if auth is None:
            return None
        if auth.kind == "oauth2":
            values = {name: self._value(value) for name, value in auth.values if name != "token_url"}
            return {
                "kind": "oauth2",
                **values,
                "grant": auth.grant,
                "client_auth": auth.client_auth,
                "scopes": list(auth.scopes),
                "audience": auth.audience,
                "token_path": "/oauth2/token",
                "token_url_env": auth.url_env,
            }
        form: Form = {"kind": auth.kind, **{name: self._value(value) for name, value in auth.values}}
        if auth.kind == "api_key":
            form |= {"location": auth.location or "header", "name": auth.name or "Authorization", "prefix": auth.prefix}
        return form

    def _value(self, value: SettingValue, type: Type | None = None) -> str:
        """What a setting is in tests: its text, or for a variable a value that is set and expected."""
        if value.env is None:
            return value.text or ""
        if value.env not in self.environment:
            self.environment[value.env] = value.text or _made_up(self.api, value.env, type)
        return self.environment[value.env]

    # --- operations ---------------------------------------------------------------------------------------------------

    def operation(self, constant: str) -> tuple[OperationPlan, Operation]:
        plan = self.operations[constant]
        found = self.api.operation(plan.id)
        assert found is not None, f"the plan uses {plan.id}, which the API does not have"
        return plan, found

    def put(self, constant: str, does: str, collection: str, **members: Any) -> Form:
        """The form of an operation; the first use makes it, later ones add to it."""
        plan, operation = self.operation(constant)
        form = self.forms.get(plan.id)
        if form is None:
            form = self.forms[plan.id] = {
                "id": plan.id,
                "method": plan.method,
                "path": plan.path,
                "does": does,
                "collection": collection,
                "parameters": [
                    self._parameter(parameter)
                    for parameter in operation.parameters
                    if parameter.location != "header" or parameter.name.lower() not in _NOT_PARAMETERS
                ],
                "idempotency_header": plan.idempotency_header,
                "reply": self._reply(plan, operation),
            }
            if does == "list":
                form["paging"] = self._paging(plan)
        for name, value in members.items():
            if not form.get(name):
                form[name] = value
        return form

    def _parameter(self, parameter: Parameter) -> Form:
        return {
            "name": parameter.name,
            "in": parameter.location,
            "required": parameter.required or parameter.location == "path",
            "schema": self.writer.schema(parameter.type),
        }

    def _paging(self, plan: OperationPlan) -> Form:
        paging: Form = {name: plain(value) for name, value in asdict(plan.paging).items()}
        fact = self.facts.get(plan.id, "paging") if self.facts is not None else None
        if fact is not None and isinstance(fact.value, Paging) and fact.value.total:
            paging["total"] = fact.value.total.split(".")
        return paging

    def _reply(self, plan: OperationPlan, operation: Operation) -> Form:
        reply = operation.success()
        statuses = {response.status for response in operation.responses}
        status = int(reply.status) if reply is not None and reply.status.isdecimal() else 200
        return {
            "status": status,
            "schema": self.writer.schema(reply.type) if reply is not None and reply.type is not None else None,
            "records": list(plan.records) if plan.records is not None else None,
            "record": list(plan.record),
            "success": {"path": list(plan.success.path), "equals": plan.success.equals} if plan.success else None,
            "invalid": 400 if "400" in statuses and "422" not in statuses else 422,
        }

    def reply_type(self, constant: str | None, path: JsonPath) -> Type | None:
        """The type of what an operation replies with at a path."""
        if constant is None:
            return None
        reply = self.operation(constant)[1].success()
        return type_at(self.api, reply.type, path) if reply is not None else None

    def new_collection(self, key: str, operation: Operation, **members: Any) -> Collection:
        """The collection of a key (an operation that makes it one), named after the operation's path."""
        if key not in self.collections:
            taken = {known.name for known in self.collections.values()} | _CONTROL
            name, number = _resource(operation.path), 2
            while name in taken:
                name, number = f"{_resource(operation.path)}_{number}", number + 1
            self.collections[key] = Collection(name=name, **members)
        return self.collections[key]

    def fixed(self, plan: StreamPlan) -> None:
        """Set the stream's fixed parameters, by the type that an operation gives them."""
        reads = (plan.reverse_of is None) == (self.side == "source")
        own = plan.source.parameters if reads else plan.destination.parameters
        declared: dict[str, Type] = {}
        for operation in self.api.operations:
            for parameter in operation.parameters:
                declared.setdefault(parameter.name, parameter.type)
        for fixed in own:
            self._value(fixed.value, declared.get(fixed.name))


# --- small things -----------------------------------------------------------------------------------------------------


def positions(path: Path) -> JsonPath:
    """A field path as the form writes it: the items of a list are its position 0."""
    return tuple(0 if step is EACH else str(step) for step in path)


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def stamps(api: Api, record: Object, names: re.Pattern[str], but: JsonPath | None = None) -> list[JsonPath]:
    """Fields of this name that hold a time."""
    found: list[JsonPath] = []
    for known in record.fields:
        type = api.resolve(known.type)
        is_time = isinstance(type, Scalar) and (
            type.kind in ("integer", "number") or type.format in ("date-time", "date")
        )
        if is_time and names.fullmatch(known.name) and (known.name,) != but:
            found.append((known.name,))
    return found


def _resource(path: str) -> str:
    """`/admin/customers/{id}/orders.json` → `orders`."""
    words = [
        re.sub(r"[^a-z0-9]+", "_", segment.lower().rsplit(".", 1)[0]).strip("_")
        for segment in re.split(r"[?#]", path)[0].split("/")
        if segment and "{" not in segment
    ]
    return next((word for word in reversed(words) if word), "records")


def _base_path(base_url: SettingValue) -> str:
    """The path of the API's own URL, so that URLs are joined in tests as they are in earnest."""
    if base_url.env is not None or base_url.text is None:
        return ""
    path = urlsplit(base_url.text).path.rstrip("/")
    return "" if "{" in path or "%" in path else path


def _made_up(api: Api, env: str, type: Type | None) -> str:
    found = api.resolve(type) if type is not None else None
    if isinstance(found, Scalar):
        if found.enum:
            return str(next((value for value in found.enum if value is not None), found.enum[0]))
        if found.kind in ("integer", "number"):
            return "1001"
        if found.format in ("uuid", "guid"):
            return "5f3f5f0e-9d3b-4b0e-8a52-6f1f0c0b7a11"
    return f"mock-{env.lower().replace('_', '-')}"

"""Operations as they are, without a stream → one system with its models.

Every parameter is an argument and every field is typed. It is what a vendor's API would be as a package of its own; proving
that an operation compiles stands on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ..api.facts import ApiFacts
from ..api.model import Api, Array, Object, Operation, Scalar, Type
from ..api.model import Place as HasPlace
from ..diagnostics import Diagnostic, Place
from ..frozen import dataclass
from .full import FullModels, merged
from .model import ApiPlan, ModelModule, PyType, SettingValue
from .names import Scope, pascal, singular, snake
from .operations import FRAMING, Role, Use, Whole, body_kind, is_json, json_path, noun, plan_operation
from .record_types import record_type
from .shape import ANYTHING, as_array, as_object

_TAKEN = ("request", "page", "records", "one", "iter_pages", "session")


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeApi:
    """One system: its client, and the models of what it reads and writes."""

    api: ApiPlan
    models: tuple[ModelModule, ...]
    diagnostics: tuple[Diagnostic, ...]
    """Notes: what is compiled more loosely than it is described (V212), or otherwise than one might read it (V206, V220)."""


def plan_whole(api: Api, facts: ApiFacts, operations: Sequence[Operation], name: str) -> WholeApi:
    """Plan operations whole. A system without a usable server gets one that leads nowhere: a manifest names the real one.

    Args:
        name: A lower-case name for the system; modules and classes are called after it.
    """
    module = snake(name, otherwise="system")
    title = api.title or name
    client = f"{pascal(module, otherwise='System')}Client"
    reads = FullModels(api=api, system=title, classes=Scope(), reads=True)
    writes = FullModels(api=api, system=title, classes=Scope(), reads=False)
    maker = _Maker(api=api, facts=facts, reads=reads, writes=writes, module=module)
    uses = [maker.use(operation) for operation in operations]
    reads.finish()
    writes.finish()
    constant = module.upper()
    constants, methods = Scope((constant,)), Scope(_TAKEN)
    planned = tuple(plan_operation("source", api, facts, use, constants, methods) for use in uses)
    kept = (
        ModelModule(module=maker.reads_module, doc=f"What {title} answers.", reads=True, models=tuple(reads.models)),
        ModelModule(module=maker.writes_module, doc=f"What {title} takes.", reads=False, models=tuple(writes.models)),
    )
    return WholeApi(
        api=ApiPlan(
            name=name,
            title=title,
            module=module,
            constant=constant,
            client=client,
            base_url=SettingValue(text=_base_url(api)),
            url_env=f"{constant}_BASE_URL",
            operations=planned,
        ),
        models=tuple(one for one in kept if one.models),
        diagnostics=tuple(dict.fromkeys((*reads.found, *writes.found, *maker.found))),
    )


def _base_url(api: Api) -> str:
    urls = (server.url.rstrip("/") for server in api.servers)
    return next((url for url in urls if url.startswith(("https://", "http://")) and "{" not in url), _NOWHERE)


_NOWHERE = "https://api.invalid"


class _Maker:
    """Operations → how they are used whole."""

    def __init__(self, *, api: Api, facts: ApiFacts, reads: FullModels, writes: FullModels, module: str) -> None:
        self._api, self._facts, self._reads, self._writes = api, facts, reads, writes
        self.reads_module, self.writes_module = f"{module}_reads", f"{module}_writes"
        self.found: list[Diagnostic] = []

    def use(self, operation: Operation) -> Use:
        for parameter in operation.parameters:
            if parameter.location == "header" and parameter.name.lower() in FRAMING:
                self._say(
                    "V206", f"the header `{parameter.name}` is set by HTTP itself and no argument", parameter.place
                )
            elif parameter.style not in ("deepObject", "json") and self._is_nested(parameter.type):
                used = "brackets are" if parameter.location == "query" else "JSON is"
                message = f"the style of `{parameter.name}` says nothing of values inside values; {used} used"
                self._say("V220", message, parameter.place)
        role = self._role(operation)
        subject = f"{role} {singular(noun(operation))}"
        arguments: dict[tuple[str, str], PyType] = {
            (parameter.location, parameter.name): self._written(parameter.type, f"{subject} {parameter.name}")
            for parameter in operation.parameters
        }
        kind, result = self._result(operation, role, subject)
        return Use(
            operation=operation,
            roles=[role],
            body=self._body(operation, subject),
            result=result,
            whole=Whole(arguments=arguments, result=kind),
        )

    def _role(self, operation: Operation) -> Role:
        if operation.method in ("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"):
            has_records = self._facts.get(operation.id, "records") is not None
            return "list" if has_records and operation.body is None else "get"
        return {"PUT": "update", "PATCH": "update", "DELETE": "delete"}.get(operation.method, "create")  # type: ignore[return-value]

    def _written(self, type: Type, name: str) -> PyType:
        return placed(self._writes.type_of(type, name), self.writes_module)

    def _body(self, operation: Operation, subject: str) -> PyType | None:
        if operation.body is None:
            return None
        match body_kind(operation):
            case "json":
                return self._written(operation.body.type, f"{subject} body")
            case "raw":
                resolved = self._api.resolve(operation.body.type)
                is_text = isinstance(resolved, Scalar) and resolved.format not in ("binary", "byte")
                return PyType(scalar="str" if is_text and operation.body.media_type.startswith("text/") else "bytes")
            case _:
                return self._form(operation, subject)

    def _form(self, operation: Operation, subject: str) -> PyType:
        """A form has named parts; what the spec describes otherwise is taken as parts of any name."""
        body = operation.body
        assert body is not None
        self._writes.files = body_kind(operation) == "multipart"
        found = self._written(body.type, f"{subject} form")
        self._writes.files = False
        members = found.union or (found,)
        if found != ANYTHING and all(member.model is not None or member.values is not None for member in members):
            return found
        if not isinstance(self._api.resolve(body.type), Object):
            message = "a form is described as something else than an object; its parts are taken under any name"
            self._say("V212", message, body.place)
        return PyType(values=ANYTHING)

    def _is_nested(self, type: Type) -> bool:
        array, known = as_array(self._api, type), as_object(self._api, type)
        inner = [array.items] if array is not None else [one.type for one in known.fields] if known is not None else []
        return any(isinstance(self._api.resolve(one), Array | Object) for one in inner)

    def _say(self, code: str, message: str, place: HasPlace) -> None:
        self.found.append(Diagnostic(code=code, severity="note", message=message, places=(Place.of(place),)))

    def _result(
        self, operation: Operation, role: Role, subject: str
    ) -> tuple[Literal["records", "record", "reply", "nothing"], PyType | None]:
        reply = operation.success()
        if reply is None or reply.status in ("204", "205") or (reply.type is None and reply.media_type is None):
            return "nothing", None
        if reply.type is None or not is_json(reply.media_type):
            return "reply", None
        if role == "list":
            records = self._fact(operation, "records")
            found = record_type(self._api, operation, json_path(records), is_list=True)
            return "records", self._read(found, subject)
        at = json_path(self._fact(operation, "record")) if role in ("get", "create", "update") else ()
        type = self._read(record_type(self._api, operation, at, is_list=False), subject)
        return ("record", type) if type is not None else ("reply", None)

    def _fact(self, operation: Operation, kind: Literal["records", "record"]) -> str:
        fact = self._facts.get(operation.id, kind)
        return str(fact.value or "") if fact is not None else ""

    def _read(self, type: Type | None, subject: str) -> PyType | None:
        """The type a reply is read as; None when it can only be had as it came."""
        if type is None:
            return None
        joined = merged(self._api, type)
        if joined is not None and joined is not self._api.resolve(type) and joined.fields:
            type = joined  # a union of objects: one class with the fields of all
        found = self._reads.type_of(type, subject)
        if found.union or found == ANYTHING:
            return None
        return replace(placed(found, self.reads_module), nullable=False)


def placed(type: PyType, module: str) -> PyType:
    """The type as it is named from outside its module."""
    return replace(
        type,
        module=module if type.model is not None else None,
        items=placed(type.items, module) if type.items is not None else None,
        values=placed(type.values, module) if type.values is not None else None,
        union=tuple(placed(member, module) for member in type.union),
    )

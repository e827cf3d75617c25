"""OperationPlan → what its method in a client needs to be spelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal, overload

from ..diagnostics import InternalError
from ..frozen import dataclass
from ..plan.model import ApiPlan, OperationPlan, ParameterPlan, PyType

_TAKEN = frozenset({"iter_pages", "one", "page", "records", "request", "session"})
"""What the base class of clients has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One operation as a method. Types are local names of the module."""

    id: str
    name: str
    iterator: str
    """`iter_customers`; used by lists only."""
    constant: str
    required: tuple[ParameterPlan, ...]
    optional: tuple[ParameterPlan, ...]
    """Without those that paging fills."""
    has_body: bool
    body: PyType | None
    """None when anything that has a JSON form may be sent."""
    has_key: bool
    cursor: str
    result: Literal["records", "record", "reply", "nothing"]
    model: PyType | None
    """What the runtime is told to read; None for records that nobody typed."""


def methods(api: ApiPlan, local: Mapping[tuple[str, str], str]) -> Iterator[Method]:
    """The client's methods, in the order of its operations.

    Args:
        local: (module, class) of a model → its name in the client's module.
    """
    names = {operation.method_name for operation in api.operations} | _TAKEN
    for operation in api.operations:
        if operation.method_name in _TAKEN:
            raise InternalError(f"the plan calls a method of `{api.client}` {operation.method_name}")
        yield _method(operation, local, names)


def _method(operation: OperationPlan, local: Mapping[tuple[str, str], str], names: set[str]) -> Method:
    paging = operation.paging
    filled = {paging.cursor, paging.page, paging.offset} if operation.result == "records" else set()
    parameters = [parameter for parameter in operation.parameters if parameter.name not in filled]
    arguments = {parameter.argument for parameter in parameters}
    model = _named(operation.result_type, local)
    iterator = "iter_" + operation.method_name.removeprefix("list_")
    return Method(
        id=operation.id,
        name=operation.method_name,
        iterator=iterator if iterator not in names else f"{iterator}_pages",
        constant=operation.constant,
        required=tuple(_typed(one, local) for one in parameters if not one.type.may_miss),
        optional=tuple(_typed(one, local) for one in parameters if one.type.may_miss),
        has_body=operation.body is not None and operation.result != "records",
        body=_named(operation.body_type, local),
        has_key=operation.idempotency_header is not None,
        cursor="cursor" if "cursor" not in arguments else "page_cursor",
        result="reply" if operation.result == "record" and model is None else operation.result,
        model=model,
    )


def _typed(parameter: ParameterPlan, local: Mapping[tuple[str, str], str]) -> ParameterPlan:
    return replace(parameter, type=_named(parameter.type, local))


@overload
def _named(type: PyType, local: Mapping[tuple[str, str], str]) -> PyType: ...
@overload
def _named(type: PyType | None, local: Mapping[tuple[str, str], str]) -> PyType | None: ...
def _named(type: PyType | None, local: Mapping[tuple[str, str], str]) -> PyType | None:
    """The type under the names that the client's module has for models."""
    if type is None:
        return None
    return replace(
        type,
        model=local[type.module, type.model] if type.module is not None and type.model is not None else type.model,
        items=_named(type.items, local),
        values=_named(type.values, local),
        union=tuple(_named(member, local) for member in type.union),
    )


def models_of(types: Iterable[PyType | None]) -> list[tuple[str, str]]:
    """(module, class) of every model that types name from outside its module, in order."""
    found: dict[tuple[str, str], None] = {}
    stack = [type for type in reversed(list(types)) if type is not None]
    while stack:
        type = stack.pop()
        if type.model is not None and type.module is not None:
            found[type.module, type.model] = None
        stack += [part for part in (*reversed(type.union), type.values, type.items) if part is not None]
    return list(found)


def local_names(wanted: list[tuple[str, str]], taken: set[str]) -> dict[tuple[str, str], str]:
    """(module, class) → a name that is unique in the module that imports them: the class's own, or a numbered one."""
    names: dict[tuple[str, str], str] = {}
    for key in dict.fromkeys(wanted):
        candidate, number = key[1], 1
        while candidate in taken:
            number += 1
            candidate = f"{key[1]}_{number}"
        names[key] = candidate
        taken.add(candidate)
    return names

"""OperationPlan → what its method in a client needs to be spelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..diagnostics import InternalError
from ..plan.model import ApiPlan, OperationPlan, ParameterPlan

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
    body: str | None
    has_key: bool
    cursor: str
    result: Literal["records", "record", "reply", "nothing"]
    model: str
    """What the runtime is told to read: a model, or `dict` for records that nobody typed."""
    items: str
    """What a list is said to hold."""


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
    model = "dict"
    if operation.result_module is not None and operation.result_model is not None:
        model = local[operation.result_module, operation.result_model]
    iterator = "iter_" + operation.method_name.removeprefix("list_")
    return Method(
        id=operation.id,
        name=operation.method_name,
        iterator=iterator if iterator not in names else f"{iterator}_pages",
        constant=operation.constant,
        required=tuple(parameter for parameter in parameters if not parameter.type.may_miss),
        optional=tuple(parameter for parameter in parameters if parameter.type.may_miss),
        body=_body(operation, local),
        has_key=operation.idempotency_header is not None,
        cursor="cursor" if "cursor" not in arguments else "page_cursor",
        result="reply" if operation.result == "record" and model == "dict" else operation.result,
        model=model,
        items="Json" if model == "dict" else model,
    )


def _body(operation: OperationPlan, local: Mapping[tuple[str, str], str]) -> str | None:
    if operation.body is None:
        return None
    if operation.body_model is None or operation.body_module is None:
        return "Json"
    return local[operation.body_module, operation.body_model]


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

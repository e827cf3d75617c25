"""Plan → the derived Python modules but the models, before black.

The templates say what a module looks like; this module hands them the parts of the plan they spell, and finds the imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Any

from ..diagnostics import InternalError
from ..plan import model as plan_model
from ..plan.model import ApiPlan, MapperModule, Plan
from . import imports, literals
from .environment import PyEnvironment
from .methods import local_names, methods, models_of

_DECLARED = (
    "Api ApiKey Basic Batch Bearer Deletes Destination Env Find Fixed Integration Match Merge MergeField OAuth2 Operation Paging"
    " Parameter Partition RateLimit Registration Retention SignatureScheme Since Source Stream Success Webhook"
).split()
"""What derived code takes from `_runtime.declare`."""

_CLIENT_NAMES: dict[str, imports.Origin] = {
    "ApiClient": ".._runtime.client",
    "Json": ".._runtime.declare",
    "MISSING": ".._runtime.records",
    "Page": ".._runtime.client",
    "Reply": ".._runtime.client",
}

_AUTH = {"api_key": "ApiKey", "basic": "Basic", "bearer": "Bearer", "oauth2": "OAuth2"}

_TESTS: dict[str, type] = {
    "read": plan_model.Read,
    "constant": plan_model.Constant,
    "function_name": plan_model.FunctionName,
    "call": plan_model.Call,
    "pick": plan_model.Pick,
    "items": plan_model.Items,
    "construct": plan_model.Construct,
}


def environment(templates: dict[str, str]) -> PyEnvironment:
    """The environment of our templates: theirs are a few filters and one test for each kind of expression."""
    made = PyEnvironment(templates, {name: _is(kind) for name, kind in _TESTS.items()})
    made.filters |= {"indent": literals.indent, "members": changed_members, "unknown": _unknown}
    made.filters["article"] = _with_article
    return made


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


def _unknown(node: object) -> str:
    raise InternalError(f"no template writes a {type(node).__name__}")


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "AEIO" else f"a {noun}"


def changed_members(value: Any, *without: str) -> Iterator[tuple[str, Any]]:
    """(name, value) of a plan value's members that differ from their defaults, in the order of the class."""
    for member in fields(value):
        content = getattr(value, member.name)
        if member.name not in without and (member.default is MISSING or content != member.default):
            yield member.name, content


def client_text(env: PyEnvironment, api: ApiPlan) -> str:
    """`clients/<api>.py`: where the API is, its operations, and a client with one method each."""
    types = [type for op in api.operations for type in (op.body_type, *(p.type for p in op.parameters))]
    types += [op.result_type for op in api.operations if op.result in ("records", "record")]
    taken = {*_CLIENT_NAMES, *_DECLARED, *imports.LIBRARY, api.constant, api.client}
    local = local_names(models_of(types), taken | {op.constant for op in api.operations})
    body = env.text(
        "client.py.jinja",
        api=api,
        auth_class=_AUTH[api.auth.kind] if api.auth else None,
        methods=list(methods(api, local)),
    )
    own = {**_runtime(2), **_CLIENT_NAMES, **_models(local, 1)}
    doc = f"{api.title}: where it is, how to sign in, and the operations that are used."
    return imports.module_text(doc, body, own)


def mapper_text(env: PyEnvironment, mapper: MapperModule) -> str:
    """`mappers/<stream>.py`: the mapping function, one field a line, and the readers of a source record."""
    own = {wanted.name: imports.relative(wanted.module, from_depth=1) for wanted in mapper.imports}
    return imports.module_text(mapper.doc, env.text("mapper.py.jinja", mapper=mapper), own)


def app_text(env: PyEnvironment, plan: Plan) -> str:
    """`app.py`: the streams and the integration."""
    modules = _module_names(plan)
    own: dict[str, imports.Origin] = _runtime(1) | {"SETTINGS": ".settings"}
    for (folder, module), local in modules.items():
        own[local] = (f".{folder}", module)
    parts = [part for stream in plan.streams for part in (stream.source, stream.destination)]
    records = local_names([(part.model_module, part.model) for part in parts], set(own))
    own |= _models(records, 0)
    body = env.text(
        "app.py.jinja",
        names=plan.names,
        contract=plan.contract,
        streams=plan.streams,
        webhooks=plan.webhooks,
        retention=plan.retention,
        is_retention_own=plan.retention != plan_model.RetentionPlan(),
        source=modules["clients", plan.source.module],
        source_constant=plan.source.constant,
        destination=modules["clients", plan.destination.module],
        destination_constant=plan.destination.constant,
        clients={
            stream.name: [
                modules["clients", api.module]
                for api in (
                    (plan.source, plan.destination) if stream.reverse_of is None else (plan.destination, plan.source)
                )
            ]
            for stream in plan.streams
        },
        records=records,
        mappers={module: local for (folder, module), local in modules.items() if folder == "mappers"},
    )
    return imports.module_text("The integration: both APIs, the streams between them and the webhooks.", body, own)


def _module_names(plan: Plan) -> dict[tuple[str, str], str]:
    """(folder, module) → its name in `app.py`: the module's own, or with its folder when that name is taken there."""
    taken: set[str] = set()
    names: dict[tuple[str, str], str] = {}
    wanted = [("clients", plan.source.module), ("clients", plan.destination.module)]
    wanted += [("mappers", stream.mapper_module) for stream in plan.streams]
    for key in dict.fromkeys(wanted):
        folder, module = key
        names[key] = f"{module}_{folder}" if module in taken else module
        taken.add(module)
    return names


def settings_text(env: PyEnvironment, plan: Plan) -> str:
    """`settings.py`: every environment variable the declarations name."""
    body = env.text("settings.py.jinja", settings=plan.settings)
    return imports.module_text("Every environment variable that the declarations name.", body, _runtime(1))


def package_text(env: PyEnvironment, plan: Plan) -> str:
    """`__init__.py`: the public names, imported when they are asked for."""
    apis = sorted((plan.source, plan.destination), key=lambda api: api.module)
    doc = f"{plan.source.title} → {plan.destination.title}: {plan.intent}"
    body = env.text("package.py.jinja", apis=apis, names=plan.names)
    return imports.module_text(doc, body, {})


def _models(local: dict[tuple[str, str], str], depth: int) -> dict[str, imports.Origin]:
    """Where each locally named model is imported from."""
    return {name: (imports.relative(f"models.{key[0]}", from_depth=depth), key[1]) for key, name in local.items()}


def _runtime(depth: int) -> dict[str, imports.Origin]:
    return dict.fromkeys(_DECLARED, f"{'.' * depth}_runtime.declare")

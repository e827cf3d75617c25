"""A description → the module of its generated client, imported beside the runtime; wire names → the client's own."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from tests.wire.cases import Case, Cases
from vitesse.api.facts import ApiFacts
from vitesse.manifest import System
from vitesse.openapi import build_api, read_document
from vitesse.plan.systems import address_of, planned_headers, sign_in
from vitesse.plan.whole import plan_whole
from vitesse.render import render_api
from vitesse.templates import template_home
from vitesse.verify import expect_api, verify_package


@dataclass(frozen=True, slots=True)
class Client:
    """One generated package with a client in it."""

    package: str
    module: ModuleType
    constant: str
    title: str

    @property
    def api(self) -> Any:
        return getattr(self.module, self.constant)

    def runtime(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}._runtime.{name}")

    def operation(self, id: str) -> tuple[str, Any]:
        """The operation's constant, by name and value."""
        kind = self.runtime("declare").Operation
        return next((name, one) for name, one in vars(self.module).items() if isinstance(one, kind) and one.id == id)

    def redirected(self, environ: Mapping[str, str], port: int) -> tuple[Any, str, Any]:
        """The API on a loopback port under its own path, its address as it would be, and the settings."""
        settings = self.runtime("settings")
        real = settings.resolve((self.api,), environ).base_url(self.api)
        local = replace(self.api, base_url=f"http://127.0.0.1:{port}{urlsplit(real).path}", variables=())
        return local, real, settings.resolve((local,), environ)


def compiled(spec: Path, bounds: Path | None, cases: Cases, folder: Path) -> Client:
    """Compile the operations of some cases and import the client."""
    name = re.sub(r"\W+", "_", cases.file.stem)
    ids = list(dict.fromkeys(case.operation for case in cases.cases))
    api = build_api(read_document(spec, folder=bounds), ids).api
    system = System(api="system", **cases.system)
    whole = plan_whole(api, ApiFacts(api="system"), api.operations, name)
    base_url, variables = address_of(system, api, "source", api.operations)
    planned = replace(
        whole.api,
        base_url=base_url,
        variables=variables,
        auth=sign_in(system, api, "source"),
        headers=planned_headers(system, api),
    )
    rendered = render_api(planned, whole.models, template_home())
    verify_package(rendered, expect_api(planned, whole.models))
    package = f"wire_{name}"
    root = folder / package
    for file in rendered.files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    (root / "_runtime").symlink_to(template_home() / "runtime", target_is_directory=True)
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(f"{package}.clients.{planned.module}")
    finally:
        sys.path.remove(str(folder))
    return Client(package, module, planned.constant, planned.client)


async def call(client: Client, session: Any, case: Case) -> None:
    """Call the client's method for a case, with models made of the case's wire names."""
    constant, operation = client.operation(case.operation)
    method = getattr(getattr(client.module, client.title)(session), constant.lower())
    hints = get_type_hints(method, include_extras=True)
    by_wire = {one.name: one.argument for one in operation.parameters}
    given = {by_wire[name]: built(hints[by_wire[name]], value) for name, value in case.arguments.items()}
    if case.body is not None:
        given["body"] = built(hints["body"], case.body)
    await method(**given)


def built(annotation: Any, value: Any) -> Any:
    """A value under wire names as the type that a client asks for. Raises TypeError for what has no place in it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return built(get_args(annotation)[0], value)
    if origin in (Union, UnionType):
        return _first(get_args(annotation), value)
    if origin is list and isinstance(value, list):
        return [built(get_args(annotation)[0], one) for one in value]
    if origin is dict and isinstance(value, dict):
        return {key: built(get_args(annotation)[1], one) for key, one in value.items()}
    if isinstance(annotation, type) and hasattr(annotation, "model_fields") and isinstance(value, dict):
        names = {_wire_name(name, info): name for name, info in annotation.model_fields.items()}
        if unknown := value.keys() - names.keys():
            raise TypeError(f"{annotation.__name__} has no {sorted(unknown)}")
        hints = get_type_hints(annotation, include_extras=True)
        return annotation(**{names[key]: built(hints[names[key]], one) for key, one in value.items()})
    if annotation is Any or (isinstance(annotation, type) and isinstance(value, annotation)):
        return value
    raise TypeError(f"{value!r} is no {annotation}")


def _wire_name(name: str, info: Any) -> str:
    return name if info.serialization_alias is None else str(info.serialization_alias)


def _first(members: tuple[Any, ...], value: Any) -> Any:
    problems = []
    for member in members:
        try:
            return built(member, value)
        except (TypeError, ValueError) as error:
            problems.append(str(error))
    raise TypeError("; ".join(problems))

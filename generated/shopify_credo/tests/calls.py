"""Calls of the package's own client methods, with arguments made for them. Shared by the tests and the shadow calls."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.mocks import Mock, MockForm
from tests.mocks.places import at, put
from tests.package import INTEGRATION, MODULE, Unmappable, operations, runtime, sides, stream_named

Json = Any


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a client and the operation it sends."""

    name: str
    operation: Any
    is_iterator: bool


def client_class(api: Any) -> type:
    """The derived client of one API."""
    module, base = _client_module(api), runtime("client").ApiClient
    return next(
        each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, base) and each is not base
    )


def client_methods(api: Any) -> list[Method]:
    """The client's public methods: the operation is the one constant of the module that the method names."""
    module = _client_module(api)
    kind = runtime("declare").Operation
    found = []
    for name, function in vars(client_class(api)).items():
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        named = [vars(module).get(each) for each in function.__code__.co_names]
        operation = next(each for each in named if isinstance(each, kind))
        found.append(Method(name, operation, is_iterator=not inspect.iscoroutinefunction(function)))
    return found


def _client_module(api: Any) -> Any:
    operation = next(each for stream in INTEGRATION.streams for side, each in operations(stream) if _api(side) is api)
    for path in _client_modules():
        module = import_module(path)
        if any(each is operation for each in vars(module).values()) and any(
            each is api for each in vars(module).values()
        ):
            return module
    raise LookupError(f"no module of `clients` declares {api.name}")


def _client_modules() -> Iterator[str]:
    import pkgutil

    clients = import_module(f"{MODULE}.clients")
    for module in pkgutil.iter_modules(clients.__path__):
        yield f"{clients.__name__}.{module.name}"


def _api(side: str) -> Any:
    return INTEGRATION.source if side == "source" else INTEGRATION.destination


class Caller:
    """Makes arguments for one side's operations and calls the client's methods with them.

    Args:
        client: An open client of the package.
        mocks: Both mocks, by side: it talks to one, and bodies are mapped from the records of the one that a stream reads.
        environ: Where fixed parameters take their values from.
    """

    def __init__(self, side: str, client: Any, mocks: dict[str, Mock], environ: dict[str, str]) -> None:
        self.side, self.client, self.mock, self.mocks, self.environ = side, client, mocks[side], mocks, environ
        self._turn = 0

    async def call(self, method: Method) -> Any:
        """Call one method with the next synthetic record."""
        self._turn += 1
        stream = self._stream(method.operation)
        arguments = self._arguments(stream, method)
        bound = getattr(self.client, method.name)
        if not method.is_iterator:
            return await bound(**arguments)
        return [record async for record in _few(bound(**arguments), 60)]

    def _stream(self, operation: Any) -> Any:
        users = [
            stream
            for stream in INTEGRATION.streams
            if any(side == self.side and each.id == operation.id for side, each in operations(stream))
        ] or [stream_named(webhook.stream) for webhook in _registering(operation)]
        return users[self._turn % len(users)]

    def _arguments(self, stream: Any, method: Method) -> dict[str, Any]:
        operation, form = method.operation, self.mock.form.operation(method.operation.id)
        wire = self._wire_values(stream, operation, form)
        known = inspect.signature(getattr(self.client, method.name)).parameters
        arguments = {
            parameter.argument: wire[parameter.name]
            for parameter in operation.parameters
            if parameter.name in wire and parameter.argument in known
        }
        if "body" in known:
            arguments["body"] = self._registration(operation) or self._body(stream, operation)
        return arguments

    def _wire_values(self, stream: Any, operation: Any, form: Any) -> dict[str, Any]:
        """Values by wire name: fixed ones, the identity, a match value, a time, and whatever else is required."""
        reads, writes = sides(stream)
        end = stream.source if self.side == reads else stream.destination
        values: dict[str, Any] = {fixed.name: self._setting(fixed.value) for fixed in end.parameters}
        if form.identity_parameter:
            values.setdefault(form.identity_parameter, self._identity(form))
        find = stream.destination.find if self.side == writes else None
        if find is not None and find.operation.id == operation.id and self._turn % 2:
            known = {filter.parameter: filter for filter in form.filters}
            record = self._any_record(form)
            values |= {
                parameter: at(record, known[parameter].path) for _, parameter in find.parameters if record is not None
            }
        if form.since is not None and self._turn % 2:
            values.setdefault(form.since.parameter, self._since(form))
        synthesis = self.mock.store.synthesis
        for parameter in form.parameters:
            if parameter.required and parameter.name not in values:
                values[parameter.name] = synthesis.value(parameter.schema, parameter.name, self._turn)
        return {name: value for name, value in values.items() if value is not None}

    def _since(self, form: Any) -> Any:
        moment = self.mock.store.clock.now
        return {
            "iso8601": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "date": moment.date().isoformat(),
            "unix_s": int(moment.timestamp()),
            "unix_ms": int(moment.timestamp()) * 1000,
        }[form.since.format]

    def _setting(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        text: str = self.environ.get(value.name) or value.default or ""
        return text

    def _identity(self, form: Any) -> Any:
        """The identity of a record that is there; where there is none, one is made."""
        collection = self.mock.store.collections[form.collection]
        if form.does == "delete" or not len(collection):
            id, record = collection.create(self._least(form))
            return at(record, collection.form.identity) or id
        stored = list(collection)[self._turn % len(collection)]
        return at(stored.record, collection.form.identity)

    def _least(self, form: Any) -> Any:
        collection = self.mock.store.collections[form.collection]
        return collection.synthetic(10_000 + self._turn)

    def _any_record(self, form: Any) -> Any:
        records = list(self.mock.store.collections[form.collection])
        return records[self._turn % len(records)].record if records else None

    def _body(self, stream: Any, operation: Any) -> Any:
        batch = stream.destination.batch
        if batch is not None and batch.operation.id == operation.id:
            bodies = [self._mapped(stream).model_dump(by_alias=True) for _ in range(min(3, batch.max))]
            inner = stream.destination.envelope if not batch.items else ()
            return put({}, batch.items, [at(body, inner) for body in bodies])
        many = stream.destination.batch_update
        if many is not None and many.operation.id == operation.id:
            stored = list(self.mock.store.collections[self.mock.form.stream(stream.name).collection])[
                : min(3, many.max)
            ]
            body = self._mapped(stream).model_dump(by_alias=True)
            names = [at(each.record, stream.destination.identity) for each in stored]
            return put({}, many.items, [put(deepcopy(body), many.key, name) for name in names])
        return self._mapped(stream)

    def _registration(self, operation: Any) -> Any:
        """The body that asks for a webhook; None when the operation is for something else."""
        asked = runtime("registration")
        wanted = (
            asked.wanted(_registering(operation), f"https://{self._turn}.example.com")
            if _registering(operation)
            else ()
        )
        return next((asked.body_of(each) for each in wanted), None)

    def _mapped(self, stream: Any) -> Any:
        """The body of the next synthetic source record that can be mapped."""
        decode = runtime("http.decode")
        from tests.mocks.store import dumps

        source = self.mocks[sides(stream)[0]]
        collection = source.store.collections[source.form.stream(stream.name).collection]
        for _ in range(200):
            self._turn += 1
            raw = dumps(collection.synthetic(20_000 + self._turn)).encode()
            try:
                return stream.map(decode.decode_record(stream.source.record, raw, exact=stream.source.exact_numbers))
            except (runtime("errors").DecodeError, runtime("values").MappingError):
                continue
        raise Unmappable(f"none of 200 synthetic records of {stream.name} can be mapped")


def _registering(operation: Any) -> list[Any]:
    """The webhooks that an operation registers or lists."""
    return [
        webhook
        for webhook in INTEGRATION.webhooks
        if (register := webhook.register) is not None
        and operation.id
        in [each.id for each in (register.operation, register.list, register.delete) if each is not None]
    ]


async def _few(records: Any, most: int) -> Any:
    count = 0
    async for record in records:
        yield record
        count += 1
        if count == most:
            return


def used_operations(form: MockForm) -> list[str]:
    """Ids of the operations that the streams use on this side, each once."""
    return list(dict.fromkeys(id for stream in form.streams for id in stream.operations))

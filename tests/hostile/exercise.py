"""In a child: import a package, call all of it against a recorder, and compare the wire with what the document says.

    python exercise.py SRC WANTED.json PORT FINDINGS.json

Every client method is called with made-up arguments, every mapper maps records in which each field has a value of its own, and
each stream is synced once. Findings are sentences; none is what everybody wants.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hostile.recorder import Recorder, Request

MODULE = "hostile_twin"
SECRET = "s3cret-token"
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OWN_HEADERS = frozenset(
    {"host", "user-agent", "accept", "accept-encoding", "content-type", "content-length", "connection", "authorization"}
)
IGNORED_HEADER_PARAMETERS = frozenset(
    {"content-type", "accept", "authorization", "connection", "content-length", "host", "transfer-encoding"}
)
"""Header parameters that OpenAPI says to ignore, and those that frame a message: whoever sends it sets them."""
PLACES = frozenset({"path", "query", "header", "cookie"})


class Exercise:
    """One package and what is wanted of it."""

    def __init__(self, wanted: dict[str, Any], port: int) -> None:
        self.wanted = wanted
        self.role: str = wanted["role"]
        self.findings: list[str] = []
        self.recorder = Recorder(port, self._reply)
        self.rows: list[dict[str, Any]] = []
        """What our own list operation answers with."""
        self.environ = {
            "STRANGER_TOKEN": SECRET,
            "STRANGER_BASE_URL": f"http://127.0.0.1:{port}/stranger",
            "OURS_BASE_URL": f"http://127.0.0.1:{port}/ours",
            "DATABASE_URL": "sqlite:///state.db",
        }

    def say(self, finding: str) -> None:
        self.findings.append(finding[:600])

    def _reply(self, request: Request) -> tuple[int, Any]:
        if request.method != "GET":
            return 200, {"id": f"made-{len(self.recorder.requests)}"}
        if request.path.startswith("/ours/rows"):
            return 200, {"rows": self.rows}
        if request.path.startswith("/ours/"):
            return 200, {"id": "known"}
        return 200, self._stranger(request.path.removeprefix("/stranger"))

    def _stranger(self, path: str) -> Any:
        """What the document's own API answers: the records of the operation that the path is of, or one of them."""
        lists: dict[str, dict[str, Any]] = {id.partition(" ")[2]: listed for id, listed in self.wanted["lists"].items()}
        paths = [one["path"] for one in self.wanted["operations"] if one["method"] == "GET"]
        same = next((one for one in paths if as_sent(one)[0] == path), None)
        found = same or next((one for one in paths if _fits(one, path)), next(iter(lists), path))
        if found not in lists:
            record = next((listed["records"][0] for listed in lists.values()), {"id": "known"})
            return {**record, "harness_records": [{"id": "known"}]}
        at, records = lists[found]["at"], lists[found]["records"]
        return {**records[0], at[0]: records} if at else records

    # --- the parts ----------------------------------------------------------------------------------------------------

    def import_all(self) -> None:
        package = importlib.import_module(MODULE)
        for found in pkgutil.walk_packages(package.__path__, f"{MODULE}."):
            if "._runtime" not in found.name and not found.name.endswith(".__main__"):
                importlib.import_module(found.name)

    async def call_clients(self) -> None:
        from hostile_twin.app import INTEGRATION

        runtime = importlib.import_module(f"{MODULE}._runtime.client")
        settings_module = importlib.import_module(f"{MODULE}._runtime.settings")
        settings = settings_module.resolve_settings(INTEGRATION, self.environ)
        self.integration = INTEGRATION
        async with (
            runtime.open_api(INTEGRATION.source, settings) as source,
            runtime.open_api(INTEGRATION.destination, settings) as destination,
        ):
            sessions = {INTEGRATION.source.name: source, INTEGRATION.destination.name: destination}
            clients = {name: _spying(self._client_class(name), session) for name, session in sessions.items()}
            for client in clients.values():
                await self._call_methods(client)
            for stream in INTEGRATION.streams:
                await self._map(stream, clients)

    def _client_class(self, api: str) -> type:
        module = importlib.import_module(f"{MODULE}.clients.{api}")
        base = importlib.import_module(f"{MODULE}._runtime.client").ApiClient
        return next(
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, base) and value is not base
        )

    async def _call_methods(self, client: Any) -> None:
        for name, method in inspect.getmembers(client, inspect.ismethod):
            if name.startswith("_") or name in ("request", "one", "page", "records", "iter_pages"):
                continue
            arguments = self._arguments(method)
            self.recorder.take()
            client.operations.clear()
            try:
                result = method(**arguments)
                if inspect.isasyncgen(result) or hasattr(result, "__aiter__"):
                    async for _ in result:
                        pass
                else:
                    await result
            except Exception as error:
                self.say(f"{name} fails: {type(error).__name__}: {error}")
                continue
            requests = self.recorder.take()
            if not requests or not client.operations:
                self.say(f"{name} sent nothing")
                continue
            operation = client.operations[0]
            expected = next((one for one in self.wanted["operations"] if one["id"] == operation.id), None)
            if expected is not None:
                self._compare(requests[0], expected, operation, arguments)

    def _arguments(self, method: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for index, (name, parameter) in enumerate(inspect.signature(method).parameters.items()):
            annotation = str(parameter.annotation)
            if name in ("cursor", "idempotency_key") and "None" in annotation:
                continue
            if name == "body":
                found[name] = {}
            elif annotation.startswith("int"):
                found[name] = 70 + index
            elif annotation.startswith(("Decimal", "bool")):
                found[name] = 1
            elif annotation.startswith("list"):
                found[name] = [f"l{index}a", f"l{index}b"]
            else:
                found[name] = f"a{index} /?&=#%+"
        return found

    def _compare(self, request: Request, expected: dict[str, Any], operation: Any, given: dict[str, Any]) -> None:
        """One request against the document's operation. `operation` only tells which argument became which value."""
        label = expected["id"]
        if request.method != expected["method"]:
            self.say(f"{label}: the method sent is {request.method}")
        by_place: dict[tuple[str, str], list[str]] = {}
        for parameter in operation.parameters:
            if parameter.argument in given:
                value = given[parameter.argument]
                by_place[parameter.location, parameter.name] = (
                    [str(one) for one in value] if isinstance(value, list) else [str(value)]
                )
        path, in_path = as_sent(expected["path"])
        sent_query, sent_cookies = list(request.query), list(request.cookies)
        for pair in in_path:
            if pair in sent_query:
                sent_query.remove(pair)
            else:
                self.say(f"{label}: the query of the path is not sent: {request.target!r}")
        headers = {name: value.decode("utf-8") for name, value in request.headers}
        extra = {name.decode("latin-1").lower() for name in headers} - OWN_HEADERS - {"cookie"}
        for one in expected["parameters"]:
            place, name = one["location"], one["name"]
            values = by_place.pop((place, name), None)
            is_unsendable = place in ("header", "cookie") and not TOKEN.fullmatch(name.encode())
            if (
                place not in PLACES
                or is_unsendable
                or (place == "header" and name.lower() in IGNORED_HEADER_PARAMETERS)
            ):
                if values is not None:
                    self.say(f"{label}: a {place} is sent as {name!r}, which cannot be its name")
                continue
            if place == "header" and name.lower() == "cookie":
                continue  # it is one header with the cookies
            key = self.wanted["key"] or {"name": "", "location": ""}
            if values is None and (place, name.lower()) == (key["location"], key["name"].lower()):
                continue  # the sign-in sends it
            if values is None:
                self.say(f"{label}: the {place} parameter {name!r} cannot be given")
            elif place == "path":
                path = path.replace("{" + name + "}", ",".join(values))
            elif place == "query":
                found = [value for key, value in sent_query if key == name]
                if found not in (values, [",".join(values)]):
                    self.say(f"{label}: the query has no {name!r}: {request.target!r}")
                sent_query = [pair for pair in sent_query if pair[0] != name]
            elif place == "cookie":
                if (name, values[0]) not in sent_cookies:
                    self.say(f"{label}: no cookie {name!r} is sent: {headers.get(b'Cookie')!r}")
                sent_cookies = [pair for pair in sent_cookies if pair[0] != name]
            else:
                if headers.get(name.encode()) != ",".join(values):
                    self.say(f"{label}: no header {name!r} is sent: {sorted(headers)}")
                extra.discard(name.lower())
        if any(one["location"] == "header" and one["name"].lower() == "cookie" for one in expected["parameters"]):
            sent_cookies = []  # which of the pairs are whose cannot be told
        for place, name in by_place:
            self.say(f"{label}: the package sends the {place} parameter {name!r}, which the document has not")
        if "#" not in expected["path"] and request.path != f"/stranger{path}":
            self.say(f"{label}: the path sent is {request.path!r}, not {path!r}")
        self._compare_key(label, headers, sent_query, sent_cookies, extra)

    def _compare_key(
        self,
        label: str,
        headers: dict[bytes, str],
        query: list[tuple[str, str]],
        cookies: list[tuple[str, str]],
        extra: set[str],
    ) -> None:
        """The credential is where the document wants it, and nothing else was sent."""
        key = self.wanted["key"]
        if key is not None:
            name = key["name"]
            is_there = {
                "header": headers.get(name.encode()) == SECRET,
                "query": (name, SECRET) in query,
                "cookie": (name, SECRET) in cookies,
            }
            if not is_there.get(key["location"], True):
                self.say(f"{label}: the API key is not sent as {name!r} in the {key['location']}")
            extra.discard(name.lower())
            query = [pair for pair in query if pair[0] != name]
            cookies = [pair for pair in cookies if pair[0] != name]
        for what in (
            [f"header {name!r}" for name in sorted(extra)],
            query and [f"query {query}"],
            cookies and [f"cookies {cookies}"],
        ):
            for one in what or ():
                self.say(f"{label}: unexpected {one}")

    async def _map(self, stream: Any, clients: dict[str, Any]) -> None:
        """Records through decode, mapper and the create operation: what arrives is what was given, under the right names."""
        fields = self.wanted["fields"].get(stream.name)
        if fields is None:
            return
        source = clients[self.integration.source.name]
        target = clients[self.integration.destination.name]
        wanted = self._for_source(stream, fields) if self.role == "source" else self._for_destination(fields)
        params = {fixed.name: fixed.value for fixed in stream.source.parameters}
        try:
            page = await source.page(stream.source.list, stream.source.record, params=params)
        except Exception as error:
            self.say(f"{stream.name}: the records cannot be read: {type(error).__name__}: {error}")
            return
        if len(page.records) != len(wanted):
            self.say(f"{stream.name}: {len(page.records)} of {len(wanted)} records were read")
        for record, body in zip(page.records, wanted, strict=False):
            self.recorder.take()
            stream.source.identity(record)
            into = {fixed.name: fixed.value for fixed in stream.destination.parameters}
            try:
                await target.request(stream.destination.create, body=stream.map(record), params=into)
            except Exception as error:
                self.say(f"{stream.name}: a record cannot be written: {type(error).__name__}: {error}")
                return
            sent = self.recorder.take()[-1].body.decode("utf-8")
            if _values(sent) != _values(json.dumps(body)):
                self.say(f"{stream.name}: sent {sent[:250]}, not {json.dumps(body)[:250]}")

    def _for_source(self, stream: Any, fields: dict[str, list[str]]) -> list[Any]:
        bodies = []
        for record in self.wanted["lists"][stream.source.list.id]["records"]:
            body: dict[str, Any] = {}
            for field, path in fields.items():
                value: Any = record
                for name in path:
                    value = value[name] if isinstance(value, dict) else None
                body[field] = value
            bodies.append(body)
        return bodies

    def _for_destination(self, fields: list[dict[str, Any]]) -> list[Any]:
        """Fill our list so that each value of each field comes once; what must then be sent."""
        self.rows = self._rows(fields)
        bodies = []
        for number in range(len(self.rows)):
            body: dict[str, Any] = {}
            for one in fields:
                place = body
                for name in one["path"][:-1]:
                    place = place.setdefault(name, {})
                place[one["path"][-1]] = one["values"][number % len(one["values"])]
            bodies.append(body)
        return bodies

    def _rows(self, fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
        count = max((len(one["values"]) for one in fields if one["from"] is not None), default=1)
        return [
            {"id": f"row-{number}"}
            | {one["from"]: one["values"][number % len(one["values"])] for one in fields if one["from"] is not None}
            for number in range(count)
        ]

    def sync(self) -> None:
        """Each stream once, through the command line, with a state of its own."""
        if self.role == "destination":
            self.rows = [row for fields in self.wanted["fields"].values() for row in self._rows(fields)[:1]]
            self.rows = [{key: value for row in self.rows for key, value in row.items()}]
        os.environ.update(self.environ)
        sys.argv = ["hostile-twin", "sync"]
        main = importlib.import_module(f"{MODULE}.cli").main
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        if code != 0:
            self.say(f"sync ends with {code}")


def _values(text: str) -> Any:
    """The values of a body in JSON or in a form; numbers by what they are worth, however they are written."""
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))


def as_sent(path: str) -> tuple[str, list[tuple[str, str]]]:
    """A path of a document below the base URL, and the pairs of its query; both percent-decoded."""
    before, _, query = path.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return "/" + unquote(before).removeprefix("/"), [(unquote(name), unquote(value)) for name, _, value in pairs]


def _fits(template: str, path: str) -> bool:
    """Whether a path may come of a template; not asked of one without parameters."""
    pattern = re.sub(r"\\\{.*?\\\}", ".+", re.escape(template))
    return "{" in template and re.fullmatch(pattern, path, re.DOTALL) is not None


def _spying(base: type, session: Any) -> Any:
    """A client that remembers which operation each of its methods asked for."""

    class Spying(base):  # type: ignore[misc]
        operations: list[Any] = []

        async def request(self, operation: Any, **given: Any) -> Any:
            self.operations.append(operation)
            return await super().request(operation, **given)

        async def one(self, operation: Any, kind: Any, **given: Any) -> Any:
            self.operations.append(operation)
            return await super().one(operation, kind, **given)

        async def page(self, operation: Any, kind: Any, **given: Any) -> Any:
            self.operations.append(operation)
            return await super().page(operation, kind, **given)

        def records(self, operation: Any, kind: Any, **given: Any) -> Any:
            self.operations.append(operation)
            return super().records(operation, kind, **given)

    return Spying(session)


def main() -> None:
    src, wanted, port, findings = sys.argv[1:5]
    sys.path.insert(0, src)
    exercise = Exercise(json.loads(Path(wanted).read_text("utf-8")), int(port))
    try:
        exercise.import_all()
        with exercise.recorder:
            asyncio.run(exercise.call_clients())
            exercise.sync()
    except BaseException as error:
        exercise.say(f"{type(error).__name__}: {error} {''.join(traceback.format_tb(error.__traceback__)[-3:])}")
    Path(findings).write_text(json.dumps(exercise.findings), encoding="utf-8")


if __name__ == "__main__":
    main()

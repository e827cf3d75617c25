"""In a child, in the peers' environment: import what a generator wrote, pass records through it, call its functions.

    python peer_exercise.py PEER OUT WANTED.json PORT FINDINGS.json

Standard library and the peer's own dependencies only. Findings are [kind, sentence].
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
from pathlib import Path

from recorder import Recorder  # the same folder

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def models_only(out: Path, wanted: dict, say) -> None:
    sys.path.insert(0, str(out))
    try:
        module = importlib.import_module("models")
    except BaseException as error:
        say("broken", f"import: {type(error).__name__}: {error}")
        return
    from pydantic import BaseModel

    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    for operation in wanted["operations"]:
        for record in operation["records"]:
            if not any(_keeps(one, record) for one in classes):
                say("wire", f"no model gives {json.dumps(record)[:200]} back")
                return


def _keeps(model: type, record: dict) -> bool:
    try:
        read = model.model_validate(record)
        return json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)) == record
    except Exception:
        return False


def client(out: Path, wanted: dict, port: int, say) -> None:
    sys.path.insert(0, str(out / "project"))
    modules = []
    try:
        package = importlib.import_module("peer")
        modules = [importlib.import_module(f.name) for f in pkgutil.walk_packages(package.__path__, "peer.")]
    except BaseException as error:
        say("broken", f"import: {type(error).__name__}: {error}")
        return
    with Recorder(port, lambda request: (200, {})) as recorder:
        made = package.Client(base_url=f"http://127.0.0.1:{port}", raise_on_unexpected_status=False)
        called = [
            one
            for module in modules
            if hasattr(module, "_get_kwargs")
            for one in _call(module, made, recorder, wanted, say)
        ]
        for operation in wanted["operations"]:
            _compare(operation, called, say)


def _call(module, made, recorder, wanted: dict, say):
    """Call one function for each record of any body it could take; the requests it sent."""
    function = module.sync_detailed
    records = [record for operation in wanted["operations"] for record in operation["records"]] or [None]
    for record in records:
        recorder.take()
        try:
            function(**_arguments(module, made, record))
        except BaseException as error:
            requests = recorder.take()
            if not requests:
                say("broken", f"{module.__name__}: {type(error).__name__}: {error}")
                return
            yield from requests
            continue
        yield from recorder.take()


def _arguments(module, made, record) -> dict:
    found: dict = {}
    for index, (name, parameter) in enumerate(inspect.signature(module.sync_detailed).parameters.items()):
        text = str(parameter.annotation)
        kinds = [value for value in vars(module).values() if isinstance(value, type) and hasattr(value, "from_dict")]
        kind = next((one for one in kinds if re.search(rf"\b{one.__name__}\b", text)), None)
        if name == "client":
            found[name] = made
        elif name == "body":
            found[name] = kind.from_dict(record) if kind is not None and record is not None else record
        elif "int" in text:
            found[name] = 70 + index
        elif "bool" in text:
            found[name] = True
        else:
            found[name] = f"a{index}"
    return found


def _compare(operation: dict, called: list, say) -> None:
    label = f"{operation['method'].upper()} {operation['path']}"
    literal = re.escape(operation["path"])
    pattern = re.compile(re.sub(r"\\\{.*?\\\}", ".+", literal), re.DOTALL)
    mine = [one for one in called if one.method.lower() == operation["method"] and pattern.fullmatch(one.path)]
    if not mine:
        say("wire", f"{label}: nothing was sent there")
        return
    request = mine[0]
    for parameter in operation["parameters"]:
        name, place = parameter["name"], parameter["location"]
        if place in ("header", "cookie") and not TOKEN.fullmatch(name):
            continue
        sent = {
            "query": name in [key for key, _ in request.query],
            "header": name.lower().encode() in [key.lower() for key, _ in request.headers],
            "cookie": name in [key for key, _ in request.cookies],
        }
        if not sent.get(place, True):
            say("wire", f"{label}: the {place} parameter {name!r} is not sent")
    bodies = []
    for one in mine:
        try:
            bodies.append(_same_moments(json.loads(one.body)))
        except ValueError:
            bodies.append(None)
    for record in operation["records"]:
        if _same_moments(record) not in bodies:
            say("wire", f"{label}: {json.dumps(record)[:200]} is not what is sent: {json.dumps(bodies)[:200]}")
            return


def _same_moments(value):
    """With moments spelled in one way: `Z` and `+00:00` mean the same, and the others may choose."""
    if isinstance(value, dict):
        return {name: _same_moments(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_same_moments(inner) for inner in value]
    return re.sub(r"(T\d\d:\d\d:\d\d)\+00:00$", r"\1Z", value) if isinstance(value, str) else value


def main() -> None:
    peer, out, wanted, port, findings = sys.argv[1:6]
    found: list = []

    def say(kind: str, what: str) -> None:
        found.append([kind, what[:300]])

    told = json.loads(Path(wanted).read_text("utf-8"))
    try:
        if peer == "openapi-python-client":
            client(Path(out), told, int(port), say)
        else:
            models_only(Path(out), told, say)
    except BaseException as error:
        say("broken", f"{type(error).__name__}: {error}")
    Path(findings).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Two specs and a stream → an integration's folder: manifest, pinned specs, facts, empty mappings."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..api.facts import ApiFacts
from ..api.facts_file import write_facts
from ..api.model import Json, Operation, SecurityScheme
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..ingest.pin import pin_spec
from ..ingest.reading import Reading
from ..ingest.streams import StreamProposal, propose_stream
from ..manifest import MANIFEST_FILE, load_manifest
from ..openapi import build_api, read_document
from ..plan.names import words

_NOT_A_NAME = frozenset("api openapi rest swagger the v1 v2 v3 admin public spec specification platform".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What was written, and why the manifest says what it says."""

    folder: Path
    reasons: tuple[tuple[str, str], ...]
    """Where in the manifest → why."""
    to_decide: tuple[str, ...]
    """What a person has to fill in or look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFile:
    """One description as the user names it: `FILE`, or `NAME=FILE`."""

    path: Path
    name: str | None = None
    bundle: Path | None = None
    """The folder that its references may not leave; the file's own when None."""

    @classmethod
    def read(cls, text: str) -> SpecFile:
        name, sign, path = text.partition("=")
        if sign and re.fullmatch(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", name) and not Path(text).exists():
            return cls(path=Path(path), name=name)
        return cls(path=Path(text))


def create_integration(
    name: str, source: SpecFile, destination: SpecFile, streams: Sequence[tuple[str, str]], intent: str, folder: Path
) -> Created:
    """Write a new integration's folder; all of it, or nothing.

    Args:
        streams: (list operation of the source, create operation of the destination), at least one.
        folder: Must not exist, or be empty.

    Raises:
        DiagnosticError: V012 when the folder is taken, V101 to V110 when a description cannot be read, V219 when an operation is
            not there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DiagnosticError([_taken(folder)])
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        created = _write(fresh, name, source, destination, streams, intent)
        fresh.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return Created(folder=folder, reasons=created.reasons, to_decide=created.to_decide)


def _write(
    folder: Path, name: str, source: SpecFile, destination: SpecFile, streams: Sequence[tuple[str, str]], intent: str
) -> Created:
    readings = [_read(source), _read(destination)]
    apis = _api_names(source, readings[0], destination, readings[1])
    proposals = [propose_stream(readings[0], listing, readings[1], creating) for listing, creating in streams]
    to_decide: list[str] = []
    manifest: dict[str, Any] = {"vitesse": 1, "name": name, "intent": intent}
    operations = (
        [id for proposal in proposals for id in proposal.source_facts],
        [id for proposal in proposals for id in proposal.destination_facts],
    )
    specs = (source, destination)
    for side, api, reading, used, given in zip(
        ("source", "destination"), apis, readings, operations, specs, strict=True
    ):
        pinned = pin_spec(folder, api, given.path.resolve(), bundle=given.bundle)
        manifest[side] = _system(api, reading, used, side, to_decide)
        if pinned not in (f"{api}.yaml", f"{api}.yml", f"{api}.json"):
            manifest[side]["spec"] = pinned
    manifest["streams"] = {}
    for proposal in proposals:
        form = dict(proposal.form)
        parameters = _fixed(proposal, apis, to_decide)
        if parameters:
            form["parameters"] = parameters
        manifest["streams"][_free(proposal.name, manifest["streams"])] = form
    (folder / MANIFEST_FILE).write_text(_manifest_text(manifest), encoding="utf-8")
    (folder / "mappings").mkdir()
    for stream in manifest["streams"]:
        (folder / "mappings" / f"{stream}.yaml").write_text(
            f"vitesse: 1\nstream: {stream}\nrules: {{}}\n", encoding="utf-8"
        )
    load_manifest(folder)
    _write_facts(folder, apis, proposals)
    reasons = tuple(
        (f"streams.{proposal.name}.{where}", why) for proposal in proposals for where, why in proposal.reasons.items()
    )
    return Created(folder=folder, reasons=reasons, to_decide=tuple(dict.fromkeys(to_decide)))


def _read(given: SpecFile) -> Reading:
    if not given.path.is_file():
        place = Place(file=str(given.path))
        message = f"there is no file `{given.path}`"
        raise DiagnosticError(
            [Diagnostic(code="V101", message=message, places=(place,), help="give the path of an OpenAPI description")]
        )
    document = read_document(given.path, folder=given.bundle)
    return Reading(build_api(document).api, document)


def _write_facts(folder: Path, apis: tuple[str, str], proposals: Sequence[StreamProposal]) -> None:
    for api, facts in (
        (apis[0], [proposal.source_facts for proposal in proposals]),
        (apis[1], [proposal.destination_facts for proposal in proposals]),
    ):
        merged = {id: known for one in facts for id, known in one.items()}
        write_facts(folder, ApiFacts(api=api, operations=merged))


def _api_names(source: SpecFile, first: Reading, destination: SpecFile, second: Reading) -> tuple[str, str]:
    """Short names: what the user said, else the first telling word of the title, else of the file's name."""
    one = source.name or _api_name(source, first)
    other = destination.name or _api_name(destination, second)
    return (one, other) if one != other else (one, f"{other}-destination")


def _api_name(given: SpecFile, reading: Reading) -> str:
    for text in (reading.api.title, given.path.stem, given.path.parent.name):
        for word in words(text):
            if word not in _NOT_A_NAME and word[0].isalpha():
                return word
    return "api"


def _system(api: str, reading: Reading, used: Sequence[str], side: str, to_decide: list[str]) -> dict[str, Any]:
    system: dict[str, Any] = {"api": api}
    server = reading.api.servers[0] if reading.api.servers else None
    if server is not None and server.url.startswith(("https://", "http://")):
        system["base_url"] = server.url.rstrip("/")
        if server.variables:
            system["variables"] = {
                name: _variable(api, name, default, values) for name, default, values in server.variables
            }
    else:
        system["base_url"] = {"env": f"{_env(api)}_URL"}
        to_decide.append(f"`{side}.base_url`: the description names no server; it is read from `{_env(api)}_URL`")
    operation = next((found for id in used if (found := reading.api.operation(id)) is not None), None)
    scheme = _scheme(reading, operation)
    if scheme is not None:
        system["auth"] = _auth(api, scheme)
        if scheme.kind in ("oauth2", "open_id"):
            to_decide.append(f"`{side}.auth`: `{scheme.name}` is OAuth 2.0; a token is read from the environment")
    elif reading.api.security_schemes:
        to_decide.append(f"`{side}.auth`: the operations name no security scheme; add one if the API asks for it")
    return system


def _variable(api: str, name: str, default: str, values: Sequence[str]) -> Json:
    """Read from the environment. A default is kept where the vendor lists the values; else it is an example of theirs."""
    env = f"{_env(api)}_{_env(name)}"
    return {"env": env, "default": default} if default and values else {"env": env}


def _scheme(reading: Reading, operation: Operation | None) -> SecurityScheme | None:
    """The scheme of the operation that needs the least: a key or a token before OAuth."""
    order = ("bearer", "api_key", "basic", "oauth2", "open_id", "unknown")
    schemes = {scheme.name: scheme for scheme in reading.api.security_schemes}
    named = [
        schemes[name]
        for names in (operation.security if operation else ())
        if len(names) == 1
        for name in names
        if name in schemes
    ]
    return min(named, key=lambda scheme: order.index(scheme.kind), default=None)


def _auth(api: str, scheme: SecurityScheme) -> dict[str, Any]:
    prefix = _env(api)
    match scheme.kind:
        case "basic":
            return {
                "scheme": scheme.name,
                "username": {"env": f"{prefix}_USERNAME"},
                "password": {"env": f"{prefix}_PASSWORD"},
            }
        case "api_key":
            return {"scheme": scheme.name, "key": {"env": f"{prefix}_API_KEY"}}
        case "bearer":
            return {"scheme": scheme.name, "token": {"env": f"{prefix}_TOKEN"}}
        case _:
            return {"scheme": scheme.name, "kind": "bearer", "token": {"env": f"{prefix}_TOKEN"}}


def _fixed(proposal: StreamProposal, apis: tuple[str, str], to_decide: list[str]) -> dict[str, Any]:
    parameters = {}
    for side, name in proposal.fixed:
        api = apis[0] if side == "source" else apis[1]
        env = f"{_env(api)}_{_env(name)}"
        parameters[f"{side}.{name}"] = {"env": env}
        to_decide.append(f"`{side}.{name}`: every request needs it; it is read from `{env}`")
    return parameters


def _env(text: str) -> str:
    return "_".join(words(text)).upper() or "VALUE"


def _free(name: str, taken: dict[str, Any]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _manifest_text(manifest: dict[str, Any]) -> str:
    """YAML in the order of the form, small maps on one line."""
    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, default_flow_style=None, width=118)


def _taken(folder: Path) -> Diagnostic:
    return Diagnostic(
        code="V012",
        message=f"`{folder}` is there already",
        places=(Place(file=str(folder)),),
        help="choose another name, or another folder with `--dir`",
    )

"""A file that people or the steps write → a checked pydantic model, or diagnostics that say where and what to do.

Every file of an integration's folder is read through here: the manifest, facts, mappings, reviews.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from .api.model import Json
from .diagnostics import Diagnostic, DiagnosticError, Place
from .yaml import YamlError, read_json, read_yaml

M = TypeVar("M", bound="Form")

MAX_BYTES = 8 * 1024 * 1024


class Form(BaseModel):
    """A part of a form: closed, exact about types, unchangeable. `form_schema` describes members by the text below each.

    What validates a form is built when it is first used, once for a whole file: most files are not read in a run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def read_form(folder: Path, name: str) -> Json:
    """Read one file of the folder, YAML or JSON by its suffix.

    Raises:
        DiagnosticError: V001 when it cannot be read, V002 when it is not YAML or JSON.
    """
    try:
        path = folder / name
        if path.stat().st_size > MAX_BYTES:
            raise OSError(f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise _single("V001", f"`{name}` is not there", name, "run `vitesse create` to start an integration") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
        raise _single("V001", f"`{name}` cannot be read: {reason}", name) from None
    try:
        return read_json(text) if name.endswith(".json") else read_yaml(text)
    except YamlError as error:
        place = Place.at_line(name, error.line) if error.line else Place(file=name)
        raise DiagnosticError([Diagnostic(code="V002", message=str(error), places=(place,))]) from None


def check_form(form: type[M], value: Json, file: str) -> M:
    """Validate a value that was read from `file`.

    Raises:
        DiagnosticError: With every fault, each at its pointer: V003 to V006.
    """
    try:
        return form.model_validate_json(json.dumps(value))
    except ValidationError as error:
        faults = [_diagnostic(form, value, fault, file) for fault in error.errors(include_url=False)]
        raise DiagnosticError(dict.fromkeys(faults)) from None


def form_schema(form: type[Form]) -> dict[str, Any]:
    """The JSON Schema of a form, each member described by the text below it in the source.

    pydantic could read those texts itself, whenever a class is made: that is a twentieth of a build, which never shows them.
    """
    schema = form.model_json_schema(by_alias=True)
    described = {**schema.get("$defs", {}), form.__name__: schema}
    for each in _forms():
        properties = described.get(each.__name__, {}).get("properties", {})
        for name, text in _texts_below_members(each).items():
            member = each.model_fields.get(name)
            if member is not None and member.description is None:
                shown = properties.get(member.serialization_alias or member.alias or name)
                if shown is not None:
                    shown["description"] = text
    return schema


def _forms() -> Iterator[type[Form]]:
    """Every form."""
    rest = list(Form.__subclasses__())
    while rest:
        form = rest.pop(0)
        yield form
        rest += form.__subclasses__()


def _texts_below_members(form: type[Form]) -> dict[str, str]:
    try:
        [node] = ast.parse(textwrap.dedent(inspect.getsource(form))).body
    except (OSError, TypeError):
        return {}  # made by `create_model`
    assert isinstance(node, ast.ClassDef)
    return {
        line.target.id: inspect.cleandoc(below.value.value)
        for line, below in pairwise(node.body)
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def near(name: str, names: Mapping[str, object] | tuple[str, ...] | list[str], count: int = 3) -> tuple[str, ...]:
    """The names most like a name that is not among them, best first; none when nothing is like it."""
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    found = process.extract(
        name, list(names), scorer=DamerauLevenshtein.normalized_similarity, limit=count, score_cutoff=0.55
    )
    return tuple(choice for choice, _, _ in sorted(found, key=lambda hit: (-hit[1], hit[0])))


def either(names: tuple[str, ...] | list[str]) -> str:
    """`a`, `b` or `c`."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def pointer(*steps: str | int) -> str:
    """`#/rules/email`, with `~` and `/` escaped."""
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _single(code: str, message: str, file: str, help: str | None = None) -> DiagnosticError:
    return DiagnosticError([Diagnostic(code=code, message=message, places=(Place(file=file),), help=help)])


def _diagnostic(form: type[Form], root: Json, fault: Any, file: str) -> Diagnostic:
    # A part in parentheses is the tag of a union's member, not a step into the value.
    steps = tuple(step for step in fault["loc"] if not (isinstance(step, str) and step[:1] == "(") and step != "[key]")
    name = ".".join(map(str, steps)) or "the file"
    kind, context = fault["type"], fault.get("ctx", {})
    place = (Place(file=file, pointer=pointer(*steps)),)
    match kind:
        case "extra_forbidden":
            known = _known_keys(form, steps[:-1])
            help = (
                f"write {either(close)}" if (close := near(str(steps[-1]), known)) else f"use one of {', '.join(known)}"
            )
            return Diagnostic(
                code="V003", message=f"`{steps[-1]}` is not a key of {_owner(steps[:-1])}", places=place, help=help
            )
        case "missing":
            parent = (Place(file=file, pointer=pointer(*steps[:-1])),)
            return Diagnostic(
                code="V004",
                message=f"{_owner(steps[:-1])} has no `{steps[-1]}`",
                places=parent,
                help=f"add `{steps[-1]}`",
            )
        case "literal_error":
            options = [option.strip("'") for option in context["expected"].replace(" or ", ", ").split(", ")]
            given = _shown(fault["input"])
            close = near(str(fault["input"]), options)
            return Diagnostic(
                code="V006" if steps == ("vitesse",) else "V005",
                message=f"`{name}` is {given}",
                places=place,
                help=f"write {either(close or options)}",
            )
        case "value_error":
            return Diagnostic(code="V005", message=f"`{name}`: {context['error']}", places=place)
        case _:
            message = (
                fault["msg"].replace("Input should be a valid", "it takes a").replace("Input should be", "it takes")
            )
            return Diagnostic(
                code="V005",
                message=f"`{name}` is {_shown(fault['input'])}",
                places=place,
                notes=(_plain(message),),
            )


def _plain(message: str) -> str:
    text = message[:1].lower() + message[1:]
    return text.replace("a string", "text").replace("dictionary", "object").replace("a integer", "a whole number")


def _owner(steps: tuple[str | int, ...]) -> str:
    return f"`{'.'.join(map(str, steps))}`" if steps else "the file"


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return f"the text `{value[:60]}`"
        case _:
            return f"the number {value}"


def _known_keys(form: type[Form], steps: tuple[str | int, ...]) -> list[str]:
    annotations: list[Any] = [form]
    for step in steps:
        annotations = [inner for annotation in annotations for inner in _inside(annotation, step)]
    forms = [part for annotation in annotations for part in _members(annotation) if _is_form(part)]
    return list(dict.fromkeys(info.alias or name for part in forms for name, info in part.model_fields.items()))


def _inside(annotation: Any, step: str | int) -> Iterator[Any]:
    for member in _members(annotation):
        if _is_form(member):
            for name, info in member.model_fields.items():
                if step in (name, info.alias):
                    yield info.annotation
        elif arguments := get_args(member):
            yield arguments[-1] if get_origin(member) is dict else arguments[0]


def _members(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _is_form(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Form)

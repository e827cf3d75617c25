"""One line that a reviewer types → a rule's form with that change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ..api.model import Json
from ..diagnostics import Diagnostic
from ..yaml import YamlError, read_yaml

_KEYS = ("from", "transform", "with", "on_missing", "on_null", "waive")
EDIT_HELP = """\
  KEY=VALUE sets, KEY= takes away; Enter writes, x leaves it as it was. KEY is `from`, `transform`, `on_missing`, `on_null`,
  `waive.LOSS`, or a parameter of the transform: `places=2`, `from=[first_name, last_name]`, `on_null={value: 0}`
"""


class EditError(ValueError):
    """The line is no change."""


def with_edit(form: Mapping[str, Json], line: str) -> dict[str, Json]:
    """The form with one key set or taken away. Raises EditError."""
    key, sign, text = line.partition("=")
    key, text = key.strip(), text.strip()
    if not sign or not key:
        raise EditError("write KEY=VALUE, as in `places=2`")
    try:
        value = read_yaml(text) if text else None
    except YamlError as error:
        raise EditError(f"the value cannot be read: {error}") from None
    changed = dict(form)
    owner, dot, name = key.partition(".")
    if key in _KEYS:
        _set(changed, key, value, text)
    elif dot and owner in ("with", "waive"):
        _inside(changed, owner, name, text if owner == "waive" else value, text)
    else:
        _inside(changed, "with", key, value, text)
    if key == "transform" and form.get("transform") != value:
        changed.pop("with", None)  # parameters belong to the transform that they were written for
    return {name: changed[name] for name in _KEYS if name in changed}


def refuse(found: Iterable[Diagnostic], line: str) -> None:
    """Raise EditError when what the line sets is itself what is wrong: such a line is not taken."""
    key = line.partition("=")[0].strip().rpartition(".")[2]
    for one in found:
        if one.is_error and any(re.search(rf"/{re.escape(key)}(?:/|$)", place.pointer) for place in one.places[:1]):
            raise EditError(one.message + (f"; {one.help}" if one.help else ""))


def _inside(form: dict[str, Json], owner: str, name: str, value: Json, text: str) -> None:
    inner = form.get(owner)
    table: dict[str, Json] = dict(inner) if isinstance(inner, dict) else {}
    _set(table, name, value, text)
    _set(form, owner, table, "set" if table else "")


def _set(form: dict[str, Json], key: str, value: Json, text: str) -> None:
    if text:
        form[key] = value
    else:
        form.pop(key, None)


def form_lines(form: Mapping[str, Json]) -> Iterator[str]:
    """The rule as its file has it."""
    from ..mapper.append import flow

    for key, value in form.items():
        yield f"{key}: {flow(value)}"

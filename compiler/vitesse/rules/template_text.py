"""The `template` of a rule → the text and the keywords that the runtime is called with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..api.model import Json
from ..api.paths import Path, format_path
from ..forms import either
from .model import Shape, Spelling
from .spelled import Fault, Input, Refused

_NAME_CHARS = re.compile(r"[^a-z0-9]+")


def spell_template(options: Mapping[str, Json], inputs: Sequence[Input]) -> tuple[Spelling, Shape]:
    """How a rule fills a text. Raises `Refused` for a name that is no source, and for a source without a name."""
    text = str(options["template"])
    names = _argument_names([input.path for input in inputs])
    known = {format_path(input.path): name for input, name in zip(inputs, names, strict=True)}
    pieces: list[str] = []
    used: set[str] = set()
    at = 0
    while at < len(text):
        char = text[at]
        if char in "{}" and text[at : at + 2] == char * 2:
            pieces.append(char * 2)
            at += 2
            continue
        if char == "}":
            raise Refused(_template_fault("a `}` without `{`", "write `}}` for a brace"))
        if char != "{":
            pieces.append(char)
            at += 1
            continue
        end = text.find("}", at)
        path = text[at + 1 : end] if end > 0 else ""
        if path not in known:
            listed = either(list(known))
            raise Refused(
                _template_fault(
                    f"`{{{path}}}` names no source of the rule", f"write one of {listed}, or add it to `from`"
                )
            )
        pieces.append("{" + known[path] + "}")
        used.add(path)
        at = end + 1
    if unused := [path for path in known if path not in used]:
        raise Refused(
            _template_fault(
                f"the template does not name `{unused[0]}`", f"write `{{{unused[0]}}}` in it, or remove it from `from`"
            )
        )
    return (
        Spelling(style="named", function="template", first="".join(pieces), has_first=True, names=tuple(names)),
        Shape(kind="string"),
    )


def _template_fault(message: str, help: str) -> Fault:
    return Fault(kind="option", message=message, at=("with", "template"), help=help)


def _argument_names(paths: Sequence[Path]) -> list[str]:
    """A keyword for each path: its last name, or more of it where two would be the same."""
    names: list[str] = []
    for path in paths:
        words = [_NAME_CHARS.sub("_", str(segment).lower()).strip("_") for segment in path if isinstance(segment, str)]
        for length in range(1, len(words) + 1):
            name = "_".join(words[-length:])
            if name not in names:
                break
        if not name or not name[0].isalpha():
            name = f"part_{name}".rstrip("_")
        while name in names:
            name += "_"
        names.append(name)
    return names

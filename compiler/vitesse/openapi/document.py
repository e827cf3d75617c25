"""A vendor's file, or folder of files → Document: plain values, within limits, with a digest.

Reads bytes and nothing of OpenAPI but the version at the top. Files that a file refers to are read with it when they lie in
the same folder; nothing is ever fetched. Knows places by file and JSON pointer; lines are found when they are shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..frozen import dataclass
from . import pointers
from .json_text import TextError, load_json
from .limits import DEFAULT_LIMITS, LimitExceeded, Limits, count_nodes
from .overlay import Correction, OverlayError, apply_overlay
from .yaml_text import load_yaml

_ELSEWHERE = re.compile(r"""\$ref["']?\s*+:\s*+(?:[>|][-+]?\s*)?+["']?+(?!#)[^\s"']""")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed description of an API.

    `files` holds every file by its name relative to `folder`, the root file among them; `digest` is the SHA-256 over the names
    and bytes of all of them.
    """

    file: str
    """The root file, relative to `folder`, with forward slashes."""
    folder: Path
    label: str = ""
    """What places are shown with in front of a file's name: `specs/`."""
    version: str
    """`2.0`, `3.0`, `3.1`, `3.2`."""
    digest: str
    files: Mapping[str, Any]
    limits: Limits = DEFAULT_LIMITS
    diagnostics: tuple[Diagnostic, ...] = ()
    """Warnings about files that could not be read; what needs them is named again where it is used."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """A file that a reference names and that was not read → why."""
    corrections: tuple[Correction, ...] = ()
    """What an overlay changed in the root file, in its order."""

    @property
    def value(self) -> dict[str, Any]:
        """The root file's value."""
        root: dict[str, Any] = self.files[self.file]
        return root

    def place(self, pointer: str, file: str | None = None, label: str = "") -> Place:
        """A place in this document, as it is shown."""
        return Place(file=self.label + (file or self.file), pointer=pointer, label=label)


def read_document(
    path: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    folder: Path | None = None,
    label: str | None = None,
    overlay: Path | None = None,
) -> Document:
    """Read an OpenAPI or Swagger file with all that it refers to.

    Args:
        path: The root file, JSON or YAML by its content.
        folder: What references may not leave; the root file's own folder when None.
        label: Put before file names where places are shown, such as `specs/`. None: nothing.
        overlay: A file with corrections of the root file, when there is one there.

    Raises:
        DiagnosticError: When there is no document to work with: V101 to V110; V116 when the overlay cannot be carried out.
    """
    home = (folder or path.parent).resolve()
    reader = _Reader(home, limits, label or "")
    name = reader.name_of(path)
    value = reader.read(name)
    version = _version(value, reader, name)
    corrections = reader.correct(name, overlay) if overlay is not None and overlay.is_file() else ()
    reader.read_neighbours()
    digest = hashlib.sha256()
    for file in sorted(reader.digests):
        digest.update(f"{file}\0{reader.digests[file]}\n".encode())
    return Document(
        file=name,
        folder=home,
        label=label or "",
        version=version,
        digest=digest.hexdigest(),
        files=reader.files,
        limits=limits,
        diagnostics=tuple(reader.diagnostics),
        unread=reader.unread,
        corrections=corrections,
    )


class _Reader:
    """Reads the root, then whatever the files read so far refer to."""

    def __init__(self, home: Path, limits: Limits, label: str) -> None:
        self._home = home
        self._limits = limits
        self._label = label
        self._bytes = 0
        self._nodes = 0
        self._asking: list[str] = []
        self.files: dict[str, Any] = {}
        self.digests: dict[str, str] = {}
        self.diagnostics: list[Diagnostic] = []
        self.unread: dict[str, str] = {}

    def name_of(self, path: Path) -> str:
        try:
            return path.resolve().relative_to(self._home).as_posix()
        except ValueError:
            self._label = ""
            raise self._error("V101", f"`{path.name}` is not in the folder `{self._home.name}`", str(path)) from None

    def read(self, name: str) -> Any:
        text = self._text(name)
        try:
            value = _parsed(text, name, self._limits)
            self._nodes = count_nodes(value, self._limits, self._nodes)
        except LimitExceeded as error:
            raise self._limit(error, name) from None
        except TextError as error:
            raise self._error(error.code, str(error), name, _pointer(error)) from None
        self.files[name] = value
        if _ELSEWHERE.search(text):
            self._asking.append(name)
        return value

    def correct(self, name: str, overlay: Path) -> tuple[Correction, ...]:
        """Carry out an overlay on a file that was read. It counts in the digest, and is no file of the description."""
        other = _Reader(overlay.parent.resolve(), self._limits, self._label)
        form = other.read(overlay.name)
        file = self._label + overlay.name
        try:
            self.files[name], done = apply_overlay(self.files[name], form, self._limits)
        except LimitExceeded as error:
            raise other._limit(error, overlay.name) from None
        except OverlayError as error:
            raise other._error(
                "V116", f"the overlay cannot be carried out: {error}", overlay.name, error.pointer
            ) from None
        self.digests[f"overlay:{overlay.name}"] = other.digests[overlay.name]
        self.diagnostics += [
            Diagnostic(
                code="V117",
                severity="warning",
                message=f"nothing stands at `{one.target}`, which the overlay corrects",
                places=(Place(file=file, pointer=one.pointer),),
                help="remove the action if the vendor has corrected this, or correct its target",
            )
            for one in done
            if not one.matches
        ]
        if name not in self._asking:
            self._asking.append(name)  # a correction may name another file
        return done

    def read_neighbours(self) -> None:
        while self._asking:
            asking = self._asking.pop(0)
            for target, pointer in _files_named(self.files[asking]):
                name = neighbour(asking, target)
                if name is None or name in self.files or name in self.unread:
                    continue  # what leads outside is named where it is used
                if len(self.files) >= self._limits.files:
                    raise self._limit(LimitExceeded("files", self._limits.files, "there are more files"), asking)
                try:
                    self.read(name)
                except DiagnosticError as error:
                    self.unread[name] = error.diagnostics[0].message
                    because = Place(file=self._label + asking, pointer=pointer, label="named here")
                    for found in error.diagnostics:
                        self.diagnostics.append(
                            Diagnostic(
                                code=found.code,
                                severity="warning",
                                message=found.message,
                                places=(*found.places, because),
                                help=found.help,
                            )
                        )

    def _text(self, name: str) -> str:
        path = self._home / name
        try:
            real = path.resolve(strict=True)
            if not real.is_relative_to(self._home):
                raise self._error("V101", f"`{name}` leads out of the folder by a link", name)
            if not real.is_file():
                raise self._error("V101", f"`{name}` is not a file", name)
            if real.stat().st_size + self._bytes > self._limits.document_bytes:
                bound = self._limits.document_bytes
                raise self._limit(LimitExceeded("document_bytes", bound, "the document is larger than that"), name)
            data = real.read_bytes()
        except OSError as error:
            because = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
            raise self._error("V101", f"`{name}` {because}", name) from None
        except (ValueError, RuntimeError):  # a NUL in the name, a loop of links
            raise self._error("V101", f"`{name}` cannot be read", name) from None
        self._bytes += len(data)
        self.digests[name] = hashlib.sha256(data).hexdigest()
        return self._decode(data, name)

    def _decode(self, data: bytes, name: str) -> str:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self._error("V102", f"the file is not text in {encoding[:6].upper()}", name, f"#L{line}") from None

    def _error(self, code: str, message: str, name: str, pointer: str = "", help: str | None = None) -> DiagnosticError:
        place = Place(file=self._label + name, pointer=pointer)
        return DiagnosticError([Diagnostic(code=code, message=message, places=(place,), help=help or _HELP.get(code))])

    def _limit(self, error: LimitExceeded, name: str) -> DiagnosticError:
        help = f"split the file, or if you trust where it comes from, raise `{error.limit}` under the system's `limits` in the manifest"
        return self._error("V105", str(error), name, help=help)


_HELP = {
    "V101": "check the path; references are followed inside the folder of the root file only",
    "V102": "save the file as UTF-8",
    "V103": "correct the text there; a linter for the format shows more",
    "V104": "keep one of the two: readers disagree on which one counts",
    "V106": "remove the tag; an OpenAPI file needs none",
    "V107": "write a finite number, or put it in quotes",
    "V108": "point to the file that starts with `openapi:` or `swagger:`",
    "V116": "write it as OpenAPI Overlay 1.0: actions with `target`, `description`, and `update` or `remove: true`",
    "V109": "use a description in Swagger 2.0 or OpenAPI 3.0 to 3.2",
}


def _parsed(text: str, name: str, limits: Limits) -> Any:
    """JSON by its first character, also in a `.yaml` file: tabs and escapes are not the same there. YAML otherwise."""
    if text.lstrip(" \t\r\n")[:1] not in ("{", "["):
        is_empty = name.lower().endswith(".json") and not text.lstrip("\ufeff \t\r\n")
        return load_json(text, limits) if is_empty else load_yaml(text, limits)
    if not name.lower().endswith((".yaml", ".yml")):
        return load_json(text, limits)
    try:
        return load_json(text, limits)
    except TextError as error:
        if error.code != "V103":
            raise
        return load_yaml(text, limits)  # a flow mapping that is not JSON


def _pointer(error: TextError) -> str:
    if error.line:
        return f"#L{error.line}:{error.column}" if error.column else f"#L{error.line}"
    return error.pointer


def _version(value: Any, reader: _Reader, name: str) -> str:
    """`2.0`, `3.0`, `3.1` or `3.2`; numbers that YAML made of the version are read as they were meant."""
    if not isinstance(value, dict):
        found = "is empty" if value is None else f"holds {_kind(value)}, not an object"
        raise reader._error("V108", f"the file {found}", name)
    for key, majors in (("swagger", ("2.0",)), ("openapi", ("3.0", "3.1", "3.2"))):
        if key in value:
            text = str(value[key])
            version = next((major for major in majors if text == major or text.startswith(major + ".")), None)
            if version is None:
                raise reader._error(
                    "V109", f"the version `{key}: {text[:40]}` is not one that is read", name, f"#/{key}"
                )
            return version
    raise reader._error("V108", "neither `openapi` nor `swagger` stands at the top of the file", name, "#")


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}[type(value)]


def _files_named(value: Any) -> list[tuple[str, str]]:
    """All references of a file that lead to another file, with their pointers, in the order of the file."""
    found: list[tuple[str, str]] = []
    stack: list[tuple[Any, str]] = [(value, "#")]
    while stack:
        node, pointer = stack.pop()
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str) and not target.startswith("#"):
                found.append((target, pointers.join(pointer, "$ref")))
            stack.extend((member, pointers.join(pointer, key)) for key, member in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend((node[index], pointers.join(pointer, index)) for index in reversed(range(len(node))))
    return found


def neighbour(asking: str, target: str) -> str | None:
    """The file that a reference in `asking` names, relative to the folder. None when it is not a path inside the folder."""
    path = unquote(target.partition("#")[0])
    if not path or _SCHEME.match(path) or path.startswith(("/", "\\")) or "\\" in path or "\0" in path:
        return None
    steps: list[str] = list(PurePosixPath(asking).parent.parts)
    for part in path.split("/"):
        if part == "..":
            if not steps:
                return None
            steps.pop()
        elif part not in ("", "."):
            steps.append(part)
    return "/".join(steps) if steps else None

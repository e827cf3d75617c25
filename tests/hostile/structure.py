"""A package beside the baseline's: what a hostile document may change in its files, and what it may not.

Files are of three sorts. Those that say nothing of the documents are the baseline's, byte for byte, or have its structure. The
derived ones follow the rules of `allowed`. Nothing else is there.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from .allowed import faults_of
from .integration import MODULE, SECRET

_DERIVED = re.compile(rf"src/{MODULE}/(?:(?:clients|models|mappers)/[a-z][a-z0-9_]*|app|settings)\.py")
_AS_BASELINE = re.compile(rf"src/{MODULE}/(?:__init__|__main__|cli|(?:clients|models|mappers)/__init__)\.py")
_STREAM = re.compile(r"[sd]\d+")
_MOCKS = re.compile(r"tests/mocks/(?:source|destination)\.json")
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.\-]*")
_MARKDOWN = frozenset(
    {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "table_open", "table_close",
        "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open",
        "td_close", "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close", "text", "code_inline",
        "strong_open", "strong_close", "softbreak", "text_special", "fence",
    }
)  # fmt: skip

Files = Mapping[str, bytes]


def read_files(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files of a folder by relative name, and what is there that is no plain file or folder."""
    files: dict[str, bytes] = {}
    odd: list[str] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            odd.append(f"{name} is a link or no file")
        elif path.is_file() and "__pycache__" not in path.parts:
            files[name] = path.read_bytes()
    return files, odd


def faults(files: Files, baseline: Files, streams: Sequence[str]) -> Iterator[str]:
    """What a package has that it may not have, given the package of the benign document and the integration's own streams."""
    if SECRET.encode() not in files.get(".env.example", b""):  # the document asks for no credential
        baseline = {name: _without_secret(content) for name, content in baseline.items()}
    modules = frozenset(_module(name) for name in files if name.startswith(f"src/{MODULE}/") and name.endswith(".py"))
    for name in sorted(set(baseline) - set(files)):
        if not _DERIVED.fullmatch(name):
            yield f"{name} is missing"
    for name, content in files.items():
        if not all(_NAME.fullmatch(part) for part in name.split("/")):
            yield f"{name!r} is no name for a file"
        if content == baseline.get(name):
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            yield f"{name} is not UTF-8"
            continue
        yield from (f"{name}: {fault}" for fault in invisible(text))
        yield from (f"{name}: {fault}" for fault in _file(name, text, baseline, modules, streams))


def _without_secret(content: bytes) -> bytes:
    return b"".join(line for line in content.splitlines(keepends=True) if SECRET.encode() not in line)


def _module(name: str) -> str:
    return name.removeprefix(f"src/{MODULE}/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _file(name: str, text: str, baseline: Files, modules: frozenset[str], streams: Sequence[str]) -> Iterator[str]:
    if _DERIVED.fullmatch(name):
        yield from faults_of(text, modules, tuple(name.split("/")[2:-1]))
    elif name not in baseline:
        yield "no such file is in the benign package"
    elif _AS_BASELINE.fullmatch(name):
        if _blanked(text) != _blanked(baseline[name].decode()):
            yield "it differs from the benign package in more than constants"
    elif name.endswith(".md"):
        yield from _markdown(text, baseline[name].decode(), streams)
    elif _MOCKS.fullmatch(name):
        yield from _mocks(text, baseline[name].decode())
    elif name == "vitesse.lock":
        yield from _lock(text, baseline[name].decode(), streams)
    else:
        yield from _data(name, text, baseline[name].decode())


def _blanked(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def invisible(text: str) -> Iterator[str]:
    """Control, bidirectional and line-separating characters are escaped wherever they come from."""
    for number, line in enumerate(text.split("\n"), 1):
        for char in line:
            if (unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") and char != "\t") or char == "\ufeff":
                yield f"line {number}: the character U+{ord(char):04X} as it is"
                return


def _markdown(text: str, benign: str, streams: Sequence[str]) -> Iterator[str]:
    """No HTML but `<code>`, no link, picture or heading that the benign page has not."""
    reader = MarkdownIt("commonmark").enable("table")
    tokens, expected = reader.parse(text), reader.parse(benign)
    allowed = _MARKDOWN | {token.type for token in expected}
    for token in tokens:
        for one in (token, *(token.children or ())):
            if one.type not in allowed and one.content not in ("<code>", "</code>"):
                yield f"Markdown of the kind {one.type}: {one.content[:80]!r}"
    wanted = [one for one in _headings(expected) if not _STREAM.fullmatch(one)]
    if any(_STREAM.fullmatch(one) for one in _headings(expected)):
        wanted += streams
    if sorted(found := _headings(tokens)) != sorted(wanted):
        yield f"other headings: {found} in place of {wanted}"
    if (count := sum(token.type == "fence" for token in tokens)) != (
        wanted_count := sum(token.type == "fence" for token in expected)
    ):
        yield f"{count} code blocks in place of {wanted_count}"


def _headings(tokens: list[Any]) -> list[str]:
    return [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]


def _mocks(text: str, benign: str) -> Iterator[str]:
    """The mocks' forms hold schemas, which differ; what stands around them does not."""
    value, expected = _strict_json(text), json.loads(benign)
    if isinstance(value, str):
        yield value
    elif not isinstance(value, dict) or value.keys() != expected.keys():
        yield "other keys at its top"
    else:
        for key, inner in expected.items():
            if type(value[key]) is not type(inner) and None not in (value[key], inner):
                yield f"{key} is {type(value[key]).__name__}, not {type(inner).__name__}"


def _lock(text: str, benign: str, streams: Sequence[str]) -> Iterator[str]:
    value, expected = _strict_json(text), json.loads(benign)
    if isinstance(value, str):
        yield value
        return
    inputs = {name for name in expected["inputs"] if not name.startswith("mappings/")}
    inputs |= {f"mappings/{stream}.yaml" for stream in streams}
    if value.keys() != expected.keys() or value["inputs"].keys() != inputs:
        yield "other keys than in the benign lock"
    for name in ("name", "version", "vitesse", "tools", "contract", "runtime", "template", "copied"):
        if value.get(name) != expected.get(name):
            yield f"`{name}` differs from the benign lock's"


def _strict_json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except ValueError as error:
        return f"it is not JSON: {error}"


def _data(name: str, text: str, benign: str) -> Iterator[str]:
    """TOML, YAML and JSON have the benign file's structure; files of other kinds are the same, byte for byte."""
    try:
        match Path(name).suffix:
            case ".toml":
                value, expected = tomllib.loads(text), tomllib.loads(benign)
            case ".yaml" | ".yml":
                value, expected = yaml.safe_load(text), yaml.safe_load(benign)
            case ".json":
                value, expected = json.loads(text), json.loads(benign)
            case _:
                yield "it differs from the benign package's"
                return
    except (ValueError, yaml.YAMLError) as error:
        yield f"it cannot be read: {error}"
        return
    if _shape(value) != _shape(expected):
        yield "its structure differs from the benign package's"


def _shape(value: Any) -> Any:
    """The value with its texts and numbers left out."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value).__name__

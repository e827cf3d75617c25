"""Files that hold outside text in another language than Python: read again, and compared with what they must say."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping

from ..package import LOCK, RenderedPackage
from ..yaml import YamlError, read_yaml
from .model import Around, Gap, LockFile, Page

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_SPAN = re.compile(r"(?<!\\)`[^`\n]*`")
_COMPOSE = re.compile(r"      ([A-Za-z_][A-Za-z0-9_]*): \$\{\1:-\}")
_ENV = re.compile(r"(?:# )?[A-Za-z_][A-Za-z0-9_]*=")


def check_around(text: str, expected: Around) -> Iterator[str]:
    """What is not as it should be in a file of constant stretches with outside text between them."""
    if not text.startswith(expected.parts[0]):
        yield "its beginning is not the template's"
        return
    rest = text[len(expected.parts[0]) :]
    for gap, part in zip(expected.gaps, expected.parts[1:], strict=True):
        is_last = part is expected.parts[-1]
        end = len(rest) - len(part) if is_last else rest.find(part)
        if end < 0 or not rest.startswith(part, end):
            yield "a stretch of the template is missing"
            return
        yield from _gap(rest[:end], gap)
        rest = rest[end + len(part) :]


def _gap(text: str, gap: Gap) -> Iterator[str]:
    match gap:
        case "toml":
            try:
                value = tomllib.loads(f"text = {text}")
            except tomllib.TOMLDecodeError:
                value = {}
            if "\n" in text or list(value) != ["text"] or not isinstance(value["text"], str):
                yield "a TOML value is not one string"
        case "compose":
            if not all(_COMPOSE.fullmatch(line) for line in text.split("\n") if line):
                yield "a line is not a variable of the environment"
        case "env":
            if not all(_ENV.fullmatch(line) for line in text.split("\n") if line):
                yield "a line is not the name of a variable"
        case "markdown":
            yield from check_markdown(text)


def check_markdown(text: str) -> Iterator[str]:
    """Outside text in Markdown is text: no link, no picture, no HTML, nothing that cannot be seen."""
    if _UNSEEN.search(text):
        yield "it holds characters that cannot be seen"
    plain = _SPAN.sub("", text)
    if re.search(r"<(?!/?code>)", plain) or re.search(r"(?<!\\)[\[\]]", plain) or "://" in plain:
        yield "it holds a link or HTML"


def check_page(text: str, expected: Page) -> Iterator[str]:
    """MAPPING.md: its headings and table rows are those of the plan, and every row has six cells."""
    yield from check_markdown(text)
    rows: list[int] = []
    for line in text.split("\n"):
        if line.startswith("## "):
            rows.append(-2)  # the table's own two lines
        elif line.startswith("|"):
            if not rows or len(re.findall(r"(?<!\\)\|", line)) != 7:
                yield "a row has another number of cells"
                return
            rows[-1] += 1
    if tuple(rows) != expected.rows:
        yield f"tables of {rows} rows where the plan has {list(expected.rows)}"


def check_json(text: bytes, value: object) -> Iterator[str]:
    """A JSON file reads as the value."""
    try:
        found = json.loads(text)
    except ValueError:
        yield "it is no JSON"
        return
    if found != value:
        yield "it says something else than the plan"


def check_yaml(text: bytes, value: object) -> Iterator[str]:
    """A YAML file reads as the value."""
    try:
        found = read_yaml(text.decode("ascii"))
    except (YamlError, UnicodeError):
        yield "it is no plain YAML"
        return
    if found != value:
        yield "it says something else than the plan"


def check_lock(package: RenderedPackage, expected: LockFile) -> Iterator[str]:
    """The lock lists every other file with its digest, the plan's inputs and its drafts."""
    try:
        lock = json.loads(package.lock.content)
    except ValueError:
        yield "it is no JSON"
        return
    files: Mapping[str, object] = {file.path: f"sha256:{file.sha256}" for file in package.files if file.path != LOCK}
    if lock.get("files") != files:
        yield "its digests are not those of the files"
    if lock.get("draft") != list(expected.draft) or lock.get("inputs") != dict(expected.inputs):
        yield "its inputs or drafts are not those of the plan"

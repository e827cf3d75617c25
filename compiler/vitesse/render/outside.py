"""Outside text → TOML, YAML, Markdown, `.env`: one serialiser for each, and types that say that a text went through it.

A skeleton file accepts these types and `Slug`; it refuses plain text. Nothing from a spec or a manifest reaches a Dockerfile, a
workflow or a shell line but a `Slug`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from ..diagnostics import InternalError

_SEAL: Final = object()
_SLUG: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,98}[A-Za-z0-9])?|[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u0300-\u036f\u061c\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufe00-\ufe0f\ufeff\ufff0-\uffff]"
    "|[\ud800-\udfff]|[\U000e0000-\U000e0fff]"
)
"""Controls, blanks that look like none, bidirectional marks, tags, lone surrogates: what a reader cannot see."""


class Serialised(str):
    """Text that a serialiser wrote, or a checked name. Made only in this module."""

    __slots__ = ()

    def __new__(cls, text: str, seal: object = None) -> Serialised:
        if seal is not _SEAL:
            raise InternalError(f"`{cls.__name__}` was made outside its serialiser")
        return super().__new__(cls, text)


class Slug(Serialised):
    """A distribution, import or version name, or a number: safe in every file format, shell included."""


class TomlText(Serialised):
    """A TOML basic string with its quotes."""


class YamlText(Serialised):
    """Lines of a YAML mapping."""


class MarkdownText(Serialised):
    """Markdown in which outside text is text only."""


class EnvText(Serialised):
    """Lines of an environment file."""


def slug(value: str | int | float) -> Slug:
    """A checked name.

    Raises:
        InternalError: when it has a character that some file format gives a meaning to; the plan's names have none.
    """
    text = str(value)
    if type(value) not in (str, int, float) or not _SLUG.fullmatch(text):
        raise InternalError(f"the plan names the package {text[:80]!r}, which is no plain name")
    return Slug(text, _SEAL)


def accept(value: object) -> str:
    """`finalize` of the skeleton: only what this module made is written."""
    if isinstance(value, Serialised):
        return value
    raise InternalError(f"the skeleton writes a {type(value).__name__} that went through no serialiser")


def toml_string(text: str) -> TomlText:
    """A basic string (TOML 1.0): quotes, backslashes and what cannot be seen are escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return TomlText(f'"{_UNSEEN.sub(_toml_escape, escaped)}"', _SEAL)


def _toml_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xD800 <= code <= 0xDFFF:
        return "\\uFFFD"  # half a character is none
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def one_line(text: str) -> str:
    """Prose as one line of visible characters: blanks collapsed, what cannot be seen replaced by `�`."""
    return _UNSEEN.sub("\ufffd", " ".join(text.split()))


_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def markdown(text: str) -> str:
    """Prose that Markdown shows as it is: no link, no HTML, no table cell, no heading comes of it."""
    return _escape_punctuation("".join(_HTML.get(character, character) for character in one_line(text)))


def _escape_punctuation(text: str) -> str:
    # `.`, `-`, `+`, `#` mean something at the start of a line only, `://` and `@` only to linkifiers.
    text = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", text)
    text = re.sub(
        r"^(\s*)([#+\-=]|[0-9]+(?=[.)]))", lambda match: match[1] + f"&#{ord(match[2][0])};" + match[2][1:], text
    )
    return text.replace("://", ":&#47;/").replace("www.", "www&#46;").replace("@", "&#64;")


def code_span(text: str) -> str:
    """A code span in a table or a line, whatever backticks and bars the text has."""
    shown = one_line(text)
    if not shown.strip():
        return f'`"{text}"`' if text and not text.strip(" ") else "–"  # a field may be called by blanks alone
    if "|" in shown or "`" in shown:
        # A bar ends a table's cell even in a code span, and entities mean nothing in one.
        return f"<code>{''.join(map(_entity, shown))}</code>"
    return f"`{shown}`"


def _entity(character: str) -> str:
    is_plain = character > "\x7f" or character.isalnum() or character == " "
    return character if is_plain else f"&#{ord(character)};"


def markdown_lines(lines: Iterable[str]) -> MarkdownText:
    """Lines made of `markdown` and `code_span` and of our own words."""
    return MarkdownText("\n".join(lines), _SEAL)


def variable(name: str) -> str:
    """A checked name of an environment variable."""
    if not _VARIABLE.fullmatch(name):
        raise InternalError(f"the plan names an environment variable {name[:80]!r}")
    return name


def compose_environment(names: Sequence[str]) -> YamlText:
    """Members of a Compose service's `environment`. One that is not set is empty, which counts as not set: its file may be named."""
    lines = [f"      {variable(name)}: ${{{name}:-}}" for name in names]
    return YamlText("\n".join(lines), _SEAL)


def environment_example(required: Sequence[str], optional: Sequence[str]) -> EnvText:
    """Names without values, optional ones as comments, each with its newline; nothing where no variable is named."""
    lines = [f"{variable(name)}=\n" for name in required] + [f"# {variable(name)}=\n" for name in optional]
    return EnvText("".join(lines), _SEAL)

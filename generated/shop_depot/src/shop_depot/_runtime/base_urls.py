"""A URL with variables → the one that is called, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from .errors import SettingsError

_HOST_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_PORT = re.compile(r":[0-9]{1,5}\Z")
_PATH_PART = re.compile(r"[A-Za-z0-9._~/-]+")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def build_url(template: str, variables: Mapping[str, str]) -> str:
    """Lay variables into a URL and check the whole; no slash at the end.

    A value can only become what the template gives it room for: a part of the host, or a part of the path. Where the
    template begins with a variable, its value is a URL of its own.

    Raises:
        SettingsError: naming the variable; never its value.
    """
    problems: list[str] = []
    authority_end = _authority_end(template)

    def lay(found: re.Match[str]) -> str:
        name = found[1]
        if not _NAME.fullmatch(name) and name not in variables:
            problems.append(f"the base URL has a variable `{{{name}}}` that is not declared")
            return ""
        if (value := variables.get(name)) is None:
            problems.append(f"the base URL has a variable `{{{name}}}` that is not declared")
            return ""
        if found.start() == 0:
            return value.rstrip("/")
        if found.start() < authority_end:
            part = _PORT.sub("", value) if found.end() == authority_end else value
            if not _HOST_PART.fullmatch(part) or ".." in value:
                problems.append(f"variable `{name}` must be a part of a host name: letters, digits, `.` and `-`")
        elif not _PATH_PART.fullmatch(value) or {".", ".."} & set(value.split("/")):
            problems.append(f"variable `{name}` must be a part of a path: letters, digits, `.`, `-`, `_`, `~` and `/`")
        return value

    url = _VARIABLE.sub(lay, template)
    if problems:
        raise SettingsError(tuple(problems))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError(("the base URL cannot be read",)) from None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if parts.scheme not in ("http", "https"):
        problems.append("the base URL must begin with `https://` (or `http://` inside a private network)")
    elif "@" in parts.netloc:
        problems.append("the base URL holds a user or password: use the declared credential")
    elif not _HOST.fullmatch(host) or ".." in host:
        problems.append("the base URL has no host, or one with characters that no host has")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        problems.append("the base URL holds a query or a fragment")
    if re.search(r"[\x00-\x20\x7f\\]", url):
        problems.append("the base URL holds a space, a backslash or a control character")
    if problems:
        raise SettingsError(tuple(problems))
    return url.rstrip("/")


def _authority_end(template: str) -> int:
    start = template.find("://")
    start = 0 if start < 0 else start + 3
    end = template.find("/", start)
    return len(template) if end < 0 else end

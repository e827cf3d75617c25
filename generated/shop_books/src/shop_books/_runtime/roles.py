"""Who may ask the control API for what: bearer tokens, each with a role.

    read      look at runs, status and metrics; no record of anybody
    operate   the same, and start, stop and undo; look at records that need a person
    admin     the same, and erase, change keys, look at the audit

A variable may hold several tokens, separated by blanks, so that one can be replaced while the other is still in use; one that
comes from a file (`CONTROL_TOKEN_FILE`) is read again when the file changes.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias, get_args

from .declare import Env
from .redact import Redactor
from .setting_values import Value
from .settings import Settings, resolve

Role: TypeAlias = Literal["read", "operate", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""
VARIABLES: tuple[tuple[Role, Env], ...] = (
    ("admin", Env("CONTROL_TOKEN", secret=True)),
    ("operate", Env("CONTROL_TOKEN_OPERATE", secret=True)),
    ("read", Env("CONTROL_TOKEN_READ", secret=True)),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever showed a token."""

    role: Role
    name: str
    """Tells tokens apart in the audit and says nothing about them: `operate 5f0c1a2b`."""

    def may(self, role: Role) -> bool:
        """Whether what needs `role` is allowed."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Tokens:
    """The tokens that count now."""

    def __init__(self, given: Mapping[Role, Value | str]) -> None:
        self._values = {
            role: value if isinstance(value, Value) else Value(value, secret=True) for role, value in given.items()
        }
        self._redactor: Redactor | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> tuple[Tokens, Settings]:
        """The tokens that the environment holds, and the settings whose redactor knows them."""
        environ = os.environ if environ is None else environ
        settings = resolve((), environ, wanted=[env for _, env in VARIABLES])
        there = {env.name for _, env in VARIABLES if environ.get(env.name) or environ.get(f"{env.name}_FILE")}
        return cls({role: settings.value(env) for role, env in VARIABLES if env.name in there}), settings

    def __bool__(self) -> bool:
        return bool(self._values)

    def texts(self) -> tuple[str, ...]:
        """Every token."""
        return tuple(text for value in self._values.values() for text in value.text.split())

    def hide_in(self, redactor: Redactor) -> None:
        """Let a redactor know every token, those that come later too."""
        self._redactor = redactor
        for text in self.texts():
            redactor.register(text)

    def caller(self, authorization: str) -> Caller | None:
        """Who sends this header. Every token is compared, each in constant time, whichever of them is right."""
        scheme, _, shown = authorization.partition(" ")
        given = shown.strip().encode("utf-8", "surrogateescape")
        found: Caller | None = None
        for role, value in self._values.items():
            if value.reload() and self._redactor is not None:
                self.hide_in(self._redactor)
            for text in value.text.split():
                if hmac.compare_digest(given, text.encode()) and found is None:
                    found = Caller(role, f"{role} {sha256(b'control token:' + text.encode()).hexdigest()[:8]}")
        return found if scheme.lower() == "bearer" else None

"""Variables, or files that they name → values, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from .declare import Env, Setting
from .options import Options, convert
from .redact import Redactor
from .setting_values import CONTROL, Value, read_file


def override(name: str) -> Env:
    """The variable that takes the place of a URL of the description."""
    return Env(name, default="")


class Environment:
    """Reads variables and remembers what was wrong, in the order in which it was asked."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.redactor = Redactor()
        self.values: dict[Setting, Value] = {}
        self.missing: dict[str, None] = {}
        self.problems: dict[str, None] = {}

    def has(self, name: str) -> bool:
        """Whether a variable is set, or names a file."""
        return bool(self.environ.get(name) or self.environ.get(f"{name}_FILE"))

    def need(self, *settings: Setting, secret: bool = False) -> None:
        """Read what must be there."""
        for setting in settings:
            if isinstance(setting, Env) and not self.add(setting, secret=secret) and not self.has(setting.name):
                self.missing[setting.name] = None

    def add(self, env: Env, *, secret: bool = False) -> bool:
        """Read one variable into `values`. False when it is not there or cannot be."""
        secret = secret or env.secret
        name, file = env.name, None
        text, path = self.environ.get(name), self.environ.get(f"{name}_FILE")
        if text and path:
            self.problems[f"`{name}` and `{name}_FILE` are both set: keep one"] = None
            return False
        if path:
            file = Path(path)
            try:
                text = read_file(file)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not short UTF-8 text"
                self.problems[f"`{name}_FILE` names a file that cannot be read: {reason}"] = None
                return False
            if not text:
                self.problems[f"`{name}_FILE` names a file that is empty"] = None
                return False
        text = text or env.default
        if text is None:
            return False
        if CONTROL.search(text):
            self.problems[f"`{name}` holds a line break or another control character"] = None
            return False
        if secret:
            self.redactor.register(text)
        self.values[env] = Value(text, secret=secret, file=file, redactor=self.redactor if secret else None)
        return True

    def options(self) -> Options:
        """The options of the engine, as far as they are set."""
        read: dict[str, Any] = {}
        for each in fields(Options):
            name, least, most = each.metadata["env"], each.metadata["least"], each.metadata["most"]
            env = Env(name, secret=each.metadata["secret"])
            if not self.has(name) or not self.add(env):
                continue
            try:
                value = convert(each.type, self.values.pop(env).text, name)
            except ValueError as error:
                self.problems[f"`{name}` is not {error}"] = None
                continue
            if (least is not None and value < least) or (most is not None and value > most):
                bounds = f"at least {least}" if most is None else f"between {least} and {most}"
                self.problems[f"`{name}` must be {bounds}"] = None
                continue
            read[each.name] = value
        return Options(**read)

"""How a request proves who sends it.

A credential becomes header fields or query pairs; the text of a secret file is read again when it changes, and once more at
once when the server says 401, so that a rotated secret needs no restart.
"""

from __future__ import annotations

import base64
from typing import assert_never

from ..clock import Clock
from ..declare import ApiKey, Auth, Basic, Bearer, OAuth2
from ..errors import SettingsError
from ..setting_values import Value
from ..settings import Settings, credentials
from .encode import cookie_pair, escape, header_name, header_text

LOOK_EVERY_S = 5.0
"""How often secret files are looked at."""


class Authenticator:
    """The credential of one API. `generation` grows when it changes; then `headers` and `query` are others."""

    __slots__ = ("_auth", "_clock", "_look_at", "_settings", "_values", "generation", "headers", "query")

    is_fetched: bool = False
    """Whether `ready` has to be awaited before a request is made."""

    def __init__(self, auth: Auth, settings: Settings, clock: Clock) -> None:
        self._auth = auth
        self._clock = clock
        self._settings = settings
        self._values: list[Value] = [settings.value(setting) for setting, _ in credentials(auth)]
        for value, (_, secret) in zip(self._values, credentials(auth), strict=True):
            if secret:
                settings.redactor.register(value.text)
        self._look_at = clock.monotonic() + LOOK_EVERY_S if self.can_change else float("inf")
        self.generation = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.query: tuple[str, ...] = ()
        self._spell()

    @property
    def can_change(self) -> bool:
        """Whether a part of it comes from a file."""
        return any(value.can_change for value in self._values)

    @property
    def query_name(self) -> str | None:
        """The query parameter that carries the credential, if one does."""
        return self._auth.name if isinstance(self._auth, ApiKey) and self._auth.location == "query" else None

    def look(self, now: float) -> None:
        """Look at the secret files, now and then. `now` is the clock's."""
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self.reload()

    def reload(self) -> bool:
        """Look at the secret files now. True when the credential is another one."""
        changed = [value.reload() for value in self._values]  # all of them, not only up to the first that changed
        if not any(changed):
            return False
        self._spell()
        self.generation += 1
        return True

    async def ready(self) -> None:
        """Return with a credential that is valid now."""

    async def renew(self, generation: int) -> bool:
        """The server said 401 to the credential of `generation`. True when there is another one now."""
        # Another worker may have read the new one while the request was under way.
        return generation != self.generation or self.reload()

    async def aclose(self) -> None:
        """End its own connections."""

    def _spell(self) -> None:
        match self._auth:
            case None | OAuth2():
                return
            case Bearer():
                self.headers = (("Authorization", _header("Authorization", f"Bearer {self._values[0].text}")),)
            case Basic():
                user, password = (value.text for value in self._values)
                if ":" in user:
                    raise SettingsError(("the user name of a Basic credential holds a colon, which RFC 7617 forbids",))
                pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
                self._settings.redactor.register(pair)
                self.headers = (("Authorization", f"Basic {pair}"),)
            case ApiKey(name=name, prefix=prefix, location=location):
                text = prefix + self._values[0].text
                if location == "query":
                    self.query = (f"{escape(name)}={escape(text)}",)
                elif location == "cookie":
                    self.headers = (("Cookie", cookie_pair(name, text)),)
                else:
                    self.headers = ((header_name(name), _header(name, text)),)
            case _:
                assert_never(self._auth)


def _header(name: str, text: str) -> str:
    try:
        text.encode("ascii")
    except UnicodeEncodeError:
        raise SettingsError((f"the credential for header `{name}` holds characters that are not ASCII",)) from None
    return header_text(name, text)

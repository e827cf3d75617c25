"""The environment → what a package runs with: options with defaults, and each value that the declarations name.

Everything is resolved once, when the package starts, and everything that is missing or cannot be is told at once. `NAME`
may also be given as `NAME_FILE`, the path of a file that holds the value (mounted secrets); such a secret is read again when
its file changes. Values are never shown: problems name the variable, and each secret is registered for redaction.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from .base_urls import build_url
from .declare import Api, ApiKey, Auth, Basic, Bearer, Env, Integration, OAuth2, Setting
from .environment import Environment, override
from .errors import SettingMissing, SettingsError
from .mask import names_of
from .options import Options
from .redact import Redactor
from .setting_values import Value


class Settings:
    """What `resolve_settings` found: options, and a `Value` for each `Setting` that the declarations hold."""

    __slots__ = ("_values", "options", "redactor", "user_agent")

    def __init__(
        self,
        *,
        options: Options | None = None,
        values: Mapping[Setting, Value] | None = None,
        redactor: Redactor | None = None,
        user_agent: str = "integration",
    ) -> None:
        self.options = options or Options()
        self.redactor = redactor or Redactor()
        self.user_agent = user_agent
        self._values = dict(values or {})

    def value(self, setting: Setting) -> Value:
        """The resolved setting. Raises `SettingMissing` for an `Env` that was not asked for when the package started."""
        if isinstance(setting, str):
            return Value(setting, secret=False)
        if (value := self._values.get(setting)) is None:
            raise SettingMissing((f"`{setting.name}` is not set",), (setting.name,))
        return value

    def found(self, setting: Setting | None) -> Value | None:
        """As `value`, for a setting that may be absent."""
        if setting is None or (isinstance(setting, Env) and setting not in self._values):
            return None
        return self.value(setting)

    def text(self, setting: Setting) -> str:
        """The text of a setting that is not expected to change."""
        return setting if isinstance(setting, str) else self.value(setting).text

    def base_url(self, api: Api) -> str:
        """The API's URL, complete and checked, without a slash at its end."""
        if api.url_env is not None and (own := self._values.get(override(api.url_env))) is not None:
            template, variables = own.text, {}
        else:
            template = self.text(api.base_url)
            variables = {name: self.text(setting) for name, setting in api.variables}
        return build_url(template, variables)

    def token_url(self, api: Api, auth: OAuth2) -> str:
        """Where tokens are fetched: complete and checked, as it is written behind the host."""
        if auth.url_env is not None and (own := self._values.get(override(auth.url_env))) is not None:
            template, variables = own.text, {}
        else:
            template = self.text(auth.token_url)
            variables = {name: self.text(setting) for name, setting in api.variables}
        if template.startswith("/"):
            template = re.sub(r"(://[^/]*).*", r"\1", self.base_url(api)) + template
        head, question, query = template.partition("?")
        if re.search(r"[^!-~]|[\\#{}]", query):
            raise SettingsError(("the token URL holds a character that no query has",))
        try:
            slash = "/" if head.endswith("/") else ""
            return build_url(head, variables) + slash + question + query
        except SettingsError as error:
            raise SettingsError(tuple(each.replace("base URL", "token URL") for each in error.problems)) from None


def is_fast_asked() -> bool:
    """Whether `WIRE` says so; asked before anything else is read, since an event loop cannot be changed later."""
    return os.environ.get("WIRE", "").strip().lower() == "fast"


def resolve_settings(integration: Integration, environ: Mapping[str, str] | None = None) -> Settings:
    """Read everything that an integration needs from `environ` (the process's own when None).

    Secrets of webhooks are read when they are there; whoever serves webhooks asks for them by `Settings.value`.

    Raises:
        SettingsError: with every problem; `SettingMissing` when all of them are variables that are not set.
    """
    masked: set[str] = set()
    fixed = [
        each.value
        for stream in integration.streams
        for each in (*stream.source.parameters, *stream.destination.parameters)
    ]
    settings = resolve(
        (integration.source, integration.destination),
        environ,
        needed=fixed,
        wanted=[
            each
            for webhook in integration.webhooks
            for each in (webhook.secret, *webhook.secrets, webhook.handshake_secret)
            if each is not None
        ],
        user_agent=f"{integration.name}/{integration.version}",
    )
    for stream in integration.streams:
        masked |= names_of((*stream.mask, *stream.mask_destination))
    settings.redactor.mask(masked)
    return settings


def credentials(auth: Auth) -> tuple[tuple[Setting, bool], ...]:
    """The settings of a credential; the second member says whether it is a secret."""
    match auth:
        case ApiKey():
            return ((auth.value, True),)
        case Basic():
            return (auth.username, False), (auth.password, True)
        case Bearer():
            return ((auth.token, True),)
        case OAuth2():
            secret = () if auth.client_secret is None else ((auth.client_secret, True),)
            return (auth.client_id, False), *secret
        case None:
            return ()


def resolve(
    apis: Iterable[Api],
    environ: Mapping[str, str] | None = None,
    *,
    needed: Iterable[Setting] = (),
    wanted: Iterable[Setting] = (),
    user_agent: str = "integration",
) -> Settings:
    """As `resolve_settings`, for a caller that has APIs and no integration. `wanted` may be absent."""
    apis = tuple(apis)
    reader = Environment(os.environ if environ is None else environ)
    for api in apis:
        if api.url_env and reader.has(api.url_env):
            reader.add(override(api.url_env))
        else:
            reader.need(api.base_url, *(value for _, value in api.variables))
        reader.need(*(value for _, value in api.headers))
        for setting, secret in credentials(api.auth):
            reader.need(setting, secret=secret)
        if isinstance(api.auth, OAuth2):
            _read_oauth2(reader, api.auth)
    reader.need(*needed)
    for setting in wanted:
        if isinstance(setting, Env) and reader.has(setting.name):
            reader.need(setting, secret=True)
            if (value := reader.values.get(setting)) is not None:
                for word in value.text.split():  # several secrets in one variable are hidden one by one too
                    reader.redactor.register(word)
    settings = Settings(options=reader.options(), values=reader.values, redactor=reader.redactor, user_agent=user_agent)
    for api in apis:
        try:
            settings.base_url(api)
            if isinstance(api.auth, OAuth2):
                settings.token_url(api, api.auth)
        except SettingMissing:
            continue
        except SettingsError as error:
            reader.problems.update(dict.fromkeys(f"{api.title}: {each}" for each in error.problems))
    missing = tuple(
        f"`{name}` is not set: give it, or `{name}_FILE` with the path of a file that holds it"
        for name in reader.missing
    )
    if reader.problems:
        raise SettingsError((*missing, *reader.problems))
    if missing:
        raise SettingMissing(missing, tuple(reader.missing))
    return settings


def _read_oauth2(reader: Environment, auth: OAuth2) -> None:
    if auth.url_env and reader.has(auth.url_env):
        reader.add(override(auth.url_env))
    else:
        reader.need(auth.token_url)
    if isinstance(auth.refresh_token, Env) and reader.has(auth.refresh_token.name):
        reader.need(auth.refresh_token, secret=True)

"""The environment → what a package runs with: options with defaults, and each value that the declarations name.

Everything is resolved once, when the package starts, and everything that is missing or cannot be is told at once. `NAME`
may also be given as `NAME_FILE`, the path of a file that holds the value (mounted secrets); such a secret is read again when
its file changes. Values are never shown: problems name the variable, and each secret is registered for redaction.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .declare import Api, ApiKey, Auth, Basic, Bearer, Env, Integration, OAuth2, Setting
from .errors import SettingMissing, SettingsError
from .mask import names_of
from .redact import Redactor

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_PORT = re.compile(r":[0-9]{1,5}\Z")
_PATH_PART = re.compile(r"[A-Za-z0-9._~/-]+")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_FILE_BYTES = 64 * 1024


def _option(
    env: str, default: object, text: str, *, least: float | None = None, most: float | None = None, secret: bool = False
) -> Any:
    """One field of `Options`: its environment variable, its default, its bounds and one sentence for people."""
    meta = {"env": env, "text": text, "least": least, "most": most, "secret": secret}
    return field(default=default, metadata=meta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the engine works, as far as the environment may say. `OPTIONS` lists the variables with their sentences."""

    batch_size: int = _option("BATCH_SIZE", 100, "records written with one request, at most", least=1, most=10_000)
    sync_interval_s: float | None = _option(
        "SYNC_INTERVAL_SECONDS", None, "seconds between runs; replaces the schedule of every stream", least=1
    )
    max_concurrent: int = _option(
        "SYNC_MAX_CONCURRENT", 16, "requests under way at once to one API, at most", least=1, most=1000
    )
    database_url: str | None = _option(
        "DATABASE_URL", None, "SQLAlchemy URL of the state; SQLite in the working folder when unset", secret=True
    )
    database_pool_size: int = _option(
        "DATABASE_POOL_SIZE", 5, "connections to the database, at most", least=1, most=100
    )
    state_key: str | None = _option(
        "STATE_KEY",
        None,
        "Fernet keys, newest first: payloads and tokens in the state are sealed with them",
        secret=True,
    )
    lease_s: float = _option(
        "LEASE_SECONDS", 60.0, "seconds after which a run that does not answer may be taken over", least=1, most=3600
    )
    runner: str = _option(
        "RUNNER", "local", "local: this process carries out its runs; cluster: workers do, over one PostgreSQL"
    )
    worker_id: str | None = _option(
        "WORKER_ID", None, "name of this worker, unlike that of any other; made up when unset (RUNNER=cluster)"
    )
    worker_runs: int = _option(
        "WORKER_RUNS", 4, "runs that one worker carries out at once (RUNNER=cluster)", least=1, most=64
    )
    wire: str = _option(
        "WIRE", "aiohttp", "what sends requests: aiohttp, or fast (extra `fast`: httptools, uvloop where it runs)"
    )
    request_deadline_s: float = _option(
        "REQUEST_DEADLINE_SECONDS",
        60.0,
        "seconds for one attempt of one request, its body included",
        least=0.01,
        most=3600,
    )
    connect_timeout_s: float = _option(
        "CONNECT_TIMEOUT_SECONDS", 10.0, "seconds for a connection to come about", least=0.01, most=300
    )
    max_body_bytes: int = _option("MAX_BODY_BYTES", 64 * 1024 * 1024, "decoded size of one reply, at most", least=1024)
    max_attempts: int = _option("MAX_ATTEMPTS", 5, "how often one request is sent, at most", least=1, most=100)
    max_wait_s: float = _option(
        "MAX_WAIT_SECONDS", 120.0, "the longest wait before a retry; a longer Retry-After ends the run", least=0
    )
    destination_lag_s: float = _option(
        "DESTINATION_LAG_SECONDS",
        5.0,
        "seconds after which the destination finds what was written; waited before a write is taken for lost",
        least=0,
        most=600,
    )
    allow_private_network: bool = _option(
        "ALLOW_PRIVATE_NETWORK", False, "let host names lead to private and loopback addresses, plain HTTP included"
    )
    metrics_port: int | None = _option(
        "METRICS_PORT", None, "where a worker of a cluster answers monitors; nowhere when unset", least=1, most=65_535
    )
    health_max_queue: int = _option(
        "HEALTH_MAX_QUEUE", 1000, "rows that wait in one queue of the state before health says so", least=1
    )
    health_max_memory_mb: int | None = _option(
        "HEALTH_MAX_MEMORY_MB",
        None,
        "memory of the process before health says so; the container's limit when unset",
        least=16,
    )
    health_max_lag_s: float | None = _option(
        "HEALTH_MAX_LAG_SECONDS", None, "seconds since a run of a stream went well before health says so", least=1
    )
    alert_conflict_share: float = _option(
        "ALERT_CONFLICT_SHARE",
        0.05,
        "share of a run's records that are held as conflicts before an alert",
        least=0,
        most=1,
    )
    alert_score: int = _option(
        "ALERT_SCORE", 70, "an overall score of health below this is an alert", least=0, most=100
    )
    monitor: bool = _option(
        "MONITOR", False, "write nothing anywhere: every run is a dry run that shows what it would do"
    )
    log_level: str = _option("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR")
    log_format: str = _option("LOG_FORMAT", "json", "json or text")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionText:
    """One environment variable of the engine, for documentation and `doctor`."""

    env: str
    default: str
    text: str


OPTIONS: tuple[OptionText, ...] = tuple(
    OptionText(
        env=each.metadata["env"], default="" if each.default is None else str(each.default), text=each.metadata["text"]
    )
    for each in fields(Options)
    if each.default is not NO_DEFAULT
)

_CHOICES = {
    "RUNNER": ("local", "cluster"),
    "WIRE": ("aiohttp", "fast"),
    "LOG_LEVEL": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "LOG_FORMAT": ("json", "text"),
}
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Value:
    """A resolved setting. One that came from a file is read again by `reload` when the file has changed."""

    __slots__ = ("_file", "_redactor", "_stamp", "secret", "text")

    def __init__(self, text: str, *, secret: bool, file: Path | None = None, redactor: Redactor | None = None) -> None:
        self.text = text
        self.secret = secret
        self._file = file
        self._redactor = redactor
        self._stamp = _stamp(file)

    def __repr__(self) -> str:
        return "Value([redacted])" if self.secret else f"Value({self.text!r})"

    @property
    def can_change(self) -> bool:
        """Whether it comes from a file."""
        return self._file is not None

    def reload(self) -> bool:
        """Read the file again if it was written since. True when the value is another one now; a file that cannot be read
        or holds nothing keeps the old value (it is being replaced at this moment)."""
        if self._file is None:
            return False
        stamp = _stamp(self._file)
        if stamp == self._stamp or stamp is None:
            return False
        try:
            text = _read(self._file)
        except (OSError, ValueError):
            return False
        self._stamp = stamp
        if not text or text == self.text or _CONTROL.search(text):
            return False
        if self._redactor is not None:
            self._redactor.register(text)
        self.text = text
        return True


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    if file is None:
        return None
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(file: Path) -> str:
    with file.open("rb") as stream:
        raw = stream.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError("too large")
    return raw.decode("utf-8-sig").strip("\r\n \t")


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
        if api.url_env is not None and (own := self._values.get(_override(api.url_env))) is not None:
            template, variables = own.text, {}
        else:
            template = self.text(api.base_url)
            variables = {name: self.text(setting) for name, setting in api.variables}
        return build_url(template, variables)

    def token_url(self, api: Api, auth: OAuth2) -> str:
        """Where tokens are fetched: complete and checked, as it is written behind the host."""
        if auth.url_env is not None and (own := self._values.get(_override(auth.url_env))) is not None:
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


def _override(name: str) -> Env:
    return Env(name, default="")


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
        wanted=[each for webhook in integration.webhooks for each in (webhook.secret, *webhook.secrets)],
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
    reader = _Reader(os.environ if environ is None else environ)
    for api in apis:
        if api.url_env and reader.has(api.url_env):
            reader.add(_override(api.url_env))
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


def _read_oauth2(reader: _Reader, auth: OAuth2) -> None:
    if auth.url_env and reader.has(auth.url_env):
        reader.add(_override(auth.url_env))
    else:
        reader.need(auth.token_url)
    if isinstance(auth.refresh_token, Env) and reader.has(auth.refresh_token.name):
        reader.need(auth.refresh_token, secret=True)


class _Reader:
    """Reads variables and remembers what was wrong, in the order in which it was asked."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.redactor = Redactor()
        self.values: dict[Setting, Value] = {}
        self.missing: dict[str, None] = {}
        self.problems: dict[str, None] = {}

    def has(self, name: str) -> bool:
        return bool(self.environ.get(name) or self.environ.get(f"{name}_FILE"))

    def need(self, *settings: Setting, secret: bool = False) -> None:
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
                text = _read(file)
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
        if _CONTROL.search(text):
            self.problems[f"`{name}` holds a line break or another control character"] = None
            return False
        if secret:
            self.redactor.register(text)
        self.values[env] = Value(text, secret=secret, file=file, redactor=self.redactor if secret else None)
        return True

    def options(self) -> Options:
        read: dict[str, Any] = {}
        for each in fields(Options):
            name, least, most = each.metadata["env"], each.metadata["least"], each.metadata["most"]
            env = Env(name, secret=each.metadata["secret"])
            if not self.has(name) or not self.add(env):
                continue
            try:
                value = _convert(each.type, self.values.pop(env).text, name)
            except ValueError as error:
                self.problems[f"`{name}` is not {error}"] = None
                continue
            if (least is not None and value < least) or (most is not None and value > most):
                bounds = f"at least {least}" if most is None else f"between {least} and {most}"
                self.problems[f"`{name}` must be {bounds}"] = None
                continue
            read[each.name] = value
        return Options(**read)


def _convert(type: object, text: str, name: str) -> Any:
    match str(type):
        case "int" | "int | None":
            if not re.fullmatch(r"[0-9]{1,15}", text):
                raise ValueError("a whole number")
            return int(text)
        case "float" | "float | None":
            if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
                raise ValueError("a number")
            return float(text)
        case "bool":
            if text.lower() not in (*_TRUE, *_FALSE):
                raise ValueError("`true` or `false`")
            return text.lower() in _TRUE
        case _:
            if (choices := _CHOICES.get(name)) is not None:
                by_name = {choice.lower(): choice for choice in choices}
                if text.lower() not in by_name:
                    raise ValueError(f"one of {', '.join(choices)}")
                return by_name[text.lower()]
            return text


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

"""What can go wrong with an API, as one tree, and what each failure means for a run, as one table.

    IntegrationError
    ├── SettingsError            the environment lacks something or holds what cannot be; names, never values
    │   └── SettingMissing
    ├── RequestRefused           we refuse to send it (a path value of `..`, a line break in a header)
    ├── AddressRefused           the host's address is not one this package may talk to
    ├── TransportError           no complete reply; `sent` tells whether the request may have reached the server
    │   ├── ConnectFailed        refused, unreachable, no such name: never sent
    │   ├── TlsFailed            the certificate or the handshake: never sent
    │   ├── DeadlineExceeded     the time for one attempt, body included, is over
    │   └── BodyTooLarge         decoded size or compression ratio above the cap
    ├── RedirectRefused          a redirect; credentials do not travel to where it points
    ├── ApiError                 a complete reply that says no (status, request_id, excerpt, operation)
    │   ├── AuthError            401, 403, 407
    │   ├── NotFound             404, 410
    │   ├── Conflict             409, 412, 423
    │   ├── Throttled            429; `retry_after_s` when the server said
    │   ├── Rejected             any other 4xx, and a 2xx whose body says no
    │   └── ServerError          5xx, 408, 421, 425
    ├── DecodeError              a 2xx reply that is not what it should be
    │   └── Truncated            … because the JSON ends early or is broken
    ├── PagingError              pages that go in circles, have no end or lead elsewhere
    ├── SignInNeeded             OAuth2: the token endpoint says no; nothing is asked again before somebody signs in
    ├── TokenUnavailable         OAuth2: no access token for now; what was to be sent was not
    ├── BreakerOpen              not sent: the API failed too often just now
    └── BudgetExhausted          not resent: retries had become too large a share of the traffic

`failure` is one of: `transient` (try again), `throttled` (wait), `auth` (stop), `permanent_record` (this record is a dead
letter), `systematic` (stop: the next record would fail alike), `unknown` (a write that may have been carried out: look it up).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

FailureClass: TypeAlias = Literal["transient", "throttled", "auth", "permanent_record", "systematic", "unknown"]


class IntegrationError(Exception):
    """The root. `may_have_acted` is true for a write whose effect is not known; it makes `failure` `unknown`."""

    may_have_acted: bool = False
    attempts: int = 0
    """How often the request was sent before this was raised."""

    @property
    def failure(self) -> FailureClass:
        """What a run does about it."""
        return "unknown" if self.may_have_acted else self.plain_failure()

    def plain_failure(self) -> FailureClass:
        """As `failure`, if nothing was carried out."""
        return next(FAILURES[kind] for kind in type(self).__mro__ if kind in FAILURES)


class SettingsError(IntegrationError):
    """Everything that is wrong with the settings, all at once, one line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class SettingMissing(SettingsError):
    """Only settings that are not there at all; `names` lists them."""

    def __init__(self, problems: tuple[str, ...], names: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.names = names


class RequestRefused(IntegrationError):
    """A request that would not mean what it should: nothing was sent."""


class AddressRefused(IntegrationError):
    """The name leads to an address that is closed to this package: nothing was sent."""


class TransportError(IntegrationError):
    """No complete reply.

    `sent` is False when the request surely did not reach the server, True when a reply had begun, None when nobody can know.
    """

    def __init__(self, message: str, *, sent: bool | None) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectFailed(TransportError):
    """No connection came about."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class TlsFailed(TransportError):
    """The server could not prove who it is."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class DeadlineExceeded(TransportError):
    """The deadline of one attempt passed: connecting, sending, waiting and reading the body together."""


class BodyTooLarge(TransportError):
    """A reply above the cap. It is not read to its end."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class RedirectRefused(IntegrationError):
    """The server answered with a redirect."""

    def __init__(self, message: str, *, status: int, location: str) -> None:
        super().__init__(message)
        self.status = status
        self.location = location


class ApiError(IntegrationError):
    """A complete reply that says no.

    The excerpt is the beginning of the body, on one line, without control characters and secrets.
    """

    def __init__(
        self,
        *,
        status: int,
        operation: str,
        api: str = "",
        request_id: str | None = None,
        excerpt: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        self.status = status
        self.operation = operation
        self.api = api
        self.request_id = request_id
        self.excerpt = excerpt
        self.retry_after_s = retry_after_s
        where = f"{operation} at {api}" if api else operation
        marks = f" (request id {request_id})" if request_id else ""
        super().__init__(f"{where}: status {status}{marks}" + (f": {excerpt}" if excerpt else ""))

    def plain_failure(self) -> FailureClass:
        return STATUS_FAILURES.get(self.status) or super().plain_failure()


class AuthError(ApiError):
    """The credential is not accepted, or not for this."""


class NotFound(ApiError):
    """There is no such thing (any more)."""


class Conflict(ApiError):
    """It exists already, or has changed meanwhile."""


class Throttled(ApiError):
    """Too fast. `retry_after_s` is what the server asked for."""


class Rejected(ApiError):
    """The request is understood and refused."""


class ServerError(ApiError):
    """The server could not do it this time."""


class DecodeError(IntegrationError):
    """A reply that was accepted but cannot be read as what it should be."""

    def __init__(self, message: str, *, operation: str = "", excerpt: str = "", request_id: str | None = None) -> None:
        self.operation = operation
        self.excerpt = excerpt
        self.request_id = request_id
        super().__init__((f"{operation}: " if operation else "") + message + (f": {excerpt}" if excerpt else ""))


class Truncated(DecodeError):
    """The JSON is cut off or broken; another attempt may bring it whole."""


class PagingError(IntegrationError):
    """The pages of a list do not lead to an end."""


class SignInNeeded(IntegrationError):
    """The token endpoint refused the credential or the refresh token: nothing was sent, and asking again would not help."""

    def __init__(self, api: str, reason: str, *, way_out: str) -> None:
        self.api = api
        self.reason = reason
        super().__init__(f"{api}: no access token: {reason}; {way_out}")


class TokenUnavailable(IntegrationError):
    """There is no valid access token and none could be fetched just now: nothing was sent."""

    def __init__(self, api: str, error: IntegrationError) -> None:
        self.api = api
        self.error = error
        super().__init__(f"{api}: no access token: {error}")

    def plain_failure(self) -> FailureClass:
        failure = self.error.plain_failure()
        return "systematic" if failure == "permanent_record" else failure


class BreakerOpen(IntegrationError):
    """Nothing was sent: the breaker of this API is open for another `retry_in_s` seconds."""

    def __init__(self, api: str, retry_in_s: float) -> None:
        self.api = api
        self.retry_in_s = retry_in_s
        super().__init__(
            f"{api} failed too often; the circuit breaker lets the next request through in {retry_in_s:.0f} s"
        )


class BudgetExhausted(IntegrationError):
    """No retry: `error` would be worth one, but retries had become too large a share of the traffic."""

    def __init__(self, error: IntegrationError) -> None:
        self.error = error
        self.may_have_acted = error.may_have_acted
        self.attempts = error.attempts
        super().__init__(f"not sent again, the retry budget is used up: {error}")

    def plain_failure(self) -> FailureClass:
        return self.error.failure


FAILURES: dict[type[BaseException], FailureClass] = {
    IntegrationError: "systematic",
    SettingsError: "systematic",
    SettingMissing: "systematic",
    RequestRefused: "permanent_record",
    AddressRefused: "systematic",
    TransportError: "transient",
    ConnectFailed: "transient",
    TlsFailed: "systematic",
    DeadlineExceeded: "transient",
    BodyTooLarge: "systematic",
    RedirectRefused: "systematic",
    ApiError: "systematic",
    AuthError: "auth",
    NotFound: "permanent_record",
    Conflict: "permanent_record",
    Throttled: "throttled",
    Rejected: "permanent_record",
    ServerError: "transient",
    DecodeError: "systematic",
    Truncated: "transient",
    PagingError: "systematic",
    SignInNeeded: "auth",
    TokenUnavailable: "transient",
    BreakerOpen: "transient",
    BudgetExhausted: "transient",
}
"""The table: kind of error → what it means. The nearest ancestor counts."""

STATUS_FAILURES: dict[int, FailureClass] = {
    402: "systematic",
    405: "systematic",
    406: "systematic",
    415: "systematic",
    426: "systematic",
    428: "systematic",
    501: "systematic",
    505: "systematic",
}
"""Statuses that mean something else than the rest of their kind."""

_KINDS: dict[int, type[ApiError]] = {
    401: AuthError,
    403: AuthError,
    407: AuthError,
    404: NotFound,
    410: NotFound,
    409: Conflict,
    412: Conflict,
    423: Conflict,
    429: Throttled,
    408: ServerError,
    421: ServerError,
    425: ServerError,
}

ANSWERED_BEFORE_ACTING = frozenset({408, 421, 425, 501, 505})
"""Statuses of `ServerError` that say that the request was not carried out."""


def kind_of(status: int) -> type[ApiError]:
    """The class for a status that is not 2xx."""
    if (kind := _KINDS.get(status)) is not None:
        return kind
    if status >= 500:
        return ServerError
    return Rejected if status >= 400 or status < 300 else ApiError

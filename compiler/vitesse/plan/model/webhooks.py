"""What is delivered, how it is signed and registered."""

from __future__ import annotations

from typing import Literal

from ...frozen import dataclass
from .clients import SettingValue
from .types import JsonPath


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePlan:
    """As `runtime.declare.SignatureScheme`, member by member."""

    header: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "digest", "token"] = "hmac"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    content: str = "{body}"
    id_header: str | None = None
    id_path: JsonPath | None = None
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    timestamp_path: JsonPath | None = None
    timestamp_unit: Literal["s", "ms", "iso8601"] = "s"
    tolerance_s: int | None = None
    separator: str | None = None
    secret_encoding: Literal["text", "base64", "whsec_base64"] = "text"
    url_unescaped: str = ""
    forms: bool = False
    challenge_path: JsonPath | None = None
    challenge_reply: Literal["echo", "hmac"] = "echo"
    handshake_challenge: str | None = None
    handshake_word: str | None = None
    handshake_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPlan:
    """How the source is asked to deliver."""

    operation: str
    """Constants of the operations."""
    list: str | None
    body: tuple[tuple[JsonPath, str | int | bool], ...]
    records: JsonPath = ()
    topic: JsonPath | None = None
    url: JsonPath | None = None
    delete: str | None = None
    delete_argument: str = "id"
    identity: JsonPath = ("id",)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPlan:
    topics: tuple[str, ...]
    scheme: SignaturePlan
    secret: SettingValue
    stream: str
    record: JsonPath = ()
    secrets: tuple[SettingValue, ...] = ()
    deleted_topics: tuple[str, ...] = ()
    topic_path: JsonPath | None = None
    events: tuple[JsonPath, ...] | None = None
    record_id: JsonPath | None = None
    handshake_secret: SettingValue | None = None
    register: RegistrationPlan | None = None

    @property
    def all_secrets(self) -> tuple[SettingValue, ...]:
        """What has to be told to whoever serves it."""
        return (self.secret, *self.secrets, *((self.handshake_secret,) if self.handshake_secret is not None else ()))

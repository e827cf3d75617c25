"""The webhooks of a manifest: what is delivered, how it is signed, how it is registered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from ..forms import Form
from .texts import Env, Name, OperationId, PathText, shape


class SignatureScheme(Form):
    """How a sender signs: an HMAC over `content`, a template of `{body}`, `{id}`, `{ts}`, `{method}`, `{url}`, `{form}`, `{secret}`."""

    header: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "digest", "token"] = "hmac"
    """digest: a plain hash of `content`, which then holds `{secret}`. token: the header is the secret itself."""
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    """Before the signature."""
    content: str = "{body}"
    id_header: str | None = None
    """The header that names a delivery."""
    id_path: PathText | None = None
    """The field of the body that names a delivery."""
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    """The timestamp is a part of the signature header and begins so: `t=`."""
    timestamp_path: PathText | None = None
    """The timestamp is in the body."""
    timestamp_unit: Literal["s", "ms", "iso8601"] = "s"
    tolerance_s: Annotated[int, Field(ge=1, le=86400)] | None = None
    separator: str | None = None
    """Between several signatures in one header."""
    secret_encoding: Literal["text", "base64", "whsec_base64"] = "text"
    url_unescaped: str = ""
    """Characters whose percent escapes are decoded in `{url}` before it is signed."""
    forms: bool = False
    """Bodies that say they are forms are read: an object of texts. Others are JSON."""
    challenge_path: PathText | None = None
    """A delivery with text here is a handshake."""
    challenge_reply: Literal["echo", "hmac"] = "echo"
    handshake_challenge: Annotated[str, Field(min_length=1)] | None = None
    """The query parameter of a GET whose text is the answer, when the GET knows the word."""
    handshake_word: Annotated[str, Field(min_length=1)] | None = None
    """The query parameter that holds the word, which is the webhook's `handshake_secret`."""
    handshake_mode: Annotated[str, Field(pattern="^[^=]+=")] | None = None
    """A further query parameter and the value it must have: `hub.mode=subscribe`."""


class Registration(Form):
    """How the source is asked to deliver: by `webhooks register` of the package, which leaves alone what is there."""

    operation: OperationId
    """Makes one registration: `POST /webhooks.json`."""
    list: OperationId | None = None
    """Lists those that there are; without it nothing is known of them, and what is there twice is the vendor's to refuse."""
    body: Annotated[dict[PathText, str | int | bool], Field(min_length=1)]
    """Field path of the body → a value; `{topic}`, `{topics}` and `{url}` stand for the delivery's own. With `{topics}` one
    registration takes all of them."""
    records: PathText = ""
    """Where the list is in what `list` answers; empty for the whole reply."""
    topic: PathText | None = None
    """Where a listed registration says its topic, or its topics."""
    url: PathText | None = None
    """Where it says the URL."""
    delete: OperationId | None = None
    """Removes one, named in its path: `DELETE /webhooks/{webhook_id}.json`. Needs `list`."""
    identity: PathText = "id"
    """Where a listed registration says what `delete` calls it."""

    @property
    def operations(self) -> tuple[str, ...]:
        """Ids of all operations that it names."""
        return tuple(id for id in (self.operation, self.list, self.delete) if id is not None)


class Webhook(Form):
    """Deliveries of the source, whose events sync one record each."""

    topics: Annotated[tuple[str, ...], Field(min_length=1)]
    deleted_topics: tuple[str, ...] = ()
    """Topics that tell of a deletion."""
    scheme: Annotated[
        Annotated[Name, Tag("(text)")] | Annotated[SignatureScheme, Tag("(object)")], Discriminator(shape)
    ]
    """The name of a known scheme, such as `standard`, or one written out."""
    secret: Env
    further_secrets: tuple[Env, ...] = ()
    """More secrets that count while one is rotated."""
    topic_path: PathText | None = None
    """Where the body names its topic, when one URL takes all. Webhooks of one scheme and secret take each other's topics."""
    events: PathText | None = None
    """Where the list is, when a body holds several events: `events`, `entry[].changes`, empty for a body that is the list. Each is
    a delivery of its own, and the other paths (`id_path` of the scheme, too) lead from it."""
    stream: Name
    record: PathText = ""
    """Where the changed record is in the body; empty for the whole body."""
    record_id: Annotated[PathText, Field(min_length=1)] | None = None
    """Where a delivery names its record when it does not hold it: `objectId`. The record is read with the source's `get`."""
    handshake_secret: Env | None = None
    """The word that a handshake by GET must know, chosen by you and told to the sender; without it a GET is not answered."""
    register_: Annotated[Registration | None, Field(alias="register")] = None
    """Where the API has an operation that registers webhooks."""

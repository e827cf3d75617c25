"""What a plugin may add: functions for rules, webhook signature presets, knowledge of a vendor. The one module a plugin imports.

A plugin is an installed distribution with an entry point in the group `vitesse.plugins`, named as a manifest names the
plugin, that leads to one `Plugin`. A plugin's object is data. Its functions run in generated packages only: they stand in
a folder of standard-library Python that is copied there whole, and are read here as text, never imported.

Nothing here may be removed or change its meaning without a new `HOOKS` number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from .api.facts import BatchResults, Fact, FactKind, Paging, RateLimit, Success, WebhookFact

HOOKS = 1
"""The number of this contract. A plugin states the one it was written for."""

ENTRY_POINTS = "vitesse.plugins"
"""The entry point group: `vitesse-shopify = "vitesse_shopify:plugin"`."""

__all__ = [
    "ENTRY_POINTS",
    "HOOKS",
    "BatchResults",
    "Fact",
    "FactKind",
    "Function",
    "OptionKind",
    "OptionValue",
    "Paging",
    "Parameter",
    "Plugin",
    "RateLimit",
    "SignaturePreset",
    "Success",
    "Vendor",
    "VendorFact",
    "WebhookFact",
    "Words",
]

OptionValue: TypeAlias = "str | int | float | bool | None"
OptionKind: TypeAlias = Literal["str", "int", "float", "bool", "None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One option of a function: a keyword that a rule may give under `with`.

    Required unless `has_default`; `choices` are the texts of a `Literal` annotation, in its order.
    """

    name: str
    kinds: tuple[OptionKind, ...] = ("str",)
    choices: tuple[str, ...] = ()
    has_default: bool = False
    default: OptionValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function that the transform `custom` can call, as its plugin declares it; checked against the file's own signature.

    Types are written as words: `string`, `integer`, `number` (a `Decimal`), `boolean`, `date`, `date-time`, `object`, `any`,
    `list[…]`, several with `|`. A result may be `… | null`. A function is called only with values that are there: missing
    and null are a rule's own business (`on_missing`, `on_null`). It raises ValueError for a value it cannot turn.
    """

    name: str
    """What a rule calls it: `parse_shopify_timestamp`. Unique among all that an integration loads."""
    module: str
    """File in the vendored folder, without `.py`: `timestamps`."""
    function: str
    """The function's name in that file."""
    inputs: tuple[str, ...]
    """The type of each source field the function takes, in order: the parameters that have no default."""
    result: str
    parameters: tuple[Parameter, ...] = ()
    loses: tuple[str, ...] = ()
    """What a result no longer tells, in the words that a rule's `waive` has for it: `datetime_to_date`."""
    description: str
    """One sentence for people and for matchers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePreset:
    """How a vendor signs webhooks: over `content`, a template of `{body}`, `{id}`, `{ts}`, `{method}`, `{url}`, `{form}`, `{secret}`."""

    name: str
    """What a fact or a manifest calls the scheme: `shopify`."""
    header: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "digest", "token"] = "hmac"
    """digest: a plain hash of `content`, which then holds `{secret}`. token: the header is the secret itself."""
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    content: str = "{body}"
    id_header: str | None = None
    """Unique per delivery."""
    id_path: tuple[str | int, ...] | None = None
    """The same, in the body."""
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    """The timestamp is a part of the signature header and begins so: `t=`."""
    timestamp_path: tuple[str | int, ...] | None = None
    """The timestamp is in the (signed) body."""
    timestamp_unit: Literal["s", "ms", "iso8601"] = "s"
    tolerance_s: int | None = None
    separator: str | None = None
    """Between several signatures in one header."""
    secret_encoding: Literal["text", "base64", "whsec_base64"] = "text"
    url_unescaped: str = ""
    """Characters whose percent escapes are decoded in `{url}` before it is signed."""
    forms: bool = False
    """Bodies that say they are forms are read: an object of texts. Others are JSON."""
    challenge_path: tuple[str | int, ...] | None = None
    """A delivery with text here is a handshake: it is answered and not stored."""
    challenge_reply: Literal["echo", "hmac"] = "echo"
    handshake_challenge: str | None = None
    """The query parameter of a GET whose text is the answer, when the GET knows the word."""
    handshake_word: str | None = None
    """The query parameter that holds the word, which is the webhook's `handshake_secret`."""
    handshake_mode: str | None = None
    """A further query parameter and the value it must have: `hub.mode=subscribe`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorFact:
    """A fact that is known of a vendor though its description may not say it; `ingest` weighs it with what it infers."""

    operation: str
    """An operation id in which `*` stands for any text: `*`, `GET /customers.json`, `PUT /customers/*`."""
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What is known of one vendor's API. It is theirs when a server's host or the title's words match."""

    name: str
    hosts: tuple[str, ...] = ()
    """Host names in which `*` stands for any text: `*.myshopify.com`."""
    titles: tuple[str, ...] = ()
    """Words that stand in the title in this order, whatever their case: `shopify admin`."""
    facts: tuple[VendorFact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Words of a trade or of a vendor, for `map`: read beside its own tables, and never instead of them.

    A phrase is matched word by word, in lower case, plurals as singulars.
    """

    short: Mapping[str, str] = field(default_factory=dict)
    """Short form → what it stands for: `{"acct": "account"}`."""
    same: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A name for a thing → phrases that mean it, always: `{"loyalty_tier": ("loyalty tier", "club level")}`."""
    near: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A name for a group → phrases that often stand for each other, seldom always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """All that one plugin adds. Built when its module is imported; must not do anything else then."""

    name: str
    """As a manifest and the entry point name it: `vitesse-shopify`. Lower case letters, digits and hyphens."""
    version: str
    hooks: int
    """The `HOOKS` number the plugin was written for, as a number: `1`."""
    vendored: Path | None = None
    """A folder of `.py` files that import the standard library and each other only. Copied whole to `_plugins/<name>/`."""
    functions: tuple[Function, ...] = ()
    signatures: tuple[SignaturePreset, ...] = ()
    vendors: tuple[Vendor, ...] = ()
    words: Words | None = None

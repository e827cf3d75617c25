"""Plausible values by the name and the format of a field: a catalogue, no logic beyond the look-up.

Every value is a function of a `Draw`: the same record, field and revision give the same value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid5
from zlib import crc32

START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the first seeded record was last changed; each later one a minute after it."""

_NAMESPACE = UUID("5f3f5f0e-9d3b-4b0e-8a52-6f1f0c0b7a11")


@dataclass(frozen=True, slots=True)
class Draw:
    """One field of one record: what a value may depend on."""

    seed: int
    index: int
    """Position of the record among the seeded ones."""
    revision: int
    """How often the record was revised; another revision, another value."""
    field: str

    def number(self, below: int) -> int:
        return crc32(f"{self.seed}/{self.index}/{self.revision}/{self.field}".encode()) % below

    def pick(self, choices: tuple[str, ...]) -> str:
        return choices[self.number(len(choices))]

    @property
    def first_name(self) -> str:
        return _FIRST[(self.index + self.revision) % len(_FIRST)]

    @property
    def last_name(self) -> str:
        return _LAST[((self.index + self.revision) // len(_FIRST) + self.index + self.revision) % len(_LAST)]

    @property
    def changed(self) -> datetime:
        return START + timedelta(minutes=self.index)


Vary: TypeAlias = Callable[[Draw], str]

_FIRST = (
    *("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Margaret", "Dennis", "Radia", "Tony"),
    *("Hedy", "Linus", "Joan", "Niklaus", "Sophie", "Björn", "Łucja", "José", "Zoë", "Mei", "Yuki", "Amara", "Omar"),
)
_LAST = (
    *("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Thompson", "Hamilton", "Ritchie"),
    *("Perlman", "Hoare", "Lamarr", "O'Brien", "Clarke", "Wirth", "Wilson", "Ångström", "Nowak", "García", "Müller"),
    *("Chen", "Tanaka", "Okafor", "Haddad", "Kelly", "Iyer"),
)
_STREETS = ("Main Street", "Oak Avenue", "Harbour Road", "Mill Lane", "Station Road", "High Street", "Park Row")
_CITIES = ("Lisbon", "Ottawa", "Leeds", "Kyoto", "Lagos", "Austin", "Zürich", "Cork", "Lyon", "Gdańsk")
_REGIONS = ("Ontario", "Texas", "Yorkshire", "Bavaria", "Quebec", "Ohio")
_COUNTRIES = ("Canada", "United States", "Portugal", "Ireland", "Japan", "Germany")
_COUNTRY_CODES = ("CA", "US", "PT", "IE", "JP", "DE")
_COMPANIES = ("Analytical Engines", "Difference & Sons", "Harbour Freight", "Northwind", "Blue Mill", "Kestrel Works")
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "indigo", "juniper", "kelp", "lotus")
_COLOURS = ("red", "green", "blue", "black", "white", "teal")
_LANGUAGES = ("en", "fr", "de", "pt", "ja")
_ZONES = ("Europe/Berlin", "America/Toronto", "Asia/Tokyo", "UTC")
_CURRENCIES = ("USD", "EUR", "CAD", "JPY")
_TAGS = ("vip", "newsletter", "wholesale", "returning", "beta")


def plain(text: str) -> str:
    """`O'Brien` → `obrien`: what may stand in an address of the network."""
    ascii_text = unicodedata.normalize("NFKD", text.lower().replace("ł", "l")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "", ascii_text) or "someone"


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sentence(draw: Draw) -> str:
    number = draw.number(len(_WORDS) ** 3)
    first, second, third = number % 12, number // 12 % 12, number // 144
    return f"{_WORDS[first].capitalize()} {_WORDS[second]} {_WORDS[third]}."


def a_time(draw: Draw) -> datetime:
    """Some moment in the year before the record was last changed."""
    return draw.changed - timedelta(minutes=1 + draw.number(500_000))


def decimal_text(draw: Draw) -> str:
    return f"{draw.number(10_000)}.{draw.number(90) + 10}"


def words(draw: Draw) -> str:
    return f"{draw.pick(_WORDS)} {_WORDS[draw.number(11)]}"


BY_FORMAT: dict[str, Vary] = {
    "date-time": lambda draw: iso(a_time(draw)),
    "datetime": lambda draw: iso(a_time(draw)),
    "date": lambda draw: a_time(draw).date().isoformat(),
    "time": lambda draw: a_time(draw).strftime("%H:%M:%SZ"),
    "email": lambda draw: f"{plain(draw.first_name)}.{plain(draw.last_name)}.{draw.index}@example.com",
    "uri": lambda draw: f"https://example.com/{draw.pick(_WORDS)}/{draw.index}",
    "uuid": lambda draw: str(uuid5(_NAMESPACE, f"{draw.seed}/{draw.index}/{draw.field}")),
    "hostname": lambda draw: f"{draw.pick(_WORDS)}{draw.index}.example.com",
    "ipv4": lambda draw: f"192.0.2.{1 + draw.number(254)}",
    "ipv6": lambda draw: f"2001:db8::{1 + draw.number(65_000):x}",
    "decimal": decimal_text,
    "phone": lambda draw: f"+1{202 + draw.index // 10_000_000:03d}{draw.index % 10_000_000:07d}",
    "byte": lambda draw: "bW9jaw==",
    "duration": lambda draw: f"PT{1 + draw.number(59)}M",
    "boolean": lambda draw: ("true", "false")[draw.number(2)],
    "integer": lambda draw: str(draw.number(1000)),
    "unix_s": lambda draw: str(int(a_time(draw).timestamp())),
    "unix_ms": lambda draw: str(int(a_time(draw).timestamp()) * 1000),
}
for _same, _as in (
    ("url", "uri"),
    ("uri-reference", "uri"),
    ("idn-email", "email"),
    ("tel", "phone"),
    ("guid", "uuid"),
):
    BY_FORMAT[_same] = BY_FORMAT[_as]

_BY_NAME: tuple[tuple[str, Vary], ...] = (
    (r"e ?mail( address)?", BY_FORMAT["email"]),
    (r"(first|given|fore) ?names?", lambda draw: draw.first_name),
    (r"(last|family|sur) ?names?", lambda draw: draw.last_name),
    (r"(full|display|contact|customer)? ?name", lambda draw: f"{draw.first_name} {draw.last_name}"),
    (r".*(company|organi[sz]ation|vendor|brand).*", lambda draw: draw.pick(_COMPANIES)),
    (r".*(phone|mobile|fax|cell)( number)?", BY_FORMAT["phone"]),
    (r".*country ?code.*|country iso.*", lambda draw: draw.pick(_COUNTRY_CODES)),
    (r".*country.*", lambda draw: draw.pick(_COUNTRIES)),
    (r".*(province|region|state) ?code", lambda draw: ("ON", "TX", "QC", "OH")[draw.number(4)]),
    (r"province|region|county", lambda draw: draw.pick(_REGIONS)),
    (r".*(zip|postal|post code).*", lambda draw: f"{10_000 + draw.number(89_999)}"),
    (r".*(city|town|locality)", lambda draw: draw.pick(_CITIES)),
    (
        r"(street|address|addr|line)( ?(line|street|address))? ?1?",
        lambda draw: f"{1 + draw.number(200)} {draw.pick(_STREETS)}",
    ),
    (r"(street|address|addr|line)( ?(line|street|address))? ?2", lambda draw: f"Suite {1 + draw.number(99)}"),
    (r".*(url|uri|href|website|link|avatar|image|src)", BY_FORMAT["uri"]),
    (r".*domain|host", BY_FORMAT["hostname"]),
    (r".*(ip|ip address)", BY_FORMAT["ipv4"]),
    (r".*(uuid|guid)", BY_FORMAT["uuid"]),
    (r".*currency.*", lambda draw: draw.pick(_CURRENCIES)),
    (r".*(locale|language|lang)", lambda draw: draw.pick(_LANGUAGES)),
    (r".*time ?zone.*", lambda draw: draw.pick(_ZONES)),
    (
        r".*(price|amount|total|spent|balance|cost|tax|revenue|salary|rate|discount|value|weight|subtotal).*",
        decimal_text,
    ),
    (r".* (at|on|time|timestamp)|created|updated|modified|timestamp|.*datetime.*", BY_FORMAT["date-time"]),
    (r".*(date|birthday|dob).*", BY_FORMAT["date"]),
    (r"tags|labels|keywords", lambda draw: ", ".join(sorted({draw.pick(_TAGS), _TAGS[draw.number(3)]}))),
    (r"tag|label|keyword|segment", lambda draw: draw.pick(_TAGS)),
    (r".*(colou?r)", lambda draw: draw.pick(_COLOURS)),
    (r".*(sku|barcode|code|reference|ref)", lambda draw: f"{draw.pick(_WORDS)[:3].upper()}-{draw.index:05d}"),
    (r".*(handle|slug|username|login|key)", lambda draw: f"{draw.pick(_WORDS)}-{draw.index}"),
    (r".*(note|notes|description|comment|comments|text|body|summary|message|html|reason)", _sentence),
    (r".*(count|quantity|qty|number|orders)", lambda draw: str(draw.number(50))),
    (r".*(token|secret|hash|digest)", lambda draw: f"{draw.number(2**31):08x}"),
    (r"(.* )?id|ids", lambda draw: str(100_000 + draw.number(900_000))),
    (r".*(job ?title|title|role|position)", lambda draw: ("Engineer", "Buyer", "Founder")[draw.number(3)]),
)

_COMPILED = tuple((re.compile(pattern), vary) for pattern, vary in _BY_NAME)


def split_name(name: str) -> str:
    """`createdAt`, `created_at` → `created at`."""
    return " ".join(re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z0-9])([A-Z])|([A-Z])(?=[a-z])", r" \1\2", name).lower()))


def by_name(name: str) -> Vary | None:
    """The vocabulary for a field of this name, None when the name says nothing."""
    words = split_name(name)
    return next((vary for pattern, vary in _COMPILED if pattern.fullmatch(words)), None)


def is_time_name(name: str) -> bool:
    """Whether an integer of this name counts seconds: `created`, `updated_at`."""
    return bool(
        re.fullmatch(r"(.* )?(at|on|time|timestamp|date)|created|updated|modified|last modified", split_name(name))
    )

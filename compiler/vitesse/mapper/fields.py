"""One field of one side as the matcher sees it: its path read into words, its type, what kind of thing its name says it is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .names import Name, read_name

_SEGMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.\[\]]+)|(\[[^\]]*\])')
_WORDS = re.compile(r"[A-Za-z]{3,}")

# Words that carry structure, not meaning: they weigh little wherever they stand.
_LIGHT = {
    "value": 0.25, "data": 0.3, "property": 0.2, "attribute": 0.2, "trait": 0.2, "field": 0.25, "info": 0.3, "information": 0.3,
    "object": 0.3, "item": 0.5, "custom": 0.4, "is": 0.2, "has": 0.2, "the": 0.1, "of": 0.1, "a": 0.1, "an": 0.1, "result": 0.3,
    "list": 0.3, "set": 0.3, "to": 0.3, "by": 0.4, "for": 0.2, "or": 0.2, "and": 0.2, "in": 0.3, "on": 0.4, "at": 0.4, "nav": 0.2,
    "default": 0.4, "record": 0.4, "detail": 0.5, "api": 0.3, "code": 0.55, "number": 0.55, "type": 0.7, "id": 0.7, "name": 0.7,
    "time": 0.5, "context": 0.3, "event": 0.6, "main": 0.4, "primary": 0.5, "current": 0.45, "text": 0.5, "string": 0.3, "flag": 0.3,
    "node": 0.2, "edge": 0.2, "attrs": 0.2, "response": 0.3, "payload": 0.3, "embedded": 0.2, "relationship": 0.3, "ref": 0.4,
}  # fmt: skip

ROLES = (
    "id",
    "time",
    "flag",
    "money",
    "count",
    "email",
    "phone",
    "url",
    "place",
    "person",
    "state",
    "text",
    "code",
    "none",
)
_ROLE_WORDS: dict[str, frozenset[str]] = {
    "time": frozenset({"time", "created", "updated", "birth_date", "due", "expires", "start", "end", "duration", "year", "month"}),
    "id": frozenset({"id", "external_id", "anonymous_id"}),
    "email": frozenset({"email"}),
    "phone": frozenset({"phone", "mobile", "fax"}),
    "url": frozenset({"url", "website", "domain", "avatar", "image", "slug", "referrer"}),
    "money": frozenset(
        "amount price cost tax discount subtotal total balance revenue refund fee rate lifetime_value salary margin"
        " paid".split()
    ),
    "count": frozenset("quantity employee_count inventory count number size score age weight probability percent index".split()),
    "place": frozenset("street street_2 city state postal_code country country_code latitude longitude address".split()),
    "person": frozenset({"first_name", "last_name", "full_name", "middle_name", "name", "username"}),
    "state": frozenset({"status", "stage", "priority", "type", "category", "standing"}),
    "text": frozenset({"description", "body", "note", "summary", "subject", "title", "comment", "message"}),
    "code": frozenset({"code", "key", "sku", "barcode", "currency", "language", "account_number"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is known of a field before its name is read: the matcher's input, whatever it came from."""

    path: str
    kind: str | None = None
    """string, integer, number, boolean, array, object; None when it is not known."""
    format: str | None = None
    enum: tuple[str, ...] = ()
    description: str = ""
    required: bool = False
    nullable: bool = False
    read_only: bool = False


@dataclass(slots=True, kw_only=True)
class View:
    """One field, read. Weights depend on the side it stands in, so a view belongs to one `read_side`."""

    given: Described
    position: int
    segments: tuple[Name, ...]
    lists: int
    """How many lists its path walks through."""
    leaf: Name
    long: Name
    """The leaf with the name of the object it stands in: `owner.id` is an `owner id`."""
    home: frozenset[str]
    """Concepts of the objects it stands in, without those that are only structure."""
    sort: int
    """What kind of leaf it is, as a place in SORTS."""
    flat: str
    """The whole path's letters and digits."""
    roles: frozenset[str]
    type: str
    words: dict[str, float] = field(default_factory=dict)
    """Word → weight, over the whole path."""
    concepts: dict[str, float] = field(default_factory=dict)
    leaf_words: dict[str, float] = field(default_factory=dict)
    leaf_concepts: dict[str, float] = field(default_factory=dict)
    bare: tuple[str, ...] = ()
    """The leaf's concepts without what names the record itself and without digits: `contact_id` of a contact is an `id`."""
    bare_long: tuple[str, ...] = ()
    prefer: int = 0
    """1 for the first of its kind, as `billing` and `primary`; -1 for another, as `shipping` and `alternate`."""
    first_id: bool = False
    """Whether it is the first field of its record that is an identity."""
    near: frozenset[str] = frozenset()
    grams: frozenset[str] = frozenset()
    digits: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()
    """Words of the description."""
    values: dict[str, float] = field(default_factory=dict)
    """Named value → how much it tells: little when many fields of the side have it, as `yes` and `unknown`."""
    leaf_twins: int = 1
    """Fields of this side with the same leaf."""
    core: tuple[str, ...] | None = None
    """As `sets.core_of` has it, once it was asked for."""


@dataclass(slots=True, kw_only=True)
class Side:
    """All fields of one side, with what the side is about."""

    views: list[View]
    entity: frozenset[str]
    """Concepts that name the record itself: `contact` in `contact_id`."""
    keeps_own: bool = False
    """Whether it has an identity of its own beside the one of another system, as stores of foreign records do."""


def path_segments(path: str) -> tuple[list[str], int]:
    """The names of a path, and how many lists it walks through."""
    names: list[str] = []
    lists = 0
    for quoted, bare, bracket in _SEGMENT.findall(path):
        if bracket:
            lists += 1
        else:
            names.append(quoted or bare)
    return names, lists


def read_side(fields: Sequence[Described], about: Iterable[str] = ()) -> Side:
    """Read all fields of one side.

    Args:
        about: Names of the record: the schema's title, the resource in the operation's path.
    """
    views = [_view(given, position) for position, given in enumerate(fields)]
    entity = frozenset(concept for text in about for concept in read_name(text).concepts if not concept.isdigit())
    frequency: Counter[str] = Counter()
    for view in views:
        frequency.update({word for name in view.segments for word in (*name.words, *name.concepts)})
    twins = Counter(view.leaf.flat for view in views)
    for view in views:
        view.bare = _bare(view.leaf.concepts, entity)
        view.bare_long = tuple(sorted(set(_bare(view.long.concepts, entity))))
    ids = (view for view in views if len(view.segments) == 1 and "id" in view.leaf.concepts)
    for view in ids:
        view.first_id = True
        break
    valued: Counter[str] = Counter()
    for view in views:
        view.values = {value: 1.0 for one in view.given.enum if (value := plain_value(one))}
        valued.update(view.values)
    count = len(views)
    tops = {view.leaf.concepts for view in views if len(view.segments) == 1}
    keeps_own = ("id",) in tops and any("external_id" in concepts for concepts in tops)
    for view in views:
        view.values = {value: 1.0 / valued[value] for value in view.values}
        view.leaf_twins = twins[view.leaf.flat]
        for name in view.segments:
            for word in name.words:
                view.words[word] = _weight(word, frequency[word], count)
            for concept in name.concepts:
                view.concepts[concept] = _weight(concept, frequency[concept], count)
        view.leaf_words = {word: view.words[word] for word in view.leaf.words}
        view.leaf_concepts = {concept: view.concepts[concept] for concept in view.leaf.concepts}
    return Side(views=views, entity=entity, keeps_own=keeps_own)


def plain_value(value: str) -> str:
    """A named value without case, marks and blanks."""
    return "".join(char for char in value.lower() if char.isalnum())


def _weight(word: str, frequency: int, count: int) -> float:
    """How much a word tells: little when it is structural or stands in most fields of the side."""
    rarity = math.log((count + 3) / (frequency + 1)) / math.log(count + 3)
    return _LIGHT.get(word, 1.0) * (0.35 + 0.65 * max(0.0, min(1.0, rarity * 1.4)))


def _view(given: Described, position: int) -> View:
    names, lists = path_segments(given.path)
    segments = tuple(read_name(name) for name in names) or (read_name(given.path),)
    leaf = segments[-1]
    if len(segments) > 1 and _is_empty_leaf(leaf):
        leaf = _joined(segments[-2], leaf)
    type = _type(given)
    around = [name for name in segments[:-1] if any(_LIGHT.get(concept, 1.0) > 0.3 for concept in name.concepts)]
    long = _long(around[-1], leaf) if around else leaf
    flat = "".join(name.flat for name in segments)
    return View(
        given=given,
        position=position,
        segments=segments,
        lists=lists,
        leaf=leaf,
        long=long,
        home=frozenset(
            concept
            for name in around
            for concept in name.concepts
            if _LIGHT.get(concept, 1.0) > 0.3 and not concept.isdigit()
        ),
        sort=_SORT_OF.get(leaf.concepts[-1], 0) if leaf.concepts else 0,
        flat=flat,
        roles=_roles(leaf, given, type),
        type=type,
        near=frozenset(
            group for concept in (leaf if len(leaf.concepts) > 1 else long).concepts for group in _near(concept)
        ),
        prefer=_preference({word for name in segments for word in name.words}),
        grams=frozenset(leaf.flat[i : i + 3] for i in range(max(1, len(leaf.flat) - 2))),
        digits=tuple(word for name in segments for word in name.words if word.isdigit()),
        told=frozenset(singular_words(given.description)) if given.description else frozenset(),
    )


_EMPTY_LEAVES = frozenset({"value", "data", "string", "text value", "content value"})


def _is_empty_leaf(leaf: Name) -> bool:
    return " ".join(leaf.words) in _EMPTY_LEAVES


def _joined(parent: Name, leaf: Name) -> Name:
    return Name(flat=parent.flat + leaf.flat, words=parent.words + leaf.words, concepts=parent.concepts + leaf.concepts)


_FIRST = frozenset("primary main default mailing billing work business preferred home".split())
_OTHER = frozenset("other shipping alternate alternative secondary asst assistant backup second fax legacy gmt".split())


def _preference(words: set[str]) -> int:
    return int(bool(words & _FIRST)) - int(bool(words & _OTHER)) - int(bool(words & {"2", "3", "4", "5"}))


def _bare(concepts: tuple[str, ...], entity: frozenset[str]) -> tuple[str, ...]:
    kept = tuple(concept for concept in concepts if concept not in entity and not concept.isdigit())
    return kept or concepts


SORTS = (
    "",
    "id",
    "name",
    "title",
    "type",
    "status",
    "value",
    "url",
    "email",
    "phone",
    "code",
    "time",
    "amount",
    "description",
)
_SORT_OF = {concept: place for place, concept in enumerate(SORTS)}


def _long(parent: Name, leaf: Name) -> Name:
    """Both names, the parent's without what the leaf says again."""
    said = set(leaf.concepts)
    words = tuple(word for word in parent.words if word not in leaf.words)
    concepts = tuple(concept for concept in parent.concepts if concept not in said and not concept.isdigit())
    return Name(flat=parent.flat + leaf.flat, words=words + leaf.words, concepts=concepts + leaf.concepts)


def singular_words(text: str) -> set[str]:
    return {concept for word in _WORDS.findall(text[:400]) for concept in read_name(word).concepts}


def _near(concept: str) -> frozenset[str]:
    from .knowledge import knowledge

    return knowledge().near.get(concept, frozenset())


def _type(given: Described) -> str:
    kind = (given.kind or "").split("|")[0]
    if given.format in ("date", "date-time", "time") or kind == "date":
        return "time"
    return {"integer": "number", "": "unknown"}.get(kind, kind)


def _roles(leaf: Name, given: Described, type: str) -> frozenset[str]:
    concepts, words = leaf.concepts, leaf.words
    found = {role for role, some in _ROLE_WORDS.items() if not some.isdisjoint(concepts)}
    last = concepts[-1] if concepts else ""
    if words and words[0] in ("is", "has", "can", "should", "allow"):
        found = {"flag"}
    elif type == "boolean":
        found = (found - {"time", "count", "money"}) | {"flag"}
    elif type == "time":
        found |= {"time"}
    elif "time" in found and (last in ("id", "email", "name", "url") or "zone" in words):
        found.discard("time")
    if "id" in found and last != "id" and "id" not in concepts[-2:]:
        found.discard("id")
    if given.format == "email":
        found.add("email")
    if given.format in ("uri", "url"):
        found.add("url")
    return frozenset(found or {"none"})

"""A pair of fields → numbers that say how alike they are. The same numbers the weights were fitted on.

Every feature has a name, so that a proposal can say what spoke for it.
"""

from __future__ import annotations

from .fields import SORTS, Side, View

FEATURES = (
    "leaf_equal", "path_equal", "leaf_in_path", "path_in_leaf", "word_leaf", "word_path", "concept_leaf", "concept_path",
    "leaf_covered", "source_covered", "leaf_left", "source_left", "near", "grams", "edit", "head_equal", "first_equal", "parent",
    "role_shared", "role_clash", "role_id", "role_time", "role_flag", "type_equal", "type_clash", "lists_delta", "depth_delta",
    "digits_equal", "digits_clash", "entity_left", "enum", "told", "leaf_words_s", "leaf_words_d", "twins_s", "twins_d",
    "leaf_concepts_equal", "own_id_s", "own_id_d", "own_id_both", "plural_list", "head_in_leaf", "head_left_s", "entity_objects",
    "depth_s", "depth_d", "person_d", "long_equal", "long_alike", "long_leaf", "leaf_long", "home_left_s", "home_left_d", "home_shared",
    "sort_s", "sort_d", "unwraps", "wraps", "keeps_own", "keeps_time", "array_s", "array_d", "object_s", "object_d", "same_case",
    "bare_alike", "bare_equal", "prefer_s", "prefer_delta", "first_id_s", "first_id_d", "first_id_both", "near_share",
)  # fmt: skip


def pair_features(source: View, destination: View, from_side: Side, to_side: Side) -> list[float]:
    """All features of one pair, in the order of FEATURES."""
    s, d = source, destination
    sc, dc = s.concepts, d.concepts
    lsc, ldc = s.leaf_concepts, d.leaf_concepts
    leaf_covered, leaf_left, entity_left = _covered(ldc, sc, to_side.entity, from_side.entity)
    source_covered, source_left, entity_left_s = _covered(lsc, dc, from_side.entity, to_side.entity)
    shared_roles = s.roles & d.roles
    has_none = "none" in s.roles or "none" in d.roles
    sd, dd = s.digits, d.digits
    # A field of a list's items is a list from outside, and the other way round.
    s_type = "array" if s.lists > d.lists and d.type == "array" else s.type
    d_type = "array" if d.lists > s.lists and s.type == "array" else d.type
    own_s, own_d = _own_id(s, from_side), _own_id(d, to_side)
    return [
        float(s.leaf.flat == d.leaf.flat),
        float(s.flat == d.flat),
        float(s.flat.endswith(d.leaf.flat)) if len(d.leaf.flat) > 2 else 0.0,
        float(d.flat.endswith(s.leaf.flat)) if len(s.leaf.flat) > 2 else 0.0,
        _jaccard(s.leaf_words, d.leaf_words),
        _jaccard(s.words, d.words),
        _jaccard(lsc, ldc),
        _jaccard(sc, dc),
        leaf_covered,
        source_covered,
        leaf_left,
        source_left,
        float(len(s.near & d.near)),
        len(s.grams & d.grams) / (len(s.grams | d.grams) or 1),
        _edit(s.leaf.flat, d.leaf.flat),
        float(bool(s.leaf.concepts) and bool(d.leaf.concepts) and s.leaf.concepts[-1] == d.leaf.concepts[-1]),
        float(bool(s.leaf.concepts) and bool(d.leaf.concepts) and s.leaf.concepts[0] == d.leaf.concepts[0]),
        _parent(s, d),
        float(bool(shared_roles - {"none"})),
        float(not shared_roles and not has_none),
        float(("id" in s.roles) - ("id" in d.roles)),
        float(("time" in s.roles) - ("time" in d.roles)),
        float(("flag" in s.roles) - ("flag" in d.roles)),
        float(s_type == d_type and s_type != "unknown"),
        float(s_type != d_type and "unknown" not in (s_type, d_type)),
        float(d.lists - s.lists),
        float(len(d.segments) - len(s.segments)),
        float(bool(sd) and sd == dd),
        float(bool(sd) and bool(dd) and sd != dd),
        max(entity_left, entity_left_s),
        _enum(s, d),
        len(s.told & (d.told | set(d.leaf.concepts))) / (len(s.told) + 1) if s.told or d.told else 0.0,
        float(len(s.leaf.words)),
        float(len(d.leaf.words)),
        float(min(s.leaf_twins, 9)),
        float(min(d.leaf_twins, 9)),
        float(s.leaf.concepts == d.leaf.concepts),
        own_s,
        own_d,
        own_s * own_d,
        float(s.lists > d.lists and (d.type == "array" or _is_plural(d)) and leaf_left < 0.2),
        float(bool(dc) and _head(d) in sc),
        float(_head(s) not in dc and _head(s) not in ("time", "id")),
        float(bool(from_side.entity & to_side.entity)),
        float(min(len(s.segments), 6)),
        float(min(len(d.segments), 6)),
        float("person" in d.roles),
        float(s.long.concepts == d.long.concepts),
        _likeness(s.long.concepts, d.long.concepts),
        _likeness(s.long.concepts, d.leaf.concepts),
        _likeness(s.leaf.concepts, d.long.concepts),
        _left(s.home, dc, from_side.entity | to_side.entity),
        _left(d.home, sc, from_side.entity | to_side.entity),
        float(len(s.home & d.home)),
        float(s.sort),
        float(d.sort),
        float(len(s.segments) > 1 and s.segments[-2].concepts == d.leaf.concepts),
        float(len(d.segments) > 1 and d.segments[-2].concepts == s.leaf.concepts),
        float(to_side.keeps_own) - float(from_side.keeps_own),
        float(to_side.keeps_own and d.sort == _TIME and len(d.segments) == 1),
        float(s.type == "array"),
        float(d.type == "array"),
        float(s.type == "object"),
        float(d.type == "object"),
        float(s.given.path.replace("_", "") == s.given.path) - float(d.given.path.replace("_", "") == d.given.path),
        _likeness(s.bare_long, d.bare_long),
        float(s.bare == d.bare),
        float(s.prefer),
        float(s.prefer - d.prefer),
        float(s.first_id),
        float(d.first_id),
        float(s.first_id and d.first_id),
        len(s.near & d.near) / (len(s.near | d.near) or 1),
    ]


_TIME = SORTS.index("time")


def _likeness(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """Concepts shared of all, without regard to their order."""
    shared = len(set(one) & set(other))
    return shared / (len(set(one)) + len(set(other)) - shared) if shared else 0.0


def _left(home: frozenset[str], concepts: dict[str, float], entity: frozenset[str]) -> float:
    """How many of the objects around a field the other path does not speak of."""
    return float(sum(concept not in concepts and concept not in entity for concept in home))


_RECORD = frozenset(
    {"id", "external_id", "record", "object", "key", "remote", "external", "unique", "system", "source"}
)


def _own_id(view: View, side: Side) -> float:
    """Whether a field names its own record: `id`, `lead_id` of a lead, `remote_id`, `id.record_id`."""
    if "id" not in view.roles or view.lists:
        return 0.0
    concepts = {concept for name in view.segments for concept in name.concepts if not concept.isdigit()}
    left = concepts - _RECORD - side.entity
    return 0.0 if left else (1.0 if len(view.segments) == 1 else 0.6)


def _head(view: View) -> str:
    return view.leaf.concepts[-1] if view.leaf.concepts else ""


def _is_plural(view: View) -> bool:
    last = view.leaf.flat
    return last.endswith("s") and not last.endswith(("ss", "us", "is"))


def _jaccard(one: dict[str, float], other: dict[str, float]) -> float:
    shared = sum(min(weight, other[word]) for word, weight in one.items() if word in other)
    if not shared:
        return 0.0
    return shared / (sum(one.values()) + sum(other.values()) - shared)


def _covered(
    leaf: dict[str, float], path: dict[str, float], entity: frozenset[str], other: frozenset[str]
) -> tuple[float, float, float]:
    """How much of a leaf stands somewhere in the other path, how much is left over, and how much of that names the record."""
    total = shared = left = about = 0.0
    for concept, weight in leaf.items():
        total += weight
        if concept in path:
            shared += weight
        elif concept in entity or concept in other:
            about += weight
        else:
            left += weight
    return (shared / total if total else 0.0, left, about)


def _parent(s: View, d: View) -> float:
    if len(s.segments) < 2 or len(d.segments) < 2:
        return 0.5 if len(s.segments) == len(d.segments) else 0.25
    one = {concept for name in s.segments[:-1] for concept in name.concepts}
    other = {concept for name in d.segments[:-1] for concept in name.concepts}
    return len(one & other) / (len(one | other) or 1)


def _edit(one: str, other: str) -> float:
    if one == other:
        return 1.0
    from rapidfuzz.distance import JaroWinkler

    return JaroWinkler.normalized_similarity(one, other)


def _enum(s: View, d: View) -> float:
    """How much the named values have in common, rare values above all."""
    if not s.values or not d.values:
        return 0.0
    shared = [value for value in s.values if value in d.values]
    if not shared:
        return 0.0
    told = sum(min(s.values[value], d.values[value]) ** 0.5 for value in shared)
    share = len(shared) / min(len(s.values), len(d.values))
    return float(share * told / (told + 0.7))

"""A pair of fields → numbers that say how alike they are. The same numbers the weights were fitted on.

Every feature has a name, so that a proposal can say what spoke for it.
"""

from __future__ import annotations

from .fields import Side, View

FEATURES = (
    "leaf_equal", "path_equal", "leaf_in_path", "path_in_leaf", "word_leaf", "word_path", "concept_leaf", "concept_path",
    "leaf_covered", "source_covered", "leaf_left", "source_left", "near", "grams", "edit", "head_equal", "first_equal", "parent",
    "role_shared", "role_clash", "role_id", "role_time", "role_flag", "type_equal", "type_clash", "lists_delta", "depth_delta",
    "digits_equal", "digits_clash", "entity_left", "enum", "told", "leaf_words_s", "leaf_words_d", "twins_s", "twins_d",
    "leaf_concepts_equal",
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
        float(s.type == d.type and s.type != "unknown"),
        float(s.type != d.type and "unknown" not in (s.type, d.type)),
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
    ]


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
    if not s.given.enum or not d.given.enum:
        return 0.0
    one = {value.lower() for value in s.given.enum}
    other = {value.lower() for value in d.given.enum}
    return len(one & other) / min(len(one), len(other))

"""A rule → the way back: the transform that undoes it, or why nothing does."""

from __future__ import annotations

from ..rules.model import Rule, Shape
from ..rules.transforms import inverse_of
from .model import Back

_WHY = {
    "parse": "several texts are read as one number",
    "parse_bool": "several words are read as true or false",
    "stringify": "the digits that were cut off are gone",
    "collect": "a list does not tell which field an item came from, nor where a text was cut",
    "enum": "several values become one, or none",
    "split": "the parts do not tell what stood between them",
    "join": "a text does not tell where the parts met",
    "template": "a text does not tell where the parts met",
    "date": "what the time no longer says cannot be put back",
    "coalesce": "the value does not tell which field it came from",
    "first": "the other items are gone",
    "text": "the text as it was written is gone",
    "lookup": "a link is followed one way",
    "custom": "a function says nothing of its inverse",
    "each": "its items have no way back",
    "wrap": "a list of one does not stay one",
}


def back_of(rule: Rule, source: Shape | None) -> Back | None:
    """The way back of one rule.

    Args:
        source: What the source field is; None for several, or for none.

    Returns:
        None for a constant, which reads nothing.
    """
    if not rule.sources:
        return None
    inverse = inverse_of(rule.transform, rule.options, source) if source is not None else None
    if inverse is not None:
        return Back(transform=inverse[0], options=inverse[1])
    return Back(why=_WHY.get(rule.transform, "several fields become one"))

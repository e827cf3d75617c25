"""YAML text → values, with the meaning YAML 1.2 gives them.

`no`, `on`, dates and times stay text, so does `010`; keys are text as written; duplicate keys are refused. ryaml reads all of
this fast, but not everything: it drops tags in silence, refuses integers past 64 bits and any depth past 128, loses the
spelling of keys that look like numbers, and reads more as numbers than YAML 1.2 does (`0b11`, `-0x1F`). Where the text hints at
one of these, the events of PyYAML's parser are read instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from .json_text import TextError
from .limits import LimitExceeded, Limits

# Each starts with a letter of its own, so that the search skips through megabytes; what stands before is looked at after.
_TAG = re.compile(r"!(?!\[)")  # with a bracket it is an image of Markdown
_ANCHOR = re.compile(r"&(?=[^\s,\[\]{}])")
_MERGE = re.compile(r"<<(?=[ \t]*:)")
_SIGNED_KEY = re.compile(r"\+(?=\d{3}[ \t]*:)")
_BASE = re.compile(r"0[box](?=[0-9a-fA-F])")
_NOT_FINITE = re.compile(r"\.(?:nan|NaN|NAN|inf|Inf|INF)\b")
_DIGITS = bytes.maketrans(b"0123456789", b"0" * 10)
_LONG_DIGITS = b"0" * 39
"""From here on ryaml makes a float of an integer; shorter ones it keeps or refuses."""
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""A character beyond U+FFFF as JSON escapes it."""
_BREAKS = ("\x85", "\u2028", "\u2029")

# The core schema of YAML 1.2, chapter 10.3.2, for plain scalars.
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_INT_BASE = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)\Z")
_NAN = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")

_CORE = "tag:yaml.org,2002:"
_BITS_OF_A_DIGIT = 3.3219
_SMALL = 100
"""Below so many values a document may multiply: it stays small."""


def load_yaml(text: str, limits: Limits) -> Any:
    """Parse one YAML document.

    Raises:
        TextError: Where it is not YAML, holds a tag outside the core schema, or means two things at once.
        LimitExceeded: For `depth`, `aliases`, `nodes` and `integer_digits`.
    """
    if ("\\ud" in text or "\\uD" in text) and _PAIR.search(text) and "\\U000" not in text:
        return _load_pairs(text, limits)
    return _load(text, limits)


def _load_pairs(text: str, limits: Limits) -> Any:
    """Read a text with characters beyond U+FFFF escaped as JSON does it, which no YAML parser here takes for one character.

    The pairs are spelt as YAML spells such characters. Where that is still to be read afterwards, the text stood in no quotes
    and was meant as it was.
    """
    spelt: dict[str, str] = {}

    def respell(found: re.Match[str]) -> str:
        high, low = int(found[2], 16), int(found[3], 16)
        one = f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
        spelt.setdefault(one, found[0][len(found[1]) :])
        return found[1] + one

    value = _load(_PAIR.sub(respell, text), limits)
    literal = re.compile("|".join(map(re.escape, spelt)))
    return _mapped(value, lambda one: literal.sub(lambda found: spelt[found[0]], one) if "\\U000" in one else one)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed, keys too; in place, without recursion. What aliases share is met again."""
    root = [value]
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
        if isinstance(node, dict):
            node.clear()
        for key, member in items:
            name = change(key) if isinstance(key, str) else key
            node[name] = change(member) if isinstance(member, str) else member
            if isinstance(member, dict | list):
                stack.append(member)
    return root[0]


def _load(text: str, limits: Limits) -> Any:
    if not _needs_events(text):
        try:
            import ryaml
        except ImportError:  # no wheel for this platform
            return load_events(text, limits)
        try:
            value = ryaml.loads(text)  # type: ignore[attr-defined]
        except (ryaml.InvalidYamlError, ValueError, TypeError):  # type: ignore[attr-defined]
            return load_events(text, limits)  # reads what ryaml cannot, or says where the fault is
        if _text_keys(value, limits):
            return value
    return load_events(text, limits)


def _needs_events(text: str) -> bool:
    for hint in (_TAG, _ANCHOR, _MERGE, _SIGNED_KEY, _BASE, _NOT_FINITE):
        if any(_may_start_node(text, found.start()) for found in hint.finditer(text)):
            return True
    if not text.isascii() and any(separator in text for separator in _BREAKS):
        return True
    return _LONG_DIGITS in text.encode("utf-8", "replace").translate(_DIGITS)


def _may_start_node(text: str, at: int) -> bool:
    """Whether a node may start here, by what stands before it on its line. Prose passes at times: then reading is slow."""
    if at and text[at - 1] in "+-":
        at -= 1  # the sign of a number
    end = at
    while at and text[at - 1] in " \t":
        at -= 1
    before = text[at - 1 : at]
    return before in ("", "\n", "\r", "[", "{", ",") or (end > at and before in (":", "-", "?"))


def _text_keys(value: Any, limits: Limits) -> bool:
    """Turn the status codes among the keys into text, in place. False where the spelling of a key was lost."""
    strings = {str}
    level: list[Any] = [value] if isinstance(value, (dict, list)) else []
    count = 0
    while level:
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                if not strings.issuperset(map(type, node)) and not _rename(node):
                    return False
                below.extend(node.values())
            else:
                below.extend(node)
        level = [node for node in below if type(node) is dict or type(node) is list]
        count += len(below)
        if count > limits.nodes:
            return True  # the walk that counts them says it
    return True


def _rename(members: dict[Any, Any]) -> bool:
    names = [key if type(key) is str else str(key) for key in members]
    plain = all(type(key) is str or (type(key) is int and 100 <= key <= 599) for key in members)
    if not plain or len(set(names)) != len(names):
        return False
    values = list(members.values())
    members.clear()
    members.update(zip(names, values, strict=True))
    return True


def load_events(text: str, limits: Limits) -> Any:
    """Build the values from PyYAML's events, without recursion and without its constructors.

    Raises:
        TextError, LimitExceeded: As `load_yaml`.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(limits).build(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = error.problem or error.context or "it cannot be read"
        raise TextError("V103", f"this is not YAML: {problem}", line, column) from None
    except yaml.YAMLError as error:
        raise TextError("V103", f"this is not YAML: {' '.join(str(error).split())}") from None


class _Collection:
    """A mapping or sequence that is being filled; `key` waits for its value."""

    __slots__ = ("anchor", "key", "merges", "size", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: str | None = None
        self.merges: list[Any] = []
        self.size = 1
        """Values in it, itself among them, with its aliases written out."""


class _Builder:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._anchors: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        """Of what the anchors name."""
        self._plain = 0
        """Values that stand in the text."""
        self._aliases = 0
        self._open: list[_Collection] = []
        self._root: list[Any] = []

    def build(self, events: Iterator[Any]) -> Any:
        import yaml

        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent():
                    self._start({}, event)
                case yaml.SequenceStartEvent():
                    self._start([], event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._end(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent() if self._root:
                    raise TextError("V103", "the file holds more than one YAML document", *_where(event))
                case _:
                    pass
        return self._root[0] if self._root else None

    def _grow(self, size: int) -> None:
        """Refuse what multiplies before it is written out anywhere: a few lines of aliases may stand for a billion values."""
        allowed = self._limits.alias_growth * max(self._plain, _SMALL)
        if size > allowed:
            what = f"its aliases stand for {size:,} values where {self._plain:,} are written"
            raise LimitExceeded("alias_growth", self._limits.alias_growth, what)

    def _start(self, value: Any, event: Any) -> None:
        _check_tag(event, "map" if isinstance(value, dict) else "seq")
        self._refuse_as_key(event)
        if len(self._open) >= self._limits.depth:
            raise LimitExceeded("depth", self._limits.depth, "the document is nested more deeply than that")
        self._plain += 1
        self._open.append(_Collection(value, event.anchor))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        for merged in done.merges:
            for key, value in merged.items():
                done.value.setdefault(key, value)
        if done.anchor is not None:
            self._anchors[done.anchor] = done.value
            self._sizes[done.anchor] = done.size
        self._add(done.value, event, done.size)

    def _scalar(self, event: Any) -> None:
        inside = self._open[-1] if self._open else None
        if inside is not None and isinstance(inside.value, dict) and inside.key is None:
            self._key(inside, event)
            return
        value = _value(event, self._limits)
        self._plain += 1
        if event.anchor is not None:
            self._anchors[event.anchor] = value
            self._sizes[event.anchor] = 1
        self._add(value, event)

    def _key(self, inside: _Collection, event: Any) -> None:
        _check_tag(event, "str", "int", "float", "bool", "null", "merge")
        if event.value in inside.value or (event.value == "<<" and inside.merges):
            raise TextError("V104", f"the key `{event.value}` stands twice in one object", *_where(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = event.value
            self._sizes[event.anchor] = 1
        inside.key = event.value

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            if any(collection.anchor == event.anchor for collection in self._open):
                raise TextError("V105", f"the alias `*{event.anchor}` stands inside what it names", *_where(event))
            raise TextError("V103", f"the alias `*{event.anchor}` names nothing before it", *_where(event))
        value = self._anchors[event.anchor]
        if isinstance(value, (dict, list)):
            self._refuse_as_key(event)
            self._aliases += 1
            if self._aliases > self._limits.aliases:
                raise LimitExceeded("aliases", self._limits.aliases, "the document uses aliases more often than that")
        elif self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
            raise TextError("V103", "an alias stands where a key should", *_where(event))
        size = self._sizes[event.anchor]
        self._grow(sum(collection.size for collection in self._open) + size)
        self._add(value, event, size)

    def _add(self, value: Any, event: Any, size: int = 1) -> None:
        if not self._open:
            self._root.append(value)
            return
        inside = self._open[-1]
        inside.size += size
        if isinstance(inside.value, list):
            inside.value.append(value)
        elif inside.key == "<<" and isinstance(value, (dict, list)):
            inside.merges = value if isinstance(value, list) else [value]
            if not all(isinstance(merged, dict) for merged in inside.merges):
                raise TextError("V103", "a merge key `<<` takes objects only", *_where(event))
            inside.key = None
        else:
            assert inside.key is not None
            inside.value[inside.key] = value
            inside.key = None

    def _refuse_as_key(self, event: Any) -> None:
        if self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
            raise TextError("V103", "a list or an object stands where a key should", *_where(event))


def _check_tag(event: Any, *allowed: str) -> None:
    tag = event.tag
    if tag is None or tag == "!" or (tag.startswith(_CORE) and tag[len(_CORE) :] in allowed):
        return
    raise TextError("V106", f"the tag `{tag[:80]}` is not read here", *_where(event))


def _value(event: Any, limits: Limits) -> Any:
    text: str = event.value
    _check_tag(event, "str", "int", "float", "bool", "null")
    tag = event.tag
    if tag is None and not event.implicit[0]:
        return text  # quoted or a block
    if tag in ("!", _CORE + "str"):
        return text
    value = _plain(text, event, limits)
    if tag is not None and _kind(value) not in ((tag[len(_CORE) :],) if tag != _CORE + "float" else ("float", "int")):
        raise TextError("V106", f"`{text[:40]}` does not have the type its tag says", *_where(event))
    return float(value) if tag == _CORE + "float" else value


def _plain(text: str, event: Any, limits: Limits) -> Any:
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text[0] in "tT"
    if _INT.match(text):
        if len(text) > limits.integer_digits:
            raise LimitExceeded("integer_digits", limits.integer_digits, "an integer has more digits than that")
        return int(text)
    if _INT_BASE.match(text):
        whole = int(text[2:], 8 if text[1] == "o" else 16)
        if whole.bit_length() > limits.integer_digits * _BITS_OF_A_DIGIT:
            raise LimitExceeded("integer_digits", limits.integer_digits, "an integer has more digits than that")
        return whole
    if _NAN.match(text):
        raise TextError("V107", f"`{text[:40]}` is not a JSON number", *_where(event))
    if not _FLOAT.match(text):
        return text
    number = float(text)
    return text if math.isinf(number) else number


def _kind(value: Any) -> str:
    return {str: "str", int: "int", float: "float", bool: "bool", type(None): "null"}[type(value)]


def _where(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1

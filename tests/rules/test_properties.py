"""What holds for every compiled rule: it maps a record or says why not; whatever the vendor sends, a page never raises."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.workflow.gates import MANIFEST, spec
from vitesse.api.model import Scalar, Type
from vitesse.api.paths import Path as FieldPath
from vitesse.pipeline import compile_integration, read_integration
from vitesse.registry import BUILT_IN, Registry
from vitesse.rules.fits import unfit
from vitesse.rules.load import load_rules, read_rule
from vitesse.rules.prove import prove_rule
from vitesse.rules.transforms import TRANSFORMS

pytestmark = pytest.mark.slow  # a package of a thousand rules is compiled first
REGISTRY = Registry(functions={one.name: one for one in BUILT_IN})

TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "short": {"type": "string", "maxLength": 5},
    "word": {"type": "string", "enum": ["on", "off", "gone"]},
    "day": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "money": {"type": "string", "format": "decimal"},
    "whole": {"type": "integer"},
    "long": {"type": "integer", "format": "int64"},
    "small": {"type": "integer", "format": "int32"},
    "number": {"type": "number"},
    "double": {"type": "number", "format": "double"},
    "flag": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "wholes": {"type": "array", "items": {"type": "integer", "nullable": True}},
    "table": {"type": "object", "additionalProperties": {"type": "string"}},
    "free": {},
}
"""One of each kind that a rule may meet, at both ends."""
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "parse": [
        {"to": "decimal"},
        {"to": "decimal", "places": 2, "rounding": "up"},
        {"to": "integer"},
        {"to": "integer", "rounding": "down"},
    ],
    "stringify": [{}, {"places": 3}],
    "parse_bool": [{}, {"true": ["on"], "false": ["off", "gone"]}],
    "collect": [{}, {"separator": ","}],
    "constant": [{"value": "on"}, {"value": 7}, {"value": ["a"]}, {"value": None}, {"value": {"a": "b"}}, {"value": "2024-01-02"}],
    "enum": [
        {"map": {"on": "on", "off": "off"}},
        {"map": {"on": "on"}, "default": "gone"},
        {"map": {"1": 1, "2": 2}},
        {"map": {"true": "on", "false": "off"}},
    ],
    "split": [
        {"separator": " "},
        {"separator": " ", "part": 0},
        {"separator": ",", "part": -2},
        {"separator": " ", "part": 1, "rest": True},
    ],
    "join": [{"separator": " "}],
    "template": [],
    "date": [
        *({"to": to} for to in ("date", "datetime", "unix_s", "unix_ms", "%d.%m.%Y", "%H:%M %z")),
        {"to": "datetime", "form": "unix_s"},
        {"to": "date", "form": "unix_ms", "zone": "Asia/Tokyo"},
        {"to": "unix_s", "form": "%d/%m/%Y", "read_as": "Europe/Berlin"},
        {"to": "%Y", "form": "unix_s"},
    ],
    "each": [
        {"transform": "text", "case": "upper"},
        {"transform": "parse", "to": "integer"},
        {"transform": "stringify"},
        {"transform": "wrap"},
        {"transform": "date", "to": "date"},
    ],
    "text": [{"trim": True, "case": "lower"}, {"max_length": 3}],
    "custom": [{"function": "parse_iso8601_to_date"}],
    "lookup": [{"stream": "people"}, {"stream": "people", "to": "integer"}],
}  # fmt: skip


def schema(required: bool) -> dict[str, Any]:
    """Each type once as it is, once required, once nullable; and a list of objects."""
    properties: dict[str, Any] = {"id": {"type": "string"}}
    for name, one in TYPES.items():
        properties[name] = one
        properties[f"{name}_must"] = one
        properties[f"{name}_null"] = {**one, "nullable": True}
    item = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "string"}, "n": {"type": "integer", "nullable": True}},
    }
    properties |= {"map": TYPES["table"], "any": {}}
    properties["items"] = {"type": "array", "items": item, "nullable": True}
    properties["part"] = {"type": "object", "properties": {"a": {"type": "string"}, "deep": item}}
    must = ["id", *(f"{name}_must" for name in TYPES)] if required else []
    return {"type": "object", "properties": properties, **({"required": must} if must else {})}


SOURCES = [
    *(f"{name}{end}" for name in TYPES for end in ("", "_must", "_null")),
    "items[].a", "items[].n", "part.a", "part.deep.n", "map.key", "any.inner",
]  # fmt: skip
PAIRS = [
    ("text", "short_null"),
    ("text_must", "whole"),
    ("texts", "text"),
    ("part.a", "part.deep.a"),
    ("number", "whole_null"),
]


def variants(transform: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Parameters and sources that a transform could be given."""
    row = TRANSFORMS[transform]
    if transform == "template":
        yield from (({"template": f"{{{one}}}!"}, one) for one in SOURCES)
        yield from (({"template": f"{{{one}}}-{{{other}}}"}, [one, other]) for one, other in PAIRS)
        return
    for options in OPTIONS.get(transform, [{}]):
        if row.least == 0:
            yield options, None
        if row.least <= 1 and row.most != 0:
            yield from ((options, one) for one in SOURCES)
        if row.most is None:
            yield from ((options, list(pair)) for pair in PAIRS)


def rule_form(transform: str, options: dict[str, Any], sources: Any, waive: dict[str, str]) -> dict[str, Any]:
    form: dict[str, Any] = {"transform": transform}
    if sources is not None:
        form["from"] = sources
    if options:
        form["with"] = options
    return form | ({"waive": waive} if waive else {})


@cache
def folder_at(root: Path) -> Path:
    """An integration whose mapping has one field for every way to convert one kind into another."""
    folder = root / "every"
    (folder / "facts").mkdir(parents=True)
    (folder / "integration.yaml").write_text(MANIFEST.replace("name: small", "name: every-conversion"))
    facts = {"records": {"value": "people", "at": "#/paths", "confidence": 0.99}}
    (folder / "facts" / "shop.yaml").write_text(json.dumps({"GET /people": facts}))
    (folder / "facts" / "crm.yaml").write_text("{}\n")
    (folder / "mappings").mkdir()
    (folder / "specs").mkdir()
    people = {
        "type": "object",
        "properties": {"people": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}}},
    }
    shop = spec("Shop", "/people", "get", {**schema(required=True), "x-name": "Person"}, people)
    (folder / "specs" / "shop.yaml").write_text(json.dumps(shop))
    write_destination(folder, dict(TYPES))
    (folder / "mappings" / "people.yaml").write_text('{"vitesse": 1, "stream": "people", "rules": {}}')
    rules, fields = every_rule(folder)
    write_destination(folder, fields)
    (folder / "mappings" / "people.yaml").write_text(json.dumps({"vitesse": 1, "stream": "people", "rules": rules}))
    return folder


def write_destination(folder: Path, fields: dict[str, Any]) -> None:
    contact = {"type": "object", "properties": {"id": {"type": "string", "readOnly": True}, **fields}}
    reply = {"$ref": "#/components/schemas/Contact"}
    crm = spec("Crm", "/contacts", "post", {**contact, "x-name": "Contact"}, reply)
    (folder / "specs" / "crm.yaml").write_text(json.dumps(crm))


POLICIES: list[dict[str, Any]] = [
    {},
    {"on_null": "omit"},
    {"on_null": "dead", "on_missing": "dead"},
    {"on_null": "keep"},
]


def every_rule(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rules that hold, one for each (transform, parameters, sources), each with a field of its own."""
    integration = read_integration(folder)
    ends = integration.ends("people")
    rules: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    seen: set[object] = set()
    targets = list(TYPES)
    for transform in TRANSFORMS:
        if transform == "direct":
            continue  # another path; `mapping` is the same function
        for number, (options, sources) in enumerate(variants(transform)):
            for target in targets[number % len(targets) :] + targets[: number % len(targets)]:
                policy = POLICIES[(number + len(target)) % len(POLICIES)]
                waive: dict[str, str] = {}
                for _ in range(3):
                    form = rule_form(transform, options, sources, waive) | policy
                    checked, found = prove_rule(
                        read_rule("people", target, form), source=ends[0], destination=ends[1], registry=REGISTRY
                    )
                    codes = {one.code for one in found}
                    if checked is None and codes == {"V422"}:
                        policy = POLICIES[1]
                    elif checked is not None and "V430" in codes:
                        waive = {loss.code: "tried" for loss in checked.losses}
                    else:
                        break
                group = (transform, json.dumps(options), str(sources))
                if checked is None or codes or group in seen:
                    continue
                seen.add(group)
                id = f"f{len(rules)}"
                rules[id], fields[id] = form, {**TYPES[target]}
    return rules, fields


# --- records ----------------------------------------------------------------------------------------------------------

texts = st.text(max_size=8) | st.sampled_from(
    [
        "on",
        "off",
        "true",
        "1",
        "12.50",
        "-0",
        "1e400",
        "2024-02-30",
        "2024-01-15T10:00:00Z",
        "a,b",
        " ",
        "Ada King Lovelace",
    ]
)
moments = st.datetimes(timezones=st.none() | st.timezones()).map(lambda moment: moment.isoformat())
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "short": texts,
    "word": st.sampled_from(["on", "off", "gone"]) | texts,
    "day": st.dates().map(str) | texts,
    "moment": moments | texts,
    "money": st.decimals(allow_nan=False, allow_infinity=False).map(str) | texts,
    "whole": st.integers(-(10**20), 10**20) | st.sampled_from([0, 1, 2, 1710027125, 10**15]),
    "long": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(-(2**31), 2**31 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**12),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "flag": st.booleans(),
    "texts": st.lists(texts, max_size=3),
    "wholes": st.lists(st.none() | st.integers(), max_size=3),
    "table": st.dictionaries(texts, texts, max_size=3),
    "free": st.none() | st.booleans() | texts | st.integers() | st.lists(texts, max_size=2) | st.dictionaries(texts, texts, max_size=2),
}  # fmt: skip
ITEM = st.fixed_dictionaries({"a": texts}, optional={"n": st.none() | st.integers()})
RECORDS = st.fixed_dictionaries(
    {"id": texts, **{f"{name}_must": one for name, one in VALUES.items()}},
    optional={
        **VALUES,
        **{f"{name}_null": st.none() | one for name, one in VALUES.items()},
        "map": st.dictionaries(st.just("key"), texts),
        "any": VALUES["free"] | st.fixed_dictionaries({"inner": VALUES["free"]}),
        "items": st.none() | st.lists(ITEM, max_size=3),
        "part": st.fixed_dictionaries({}, optional={"a": texts, "deep": ITEM}),
    },
)
"""Records as the vendor's schema has them, with values that are no numbers, no dates, no words of a set."""
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package with every conversion, imported."""
    root = tmp_path_factory.mktemp("properties")
    folder = folder_at(root)
    package = compile_integration(folder, draft=True).package.package
    for file in package.files:
        if file.path.startswith("src/"):
            path = root / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
    sys.path.insert(0, str(root / "src"))
    try:
        yield (
            importlib.import_module("every_conversion.app"),
            load_rules(folder, "people"),
            read_integration(folder).ends("people"),
        )
    finally:
        sys.path.remove(str(root / "src"))


def within(name: str) -> Any:
    return importlib.import_module(f"every_conversion._runtime.{name}")


QUICK = settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a record of fifty fields is not worth shrinking
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_the_package_of_properties_has_every_transform(compiled: Any) -> None:
    """What holds below holds for all of the table (`direct` is `mapping`)."""
    _, rules, _ = compiled
    assert {rule.transform for rule in rules.rules} == set(TRANSFORMS) - {"direct"}
    assert len(rules.rules) > 1000


def as_json(value: Any) -> Any:
    """A mapped value as it is written."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(member) for key, member in value.items()}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return float(value) if type(value).__name__ == "Decimal" else value


def plain(type: Type) -> Type:
    """Without what a waived loss may break: lengths and closed sets."""
    from dataclasses import replace

    return replace(type, enum=(), max_length=None) if isinstance(type, Scalar) else type


@QUICK
@given(record=RECORDS)
def test_each_rule_maps_a_record_or_says_why_not_and_gives_what_the_destination_takes(
    compiled: Any, record: Any
) -> None:
    """One field after the other: a value of the destination's type, or a refusal without a word of the record; nothing else."""
    app, rules, (_, crm) = compiled
    (stream,) = app.INTEGRATION.streams
    decode = within("http.decode")
    try:
        read = decode.decode_record(
            stream.source.record, json.dumps(record).encode("utf-8", "surrogatepass"), exact=stream.source.exact_numbers
        )
    except within("errors").DecodeError:
        return
    missing, refused = within("records").MISSING, within("values").MappingError
    wrong = []
    for rule, compute in expressions(app):
        known = rules.rule(rule)
        field = crm.type.field(rule)
        try:
            value = compute(read)
        except refused:
            continue
        except Exception as error:
            wrong.append((known.sources, known.transform, known.options, field.type, error))
            continue
        if value is missing and known.on_missing != "dead":
            continue
        if value is None and (field.type.nullable or "null_into_non_null" in known.waive):
            continue
        why = unfit(as_json(value), plain(field.type), crm.types)
        is_unchanged = known.transform in UNCHANGED and any(is_undescribed(path) for path in known.sources)
        if why is not None and not is_unchanged and not is_refused(stream.destination.body, rule, value):
            wrong.append(
                (
                    known.sources,
                    known.transform,
                    dict(known.options),
                    type(field.type).__name__,
                    getattr(field.type, "format", None),
                    value,
                    why,
                )
            )
    assert wrong == [], f"{len(wrong)} of {len(rules.rules)}, such as {wrong[:8]}"


UNCHANGED = ("mapping", "first", "wrap", "collect", "each")
"""What hands a value of any type on as it is: nothing says what it should be, so the destination judges it."""


def is_undescribed(path: FieldPath) -> bool:
    """Whether the source's schema says nothing of the values at `path`: `free` itself, what lies within `any`."""
    return str(path[0]) in ("free", "free_must", "free_null", "any")


def is_refused(body: Any, name: str, value: Any) -> bool:
    """Whether the destination's model takes no such value: how values of any type are checked when they are there."""
    try:
        body.__pydantic_validator__.validate_assignment(body.model_construct(), name, value)
    except ValidationError:
        return True
    return False


@cache
def expressions(app: Any) -> list[tuple[str, Any]]:
    """Rule → what its line of the mapper computes."""
    import ast

    (stream,) = app.INTEGRATION.streams
    module = sys.modules[stream.map.__module__]
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text())
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == stream.map.__name__)
    returned = function.body[-1]
    assert isinstance(returned, ast.Return)
    assert isinstance(returned.value, ast.Call)
    found = []
    for keyword in returned.value.keywords:
        code = ast.Expression(ast.parse(f"lambda src: {ast.unparse(keyword.value)}", mode="eval").body)
        found.append((str(keyword.arg), eval(compile(code, "mapper", "eval"), vars(module))))
    return found


@QUICK
@given(
    records=st.lists(
        st.one_of(
            RECORDS,
            ANYTHING,
            st.fixed_dictionaries({"id": ANYTHING}, optional={f"{name}_must": ANYTHING for name in TYPES}),
        ),
        max_size=4,
    )
)
def test_a_page_of_records_never_raises_but_dead_letters(compiled: Any, records: list[Any]) -> None:
    """Whatever the vendor sends: each record is an item or a dead letter, and the letter says what was wrong, not that we failed."""
    app, _, _ = compiled
    (stream,) = app.INTEGRATION.streams
    raws = [json.dumps(record).encode("utf-8", "surrogatepass") for record in records] + [
        b"",
        b"{",
        b"\xff",
        b'{"id": NaN}',
    ]
    drift = within("engine.drift").Drift(stream)
    items, bad = within("engine.items").Reader(stream, drift).read(raws)
    assert len(items) + len(bad) == len(raws)
    assert len(bad) >= 4
    assert [one.why.reason for one in bad if one.why.reason.endswith("while mapping")] == []

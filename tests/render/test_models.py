"""Models: what the generator makes of our schema is what the plan says, and the records behave as the runtime needs."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.render.front_door import schema, written
from tests.render.oracle import classes
from tests.render.plans import contact_module, customer_module
from vitesse.diagnostics import InternalError
from vitesse.plan.model import Model, ModelField, ModelModule, PyType
from vitesse.render import models
from vitesse.render.models import assemble, generated_classes, models_text
from vitesse.verify.expected import expected_models

SCALARS = ["str", "int", "Decimal", "bool", "date", "datetime", "bytes", "Any"]


def _types(known: tuple[str, ...], *, depth: int) -> st.SearchStrategy[PyType]:
    leaves = st.builds(PyType, scalar=st.sampled_from(SCALARS), nullable=st.booleans())
    if known:
        leaves |= st.builds(PyType, model=st.sampled_from(known), nullable=st.booleans())
    if depth == 0:
        return leaves
    inner = _types(known, depth=depth - 1)
    return (
        leaves
        | st.builds(PyType, items=inner, nullable=st.booleans())
        | st.builds(PyType, values=inner, nullable=st.booleans())
        | st.builds(PyType, union=_members(inner), nullable=st.booleans())
    )


def _members(inner: st.SearchStrategy[PyType]) -> st.SearchStrategy[tuple[PyType, ...]]:
    """What a union may have: no union, nothing nullable, nothing that is anything, nothing twice."""
    plain = inner.map(lambda type: replace(type, nullable=False)).filter(
        lambda type: not type.union and type.scalar != "Any"
    )
    return st.lists(plain, min_size=2, max_size=4, unique=True).map(tuple)


FIELD_NAMES = (
    "id name type type_ first_name value model a1 items values class_ root json_ x_y model_x self_ None_ field alias default"
    " str_ int_ list_ object hash set bytes kind0 annotated enum decimal description title format ref any_of properties"
    " required a_name_that_is_rather_long_for_a_name_of_a_field_you_know_2"
).split()
"""What a plan may call a field, with those that mean something to a generator."""


CLASS_NAMES = ("Address_2", "Model", "Warning_")
"""What a plan may call a class; the generator would rename all three."""


@st.composite
def modules(draw: st.DrawFn) -> ModelModule:
    made: list[Model] = []
    for number in range(draw(st.integers(1, 3))):
        known = (*(model.name for model in made), CLASS_NAMES[number])
        names = draw(st.lists(st.sampled_from(FIELD_NAMES), min_size=1, unique=True))
        fields = tuple(
            ModelField(
                name=name,
                wire_name=draw(st.just(name) | st.text(min_size=1, max_size=8)),
                type=replace(draw(_types(known, depth=2)), may_miss=draw(st.booleans())),
            )
            for name in names
        )
        made.append(Model(name=CLASS_NAMES[number], doc=f"The kind {number}.", fields=fields))
    return ModelModule(module="kinds", doc="Kinds.", reads=draw(st.booleans()), models=tuple(made))


def _bodies(text: str) -> list[str]:
    return [ast.dump(node) for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]


@settings(max_examples=25, deadline=None)
@given(modules())
def test_models_are_those_of_the_oracle(module: ModelModule):
    """The generator, our small emitter and what verification expects agree on every field, type and alias."""
    text = models_text(module)
    assert {node.name: ast.unparse(node) for node in ast.parse(generated_classes(module)).body} == written(module)  # type: ignore[attr-defined]
    assert _bodies(text) == _bodies(classes(module))
    assert ast.dump(ast.parse(text)) == ast.dump(expected_models(module))


def test_order_of_classes_is_the_plans():
    """The generator has an order of its own; nested classes come first in ours, so that a reader meets them so."""
    names = [node.name for node in ast.parse(models_text(contact_module())).body if isinstance(node, ast.ClassDef)]
    assert names == ["ContactAddress", "Contact"]


def test_schema_holds_no_name_of_the_plan():
    """Wire names, titles and prose never reach the generator, and neither do our names: it renames some."""
    keys = {
        "$defs", "$ref", "additionalProperties", "anyOf", "format", "items", "properties", "required", "type",
    }  # fmt: skip
    assert {re.sub("[0-9]+", "N", key) for key in _keys(schema(customer_module("outside")))} <= keys | {
        "KindN",
        "field_N",
        "wire-N",
    }
    assert "outside" not in repr(schema(customer_module("outside"))) + generated_classes(customer_module("outside"))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


GENERATED = """
class Kind0(Record):
    field_0: int
    field_1: Annotated[str | MISSING, Field(alias='wire-1')] = MISSING
"""

KIND = ModelModule(
    module="kind",
    doc="Kind.",
    reads=True,
    models=(
        Model(
            name="Kind",
            doc="Kind.",
            fields=(
                ModelField(name="id", wire_name="id", type=PyType(scalar="int")),
                ModelField(name="name", wire_name='na"me', type=PyType(scalar="str", may_miss=True)),
            ),
        ),
    ),
)


def test_stand_in_becomes_the_wire_name():
    assert "Field(alias='na\"me')" in assemble(KIND, GENERATED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class Kind0(", "class Kind_1("),
        ("(Record)", "(BaseModel)"),
        ("(Record)", "(Record, object)"),
        ("class Kind0", "@print\nclass Kind0"),
        ("    field_0: int\n", ""),
        ("field_0: int", "field_2: int"),
        ("field_0: int", "field_0: int = 1; print(1)"),
        ("field_0: int", "field_0: Annotated[int, 'x']"),
        ("field_0: int", "print(1)"),
        ("wire-1", "other"),
        ("\nclass", "\nfrom os import system\nclass"),
        ("\nclass", "\nfrom typing import Annotated as A\nclass"),
        ("\nclass", "\nimport os\nclass"),
        ("\nclass", "\nprint(1)\n\nclass"),
    ],
)
def test_generated_text_that_is_not_the_plans_is_refused(old: str, new: str):
    """Another version of the generator, or a name it does not like, is an error and not another package."""
    assert old in GENERATED
    with pytest.raises(InternalError):
        assemble(KIND, GENERATED.replace(old, new, 1))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The contact's models, imported beside the real records of the runtime."""
    import runtime.records

    folder = tmp_path_factory.mktemp("models")
    (folder / "sample_models").mkdir()
    (folder / "sample_models/__init__.py").touch()
    (folder / "sample_models/_runtime").mkdir()
    (folder / "sample_models/_runtime/__init__.py").touch()
    (folder / "sample_models/_runtime/records.py").write_text(Path(runtime.records.__file__).read_text())
    (folder / "sample_models/models").mkdir()
    (folder / "sample_models/models/__init__.py").write_text(models_text(contact_module()) + "\nfrom .read import *\n")
    (folder / "sample_models/models/read.py").write_text(models_text(customer_module()))
    sys.path.insert(0, str(folder))
    try:
        import sample_models.models  # type: ignore[import-not-found]

        yield sample_models.models
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("sample_models")]:
            del sys.modules[name]


def test_body_is_written_by_wire_names_without_what_is_missing(records: ModuleType):
    contact = records.Contact(email=None, phone_number="1", address=records.ContactAddress(city="x"))
    assert contact.model_dump(mode="json") == {"email": None, "phoneNumber": "1", "address": {"City": "x"}}


def test_record_is_read_by_wire_names_only(records: ModuleType):
    """A wire key that looks like our name is not taken for it."""
    raw = b'{"id": 1, "createdAt": "a", "created_at": "b", "class": {"x": [1]}, "unknown": 1}'
    customer = records.Customer.model_validate_json(raw, by_alias=True, by_name=False)
    assert (customer.created_at, customer.class_) == ("a", {"x": [1]})
    missing = records.Customer.model_validate_json(b'{"id": 1, "email": null}', by_alias=True, by_name=False)
    assert missing.email is None
    assert repr(missing.created_at) == "MISSING"


def test_generator_is_loaded_only_when_models_are_made():
    """Its import is the dearest part of a build."""
    import subprocess

    code = "import vitesse.render, sys; print('datamodel_code_generator' in sys.modules, 'black' in sys.modules)"
    path = str(Path(models.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert done.stdout == "False False\n", done.stderr

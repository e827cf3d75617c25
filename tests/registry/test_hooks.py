"""The public dataclasses agree with what the rest of the compiler and the runtime know."""

from __future__ import annotations

import ast
from dataclasses import fields

from vitesse import hooks
from vitesse.plan.model import SignaturePlan
from vitesse.registry import BUILT_IN
from vitesse.registry.signature import Signature, read_signatures
from vitesse.templates import template_home


def test_a_signature_preset_has_the_members_of_a_plans_signature():
    preset = {field.name: field.default for field in fields(hooks.SignaturePreset) if field.name != "name"}
    assert preset == {field.name: field.default for field in fields(SignaturePlan)}


def test_built_in_functions_are_as_the_runtime_defines_them():
    for function in BUILT_IN:
        file = template_home() / "runtime" / f"{function.module.removeprefix('_runtime.')}.py"
        actual = read_signatures(ast.parse(file.read_bytes()))[function.function]
        assert isinstance(actual, Signature)
        assert (actual.inputs, actual.result, actual.parameters) == (
            function.inputs,
            function.result,
            function.parameters,
        )
        assert function.description == actual.description


def test_all_that_is_public_is_listed_and_there():
    assert [name for name in hooks.__all__ if not hasattr(hooks, name)] == []

"""A few seconds of made-up documents in every test run; `make fuzz` takes as many as asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import quick, structure
from tests.hostile.corpus import Case
from tests.hostile.integration import Role

from .properties import compile_whole, inspect_whole, load_text, read_whole
from .strategies import base_document, documents, schemas

QUICKLY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def baselines(place: Path) -> Mapping[Role, structure.Files]:
    file = place / "baseline.json"
    file.write_text(json.dumps(base_document()))
    case = Case(id="_", group="", slot="", expected="safe", file=file, baseline=file)
    return quick.baseline_files(case, place / "baseline")


@QUICKLY
@given(document=documents())
def test_document_is_read_or_refused_with_a_place(document: Any, place: Path) -> None:
    """Nothing but a diagnostic comes of a document, whatever stands in it."""
    file = place / "document.json"
    file.write_text(json.dumps(document))
    read_whole(file)
    inspect_whole(file, place / "memo")


@QUICKLY
@given(schema=schemas)
def test_schema_of_a_field_is_read_or_refused_with_a_place(schema: Any, place: Path) -> None:
    """In a field, where rules would meet it."""
    document = base_document()
    document["components"]["schemas"]["Book"]["properties"]["title"] = schema
    file = place / "schema.json"
    file.write_text(json.dumps(document))
    read_whole(file)
    inspect_whole(file, place / "memo")


@settings(QUICKLY, max_examples=12)
@given(document=documents())
def test_what_compiles_is_proved(document: Any, place: Path, baselines: dict[Role, structure.Files]) -> None:
    """Made-up names, values and places become constants and planned names, or a diagnostic."""
    compile_whole(document, place / "compiled", baselines)


def test_document_that_asks_for_no_credential_compiles(place: Path, baselines: dict[Role, structure.Files]) -> None:
    """Its package names no variable, and is the benign one's else."""
    document = base_document()
    del document["components"]["securitySchemes"]
    assert len(compile_whole(document, place / "open", baselines)) == 2


@QUICKLY
@given(
    data=st.one_of(
        st.binary(max_size=60),
        st.text(alphabet="{}[]:,-?&*!|>'\"#%@` \n\t~01.eE+x<nulltrueyno", max_size=60).map(str.encode),
    )
)
def test_text_is_loaded_or_refused(data: bytes) -> None:
    """JSON and YAML of any sort."""
    load_text(data)

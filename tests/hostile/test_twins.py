"""Twins of our own hostile documents compile to the same trees. `make hostile` compares the twins of every case it tries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from . import quick
from .corpus import Case, read_corpus
from .integration import ROLES, write_integration
from .test_own import CORPUS
from .twins import differences, twin_faults

IDS = (
    "doc-title-quotes", "doc-summary-everything", "cmt-title-coding", "str-field-quotes", "str-field-space", "str-field-record",
    "str-enum-mean", "str-const-mean", "str-query-mean", "str-key-cookie", "str-path-query", "srv-variable-dunder", "idn-opid-lines",
    "idn-field-folding", "md-field-ticks", "md-title-fence", "toml-version", "jin-title-cookiecutter", "ext-names-code",
)  # fmt: skip


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Case]:
    return {case.id: case for case in read_corpus(CORPUS, tmp_path_factory.mktemp("twins"))}


@pytest.mark.parametrize("id", IDS)
def test_twins_differ_in_constants_and_planned_names_only(id: str, cases: Mapping[str, Case], tmp_path: Path) -> None:
    """A document chooses what constants say and what things are called, never what the code does or how a file is built."""
    for role in ROLES:
        write_integration(tmp_path / "hostile" / role, cases[id].file.read_bytes(), ".json", role)
        files = quick.compile_files(tmp_path / "hostile" / role)
        assert twin_faults(cases[id], role, files, tmp_path / "benign" / role) == [], role


def test_difference_in_code_is_found() -> None:
    """One more call, another operator, another function or another argument is no constant and no planned name."""
    path = "src/hostile_twin/app.py"
    known = b"from ._runtime.x import Api, Env\n"
    one = {path: known + b'X = Env(a="a")\n'}
    assert differences({path: known + b'Y = Env(a="b\\n")\n'}, one) == []
    for other in (
        b'X = Api(a="a")\n',
        b'X = Env(a="a")\nEnv("b")\n',
        b'X = Env(a="a" + "b")\n',
        b"X = Env(a=1)\n",
        b'X = Env(b="a")\n',
    ):
        assert differences({path: known + other}, one) != []


@pytest.mark.parametrize(
    ("path", "benign", "hostile"),
    [
        ("README.md", "# a\n\nb\n", "# a\n\n[b](c)\n"),
        ("README.md", "| a |\n| --- |\n| b |\n", "| a |\n| --- |\n| b |\n| c |\n"),
        ("MAPPING.md", "a `b`\n", "a <b>\n"),
        ("pyproject.toml", "[a]\nb = 'c'\n", "[a]\nb = 'c'\n[d]\n"),
        ("compose.yaml", "a: b\n", "a: [b]\n"),
        ("tests/mocks/source.json", '{"a": "b"}', '{"a": null}'),
        ("Dockerfile", "USER 1\n", "USER 0\n"),
    ],
)
def test_difference_in_another_file_is_found(path: str, benign: str, hostile: str) -> None:
    """Documents choose no structure and no line of a file without outside text."""
    assert differences({path: hostile.encode()}, {path: benign.encode()}) != []
    assert differences({path: benign.encode()}, {path: benign.encode()}) == []

"""`models: full`: a package in which every field of the used operations is typed, beside the narrow one of the same rules."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.conftest import Example, load
from tests.shared import REPOSITORY, prove_by_its_own_tests
from vitesse.workflow.build import build_integration

NAME = "tracker_ledger"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The example's package with narrow and with full models."""
    root = tmp_path_factory.mktemp("full")
    for kind in ("narrow", "full"):
        folder = Path(shutil.copytree(REPOSITORY / "examples" / NAME, root / kind / NAME))
        manifest = folder / "integration.yaml"
        manifest.write_text(manifest.read_text().replace("review: required", f"review: required\nmodels: {kind}"))
        build_integration(folder, root / kind / "package", draft=False, discard=False)
    return {kind: root / kind / "package" for kind in ("narrow", "full")}


@pytest.fixture(scope="module")
def example() -> Example:
    return load(NAME)


def fields_of(package: Path, module: str, name: str) -> dict[str, str]:
    """Field → annotation of one class."""
    tree = ast.parse((package / "src" / NAME / "models" / f"{module}.py").read_text())
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return {
        str(line.target.id): ast.unparse(line.annotation)
        for line in found.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }


def described(spec: object, schema: dict[str, object]) -> set[str]:
    return {name for member in spec.members(schema) for name in member.get("properties", {})}  # type: ignore[attr-defined]


def test_a_record_that_is_read_has_every_field_of_its_schema(packages: dict[str, Path], example: Example):
    stream = example.streams["time_entries"]
    reply = example.source.reply(stream.source.list)
    record = next(
        found for path in ("items[]", "data[]", "entries[]") if (found := example.source.below(reply, path)) is not None
    )
    full = fields_of(packages["full"], "tracker_time_entry", "TimeEntry")
    narrow = fields_of(packages["narrow"], "tracker_time_entry", "TimeEntry")
    assert set(full) == described(example.source, record)
    assert set(narrow) < set(full)
    assert {name: full[name] for name in narrow} == narrow
    assert all(full[name].endswith("| MISSING") for name in set(full) - set(narrow))
    assert full["billable"] == "bool | MISSING"


def test_a_body_has_every_field_that_its_operation_takes(packages: dict[str, Path], example: Example):
    body = example.destination.request(example.streams["time_entries"].destination.create)
    assert set(fields_of(packages["full"], "ledger_charge", "Charge")) == described(example.destination, body)


def test_a_reply_has_the_servers_own_fields_typed(packages: dict[str, Path]):
    reply = fields_of(packages["full"], "ledger_charge_record", "ChargeRecord")
    assert reply["total"] == "Decimal | MISSING"
    assert reply["customer"] == "CustomerReference | MISSING"


def test_what_is_mapped_is_the_same(packages: dict[str, Path]):
    """No line of a mapper depends on it."""
    narrow, full = (packages[kind] / "src" / NAME / "mappers" for kind in ("narrow", "full"))
    names = sorted(path.name for path in narrow.glob("*.py"))
    assert names == sorted(path.name for path in full.glob("*.py"))
    assert [(narrow / name).read_text() for name in names] == [(full / name).read_text() for name in names]


@pytest.mark.slow
def test_a_package_with_full_models_is_typed_strictly_and_passes_its_own_tests(packages: dict[str, Path]):
    package = packages["full"]
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(package.parent / "mypy")]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run(
        [*mypy, f"src/{NAME}"], cwd=package, env={**environment, "MYPYPATH": "src"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    prove_by_its_own_tests(package)

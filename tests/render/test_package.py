"""The package as a whole: it imports, it is clean under the tools its owner will run, it does not depend on where it is made."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import black
import pytest

from tests.render.plans import plan
from tests.render.test_templates import POISON
from vitesse.package import RenderedPackage
from vitesse.plan.model import SettingValue
from vitesse.render import render_package


def _python(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _said(planned: Any, declared: Any, names: dict[str, Any], path: str) -> Iterator[str]:
    """Places at which a declaration is not what the plan says, member by member."""
    if isinstance(planned, SettingValue):
        env = planned.env and (planned.env, planned.secret, planned.text)
        found = declared if isinstance(declared, str) else (declared.name, declared.secret, declared.default)
        if found != (env or planned.text):
            yield f"{path}: {found!r}"
    elif is_dataclass(planned):
        for member in fields(planned):
            value = getattr(planned, member.name)
            if hasattr(declared, member.name):
                there = getattr(declared, member.name)
                if isinstance(value, str) and value in names and not isinstance(there, str):
                    value = names[value]
                yield from _said(value, there, names, f"{path}.{member.name}")
    elif isinstance(planned, tuple) and isinstance(declared, tuple) and len(planned) == len(declared):
        for position, (one, other) in enumerate(zip(planned, declared, strict=True)):
            yield from _said(one, other, names, f"{path}[{position}]")
    elif planned != declared or type(planned) is not type(declared):
        yield f"{path}: {declared!r} is not {planned!r}"


@pytest.mark.parametrize("text", ["", POISON.replace("\ud800", "")])
def test_package_declares_what_the_plan_says(template: Path, tmp_path: Path, text: str):
    """Every member of the plan arrives in the runtime's declarations, hostile text byte for byte."""
    said = plan(text)
    package = render_package(said, template)
    for file in package.files:
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    sys.path.insert(0, str(tmp_path / "src"))
    try:
        module = {name: import_module(f"shopify_credo.{name}") for name in ("app", "clients.shopify", "clients.credo")}
        mapper = import_module("shopify_credo.mappers.customers")
        names = {**vars(module["clients.shopify"]), **vars(module["clients.credo"]), **vars(mapper)}
        integration = module["app"].INTEGRATION
        found = list(_said(said.source, module["clients.shopify"].SHOPIFY, names, "source"))
        found += _said(said.destination, module["clients.credo"].CREDO, names, "destination")
        for api in (said.source, said.destination):
            for operation in api.operations:
                found += _said(operation, names[operation.constant], names, operation.constant)
        found += _said(said.streams, integration.streams, names, "streams")
        found += _said(said.webhooks, integration.webhooks, names, "webhooks")
        found += _said(said.settings, integration.settings, names, "settings")
        assert found == []
        assert (integration.name, integration.version, integration.contract) == ("shopify-credo", "0.1.0", 2)
        assert (integration.source, integration.destination) == (names["SHOPIFY"], names["CREDO"])
        stream = integration.streams[0]
        assert (stream.source.record.__name__, stream.destination.body.__name__) == ("Customer", "Contact")
        assert stream.map is mapper.to_contact
        customer = stream.source.record.model_validate({"id": 1, f"createdAt{text}": "2024-01-02T03:04:05Z"})
        assert customer.created_at == "2024-01-02T03:04:05Z"
        assert f"phoneNumber{text}" in stream.destination.body(email=None, phone_number="1").model_dump(mode="json")
    finally:
        sys.path.remove(str(tmp_path / "src"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "shopify_credo"]:
            del sys.modules[name]


def test_import_of_the_package_loads_nothing_else(folder: Path):
    """`import` stays quick: no module of a third party comes with it."""
    code = (
        "import sys; before = set(sys.modules); import shopify_credo\n"
        "print(*sorted(n for n in set(sys.modules) - before if n.split('.')[0] not in sys.stdlib_module_names))"
    )
    assert _python(folder, code) == "shopify_credo"


def test_derived_python_is_a_fixed_point_of_black(rendered: RenderedPackage):
    for file in rendered.files:
        if file.path.endswith(".py") and "_runtime" not in file.path and not file.path.startswith("tests/"):
            text = file.content.decode()
            assert black.format_str(text, mode=black.Mode(line_length=120)) == text or not text.strip(), file.path


def test_package_is_clean_under_its_own_ruff(folder: Path):
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run([ruff, "check", "--no-cache", "."], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_package_is_clean_under_strict_mypy(folder: Path, tmp_path: Path):
    if not (folder / "src/shopify_credo/_runtime/cli.py").exists():
        pytest.skip("the runtime has no command line yet")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_rendering_twice_gives_the_same_bytes(rendered: RenderedPackage, template: Path):
    assert render_package(plan(), template) == rendered


def test_lock_lists_every_other_file_with_its_digest(rendered: RenderedPackage):
    lock = json.loads(rendered.lock.content)
    assert lock["files"] == {file.path: f"sha256:{file.sha256}" for file in rendered.files if file is not rendered.lock}


@pytest.mark.slow
def test_wheel_and_sdist_hold_the_package_and_only_the_sdist_its_tests(folder: Path, tmp_path: Path):
    import tarfile
    import zipfile

    project = tmp_path / "project"
    shutil.copytree(folder, project)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(project)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    (sdist,) = tmp_path.glob("*.tar.gz")
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {path.relative_to(folder / "src").as_posix() for path in (folder / "src").rglob("*") if path.is_file()}
    assert in_wheel == {name for name in sources if "__pycache__" not in name}
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/mocks/source.json", "MAPPING.md", "vitesse.lock", "README.md", "LICENSE"} <= in_sdist

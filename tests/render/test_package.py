"""The package as a whole: it imports, it is clean under the tools its owner will run, it does not depend on where it is made."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import black
import pytest

from tests.render.plans import plan
from vitesse.package import RenderedPackage
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


def test_package_imports_and_declares_the_plan(folder: Path):
    """What the plan says is what the runtime is told."""
    seen = json.loads(
        _python(
            folder,
            "import json; from shopify_credo import INTEGRATION as i\n"
            "s = i.streams[0]\n"
            "print(json.dumps([i.name, i.contract, i.source.title, s.source.list.path, s.destination.batch.error,"
            " s.source.since.parameter, [e.name for e in i.settings], i.webhooks[0].topics]))",
        )
    )
    assert seen == [
        "shopify-credo",
        1,
        "Shopify Admin API",
        "/customers.json",
        ["error", -1],
        "updated_at_min",
        ["CREDO_API_KEY", "SHOPIFY_ACCESS_TOKEN", "SHOPIFY_SHOP", "SHOPIFY_WEBHOOK_SECRET"],
        ["customers/create", "customers/update"],
    ]


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

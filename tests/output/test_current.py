"""The fast path: digests alone tell that a build would change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import vitesse
from tests.render.plans import plan
from vitesse.output import is_current, package_digest, write_package
from vitesse.package import LOCK
from vitesse.verify import VerifiedPackage


@pytest.fixture
def written(verified: VerifiedPackage, tmp_path: Path) -> Path:
    write_package(verified, tmp_path)
    return tmp_path


def test_package_as_built_is_current(written: Path, template: Path):
    assert is_current(written, plan().inputs, template)


def test_other_inputs_are_not(written: Path, template: Path):
    assert not is_current(written, {**plan().inputs, "integration.yaml": "2" * 64}, template)


@pytest.mark.parametrize("path", ["tox.ini", "src/shopify_credo/py.typed", LOCK])
def test_edited_or_missing_files_are_not(written: Path, template: Path, path: str):
    (written / path).write_text("x")
    assert not is_current(written, plan().inputs, template)
    (written / path).unlink()
    assert not is_current(written, plan().inputs, template)


def test_other_template_is_not(written: Path, template: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("template")
    (other / "runtime").mkdir()
    assert not is_current(written, plan().inputs, other)


def test_compiler_that_changed_since_is_not(written: Path, template: Path):
    """Working on the compiler, one sees one's change without `--force`."""
    os.utime(written / LOCK, ns=(1, 1))
    assert not is_current(written, plan().inputs, template)


def test_digest_of_a_folder_is_the_packages_until_a_file_is_changed(
    verified: VerifiedPackage, written: Path, tmp_path_factory: pytest.TempPathFactory
):
    """A report made for a package counts for no other."""
    assert package_digest(written) == verified.digest
    (written / "notes.txt").write_text("mine")
    assert package_digest(written) == verified.digest
    (written / "tox.ini").write_text("edited")
    assert package_digest(written) is None
    assert package_digest(tmp_path_factory.mktemp("empty")) is None


def test_telling_imports_nothing_heavy():
    code = (
        "import sys; before = set(sys.modules)\n"
        "from vitesse.output import is_current\n"
        "print(*sorted({n.split('.')[0] for n in set(sys.modules) - before} - sys.stdlib_module_names))\n"
        "print(*sorted(n for n in sys.modules if n.startswith(('vitesse.plan', 'vitesse.api', 'vitesse.render'))))"
    )
    path = str(Path(vitesse.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert done.stdout.splitlines() == ["vitesse", ""], done.stderr

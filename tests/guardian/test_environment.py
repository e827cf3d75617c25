"""Clean environments: what is in them, how they are made, and what is said when they cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S
from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.guardian import environment
from vitesse.guardian.environment import Environment, environment_for, install, requirements


def told(error: pytest.ExceptionInfo[DiagnosticError]) -> Diagnostic:
    [found] = error.value.diagnostics
    return found


def project(folder: Path, *, dependencies: str = "[]", build: str = "[]") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        f'[build-system]\nrequires = {build}\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "x"\nversion = "1"\ndependencies = {dependencies}\n'
        "[project.optional-dependencies]\ntest = []\n"
    )
    return folder


def test_requirements_are_those_to_run_to_test_and_to_build(built: Path):
    wanted = requirements(built)

    assert wanted == sorted(wanted)
    names = {text.split(">")[0].split("[")[0] for text in wanted}
    assert {"aiohttp", "pydantic", "pytest", "hatchling"} <= names
    assert "vitesse" not in names


def test_folder_without_a_package_is_told(tmp_path: Path):
    with pytest.raises(DiagnosticError) as error:
        requirements(tmp_path)

    assert told(error).code == "V800"


@pytest.mark.slow
def test_environment_that_cannot_be_made_is_told_with_the_words_of_pip(tmp_path: Path):
    """And leaves nothing behind that a later examination would take for one."""
    (tmp_path / "wheels").mkdir()
    package = project(tmp_path / "package", dependencies='["there-is-no-such-thing"]')
    with pytest.raises(DiagnosticError) as error:
        environment_for(package, tmp_path / "cache", wheels=tmp_path / "wheels", environ=os.environ)

    assert told(error).code == "V801"
    assert any("there-is-no-such-thing" in note for note in told(error).notes)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.slow
def test_environment_that_sees_the_compiler_is_refused(tmp_path: Path):
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / "vitesse-9-py3-none-any.whl", "w") as wheel:
        wheel.writestr("vitesse/__init__.py", "")
        wheel.writestr("vitesse-9.dist-info/METADATA", "Metadata-Version: 2.1\nName: vitesse\nVersion: 9\n")
        wheel.writestr("vitesse-9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("vitesse-9.dist-info/RECORD", "")
    package = project(tmp_path / "package", dependencies='["vitesse"]')
    with pytest.raises(DiagnosticError) as error:
        environment_for(package, tmp_path / "cache", wheels=tmp_path / "wheels", environ=os.environ)

    assert told(error).code == "V802"


@pytest.mark.slow
def test_environment_is_made_once_for_the_same_requirements(tmp_path: Path):
    (tmp_path / "wheels").mkdir()
    said: list[str] = []
    options = {"wheels": tmp_path / "wheels", "environ": os.environ, "say": said.append}
    first = environment_for(project(tmp_path / "a"), tmp_path / "cache", **options)  # type: ignore[arg-type]
    second = environment_for(project(tmp_path / "b"), tmp_path / "cache", **options)  # type: ignore[arg-type]

    assert first == second
    assert len(said) == 1
    done = subprocess.run([first.python, "-I", "-c", "import pydantic"], capture_output=True, check=False)
    assert done.returncode == 1, "what is installed around it is visible in it"


def test_environment_that_another_process_made_meanwhile_is_used_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two examinations of packages with the same requirements, on a machine where neither was examined before."""
    cache, package = tmp_path / "cache", project(tmp_path / "package")
    monkeypatch.setattr(environment, "_make", lambda home, *_: home.mkdir())
    monkeypatch.setattr(environment, "_prove_clean", lambda _: None)
    rename = Path.rename

    def later(made: Path, home: Path) -> Path:
        if not home.exists():
            home.mkdir()
            (home / "theirs").touch()
            (home / environment.COMPLETE).touch()
        return rename(made, home)

    monkeypatch.setattr(Path, "rename", later)
    found = environment_for(package, cache, environ=os.environ)
    [home] = cache.iterdir()
    assert home in found.python.parents
    assert (home / "theirs").exists()


def test_environment_of_which_a_part_is_gone_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache, package = tmp_path / "cache", project(tmp_path / "package")
    monkeypatch.setattr(environment, "_make", lambda home, *_: (home / "whole").mkdir(parents=True))
    monkeypatch.setattr(environment, "_prove_clean", lambda _: None)
    environment_for(package, cache, environ=os.environ)
    [home] = cache.iterdir()
    (home / environment.COMPLETE).unlink()
    (home / "old").touch()
    environment_for(package, cache, environ=os.environ)
    assert sorted(path.name for path in home.iterdir()) == sorted([environment.COMPLETE, "whole"])
    assert list(cache.iterdir()) == [home]


def test_package_that_cannot_be_installed_is_told(tmp_path: Path, here: Environment):
    with pytest.raises(DiagnosticError) as error:
        install(here, project(tmp_path / "package"), tmp_path / "site", environ=os.environ)

    assert told(error).code == "V803"
    assert told(error).notes


def test_process_sees_nothing_of_the_users_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No credential and no URL of something real can get into a package under examination."""
    monkeypatch.setenv("CREDO_API_KEY", "real")
    done = Environment(Path(sys.executable)).run(
        ["-c", "import os; print(*sorted(os.environ))"],
        folder=tmp_path,
        site=tmp_path,
        home=tmp_path,
        limit_s=PATIENCE_S,
    )

    assert "CREDO_API_KEY" not in done.stdout.split()
    assert "PYTHONPATH" in done.stdout.split()

"""A package is examined whole: a healthy one passes, a sick one is found out, and nothing real is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vitesse.diagnostics import DiagnosticError
from vitesse.guardian.environment import Environment
from vitesse.guardian.evidence import Evidence
from vitesse.guardian.examination import _shadow, _tests, examine
from vitesse.guardian.report import HealthReport, judge
from vitesse.output import package_digest


@pytest.fixture
def in_place(here: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examine with this interpreter: making a virtual environment belongs to tests of its own."""
    monkeypatch.setattr("vitesse.guardian.examination.environment_for", lambda *_, **__: here)


def shadowed(package: Path, here: Environment, home: Path) -> HealthReport:
    """The judgement over shadow calls alone, with the package's sources as they stand in the folder."""
    found: Evidence = _shadow(here, package, package / "src", home, (), calls=40, seed=0)
    return judge("package", "sha256:0", found)


@pytest.mark.slow
@pytest.mark.usefixtures("in_place")
def test_example_passes_with_the_whole_score(package: Path, tmp_path: Path):
    report = examine(package, cache=tmp_path / "cache", environ={"PATH": "/usr/bin:/bin"})

    assert report.broken == ()
    assert (report.overall_score, report.endpoint_coverage) == (100.0, 100.0)
    assert sum(one.tested for one in report.calls) == 100
    assert len(report.rules) > 5
    assert report.holds_for(package_digest(package))


def test_package_that_was_edited_since_it_was_built_is_not_examined(package: Path, tmp_path: Path):
    """The report would be bound to a digest of something else."""
    app = next(package.glob("src/*/app.py"))
    app.write_text(app.read_text() + "\n")
    with pytest.raises(DiagnosticError) as error:
        examine(package, cache=tmp_path / "cache", environ={})

    assert [found.code for found in error.value.diagnostics] == ["V800"]


def test_client_that_calls_another_path_is_found_out(package: Path, here: Environment, tmp_path: Path):
    client = next(path for path in package.glob("src/*/clients/ledger.py"))
    client.write_text(client.read_text().replace('path="/charges"', 'path="/chargez"'))
    report = shadowed(package, here, tmp_path)

    assert report.success_rate < 100
    assert any("/charges" in warning and "404" in warning for warning in report.warnings)


def test_client_that_signs_in_wrongly_is_critical(package: Path, here: Environment, tmp_path: Path):
    client = next(package.glob("src/*/clients/ledger.py"))
    text = client.read_text()
    client.write_text(text.replace("auth=", "auth=None and ", 1))
    report = shadowed(package, here, tmp_path)

    assert "authentication" in {issue.kind for issue in report.critical_issues}
    assert not report.passed


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("labels", "[]", "fills the field"),
        ("performed_by", "src.user.display_name.upper()", "AttributeError, which is no refusal"),
    ],
)
def test_mapper_that_is_wrong_about_a_rule_is_found_out(
    package: Path, here: Environment, tmp_path: Path, field: str, value: str, said: str
):
    """A field that stays empty; a null that nobody thought of."""
    mapper = next(package.glob("src/*/mappers/time_entries.py"))
    lines = mapper.read_text().splitlines()
    index = next(number for number, line in enumerate(lines) if line.strip().startswith(f"{field}="))
    lines[index] = f"        {field}={value},"
    mapper.write_text("\n".join(lines))
    report = shadowed(package, here, tmp_path)

    assert any(field in warning and said in warning for warning in report.warnings)
    assert any(f"`time_entries.{field}" in sentence for sentence in report.broken)


def test_tests_that_end_without_a_report_are_told(package: Path, tmp_path: Path):
    nobody = Environment(Path("/bin/false"))
    with pytest.raises(DiagnosticError) as error:
        _tests(nobody, package, package / "src", tmp_path)

    assert [found.code for found in error.value.diagnostics] == ["V804"]


def test_shadow_calls_cannot_leave_this_machine(package: Path):
    """Neither names nor addresses: the guard stands before anything is sent."""
    code = (
        "import socket\nfrom tests.shadow import keep_on_this_machine\nkeep_on_this_machine()\n"
        "for leave in (lambda: socket.socket().connect(('192.0.2.1', 80)), lambda: socket.getaddrinfo('a.example', 80)):\n"
        "    try:\n        leave()\n    except PermissionError as refused:\n        print(refused)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=package, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [
        "a shadow call may not connect to '192.0.2.1'",
        "a shadow call may not look up 'a.example'",
    ]

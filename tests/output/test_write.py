"""Writing a package: what is ours is made right, what is not ours is left alone, nothing is half written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vitesse.diagnostics import DiagnosticError
from vitesse.output import write_package
from vitesse.output.folder import Folder
from vitesse.package import LOCK
from vitesse.verify import VerifiedPackage

APP = "src/shopify_credo/app.py"


def codes(error: pytest.ExceptionInfo[DiagnosticError]) -> list[str]:
    return [found.code for found in error.value.diagnostics]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_write_into_a_new_folder_gives_every_file(verified: VerifiedPackage, tmp_path: Path):
    report = write_package(verified, tmp_path / "a" / "out")
    assert snapshot(tmp_path / "a" / "out") == {file.path: file.content for file in verified.package.files}
    assert report.added == tuple(file.path for file in verified.package.files)
    assert report.digest == verified.digest
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"], "nothing is left beside the folder"


def test_write_again_touches_no_file(verified: VerifiedPackage, tmp_path: Path):
    """An unchanged build changes no time stamp, so that nothing downstream is rebuilt."""
    write_package(verified, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert write_package(verified, tmp_path).is_unchanged
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_deleted_files_come_back_byte_for_byte(verified: VerifiedPackage, tmp_path: Path):
    write_package(verified, tmp_path)
    before = snapshot(tmp_path)
    (tmp_path / APP).unlink()
    assert write_package(verified, tmp_path).added == (APP,)
    assert snapshot(tmp_path) == before


def test_hand_edit_stops_with_its_diff_and_discard_overwrites_it(verified: VerifiedPackage, tmp_path: Path):
    write_package(verified, tmp_path)
    edited = (tmp_path / APP).read_text() + "# mine\n"
    (tmp_path / APP).write_text(edited)
    with pytest.raises(DiagnosticError) as error:
        write_package(verified, tmp_path)
    assert codes(error) == ["V701"]
    assert "-# mine" in error.value.diagnostics[0].notes[0]
    assert "--discard" in (error.value.diagnostics[0].help or "")
    assert (tmp_path / APP).read_text() == edited
    assert write_package(verified, tmp_path, discard=True).discarded == (APP,)
    assert (tmp_path / APP).read_bytes() == verified.package.paths[APP].content


def test_stop_by_one_file_writes_no_other(verified: VerifiedPackage, smaller: VerifiedPackage, tmp_path: Path):
    """Nothing half written: one hand edit leaves the whole folder as it was."""
    write_package(verified, tmp_path)
    (tmp_path / "tox.ini").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(DiagnosticError):
        write_package(smaller, tmp_path)
    assert snapshot(tmp_path) == before


def test_files_no_longer_wanted_go_with_their_empty_folders(
    verified: VerifiedPackage, smaller: VerifiedPackage, tmp_path: Path
):
    write_package(verified, tmp_path)
    report = write_package(smaller, tmp_path)
    assert report.removed == ("src/shopify_credo/custom/__init__.py", "src/shopify_credo/custom/dates.py")
    assert not (tmp_path / "src/shopify_credo/custom").exists()
    assert snapshot(tmp_path) == {file.path: file.content for file in smaller.package.files}


def test_edited_file_no_longer_wanted_is_not_removed(
    verified: VerifiedPackage, smaller: VerifiedPackage, tmp_path: Path
):
    write_package(verified, tmp_path)
    kept = tmp_path / "src/shopify_credo/custom/dates.py"
    kept.write_text("# mine\n")
    with pytest.raises(DiagnosticError) as error:
        write_package(smaller, tmp_path)
    assert codes(error) == ["V701"]
    assert kept.read_text() == "# mine\n"


def test_foreign_files_stay(verified: VerifiedPackage, smaller: VerifiedPackage, tmp_path: Path):
    """What is neither in the package nor in the lock is never touched, in our folders neither."""
    notes, local = tmp_path / "notes.txt", tmp_path / "src/shopify_credo/custom/local.py"
    write_package(verified, tmp_path)
    notes.write_text("mine")
    local.write_text("mine")
    write_package(smaller, tmp_path)
    assert (notes.read_text(), local.read_text()) == ("mine", "mine")


def test_foreign_file_in_the_way_stops(verified: VerifiedPackage, tmp_path: Path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(DiagnosticError) as error:
        write_package(verified, tmp_path, discard=True)
    assert codes(error) == ["V702"]
    assert list(snapshot(tmp_path)) == ["README.md"]


@pytest.mark.parametrize("place", ["src", "src/shopify_credo", APP])
def test_links_are_not_followed(verified: VerifiedPackage, tmp_path: Path, place: str):
    """A link in the folder cannot make us write elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.py").write_text("theirs")
    root = tmp_path / "root"
    write_package(verified, root)
    target = root / place
    for path in sorted([target, *target.rglob("*")], reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    target.symlink_to(outside if place != APP else outside / "app.py")
    with pytest.raises(DiagnosticError) as error:
        write_package(verified, root)
    assert set(codes(error)) == {"V703"}
    assert snapshot(outside) == {"app.py": b"theirs"}


def test_folder_that_is_a_link_is_not_written_through(verified: VerifiedPackage, tmp_path: Path):
    """A repository can hold a link where a package should be; it may lead to anybody's files."""
    (tmp_path / "home").mkdir()
    (tmp_path / "package").symlink_to("home")
    with pytest.raises(DiagnosticError) as error:
        write_package(verified, tmp_path / "package")
    assert codes(error) == ["V703"]
    assert snapshot(tmp_path / "home") == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files": {"../x": "sha256:0"}}',
        b'{"vitesse": "1", "template": "t", "draft": [], "tools": {}, "inputs": {}, "files": {"../x": "sha256:0"}}',
        b'{"vitesse": "1", "template": "t", "draft": [], "tools": {}, "inputs": {}, "files": {"/etc/x": "sha256:0"}}',
        b'{"vitesse": "1", "template": "t", "draft": [], "tools": {}, "inputs": {}, "files": {"a/./b": "sha256:0"}}',
        b"[" * 100_000,
    ],
)
def test_lock_that_is_none_stops(verified: VerifiedPackage, tmp_path: Path, content: bytes):
    """A lock that a stranger wrote cannot name a file to remove outside the folder."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "x").write_text("theirs")
    (root / LOCK).write_bytes(content)
    with pytest.raises(DiagnosticError) as error:
        write_package(verified, root)
    assert codes(error) == ["V700"]
    assert (tmp_path / "x").read_text() == "theirs"


def test_build_that_was_cut_short_is_finished_by_the_next(
    verified: VerifiedPackage, smaller: VerifiedPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The lock is written last; files that are new already are no hand edits."""
    write_package(verified, tmp_path)
    real, done = os.replace, []

    def cut(source: object, target: object) -> None:
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        done.append(target)
        real(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(DiagnosticError) as error:
        write_package(smaller, tmp_path)
    monkeypatch.undo()
    assert codes(error) == ["V708"]
    assert len(done) == 2
    assert (tmp_path / LOCK).read_bytes() == verified.package.lock.content
    write_package(smaller, tmp_path)
    assert snapshot(tmp_path) == {file.path: file.content for file in smaller.package.files}


def test_folder_sees_a_link_on_the_way_as_other(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    folder = Folder(tmp_path)
    assert [folder.kind(path) for path in ("real/file", "real", "none", "link/file", "real/file/x")] == [
        "file",
        "folder",
        "missing",
        "other",
        "other",
    ]
    assert folder.read("link/file") is None

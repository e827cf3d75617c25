"""The same inputs give the same bytes, whatever the hash seed, the locale, the time zone and the folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.shared import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"

_SURROUNDINGS = {
    "seed 0, UTF-8, UTC": {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    "seed 1, ASCII, Tokyo": {
        "PYTHONHASHSEED": "1",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TZ": "Asia/Tokyo",
    },
}


def tree_digest(folder: Path) -> str:
    """SHA-256 over the names, modes and bytes of every file below a folder."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{path.stat().st_mode & 0o111 != 0}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(integration: Path, out: Path, cwd: Path, surroundings: dict[str, str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
    environment["PYTHONPATH"] = str(REPOSITORY / "compiler")
    code = "import sys; from vitesse.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "build", os.path.relpath(integration, cwd), "--out", os.path.relpath(out, cwd)],
        cwd=cwd,
        env=environment | surroundings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tree_digest(out)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("vitesse.cli") is None or not EXAMPLE.is_dir(),
    reason="waits for `vitesse build` and examples/shopify_credo",
)
def test_build_in_other_surroundings_gives_the_same_bytes(tmp_path: Path):
    digests = {}
    for number, (name, surroundings) in enumerate(_SURROUNDINGS.items()):
        integration = shutil.copytree(EXAMPLE, tmp_path / f"in {number}" / "shopify_credo")
        cwd = tmp_path / "elsewhere" / str(number)
        cwd.mkdir(parents=True)
        digests[name] = build(integration, tmp_path / f"out{number}", cwd, surroundings)
    assert len(set(digests.values())) == 1, digests


def test_tree_digest_sees_names_bytes_and_modes(tmp_path: Path):
    seen = set()
    for name, data, mode in (("a", b"1", 0o644), ("b", b"1", 0o644), ("a", b"2", 0o644), ("a", b"1", 0o755)):
        folder = tmp_path / f"{name}{data!r}{mode}"
        folder.mkdir()
        (folder / name).write_bytes(data)
        (folder / name).chmod(mode)
        seen.add(tree_digest(folder))
    assert len(seen) == 4

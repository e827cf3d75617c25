"""What no committed file says."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import texts

_HOSTS = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", ""),
    ("ghcr", "io"),
    ("quay", "io"),
    ("gcr", "io"),
    ("crates", "io"),
)
_NEVER = {
    "a path of one machine": re.compile(r"(?<![\w.>}])/(work|root)/\w"),
    "a folder outside the repository": re.compile(r"\.\./" + "shared"),
    # The Debian package of that name is not a host: a host is followed by a path or a port.
    "a registry's host": re.compile(
        "|".join(rf"(?<![\w-]){name}\.{end}" for name, end in _HOSTS) + r"|docker" + r"\.io[/:]|registry-1" + r"\."
    ),
}


def offences(text: str) -> list[str]:
    """What the text says that it should not, with the line."""
    return [
        f"line {text.count(chr(10), 0, found.start()) + 1}: {what}: {found[0]}"
        for what, pattern in _NEVER.items()
        for found in pattern.finditer(text)
    ]


def test_files_name_no_machine_and_no_registry():
    found = {name: said for name, text in texts() if name != "tests/house/test_words.py" and (said := offences(text))}
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "/" + "work/wt/x",
        "see ../" + "shared/specs",
        "https://pypi" + ".org/simple",
        "docker" + ".io/library/python",
        "x.npmjs" + ".com",
    ],
)
def test_offences_are_found(text: str):
    assert offences("fine\n" + text)[0].startswith("line 2: ")


@pytest.mark.parametrize(
    "text", ["apt-get install docker.io", "a/work/b", "https://x.example/root/", "the work/life of"]
)
def test_offences_spare_what_is_meant_otherwise(text: str):
    assert offences(text) == []

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitesse.diagnostics.positions import Position, Sources

YAML = """\
openapi: 3.0.3
info: {title: "Crème", "x y": 1}
paths:
  /contacts/{id}:
    get:
      responses:
        200: {description: ok}
        '404': {description: none}
  /a~b:
    tags:
    - one
    - name: two
"""
JSON = """{
  "paths": {
    "/contacts/{id}": {"get": {"responses": {"200": {"description": "ok"}}}},
    "été \\u00e9": [1, 123456789012345678901234567890, {"deep": "x"}]
  },
  "last": true
}
"""


def find(tmp_path: Path, name: str, text: str, pointer: str) -> Position | None:
    (tmp_path / name).write_bytes(text.encode())
    return Sources(tmp_path).position(name, pointer)


def meant(position: Position | None) -> tuple[int, int, str]:
    assert position is not None
    return position.line, position.column, position.text[position.column - 1 :][: position.width]


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("#", (1, 1, "o")),
        ("#/openapi", (1, 1, "openapi")),
        ("#/info/x y", (2, 24, '"x y"')),
        ("#/paths/~1contacts~1{id}/get/responses/200", (7, 9, "200")),
        ("#/paths/~1contacts~1{id}/get/responses/404", (8, 9, "'404'")),
        ("#/paths/~1a~0b/tags/0", (11, 7, "one")),
        ("#/paths/~1a~0b/tags/1/name", (12, 7, "name")),
        ("#/paths/~1a~0b/tags/2", (10, 5, "tags")),
        ("#/paths/~1a~0b/missing/deeper", (9, 3, "/a~b")),
        ("#L3", (3, 1, "paths:")),
        ("#L4:3", (4, 3, "/")),
    ],
)
def test_position_in_yaml_is_the_members_name(tmp_path: Path, pointer: str, expected: tuple[int, int, str]):
    assert meant(find(tmp_path, "a.yaml", YAML, pointer)) == expected


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("#", (1, 1, "{")),
        ("#/paths/~1contacts~1{id}/get/responses/200", (3, 46, '"200"')),
        ("#/paths/été é/1", (4, 23, "123456789012345678901234567890")),
        ("#/paths/été é/2/deep", (4, 56, '"deep"')),
        ("#/last", (6, 3, '"last"')),
        ("#/last/none", (6, 3, '"last"')),
        ("#/nothing", (1, 1, "{")),
    ],
)
def test_position_in_json_is_the_members_name(tmp_path: Path, pointer: str, expected: tuple[int, int, str]):
    assert json.loads(JSON)
    assert meant(find(tmp_path, "a.json", JSON, pointer)) == expected


def test_position_with_crlf_and_bom_counts_as_an_editor_does(tmp_path: Path):
    text = "\ufeff" + YAML.replace("\n", "\r\n")
    assert meant(find(tmp_path, "a.yaml", text, "#/paths/~1a~0b/tags/0")) == (11, 7, "one")


def test_position_after_letters_outside_the_bmp_counts_characters(tmp_path: Path):
    assert meant(find(tmp_path, "a.yaml", "{é: 😀, name: x}\n", "#/name")) == (1, 8, "name")


@pytest.mark.parametrize("text", ["{", '{"a": {"b": ', "[" * 100_000, '{"a": nope, "b": 1}', '{"a" 1}'])
def test_position_in_broken_json_is_the_nearest_that_stands(tmp_path: Path, text: str):
    position = find(tmp_path, "a.json", text, "#/a/b")
    assert position is not None
    assert position.line == 1


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\x00", "a: &x [*x, *x]\nb: *y\n", "- " * 20_000])
def test_position_in_broken_yaml_is_none_or_a_line(tmp_path: Path, text: str):
    position = find(tmp_path, "a.yaml", text, "#/a/b")
    assert position is None or position.line == 1


@pytest.mark.parametrize("file", ["missing.yaml", "../outside.yaml", "link.yaml", "", "\0", "folder", "x" * 5000])
def test_position_in_a_file_that_is_not_below_the_root_is_none(tmp_path: Path, file: str):
    """A spec can write any file name into a place; nothing outside the folder is ever shown."""
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text("secret: 1\n")
    (root / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    assert Sources(root).position(file, "#/secret") is None


@pytest.mark.parametrize("pointer", ["", "nonsense", "#L0", "#L99", "#L1:x"])
def test_position_of_no_pointer_is_none(tmp_path: Path, pointer: str):
    assert find(tmp_path, "a.yaml", YAML, pointer) is None


def test_position_in_a_large_file_walks_each_container_once(tmp_path: Path):
    """A thousand diagnostics in a large document do not cost a thousand scans."""
    text = json.dumps({"paths": {f"/p{n}": {"get": {"id": n, "x": "y" * 40}} for n in range(5_000)}})
    (tmp_path / "a.json").write_text(text)
    sources = Sources(tmp_path)
    for n in range(0, 5_000, 5):
        assert meant(sources.position("a.json", f"#/paths/~1p{n}/get/id"))[2] == '"id"'

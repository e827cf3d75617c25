"""Reading: limits, exactness, refusals, several files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.openapi import DEFAULT_LIMITS, Document, Limits, read_document
from vitesse.openapi.yaml_text import load_events, load_yaml

HEAD = 'openapi: 3.0.3\ninfo: {title: t, version: "1"}\npaths: {}\n'


def document(folder: Path, text: str | bytes, name: str = "openapi.yaml", limits: Limits = DEFAULT_LIMITS) -> Document:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(data)
    return read_document(folder / name, limits=limits)


def refusal(folder: Path, text: str | bytes, name: str = "openapi.yaml", limits: Limits = DEFAULT_LIMITS) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        document(folder, text, name, limits)
    assert len(caught.value.diagnostics) == 1
    return caught.value.diagnostics[0]


# --- what is kept exactly ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [load_yaml, load_events])
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:00", "12:30:00"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("+12", 12),
        ("~", None),
        ("", None),
        ("TRUE", True),
        ("'1'", "1"),
        ("|-\n  1", "1"),
        ("9" * 50, int("9" * 50)),
        ("-1.5e-3", -0.0015),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("=", "="),
    ],
)
def test_yaml_scalar_has_the_meaning_of_1_2(read, written: str, value: object):
    found = read(f"a: {written}\n", DEFAULT_LIMITS)["a"]
    assert (found, type(found)) == (value, type(value))


def test_yaml_characters_beyond_the_plane_may_be_escaped_as_json_does_it():
    """Tools that write YAML for Java do; where it stands in no quotes it is text like any other."""
    text = (
        r'a: "\uD83D\uDE00 \\ud83d\\ude00"' + "\n" + r'"k\ud83d\ude00": [1, "\ud83d\ude01"]' + "\n"
        r"b: '\ud83d\ude02'" + "\nc: |-\n  " + r"\ud83d\ude03" + "\n"
    )
    assert load_yaml(text, DEFAULT_LIMITS) == {
        "a": "😀 " + r"\ud83d\ude00",
        "k😀": [1, "😁"],
        "b": r"\ud83d\ude02",
        "c": r"\ud83d\ude03",
    }


def test_json_in_a_file_that_is_called_yaml_is_json(tmp_path: Path):
    """Tabs, `\\/` and escapes mean in it what they mean in JSON."""
    found = document(
        tmp_path,
        '{\n\t"openapi": "3.0.0",\n\t"info": {"title": "a\\/b \\ud83d\\ude00", "version": "1"},\n\t"paths": {}\n}',
    )
    assert found.value["info"]["title"] == "a/b 😀"
    assert document(tmp_path, '{openapi: 3.0.0, info: {title: t, version: "1"}, paths: {}}').version == "3.0"
    assert refusal(tmp_path, '{"openapi": "3.0.0", "openapi": "3.0.0"}').code == "V104"


def test_yaml_keys_keep_their_spelling():
    text = "200: a\n1.10: b\ntrue: c\nTRUE: d\n~: e\n0x10: f\n"
    assert list(load_yaml(text, DEFAULT_LIMITS)) == ["200", "1.10", "true", "TRUE", "~", "0x10"]


def test_yaml_status_keys_are_text_without_the_slow_reader(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vitesse.openapi.yaml_text.load_events", lambda *_: pytest.fail("slow"))
    assert load_yaml("responses: {200: a, 404: b, default: c}\n", DEFAULT_LIMITS) == {
        "responses": {"200": "a", "404": "b", "default": "c"}
    }


def test_prose_that_looks_like_yaml_is_read_fast(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vitesse.openapi.yaml_text.load_events", lambda *_: pytest.fail("slow"))
    text = "a: Hello, world! <b>Rock & roll</b> *bold* 1<<2 x.inf\nb: 'R&D'\n"
    assert load_yaml(text, DEFAULT_LIMITS)["b"] == "R&D"


def test_yaml_without_ryaml_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ryaml", None)
    assert load_yaml("a: [1, no, {b: 2020-01-01}]\n", DEFAULT_LIMITS) == {"a": [1, "no", {"b": "2020-01-01"}]}


def test_yaml_merge_keys_are_followed_and_own_keys_win():
    text = "base: &base {a: 1, b: 2}\nx: {<<: *base, b: 3}\ny: {<<: [{c: 4}, *base], d: 5}\n"
    found = load_yaml(text, DEFAULT_LIMITS)
    assert (found["x"], found["y"]) == ({"a": 1, "b": 3}, {"c": 4, "a": 1, "b": 2, "d": 5})


def test_yaml_core_tags_are_followed():
    assert load_yaml('a: !!str 12\nb: !!int "12"\nc: !!float 3\nd: ! 12\n', DEFAULT_LIMITS) == {
        "a": "12",
        "b": 12,
        "c": 3.0,
        "d": "12",
    }


def test_json_integers_of_any_length_stay_whole(tmp_path: Path):
    text = json.dumps({"openapi": "3.0.0", "x": int("9" * 400)})
    assert document(tmp_path, text, "openapi.json").value["x"] == int("9" * 400)


def test_yaml_depth_past_the_fast_reader_is_read(tmp_path: Path):
    text = HEAD + "x: " + "[" * 150 + "]" * 150 + "\n"
    value = document(tmp_path, text).value["x"]
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 149


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"openapi": "3.0.0"}',
        '{"openapi": "3.0.0"}'.encode("utf-16"),
        b'\n {"openapi": "3.0.0"}',
        b'{openapi: "3.0.0"}',
        b'openapi: 3.0.0\n{"not": "used"}'[:15],
    ],
)
def test_json_and_yaml_are_told_apart_by_content(tmp_path: Path, data: bytes):
    assert document(tmp_path, data).version == "3.0"


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ('swagger: "2.0"', "2.0"),
        ("swagger: 2.0", "2.0"),
        ("openapi: 3.0", "3.0"),
        ("openapi: 3.1.1", "3.1"),
        ("openapi: 3.2.0", "3.2"),
    ],
)
def test_version_is_read_as_it_was_meant(tmp_path: Path, line: str, version: str):
    assert document(tmp_path, line + "\n").version == version


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "code", "says", "pointer"),
    [
        ("a.json", '{"openapi": "3.0.0",', "V103", "not JSON", "#L1:21"),
        ("a.yaml", "openapi: [\n", "V103", "not YAML", "#L2:1"),
        ("a.yaml", HEAD + "---\n" + HEAD, "V103", "more than one YAML document", "#L4:1"),
        ("a.yaml", "? [a]\n: 1\n", "V103", "where a key should", "#L1:3"),
        ("a.yaml", "a: *nothing\nb: &x 1\n", "V103", "names nothing before it", "#L1:4"),
        ("a.json", '{"openapi": "3.0.0",\n"paths": {},\n"paths": {}}', "V104", "`paths` stands twice", "#L3"),
        ("a.yaml", HEAD + "paths: {}\n", "V104", "`paths` stands twice", "#L4:1"),
        ("a.yaml", "x: {200: a, '200': b}\n", "V104", "`200` stands twice", "#L1:13"),
        ("a.yaml", HEAD + "x: !!python/object/apply:os.system [ls]\n", "V106", "python/object/apply", "#L4:4"),
        ("a.yaml", HEAD + "x: !foo {}\n", "V106", "`!foo`", "#L4:4"),
        ("a.yaml", HEAD + 'x: !!int "many"\n', "V106", "does not have the type", "#L4:4"),
        ("a.yaml", HEAD + "x: .inf\n", "V107", "`.inf`", "#L4:4"),
        ("a.json", '{"openapi": "3.0.0", "x": NaN}', "V107", "`NaN`", ""),
        ("a.json", '{"openapi": "3.0.0", "x": 1e999}', "V107", "too large", ""),
        ("a.json", '{"openapi": "3.0.0", "x": ["\\ud800"]}', "V102", "half a surrogate pair", "#/x/0"),
        ("a.yaml", "", "V108", "is empty", ""),
        ("a.json", "", "V103", "not JSON", "#L1:1"),
        ("a.yaml", "just text\n", "V108", "holds a text", ""),
        ("a.json", "[]", "V108", "holds a list", ""),
        ("a.yaml", "asyncapi: 3.0.0\n", "V108", "neither `openapi` nor `swagger`", "#"),
        ("a.yaml", "openapi: 4.0.0\n", "V109", "4.0.0", "#/openapi"),
        ("a.yaml", "swagger: 1.2\n", "V109", "1.2", "#/swagger"),
        ("a.yaml", "openapi: {a: 1}\n", "V109", "", "#/openapi"),
    ],
)
def test_text_that_is_not_a_description_is_refused(
    tmp_path: Path, name: str, text: str, code: str, says: str, pointer: str
):
    found = refusal(tmp_path, text, name)
    assert (found.code, says in found.message) == (code, True), found
    assert found.places[0].pointer == pointer
    assert found.help


def test_bytes_that_are_not_text_are_refused(tmp_path: Path):
    found = refusal(tmp_path, HEAD.encode() + b"x: \xff\xfe\n")
    assert (found.code, found.places[0].pointer) == ("V102", "#L4")


BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
MERGED = (
    "a: &a {" + ", ".join(f"k{n}: 1" for n in range(3000)) + "}\n" + "".join(f"m{n}: {{<<: *a}}\n" for n in range(60))
)
"""Written out by merge keys: each copies all of it."""


@pytest.mark.parametrize(
    ("limit", "limits", "text"),
    [
        ("document_bytes", Limits(document_bytes=40), HEAD),
        ("nodes", Limits(nodes=20), HEAD + "x: [" + "1, " * 20 + "]\n"),
        ("depth", Limits(depth=20), HEAD + "x: " + "[" * 21 + "]" * 21 + "\n"),
        ("depth", DEFAULT_LIMITS, "[" * 100_000),
        ("depth", DEFAULT_LIMITS, "- " * 100_000),
        ("aliases", Limits(aliases=2), HEAD + "a: &a [1]\nx: [*a, *a, *a]\n"),
        ("alias_growth", DEFAULT_LIMITS, HEAD + "a: &a [" + "1, " * 99 + "1]\nx: [" + "*a, " * 50 + "*a]\n"),
        ("alias_growth", DEFAULT_LIMITS, HEAD + BOMB),
        ("alias_growth", DEFAULT_LIMITS, HEAD + MERGED),
        ("integer_digits", DEFAULT_LIMITS, HEAD + "x: " + "9" * 5000 + "\n"),
        ("integer_digits", DEFAULT_LIMITS, HEAD + "x: 0x" + "f" * 5000 + "\n"),
    ],
)
def test_limit_is_named_when_it_is_passed(tmp_path: Path, limit: str, limits: Limits, text: str):
    found = refusal(tmp_path, text, limits=limits)
    assert found.code == "V105"
    assert f"`{limit}` is " in found.message
    assert limit in (found.help or "")


def test_aliases_of_a_usual_size_are_read(tmp_path: Path):
    """An object of errors that every operation names multiplies little."""
    text = (
        HEAD
        + "e: &e {a: 1, b: 2, c: [1, 2]}\n"
        + "".join(f"o{n}: {{get: {{x: {n}, responses: *e}}}}\n" for n in range(60))
    )
    assert document(tmp_path, text).files["openapi.yaml"]["o59"]["get"]["responses"]["c"] == [1, 2]


@pytest.mark.parametrize(
    "text", ['{"a":' * 100_000, "[" * 100_000, '{"openapi": "3.0.0", "x": ' + "[" * 201 + "]" * 201 + "}"]
)
def test_json_depth_is_bounded(tmp_path: Path, text: str):
    found = refusal(tmp_path, text, "a.json")
    assert (found.code, "`depth`" in found.message) == ("V105", True)


def test_aliases_that_multiply_are_refused_before_they_are_made(tmp_path: Path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert refusal(tmp_path, HEAD + "\n".join(lines) + "\n").code == "V105"


def test_alias_inside_itself_is_refused(tmp_path: Path):
    assert "inside what it names" in refusal(tmp_path, HEAD + "x: &x [*x]\n").message


# --- several files ----------------------------------------------------------------------------------------------------


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DiagnosticError) as caught:
        read_document(tmp_path / "nothing.yaml")
    assert caught.value.diagnostics[0].code == "V101"


def test_files_outside_the_folder_are_not_read(tmp_path: Path):
    (tmp_path / "secret.yaml").write_text("a: 1\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    refs = [
        "../secret.yaml",
        "/etc/hosts",
        "file:///etc/hosts",
        "http://127.0.0.1:9/a.yaml",
        "link.yaml",
        "a/../../secret.yaml",
    ]
    found = document(inside, HEAD + "x: [" + ", ".join(f'{{$ref: "{ref}"}}' for ref in refs) + "]\n")
    assert set(found.files) == {"openapi.yaml"}
    assert set(found.unread) == {"link.yaml"}
    assert found.diagnostics[0].severity == "warning"


def test_folder_may_be_wider_than_the_root_files_own(tmp_path: Path):
    (tmp_path / "common.yaml").write_text("a: {type: string}\n")
    deep = tmp_path / "specs"
    deep.mkdir()
    (deep / "openapi.yaml").write_text(HEAD + "x: {$ref: ../common.yaml#/a}\n")
    assert set(read_document(deep / "openapi.yaml").files) == {"openapi.yaml"}
    assert set(read_document(deep / "openapi.yaml", folder=tmp_path).files) == {"specs/openapi.yaml", "common.yaml"}


def test_digest_covers_every_file_and_nothing_else(tmp_path: Path):
    (tmp_path / "part.yaml").write_text("a: 1\n")
    (tmp_path / "unused.yaml").write_text("a: 1\n")
    text = HEAD + "x: {$ref: part.yaml}\n"
    before = document(tmp_path, text).digest
    (tmp_path / "unused.yaml").write_text("a: 2\n")
    assert document(tmp_path, text).digest == before
    (tmp_path / "part.yaml").write_text("a: 2\n")
    assert document(tmp_path, text).digest != before


def test_number_of_files_is_bounded(tmp_path: Path):
    for index in range(4):
        (tmp_path / f"f{index}.yaml").write_text(f"x: {{$ref: f{index + 1}.yaml}}\n")
    with pytest.raises(DiagnosticError) as caught:
        document(tmp_path, HEAD + "x: {$ref: f0.yaml}\n", limits=Limits(files=3))
    assert "`files` is 3" in caught.value.diagnostics[0].message

"""A plugin is found by name, its declaration is held against its files, and its files are never run."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.registry.conftest import SHOUT, MakePlugin
from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.registry import load_plugin, load_registry


def refused(names: list[str], integration: Path, folders: list[Path]) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        load_registry(names, integration, folders=folders)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def test_a_plugin_in_a_folder_brings_its_functions_and_files(make_plugin: MakePlugin, tmp_path: Path):
    registry = load_registry(["vitesse-loud"], tmp_path, folders=[make_plugin()])
    shout = registry.functions["shout"]
    assert (shout.module, shout.function, shout.origin) == ("_plugins.vitesse_loud.words", "shout", "vitesse-loud 1.2")
    assert ([str(type) for type in shout.inputs], str(shout.result)) == (["string"], "string")
    assert shout.place.pointer == "#L1"
    assert [file.path for file in registry.files] == [
        "_plugins/__init__.py",
        "_plugins/vitesse_loud/__init__.py",
        "_plugins/vitesse_loud/words.py",
    ]
    assert registry.plugins == (("vitesse-loud", "1.2"),)


def test_only_named_plugins_are_loaded(make_plugin: MakePlugin, tmp_path: Path):
    folder = make_plugin(module="raise SystemExit('imported')")
    assert list(load_registry([], tmp_path, folders=[folder]).functions) == ["parse_iso8601_to_date"]


def test_vendored_code_is_not_run_when_a_plugin_is_read(make_plugin: MakePlugin, tmp_path: Path):
    folder = make_plugin(files={"words.py": "raise SystemExit\ndef shout(value: str) -> str: ...\n"})
    before = set(sys.modules)
    assert "shout" in load_registry(["vitesse-loud"], tmp_path, folders=[folder]).functions
    assert [name for name in set(sys.modules) - before if name.endswith(("words", "vendored"))] == []


def test_an_installed_plugin_is_found_by_its_entry_point(
    make_plugin: MakePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = make_plugin() / "vitesse-loud" / "src"
    info = source / "vitesse_loud-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vitesse-loud\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[vitesse.plugins]\nvitesse-loud = vitesse_loud:plugin\n")
    monkeypatch.syspath_prepend(str(source))
    try:
        assert load_plugin("vitesse-loud").version == "1.2"
    finally:
        sys.modules.pop("vitesse_loud", None)


def test_a_plugin_edited_on_disk_is_read_anew(make_plugin: MakePlugin, tmp_path: Path):
    folder = make_plugin()
    load_registry(["vitesse-loud"], tmp_path, folders=[folder])
    (folder / "vitesse-loud/src/vitesse_loud/vendored/more.py").write_text("X = 1\n")
    files = load_registry(["vitesse-loud"], tmp_path, folders=[folder]).files
    assert "_plugins/vitesse_loud/more.py" in [file.path for file in files]


def test_v901_a_plugin_that_is_nowhere(tmp_path: Path):
    found = refused(["vitesse-nowhere"], tmp_path, [tmp_path])
    assert (found.code, found.places[0].pointer) == ("V901", "#/plugins/0")
    assert found.message == "no plugin `vitesse-nowhere` is installed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": "1 / 0"}, "cannot be imported: ZeroDivisionError"),
        ({"module": "plugin = 3"}, "leads to a int, not to a `vitesse.hooks.Plugin`"),
        ({"module": "plagin = 3"}, "cannot be imported: AttributeError"),
        ({"hooks": 99}, "is written for hooks 99, and these are hooks 1"),
        ({"own_name": "vitesse-other"}, "calls itself `vitesse-other`"),
    ],
)
def test_v902_a_plugin_that_cannot_be_loaded(
    make_plugin: MakePlugin, tmp_path: Path, options: dict[str, object], message: str
):
    found = refused(["vitesse-loud"], tmp_path, [make_plugin(**options)])
    assert found.code == "V902"
    assert message in found.message


def test_v902_two_distributions_with_one_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    points = [EntryPoint("vitesse-loud", value, "vitesse.plugins") for value in ("a:plugin", "b:plugin")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: points)
    found = refused(["vitesse-loud"], tmp_path, [])
    assert (found.code, found.message) == ("V902", "several plugins are called `vitesse-loud`: `a:plugin`, `b:plugin`")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "more.py",
            "import httpx\n",
            "`more.py` imports `httpx`, which is neither in the standard library nor beside it",
        ),
        ("more.py", "from ..up import x\n", "`more.py` imports `..up`, which is neither"),
        ("more.py", "from .absent import x\n", "`more.py` imports `.absent`, which is neither"),
        ("more.py", "def f(:\n", "`more.py` is no Python: invalid syntax"),
        ("more.py", "x = '\0'\n", "`more.py` is no Python"),
        ("data.json", "{}", "`data.json` is not named as a module can be"),
        ("More.py", "", "`More.py` is not named as a module can be"),
    ],
)
def test_v903_a_vendored_file_that_cannot_be_copied(
    make_plugin: MakePlugin, tmp_path: Path, name: str, text: str, message: str
):
    folder = make_plugin(files={"words.py": "def shout(value: str) -> str: ...\n", name: text})
    found = refused(["vitesse-loud"], tmp_path, [folder])
    assert found.code == "V903"
    assert message in found.message
    assert found.places[0].file == f"vitesse_loud/vendored/{name}"


def test_vendored_files_may_import_each_other(make_plugin: MakePlugin, tmp_path: Path):
    files = {"words.py": "from .more import X\ndef shout(value: str) -> str: ...\n", "more.py": "import re\nX = 1\n"}
    assert load_registry(["vitesse-loud"], tmp_path, folders=[make_plugin(files=files)])


@pytest.mark.parametrize(
    ("definition", "note"),
    [
        ("def shout(value: int) -> str: ...", "takes (integer); declared: (string)"),
        ("def shout(value: str) -> str | None: ...", "gives string | null; declared: string"),
        ("def shout(value: str, much: int = 1) -> str: ...", "has an option `much`, which is not declared"),
        ("def shout(value) -> str: ...", "its parameter `value` has no annotation"),
    ],
)
def test_v904_a_function_that_is_not_as_declared(make_plugin: MakePlugin, tmp_path: Path, definition: str, note: str):
    found = refused(["vitesse-loud"], tmp_path, [make_plugin(files={"words.py": definition})])
    assert (found.code, found.notes, found.places[0].pointer) == ("V904", (note,), "#L1")


@pytest.mark.parametrize(
    ("declared", "note"),
    [
        (
            'Parameter(name="much", kinds=("int",), has_default=True, default=2),',
            "option `much` has another type or default",
        ),
        (
            'Parameter(name="mush", kinds=("int",), has_default=True, default=1),',
            "has no option `mush`, which is declared",
        ),
    ],
)
def test_v904_an_option_that_is_not_as_declared(make_plugin: MakePlugin, tmp_path: Path, declared: str, note: str):
    functions = SHOUT.replace('result="string"', f'result="string", parameters=({declared})')
    folder = make_plugin(files={"words.py": "def shout(value: str, much: int = 1) -> str: ..."}, functions=functions)
    found = refused(["vitesse-loud"], tmp_path, [folder])
    assert found.code == "V904"
    assert note in found.notes[0]


def test_v904_a_declared_type_that_is_none(make_plugin: MakePlugin, tmp_path: Path):
    found = refused(
        ["vitesse-loud"], tmp_path, [make_plugin(functions=SHOUT.replace('result="string"', 'result="str"'))]
    )
    assert found.code == "V904"
    assert found.notes[0].startswith("declared: `str` is no type")


@pytest.mark.parametrize("files", [{"words.py": "def whisper(value: str) -> str: ..."}, {"other.py": "X = 1"}])
def test_v904_a_function_that_is_not_there(make_plugin: MakePlugin, tmp_path: Path, files: dict[str, str]):
    found = refused(["vitesse-loud"], tmp_path, [make_plugin(files=files)])
    assert (found.code, "there is no `shout` in its file" in found.message) == ("V904", True)


def test_v905_a_function_of_a_plugin_and_one_of_custom_with_one_name(make_plugin: MakePlugin, tmp_path: Path):
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom/mine.py").write_text("def shout(value: str) -> str: ...\n")
    found = refused(["vitesse-loud"], tmp_path, [make_plugin()])
    assert found.code == "V905"
    assert found.message == "two functions are called `shout`: of vitesse-loud 1.2 and of custom/mine.py"
    assert [place.file for place in found.places] == ["custom/mine.py", "vitesse_loud/vendored/words.py"]


def test_v905_two_webhook_schemes_with_one_name(make_plugin: MakePlugin, tmp_path: Path):
    preset = 'SignaturePreset(name="one", header="X-Sign"),'
    make_plugin("vitesse-a", functions="", signatures=preset)
    folder = make_plugin("vitesse-b", functions="", signatures=preset)
    found = refused(["vitesse-a", "vitesse-b"], tmp_path, [folder])
    assert (found.code, found.message) == (
        "V905",
        "two webhook schemes are called `one`: of vitesse-a and of vitesse-b",
    )

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MakePlugin = Callable[..., Path]

_DECLARATION = """
from pathlib import Path
from vitesse.hooks import Fact, Function, Parameter, Plugin, RateLimit, SignaturePreset, Vendor, VendorFact
plugin = Plugin(
    name={name!r}, version="1.2", hooks={hooks}, vendored=Path(__file__).parent / "vendored",
    functions=({functions}),
    signatures=({signatures}),
    vendors=({vendors}),
)
"""

SHOUT = 'Function(name="shout", module="words", function="shout", inputs=("string",), result="string", description="Loud."),'


@pytest.fixture
def make_plugin(tmp_path: Path) -> MakePlugin:
    """Write a plugin's project; gives the folder to look in."""

    def make(
        name: str = "vitesse-loud",
        *,
        files: dict[str, str] | None = None,
        functions: str = SHOUT,
        signatures: str = "",
        vendors: str = "",
        hooks: int = 1,
        own_name: str | None = None,
        module: str | None = None,
    ) -> Path:
        package = tmp_path / "plugins" / name / "src" / name.replace("-", "_")
        (package / "vendored").mkdir(parents=True)
        (package.parents[1] / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\n[project.entry-points."vitesse.plugins"]\n'
            f'{name} = "{name.replace("-", "_")}:plugin"\n'
        )
        declaration = _DECLARATION.format(
            name=own_name or name, hooks=hooks, functions=functions, signatures=signatures, vendors=vendors
        )
        (package / "__init__.py").write_text(declaration if module is None else module)
        for path, text in (files or {"words.py": "def shout(value: str) -> str:\n    return value.upper()\n"}).items():
            (package / "vendored" / path).write_text(text)
        return tmp_path / "plugins"

    return make

"""The plugins a manifest names → their declarations, checked, and the functions and files they bring.

A plugin is looked for in the given folders, then among the installed distributions, then in the `plugins/` of a source
checkout of Vitesse. Its declaring module is imported; its vendored files are read as text.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..hooks import ENTRY_POINTS, HOOKS, Function, Plugin
from .model import RegisteredFunction, SourceFile, parse_type
from .signature import Signature, Unusable, read_signatures
from .sources import read_sources

MANIFEST = "integration.yaml"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SHIPPED = (Path(__file__).resolve().parents[1] / "plugins", Path(__file__).resolve().parents[3] / "plugins")
"""Projects of plugins that come with Vitesse: in a wheel beside the modules, in a checkout at its top."""


def load_plugin(name: str, folders: Sequence[Path] = (), *, at: Place | None = None) -> Plugin:
    """Find one plugin by the name a manifest gives it.

    Args:
        name: `vitesse-shopify`.
        folders: Folders of plugin projects (each with a `pyproject.toml`), searched first, in order.
        at: Where the name stands.

    Raises:
        DiagnosticError: V901 when there is none, V902 when what is found cannot be used.
    """
    place = at or Place(file=MANIFEST, pointer="#/plugins")
    for folder in folders:
        project = _project_in(folder, name)
        if project is not None:
            return _checked(_from_project(*project, name, place), name, place)
    declared = _installed(name, place)
    if declared is None:
        project = next((found for folder in _SHIPPED if (found := _project_in(folder, name)) is not None), None)
        declared = None if project is None else _from_project(*project, name, place)
    if declared is None:
        raise _error(
            "V901", f"no plugin `{name}` is installed", place, f"install it (`pip install {name}`) or take it out"
        )
    return _checked(declared, name, place)


# --- finding ----------------------------------------------------------------------------------------------------------


def _installed(name: str, place: Place) -> object | None:
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        return None
    if len({point.value for point in found}) > 1:
        values = ", ".join(sorted(f"`{point.value}`" for point in found))
        raise _error("V902", f"several plugins are called `{name}`: {values}", place, "uninstall all but one")
    try:
        declared: object = found[0].load()
    except Exception as error:
        raise _not_importable(name, error, place) from error
    return declared


def _project_in(folder: Path, name: str) -> tuple[Path, str] | None:
    """(project folder, `module:attribute`) of the project that has the entry point."""
    if not folder.is_dir():
        return None
    for project in sorted(folder.glob("*/pyproject.toml")):
        try:
            declared = tomllib.loads(project.read_text(encoding="utf-8"))
            target = declared["project"]["entry-points"][ENTRY_POINTS][name]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # another project; it is not the one that was asked for
        if isinstance(target, str):
            return project.parent, target
    return None


def _from_project(project: Path, target: str, name: str, place: Place) -> object:
    module_name, _, attribute = target.partition(":")
    for root in (project / "src", project):
        for file in (root / module_name / "__init__.py", root / f"{module_name}.py"):
            if file.is_file():
                try:
                    return getattr(_import_file(file), attribute)
                except Exception as error:
                    raise _not_importable(name, error, place) from error
    raise _error(
        "V902", f"plugin `{name}` names the module `{module_name}`, which is not there", place, "mend its entry point"
    )


def _import_file(file: Path) -> ModuleType:
    """Import a module or package by its file, under a name of its own, so that an installed one of that name stays."""
    alias = f"_vitesse_plugin_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}"
    folders = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(alias, file, submodule_search_locations=folders)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    for loaded in [known for known in sys.modules if known == alias or known.startswith(f"{alias}.")]:
        del sys.modules[loaded]
    sys.modules[alias] = module
    spec.loader.exec_module(module)
    return module


def _checked(declared: object, name: str, place: Place) -> Plugin:
    if not isinstance(declared, Plugin):
        raise _error(
            "V902",
            f"the entry point of `{name}` leads to a {type(declared).__name__}, not to a `vitesse.hooks.Plugin`",
            place,
            "ask the plugin's maker to mend its entry point",
        )
    if declared.hooks != HOOKS:
        raise _error(
            "V902",
            f"plugin `{name}` {declared.version} is written for hooks {declared.hooks}, and these are hooks {HOOKS}",
            place,
            f"install a version of `{name}` for this Vitesse",
        )
    if declared.name != name or not _NAME.fullmatch(name):
        raise _error(
            "V902",
            f"plugin `{name}` calls itself `{declared.name}`",
            place,
            "name it in the manifest as it does itself",
        )
    return declared


def _not_importable(name: str, error: Exception, place: Place) -> DiagnosticError:
    return _error(
        "V902",
        f"plugin `{name}` cannot be imported: {type(error).__name__}: {error}",
        place,
        "install it anew, or a version for this Vitesse",
    )


def _error(code: str, message: str, place: Place, help: str) -> DiagnosticError:
    return DiagnosticError([Diagnostic(code=code, message=message, places=(place,), help=help)])


# --- reading ----------------------------------------------------------------------------------------------------------


def read_plugin(
    plugin: Plugin,
) -> tuple[tuple[RegisteredFunction, ...], tuple[SourceFile, ...], tuple[Diagnostic, ...]]:
    """Register a plugin's functions, each checked against its `def`.

    Returns:
        The functions that are as declared, the vendored files under their paths in a package, and what is wrong.
    """
    module = plugin.name.replace("-", "_")
    origin = f"{plugin.name} {plugin.version}"
    if plugin.vendored is None:
        return (), (), tuple(_absent(plugin, declared, plugin.name) for declared in plugin.functions)
    folder = plugin.vendored
    shown_as = f"{module}/{folder.name}"
    if not folder.is_dir():
        missing = Diagnostic(
            code="V903",
            message=f"plugin `{plugin.name}` has no folder `{folder.name}`",
            places=(Place(file=shown_as),),
            help="install it anew",
        )
        return (), (), (missing,)
    sources, problems = read_sources(folder, _vendored(folder), shown_as, "V903")
    diagnostics = list(problems)
    signatures = {source.module: (source, read_signatures(source.tree)) for source in sources}
    functions: list[RegisteredFunction] = []
    for declared in plugin.functions:
        source, offered = signatures.get(declared.module, (None, {}))
        actual = offered.get(declared.function)
        if source is None or actual is None:
            diagnostics.append(_absent(plugin, declared, f"{shown_as}/{declared.module}.py"))
            continue
        place = Place.at_line(source.shown_as, actual.line, label="defined here")
        differences = tuple(_differences(declared, actual))
        if differences:
            diagnostics.append(_differs(plugin, declared, differences, place))
            continue
        assert isinstance(actual, Signature)
        functions.append(
            RegisteredFunction(
                name=declared.name,
                origin=origin,
                module=f"_plugins.{module}.{declared.module}",
                function=declared.function,
                inputs=actual.inputs,
                result=actual.result,
                parameters=actual.parameters,
                loses=declared.loses,
                description=declared.description,
                place=Place(file=place.file, pointer=place.pointer),
            )
        )
    files = tuple(
        SourceFile(path=f"_plugins/{module}/{source.name}", content=source.content, origin=origin) for source in sources
    )
    return tuple(functions), files, tuple(diagnostics)


def _vendored(folder: Path) -> list[Path]:
    """All that is in the folder but what Python itself puts there. What is no `.py` is reported, not left out."""
    return [path for path in folder.iterdir() if path.name != "__pycache__"]


def _differences(declared: Function, actual: Signature | Unusable) -> Iterable[str]:
    if isinstance(actual, Unusable):
        yield actual.reason
        return
    try:
        inputs = tuple(parse_type(text) for text in declared.inputs)
        result = parse_type(declared.result)
    except ValueError as error:
        yield f"declared: {error}"
        return
    if inputs != actual.inputs:
        yield f"takes {_list(actual.inputs)}; declared: {_list(inputs)}"
    if result != actual.result:
        yield f"gives {actual.result}; declared: {result}"
    there = {parameter.name: parameter for parameter in actual.parameters}
    for parameter in declared.parameters:
        if parameter.name not in there:
            yield f"has no option `{parameter.name}`, which is declared"
        elif parameter != there[parameter.name]:
            yield f"option `{parameter.name}` has another type or default than declared"
    names = {parameter.name for parameter in declared.parameters}
    yield from (f"has an option `{name}`, which is not declared" for name in there if name not in names)


def _list(types: Iterable[object]) -> str:
    return ", ".join(f"({type})" for type in types)


def _absent(plugin: Plugin, declared: Function, file: str) -> Diagnostic:
    return Diagnostic(
        code="V904",
        message=f"plugin `{plugin.name}` declares `{declared.name}`, and there is no `{declared.function}` in its file",
        places=(Place(file=file),),
        help=f"install another version of `{plugin.name}`, or mend its declaration",
    )


def _differs(plugin: Plugin, declared: Function, differences: tuple[str, ...], place: Place) -> Diagnostic:
    return Diagnostic(
        code="V904",
        message=f"plugin `{plugin.name}` declares `{declared.name}` otherwise than its file defines it",
        places=(place,),
        notes=differences,
        help=f"install another version of `{plugin.name}`, or mend its declaration",
    )

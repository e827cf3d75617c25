"""manifest's plugins + `custom/` → Registry: what rules may call beside the built-in transforms.

Everything is read before anything is believed: a plugin's declaration against its files, names against each other. No
function is run, and none of the files that hold them is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..api.facts import Fact
from ..api.model import Api
from ..diagnostics import Diagnostic, DiagnosticError, Place, raise_errors
from ..hooks import Plugin, SignaturePreset, Vendor
from .custom import read_custom
from .model import RegisteredFunction, Registry, SourceFile, ValueType, parse_type, union
from .plugins import load_plugin, read_plugin
from .schemes import PRESETS

__all__ = [
    "BUILT_IN",
    "RegisteredFunction",
    "Registry",
    "SourceFile",
    "ValueType",
    "load_plugin",
    "load_registry",
    "parse_type",
    "read_custom",
    "read_plugin",
    "union",
    "vendor_facts",
]

BUILT_IN = (
    RegisteredFunction(
        name="parse_iso8601_to_date",
        origin="built in",
        module="_runtime.transforms",
        function="parse_iso8601_to_date",
        inputs=(ValueType(kinds=("string",)),),
        result=ValueType(kinds=("date",)),
        description="The calendar day of an ISO 8601 date or date-time, as written: no zone is applied.",
        place=Place(file="_runtime/transforms.py"),
    ),
)
"""Functions of the runtime that rules name as they name a plugin's."""


def load_registry(names: Sequence[str], integration: Path, *, folders: Sequence[Path] = ()) -> Registry:
    """All that an integration may call and know.

    Args:
        names: The manifest's `plugins`, in order.
        integration: The integration's folder, for `custom/`.
        folders: Folders of plugin projects to look in before the installed ones.

    Raises:
        DiagnosticError: V901–V906, all that were found.
    """
    plugins: list[Plugin] = []
    problems: list[Diagnostic] = []
    for position, name in enumerate(names):
        try:
            plugins.append(
                load_plugin(name, folders, at=Place(file="integration.yaml", pointer=f"#/plugins/{position}"))
            )
        except DiagnosticError as error:
            problems += error.diagnostics
    functions: list[RegisteredFunction] = list(BUILT_IN)
    files: list[SourceFile] = []
    for more_functions, more_files, more_problems in (*map(read_plugin, plugins), read_custom(integration)):
        functions += more_functions
        files += more_files
        problems += more_problems
    presets = [(preset, plugin) for plugin in plugins for preset in plugin.signatures]
    problems += _named_twice(functions)
    problems += _presets_named_twice(presets)
    raise_errors(problems)
    return Registry(
        functions={function.name: function for function in sorted(functions, key=lambda function: function.name)},
        signatures={
            **{preset.name: preset for preset in PRESETS},
            **{preset.name: preset for preset, _ in sorted(presets, key=lambda pair: pair[0].name)},
        },
        vendors=tuple(vendor for plugin in plugins for vendor in plugin.vendors),
        words=tuple(plugin.words for plugin in plugins if plugin.words is not None),
        plugins=tuple((plugin.name, plugin.version) for plugin in plugins),
        files=_with_packages(files),
        warnings=tuple(problems),
    )


def vendor_facts(api: Api, registry: Registry, base_url: str | None = None) -> tuple[tuple[str, Fact], ...]:
    """What the loaded plugins know of an API's operations: (operation id, fact), in the file's order.

    Args:
        api: The API whose operations are asked about.
        registry: Of the integration.
        base_url: The manifest's, when it names one; its host counts beside the servers'.

    Returns:
        Facts of the vendors that the API is one of; none when it is none of theirs. Where several speak of one kind,
        they stand in the manifest's order of plugins.
    """
    urls = [server.url for server in api.servers] + ([base_url] if base_url else [])
    vendors = [vendor for vendor in registry.vendors if _is_of(vendor, api.title, urls)]
    return tuple(
        (operation.id, known.fact)
        for operation in api.operations
        for vendor in vendors
        for known in vendor.facts
        if _pattern(known.operation).fullmatch(operation.id)
    )


def _is_of(vendor: Vendor, title: str, urls: Iterable[str]) -> bool:
    hosts = [_host(url) for url in urls]
    if any(_pattern(known.lower()).fullmatch(host) for known in vendor.hosts for host in hosts):
        return True
    words = " ".join(title.lower().split())
    return any(re.search(rf"\b{re.escape(known.lower())}\b", words) is not None for known in vendor.titles)


def _host(url: str) -> str:
    """The host of a URL that may hold `{variables}`, lower case; the URL parsers refuse some of these."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0].lower()


def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for any text."""
    return re.compile(".*".join(re.escape(part) for part in text.split("*")))


def _named_twice(functions: Iterable[RegisteredFunction]) -> Iterable[Diagnostic]:
    first: dict[str, RegisteredFunction] = {}
    for function in functions:
        other = first.setdefault(function.name, function)
        if other is not function:
            yield Diagnostic(
                code="V905",
                message=f"two functions are called `{function.name}`: of {other.origin} and of {function.origin}",
                places=(function.place, other.place),
                help="rename yours, or take one of the plugins out of `plugins`",
            )


def _presets_named_twice(presets: Iterable[tuple[SignaturePreset, Plugin]]) -> Iterable[Diagnostic]:
    first: dict[str, Plugin] = {}
    for preset, plugin in presets:
        other = first.setdefault(preset.name, plugin)
        if other is not plugin:
            yield Diagnostic(
                code="V905",
                message=f"two webhook schemes are called `{preset.name}`: of {other.name} and of {plugin.name}",
                places=(Place(file="integration.yaml", pointer="#/plugins"),),
                help="take one of the plugins out of `plugins`",
            )


def _with_packages(files: Iterable[SourceFile]) -> tuple[SourceFile, ...]:
    """The files in path order, with an empty `__init__.py` in each of their folders that has none."""
    found = {file.path: file for file in files}
    for file in tuple(found.values()):
        folders = file.path.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            path = "/".join([*folders[:depth], "__init__.py"])
            found.setdefault(path, SourceFile(path=path, content=b"", origin=file.origin if depth > 1 else folders[0]))
    return tuple(found[path] for path in sorted(found))

"""RenderedPackage × Expectations → VerifiedPackage.

The last look before anything is written. Every file must be expected and every expected file must be there; each is held to
what its kind may be. What is found in derived files is a bug of ours that hostile input may have reached; what is found in
copied files is the user's or a plugin's.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterator

from ..diagnostics import Diagnostic, Place, raise_errors
from ..package import PackageFile, RenderedPackage
from .grammar import HEADER, check_module
from .model import (
    Around,
    Copied,
    Derived,
    Empty,
    Exactly,
    Expectations,
    Expected,
    JsonFile,
    LockFile,
    Page,
    VerifiedPackage,
    YamlFile,
    _sealed,
)
from .texts import check_around, check_json, check_lock, check_page, check_yaml

_PATH = re.compile(r"(?!/)(?:(?!\.{1,2}/)[A-Za-z0-9._-]+/)*(?!\.{1,2}$)[A-Za-z0-9._-]+", re.ASCII)


def verify_package(package: RenderedPackage, expectations: Expectations) -> VerifiedPackage:
    """Prove that a package is what its plan says.

    Raises:
        DiagnosticError: V600 when derived or constant files are not what they must be (nothing may be written then), V601
            and V602 when a copied file does not parse or a plugin's reaches outside the standard library.
    """
    raise_errors(_problems(package, expectations))
    return _sealed(package)


def _problems(package: RenderedPackage, expectations: Expectations) -> Iterator[Diagnostic]:
    missing = sorted(set(expectations.files) - set(package.paths))
    for path in missing:
        yield _bug(path, 0, "the file is missing")
    if len(package.paths) != len(package.files) or package.name != expectations.name:
        yield _bug("", 0, "the package is not the plan's")
    for file in package.files:
        expected = expectations.files.get(file.path)
        if expected is None or not _PATH.fullmatch(file.path):
            yield _bug(file.path, 0, "the plan has no such file")
            continue
        if isinstance(expected, Copied):
            yield from _copied(file, expected)
            continue
        if file.executable and not (isinstance(expected, Exactly) and expected.executable):
            yield _bug(file.path, 0, "the file would be executable")
        for line, what in _file(file, expected, package, expectations):
            yield _bug(file.path, line, what)


def _file(
    file: PackageFile, expected: Expected, package: RenderedPackage, expectations: Expectations
) -> Iterator[tuple[int, str]]:
    if isinstance(expected, Exactly):
        if hashlib.sha256(file.content).hexdigest() != expected.sha256:
            yield 0, "the file is not the template's"
        return
    try:
        text = file.content.decode("utf-8")
    except UnicodeDecodeError:
        yield 0, "the file is no UTF-8"
        return
    match expected:
        case Derived():
            yield from check_module(text, expected, expectations)
        case Empty():
            if text != f"{HEADER}\n":
                yield 1, "the module is not empty"
        case Around():
            yield from ((0, what) for what in check_around(text, expected))
        case Page():
            yield from ((0, what) for what in check_page(text, expected))
        case JsonFile(value=value):
            yield from ((0, what) for what in check_json(file.content, value))
        case YamlFile(value=value):
            yield from ((0, what) for what in check_yaml(file.content, value))
        case LockFile():
            yield from ((0, what) for what in check_lock(package, expected))


def _bug(path: str, line: int, what: str) -> Diagnostic:
    return Diagnostic(
        code="V600",
        message=f"the rendered file `{path}` is not what the plan says: {what}",
        places=(Place.at_line(path, line) if line else Place(file=path),),
        notes=("nothing was written; text of a spec or a mapping may have reached code",),
        help="report this with the input that shows it",
    )


def _copied(file: PackageFile, expected: Copied) -> Iterator[Diagnostic]:
    if hashlib.sha256(file.content).hexdigest() != expected.sha256:
        yield _bug(file.path, 0, "the copy is not the original")
    if not file.path.endswith(".py"):
        return
    try:
        tree = ast.parse(file.content)
    except (SyntaxError, ValueError) as problem:
        line = getattr(problem, "lineno", None) or 1
        yield Diagnostic(
            code="V601",
            message=f"`{expected.origin}` does not parse as Python: {getattr(problem, 'msg', problem)}",
            places=(Place.at_line(expected.origin, line),),
            help="correct the file; it is copied into the package as it is",
        )
        return
    if expected.plugin is not None:
        yield from _foreign_imports(tree, file.path, expected)


def _foreign_imports(tree: ast.Module, path: str, expected: Copied) -> Iterator[Diagnostic]:
    """A plugin's file may import the standard library and its own folder: the package has no other dependency for it."""
    depth = len(path.partition("/_plugins/")[2].split("/")) - 1
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                wanted = [alias.name for alias in names]
            case ast.ImportFrom(level=0, module=module):
                wanted = [module or ""]
            case ast.ImportFrom(level=level, module=module):
                wanted = ["." * level + (module or "")] if level > depth else []
            case _:
                continue
        for module in wanted:
            if module.startswith(".") or module.partition(".")[0] not in sys.stdlib_module_names:
                yield Diagnostic(
                    code="V602",
                    message=f"`{path.rpartition('/')[2]}` of {expected.origin} imports `{module}`, which no package has",
                    places=(Place.at_line(path, node.lineno),),
                    help="keep what a plugin copies into packages to the standard library and its own folder",
                )

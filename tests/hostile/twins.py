"""A hostile document and its benign twin: what they compile to differs in constants and planned names only.

The twin is the same document with each text that the baseline has not in place of a harmless one. Derived modules are compared
as syntax trees in which constants are blank and names are numbered as they come, apart from those of the runtime.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from vitesse.diagnostics import DiagnosticError

from . import quick
from .corpus import Case
from .integration import MODULE, TOKEN, Role, write_integration
from .structure import Files

_DERIVED = re.compile(rf"src/{MODULE}/(?!_runtime/|_plugins/|custom/).*\.py")
_FIXED = re.compile(rf"src/{MODULE}/(?:__init__|__main__|cli)\.py")
_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_STATUS = re.compile(r"[1-5](?:\d\d|XX)")
_WORDS = frozenset(
    """
    $ref additionalProperties allOf allowEmptyValue allowReserved anyOf apiKey array authorizationCode authorizationUrl basic bearer
    bearerFormat binary boolean byte callbacks clientCredentials components const contact content cookie date date-time decimal deepObject
    default delimiter delete deprecated description discriminator email encoding enum example examples exclusiveMaximum
    exclusiveMinimum explode expression externalDocs flows form format get head header headers http id implicit in info int32 int64 integer
    items label license links mapping matrix maxItems maxLength maxProperties maximum mediaType minItems minLength minProperties minimum
    multipleOf name not null nullable number oauth2 object oneOf openIdConnect openapi operationId operationRef options parameters
    password patch path paths pattern patternProperties pipeDelimited post prefixItems properties propertyName put query readOnly
    refreshUrl requestBodies requestBody required responses schema schemas scheme scopes security securitySchemes server servers simple
    spaceDelimited string style summary tags termsOfService time title tokenUrl trace type uniqueItems uri url uuid value variables
    version webhooks wrapped writeOnly xml
    Accept Authorization Connection Content-Length Content-Type Cookie Host Transfer-Encoding
    application/json application/x-www-form-urlencoded multipart/form-data
    """.split()
)
"""What OpenAPI itself calls things: another word in its place would be another document."""


def twin_faults(case: Case, role: Role, hostile: Files, place: Path) -> list[str] | None:
    """Compile the twin of a case in one role and compare. None where there is nothing to compare: no twin, or one that is refused."""
    if case.is_raw:
        return None
    document, baseline = (json.loads(file.read_text("utf-8")) for file in (case.file, case.baseline))
    twin = json.dumps(twin_of(document, baseline)).encode()
    if write_integration(place, twin, ".json", role) is None:
        return None
    try:
        benign = quick.compile_files(place)
    except DiagnosticError:
        return None
    return [f"its twin differs: {fault}" for fault in differences(hostile, benign)]


def twin_of(document: Any, baseline: Any) -> Any:
    """The document with every text that the baseline has not replaced by a harmless one, the same for the same."""
    return _Twin(baseline).of(document)


class _Twin:
    def __init__(self, baseline: Any) -> None:
        self._known = set(_texts(baseline))
        self._plain: dict[str, str] = {}

    def of(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._text(key): self.of(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.of(inner) for inner in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if text in self._known or text in _WORDS or text.startswith("x-") or _STATUS.fullmatch(text):
            return text
        if text.startswith("#/"):
            names = (part.replace("~1", "/").replace("~0", "~") for part in text[2:].split("/"))
            plain = (name if name.isdigit() else self._text(name) for name in names)
            return "#/" + "/".join(name.replace("~", "~0").replace("/", "~1") for name in plain)
        if text not in self._plain:
            self._plain[text] = self._harmless(text, len(self._plain))
        return self._plain[text]

    def _harmless(self, text: str, number: int) -> str:
        inside = "".join(f"/{{{self._text(name)}}}" for name in _TEMPLATE.findall(text))
        if text.startswith(("http://", "https://")):
            return f"https://plain{number}.example.test{inside}"
        if text.startswith("/"):
            return f"/plain{number}{inside}"
        return f"plain{number}" if TOKEN.fullmatch(text) else f"plain {number}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def differences(hostile: Files, benign: Files) -> list[str]:
    """What differs between the packages of twins beyond constants and planned names."""
    one, other = _forms(hostile), _forms(benign)
    found = [f"only the hostile one has {form}: {count} times" for form, count in (one - other).items()]
    found += [f"only the benign one has {form}: {count} times" for form, count in (other - one).items()]
    kept = {path for path in hostile if not _DERIVED.fullmatch(path)}
    if kept != (wanted := {path for path in benign if not _DERIVED.fullmatch(path)}):
        found.append(f"other files: {sorted(kept ^ wanted)}")
    for path in sorted(kept & wanted):
        if hostile[path] != benign[path] and (form := shape_of(path, hostile[path])) != shape_of(path, benign[path]):
            found.append(f"{path} has another structure: {str(form)[:300]}")
    return [one[:1500] for one in found]


def shape_of(path: str, content: bytes) -> object:
    """What a file that is no derived module keeps when its texts are left out; the content itself where it holds no outside text."""
    text = content.decode("utf-8")
    match path.rpartition(".")[2]:
        case "md":
            return _markdown(text)
        case "json" | "lock":
            return _values(json.loads(text), keys=False)
        case "toml":
            return _values(tomllib.loads(text), keys=True)
        case "yaml" | "yml":
            return _values(yaml.safe_load(text), keys=True)
        case _:
            return content


def _values(value: Any, *, keys: bool) -> object:
    """Types in their places. Without `keys`, members are compared whatever their order: their names are the document's."""
    if isinstance(value, dict) and keys:
        return {key: _values(inner, keys=True) for key, inner in value.items()}
    if isinstance(value, dict):
        return {"members": sorted(str(_values(inner, keys=False)) for inner in value.values())}
    if isinstance(value, list):
        return [_values(inner, keys=keys) for inner in value]
    return type(value).__name__


def _markdown(text: str) -> list[str]:
    """The blocks of a page, with the runs of text and code inside them."""
    found: list[str] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        found.append(token.type)
        is_code = False
        for child in token.children or ():
            if child.type == "html_inline" and child.content in ("<code>", "</code>"):
                is_code = child.content == "<code>"
                kind = "code"
            elif child.type in ("text", "text_special", "softbreak", "html_inline"):
                kind = "code" if is_code else "text" if child.type != "html_inline" else child.content
            else:
                kind = "code" if child.type == "code_inline" else child.type
            if found[-1] != kind:
                found.append(kind)
    return found


def _forms(files: Files) -> Counter[str]:
    """The form of every derived module, and how often it comes."""
    trees = {path: ast.parse(content) for path, content in files.items() if _DERIVED.fullmatch(path)}
    planned = {name for tree in trees.values() for name in _planned(tree)}
    # The package's own modules name no field: `getattr` is the builtin there, whatever a document calls a property.
    return Counter(_form(tree, set() if _FIXED.fullmatch(path) else planned) for path, tree in trees.items())


def _planned(tree: ast.Module) -> Iterator[str]:
    """What a module of the package defines: classes, functions, arguments, fields and constants."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case ast.ImportFrom(level=level, module=module, names=names) if level and not _is_runtime(module):
                yield from (one.asname or one.name for one in names)
            case _:
                pass


def _is_runtime(module: str | None) -> bool:
    return (module or "").split(".")[0] in ("_runtime", "_plugins")


def _form(tree: ast.Module, planned: set[str]) -> str:
    """The tree with blank constants and planned names numbered as they come. What stands outside the package keeps its name."""
    tree = _Unaliased().visit(tree)
    outside = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (not node.level or _is_runtime(node.module))
        for alias in node.names
        if alias.name != "annotations"
    }
    used = sorted(name for local, name in outside.items() if local not in _FOR_ALIASES)
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom)]
    numbers: dict[str, str] = {}
    kept = {id(node) for call in ast.walk(tree) for node in _named_outside(call, outside)}
    for node in _in_order(tree):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
        for field in ("id", "name", "arg", "attr"):
            name = getattr(node, field, None)
            if not isinstance(name, str) or id(node) in kept:
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and name in outside:
                setattr(node, field, outside[name])
            elif name in planned:
                key = f"{ast.dump(node.value)}.{name}" if isinstance(node, ast.Attribute) else name
                setattr(node, field, numbers.setdefault(key, f"name{len(numbers)}"))
    return f"{used} {ast.dump(tree)}"


def _named_outside(node: ast.AST, outside: Mapping[str, str]) -> Iterator[ast.AST]:
    """Nodes whose names the runtime chose: the arguments of what it declares, the methods of a client's base."""
    match node:
        case ast.Call(func=ast.Name(id=name), keywords=keywords) if name in outside:
            yield from keywords
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self")), keywords=keywords):
            yield from (node.func, *keywords)
        case _:
            pass


_FOR_ALIASES = ("Annotated", "Field")


class _Unaliased(ast.NodeTransformer):
    """`Annotated[T, Field(alias="wire name")]` is `T` here: a field has an alias where its planned name is not the wire's."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Subscript(
                value=ast.Name(id="Annotated"),
                slice=ast.Tuple(
                    elts=[
                        inner,
                        ast.Call(
                            func=ast.Name(id="Field"),
                            args=[],
                            keywords=[
                                ast.keyword(arg="alias" | "serialization_alias", value=ast.Constant(value=str()))
                            ],
                        ),
                    ]
                ),
            ):
                return inner
        return node


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """As `ast.walk`, in the order of the text."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)

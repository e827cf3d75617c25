"""The gate: a package passes as it was rendered and does not pass with anything else in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.render.plans import plan
from vitesse.diagnostics import DiagnosticError, InternalError
from vitesse.package import LOCK, PackageFile, RenderedPackage
from vitesse.plan.model import CopiedFile
from vitesse.render import render_package
from vitesse.verify import Expectations, VerifiedPackage, expect, verify_package

ROOT = "src/shopify_credo"


def changed(package: RenderedPackage, path: str, content: bytes | None, *, executable: bool = False) -> RenderedPackage:
    """The package with one file replaced, added or (None) taken away, and a lock that says so."""
    files = {file.path: file for file in package.files}
    if content is None:
        del files[path]
    else:
        before = files.get(path)
        files[path] = PackageFile(path, content, executable=executable)
        lock = files[LOCK].content
        if before is not None and path != LOCK:
            lock = lock.replace(before.sha256.encode(), files[path].sha256.encode())
        files[LOCK] = files[LOCK] if path == LOCK else PackageFile(LOCK, lock)
        if path == LOCK:
            files[LOCK] = PackageFile(LOCK, content)
    return RenderedPackage(package.name, tuple(files[name] for name in sorted(files)))


def refused(package: RenderedPackage, expectations: Expectations) -> set[tuple[str, str]]:
    with pytest.raises(DiagnosticError) as error:
        verify_package(package, expectations)
    return {(found.code, found.places[0].file) for found in error.value.diagnostics}


def test_package_as_rendered_passes(rendered: RenderedPackage, expectations: Expectations):
    assert verify_package(rendered, expectations).package is rendered


def test_verified_package_is_made_by_verification_only(rendered: RenderedPackage):
    with pytest.raises(InternalError):
        VerifiedPackage(rendered)


INSERTED = {
    f"{ROOT}/app.py": [
        "import os\n",
        "from os import system\n",
        "from .custom.dates import tidy\n",
        "print(1)\n",
        'eval("1")\n',
        "X = 1\n",
        'INTEGRATION = "not in the plan"\n',
        "INTEGRATION = CUSTOMERS.source.get\n",
        "INTEGRATION = [x for x in ()]\n",
        "INTEGRATION = Integration(*SETTINGS)\n",
        'INTEGRATION = Integration(**{"name": "hourly"})\n',
        "# type: ignore\n",
        "INTEGRATION = shopify.__class__\n",
        "INTEGRATION = 1 + 1\n",
        "if True:\n    pass\n",
        "def f() -> None: ...\n",
        "class A: ...\n",
        "@print\nclass A: ...\n",
        'INTEGRATION = f"{SETTINGS}"\n',
    ],
    f"{ROOT}/clients/shopify.py": [
        "class ShopifyClient(dict): ...\n",
        "class ShopifyClient(ApiClient):\n    '''x'''\n    x = print(1)\n",
        "class ShopifyClient(ApiClient):\n    '''x'''\n    def f(self):\n        '''x'''\n        return print(1)\n",
        "class ShopifyClient(ApiClient):\n    '''x'''\n    def f(self, x=print(1)):\n        '''x'''\n"
        "        return self.one(LIST_CUSTOMERS, x)\n",
        "class ShopifyClient(ApiClient):\n    '''x'''\n    def f(self, x: print(1)):\n        '''x'''\n"
        "        return self.one(LIST_CUSTOMERS, x)\n",
        "from .._runtime.client import open_api\n",
    ],
    f"{ROOT}/mappers/customers.py": [
        "from ..custom.dates import other\n",
        "from os import system\n",
        "def other(src: Customer) -> str:\n    '''x'''\n    return identity_text(src.id)\n",
        "X = 1\n",
        "import os\n",
    ],
    f"{ROOT}/models/shopify_customer.py": ["import os\n", "class Other(Record):\n    '''x'''\n", "x = 1\n"],
    f"{ROOT}/settings.py": ["SETTINGS = print(1)\n", 'SETTINGS = (Env("OTHER"),)\n'],
    f"{ROOT}/__init__.py": ["import os\n", "print(1)\n"],
    f"{ROOT}/models/__init__.py": ["import os\n"],
    f"{ROOT}/_runtime/declare.py": ["\n"],
    "tests/mocks/form.py": ["\n"],
    "Dockerfile": ["RUN true\n"],
    "compose.yaml": ["  x: y\n"],
    "pyproject.toml": ["[tool.x]\n"],
    ".env.example": ["X=$(id)\n"],
    "README.md": ["<script>\n"],
    "MAPPING.md": ["| a | b |\n", "## more\n", "![x](y)\n", "<img>\n"],
    "tests/mocks/source.json": ["1"],
    ".github/workflows/ci.yml": ["  - run: id\n"],
}


@pytest.mark.parametrize(
    ("path", "text"), [(path, text) for path, texts in INSERTED.items() for text in texts], ids=lambda text: text[:60]
)
def test_one_more_line_is_refused(rendered: RenderedPackage, expectations: Expectations, path: str, text: str):
    """Whatever the kind of file: what its plan does not say does not pass."""
    found = refused(changed(rendered, path, rendered.paths[path].content + text.encode()), expectations)
    assert found == {("V600", path)}


REPLACED = [
    (f"{ROOT}/mappers/customers.py", "src.phone,", "src.__class__,"),
    (f"{ROOT}/mappers/customers.py", "src.phone,", "print(src.phone),"),
    (f"{ROOT}/mappers/customers.py", "src.phone,", '"other",'),
    (f"{ROOT}/mappers/customers.py", "src.phone,", "src.phone or 1,"),
    (f"{ROOT}/mappers/customers.py", "src.phone,", "Contact.phone,"),
    (f"{ROOT}/mappers/customers.py", "lambda it: it.city", "lambda it: other.city"),
    (f"{ROOT}/mappers/customers.py", "lambda it: it.city", "lambda it=print(1): it.city"),
    (f"{ROOT}/mappers/customers.py", "def source_version(", "@print\ndef source_version("),
    (
        f"{ROOT}/mappers/customers.py",
        "def source_version(src: Customer)",
        "def source_version(src: Customer = print(1))",
    ),
    (f"{ROOT}/mappers/customers.py", "# Generated", "# coding: latin-1"),
    (f"{ROOT}/models/shopify_customer.py", 'alias="createdAt"', 'alias="created"'),
    (f"{ROOT}/models/shopify_customer.py", "email: str | None | MISSING", "email: str | MISSING"),
    (f"{ROOT}/models/shopify_customer.py", "id: int", "id: eval('int')"),
    (f"{ROOT}/models/shopify_customer.py", "class Customer(Record)", "class Customer(Record, metaclass=print)"),
    (f"{ROOT}/models/credo_contact.py", "serialization_alias=", "alias="),
    (f"{ROOT}/clients/shopify.py", '"/customers.json"', '"/other.json"'),
    (f"{ROOT}/clients/shopify.py", "self.page(", "self.session.close("),
    (f"{ROOT}/__init__.py", '"INTEGRATION": ".app"', '"INTEGRATION": "os"'),
    ("pyproject.toml", 'description = "', 'description = "x"\nreadme = "'),
    ("pyproject.toml", 'requires-python = ">=3.11"', 'requires-python = ">=3.12"'),
    ("compose.yaml", "      SHOPIFY_SHOP:", "      SHOPIFY_SHOP: x\n    privileged:"),
    (".env.example", "SHOPIFY_SHOP=", "SHOPIFY_SHOP=x"),
    (LOCK, '"draft": []', '"draft": ["x"]'),
    (LOCK, '"tox.ini": "sha256:', '"tox.ini": "sha256:0'),
]


@pytest.mark.parametrize(("path", "old", "new"), REPLACED, ids=lambda text: text[:60])
def test_one_other_word_is_refused(
    rendered: RenderedPackage, expectations: Expectations, path: str, old: str, new: str
):
    text = rendered.paths[path].content.decode()
    assert old in text
    assert refused(changed(rendered, path, text.replace(old, new, 1).encode()), expectations) == {("V600", path)}


@pytest.mark.parametrize(
    "path",
    ["../outside.py", "/etc/x", "src/shopify_credo/more.py", "tests/__init__.pyc", "a/./b", ".git/hooks/pre-commit"],
)
def test_file_that_the_plan_does_not_have_is_refused(rendered: RenderedPackage, expectations: Expectations, path: str):
    assert ("V600", path) in refused(changed(rendered, path, b""), expectations)


def test_missing_file_is_refused(rendered: RenderedPackage, expectations: Expectations):
    assert ("V600", "tox.ini") in refused(changed(rendered, "tox.ini", None), expectations)


def test_file_that_would_be_executable_is_refused(rendered: RenderedPackage, expectations: Expectations):
    content = rendered.paths["tox.ini"].content
    assert refused(changed(rendered, "tox.ini", content, executable=True), expectations) == {("V600", "tox.ini")}


def test_package_of_another_plan_is_refused(rendered: RenderedPackage, template):
    assert refused(rendered, expect(replace(plan(), intent="Another"), template))


def copied_plan(path: str, content: str):
    return replace(plan(), copied=(*plan().copied, CopiedFile(path=path, content=content.encode(), origin=path)))


def test_custom_file_that_does_not_parse_is_named_with_its_line(template):
    plan = copied_plan("custom/broken.py", "x = 1\ndef (:\n")
    with pytest.raises(DiagnosticError) as error:
        verify_package(render_package(plan, template), expect(plan, template))
    found = error.value.diagnostics[0]
    assert (found.code, found.places[0].file, found.places[0].pointer) == ("V601", "custom/broken.py", "#L2")


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        ("import datetime", True),
        ("from zoneinfo import ZoneInfo", True),
        ("from .other import x", True),
        ("import requests", False),
        ("from httpx import get", False),
        ("from .._runtime.client import ApiClient", False),
        ("from ...models import x", False),
        ("def f():\n    import requests", False),
    ],
)
def test_plugin_file_imports_the_standard_library_and_its_own_folder_only(template, line: str, passes: bool):
    plan = copied_plan("_plugins/vitesse_shopify/timestamps.py", f"{line}\n")
    package = render_package(plan, template)
    if passes:
        assert verify_package(package, expect(plan, template)).package is package
    else:
        path = f"{ROOT}/_plugins/vitesse_shopify/timestamps.py"
        assert refused(package, expect(plan, template)) == {("V602", path)}

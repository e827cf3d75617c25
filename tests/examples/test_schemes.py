"""An example with a webhook for each signature scheme that is known by name: compiled, and what its package has of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from mocks.form import load_mock
from vitesse.registry.schemes import PRESETS
from vitesse.workflow.build import build_integration

from .conftest import EXAMPLES

SHOW = """
import dataclasses, json
from shop_depot.app import INTEGRATION
print(json.dumps({each.topics[0]: dataclasses.asdict(each.scheme) for each in INTEGRATION.webhooks}))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("schemes")
    folder = root / "shop_depot"
    shutil.copytree(EXAMPLES / "shop_depot", folder)
    manifest = folder / "integration.yaml"
    head, _, rest = manifest.read_text().partition("\nwebhooks:\n")
    entries = [
        f"  - {{topics: [{preset.name}], scheme: {preset.name}, secret: {{env: HOOK_SECRET}}, stream: stock, record: data.object}}"
        for preset in PRESETS
    ]
    manifest.write_text("\n".join([head, "webhooks:", *entries, "", rest[rest.index("deploy:") :]]))
    build_integration(folder, root / "package", draft=False, discard=False)
    return root / "package"


def _wanted() -> dict[str, object]:
    schemes = {preset.name: asdict(preset) for preset in PRESETS}
    for name, scheme in schemes.items():
        assert scheme.pop("name") == name
    return dict(json.loads(json.dumps(schemes)))


def test_package_declares_each_scheme_as_it_is_known(package: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=package, env={**environ, "PYTHONPATH": "src"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == _wanted()


def test_mocks_of_the_package_read_each_scheme(package: Path) -> None:
    form = load_mock(package / "tests" / "mocks" / "source.json")
    assert {each.topics[0]: json.loads(json.dumps(asdict(each.scheme))) for each in form.webhooks} == _wanted()

"""Plan × template → RenderedPackage.

Spells what the plan decided and decides nothing: which files there are, what they are called and what stands in them follows
from the plan and from the constant files of the template.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from ..diagnostics import InternalError
from ..package import LOCK, PackageFile, RenderedPackage
from ..plan.model import ApiPlan, ModelModule, Plan
from ..template_files import TemplateFiles
from . import docs, imports, literals, python
from .environment import load_modules
from .layout import formatted
from .lock import lock_text
from .memo import Memo
from .models import models_text
from .skeleton import skeleton_files


def render_package(plan: Plan, template: Path, *, memo: Path | None = None) -> RenderedPackage:
    """Every file of the package, in memory.

    Args:
        plan: Decided and final; names in it are checked again, text in it is only ever written as data.
        template: The folder with `runtime/`, `modules/`, `skeleton/`, `mocks/` and `tests/`.
        memo: A folder to keep answers of slow tools in; the package is the same with and without.
    """
    constant = TemplateFiles(template)
    files: dict[str, PackageFile] = {}
    for file in (
        *skeleton_files(plan, template / "skeleton"),
        *(PackageFile(path, text.encode()) for path, text in derived_modules(plan, template, Memo(memo))),
        *_data_files(plan),
        *constant.package_files(plan.names.module),
        *_copied(plan),
    ):
        if file.path in files or file.path == LOCK:
            raise InternalError(f"two parts of a package are called {file.path}")
        files[file.path] = file
    for file in _folders_of_copies(plan, files):
        files[file.path] = file
    ordered = sorted(files.values(), key=lambda file: file.path)
    lock = lock_text(plan, ordered, runtime=constant.runtime_digest, template=constant.digest)
    everything = sorted([*ordered, PackageFile(LOCK, lock.encode())], key=lambda file: file.path)
    return RenderedPackage(plan.names.distribution, tuple(everything))


def render_api(
    api: ApiPlan, models: Sequence[ModelModule], template: Path, *, memo: Path | None = None
) -> RenderedPackage:
    """The client of one system and its models, with nothing around them: `clients/<api>.py`, `models/<module>.py`."""
    env = python.environment(load_modules(template / "modules"))
    kept = Memo(memo)
    texts = [(f"clients/{literals.name(api.module)}.py", python.client_text(env, api))]
    texts += [(f"models/{literals.name(module.module)}.py", models_text(module, kept)) for module in models]
    return RenderedPackage(
        api.name, tuple(PackageFile(path, formatted(text, kept).encode()) for path, text in sorted(texts))
    )


def derived_modules(plan: Plan, template: Path, memo: Memo) -> list[tuple[str, str]]:
    """(path, text) of every Python file that is made from the plan, in black's layout."""
    env = python.environment(load_modules(template / "modules"))
    root = f"src/{literals.name(plan.names.module)}"
    texts = [
        (f"{root}/__init__.py", python.package_text(env, plan)),
        (f"{root}/app.py", python.app_text(env, plan)),
        (f"{root}/settings.py", python.settings_text(env, plan)),
    ]
    for api in (plan.source, plan.destination):
        texts.append((f"{root}/clients/{literals.name(api.module)}.py", python.client_text(env, api)))
    for mapper in plan.mappers:
        texts.append((f"{root}/mappers/{literals.name(mapper.module)}.py", python.mapper_text(env, mapper)))
    for module in plan.models:
        texts.append((f"{root}/models/{literals.name(module.module)}.py", models_text(module, memo)))
    return [(path, formatted(text, memo)) for path, text in texts]


def _data_files(plan: Plan) -> list[PackageFile]:
    return [
        PackageFile("MAPPING.md", docs.mapping_page(plan).encode()),
        PackageFile("tests/mocks/destination.json", _json(plan.mocks.destination)),
        PackageFile("tests/mocks/source.json", _json(plan.mocks.source)),
        *_monitoring(plan),
    ]


def _monitoring(plan: Plan) -> list[PackageFile]:
    if plan.monitoring is None:
        return []
    rules = yaml.safe_dump(plan.monitoring.alert_rules, sort_keys=False, allow_unicode=False, width=10_000)
    return [
        PackageFile("deploy/grafana/dashboard.json", _json(plan.monitoring.dashboard)),
        PackageFile("deploy/prometheus/alerts.yaml", rules.encode("ascii")),
    ]


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def _copied(plan: Plan) -> list[PackageFile]:
    return [PackageFile(f"src/{plan.names.module}/{file.path}", file.content) for file in plan.copied]


def _folders_of_copies(plan: Plan, files: dict[str, PackageFile]) -> list[PackageFile]:
    """An `__init__.py` for each folder of copied files that brings none."""
    root = f"src/{plan.names.module}/"
    folders = {parent for file in plan.copied for parent in Path(file.path).parents if parent != Path(".")}
    wanted = sorted(f"{root}{folder.as_posix()}/__init__.py" for folder in folders)
    return [PackageFile(path, imports.HEADER.encode()) for path in wanted if path not in files]

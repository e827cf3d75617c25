"""Plan × template → Expectations: what the package must be, worked out without the renderer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path

from ..plan.model import ApiPlan, ModelModule, Plan
from ..template_files import TemplateFiles
from .model import (
    Around,
    Copied,
    Derived,
    Empty,
    Exactly,
    Expectations,
    Expected,
    Gap,
    JsonFile,
    LockFile,
    Page,
    YamlFile,
)

_ROOT = "skeleton/{{cookiecutter.distribution}}/"
_VARIABLE = re.compile(r"\{\{ ?cookiecutter\.([a-z_]+) ?\}\}")
_RAW = re.compile(r"\{% raw %\}(.*?)\{% endraw %\}")
_GAP = re.compile(r"\{\{ cookiecutter\.texts\.[a-z]+_([a-z]+) \}\}")
_GAPS: dict[str, Gap] = {"toml": "toml", "yaml": "compose", "md": "markdown", "example": "env"}


def expect(plan: Plan, template: Path) -> Expectations:
    """What a package of this plan must be, file by file."""
    constant = TemplateFiles(template)
    module = plan.names.module
    root = f"src/{module}/"
    files: dict[str, Expected] = dict(_skeleton(plan, constant))
    for file in constant.package_files(module):
        files[file.path] = Exactly(sha256=file.sha256)
    files[f"{root}__init__.py"] = Derived(kind="package")
    files[f"{root}app.py"] = Derived(kind="app")
    files[f"{root}settings.py"] = Derived(kind="settings")
    for api in (plan.source, plan.destination):
        files[f"{root}clients/{api.module}.py"] = Derived(kind="client", part=api)
    for mapper in plan.mappers:
        files[f"{root}mappers/{mapper.module}.py"] = Derived(kind="mapper", part=mapper)
    for models in plan.models:
        files[f"{root}models/{models.module}.py"] = Derived(kind="models", part=models)
    for copied in plan.copied:
        folder, _, rest = copied.path.partition("/")
        plugin = rest.partition("/")[0] if folder == "_plugins" else None
        sha256 = hashlib.sha256(copied.content).hexdigest()
        files[root + copied.path] = Copied(sha256=sha256, origin=copied.origin, plugin=plugin)
        for parent in Path(copied.path).parents:
            if parent != Path("."):
                files.setdefault(f"{root}{parent.as_posix()}/__init__.py", Empty())
    files["MAPPING.md"] = Page(rows=tuple(len(table.rows) for table in plan.tables))
    files["tests/mocks/source.json"] = JsonFile(value=plan.mocks.source)
    files["tests/mocks/destination.json"] = JsonFile(value=plan.mocks.destination)
    if plan.monitoring is not None:
        files["deploy/grafana/dashboard.json"] = JsonFile(value=plan.monitoring.dashboard)
        files["deploy/prometheus/alerts.yaml"] = YamlFile(value=plan.monitoring.alert_rules)
    files["vitesse.lock"] = LockFile(draft=plan.draft, inputs=plan.inputs)
    return Expectations(
        name=plan.names.distribution,
        module=module,
        version=plan.names.version,
        doc=" ".join(f"{plan.source.title} → {plan.destination.title}: {plan.intent}".split()),
        clients=tuple(sorted((api.module, api.client) for api in (plan.source, plan.destination))),
        files=files,
        texts=frozenset(
            _texts(
                (plan.names, plan.source, plan.destination, plan.mappers, plan.streams, plan.webhooks, plan.settings)
            )
        ),
        names=frozenset(_texts((plan.source, plan.destination, plan.models, plan.mappers, plan.streams))),
    )


def expect_api(api: ApiPlan, models: Sequence[ModelModule]) -> Expectations:
    """What the client of one system and its models must be, with nothing around them."""
    files: dict[str, Expected] = {f"clients/{api.module}.py": Derived(kind="client", part=api)}
    files |= {f"models/{module.module}.py": Derived(kind="models", part=module) for module in models}
    return Expectations(
        name=api.name,
        module=api.module,
        version="",
        doc="",
        clients=(),
        files=files,
        texts=frozenset(_texts(api)),
        names=frozenset(_texts((api, tuple(models)))),
    )


def _skeleton(plan: Plan, constant: TemplateFiles) -> Iterator[tuple[str, Expected]]:
    """Skeleton files: exact bytes where only names vary, the structure where outside text stands in them."""
    deploy = plan.deploy
    names: dict[str, object] = {
        "distribution": plan.names.distribution,
        "module": plan.names.module,
        "version": plan.names.version,
        "python": plan.names.python,
        "port": deploy.port,
        "memory_mb": deploy.memory_mb,
        "cpu_cores": deploy.cpu_cores,
    }
    for path, content in constant.files.items():
        if not path.startswith(_ROOT):
            continue
        text = content.decode()
        target = _VARIABLE.sub(lambda match: str(names[match[1]]), path.removeprefix(_ROOT))
        text = _VARIABLE.sub(lambda match: str(names[match[1]]), _RAW.sub(r"\1", text))
        parts = _GAP.split(text)
        if len(parts) == 1:
            yield target, Exactly(sha256=hashlib.sha256(text.encode()).hexdigest())
        else:
            yield target, Around(parts=tuple(parts[::2]), gaps=tuple(_GAPS[kind] for kind in parts[1::2]))


def _texts(value: object) -> Iterator[str]:
    """Every string inside a value of the plan."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Decimal):
        yield str(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif is_dataclass(value):
        for member in fields(value):
            yield from _texts(getattr(value, member.name))

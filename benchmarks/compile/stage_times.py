"""One build in this process, stage by stage: `python stage_times.py FOLDER OUT` prints seconds of CPU of each as JSON.

Libraries are imported before, each by itself, so that no stage pays for them. What a stage calls of another counts there.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

gc.disable()
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # as `vitesse build` has it
times: dict[str, float] = {}
stages = ["Python itself"]
_last = 0.0


def passed() -> None:
    """What went by since the last call belongs to the stage under way."""
    global _last
    now = time.process_time()
    times[stages[-1]] = times.get(stages[-1], 0.0) + now - _last
    _last = now


def during(stage: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function as a stage of its own."""
    passed()
    stages.append(stage)
    try:
        return function(*arguments, **options)
    finally:
        passed()
        stages.pop()


def staged(module: str, name: str, stage: str) -> None:
    """Let a function of the compiler, as one module knows it, be a stage."""
    home = importlib.import_module(module)
    function = getattr(home, name)
    setattr(home, name, lambda *arguments, **options: during(stage, function, *arguments, **options))


IMPORTS = (
    ("click", "click"),
    ("pydantic", "pydantic", "pydantic._internal._generate_schema", "pydantic.plugin._schema_validator", "pydantic.types"),
    ("jinja2", "jinja2"),
    ("cookiecutter", "cookiecutter.generate", "cookiecutter.extensions"),
    ("the model generator", "datamodel_code_generator.model.pydantic_v2"),
    ("black", "black"),
)  # fmt: skip
STAGES = (
    ("vitesse.pipeline", "load_manifest", "read the manifest"),
    ("vitesse.pipeline", "_api", "read both specs"),
    ("vitesse.pipeline", "load_facts", "read the facts"),
    ("vitesse.pipeline", "review_rules", "prove the rules"),
    ("vitesse.pipeline", "plan_integration", "plan"),
    ("vitesse.render.package", "skeleton_files", "skeleton, by cookiecutter"),
    ("vitesse.render.package", "derived_modules", "derived modules, by Jinja"),
    ("vitesse.render.package", "models_text", "models, by the model generator"),
    ("vitesse.render.package", "formatted", "layout, by black"),
    ("vitesse.pipeline", "expect", "verify"),
    ("vitesse.pipeline", "verify_package", "verify"),
)


def main(folder: Path, out: Path) -> None:
    """Build once and print."""
    passed()
    stages[0] = "the rest"
    for library, *modules in IMPORTS:
        during(f"import {library}", lambda names=modules: [importlib.import_module(name) for name in names])
    during("import Vitesse", lambda: [importlib.import_module(f"vitesse.{name}") for name in ("pipeline", "output")])
    for module, name, stage in STAGES:
        staged(module, name, stage)
    from vitesse.output import write_package
    from vitesse.pipeline import compile_integration

    compiled = compile_integration(folder)
    during("write", write_package, compiled.package, out)
    passed()
    sys.stdout.write(json.dumps(times))


main(Path(sys.argv[1]), Path(sys.argv[2]))

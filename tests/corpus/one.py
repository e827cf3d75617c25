"""One description → the result of compiling it, as JSON, and the written clients and models. Runs in a process of its own.

python -m tests.corpus.one SPEC FOLDER RESULT NAME [--bounds FOLDER] [--only IDS.json]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitesse.api.facts import ApiFacts
from vitesse.api.model import Api, Operation
from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.ingest.inspect import inspect_spec
from vitesse.openapi import Document, build_api, read_document
from vitesse.openapi.build import reached
from vitesse.workflow.prove import Proof, prove_operations

MEMORY = 4 << 30


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("spec", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("name")
    parser.add_argument("--bounds", type=Path)
    parser.add_argument("--only", type=Path)
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    only = set(json.loads(given.only.read_text(encoding="utf-8"))) if given.only is not None else None
    result = compiled(given.spec, given.folder, given.name, given.bounds, only)
    given.result.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


def compiled(spec: Path, folder: Path, name: str, bounds: Path | None, only: set[str] | None) -> dict[str, Any]:
    """Inspect a description with proof, and write what was proved."""
    start = time.process_time()
    proofs: list[Proof] = []

    def prove(api: Api, facts: ApiFacts, operations: Sequence[Operation]) -> Proof:
        chosen = [one for one in operations if only is None or one.id in only]
        proofs.append(prove_operations(api, facts, chosen, name=name))
        return proofs[-1]

    try:
        found = inspect_spec(spec, folder=bounds, prove=prove)
    except DiagnosticError as error:
        return {"refused": [_code(one) for one in error.diagnostics], "operations": [], "modules": []}
    form = found.form()
    modules: list[str] = []
    for proof in proofs:
        for package in proof.packages:
            for file in package.package.files:
                path = folder / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.content)
                modules.append(file.path)
    operations: Any = form["operations"]
    taken = [one for one in operations if only is None or one["id"] in only]
    document = read_document(spec, folder=bounds, overlay=spec.with_name(f"{spec.stem}.overlay.yaml"))
    compared: set[str] = set()
    return {
        "openapi": found.api.spec_version,
        "diagnostics": form["diagnostics"],
        "operations": [{"id": one["id"], "compiles": one["compiles"], "codes": one["codes"]} for one in taken],
        "modules": modules,
        "notes": [_code(one) for proof in proofs for one in proof.diagnostics],
        "differs_when_pruned": [
            one.operation.id
            for one in found.operations
            if (only is None or one.operation.id in only)
            and not _is_same_alone(document, found.api, one.operation, compared)
        ],
        "cpu_s": round(time.process_time() - start, 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def _is_same_alone(document: Document, whole: Api, operation: Operation, compared: set[str]) -> bool:
    """Whether an operation that is read alone, as a build reads it, is the one of the whole description, its types too.

    Args:
        compared: Components that were compared before; what is compared now is added.
    """
    alone = build_api(document, [operation.id]).api
    if alone.operation(operation.id) != operation:
        return False
    keys = [key for key in reached(whole, operation) if key not in compared]
    compared.update(keys)
    return all(key in alone.types and alone.types[key] == whole.types[key] for key in keys)


def _code(one: Diagnostic) -> dict[str, str]:
    place = one.places[0] if one.places else None
    return {
        "code": one.code,
        "severity": one.severity,
        "file": place.file if place is not None else "",
        "pointer": place.pointer if place is not None else "",
        "message": one.message,
    }


if __name__ == "__main__":
    sys.exit(main())

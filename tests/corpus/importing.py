"""Imports written clients and models and completes every model. Runs in a process of its own, beside the written package.

python importing.py PACKAGE MODULE…      prints {module: what went wrong} as JSON
"""

import importlib
import json
import sys


def problem(package: str, module: str) -> str | None:
    try:
        loaded = importlib.import_module(f"{package}.{module}")
        record = importlib.import_module(f"{package}._runtime.records").Record
        for value in list(vars(loaded).values()):
            if isinstance(value, type) and issubclass(value, record) and value.__module__ == loaded.__name__:
                value.model_rebuild()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:500]
    return None


if __name__ == "__main__":
    package, *modules = sys.argv[1:]
    found = {module: what for module in modules if (what := problem(package, module)) is not None}
    print(json.dumps(found))

"""Does every module of some generated code import? `python imports.py FOLDER`: prints JSON, and the first fault if any.

A folder with `__init__.py` is a package; one with `src/` holds packages there.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

folder = Path(sys.argv[1]).resolve()
root = folder / "src" if (folder / "src").is_dir() else folder.parent
sys.path.insert(0, str(root))
start = root if root.name == "src" else folder
modules = failures = 0
first = ""
for path in sorted(start.rglob("*.py")):
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[-1] == "__main__":
        continue
    modules += 1
    try:
        importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    except Exception as fault:
        failures += 1
        first = first or f"{'.'.join(parts)}: {type(fault).__name__}: {str(fault)[:200]}"
json.dump({"modules": modules, "failures": failures, "first": first}, sys.stdout)

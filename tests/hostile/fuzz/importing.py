"""In a child: import packages one after the other, each as if it were the only one.

Reads folders from its input, a line each; answers each with a line: `ok`, or what importing it brought.
"""

import importlib
import pkgutil
import sys

MODULE = "hostile_twin"


def import_all(folder: str) -> None:
    sys.path.insert(0, folder)
    try:
        package = importlib.import_module(MODULE)
        for found in pkgutil.walk_packages(package.__path__, f"{MODULE}."):
            if "._runtime" not in found.name and not found.name.endswith(".__main__"):
                importlib.import_module(found.name)
    finally:
        sys.path.remove(folder)
        sys.path_importer_cache.clear()
        for name in [one for one in sys.modules if one.partition(".")[0] == MODULE]:
            del sys.modules[name]


def main() -> None:
    sys.dont_write_bytecode = True
    for line in sys.stdin:
        try:
            import_all(line.rstrip("\n"))
        except BaseException as error:
            print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)
        else:
            print("ok", flush=True)


if __name__ == "__main__":
    main()

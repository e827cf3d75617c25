"""The least that reading a document costs: one parser, one file, and out. `python floor.py json|ryaml|PyYAML FILE`."""

from __future__ import annotations

import sys

_, parser, name = sys.argv
with open(name, encoding="utf-8") as stream:
    match parser:
        case "json":
            import json

            json.load(stream)
        case "ryaml":
            import ryaml

            ryaml.load(stream)
        case _:
            import yaml

            yaml.load(stream, Loader=yaml.CSafeLoader)

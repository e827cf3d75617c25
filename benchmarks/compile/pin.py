"""The integration of a pair of published descriptions, its documents pinned: `python pin.py PAIRS SPECS ID FOLDER`.

A process of its own: it needs a YAML reader, and what it reads shall not count to what is measured later.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.published.folders import Pair, copy_folder
from tests.published.pairs import MAPPINGS

_, pairs, specs, name, folder = sys.argv
[entry] = [pair for pair in json.loads(Path(pairs).read_text("utf-8")) if pair["id"] == name]
copy_folder(MAPPINGS / name, Path(folder), Pair.read(entry), Path(specs))

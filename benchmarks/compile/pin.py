"""The integration of a pair of published descriptions, its documents pinned: `python pin.py PAIRS SPECS ID FOLDER`.

A process of its own: it needs a YAML reader, and what it reads shall not count to what is measured later.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.vitesse import vitesse
from tests.published.folders import Pair, bundle, copy_folder, read_manifest, spec_file
from tests.published.pairs import MAPPINGS

_, pairs, given, name, folder = sys.argv
[entry] = [pair for pair in json.loads(Path(pairs).read_text("utf-8")) if pair["id"] == name]
pair, specs = Pair.read(entry), Path(given)
copy_folder(MAPPINGS / name, Path(folder))
manifest = read_manifest(Path(folder))
pinned = [
    argument
    for side, spec in (("source", pair.source_spec), ("destination", pair.dest_spec))
    for argument in ("--spec", f"{manifest[side]['api']}={spec_file(specs, spec)}")
]
within = bundle(specs, pair.source_spec, pair.dest_spec)
vitesse("ingest", folder, *pinned, *(("--folder", str(within)) if within else ()))

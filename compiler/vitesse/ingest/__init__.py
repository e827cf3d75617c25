"""The guessing side of the front end: what an API's description lets one infer, proposals for streams, reports on a file.

Nothing that compiles imports it: `build` reads the files that `ingest` wrote.
"""

from __future__ import annotations

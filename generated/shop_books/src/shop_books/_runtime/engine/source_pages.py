"""What a run is asked for → the pages that it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ..declare import Stream
from .decoding import picks_of
from .pages import Page, at_hand, by_identity, fixed_params, listed
from .parts import Part, by_parent
from .passes import Pass, RunRequest
from .surroundings import GROUP_RECORDS, Surroundings
from .suspects import is_suspicious


def source_pages(
    stream: Stream[Any, Any],
    request: RunRequest,
    progress: Pass,
    around: Surroundings,
    part: Part | None = None,
    *,
    together: int = GROUP_RECORDS,
) -> AsyncIterator[Page]:
    """The pages of one run; those of records that are named or at hand hold `together` records at most."""
    source = stream.source
    fixed = fixed_params(source.parameters, around.settings.text)
    if part is not None:
        fixed |= part.params
    match progress.kind:
        case "records" | "rollback":
            return at_hand(request.records, together=together)
        case "ids":
            assert source.get is not None
            together = min(around.settings.options.max_concurrent, together)
            wanted = list(dict.fromkeys(request.ids))
            return by_identity(around.source, source.get, source.get_argument, fixed, wanted, together=together)
        case "full" | "incremental":
            if progress.since is not None and source.since is not None:
                fixed[source.since.parameter] = progress.since
            if source.partition is not None and source.partition.by == "parent":
                parents = part.parents if part is not None else None
                return by_parent(stream, around.source, fixed, parents, progress.cursor, around.state)
            # Who looks at records before they are decoded gets them as they came.
            as_they_came = is_suspicious(progress) or (stream.deletes is not None and stream.deletes.tombstone)
            picks = None if as_they_came else picks_of(source.record, exact=source.exact_numbers)
            return listed(around.source, source.list, fixed, progress.cursor, picks)

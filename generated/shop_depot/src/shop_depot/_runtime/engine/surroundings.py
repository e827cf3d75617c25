"""What every run works with, and how many records it takes at a time."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from ..clock import Clock
from ..http.session import Session
from ..settings import Settings
from ..state import State
from ..watch.watching import Watcher
from .lag import Lag
from .parents import Fetch

GROUP_RECORDS = 500
"""Records that share one transaction. After a crash, the outcomes of so many at most are unknown."""
BATCHED_RECORDS = 1000
"""The same where one request writes many: they are on their way for no longer, and a transaction costs the less for each."""
PAGES_AHEAD = 8
"""So many pages are read ahead at most, however small they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run works with."""

    source: Session
    destination: Session
    state: State
    settings: Settings
    clock: Clock
    ids: Callable[[], str]
    is_stopping: Callable[[], bool]
    fetch: Fetch | None = None
    """Syncs records of another stream that one of this stream refers to."""
    referred: Container[str] = ()
    """Streams whose records those of another one refer to."""
    watchers: Sequence[Watcher] = ()

    @property
    def lag(self) -> Lag:
        """Of the destination."""
        return Lag(self.clock, self.settings.options.destination_lag_s)

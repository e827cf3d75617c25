"""What can be wrong with the state, each with its way out."""

from __future__ import annotations

from ..errors import IntegrationError


class StateError(IntegrationError):
    """The root of what the state refuses."""


class StateUnavailable(StateError):
    """The database cannot be reached, opened or written just now."""


class SchemaNewer(StateError):
    """The state was written by a newer version of this package."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the state has schema {found} and this package knows {known}: run the newer package, or name another DATABASE_URL"
        )
        self.found = found
        self.known = known


class KeyWrong(StateError):
    """What is stored is sealed, and the key that was given does not open it."""


class LeaseHeld(StateError):
    """Another run of the same stream is under way."""

    def __init__(self, name: str, holder: str, expires_in_s: float) -> None:
        super().__init__(
            f"{name} is being run by {holder}; its lease ends in {expires_in_s:.0f} s unless it is renewed"
        )
        self.name = name
        self.holder = holder
        self.expires_in_s = expires_in_s


class LeaseLost(StateError):
    """Another holder took the lease over meanwhile: nothing more may be written by this one."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lease on {name} was taken over; this run wrote nothing since")
        self.name = name

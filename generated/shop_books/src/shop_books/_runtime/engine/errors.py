"""Why a run ends before its records do."""

from __future__ import annotations

from ..errors import IntegrationError


class MappingChanged(IntegrationError):
    """The state was written under another mapping."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"{stream}: the mapping changed: `--resync` or `--keep`")
        self.stream = stream


class TooManyDead(IntegrationError):
    """So many records fail that the cause is not in the records."""

    def __init__(self, dead: int, read: int) -> None:
        super().__init__(f"{dead} of {read} records cannot be synced, so the run stopped: see the dead letters")
        self.dead = dead
        self.read = read


class MassDelete(IntegrationError):
    """So much is gone that the cause is not at the source's records."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(f"{why}: nothing more was deleted; if that is right, `sync {stream} --allow-deletes`")
        self.stream = stream


class Stopped(IntegrationError):
    """Somebody asked the run to stop."""


class Cancelled(Stopped):
    """Somebody cancelled this run, perhaps from another process."""

    def __init__(self) -> None:
        super().__init__("the run was cancelled; `runs resume` goes on from here")


class ContractMismatch(IntegrationError):
    """Derived code and runtime were made for different contracts."""

    def __init__(self, wanted: int, have: int) -> None:
        super().__init__(
            f"the package is written for runtime contract {wanted} and this runtime has {have}: build it again"
        )

"""Where tokens are kept, and who may refresh them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from ..state import LeaseHeld, State
from ..state.rows import Lease
from ..state.tokens import TokenRow

LOCK_S = 60.0
"""A refresh that takes longer may be taken over; longer than all attempts of one refresh may take together."""
T = TypeVar("T")


class TokenPlace(Protocol):
    """Where tokens are kept."""

    async def get(self, name: str) -> TokenRow: ...

    async def lock(self, name: str, holder: str) -> Lease | None:
        """The right to refresh; None when somebody else has it."""

    async def unlock(self, lease: Lease) -> None: ...

    async def asked(self, name: str, at: float) -> None: ...

    async def not_asked(self, name: str, generation: int) -> None: ...

    async def keep(self, name: str, generation: int, row: TokenRow) -> bool: ...

    async def refuse(self, name: str, generation: int, *, reason: str, seed: str, at: float) -> bool: ...


class StateTokens:
    """In the state, shared by all replicas."""

    def __init__(self, state: State) -> None:
        self._state = state

    def _call(self, work: Callable[[], T]) -> Awaitable[T]:
        return self._state.call(work)

    async def get(self, name: str) -> TokenRow:
        return await self._call(lambda: self._state.tokens.get(name))

    async def lock(self, name: str, holder: str) -> Lease | None:
        try:
            return await self._call(lambda: self._state.leases.acquire(f"token:{name}", holder, LOCK_S))
        except LeaseHeld:
            return None

    async def unlock(self, lease: Lease) -> None:
        await self._call(lambda: self._state.leases.release(lease))

    async def asked(self, name: str, at: float) -> None:
        await self._call(lambda: self._state.tokens.asked(name, at))

    async def not_asked(self, name: str, generation: int) -> None:
        await self._call(lambda: self._state.tokens.not_asked(name, generation))

    async def keep(self, name: str, generation: int, row: TokenRow) -> bool:
        return await self._call(lambda: self._state.tokens.keep(name, generation, row))

    async def refuse(self, name: str, generation: int, *, reason: str, seed: str, at: float) -> bool:
        tokens = self._state.tokens
        return await self._call(lambda: tokens.refuse(name, generation, reason=reason, seed=seed, at=at))


class MemoryTokens:
    """In this process only, and gone with it: for client credentials, and for trying things out."""

    def __init__(self) -> None:
        self._rows: dict[str, TokenRow] = {}

    async def get(self, name: str) -> TokenRow:
        return self._rows.get(name) or TokenRow(name)

    async def lock(self, name: str, holder: str) -> Lease | None:
        return Lease(name=name, holder=holder, token=1, ttl_s=LOCK_S)

    async def unlock(self, lease: Lease) -> None:
        return

    async def asked(self, name: str, at: float) -> None:
        self._rows[name] = (await self.get(name))._replace(asked_at=at)

    async def not_asked(self, name: str, generation: int) -> None:
        self._rows[name] = (await self.get(name))._replace(asked_at=None)

    async def keep(self, name: str, generation: int, row: TokenRow) -> bool:
        self._rows[name] = row._replace(generation=generation + 1)
        return True

    async def refuse(self, name: str, generation: int, *, reason: str, seed: str, at: float) -> bool:
        row = await self.get(name)
        self._rows[name] = row._replace(access=None, needs_sign_in=True, reason=reason, seed=seed, asked_at=None)
        return True

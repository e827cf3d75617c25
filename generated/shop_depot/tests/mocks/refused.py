"""The one exception that becomes an error reply."""

from __future__ import annotations

from collections.abc import Iterable

from .schema import Problem


class Refused(Exception):
    """A request the mock answers with an error: status, a sentence, and the fields that are wrong."""

    def __init__(self, status: int, message: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.problems = tuple(problems)
        self.headers: dict[str, str] = {}

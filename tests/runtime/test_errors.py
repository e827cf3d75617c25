"""The tree of errors and its table."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from runtime import errors
from runtime.errors import FAILURES, ApiError, BudgetExhausted, FailureClass, IntegrationError, ServerError, kind_of

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, IntegrationError)]


def test_every_error_has_its_line_in_the_table() -> None:
    """No kind is left to chance."""
    assert set(KINDS) == set(FAILURES)
    assert set(FAILURES.values()) <= set(get_args(FailureClass))


def test_drawn_tree_is_the_tree() -> None:
    """The docstring's picture: depth of indentation is inheritance."""
    drawn: dict[str, str] = {}
    stack: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ((?:│   |    |├── |└── )*)([A-Z][A-Za-z]+)\b", line)
        if found is None:
            continue
        depth = len(found[1]) // 4
        stack[depth:] = [found[2]]
        drawn[found[2]] = stack[depth - 1] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in KINDS}


@pytest.mark.parametrize(
    ("status", "name", "failure"),
    [
        (400, "Rejected", "permanent_record"),
        (401, "AuthError", "auth"),
        (402, "Rejected", "systematic"),
        (403, "AuthError", "auth"),
        (404, "NotFound", "permanent_record"),
        (405, "Rejected", "systematic"),
        (407, "AuthError", "auth"),
        (408, "ServerError", "transient"),
        (409, "Conflict", "permanent_record"),
        (410, "NotFound", "permanent_record"),
        (412, "Conflict", "permanent_record"),
        (413, "Rejected", "permanent_record"),
        (415, "Rejected", "systematic"),
        (422, "Rejected", "permanent_record"),
        (423, "Conflict", "permanent_record"),
        (425, "ServerError", "transient"),
        (429, "Throttled", "throttled"),
        (500, "ServerError", "transient"),
        (501, "ServerError", "systematic"),
        (503, "ServerError", "transient"),
        (599, "ServerError", "transient"),
        (200, "Rejected", "permanent_record"),
        (304, "ApiError", "systematic"),
    ],
)
def test_status_has_one_kind_and_one_meaning(status: int, name: str, failure: str) -> None:
    """Row by row."""
    error = kind_of(status)(status=status, operation="GET /x")
    assert (type(error).__name__, error.failure) == (name, failure)


def test_effect_that_is_not_known_outweighs_the_kind() -> None:
    """A write that may have been carried out is looked up, whatever it ended in."""
    error = ServerError(status=500, operation="POST /x")
    error.may_have_acted = True
    assert error.failure == "unknown"
    assert BudgetExhausted(error).failure == "unknown"
    assert BudgetExhausted(ServerError(status=500, operation="GET /x")).failure == "transient"


def test_message_names_operation_status_and_request_id() -> None:
    """What a person gives the vendor's support."""
    error = ApiError(status=418, operation="GET /x", api="crm", request_id="r-1", excerpt="short and stout")
    assert str(error) == "GET /x at crm: status 418 (request id r-1): short and stout"

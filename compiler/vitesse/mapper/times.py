"""One published example of a time → how it is written, as the `date` transform reads it.

An example is evidence, not proof: where it leaves day and month open, or names no zone, that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..api.model import Json

_FORMS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%a, %d %b %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y", "%Y%m%d", "%Y%m%d%H%M%S",
)  # fmt: skip
_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this is the year 5138: a larger number counts milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How a time is written."""

    form: str
    has_zone: bool
    has_time: bool
    other: str | None = None
    """Another form that the example fits as well."""


def written_as(example: Json) -> Written | None:
    """Read one example; None for what is no time."""
    if isinstance(example, bool):
        return None
    if isinstance(example, int | float):
        if not 10**8 <= example < 10**14:
            return None
        form = "unix_ms" if example >= _MILLISECONDS_FROM else "unix_s"
        return Written(form=form, has_zone=True, has_time=True)
    if not isinstance(example, str) or not 6 <= len(example) <= 40:
        return None
    if not (example.isdigit() and len(example) in (8, 14)):
        try:
            moment = datetime.fromisoformat(example)
        except ValueError:
            pass
        else:
            return Written(form="iso8601", has_zone=moment.tzinfo is not None, has_time=len(example) > 10)
    fitting = [form for form in _FORMS if _fits(example, form)]
    if not fitting:
        return None
    form = fitting[0]
    return Written(
        form=form, has_zone="%z" in form, has_time="%H" in form, other=fitting[1] if len(fitting) > 1 else None
    )


def _fits(example: str, form: str) -> bool:
    try:
        return 1900 <= datetime.strptime(example, form).year <= 2200
    except ValueError:
        return False

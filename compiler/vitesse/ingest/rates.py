"""How fast an API may be asked: from its prose, the headers of its replies and a few known extensions."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ..api.facts import Fact, RateLimit
from ..api.model import Operation
from .reading import Prose, Reading
from .words import plain

_UNITS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip
_NUMBER = r"(\d{1,7}(?:[,.]\d+)*)"
_THINGS = r"(?:API |HTTP |concurrent )?(?:requests?|calls?|queries|reqs?|hits|transactions|times|operations|messages)"
_SERVED = r"(?:(?:are|is|may be|can be|will be)\s+\w+\s+)?"
_RATE = re.compile(
    rf"(?i)`?{_NUMBER}`?\s*(?:{_THINGS}\s*{_SERVED})?(?:\(?s\)?\s*)?(?:per|/|an?|every|each|in)\s*`?(\d+)?\s*[- ]?"
    r"(seconds?|secs?|minutes?|mins?|hours?|days?|[smhd])\b"
)
_PLAN = re.compile(
    r"(?i)Rate\s*\(requests? per (second|minute|hour)\)\s*\|\s*Burst\s*\|[^\n]*\n?\s*\|[\s|:-]*\n?\s*\|?\s*([\d.]+)\s*\|\s*(\d+)"
)
_BURST = re.compile(
    rf"(?i)\bbursts?\b[^.\d\n]{{0,40}}?{_NUMBER}|bucket(?: size| capacity)?[^.\d\n]{{0,30}}?{_NUMBER}|{_NUMBER}[- ](?:request )?burst"
)
_ABOUT = re.compile(
    r"(?i)rate[- ]?limit|throttl|quota|requests? per|calls? per|times per|too many requests|\blimited to\b|usage plan|steady|burst"
)
_KLAVIYO = re.compile(r"(?i)burst:\s*`?(\d+)/(s|m|h)`?.{0,40}?steady:\s*`?(\d+)/(s|m|h|d)`?", re.DOTALL)
_USED = re.compile(r"(?i)\d+/\d+|call[- ]?limit|used/|requests? made")


@dataclass(frozen=True, slots=True)
class _Said:
    per_s: float
    burst: int | None
    confidence: float
    at: str


def infer_rate_limit(reading: Reading, operation: Operation) -> Fact | None:
    """Find the rate an operation may be called at; None when no number is given anywhere, whatever headers there are."""
    said = _extension(reading, operation) or _own(reading, operation) or _general(reading)
    if said is None:
        return None
    limit = RateLimit(per_s=_round(said.per_s), burst=said.burst or 1)
    return Fact(kind="rate_limit", value=_with_headers(limit, operation), at=said.at, confidence=said.confidence)


def _extension(reading: Reading, operation: Operation) -> _Said | None:
    """`x-klaviyo-ratelimit: {burst: 10/s, steady: 150/m}` and `x-ratelimit: {requests, seconds}`."""
    for name in ("x-klaviyo-ratelimit", "x-rate-limit", "x-ratelimit", "x-rateLimit", "x-ratelimits"):
        value = reading.extension(operation, name)
        found = _of_extension(value) if isinstance(value, dict) else None
        if found is not None:
            rate, burst = found
            return _Said(rate, burst, 0.95, f"{operation.place.pointer}/{name}")
    return None


def _of_extension(value: dict[str, Any]) -> tuple[float, int | None] | None:
    rates: dict[str, tuple[float, int]] = {}
    for key, text in value.items():
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d*)\s*([a-z]+)\s*", str(text).lower())
        if found and found[3] in _UNITS:
            rates[plain(key)] = (int(found[1]) / (int(found[2] or 1) * _UNITS[found[3]]), int(found[1]))
    if rates:
        rate = min(rate for rate, _ in rates.values())
        return rate, rates["burst"][1] if "burst" in rates else None
    requests = next((value[key] for key in ("requests", "limit", "max", "rate") if type(value.get(key)) is int), None)
    window = next((value[key] for key in ("seconds", "period", "window", "per") if type(value.get(key)) is int), None)
    return (requests / window, None) if requests and window else None


def _own(reading: Reading, operation: Operation) -> _Said | None:
    for prose in reading.prose_of(operation):
        found = _in_prose(prose, certain=0.9)
        if found is not None:
            return found
    return None


def _general(reading: Reading) -> _Said | None:
    if "rate" not in reading.memo:
        hits = (found for prose in reading.prose if (found := _in_prose(prose, certain=0.82)) is not None)
        reading.memo["rate"] = next(hits, None)
    said: _Said | None = reading.memo["rate"]
    return said


def _in_prose(prose: Prose, certain: float) -> _Said | None:
    """The lowest lasting rate that a text gives where it speaks of limits."""
    if not _ABOUT.search(prose.text):
        return None
    plan = _PLAN.search(prose.text)
    if plan:
        return _Said(float(plan[2]) / _UNITS[plan[1].lower()], int(plan[3]), 0.95, prose.at)
    pair = _KLAVIYO.search(prose.text)
    if pair:
        return _Said(min(int(pair[1]) / _UNITS[pair[2]], int(pair[3]) / _UNITS[pair[4]]), int(pair[1]), 0.95, prose.at)
    rates: list[float] = []
    burst: int | None = None
    for passage in _passages(prose.text):
        for found in _RATE.finditer(passage):
            number = float(found[1].replace(",", ""))
            window = int(found[2] or 1) * _UNITS[found[3].lower()]
            bare = not re.search(rf"(?i){_THINGS}", found[0])
            if number <= 0 or (bare and found[3].lower() not in ("s", "m", "h", "second", "minute", "hour")):
                continue
            if bare and not re.search(rf"(?i){_THINGS}|rate|limit", passage):
                continue
            rates.append(number / window)
        known = _BURST.search(passage)
        if known:
            burst = int(float(next(group for group in known.groups() if group).replace(",", "")))
    if not rates:
        return None
    lasting = rates[0] if len(rates) == 1 else min(rates)
    confidence = certain if len({round(rate, 6) for rate in rates}) == 1 else certain - 0.25
    return _Said(lasting, burst, round(confidence, 2), prose.at)


def _passages(text: str) -> list[str]:
    """The paragraphs that speak of limits."""
    return [passage for passage in re.split(r"\n\s*\n|<br\s*/?>\s*<br\s*/?>", text) if _ABOUT.search(passage)]


def _with_headers(limit: RateLimit, operation: Operation) -> RateLimit:
    for response in operation.responses:
        for header in response.headers:
            word = plain(header.name)
            if "limit" not in word and "rate" not in word:
                continue
            if word.endswith("remaining"):
                limit = replace(limit, remaining_header=header.name)
            elif word.endswith(("reset", "reset_after")) and limit.reset_header is None:
                limit = replace(limit, reset_header=header.name)
            elif word.endswith("call_limit") or _USED.search(header.description):
                limit = replace(limit, used_header=header.name)
    return limit


def _round(rate: float) -> float:
    return round(rate, 4) if rate < 1 else round(rate, 2)

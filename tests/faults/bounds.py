"""What never grows without an end: each bound with the setting that moves it and the test that proves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from runtime import inbox, logs, settling, webhooks
from runtime.declare import Retention
from runtime.engine import drift, letters, recover, surroundings, suspects, tally
from runtime.http import breaker, limiter, paging, retry, wire, wire_aiohttp
from runtime.options import Options
from runtime.routes import common
from runtime.state import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One of them."""

    what: str
    value: Callable[[], str]
    test: str
    """`file::function`"""
    setting: str | None = None


def _option(name: str, unit: str = "") -> Callable[[], str]:
    def value() -> str:
        default = next(each.default for each in fields(Options) if each.metadata.get("env") == name)
        return f"{default:g} {unit}".strip() if isinstance(default, float) else f"{default:,} {unit}".strip()

    return value


_WIRE, _SESSION, _LIMITER = (
    "tests/runtime/http/test_wire.py",
    "tests/runtime/http/test_session.py",
    "tests/runtime/http/test_limiter.py",
)
_ENGINE, _SERVER, _LOGS = (
    "tests/runtime/engine/test_faults.py",
    "tests/runtime/test_server.py",
    "tests/runtime/test_logs.py",
)

BOUNDS = (
    Bound(
        what="one attempt of one request, its body included",
        value=_option("REQUEST_DEADLINE_SECONDS", "s"),
        setting="REQUEST_DEADLINE_SECONDS",
        test=f"{_WIRE}::test_dripping_body_ends_at_the_deadline",
    ),
    Bound(
        what="a connection coming about",
        value=_option("CONNECT_TIMEOUT_SECONDS", "s"),
        setting="CONNECT_TIMEOUT_SECONDS",
        test=f"{_WIRE}::test_handshake_that_never_ends_was_not_sent",
    ),
    Bound(
        what="a reply, decoded",
        value=_option("MAX_BODY_BYTES", "bytes"),
        setting="MAX_BODY_BYTES",
        test=f"{_WIRE}::test_chunked_body_above_the_cap_is_cut_off",
    ),
    Bound(
        what="what a compressed reply unpacks to, beyond the first megabyte",
        value=lambda: f"{wire.MAX_GZIP_RATIO} times its size",
        test=f"{_WIRE}::test_inflater_refuses_a_ratio_that_no_json_has",
    ),
    Bound(
        what="header fields of a reply",
        value=lambda: f"{wire_aiohttp.MAX_FIELDS}, 8 KiB each",
        test=f"{_WIRE}::test_reply_head_that_is_too_large_or_not_http_is_refused",
    ),
    Bound(
        what="attempts of one request",
        value=_option("MAX_ATTEMPTS"),
        setting="MAX_ATTEMPTS",
        test=f"{_SESSION}::test_attempts_end_at_their_number_with_growing_waits",
    ),
    Bound(
        what="one wait before a retry; longer ends the run, and the next one goes on",
        value=_option("MAX_WAIT_SECONDS", "s"),
        setting="MAX_WAIT_SECONDS",
        test=f"{_SESSION}::test_wait_that_is_too_long_ends_the_request_and_those_behind_it",
    ),
    Bound(
        what="one request, all attempts and waits together",
        value=lambda: f"{retry.RetryPolicy().give_up_after_s:g} s",
        test="tests/faults/test_bounds.py::test_request_gives_up_after_its_whole_time",
    ),
    Bound(
        what="retries, as a share of the requests of a session",
        value=lambda: f"{retry.RetryPolicy().budget_share:.0%}, and {retry.RetryPolicy().budget_reserve} to begin with",
        test=f"{_SESSION}::test_retry_budget_ends_retries_when_everything_fails",
    ),
    Bound(
        what="a pause that a vendor asks for",
        value=lambda: f"{limiter.MAX_PAUSE_S / 3600:g} h",
        test=f"{_LIMITER}::test_senseless_pause_is_bounded",
    ),
    Bound(
        what="requests under way to one API",
        value=_option("SYNC_MAX_CONCURRENT"),
        setting="SYNC_MAX_CONCURRENT",
        test=f"{_LIMITER}::test_concurrency_is_capped_first_come_first_served",
    ),
    Bound(
        what="the breaker's pause",
        value=lambda: f"{breaker.BreakerPolicy().longest_open_s:g} s",
        test="tests/runtime/http/test_breaker.py::test_failed_probe_opens_for_twice_as_long_up_to_a_bound",
    ),
    Bound(
        what="empty pages in a row",
        value=lambda: str(paging.MAX_EMPTY_PAGES),
        test="tests/runtime/http/test_paging.py::test_empty_pages_with_a_next_one_are_passed_over_but_not_for_ever",
    ),
    Bound(
        what="pages read ahead of their use",
        value=lambda: f"2, or small ones that hold a group, {surroundings.PAGES_AHEAD} at most",
        test="tests/faults/test_bounds.py::test_source_is_read_a_group_ahead_of_a_slow_destination",
    ),
    Bound(
        what="records of one transaction, and so outcomes that a crash leaves open",
        value=lambda: f"{surroundings.GROUP_RECORDS}, or {surroundings.BATCHED_RECORDS:,} where they go in batches",
        test="tests/faults/test_bounds.py::test_crash_leaves_at_most_one_group_open",
    ),
    Bound(
        what="records of one request",
        value=_option("BATCH_SIZE"),
        setting="BATCH_SIZE",
        test="tests/faults/test_bounds.py::test_batches_are_as_large_as_the_setting_at_most",
    ),
    Bound(
        what="dead letters of a run before it stops",
        value=lambda: f"{tally.DEAD_AT_LEAST}, or a tenth of what was read",
        test=f"{_ENGINE}::test_too_many_bad_records_stop_the_run_before_they_are_all_dead",
    ),
    Bound(
        what="the payload that a dead letter keeps",
        value=lambda: f"{letters.MAX_PAYLOAD_BYTES >> 10} KiB",
        test="tests/faults/test_dead_letters.py::test_payload_is_cut_and_then_not_retried_from_itself",
    ),
    Bound(
        what="attempts to find out one unknown outcome",
        value=lambda: str(recover.MAX_ATTEMPTS),
        test=f"{_ENGINE}::test_outcome_that_cannot_be_found_out_waits_for_a_person",
    ),
    Bound(
        what="runs that follow up on what deliveries of one stream left unknown, before that is left to its next run",
        value=lambda: str(settling.TRIES),
        test="tests/runtime/test_settling.py::test_destination_that_stays_away_is_asked_less_and_less_often_and_not_for_ever",
    ),
    Bound(
        what="starts that a record may end before it is a dead letter",
        value=lambda: str(suspects.CRASHES),
        test=f"{_ENGINE}::test_record_that_ends_the_process_each_time_becomes_a_dead_letter",
    ),
    Bound(
        what="kinds of drift that a run keeps apart",
        value=lambda: str(drift.MOST),
        test="tests/runtime/engine/test_drift.py::test_kinds_beyond_the_most_are_counted_together",
    ),
    Bound(
        what="lines of one message in the log",
        value=lambda: f"{logs.REPEATS} in {logs.REPEAT_SPAN_S:g} s, then counted",
        test=f"{_LOGS}::test_message_that_repeats_is_capped_and_then_counted",
    ),
    Bound(
        what="a delivery",
        value=lambda: f"{webhooks.MAX_DELIVERY_BYTES >> 20} MiB, in {common.BODY_TIMEOUT_S:g} s",
        test=f"{_SERVER}::test_delivery_above_the_limit_is_not_read",
    ),
    Bound(
        what="attempts of a delivery whose record is refused, or that ends the process, before it is dead",
        value=lambda: str(inbox.ATTEMPTS),
        test="tests/faults/test_bounds.py::test_delivery_that_fails_each_time_is_dead_after_its_attempts",
    ),
    Bound(
        what="the wait of a delivery for an API that does not answer",
        value=lambda: f"{Retention().deliveries_s / 86_400:g} days",
        test="tests/runtime/test_inbox.py::test_delivery_that_waits_longer_than_they_are_kept_is_dead",
    ),
    Bound(
        what="names of deliveries that are remembered",
        value=lambda: f"{Retention().deliveries_s / 86_400:g} days",
        test="tests/faults/test_bounds.py::test_names_of_deliveries_are_forgotten_after_their_time",
    ),
    Bound(
        what="a request to the control API",
        value=lambda: f"{common.MAX_CONTROL_BYTES >> 10} KiB",
        test="tests/faults/test_control_rows.py::test_ctl_unauth_huge_body_is_refused_before_it_is_read",
    ),
    Bound(
        what="a wait for SQLite's write lock",
        value=lambda: f"{connect.BUSY_TIMEOUT_MS / 1000:g} s",
        test="tests/faults/test_bounds.py::test_write_lock_of_another_process_is_waited_for_and_then_said",
    ),
)  # fmt: skip

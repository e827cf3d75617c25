"""Faults over the other wire, `WIRE=fast`: where the wire is what meets the fault. `TEST_WIRE=fast pytest tests/faults` runs all rows."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

import pytest

from tests.faults import test_destination_rows as destination
from tests.faults import test_network_rows as network
from tests.faults import test_source_rows as source
from tests.faults.conftest import Wired

pytest.importorskip("httptools", reason="the extra `fast` is not installed")

Test = Callable[[Wired], Awaitable[None]]
ROWS: list[Test] = [
    source.test_src_connect_timeout_fails_the_run_and_leaves_the_checkpoint,
    source.test_src_read_timeout_is_tried_again,
    source.test_src_slow_loris_ends_at_the_deadline_of_the_attempt,
    source.test_src_reset_mid_body_uses_nothing_of_the_page,
    source.test_src_truncated_json_is_tried_again_then_fails_without_secrets,
    source.test_src_wrong_ctype_is_named_and_not_parsed,
    source.test_src_5xx_burst_opens_the_breaker_and_one_request_probes,
    destination.test_dst_timeout_after_commit_of_what_cannot_be_looked_up_stays_unknown,
    destination.test_dst_413_makes_batches_smaller_and_one_too_large_alone_a_dead_letter,
    destination.test_dst_429_concurrent_pauses_all_workers_together,
    destination.test_dst_read_after_write_of_a_lost_answer_is_looked_for_twice,
    network.test_net_proxy_error_of_a_gateway_is_named,
    network.test_net_http2_goaway_what_stands_before_the_answer_is_passed_over,
    network.test_net_gzip_bomb_is_stopped_in_small_memory,
    network.test_net_huge_page_is_a_clear_error,
    network.test_net_huge_page_is_asked_for_in_smaller_ones,
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__.removeprefix("test_"))
async def test_row_holds_over_the_fast_wire(row: Test, wired: Wired) -> None:
    """As over the default one."""
    wired.environ["WIRE"] = "fast"
    await row(wired)
    assert "runtime.http.wire_fast" in sys.modules

"""Faults of the source, each through the engine and the package's own wire, against a server that follows a script."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from runtime.declare import Paging, RateLimit, Success
from runtime.engine import RunReport
from tests.faults.conftest import Wired
from tests.faults.rows import fault
from tests.faults.server import Step, vendor
from tests.runtime.fakes import Shopify, iso
from tests.runtime.sample.clients.shopify import LIST_CUSTOMERS, SHOPIFY
from tests.waiting import PATIENCE_S

LIST = "/customers.json"


async def twice(wired: Wired, *steps: Step, customers: int = 30, **options: Any) -> tuple[RunReport, RunReport]:
    """A run with the script, and one after it is over."""
    wired.shopify = Shopify(customers)
    wired.source.script(*steps)
    first = await wired.sync(**options)
    wired.source.script()
    wired.environ["REQUEST_DEADLINE_SECONDS"] = str(PATIENCE_S)
    wired.clock.moment += 3600
    return first, await wired.sync(**options)


def listing(paging: Paging, **members: Any) -> Any:
    """The list operation under another way of paging."""
    return replace(LIST_CUSTOMERS, paging=paging, **members)


# --- no answer, or half of one ---


@fault("src-connect-timeout")
async def test_src_connect_timeout_fails_the_run_and_leaves_the_checkpoint(wired: Wired) -> None:
    """Nobody listens: some attempts with growing waits, then an honest end."""
    wired.shopify = Shopify(30)
    own = wired.environ["SHOPIFY_BASE_URL"]
    wired.environ["SHOPIFY_BASE_URL"] = "http://127.0.0.1:9/admin"
    report = await wired.sync()
    assert (report.state, report.failure, report.exit_code) == ("failed", "transient", 1)
    assert "no connection" in (report.error or "")
    assert len(wired.clock.slept) == 2
    assert (wired.point().cursor, wired.point().watermark, wired.credo.effects) == (None, None, [])
    wired.environ["SHOPIFY_BASE_URL"] = own
    assert (await wired.sync()).counts.created == 30
    assert wired.is_whole()


@fault("src-read-timeout")
async def test_src_read_timeout_is_tried_again(wired: Wired) -> None:
    """The first attempt hears nothing until its deadline; the second is answered."""
    wired.environ |= {"REQUEST_DEADLINE_SECONDS": "1", "MAX_ATTEMPTS": "20"}
    first, _ = await twice(wired, Step(does="silence", path=LIST))
    assert (first.state, first.counts.created) == ("done", 30)
    # Two runs with a page each, and one request for each time that it waited: on a machine that stood still, more than once.
    assert len(wired.clock.slept) >= 1
    assert 3 <= len(wired.source.requests) <= 2 + len(wired.clock.slept)
    assert wired.is_whole()


@fault("src-slow-loris")
async def test_src_slow_loris_ends_at_the_deadline_of_the_attempt(wired: Wired) -> None:
    """Bytes that keep coming do not keep the attempt alive."""
    wired.environ["REQUEST_DEADLINE_SECONDS"] = "0.3"
    first, _ = await twice(wired, Step(does="drip", path=LIST, every_s=0.02, times=3))
    assert (first.state, first.failure) == ("failed", "transient")
    assert "0.3 s" in (first.error or "")
    assert wired.is_whole()


@fault("src-reset-mid-body")
async def test_src_reset_mid_body_uses_nothing_of_the_page(wired: Wired) -> None:
    """Half a page is no page."""
    first, _ = await twice(wired, Step(does="reset_body", path=LIST, times=2))
    assert (first.state, first.counts.read, first.counts.created) == ("done", 30, 30)
    assert wired.is_whole()


@fault("src-truncated-chunked")
@pytest.mark.parametrize("does", ["cut", "cut_chunked"])
async def test_src_truncated_chunked_is_read_again(wired: Wired, does: str) -> None:
    """Neither a missing last chunk nor a body shorter than announced passes for a reply."""
    first, _ = await twice(wired, Step(does=does, path=LIST, times=2))
    assert (first.state, first.counts.read) == ("done", 30)
    assert wired.is_whole()


@fault("src-truncated-json")
async def test_src_truncated_json_is_tried_again_then_fails_without_secrets(wired: Wired) -> None:
    """Whole by its length and cut in its middle."""
    first, second = await twice(wired, Step(does="cut_json", path=LIST, times=3))
    assert (first.state, first.failure) == ("failed", "transient")
    assert "GET /customers.json" in (first.error or "")
    assert "planted" not in (first.error or "")
    assert wired.credo.contacts
    assert (second.state, second.counts.created) == ("done", 30)


# --- too fast ---


@fault("src-429-seconds")
async def test_src_429_seconds_are_waited_by_everybody(wired: Wired) -> None:
    """Seven seconds, and no retry is counted for it."""
    first, _ = await twice(wired, Step(does="status", status=429, headers={"Retry-After": "7"}, path=LIST))
    assert (first.state, first.counts.created) == ("done", 30)
    assert 7.0 <= wired.slept_s() < 9.0


@fault("src-429-date")
@pytest.mark.parametrize(("ahead_s", "skew_s", "least", "most"), [(9, 0, 9, 12), (9, 600, 9, 12), (-60, 0, 0, 3)])
async def test_src_429_date_is_measured_by_the_servers_own_clock(
    wired: Wired, ahead_s: int, skew_s: int, least: float, most: float
) -> None:
    """Ten minutes between the clocks do not matter; what is past is no wait."""
    server = wired.clock.now() + skew_s
    headers = {"Date": formatdate(server, usegmt=True), "Retry-After": formatdate(server + ahead_s, usegmt=True)}
    first, _ = await twice(wired, Step(does="status", status=429, headers=headers, path=LIST))
    assert first.state == "done"
    assert least <= wired.slept_s() <= most


@fault("src-429-date")
async def test_src_429_date_too_far_ends_the_run_and_the_next_goes_on(wired: Wired) -> None:
    """An hour is no wait for a request to make."""
    far = formatdate(wired.clock.now() + 3600, usegmt=True)
    first, second = await twice(wired, Step(does="status", status=429, headers={"Retry-After": far}, path=LIST))
    assert (first.state, first.failure) == ("failed", "throttled")
    assert (second.state, second.counts.created) == ("done", 30)


@fault("src-429-none")
async def test_src_429_none_doubles_its_waits(wired: Wired) -> None:
    """1, 2 seconds and jitter, then it goes on."""
    first, _ = await twice(wired, Step(does="status", status=429, path=LIST, times=2))
    assert first.state == "done"
    assert 3.0 <= wired.slept_s() < 5.0


@fault("src-429-none")
@pytest.mark.parametrize("form", ["delta", "seconds", "milliseconds"])
async def test_src_429_none_believes_the_vendors_own_header_where_it_is_declared(wired: Wired, form: str) -> None:
    """Seconds to go, or a moment since 1970 in seconds or milliseconds."""
    limit = RateLimit(per_s=2, burst=40, remaining_header="X-Left", reset_header="X-Reset")
    wired.apis = {"shopify": replace(SHOPIFY, rate_limit=limit)}
    wired.shopify = Shopify(30)
    now = max(wired.clock.now(), wired.shopify.now_s) + 10
    reset = {"delta": "25", "seconds": str(int(now) + 25), "milliseconds": str(int(now * 1000) + 25_000)}[form]
    first, _ = await twice(wired, Step(does="status", status=429, headers={"X-Left": "0", "X-Reset": reset}, path=LIST))
    assert first.state == "done"
    assert 24.0 <= wired.slept_s() < 28.0


@fault("src-429-garbage")
@pytest.mark.parametrize("text", ["-1", "1e99", "soon", "1000000000000", "nan", "", "Thu, 99 Foo 2026"])
async def test_src_429_garbage_neither_hangs_nor_crashes(wired: Wired, text: str) -> None:
    """Nonsense is no time; a time of the next century ends the run instead of holding it."""
    first, _ = await twice(wired, Step(does="status", status=429, headers={"Retry-After": text}, path=LIST))
    assert (first.state, first.failure) in (("done", None), ("failed", "throttled"))
    assert wired.slept_s() < 130
    assert wired.is_whole()


# --- unwell ---


@fault("src-5xx-burst")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_src_5xx_burst_is_tried_again_within_bounds(wired: Wired, status: int) -> None:
    """Two of them pass unnoticed but for the time."""
    first, _ = await twice(wired, Step(does="status", status=status, path=LIST, times=2))
    assert (first.state, first.counts.created) == ("done", 30)
    assert len(wired.source.requests) == 4
    assert wired.is_whole()


@fault("src-5xx-burst")
async def test_src_5xx_burst_opens_the_breaker_and_one_request_probes(wired: Wired) -> None:
    """Many records asked for one by one, all failing: most are not even sent, and after the pause it is one that asks."""
    wired.shopify = Shopify(40)
    wired.environ["MAX_WAIT_SECONDS"] = "5"
    wired.source.script(Step(does="status", status=503, path="/customers/", times=10_000))
    report = await wired.sync(ids=tuple(str(number) for number in range(1, 41)))
    assert report.state == "failed"
    assert len(wired.source.requests) <= 40 * 3
    assert report.counts.read == 0


@fault("src-5xx-forever")
async def test_src_5xx_forever_fails_the_run_and_the_next_begins_at_the_same_place(wired: Wired) -> None:
    """From the page that could not be read."""
    wired.shopify = Shopify(600)
    wired.source.script(Step(does="status", path="page_info=500-", times=10_000))
    first = await wired.sync()
    point = wired.point()
    assert (first.state, first.failure, first.counts.read) == ("failed", "transient", 500)
    assert "page_info=500-" in (point.cursor or "")
    again = await wired.sync()
    assert (again.state, again.counts.read, wired.point().cursor) == ("failed", 0, point.cursor)
    wired.source.script()
    last = await wired.sync()
    assert (last.state, last.counts.read) == ("done", 100)
    assert wired.is_whole()


# --- 200, and yet not right ---


@fault("src-200-error-body")
async def test_src_200_error_body_is_what_the_description_says_it_is(wired: Wired) -> None:
    """`ok: false` with an empty list is a refusal and not the end of the list."""
    changes = {"source__list": replace(LIST_CUSTOMERS, success=Success(path=("ok",)))}
    body = '{"ok": false, "error": "not today", "customers": []}'
    step = Step(does="instead", status=200, headers={"Content-Type": "application/json"}, body=body, path=LIST)
    wired.shopify = Shopify(30)
    wired.source.script(step)
    report = await wired.sync(changes=changes)
    assert report.state == "failed"
    assert "not today" in (report.error or "")
    assert wired.point().watermark is None


@fault("src-wrong-ctype")
async def test_src_wrong_ctype_is_named_and_not_parsed(wired: Wired) -> None:
    """A page to sign in at, with 200."""
    page = "<html><title>Sign in</title></html>"
    first, second = await twice(
        wired, Step(does="instead", status=200, headers={"Content-Type": "text/html"}, body=page, path=LIST)
    )
    assert (first.state, first.failure) == ("failed", "systematic")
    assert "text/html" in (first.error or "")
    assert "credential" in (first.error or "")
    assert second.counts.created == 30


@fault("src-204-304")
@pytest.mark.parametrize("status", [204, 205, 304, 200])
async def test_src_204_304_is_an_error_and_not_an_empty_list(wired: Wired, status: int) -> None:
    """No body says nothing about the records."""
    first, second = await twice(wired, Step(does="status", status=status, body="", path=LIST))
    assert first.state == "failed"
    assert wired.point().watermark is not None
    assert second.counts.created == 30


@fault("src-extra-field")
async def test_src_extra_field_is_not_read_and_a_value_that_does_not_fit_is_counted(wired: Wired) -> None:
    """New fields break nothing; a new form of a field that is read is told by path and kind."""
    wired.shopify = Shopify(30)
    wired.shopify.put(3, loyalty={"tier": "x"}, state="asleep")
    wired.shopify.put(4, tags=["a", "list", "now"])
    report = await wired.sync()
    assert (report.counts.created, report.counts.dead, report.counts.drift) == (29, 1, 1)
    [drift] = wired.state.drift.latest("customers")
    assert (drift["path"], drift["times"]) == ("tags", 1)


@fault("src-missing-field")
async def test_src_missing_field_is_one_dead_letter_and_the_others_go_on(wired: Wired) -> None:
    """The letter names the field and the reason, without the value."""
    wired.shopify = Shopify(30)
    wired.shopify.put(4, email={"planted": True})
    records = [dict(each) for each in wired.shopify.customers.values()]
    del records[2]["id"]
    wired.shopify.fail.append(lambda request: httpx.Response(200, json={"customers": records}))
    report = await wired.sync()
    assert (report.state, report.exit_code, report.counts.created, report.counts.dead) == ("partial", 3, 28, 2)
    reasons = sorted(letter["reason"] for letter in wired.state.dead_letters.latest())
    assert reasons == ["`email`: string type", "`id`: missing"]


@fault("src-missing-field")
async def test_src_missing_field_in_many_records_stops_the_run(wired: Wired) -> None:
    """A schema that broke is no reason for thousands of dead letters."""
    wired.shopify = Shopify(250)
    for number in range(1, 100):
        wired.shopify.put(number, email=1)
    report = await wired.sync()
    assert (report.state, report.failure) == ("failed", "systematic")
    assert len(wired.state.dead_letters.latest(limit=1000)) <= 11
    assert wired.credo.effects == []


# --- pages ---


@fault("src-dup-pages")
async def test_src_dup_pages_write_each_record_once(wired: Wired) -> None:
    """Pages that overlap by half."""
    wired.shopify = Shopify(30)

    def overlapping(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(LIST) and "page_info" not in request.url.params:
            records = [wired.shopify.customers[number] for number in range(1, 21)]
            link = f'<{request.url.copy_with(query=b"page_info=10-")}>; rel="next"'
            return httpx.Response(200, json={"customers": records}, headers={"Link": link})
        return None

    wired.shopify.fail.append(overlapping)
    report = await wired.sync()
    assert (report.state, report.counts.created) == ("done", 30)
    assert wired.is_whole()


@fault("src-cursor-loop")
async def test_src_cursor_loop_fails_the_run(wired: Wired) -> None:
    """A next page that was there already: the run ends, and what was read is written."""
    wired.shopify = Shopify(30)

    def circle(request: httpx.Request) -> httpx.Response | None:
        position = {None: 0, "a": 10, "b": 20}.get(request.url.params.get("page_info"), 0)
        following = {0: "a", 10: "b", 20: "a"}[position]
        records = [wired.shopify.customers[number] for number in range(position + 1, position + 11)]
        link = f'<{request.url.copy_with(query=f"page_info={following}".encode())}>; rel="next"'
        return httpx.Response(200, json={"customers": records}, headers={"Link": link})

    wired.shopify.fail.append(circle)
    report = await wired.sync()
    assert (report.state, report.failure) == ("failed", "systematic")
    assert "circle" in (report.error or "")
    assert len(wired.source.requests) <= 5


@fault("src-empty-page-next")
async def test_src_empty_page_next_is_passed_over_but_not_for_ever(wired: Wired) -> None:
    """Three empty pages are a vendor's habit; a thousand are a fault."""
    wired.shopify = Shopify(30)
    gaps = 3

    def empty(request: httpx.Request) -> httpx.Response | None:
        cursor = request.url.params.get("page_info", "e0")
        if not cursor.startswith("e"):
            return None
        number = int(cursor.removeprefix("e"))
        following = f"e{number + 1}" if number < gaps else "0-"
        link = f'<{request.url.copy_with(query=f"page_info={following}".encode())}>; rel="next"'
        return httpx.Response(200, json={"customers": []}, headers={"Link": link})

    wired.shopify.fail.append(empty)
    report = await wired.sync()
    assert (report.state, report.counts.created) == ("done", 30)
    gaps = 10_000
    report = await wired.sync(resync=True)
    assert report.state == "failed"
    assert "empty pages" in (report.error or "")
    assert len(wired.source.requests) < 200


@fault("src-missing-next")
async def test_src_missing_next_is_an_error_and_no_silent_end(wired: Wired) -> None:
    """`has_more` is true and there is no cursor."""
    paging = Paging(style="cursor", limit="limit", max=250, cursor="cursor", next=("next",), has_more=("has_more",))
    wired.shopify = Shopify(30)

    def more(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, json={"customers": list(wired.shopify.customers.values()), "has_more": True})

    wired.shopify.fail.append(more)
    report = await wired.sync(changes={"source__list": listing(paging)})
    assert report.state == "failed"
    assert "no cursor" in (report.error or "")
    assert wired.point().watermark is None


@fault("src-next-foreign-host")
@pytest.mark.parametrize("to", ["another host", "another port", "another scheme", "the metadata service"])
async def test_src_next_foreign_host_is_not_followed(wired: Wired, to: str) -> None:
    """The credential stays with the API it is for; the other server never sees a request."""
    wired.shopify = Shopify(30)
    async with vendor(Shopify(5)) as other:
        url = {
            "another host": "http://evil.example/admin/customers.json?page_info=9-",
            "another port": other.url + "/admin/customers.json?page_info=9-",
            "another scheme": wired.source.url.replace("http:", "https:") + "/admin/customers.json?page_info=9-",
            "the metadata service": "http://169.254.169.254/latest/meta-data/",
        }[to]
        first = {"customers": [wired.shopify.customers[1]]}
        wired.shopify.fail.append(
            lambda request: httpx.Response(200, json=first, headers={"Link": f'<{url}>; rel="next"'})
        )
        report = await wired.sync()
        assert (report.state, report.failure) == ("failed", "systematic")
        assert "another origin" in (report.error or "")
        assert other.requests == []


@fault("src-redirect-auth")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_src_redirect_auth_is_not_followed(wired: Wired, status: int) -> None:
    """Wherever it points, no credential goes there."""
    async with vendor(Shopify(5)) as other:
        location = other.url + "/admin/customers.json?token=planted"
        first, _ = await twice(wired, Step(does="status", status=status, headers={"Location": location}, path=LIST))
        assert (first.state, first.failure) == ("failed", "systematic")
        assert "planted" not in (first.error or "")
        assert other.requests == []


@fault("src-mutation-paging")
async def test_src_mutation_paging_is_made_up_for(wired: Wired) -> None:
    """Under offsets, deletions move records onto pages that were read: a full pass finds what an incremental one missed."""
    paging = Paging(style="offset", limit="limit", max=10, offset="offset")
    changes = {"source__list": listing(paging)}
    wired.shopify = Shopify(40)

    def by_offset(request: httpx.Request) -> httpx.Response | None:
        start, since = int(request.url.params["offset"]), request.url.params.get("updated_at_min", "")
        if start == 20:
            for gone in (1, 2, 3):
                wired.shopify.customers.pop(gone, None)
            wired.shopify.put(5, first_name="Changed")
            wired.shopify.put(90)
        found = sorted(wired.shopify.customers.values(), key=lambda c: c["id"])
        found = [each for each in found if each["updated_at"] >= since]
        headers = {"Date": formatdate(wired.shopify.now_s + 5, usegmt=True)}
        return httpx.Response(200, json={"customers": found[start : start + 10]}, headers=headers)

    wired.shopify.fail.append(by_offset)
    await wired.sync(changes=changes)
    missed = set(map(str, wired.shopify.customers)) - _linked(wired)
    assert missed
    await wired.sync(changes=changes)
    assert [each["first_name"] for each in wired.credo.by_email("person5@example.com")] == ["Changed"]
    await wired.sync(changes=changes, resync=True)
    assert set(map(str, wired.shopify.customers)) <= _linked(wired)
    assert len(wired.credo.created()) == len(set(wired.credo.created()))


def _linked(wired: Wired) -> set[str]:
    names = [str(number) for number in range(1, 100)]
    return {link.source_id for link in wired.state.store.links_of("customers", names)}


@fault("src-same-timestamp")
async def test_src_same_timestamp_on_more_records_than_a_page_holds_loses_none(wired: Wired) -> None:
    """An interrupted pass over one moment goes on, and later records of that moment are found."""
    wired.shopify = Shopify(60)
    moment = iso(wired.shopify.now_s)
    for customer in wired.shopify.customers.values():
        customer["updated_at"] = moment
    wired.shopify.page_size = 20
    wired.source.script(Step(does="status", status=503, path="page_info=40-", times=50))
    await wired.sync()
    wired.source.script()
    await wired.sync()
    assert wired.is_whole()
    wired.shopify.customers[61] = {**wired.shopify.customers[1], "id": 61, "email": "late@example.com"}
    report = await wired.sync()
    assert (report.kind, report.counts.created) == ("incremental", 1)
    assert wired.is_whole()


@fault("src-late-commit")
async def test_src_late_commit_is_found_within_the_overlap_and_beyond_it_by_a_full_pass(wired: Wired) -> None:
    """The stream's overlap is a minute; what comes later than that waits for `--resync`."""
    wired.shopify = Shopify(30)
    await wired.sync()
    wired.shopify.put(31, updated_at=iso(wired.shopify.now_s - 40))
    assert (await wired.sync()).counts.created == 1
    wired.shopify.put(32, updated_at=iso(wired.shopify.now_s - 4000))
    assert (await wired.sync()).counts.created == 0
    assert (await wired.sync(resync=True)).counts.created == 1
    assert wired.is_whole()


@fault("src-clock-skew")
@pytest.mark.parametrize("skew_s", [-600, 600])
async def test_src_clock_skew_moves_no_watermark_past_the_servers_time(wired: Wired, skew_s: int) -> None:
    """Ours may say what it will: the vendor's own `Date` and versions count."""
    wired.shopify = Shopify(30)
    wired.shopify.put(7, updated_at=iso(wired.shopify.now_s + 86_400))
    wired.clock.moment = wired.shopify.now_s + skew_s
    engine = wired.engine()
    from runtime.engine import RunRequest

    report = await engine.run(RunRequest(stream="customers"))
    assert report.state == "done"
    watermark = wired.point().watermark
    assert watermark is not None
    assert watermark <= iso(wired.shopify.now_s + 5)
    wired.clock.moment -= 7200
    wired.shopify.put(8, first_name="Newer")
    report = await wired.engine().run(RunRequest(stream="customers"))
    assert report.counts.updated == 1
    for session in wired.opened:
        await session.aclose()

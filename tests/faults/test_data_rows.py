"""Faults that are in the data: times, numbers, text, nothing, names."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.versions import is_older
from runtime.matching import compared, identity_text
from runtime.schedule import parse_schedule
from runtime.state import State
from runtime.transforms import parse_iso8601_to_date, to_date, to_datetime, to_decimal, to_unix
from runtime.values import MappingError
from tests.faults.conftest import Wired
from tests.faults.rows import fault
from tests.runtime.engine.conftest import SINGLE
from tests.runtime.fakes import Credo, Shopify
from tests.yardstick import slowness


def bodies(wired: Wired) -> list[bytes]:
    return [seen.body for seen in wired.destination.requests if seen.line.startswith("POST")]


# --- times ---


@fault("time-dst")
@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("2026-03-29T02:30:00", {"read_as": "Europe/Berlin"}, "2026-03-29T01:30:00+00:00"),  # does not exist there
        ("2026-10-25T02:30:00", {"read_as": "Europe/Berlin"}, "2026-10-25T00:30:00+00:00"),  # twice: the first
        ("2026-10-25T02:30:00+01:00", {}, "2026-10-25T01:30:00+00:00"),  # the second, as its offset says
        ("2016-12-31T23:59:60Z", {}, "2016-12-31T23:59:59+00:00"),
        ("2024-02-29T12:00:00+05:30", {}, "2024-02-29T06:30:00+00:00"),
        ("9999-12-31T23:59:59Z", {}, "9999-12-31T23:59:59+00:00"),
        ("0001-01-01T00:00:00Z", {}, "0001-01-01T00:00:00+00:00"),
        (1_760_000_000, {"form": "unix_s"}, "2025-10-09T08:53:20+00:00"),
        (1_760_000_000_123, {"form": "unix_ms"}, "2025-10-09T08:53:20.123000+00:00"),
        (Decimal("1760000000.000001"), {"form": "unix_s"}, "2025-10-09T08:53:20.000001+00:00"),
    ],
)
def test_time_dst_each_form_is_one_moment(text: Any, options: dict[str, Any], expected: str) -> None:
    """In UTC, aware; a leap second stays on its day."""
    assert to_datetime(text, zone="UTC", **options).isoformat() == expected


@fault("time-dst")
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("2026-03-29T02:30:00", {"zone": "UTC"}),  # no zone and no rule for it
        ("2026-02-30T00:00:00Z", {}),
        ("2026-03-29T25:00:00Z", {}),
        ("2016-12-31T23:59:61Z", {}),
        ("2026-03-29T02:30:00", {"read_as": "Mars/Olympus", "zone": "UTC"}),
        (10**18, {"form": "unix_s"}),
        ("NaN", {"form": "unix_s"}),
        ("9999-12-31T23:59:59Z", {"zone": "Pacific/Kiritimati"}),  # would be in the year 10000
    ],
)
def test_time_dst_what_is_no_moment_is_refused_without_its_value(text: Any, options: dict[str, Any]) -> None:
    """A dead letter, not a guess."""
    with pytest.raises(MappingError) as caught:
        to_datetime(text, **options)
    assert str(text) not in str(caught.value)


@fault("time-dst")
@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),
    st.integers(min_value=1, max_value=10**6),
    st.sampled_from([-11, -3.5, 0, 1, 5.75, 14]),
    st.sampled_from([-8, 0, 2, 9.5]),
)
def test_time_dst_versions_are_compared_as_moments_whatever_their_zones(
    moment: datetime, later_s: int, a: float, b: float
) -> None:
    """A newer state never looks older because another server wrote its time."""
    from datetime import timezone

    first = moment.replace(tzinfo=UTC)
    one = first.astimezone(timezone(timedelta(hours=a))).isoformat()
    other = (first + timedelta(seconds=later_s)).astimezone(timezone(timedelta(hours=b))).isoformat()
    assert is_older(one, other)
    assert not is_older(other, one)
    assert not is_older(one, first.isoformat())


@fault("time-dst")
@pytest.mark.parametrize(("day", "gap"), [("2026-03-28T12:00:00", "a gap"), ("2026-10-24T12:00:00", "an overlap")])
def test_time_dst_schedule_in_a_zone_loses_none_and_doubles_none(day: str, gap: str) -> None:
    """Half past two, each night of the week in which the clocks change: once a night."""
    schedule, moment = parse_schedule("30 2 * * * Europe/Berlin"), datetime.fromisoformat(day + "+00:00").timestamp()
    seen = []
    for _ in range(5):
        moment = schedule.next_after(moment)
        seen.append(datetime.fromtimestamp(moment, UTC).date())
    assert seen == [seen[0] + timedelta(days=number) for number in range(5)]


@fault("time-dst")
def test_time_dst_day_is_counted_where_the_rule_says() -> None:
    """The same moment is another day in Tokyo; a day as written stays as written."""
    text = "2026-03-01T23:30:00-05:00"
    assert (to_date(text, zone="UTC").day, to_date(text, zone="Asia/Tokyo").day) == (2, 2)
    assert parse_iso8601_to_date(text).day == 1
    assert parse_iso8601_to_date("2016-12-31T23:59:60Z").isoformat() == "2016-12-31"
    assert to_unix("1969-12-31T23:59:59.5Z") == -1


# --- numbers ---


@fault("num-decimal")
async def test_num_decimal_goes_over_the_wire_digit_by_digit(wired: Wired) -> None:
    """What no float holds arrives as it was; what is no number is a dead letter."""
    wired.shopify = Shopify(8)
    texts = ["0.1", "12.30", "9007199254740993.07", "-0.00", "0.30000000000000004", "1e500", "NaN", "Infinity"]
    for number, text in enumerate(texts, 1):
        wired.shopify.put(number, total_spent=text)
    report = await wired.sync(changes=SINGLE)
    assert (report.counts.created, report.counts.dead) == (5, 3)
    sent = b" ".join(bodies(wired))
    for digits in (b":0.10", b":12.30", b":9007199254740993.07", b":0.30"):
        assert digits in sent, digits
    assert b"NaN" not in sent


@fault("num-decimal")
async def test_num_decimal_whole_numbers_beyond_a_float_are_kept(wired: Wired) -> None:
    """2**53 + 1 and 2**63 are two records under their own names."""
    for number in (2**53, 2**53 + 1, 2**63, 2**64 + 7):
        wired.shopify.put(number)
    assert (await wired.sync()).counts.created == 4
    names = [str(2**53), str(2**53 + 1), str(2**63), str(2**64 + 7)]
    assert {link.source_id for link in wired.state.store.links_of("customers", names)} == set(names)
    assert (await wired.sync(resync=True)).counts.unchanged == 4


@fault("num-decimal")
@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_num_decimal_survives_the_way_through_text(amount: Decimal) -> None:
    """No digit is lost, none is made."""
    assert to_decimal(str(amount)) == amount


# --- text ---


@fault("txt-unicode")
async def test_txt_unicode_is_compared_as_declared_and_kept_as_it_came(wired: Wired) -> None:
    """Emoji, bidirectional marks, a BOM inside, composed and decomposed: byte for byte."""
    names = [
        "\u00e9",
        "e\u0301",
        "\U0001f469\U0001f3fd\u200d\U0001f680",
        "\u202eabc",
        "\ufeffx",
        "\u0130i",
        "stra\u00dfe",
        "\x7f",
        "a\u2028b",
    ]
    for number, name in enumerate(names, 1):
        wired.shopify.put(number, first_name=name)
    assert (await wired.sync(changes=SINGLE)).counts.created == len(names)
    assert [contact["first_name"] for contact in wired.credo.contacts.values()] == names
    assert (await wired.sync(changes=SINGLE, resync=True)).counts.unchanged == len(names)


@fault("txt-unicode")
@pytest.mark.parametrize(("steps", "same"), [((), False), (("nfc",), True), (("casefold",), False)])
def test_txt_unicode_forms_of_one_letter_are_the_same_only_if_declared(steps: Any, same: bool) -> None:
    """No step is taken that the manifest does not name."""
    assert (compared("Zo\u00eb", steps) == compared("Zoe\u0308", steps)) is same


@fault("txt-unicode")
def test_txt_unicode_case_knows_no_country() -> None:
    """`lower` and `casefold` are Unicode's own: the same on every machine."""
    assert compared("İ", ("lower",)) == "i̇"
    assert compared("STRASSE", ("casefold",)) == compared("straße", ("casefold",))
    assert compared("STRASSE", ("lower",)) != compared("straße", ("lower",))


@fault("txt-unicode")
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_txt_unicode_what_the_state_cannot_keep_is_a_dead_letter(
    wired: Wired, database: str, request: pytest.FixtureRequest
) -> None:
    """NUL and half a surrogate pair, in a name, in a version and in a value."""
    if database == "postgresql":
        wired.state.close()
        wired.state = State(request.getfixturevalue("postgresql_url"), name="txt-unicode", now=wired.clock.now)
        wired.state.prepare()
    wired.shopify = Shopify(6)
    wired.shopify.put(2, updated_at="2026-01-01\0")
    wired.shopify.put(3, first_name="nul\0inside")
    records = json.dumps({"customers": list(wired.shopify.customers.values())})
    half = chr(92) + "ud800"
    wired.shopify.fail.append(
        lambda _: httpx.Response(
            200, text=records.replace('"First4"', f'"{half}"'), headers={"Content-Type": "application/json"}
        )
    )
    report = await wired.sync()
    assert (report.state, report.counts.created, report.counts.dead) == ("partial", 4, 2)
    letters = {letter["source_id"]: letter["reason"] for letter in wired.state.dead_letters.latest()}
    assert any(name.startswith("unnamed-") and "character" in reason for name, reason in letters.items())
    assert "nul\0inside" in {contact["first_name"] for contact in wired.credo.contacts.values()}


# --- nothing ---


@fault("null-vs-missing")
async def test_null_vs_missing_are_told_apart_to_the_last_byte(wired: Wired) -> None:
    """null clears, missing leaves alone, empty is a value."""
    wired.shopify = Shopify(4)
    wired.shopify.put(1, phone=None, tags="")
    wired.shopify.put(2, phone="", tags="a")
    del wired.shopify.customers[3]["phone"]
    await wired.sync(changes=SINGLE)
    by_name = {json.loads(body)["first_name"]: body for body in bodies(wired)}
    assert b'"phone_number":null' in by_name["First1"]
    assert b'"segments":[]' in by_name["First1"]
    assert b'"phone_number":""' in by_name["First2"]
    assert b"phone_number" not in by_name["First3"]


@fault("null-vs-missing")
async def test_null_vs_missing_an_update_never_clears_by_accident(wired: Wired) -> None:
    """A field that the source stopped sending keeps its value at the destination; one that became null is cleared."""
    wired.shopify = Shopify(3)
    await wired.sync()
    wired.shopify.put(1, phone=None)
    wired.shopify.put(2)
    del wired.shopify.customers[2]["phone"]
    await wired.sync()
    phones = [wired.credo.by_email(f"person{number}@example.com")[0]["phone_number"] for number in (1, 2, 3)]
    assert phones == [None, "+4930000002", "+4930000003"]


# --- names ---


@fault("id-types")
@pytest.mark.parametrize(
    "identity", ["a/b", "../../admin", "x?y=1", "x#y", "00123", "ünï", "A-B", "a b", "%2e%2e", "{id}"]
)
async def test_id_types_are_opaque_text_in_a_path(wired: Wired, identity: str) -> None:
    """Percent-encoded in one segment, whatever they look like; case and zeros stay."""

    class Odd(Credo):
        def seed(self, **fields: Any) -> str:
            self.contacts[identity] = {"id": identity, "created_at": "x", "updated_at": "x", **fields}
            return identity

        def _route(self, request: httpx.Request) -> tuple[int, Any]:
            raw = request.url.raw_path.decode()
            if request.method in ("PUT", "GET") and raw.startswith("/v1/contacts/"):
                asked.append(raw.removeprefix("/v1/contacts/"))
                contact = self.contacts[identity]
                contact |= json.loads(request.content or b"{}")
                return 200, contact
            return super()._route(request)

    asked: list[str] = []
    wired.credo = Odd()
    wired.shopify = Shopify(1)
    await wired.sync(changes=SINGLE)
    wired.shopify.put(1, first_name="Changed")
    report = await wired.sync(changes=SINGLE)
    assert report.counts.updated == 1
    from urllib.parse import unquote

    assert asked
    for segment in asked:
        assert unquote(segment) == identity
        assert not set(segment) & set("/?#{} ")


@fault("id-types")
@pytest.mark.parametrize("identity", [".", "..", ""])
async def test_id_types_that_would_climb_are_refused(wired: Wired, identity: str) -> None:
    """`..` cannot be told from a way up by the servers in between: such a record is a dead letter."""

    class Odd(Credo):
        def seed(self, **fields: Any) -> str:
            self.contacts[identity] = {"id": identity, "created_at": "x", "updated_at": "x", **fields}
            return identity

    wired.credo = Odd()
    wired.shopify = Shopify(1)
    await wired.sync(changes=SINGLE)
    wired.shopify.put(1, first_name="Changed")
    report = await wired.sync(changes=SINGLE)
    assert (report.counts.updated, report.counts.created) == (0, 0)
    assert not [seen for seen in wired.destination.requests if seen.line.startswith("PUT")]


@fault("id-types")
def test_id_types_keep_zeros_case_and_digits() -> None:
    """An integer and the text of its digits are one name; anything else is itself."""
    assert [identity_text(each) for each in ("007", 7, "7", "AbC", Decimal("1.0"))] == ["007", "7", "7", "AbC", "1.0"]


# --- records that hurt ---


@fault("poison-transform")
@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(lambda: (_ for _ in ()).throw(ValueError("planted")), id="raises"),
        pytest.param(lambda: _endless(0), id="endless recursion"),
        pytest.param(lambda: 1 / 0, id="a bug"),
        pytest.param(lambda: b"".join([b"x"]).decode("utf-16"), id="bad bytes"),
    ],
)
async def test_poison_transform_that_raises_is_one_dead_letter(wired: Wired, poison: Any) -> None:
    """The others go on, and the letter has no value of the record."""
    wired.shopify = Shopify(12)
    from tests.runtime.sample.app import CUSTOMERS

    def mapping(customer: Any) -> Any:
        return poison() if customer.id == 7 else CUSTOMERS.map(customer)

    report = await wired.sync(changes={"map": mapping})
    assert (report.counts.created, report.counts.dead) == (11, 1)
    [letter] = wired.state.dead_letters.latest()
    assert (letter["source_id"], letter["stage"]) == ("7", "map")
    assert "planted" not in letter["reason"]


def _endless(depth: int) -> int:
    return _endless(depth + 1) + 1


@fault("poison-transform")
async def test_poison_transform_of_a_huge_text_is_carried_and_of_a_deep_one_is_a_dead_letter(wired: Wired) -> None:
    """Ten megabytes pass within the bounds of a reply; a record nested a hundred thousand deep kills nothing."""
    wired.shopify = Shopify(3)
    wired.shopify.put(1, first_name="x" * 10_000_000)
    deep = "[" * 100_000 + "]" * 100_000
    records = [json.dumps(each) for each in wired.shopify.customers.values()]
    records[1] = records[1].replace('"note": "', f'"deep": {deep}, "note": "').replace('"First2"', deep)
    page = '{"customers": [' + ",".join(records) + "]}"
    wired.shopify.fail.append(lambda _: httpx.Response(200, text=page, headers={"Content-Type": "application/json"}))
    report = await wired.sync(changes=SINGLE)
    assert report.state in ("partial", "failed")
    assert report.counts.created in (0, 2)
    assert "[[[[" not in (report.error or "")


@fault("poison-transform")
def test_poison_transform_patterns_cannot_be_made_to_run_for_ever() -> None:
    """Every transform over a megabyte of what such patterns dislike: a second of CPU at most for all of them."""
    nasty = [
        "a" * 1_000_000 + "!",
        " " * 1_000_000 + "x",
        "1" * 1_000_000,
        "-" * 1_000_000,
        "2026-01-01T" + "0" * 1_000_000,
    ]
    began = time.process_time()
    for text in nasty:
        for transform in (to_decimal, to_datetime, to_date, to_unix, parse_iso8601_to_date):
            with contextlib.suppress(MappingError):
                transform(text)
        for steps in (("trim",), ("lower",), ("casefold",), ("nfc",), ("digits",)):
            compared(text, steps)  # type: ignore[arg-type]
        is_older(text, text + "0")
    assert time.process_time() - began < 5 * slowness()


@fault("poison-group")
async def test_poison_group_stops_the_run_before_all_are_dead(wired: Wired) -> None:
    """A third of the records fail alike: eleven letters, an end with class `systematic`, and the checkpoint where it was."""
    wired.shopify = Shopify(900)
    for number in range(1, 900, 3):
        wired.shopify.put(number, total_spent="a lot")
    report = await wired.sync()
    assert (report.state, report.failure, report.exit_code) == ("failed", "systematic", 1)
    assert wired.state.dead_letters.open_count() <= 11
    assert wired.point().watermark is None
    for number in range(1, 900, 3):
        wired.shopify.put(number, total_spent="1")
    assert (await wired.sync()).state == "done"
    assert wired.is_whole()


@fault("poison-group")
async def test_poison_group_of_a_destination_that_refuses_everything_sends_no_more(wired: Wired) -> None:
    """Every create is refused: some are tried, the rest is not thrown away as dead letters."""
    wired.shopify = Shopify(900)
    wired.credo.refuse = lambda body: "a field that is required now is missing"
    report = await wired.sync(changes=SINGLE)
    assert (report.state, report.failure) == ("failed", "systematic")
    assert wired.state.dead_letters.open_count() <= 250 // 10 + 16 + 1  # a tenth of a group, and what was under way

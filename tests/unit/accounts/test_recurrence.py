"""Rules become moments: by plain words or cron, over clock changes, in any zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.accounts.recurrence import Recurrence, parse
from leadline.errors import InputError

BERLIN = "Europe/Berlin"
ZONES = ["UTC", BERLIN, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago"]


def moment(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def following(rule: str, after: str, *, zone: str = BERLIN, count: int = 3) -> list[str]:
    """Return the next moments in UTC."""
    parsed, at, found = parse(rule, zone), moment(after), []
    for _ in range(count):
        at = parsed.next_after(at) or 0.0
        found.append(datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("words", "cron"),
    [
        ("every Monday 08:00", "0 8 * * 1"),
        ("Every  monday at 8:05", "5 8 * * mon"),
        ("every monday, wednesday and friday 18:30", "30 18 * * 1,3,5"),
        ("every weekday 07:15", "15 7 * * MON-FRI"),
        ("every weekend 10:00", "0 10 * * 0,6"),
        ("every day 00:00", "0 0 * * *"),
        ("every hour", "0 * * * *"),
        ("every 15 minutes", "0,15,30,45 * * * *"),
        ("every 6 hours", "0 0,6,12,18 * * *"),
        ("every month on the 1st 09:00", "0 9 1 * *"),
        ("every month on the 15 at 9:30", "30 9 15 * *"),
        ("every sunday 12:00", "0 12 * * 7"),
    ],
)
def test_words_mean_the_same_as_cron(words: str, cron: str) -> None:
    assert parse(words, BERLIN) == parse(cron, BERLIN)


@pytest.mark.parametrize(
    "rule",
    [
        *("", "monday", "every", "every moonday 08:00", "every monday 24:00", "every monday 08:60", "every monday"),
        *("60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *"),
        *("* * * *", "* * * * * *", "a * * * *", "*-5 * * * *", "1,,2 * * * *", "every 0 minutes", "٣ * * * *"),
        *(
            "* * * * moo",
            "* * * janu *",
            "1-*/2 * * * *",
            "-1 * * * *",
            "every monday and 08:00",
            "every month on the 32 08:00",
        ),
    ],
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(InputError):
        parse(rule, "UTC")


@pytest.mark.parametrize("zone", ["", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "a" * 5000, "Europe"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(InputError, match="zone"):
        parse("every hour", zone)


@pytest.mark.parametrize("rule", ["0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_day_that_never_comes_is_refused(rule: str) -> None:
    with pytest.raises(InputError, match="never"):
        parse(rule, "UTC")


def test_a_leap_day_comes_after_eight_years_too() -> None:
    after = moment("2096-03-01T00:00:00")
    assert parse("0 0 29 2 *", "UTC").next_after(after) == moment("2104-02-29T00:00:00")


def test_day_or_weekday_is_enough_where_both_are_named() -> None:
    assert following("0 0 13 * 5", "2026-11-01T00:00:00", zone="UTC", count=3) == [
        "11-06 00:00",
        "11-13 00:00",
        "11-20 00:00",
    ]


def test_a_time_that_the_clock_leaves_out_comes_an_hour_later() -> None:
    found = following("every day 02:30", "2026-03-27T12:00:00")
    assert found == ["03-28 01:30", "03-29 01:30", "03-30 00:30"]  # 03:30 summer time on the 29th


def test_a_time_that_comes_twice_counts_once() -> None:
    found = following("every day 02:30", "2026-10-24T12:00:00")
    assert found == ["10-25 00:30", "10-26 01:30", "10-27 01:30"]


def test_monday_morning_stays_monday_morning() -> None:
    assert following("every monday 08:00", "2026-10-18T00:00:00") == ["10-19 06:00", "10-26 07:00", "11-02 07:00"]


def test_the_hours_that_pass_count() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-23", 24)):
        rule = parse("every hour", BERLIN)
        start, end = moment(f"{day}T00:00:00", BERLIN), moment(f"{day}T23:59:59", BERLIN) + 1
        at, count = start - 1, 0
        while (at := rule.next_after(at) or end) < end:
            count += 1
        assert count == hours


def test_a_night_when_the_clock_goes_back_over_midnight() -> None:
    """Santiago's clock goes from midnight to 23:00: the 4th has 25 hours, and 23:30 comes twice."""
    found = following("every day 23:30", "2026-04-03T12:00:00", zone="America/Santiago", count=3)
    assert found == ["04-04 02:30", "04-05 02:30", "04-06 03:30"]


fields = st.tuples(
    st.sampled_from(["0", "30", "*/20", "7,59", "*"]),
    st.sampled_from(["*", "2", "0,23", "8-10", "*/7"]),
    st.sampled_from(["*", "1", "13,29", "*/9"]),
    st.sampled_from(["*", "3,10", "2-4"]),
    st.sampled_from(["*", "0", "1-5", "sat"]),
).map(" ".join)
moments = st.integers(min_value=946_684_800, max_value=4_102_444_800)


@given(rule=fields, zone=st.sampled_from(ZONES), start=moments)
def test_moments_grow_and_fit_their_day(rule: str, zone: str, start: int) -> None:
    parsed = parse(rule, zone)
    at = [float(start)]
    for _ in range(3):
        following_at = parsed.next_after(at[-1])
        assert following_at is not None
        at.append(following_at)
    assert all(later > earlier for earlier, later in pairwise(at))
    for one in at[1:]:
        local = datetime.fromtimestamp(one, parsed.zone)
        # A time that was left out lies at most a few hours behind; so may its day.
        assert any(parsed.fits_day((local - timedelta(hours=h)).date()) for h in (0, 25))


@given(rule=fields, zone=st.sampled_from(ZONES), start=moments)
def test_nothing_is_passed_over(rule: str, zone: str, start: int) -> None:
    """Minute by minute: whatever the clock on the wall shows that fits is not before the next moment."""
    parsed = parse(rule, zone)
    following_at = parsed.next_after(float(start))
    assert following_at is not None
    first = start - start % 60 + 60
    for at in range(first, min(int(following_at), first + 36 * 3600), 60):
        assert not shows(parsed, at) or repeated(parsed, at), datetime.fromtimestamp(at, parsed.zone)


def shows(rule: Recurrence, at: int) -> bool:
    local = datetime.fromtimestamp(at, rule.zone)
    return rule.fits_day(local.date()) and local.hour in rule.hours and local.minute in rule.minutes


def repeated(rule: Recurrence, at: int) -> bool:
    """Tell whether the wall shows this time for the second time."""
    return datetime.fromtimestamp(at, rule.zone).fold == 1

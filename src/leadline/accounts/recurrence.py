"""Rules such as `every Monday 08:00` or `0 8 * * 1`, and the next moment that fits; pure.

Local time is a zone's. A time that a clock change leaves out counts as if the clock had not
changed yet (02:30 becomes 03:30), and a time that comes twice counts the first time (RFC 5545,
3.3.5). A rule for every hour follows the hours that pass: in the night of 25 hours it fires 25
times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadline.errors import InputError

_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HORIZON_DAYS: Final = 366 * 9
"""29 February may be eight years away, around a century's turn."""

_TIME: Final = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)")
_STEP: Final = re.compile(r"every (?P<count>\d{1,2}) (?P<unit>minutes|hours)")
_NAMED: Final = re.compile(r"every (?P<days>[a-z, ]+?)(?: at)? (?P<time>\d{1,2}:\d\d)")
_MONTHLY: Final = re.compile(r"every month on the (?P<day>\d{1,2})(?:st|nd|rd|th)?(?: at)? (?P<time>\d{1,2}:\d\d)")
_ITEM: Final = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d{1,2}))?")
_EXAMPLES: Final = (
    "`every Monday 08:00`, `every weekday 18:30`, `every 6 hours`, `every month on the 1 09:00`, `0 8 * * 1`"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recurrence:
    """A rule as sets of numbers, as cron(8) has them; Sunday is 0.

    Where both days and weekdays are named, either of them is enough, as in cron.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    zone: ZoneInfo

    def next_after(self, moment: float) -> float | None:
        """Return the first moment after `moment` (Unix seconds), `None` where none comes in nine years."""
        start = datetime.fromtimestamp(moment, self.zone).date()
        # A local time of yesterday may come after a moment of today where the clock went back over midnight.
        for offset in range(-1, _HORIZON_DAYS):
            day = start + timedelta(days=offset)
            if not self.fits_day(day):
                continue
            later = [at for at in self._moments(day) if at > moment]
            if later:
                return min(later)
        return None

    def fits_day(self, day: date) -> bool:
        """Return whether the rule names this day."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if len(self.days) < 31 and len(self.weekdays) < 7:
            return by_day or by_weekday
        return by_day and by_weekday

    def _moments(self, day: date) -> Iterator[float]:
        """Yield the moments of a local day, in no order."""
        if len(self.hours) == 24:
            yield from self._hourly(day)
            return
        for hour in self.hours:
            for minute in self.minutes:
                yield datetime.combine(day, time(hour, minute), self.zone).timestamp()

    def _hourly(self, day: date) -> Iterator[float]:
        """Yield the moments of a day whose every hour counts, each hour that passes once."""
        first = datetime.combine(day, time(), self.zone).astimezone(UTC)
        end = datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC)
        wanted = frozenset(self.minutes)
        for minute in range(int((end - first).total_seconds()) // 60):
            at = first + timedelta(minutes=minute)
            if at.astimezone(self.zone).minute in wanted:
                yield at.timestamp()


def parse(rule: str, zone: str) -> Recurrence:
    """Return the rule. Raises `InputError` for what is none, for an unknown zone, and for a day that never comes."""
    words = " ".join(rule.lower().split())
    fields = (_from_words(words) or words).split(" ")
    if len(fields) != 5:
        raise _refused(rule)
    try:
        made = Recurrence(
            minutes=tuple(sorted(_numbers(fields[0], 0, 59))),
            hours=tuple(sorted(_numbers(fields[1], 0, 23))),
            days=_numbers(fields[2], 1, 31),
            months=_numbers(fields[3], 1, 12, names=_MONTHS),
            weekdays=frozenset(day % 7 for day in _numbers(fields[4], 0, 7, names=_DAYS)),
            zone=_zone(zone),
        )
    except ValueError as error:
        raise _refused(rule) from error
    if made.next_after(0.0) is None:
        raise InputError(f"this never comes: {rule}")
    return made


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"no such time zone: {name[:80]}; name one as Europe/Berlin or UTC (a machine without any needs `tzdata`)"
        ) from error


def _from_words(words: str) -> str | None:
    """Return the five fields that plain words stand for, `None` where they are none of ours."""
    if words == "every hour":
        return "0 * * * *"
    step = _STEP.fullmatch(words)
    if step is not None:
        return f"*/{step['count']} * * * *" if step["unit"] == "minutes" else f"0 */{step['count']} * * *"
    monthly = _MONTHLY.fullmatch(words)
    if monthly is not None:
        return _at(monthly["time"], f"{monthly['day']} * *")
    named = _NAMED.fullmatch(words)
    if named is None:
        return None
    days = _days(named["days"])
    return None if days is None else _at(named["time"], f"* * {days}")


def _at(text: str, rest: str) -> str | None:
    clock = _TIME.fullmatch(text)
    return None if clock is None else f"{int(clock['minute'])} {int(clock['hour'])} {rest}"


def _days(text: str) -> str | None:
    """Return the field of weekdays for `monday, wednesday and friday`, `day`, `weekday` or `weekend`."""
    fixed = {"day": "*", "weekday": "1-5", "weekend": "0,6"}.get(text)
    if fixed is not None:
        return fixed
    names = [name for name in re.split(r", and | and |, |,", text) if name]
    if not names or any(name not in _DAYS for name in names):
        return None
    return ",".join(str(_DAYS.index(name)) for name in names)


def _numbers(field: str, low: int, high: int, *, names: tuple[str, ...] = ()) -> frozenset[int]:
    """Return the numbers that a field of cron names. Raises `ValueError`."""
    found: set[int] = set()
    for item in field.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(item)
        step = int(match["step"] or 1)
        if match["first"] == "*":
            first, last = low, high
        else:
            first = _number(match["first"], low, names)
            open_end = high if match["step"] else first
            last = open_end if match["last"] is None else _number(match["last"], low, names)
        if not (low <= first <= last <= high) or step < 1 or (match["first"] == "*" and match["last"]):
            raise ValueError(item)
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    short = [name[:3] for name in names]
    if text[:3] not in short or (len(text) > 3 and text not in names):
        raise ValueError(text)
    return short.index(text[:3]) + low


def _refused(rule: str) -> InputError:
    return InputError(f"this is no rule for a schedule: {rule[:120]}; write it as one of {_EXAMPLES}")

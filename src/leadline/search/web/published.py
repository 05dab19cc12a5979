"""The many ways in which providers write when a page was published, as an ISO date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from leadline.text.dates import Precision, find_dates

_ISO: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?!\d)")
_AGO: Final = re.compile(
    r"(\d{1,3})\s+(hour|day|week|month|year)s?\s+ago|(\d{1,3})\s*(小时|天|周|个月|年)前",
    re.IGNORECASE,
)
_DAYS: Final = (
    ("hour", 1 / 24),
    ("小时", 1 / 24),
    ("day", 1.0),
    ("天", 1.0),
    ("week", 7.0),
    ("周", 7.0),
    ("month", 30.44),
    ("个月", 30.44),
    ("year", 365.25),
    ("年", 365.25),
)
_MOST: Final = 60


def iso_date(told: object, *, now: float) -> str | None:
    """Return `YYYY-MM-DD`, `YYYY-MM` or `YYYY`, as precise as it was told; `None` where nothing can be read.

    `now` (Unix seconds) is what "3 days ago" is counted from.
    """
    if isinstance(told, int) and not isinstance(told, bool):
        return str(told) if 1000 <= told <= 9999 else None
    text = told.strip()[:_MOST] if isinstance(told, str) else ""
    if not text:
        return None
    if iso := _ISO.match(text):
        return iso[0]
    if ago := _AGO.search(text):
        unit = (ago[2] or ago[4]).lower()
        days = next(length for name, length in _DAYS if name == unit)
        return (datetime.fromtimestamp(now, UTC) - timedelta(days=int(ago[1] or ago[3]) * days)).date().isoformat()
    try:
        return parsedate_to_datetime(text).date().isoformat()
    except ValueError:
        return _found(text)


def _found(text: str) -> str | None:
    for date in find_dates(text):
        if date.year is None or date.year < 1 or date.precision not in {Precision.DAY, Precision.MONTH, Precision.YEAR}:
            continue
        parts = (date.month, date.day) if date.month else ()
        return "-".join([f"{date.year:04}", *(f"{part:02}" for part in parts if part)])
    return None

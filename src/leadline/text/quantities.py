"""A quantity found in a text, and when two quantities agree."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from leadline.text.offsets import Span
from leadline.text.units import in_base, resolved, same_dimension

# Conversions between systems of units are exact to more digits than anybody states.
_CONVERSION: Final = Decimal("1e-9")
# Rounding explains no larger difference than this share of the value.
_ROUNDING: Final = Decimal("0.1")


class Kind(StrEnum):
    """What a number is."""

    NUMBER = "number"  # a count or a measure
    PERCENT = "percent"  # `value` counts hundredths, `unit` is "%", or "pp" for points
    MONEY = "money"  # `unit` is a currency code, or "¥" where the mark leaves it open
    ORDINAL = "ordinal"  # third, 第三
    VERSION = "version"  # an identifier such as 3.11.7: compared as written
    CLOCK = "clock"  # a time of day; `value` counts minutes


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """A number in a text, with what it measures."""

    value: Decimal
    unit: str | None  # canonical symbol, such as "km", "USD", "°C", "%"
    start: int
    end: int
    kind: Kind
    raw: str  # as written
    step: Decimal = Decimal(1)  # worth of the last digit stated
    approximate: bool = False  # said to be rounded: "about", "more than", 约, 多

    @property
    def span(self) -> Span:
        """Where the quantity stands, currency and unit included."""
        return Span(self.start, self.end)


def same_quantity(a: Quantity, b: Quantity) -> bool:
    """Whether two quantities are the same amount of the same thing: 1 km is 1000 m.

    A quantity with a unit is not the same as one without, nor an ordinal as a count.
    """
    if a.kind is Kind.VERSION or b.kind is Kind.VERSION:
        return a.kind is b.kind and _bare(a.raw) == _bare(b.raw)
    if not _comparable(a, b):
        return False
    return _apart(a, b) <= _CONVERSION * _size(a, b)


def close(a: Quantity, b: Quantity) -> bool:
    """Whether rounding explains the difference, as between "about 10.9 km" and 10,909 m.

    The difference may be half the worth of the last digit of the less exact quantity; where that
    one is said to be approximate, its final zeros do not count as stated. In no case may it be
    more than a tenth of the larger value.
    """
    if same_quantity(a, b):
        return True
    exact = {Kind.VERSION, Kind.ORDINAL, Kind.CLOCK}
    if a.kind in exact or b.kind in exact or not _comparable(a, b):
        return False
    apart = _apart(a, b)
    return apart <= max(_leeway(a, beside=b), _leeway(b, beside=a)) and apart <= _ROUNDING * _size(a, b)


def _bare(version: str) -> str:
    return version.lower().lstrip("v")


def _comparable(a: Quantity, b: Quantity) -> bool:
    if Kind.CLOCK in {a.kind, b.kind} or Kind.ORDINAL in {a.kind, b.kind}:
        return a.kind is b.kind
    return same_dimension(a.unit, b.unit)


def _apart(a: Quantity, b: Quantity) -> Decimal:
    return abs(_base(a, beside=b) - _base(b, beside=a))


def _base(quantity: Quantity, *, beside: Quantity) -> Decimal:
    return in_base(quantity.value, resolved(quantity.unit, beside.unit))


def _size(a: Quantity, b: Quantity) -> Decimal:
    return max(abs(_base(a, beside=b)), abs(_base(b, beside=a)))


def _leeway(quantity: Quantity, *, beside: Quantity) -> Decimal:
    step = quantity.step
    if quantity.approximate and quantity.value:
        digits = quantity.value.normalize()
        exponent = digits.as_tuple().exponent
        if isinstance(exponent, int):
            step = max(step, Decimal(1).scaleb(exponent))
    unit = resolved(quantity.unit, beside.unit)
    return (in_base(step, unit) - in_base(Decimal(0), unit)) / 2

"""Figures as people read them: one way to write a KPI, used by gates, reports and the command line."""

import math
import re

from pipeline.evaluation.outcomes import Interval

_CURRENCY = re.compile(r"^(?P<code>[A-Z]{3})(?P<rest>\b.*)$")
_MOST_DIGITS = 4
#: Units that are not written: the figure says it all.
_BARE = ("", "index", "ratio")


def show(value: float, unit: str, *, digits: int | None = None) -> str:
    """A value with its unit: ``4.1 %``, ``12.3 units``, ``0.87``, ``EUR 1,234``.

    Args:
        value: the figure; NaN is written ``not measurable``, an infinite one ``unbounded``.
        unit: the KPI's unit. ``share`` becomes per cent; a unit that starts with an ISO 4217 code puts the code in
            front; ``ratio`` (three decimals), ``index`` or an empty unit is written without one; any other follows
            the figure.
        digits: decimals; by default one for per cent and units, two for small figures, none from 1,000 on.
    """
    if math.isnan(value):
        return "not measurable"
    if math.isinf(value):
        return "unbounded"
    if unit == "share":
        return f"{_number(value * 100, 1 if digits is None else digits)} %"
    decimals = _decimals(value, unit) if digits is None else digits
    text = _number(value, decimals)
    currency = _CURRENCY.match(unit)
    if currency:
        return f"{currency['code']} {text}{currency['rest']}"
    return text if unit in _BARE else f"{text} {unit}"


def show_change(value: float, unit: str) -> str:
    """A difference with its sign; a difference of shares is in percentage points: ``-2.4 points``."""
    if not math.isfinite(value):
        return show(value, unit)
    sign = "+" if value > 0 else ""
    if unit == "share":
        return f"{sign}{_number(value * 100, 1)} points"
    text = show(value, unit)
    return f"{sign}{text}"


def show_interval(interval: Interval, unit: str) -> str:
    """A point with its interval: ``4.1 % (95 % interval 3.7 % to 4.5 %)``."""
    point = show(interval.value, unit)
    if math.isinf(interval.low) or math.isinf(interval.high):
        return f"{point} (no interval: too few units to tell)"
    return f"{point} ({interval.level * 100:.0f} % interval {show(interval.low, unit)} to {show(interval.high, unit)})"


def contrast(value: float, limit: float, unit: str) -> tuple[str, str]:
    """A value and the limit it is held against, with as many decimals as it takes to tell them apart.

    Without this, 4.24 % held against 4.2 % would read "4.2 % is more than the allowed 4.2 %".
    """
    texts = show(value, unit), show(limit, unit)
    digits = 2
    while texts[0] == texts[1] and value != limit and math.isfinite(value) and digits <= _MOST_DIGITS:
        texts = show(value, unit, digits=digits), show(limit, unit, digits=digits)
        digits += 1
    return texts


def _decimals(value: float, unit: str) -> int:
    """Decimals that keep about three digits a person can compare; a ratio near one needs them after the point."""
    if unit == "ratio":
        return 3
    if abs(value) >= 1000:
        return 0
    return 2 if unit in ("", "index") or (abs(value) < 10 and _CURRENCY.match(unit)) else 1


def _number(value: float, digits: int) -> str:
    """Thousands separated by commas, and no minus before a rounded zero."""
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text

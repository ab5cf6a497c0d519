"""Figures as people read them: one way to write a KPI, used by gates, reports and the command line."""

import math
import re

from pipeline.evaluation.outcomes import Interval
from pipeline.language.message import Message, say, term

_CURRENCY = re.compile(r"^(?P<code>[A-Z]{3})(?P<rest>\b.*)$")
_MOST_DIGITS = 4
#: Units that are not written: the figure says it all.
_BARE = ("", "index", "ratio")


def show(value: float, unit: str, *, digits: int | None = None) -> Message:
    """A value with its unit: ``4.1 %``, ``12.3 units``, ``0.87``, ``EUR 1,234``.

    Args:
        value: the figure; NaN is written ``not measurable``, an infinite one ``unbounded``.
        unit: the KPI's unit. ``share`` becomes per cent; a unit that starts with an ISO 4217 code puts the code in
            front; ``ratio`` (three decimals), ``index`` or an empty unit is written without one; any other follows
            the figure.
        digits: decimals; by default one for per cent and units, two for small figures, none from 1,000 on.
    """
    if math.isnan(value):
        return say("not measurable")
    if math.isinf(value):
        return say("unbounded")
    if unit == "share":
        return say("{number} %", number=_number(value * 100, 1 if digits is None else digits))
    decimals = _decimals(value, unit) if digits is None else digits
    text = _number(value, decimals)
    currency = _CURRENCY.match(unit)
    if currency:
        code, rest = currency["code"], currency["rest"].removeprefix(" ")
        if not rest:
            return say("{currency} {number}", currency=code, number=text)
        return say("{currency} {number} {per}", currency=code, number=text, per=term(rest))
    return Message(text) if unit in _BARE else say("{number} {unit}", number=text, unit=term(unit))


def show_change(value: float, unit: str) -> Message:
    """A difference with its sign; a difference of shares is in percentage points: ``-2.4 points``."""
    if not math.isfinite(value):
        return show(value, unit)
    sign = "+" if value > 0 else ""
    if unit == "share":
        return say("{number} points", number=f"{sign}{_number(value * 100, 1)}")
    return signed(sign, show(value, unit))


def signed(sign: str, figure: str) -> Message:
    """A figure with a sign in front."""
    return Message(f"{sign}{figure}", "{sign}{figure}", {"sign": sign, "figure": figure})


def level(interval: Interval) -> Message:
    """How sure an interval is: ``95 %``."""
    return say("{number} %", number=f"{interval.level * 100:.0f}")


def show_interval(interval: Interval, unit: str) -> Message:
    """A point with its interval: ``4.1 % (95 % interval 3.7 % to 4.5 %)``."""
    point = show(interval.value, unit)
    if math.isinf(interval.low) or math.isinf(interval.high):
        return say("{point} (no interval: too few units to tell)", point=point)
    return say(
        "{point} ({level} interval {low} to {high})",
        point=point, level=level(interval), low=show(interval.low, unit), high=show(interval.high, unit),
    )  # fmt: skip


def contrast(value: float, limit: float, unit: str) -> tuple[Message, Message]:
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

"""The desk's clock: hours in which it is open, counted from the Monday its history begins.

The desk is open from 7 to 19 o'clock on six days, 72 hours a week. First response is measured on this clock, as service
agreements do: a night counts for nothing. A ticket that comes in while the desk is closed begins to wait when it opens.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Names = NDArray[np.object_]
Times = NDArray[np.datetime64]

OPENS, DAY_HOURS, DAYS = 7, 12, 6
WEEK_HOURS = float(DAY_HOURS * DAYS)
#: Half-day shifts: three a day, eighteen a week.
SLOT_HOURS, DAY_SLOTS = 4.0, 3
SLOTS = DAY_SLOTS * DAYS
_SECOND = np.timedelta64(1, "s")
_WEEK_SECONDS, _DAY_SECONDS = 7 * 86400, 86400


def to_clock(times: Times, origin: np.datetime64) -> Floats:
    """Opening hours from the origin to each moment; NaN for NaT.

    >>> monday = np.datetime64("2026-01-05")
    >>> to_clock(np.array(["2026-01-05T08:30", "2026-01-06T03:00", "2026-01-11T12:00"], "datetime64[s]"), monday)
    array([ 1.5, 12. , 72. ])

    Args:
        times: (N,) moments.
        origin: a Monday.
    """
    missing = np.isnat(times)
    seconds = (np.where(missing, origin, times) - origin) / _SECOND
    week, rest = np.divmod(seconds, _WEEK_SECONDS)
    day, second = np.divmod(rest, _DAY_SECONDS)
    within = np.minimum(day * DAY_HOURS + np.clip(second / 3600 - OPENS, 0, DAY_HOURS), WEEK_HOURS)
    return np.where(missing, np.nan, week * WEEK_HOURS + within)


def to_time(clock: Floats, origin: np.datetime64) -> Times:
    """(N,) moments to the second in which the clock shows these opening hours; NaT for NaN.

    The end of a day and the beginning of the next are one reading of the clock; the morning is handed back.
    """
    missing = np.isnan(clock)
    known = np.where(missing, 0.0, clock)
    week, rest = np.divmod(known, WEEK_HOURS)
    day, hour = np.divmod(rest, DAY_HOURS)
    seconds = np.rint(week * _WEEK_SECONDS + day * _DAY_SECONDS + (hour + OPENS) * 3600).astype(np.int64)
    moments = origin.astype("datetime64[s]") + seconds * _SECOND
    return np.where(missing, np.datetime64("NaT", "s"), moments)


def week_of(clock: Floats) -> Ints:
    """(N,) number of the week, from 0."""
    return np.floor_divide(clock, WEEK_HOURS).astype(np.int64)


def monday(week: int, origin: np.datetime64) -> np.datetime64:
    """The first day of a week."""
    first: np.datetime64 = origin.astype("datetime64[D]") + np.timedelta64(7 * week, "D")
    return first

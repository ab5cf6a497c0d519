"""Tables without dates: cases are dealt into groups that stand in for periods; no page shows a day in their place."""

from datetime import date

from pipeline.language import Message, say

#: The day that stands in for the first group: far from any real one.
ORIGIN = date(1900, 1, 1)
#: How many groups there may be.
MOST = 520
DAYS = {"week": 7, "day": 1}


def stands_in(day: date) -> bool:
    """Whether a day stands in for a group."""
    return 0 <= (day - ORIGIN).days < MOST * max(DAYS.values())


def shown(day: str, period: str = "week") -> str:
    """What people read in place of an ISO day: itself, or the group it stands in for.

    Args:
        day: ISO 8601; any other text is handed back.
        period: ``week`` or ``day``, as the charter counts.
    """
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return day
    return group(found, period) if stands_in(found) else day


def group(day: date, period: str) -> Message:
    """The name of the group that a day stands in for."""
    return say("group {number}", number=(day - ORIGIN).days // DAYS[period] + 1)

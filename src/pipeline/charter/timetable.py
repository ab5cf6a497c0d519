"""What is wrong with a cron expression or a time zone: five fields that name a moment, a zone of the IANA database."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from pipeline.charter.anatomy import nearest

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
#: What schedulers agree on; extensions such as ``L`` and ``#`` mean different things, or nothing, elsewhere.
_PLAIN = re.compile(r"(?:\*|[0-9]+(?:-[0-9]+)?|[A-Za-z]{3}(?:-[A-Za-z]{3})?)(?:/[0-9]+)?", re.ASCII)
#: Any moment does: a schedule either has a next one or never had.
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


def cron_fault(text: str) -> str | None:
    """What is wrong with a cron expression, or None."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f"{len(fields)} fields instead of five ({', '.join(_FIELDS)})"
    for name, field in zip(_FIELDS, fields, strict=True):
        if not all(_PLAIN.fullmatch(part) for part in field.split(",")):
            return f"`{field}` as the {name}"
    try:
        next(CronSim(text, _SOME_DAY))
    except (CronSimError, ValueError) as exc:
        return str(exc).lower() or "a value out of range"
    except StopIteration:
        return "a day that never comes"
    return None


def zone_fault(name: str) -> str | None:
    """What to write instead of a time zone that does not exist, or None where it does."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(name, tuple(sorted(available_timezones())))
        return f"did you mean `{near}`?" if near else "write a name of the IANA database, such as `Europe/Lisbon`"
    return None

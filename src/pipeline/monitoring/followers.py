"""Which units follow a model, and since when, as the rollout's events tell it."""

from collections.abc import Iterable
from datetime import date

from pipeline.ledger import Event


def followers(events: Iterable[Event]) -> dict[str, date]:
    """Every unit that follows a model now, with the first period from which it did without a break.

    Args:
        events: of one project, in order; others than those of the rollout are passed over.
    """
    since: dict[str, date] = {}
    for event in events:
        if event.kind == "rollout.released":
            now, start = event.body["units"], event.body["start"]
        elif event.kind in ("rollout.rolled_back", "rollout.withdrawn"):
            now, start = (event.body["to"] or {"units": []})["units"], event.body["start"]
        else:
            continue
        since = {unit: since.get(unit, date.fromisoformat(start)) for unit in now}
    return since

"""Trigger: what asks for the next iteration, in words and figures that become its "why"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["schedule", "monitoring", "person"]


@dataclass(frozen=True)
class Trigger:
    """One request for another iteration.

    Attributes:
        kind: what asks: the charter's cron, the monitoring rule, or a person.
        sentence: the reason, one plain sentence for people.
        figures: what the reason stands on, JSON-ready.
        asked_by: who or what asked: a login, or the name of the flow.
    """

    kind: Kind
    sentence: str
    figures: Mapping[str, Any]
    asked_by: str

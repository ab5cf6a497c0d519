"""What a charter needs beside people's answers: periods, cutoffs and rungs that fit the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from pipeline.errors import DataError, Finding
from pipeline.problems.starting import Answers
from pipeline.tabular.forecasts import LEAST_PERIODS
from pipeline.tabular.parameters import Shape, Task, label, slug
from pipeline.tabular.starting.profile import Profile, task_of

#: Seeded groups that stand in for periods, and lots that stand in for units.
GROUPS, LOTS = 12, 20
#: A table by time needs so many periods, or it is dealt into groups.
_LEAST_BY_TIME = 14
_LEAST_UNITS = 6
#: Periods between two cutoffs at most.
_LONGEST = 13

#: What decisions are worth, by the shape of the decision: name and meaning.
WORTH: dict[Shape, tuple[tuple[str, str], ...]] = {
    "act": (
        ("hit", "acting on a case that asks for it"),
        ("false_alarm", "acting on a case that does not"),
        ("miss", "leaving a case that asks for action"),
        ("correct_rejection", "leaving a case that does not"),
    ),
    "assign": (("right", "the right class"), ("wrong", "a wrong class")),
    "estimate": (("over", "cost of each unit too high"), ("under", "cost of each unit too low")),
}
#: The same where an amount is foreseen and one acts or not.
AMOUNTS = (("per_unit", "acting, per unit of the target"), ("acting", "cost of acting on one case"))
BASELINES: dict[Shape, tuple[str, ...]] = {
    "act": ("nobody", "everybody"),
    "assign": ("most_common", "best_constant"),
    "estimate": ("mean", "median"),
}
_POLICY: dict[Shape, str] = {"act": "expected_value", "assign": "cost_matrix", "estimate": "estimate"}


def shape_for(task: Task, worth: Mapping[str, float]) -> Shape:
    """How a decision looks; of an amount one names the number, unless what acting is worth was said."""
    if task == "regression":
        return "act" if {name for name, _ in AMOUNTS} & set(worth) else "estimate"
    return "act" if task == "binary" else "assign"


@dataclass(frozen=True)
class Plan:
    """Everything of the charter that follows from the table and the columns that were named.

    Attributes:
        task: None while the target is not named.
        shape: of the decision; None likewise.
        key, time, unit, target, today: columns; empty where there is none.
        baseline: name of the policy; empty while nobody said.
        classes: values of the target; of two, the positive one last if it was named.
        positive: empty while nobody said.
        period: ``week`` or ``day``.
        periods: how many there are.
        every, cutoffs: of the backtest.
        units: how many there are.
    """

    task: Task | None
    shape: Shape | None
    key: str
    time: str
    unit: str
    target: str
    today: str
    baseline: str
    classes: tuple[str, ...]
    positive: str
    period: Literal["week", "day"]
    periods: int
    every: int
    cutoffs: int
    units: int

    @property
    def policy(self) -> str:
        """The decision policy that fits the task."""
        return _POLICY[self.shape] if self.shape else ""

    @property
    def ladder(self) -> tuple[tuple[str, float, int], ...]:
        """Rungs: name, share of the units and periods."""
        whole = ("all", 1.0, self.every)
        return (
            (("pilot", 0.25, self.every), ("half", 0.5, self.every), whole) if self.units >= _LEAST_UNITS else (whole,)
        )


def plan_for(profile: Profile, answers: Answers) -> Plan:
    """Put the answers and the proposals together.

    Raises:
        DataError: an answer names a column or a value that is not there.
    """
    named = {name: slug(getattr(answers, name)) for name in ("key", "time", "unit", "target") if getattr(answers, name)}
    baseline, _, column = answers.baseline.partition("=")
    if column:
        named["baseline"] = slug(column)
    there = ", ".join(map(str, profile.frame.columns))
    findings = [
        Finding(f"--{name} {column}", "the file has no such column", f"write one of: {there}")
        for name, column in named.items()
        if column not in profile.frame.columns
    ]
    if findings:
        raise DataError("A column is not there", findings)
    target = named.get("target", "")
    task = task_of(profile.frame[target]) if target else None
    shape = shape_for(task, answers.worth) if task else None
    time = named.get("time", profile.time)
    period, periods = _periods(profile.frame[time]) if time else ("week", 0)
    if periods < _LEAST_BY_TIME:
        time, period, periods = "", "week", GROUPS
    every = max(1, min(periods // 6, _LONGEST))
    unit = named.get("unit", profile.unit)
    return Plan(
        task=task,
        shape=shape,
        key=named.get("key", profile.key),
        time=time,
        unit=unit,
        target=target,
        today=named.get("baseline", ""),
        baseline=_known_baseline(shape, baseline),
        classes=_classes(profile, target, task),
        positive=_positive(profile, target, task, answers.positive),
        period=period,
        periods=periods,
        every=every,
        cutoffs=3 if periods >= 3 * every + LEAST_PERIODS else 2,
        units=int(profile.frame[unit].nunique()) if unit else LOTS,
    )


def _periods(cells: pd.Series) -> tuple[Literal["week", "day"], int]:
    """Weeks where the dates span half a year, days where they span less; and how many."""
    days = int((cells.max() - cells.min()).days) + 1
    return ("week", days // 7 + 1) if days >= 7 * 26 else ("day", days)


def _known_baseline(shape: Shape | None, name: str) -> str:
    if name and shape and name not in (*BASELINES[shape], "today"):
        remedy = f"write one of: {', '.join(BASELINES[shape])}, or today=COLUMN"
        raise DataError("No such baseline", [Finding(f"--baseline {name}", "this target has no such one", remedy)])
    return name


def _classes(profile: Profile, target: str, task: Task | None) -> tuple[str, ...]:
    if task in (None, "regression"):
        return ()
    cells: list[Any] = profile.frame[target].dropna().tolist()
    return tuple(sorted({label(cell) for cell in cells}))


def _positive(profile: Profile, target: str, task: Task | None, said: str) -> str:
    if task != "binary" or not said:
        return ""
    classes = _classes(profile, target, task)
    if label(said) not in classes:
        finding = Finding(f"--positive {said}", f"{target} has no such value", f"write one of: {', '.join(classes)}")
        raise DataError("A value is not there", [finding])
    return label(said)

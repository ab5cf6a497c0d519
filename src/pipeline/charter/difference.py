"""What changed between two charters, and whether it makes success easier or the project larger.

A goal that is quietly loosened and a scope that is quietly widened are how pilots drift. Both are shown, and need the
sponsor again.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.charter.advice import element_name
from pipeline.charter.checks import looser
from pipeline.charter.model import Charter, Direction

ChangeKind = Literal["tightened", "loosened", "widened", "neutral"]

_GOAL_IDENTITY = ("name", "unit", "direction")
_BRACKETS = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Change:
    """One difference between two charters.

    Attributes:
        path: where, such as ``stages[pilot].units``; whole list elements and whole lists of words stay whole.
        old, new: plain JSON values; None where there was or is nothing.
        kind: ``tightened`` and ``loosened`` say whether success has become harder or easier to claim, ``widened`` that
            the project covers more, ``neutral`` everything else.
    """

    path: str
    old: Any
    new: Any
    kind: ChangeKind

    @property
    def needs_sponsor(self) -> bool:
        """Whether the sponsor has to agree again."""
        return self.kind in ("loosened", "widened")


def difference(old: Charter, new: Charter) -> tuple[Change, ...]:
    """All changes from one charter to another, in the order of the charter; empty only for equal digests.

    Where the goal's or a guardrail's name, unit or direction changes, old and new numbers cannot be compared, and the
    change counts as loosened.
    """
    before, after = old.canonical(), new.canonical()
    judge = _Judge(before, after)
    return tuple(
        Change(path, was, now, judge.kind(path, was, now)) for path, was, now in _changes(before, after, path="")
    )


def _changes(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of every difference."""
    if _same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif _by_name(old) is not None and _by_name(new) is not None:
        yield from _element_changes(_by_name(old) or {}, _by_name(new) or {}, path)
    else:
        yield path, old, new


def _element_changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*old, *new]):
        yield from _changes(old.get(name), new.get(name), f"{path}[{name}]")
    kept_before, kept_after = [name for name in old if name in new], [name for name in new if name in old]
    if kept_before != kept_after:
        yield path, list(old), list(new)


def _by_name(value: Any) -> dict[str, Any] | None:
    """A list of named elements as a mapping, or None when the value is no such list."""
    if not isinstance(value, list):
        return None
    names = [element_name(element) for element in value]
    if None in names or len(set(names)) != len(names):
        return None
    return {str(name): element for name, element in zip(names, value, strict=True)}


def _same(old: Any, new: Any) -> bool:
    """Equality as the digest sees it: 1, 1.0 and true are three values; the order of keys does not matter."""
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


class _Judge:
    """Knows both charters, to tell for one change in which direction it goes."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.old, self.new = old, new

    def kind(self, path: str, old: Any, new: Any) -> ChangeKind:
        """The kind of one change."""
        rule = _RULES.get(_BRACKETS.sub("[]", path)) or _section_rule(path)
        return rule(self, path, old, new) if rule else "neutral"

    def toward_goal(self, _path: str, old: Any, new: Any) -> ChangeKind:
        """A number in the goal's KPI: the target, a milestone, the worst unit's limit."""
        return _limit(self.old["kpi"], self.new["kpi"], old, new)

    def toward_guardrail(self, path: str, old: Any, new: Any) -> ChangeKind:
        """A guardrail's limit, judged by the guardrail's own direction."""
        name = path[path.index("[") + 1 : path.index("]")]
        before, after = (_by_name(charter["guardrails"]) or {} for charter in (self.old, self.new))
        return _limit(before[name], after[name], old, new)

    def stage(self, _path: str, old: Any, _new: Any) -> ChangeKind:
        """A rung added is more units; a rung skipped on the way to the top is a measurement less."""
        if old is None:
            return "widened"
        last = self.new["stages"][-1]["units"]
        if isinstance(old["units"], int) and isinstance(last, int) and old["units"] >= last:
            return "neutral"
        return "loosened"


def _limit(old_kpi: Mapping[str, Any], new_kpi: Mapping[str, Any], old: Any, new: Any) -> ChangeKind:
    if any(old_kpi[key] != new_kpi[key] for key in _GOAL_IDENTITY):
        return "loosened"
    if old is None or new is None:
        return "tightened" if old is None else "loosened"
    direction: Direction = new_kpi["direction"]
    return _moved(looser(new, old, direction), looser(old, new, direction))


def _moved(is_looser: bool, is_tighter: bool) -> ChangeKind:  # noqa: FBT001 (two sides of one comparison)
    if is_looser:
        return "loosened"
    return "tightened" if is_tighter else "neutral"


_Rule = Callable[[_Judge, str, Any, Any], ChangeKind]


def _less_is_tighter(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    return _moved(new > old, new < old)


def _more_is_tighter(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    return _moved(new < old, new > old)


def _always_loosened(_judge: _Judge, _path: str, _old: Any, _new: Any) -> ChangeKind:
    return "loosened"


def _more_words_is_tighter(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    before, after = set(old or ()), set(new or ())
    return _moved(not before <= after, before < after)


def _more_words_is_wider(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    return "neutral" if set(new or ()) <= set(old or ()) else "widened"


def _fewer_words_is_wider(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    return "neutral" if set(old or ()) <= set(new or ()) else "widened"


def _more_is_wider(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    return "widened" if new > old else "neutral"


def _more_units_is_wider(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    """Counts and shares by size, lists by what they hold; units chosen in another way may be any units."""
    if isinstance(old, int | float) and isinstance(new, int | float):
        return "widened" if new > old else "neutral"
    if isinstance(old, list) and isinstance(new, list):
        return "neutral" if set(new) <= set(old) else "widened"
    return "widened"


def _added_is_tighter(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    return _moved(old is not None and new is None, old is None)


def _limit_or_none(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    """A limit that may be left out: none is the loosest."""
    if old is None or new is None:
        return _moved(new is None, old is None)
    return _moved(new > old, new < old)


def _less_risk_is_looser(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    classes = ("minimal", "limited", "high")
    return _moved(classes.index(new) < classes.index(old), classes.index(new) > classes.index(old))


def _refusing_is_tighter(_judge: _Judge, _path: str, _old: Any, new: Any) -> ChangeKind:
    return _moved(new == "allow", new == "refuse")


def _holding_is_tighter(_judge: _Judge, _path: str, _old: Any, new: Any) -> ChangeKind:
    return _moved(not new, bool(new))


def _more_personal_is_wider(_judge: _Judge, _path: str, old: Any, new: Any) -> ChangeKind:
    columns = [{one["column"] for one in side or ()} for side in (old, new)]
    return "neutral" if columns[1] <= columns[0] else "widened"


def _section_rule(path: str) -> _Rule | None:
    """Rules of sections whose keys the charter's author chooses."""
    if path.startswith("sign."):
        return _more_words_is_tighter
    if path.startswith("scope.leave_out."):
        return _fewer_words_is_wider
    if path.startswith("stages[") and "].units." in path:
        return _more_units_is_wider
    return None


_RULES: dict[str, _Rule] = {
    "problem": _always_loosened,
    "kpi.name": _always_loosened,
    "kpi.unit": _always_loosened,
    "kpi.direction": _always_loosened,
    "kpi.baseline.policy": _always_loosened,
    "kpi.baseline.measured_over": _more_is_tighter,
    "kpi.target": _Judge.toward_goal,
    "kpi.deadline": _less_is_tighter,
    "guardrails[]": _added_is_tighter,
    "guardrails[].unit": _always_loosened,
    "guardrails[].direction": _always_loosened,
    "guardrails[].limit": _Judge.toward_guardrail,
    "guardrails[].versus_baseline": _Judge.toward_guardrail,
    "scope.in": _more_words_is_wider,
    "scope.out": _fewer_words_is_wider,
    "strategy.review_every_weeks": _less_is_tighter,
    "data.tables[].freshness_days": _less_is_tighter,
    "data.minimum_history": _more_is_tighter,
    "data.max_quarantine_share": _less_is_tighter,
    "data.min_coverage": _more_is_tighter,
    "controls": _more_words_is_tighter,
    "compliance.risk_class": _less_risk_is_looser,
    "compliance.sets": _more_words_is_tighter,
    "compliance.personal_data": _more_personal_is_wider,
    "compliance.limits.max_change": _limit_or_none,
    "compliance.limits.free_units": _less_is_tighter,
    "compliance.limits.cap": _limit_or_none,
    "compliance.limits.outside_training": _refusing_is_tighter,
    "compliance.limits.most_limited": _less_is_tighter,
    "compliance.fairness.versus_baseline": _limit_or_none,
    "compliance.metric_tolerance": _less_is_tighter,
    "compliance.retention_days": _more_is_tighter,
    "compliance.legal_hold": _holding_is_tighter,
    "stages[]": _Judge.stage,
    "stages[].units": _more_units_is_wider,
    "stages[].units.share": _more_units_is_wider,
    "stages[].controls": _more_is_tighter,
    "stages[].enter": _more_words_is_tighter,
    "stages[].stay": _more_words_is_tighter,
    "stages[].sign": _added_is_tighter,
    "stages[].periods": _more_is_tighter,
    "stages[].milestone": _Judge.toward_goal,
    "stages[].worst_unit_limit": _Judge.toward_goal,
    "schedule.retrain": _added_is_tighter,
    "schedule.monitor": _added_is_tighter,
    "retrain.when": _always_loosened,
    "retrain.clear_after": _less_is_tighter,
    "retrain.cool_down": _less_is_tighter,
    "budget.iterations": _less_is_tighter,
    "budget.money": _less_is_tighter,
    "budget.stop_after_no_gain": _less_is_tighter,
}

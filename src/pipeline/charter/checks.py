"""Checks across the fields of a charter: what no single field can know.

Each check names the paths it reads, so that it still runs when another part is broken: a file is told all that
is wrong with it at once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from pipeline.charter.advice import Advice, Path
from pipeline.charter.model import DECISIONS, Charter, Direction, UnitShare
from pipeline.charter.rules import RuleError, metrics_of, parse
from pipeline.charter.timetable import cron_fault, zone_fault
from pipeline.language import say

_NOTHING: frozenset[Path] = frozenset()
#: With fewer controls a placebo test among them can never fall below 5 %: ``1 / (1 + C(6, 3))`` is 4.8 %.
LEAST_CONTROLS = 6


@dataclass(frozen=True)
class _Check:
    find: Callable[[Charter], Iterator[Advice]]
    reads: tuple[Path, ...]

    def can_read(self, broken: frozenset[Path]) -> bool:
        """Whether nothing the check reads is broken, in itself, within it or around it."""
        return not any(_overlap(read, path) for read in self.reads for path in broken)


def check_charter(charter: Charter, today: date, broken: frozenset[Path] = _NOTHING) -> tuple[Advice, ...]:
    """Everything wrong across fields, dates included.

    Args:
        charter: the charter.
        today: the day it is read; a deadline is over from the day after it on.
        broken: paths of the charter that cannot be read; checks that would read them are left out.
    """
    timely = (
        _Check(lambda charter: _deadline(charter, today), _reads("kpi.deadline")),
        _Check(lambda charter: _last_review(charter, today), _reads("strategy.last_reviewed")),
    )
    return _found_by(timely, charter, broken) + check_consistency(charter, broken)


def check_consistency(charter: Charter, broken: frozenset[Path] = _NOTHING) -> tuple[Advice, ...]:
    """Everything wrong across fields that does not depend on the day.

    Args:
        charter: the charter.
        broken: paths of the charter that cannot be read; checks that would read them are left out.
    """
    return _found_by(_CHECKS, charter, broken)


def _found_by(checks: Iterable[_Check], charter: Charter, broken: frozenset[Path]) -> tuple[Advice, ...]:
    return tuple(advice for check in checks if check.can_read(broken) for advice in check.find(charter))


def _reads(*dotted: str) -> tuple[Path, ...]:
    return tuple(tuple(text.split(".")) for text in dotted)


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _deadline(charter: Charter, today: date) -> Iterator[Advice]:
    deadline = charter.kpi.deadline
    if today > deadline:
        yield Advice(
            ("kpi", "deadline"),
            f"{deadline} is past; today is {today}",
            "agree on a new date with the sponsor (a later deadline is a loosened goal), or stop the project",
        )


def _last_review(charter: Charter, today: date) -> Iterator[Advice]:
    reviewed = charter.strategy.last_reviewed
    if reviewed > today:
        yield Advice(
            ("strategy", "last_reviewed"),
            f"{reviewed} lies in the future; today is {today}",
            "write the day the strategy was last looked at; the next day follows from review_every_weeks",
        )


def _people_ids(charter: Charter) -> Iterator[Advice]:
    yield from _repeated(("people",), "id", [person.id for person in charter.people])


def _repeated(path: Path, key: str | None, values: Iterable[str]) -> Iterator[Advice]:
    """An advice for each value of a list that already stands before it."""
    seen: dict[str, int] = {}
    for position, value in enumerate(values):
        if value in seen:
            yield Advice(
                (*path, position, *([key] if key else [])),
                say("'{value}' a second time, after position {place}", value=value, place=seen[value] + 1),
                say("give each {key} once", key=key) if key else say("remove the repetition"),
            )
        seen.setdefault(value, position)


def _table_names(charter: Charter) -> Iterator[Advice]:
    yield from _repeated(("data", "tables"), "name", [table.name for table in charter.data.tables])


def _model_names(charter: Charter) -> Iterator[Advice]:
    candidates = charter.model.candidates
    yield from _repeated(("model", "candidates"), "name", [candidate.name for candidate in candidates])
    for position, candidate in enumerate(candidates):
        yield from _repeated(("model", "candidates", position, "features"), None, candidate.features)


def _stage_names(charter: Charter) -> Iterator[Advice]:
    yield from _repeated(("stages",), "name", [stage.name for stage in charter.stages])


def _control_names(charter: Charter) -> Iterator[Advice]:
    yield from _repeated(("controls",), None, charter.controls)


def _compliance(charter: Charter) -> Iterator[Advice]:
    asked = charter.compliance
    yield from _repeated(("compliance", "sets"), None, asked.sets)
    yield from _repeated(("compliance", "personal_data"), "column", [one.column for one in asked.personal_data])
    for position, one in enumerate(asked.personal_data):
        if "." not in one.column:
            remedy = "write table and column with a dot between them, such as `column: stores.manager_phone`"
            yield Advice(("compliance", "personal_data", position, "column"), f"'{one.column}'", remedy)


def _guardrails(charter: Charter) -> Iterator[Advice]:
    yield from _repeated(("guardrails",), "name", [guardrail.name for guardrail in charter.guardrails])
    for position, guardrail in enumerate(charter.guardrails):
        path: Path = ("guardrails", position)
        if (guardrail.limit is None) == (guardrail.versus_baseline is None):
            found = "neither limit nor versus_baseline" if guardrail.limit is None else "limit and versus_baseline"
            yield Advice(
                path, found, "write exactly one: `limit: 0.042` (absolute) or `versus_baseline: 1.0` (times baseline)"
            )
        if guardrail.unit == "share" and guardrail.limit is not None:
            yield from _share((*path, "limit"), guardrail.limit)


def _guardrail_is_not_the_goal(charter: Charter) -> Iterator[Advice]:
    for position, guardrail in enumerate(charter.guardrails):
        if guardrail.name == charter.kpi.name:
            yield Advice(
                ("guardrails", position, "name"),
                f"'{guardrail.name}', which is the goal itself",
                "name another KPI; the goal has its own target, milestones and worst_unit_limit",
            )


def _scope(charter: Charter) -> Iterator[Advice]:
    yield from _repeated(("scope", "in"), None, charter.scope.included)
    yield from _repeated(("scope", "out"), None, charter.scope.excluded)
    for position, item in enumerate(charter.scope.excluded):
        if item in charter.scope.included:
            found = say("'{item}', which is also in scope", item=item)
            yield Advice(("scope", "out", position), found, say("keep it in one of the two"))


def _owner(charter: Charter) -> Iterator[Advice]:
    owner = charter.kpi.owner
    if charter.person(owner) is None:
        yield Advice(("kpi", "owner"), f"'{owner}', who is not among the people", _name_somebody(charter))


def _sponsor(charter: Charter) -> Iterator[Advice]:
    sponsor = charter.strategy.sponsor
    person = charter.person(sponsor)
    if person is None:
        yield Advice(("strategy", "sponsor"), f"'{sponsor}', who is not among the people", _name_somebody(charter))
    elif person.role != "sponsor":
        yield Advice(
            ("strategy", "sponsor"),
            f"'{sponsor}', whose role is {person.role}",
            "name a person whose role is sponsor: who pays for the project must be able to stop it",
        )


def _name_somebody(charter: Charter) -> str:
    return f"add this person, or name one of: {', '.join(person.id for person in charter.people)}"


def _sign(charter: Charter) -> Iterator[Advice]:
    for decision in DECISIONS:
        roles = charter.sign.get(decision)
        if not roles:
            found = "the key is missing" if roles is None else "an empty list"
            remedy = (
                f"write who must sign, such as `{decision}: [business_owner]`; a decision nobody signs is made by drift"
            )
            yield Advice(("sign", decision), found, remedy)
        else:
            yield from _repeated(("sign", decision), None, roles)
    advance = charter.sign.get("advance", ())
    if len(set(advance)) == 1:
        yield Advice(
            ("sign", "advance"),
            f"one role only, {advance[0]}",
            "name at least two roles, such as `advance: [sponsor, business_owner]`: going up never hangs on one person",
        )


def _signing_roles_are_filled(charter: Charter) -> Iterator[Advice]:
    filled = Counter(person.role for person in charter.people)
    for decision, roles in charter.sign.items():
        for position, role in enumerate(roles):
            if not filled[role]:
                yield Advice(
                    ("sign", decision, position),
                    f"the role {role}, which nobody fills",
                    f"add a person with `role: {role}` to people, or let another role sign",
                )


def _ladder(charter: Charter) -> Iterator[Advice]:
    for position, (lower, upper) in enumerate(pairwise(charter.stages), start=1):
        more = "each rung of the rollout must hold more units than the one below"
        path: Path = ("stages", position, "units")
        if upper.size is not None and lower.size is not None and upper.size <= lower.size:
            found = f"{upper.size} units after {lower.size} on '{lower.name}'"
            yield Advice(path, found, f"write more than {lower.size}: {more}")
        shares = [rung.units.share for rung in (lower, upper) if isinstance(rung.units, UnitShare)]
        if len(shares) > 1 and shares[1] <= shares[0]:
            found = f"the share {shares[1]:g} after {shares[0]:g} on '{lower.name}'"
            yield Advice((*path, "share"), found, f"write more than {shares[0]:g}: {more}")
        if isinstance(upper.units, tuple) and isinstance(lower.units, tuple):
            lost = [unit for unit in lower.units if unit not in upper.units]
            if lost:
                yield Advice(path, f"without '{lost[0]}' of '{lower.name}'", f"add {', '.join(lost)}: {more}")


def _stage_units(charter: Charter) -> Iterator[Advice]:
    for position, stage in enumerate(charter.stages):
        if isinstance(stage.units, tuple):
            yield from _repeated(("stages", position, "units"), None, stage.units)


def _stage_controls(charter: Charter) -> Iterator[Advice]:
    for position, stage in enumerate(charter.stages):
        if 0 < stage.controls < LEAST_CONTROLS:
            yield Advice(
                ("stages", position, "controls"),
                f"{stage.controls} controls",
                f"write 0 or at least {LEAST_CONTROLS}: fewer cannot tell an effect from luck, whatever is measured",
            )


def _stage_signers(charter: Charter) -> Iterator[Advice]:
    filled = {person.role for person in charter.people}
    for position, stage in enumerate(charter.stages):
        if stage.sign is None:
            continue
        path: Path = ("stages", position, "sign")
        if len(set(stage.sign)) < 2:
            remedy = "name at least two roles, or leave the key out: going up never hangs on one person"
            yield Advice(path, f"{len(set(stage.sign))} roles", remedy)
        yield from _repeated(path, None, stage.sign)
        for place, role in enumerate(stage.sign):
            if role not in filled:
                remedy = f"add a person with `role: {role}` to people, or let another role sign"
                yield Advice((*path, place), f"the role {role}, which nobody fills", remedy)


def _milestones(charter: Charter) -> Iterator[Advice]:
    """Milestones never ease from rung to rung."""
    direction = charter.kpi.direction
    for position, (lower, upper) in enumerate(pairwise(charter.stages), start=1):
        if looser(upper.milestone, lower.milestone, direction):
            yield Advice(
                ("stages", position, "milestone"),
                f"{upper.milestone:g} after the stricter {lower.milestone:g} on '{lower.name}'",
                f"write {lower.milestone:g} or {_better(direction)}: a rung never asks less than the one below",
            )


def _last_milestone(charter: Charter) -> Iterator[Advice]:
    direction, target, last = charter.kpi.direction, charter.kpi.target, charter.stages[-1].milestone
    if looser(last, target, direction):
        yield Advice(
            ("stages", len(charter.stages) - 1, "milestone"),
            f"{last:g}, which is easier than the target {target:g}",
            f"write {target:g} or {_better(direction)}: the last rung must reach the target",
        )


def _target_share(charter: Charter) -> Iterator[Advice]:
    if charter.kpi.unit == "share":
        yield from _share(("kpi", "target"), charter.kpi.target)


def _stage_shares(charter: Charter) -> Iterator[Advice]:
    if charter.kpi.unit != "share":
        return
    for position, stage in enumerate(charter.stages):
        yield from _share(("stages", position, "milestone"), stage.milestone)
        yield from _share(("stages", position, "worst_unit_limit"), stage.worst_unit_limit)


def _share(path: Path, value: float) -> Iterator[Advice]:
    if not 0 <= value <= 1:
        remedy = f"write a share between 0 and 1; {value:g} % is {value / 100:g}"
        yield Advice(path, f"{value:g}, though the unit is a share", remedy)


def _money(charter: Charter) -> Iterator[Advice]:
    planned = sum(stage.resources.money for stage in charter.stages)
    if planned > charter.budget.money:
        yield Advice(
            ("budget", "money"),
            f"{charter.budget.money:,.0f} {charter.budget.currency}, while the stages plan {planned:,.0f}",
            f"write at least {planned:.0f}, or plan less in the stages' resources",
        )


def _baseline_history(charter: Charter) -> Iterator[Advice]:
    measured, history = charter.kpi.baseline.measured_over, charter.data.minimum_history
    if measured > history:
        yield Advice(
            ("kpi", "baseline", "measured_over"),
            f"{measured} periods, more than data.minimum_history asks for ({history})",
            f"write at most {history}: the baseline can only be measured where there is data",
        )


def _time_zone(charter: Charter) -> Iterator[Advice]:
    fault = zone_fault(charter.schedule.time_zone)
    if fault is not None:
        yield Advice(("schedule", "time_zone"), f"'{charter.schedule.time_zone}', which is no time zone", fault)


def _crons(charter: Charter) -> Iterator[Advice]:
    for key in ("retrain", "monitor"):
        cron = getattr(charter.schedule, key)
        fault = cron_fault(cron) if cron is not None else None
        if fault is not None:
            remedy = f"write minute, hour, day of month, month, day of week, such as {_CRONS[key]}"
            yield Advice(("schedule", key), f"'{cron}': {fault}", remedy)


_CRONS = {"retrain": '`retrain: "0 6 * * 1"` (Mondays at six)', "monitor": '`monitor: "0 5 * * *"` (daily at five)'}


def _retrain_rule(charter: Charter) -> Iterator[Advice]:
    try:
        parse(charter.retrain.when, metrics_of(charter))
    except RuleError as error:
        found = f"{error.found} at character {error.position} of '{charter.retrain.when}'"
        yield Advice(("retrain", "when"), found, error.expected)


def looser(value: float, than: float, direction: Direction) -> bool:
    """Whether a limit asks for less than another one, given which way is better."""
    return value > than if direction == "lower" else value < than


def _better(direction: Direction) -> str:
    return "less" if direction == "lower" else "more"


_CHECKS: tuple[_Check, ...] = (
    _Check(_people_ids, _reads("people")),
    _Check(_owner, _reads("people", "kpi.owner")),
    _Check(_sponsor, _reads("people", "strategy.sponsor")),
    _Check(_sign, _reads("sign")),
    _Check(_signing_roles_are_filled, _reads("sign", "people")),
    _Check(_guardrails, _reads("guardrails")),
    _Check(_guardrail_is_not_the_goal, _reads("guardrails", "kpi.name")),
    _Check(_scope, _reads("scope.in", "scope.out")),
    _Check(_table_names, _reads("data.tables")),
    _Check(_baseline_history, _reads("data.minimum_history", "kpi.baseline.measured_over")),
    _Check(_model_names, _reads("model.candidates")),
    _Check(_control_names, _reads("controls")),
    _Check(_compliance, _reads("compliance")),
    _Check(_stage_names, _reads("stages")),
    _Check(_ladder, _reads("stages")),
    _Check(_stage_units, _reads("stages")),
    _Check(_stage_controls, _reads("stages")),
    _Check(_stage_signers, _reads("stages", "people")),
    _Check(_milestones, _reads("stages", "kpi.direction")),
    _Check(_last_milestone, _reads("stages", "kpi.direction", "kpi.target")),
    _Check(_target_share, _reads("kpi.unit", "kpi.target")),
    _Check(_stage_shares, _reads("stages", "kpi.unit")),
    _Check(_money, _reads("stages", "budget.money", "budget.currency")),
    _Check(_time_zone, _reads("schedule.time_zone")),
    _Check(_crons, _reads("schedule.retrain", "schedule.monitor")),
    _Check(_retrain_rule, _reads("retrain.when", "kpi.name", "kpi.direction", "guardrails")),
)

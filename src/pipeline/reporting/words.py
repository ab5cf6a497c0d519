"""The pack's sentences: what happened, whether that is enough, and who is asked for what.

Short plain English for a store manager. Every sentence that judges names the figures it rests on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.charter import Charter, DecisionName, Role
from pipeline.evaluation.criteria import meets, worse_bound
from pipeline.evaluation.figures import contrast, show, show_interval
from pipeline.evaluation.outcomes import Direction, Interval, KpiResult
from pipeline.language.message import Message, Value, joined, say, term
from pipeline.reporting.evidence import ControlShown, DecisionOption, Evidence
from pipeline.reporting.manifest import manifest, report_digest
from pipeline.verdicts import Verdict

State = Literal["pass", "warning", "fail", "none"]

SYMBOLS: dict[State, str] = {"pass": "✓", "warning": "!", "fail": "✗", "none": "–"}
WORDS: dict[State, str] = {
    "pass": say("pass"),
    "warning": say("warning"),
    "fail": say("fail"),
    "none": say("not checked"),
}

FIELD = say("Against controls")

#: First word of a gate's name to the light it belongs to, in the order the lights stand.
LIGHTS: tuple[tuple[str, frozenset[str]], ...] = (
    (say("Goal"), frozenset({"kpi", "goal", "slice", "unit", "worst"})),
    (FIELD, frozenset({"field"})),
    (say("Guardrails"), frozenset({"guardrail", "guardrails"})),
    (say("Data"), frozenset({"data", "drift", "assessment"})),
    (say("Controls"), frozenset({"control", "controls", "compliance"})),
    (say("Budget"), frozenset({"budget", "deadline", "progress", "resources"})),
)

#: Units that stand with the figure or not at all; any other is named once, in a heading or on an axis.
UNITLESS = frozenset({"share", "index", ""})

_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?")

OTHERS = say("Other checks")

DECISION_TITLES: dict[DecisionName, str] = {
    "advance": say("Go up a stage"),
    "iterate": say("Improve first: another iteration"),
    "hold": say("Hold: stay at this stage"),
    "roll_back": say("Go down a stage"),
    "stop": say("Stop the project"),
}


PERIODS = {"week": say("weeks"), "day": say("days")}

ROLE_WORDS: dict[Role, Message] = {
    "sponsor": say("sponsor"),
    "business_owner": say("business owner"),
    "operations": say("operations"),
    "engineering": say("engineering"),
    "compliance": say("compliance"),
}

CONTROL_WORDS = {
    "holds": say("holds"), "fails": say("does not hold"), "overdue": say("nobody vouched yet"),
    "waived": say("waived"), "not_due": say("not due yet"),
}  # fmt: skip
CONTROL_KINDS = {
    "automated": say("checked by the program"), "attested": say("attested to"), "document": say("a document is named"),
}  # fmt: skip
CONTROL_MOMENTS = {
    "before_first_iteration": say("from the first iteration on"),
    "each_iteration": say("anew in each iteration"),
    "before_next_stage": say("before each stage"),
    "before_last_stage": say("before the last stage"),
}

#: How the charter's diff, feedback, arms and steps call things; printed through ``term``.
TERMS = (
    say("tightened"), say("loosened"), say("widened"), say("narrowed"), say("neutral"),
    say("applied"), say("deferred"), say("declined"), say("open"),
    say("baseline"), say("challenger"), say("champion"), say("variant"),
    say("load and check data"), say("assess data"), say("train and backtest"), say("track in MLflow"),
    say("play the decisions"), say("compare ways to decide"), say("evaluate"), say("drift report"), say("write report"),
    say("pick controls"), say("measure against controls"), say("person-days"), say("hours of computing"),
    say("check controls"), say("minimal"), say("limited"), say("high"),
    say("lower"), say("higher"), say("charter"), say("data"), say("code"), say("model"), say("figures"),
)  # fmt: skip

_NOT_YET = say("not certain yet")


def decision_titles(evidence: Evidence) -> dict[DecisionName, str]:
    """Each decision in a few words; at the top of the ladder there is no stage to go up to."""
    if evidence.charter.stage_after(evidence.stage.name) is None:
        return DECISION_TITLES | {"advance": say("Land: the goal is met")}
    return DECISION_TITLES


@dataclass(frozen=True)
class Light:
    """One traffic light: its name, its state as symbol and word, and the reasons that set it."""

    name: str
    state: State
    reasons: tuple[str, ...]

    @property
    def symbol(self) -> str:
        """The sign that stands beside the colour."""
        return SYMBOLS[self.state]

    @property
    def word(self) -> str:
        """The state in words."""
        return WORDS[self.state]


def control_sign(control: ControlShown) -> State:
    """The sign of a control's state; what only warns never looks like a failure."""
    if control.state == "fails":
        return "fail" if control.severity == "block" else "warning"
    return {"holds": "pass", "not_due": "none"}.get(control.state, "warning")  # type: ignore[return-value]


def bare(value: float, unit: str) -> Message:
    """A figure without its unit, where a heading or axis names it; per cent stays, being short."""
    text = show(value, unit)
    number = _NUMBER.search(text)
    return text if unit == "share" or number is None else Message(number.group())


def verdict_state(verdict: Verdict) -> State:
    """How a verdict is shown: a failed ``warn`` is a warning, and so is a waiver, which somebody answers for."""
    if verdict.outcome == "pass":
        return "pass"
    return "fail" if verdict.blocks else "warning"


def family(verdict: Verdict) -> str:
    """The light a verdict belongs to."""
    first = verdict.gate.split(".")[0]
    return next((name for name, gates in LIGHTS if first in gates), OTHERS)


def lights(verdicts: Sequence[Verdict]) -> tuple[Light, ...]:
    """One light per group of gates, the worst verdict of each setting it; field and others only where there are any."""
    groups = {name: [v for v in verdicts if family(v) == name] for name in (*(name for name, _ in LIGHTS), OTHERS)}
    return tuple(_light(name, group) for name, group in groups.items() if group or name not in {FIELD, OTHERS})


def _light(name: str, verdicts: Sequence[Verdict]) -> Light:
    states = [verdict_state(verdict) for verdict in verdicts]
    state: State = next((s for s in ("fail", "warning", "pass") if s in states), "none")
    reasons = () if state == "pass" else tuple(v.reason for v, s in zip(verdicts, states, strict=True) if s == state)
    return Light(name, state, reasons)


def baseline_label(evidence: Evidence) -> str:
    """The baseline in words, as the arms' table names it."""
    return arm_label(evidence, evidence.evaluation.baseline)


def arm_label(evidence: Evidence, name: str) -> str:
    """An arm in words: its label, or its name without punctuation."""
    label = next((arm.label for arm in evidence.arms if arm.name == name and arm.label), "")
    return term(label or name.removeprefix("baseline:").replace("_", " ").replace("-", " "))


def way_label(evidence: Evidence, name: str) -> str:
    """A way to decide in words: the judged model under a policy and level, or an arm."""
    studied = evidence.studied
    at = studied.steered.get(name) if studied else None
    if studied is None or at is None or name == studied.reference:
        return arm_label(evidence, name)
    return say(
        "{model}, {policy} {level}",
        model=arm_label(evidence, studied.reference), policy=term(at.policy.replace("_", " ")), level=f"{at.level:g}",
    )  # fmt: skip


def compared(value: Interval, limit: float, direction: Direction) -> Message:
    """Whether a figure keeps a limit: as in the gates, ``reached`` needs the worse end of the interval to keep it."""
    if not meets(value.value, limit, direction):
        return say("not reached")
    certain = meets(worse_bound(value, direction), limit, direction)
    return say("reached") if certain else say("not certain yet, the interval crosses it")


def compared_shortly(value: Interval, limit: float, direction: Direction) -> str:
    """The same for a cell of a table."""
    said = compared(value, limit, direction)
    return said if meets(worse_bound(value, direction), limit, direction) or said == "not reached" else _NOT_YET


def headline(evidence: Evidence) -> str:
    """What happened to the KPI, where, and whether the target is reached, in one sentence."""
    goal, target = evidence.goal, evidence.charter.kpi.target
    value_text, target_text = contrast(goal.value.value, target, goal.kpi.unit)
    said: dict[str, Value] = {
        "movement": _movement(goal, evidence), "units": goal.units, "unit_word": term(evidence.units_word),
        "stage": evidence.stage.name, "target": target_text,
        "verdict": compared(goal.value, target, goal.kpi.direction),
    }  # fmt: skip
    if value_text == show(goal.value.value, goal.kpi.unit):
        return say("{movement} in {units} {unit_word} (stage {stage}); the target is {target}: {verdict}.", **said)
    return say(
        "{movement} in {units} {unit_word} (stage {stage}); exactly {exactly} where the target is {target}: {verdict}.",
        **said,
        exactly=value_text,
    )


def _movement(goal: KpiResult, evidence: Evidence) -> str:
    """The direction only where the paired interval names one; "would have" where the past was only played again."""
    unit = goal.kpi.unit
    said = {
        "kpi": term(goal.kpi.title),
        "now": show_interval(goal.value, unit),
        "before": show(goal.baseline.value, unit),
    }
    replay = evidence.evaluation.kind == "replay"
    if goal.difference.high < 0:
        if replay:
            return say("{kpi} would have fallen from {before} to {now}", **said)
        return say("{kpi} fell from {before} to {now}", **said)
    if goal.difference.low > 0:
        if replay:
            return say("{kpi} would have risen from {before} to {now}", **said)
        return say("{kpi} rose from {before} to {now}", **said)
    if replay:
        return say("{kpi} would have been {now} against {before} today, no clear difference,", **said)
    return say("{kpi} was {now} against {before} today, no clear difference,", **said)


def comparison(evidence: Evidence) -> str:
    """What the headline's first figure is, and whether the stage's own milestone is met where it has one."""
    stage, goal, period = evidence.stage, evidence.goal, evidence.charter.data.period
    replay = evidence.evaluation.kind == "replay"
    basis = say(
        "Beside {baseline} in the same {unit_word} and {periods}, {how}.",
        baseline=baseline_label(evidence), unit_word=term(evidence.units_word), periods=PERIODS[period],
        how=say("played against recorded history") if replay else say("measured in the field"),
    )  # fmt: skip
    if stage.milestone == evidence.charter.kpi.target:
        return basis
    verdict = compared(goal.value, stage.milestone, goal.kpi.direction)
    milestone = say(
        "The milestone of stage {stage} is {milestone}: {verdict}.",
        stage=stage.name, milestone=show(stage.milestone, goal.kpi.unit), verdict=verdict,
    )  # fmt: skip
    return joined([basis, milestone])


def name_of(charter: Charter, identity: str) -> str:
    """A person's name, or the identity of somebody the charter does not name."""
    person = charter.person(identity)
    return person.name if person else identity


def signers(charter: Charter, option: DecisionOption) -> str:
    """Who must sign a decision: roles with the people who hold them."""
    signed = [_signer(charter, role) for role in option.signers]
    if not signed:
        return say("nobody may take this decision under the charter")
    together = signed[0]
    for one in signed[1:]:
        together = say("{one} and {other}", one=together, other=one)
    return together


def _signer(charter: Charter, role: Role) -> Message:
    names = ", ".join(person.name for person in charter.people if person.role == role)
    return say("{role} ({names})", role=ROLE_WORDS[role], names=names or say("nobody named"))


def summary_lines(evidence: Evidence) -> list[str]:
    """The pack in a few lines for a terminal."""
    states = " · ".join(f"{light.name} {light.symbol} {light.word}" for light in lights(evidence.verdicts))
    lines = [
        f"{evidence.charter.title}, iteration {evidence.iteration}, stage {evidence.stage.name}",
        headline(evidence),
        comparison(evidence),
        states,
    ]
    lines += [f"  {light.symbol} {reason}" for light in lights(evidence.verdicts) for reason in light.reasons]
    for option in evidence.decisions:
        next_step = option.consequence if option.available else f"not open: {option.reason}"
        lines.append(f"{option.decision}: {next_step} Signs: {signers(evidence.charter, option)}.")
    if evidence.recorded_case:
        lines.append("Decisions in this case are recorded, not made by people.")
    lines.append(f"Report {report_digest(manifest(evidence))}")
    return lines

"""The controls a charter may ask for: what each one checks, and its verdict.

A control passes on what it found, never on what somebody stated, and fails where it has nothing to look at.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path

from pipeline.charter import Charter
from pipeline.charter.advice import Advice
from pipeline.compliance.formats import unsafe_files
from pipeline.compliance.personal import Samples, signs
from pipeline.language.message import say
from pipeline.verdicts import Outcome, Verdict

#: So many ways to do without a model must have been played beside it.
LEAST_BASELINES = 2
#: So many places are named in a reason; the figures hold the number of all.
NAMED = 5


@dataclass(frozen=True)
class ControlInputs:
    """What the controls look at.

    Attributes:
        charter: whose controls are checked.
        model: the charter's KPI of the arm to be released.
        baselines: the charter's KPI of every arm without a model that was played on the same units and periods.
        assessment: verdicts of the data assessment.
        model_directory: files of the model to be released.
        samples: per table and column, a small sample of values; see :func:`pipeline.compliance.personal.sampled`.
    """

    charter: Charter
    model: float
    baselines: Mapping[str, float]
    assessment: tuple[Verdict, ...]
    model_directory: Path
    samples: Samples


@dataclass(frozen=True)
class _Answer:
    passed: bool
    reason: str
    figures: dict[str, float | int | str | None]


@dataclass(frozen=True)
class _Control:
    title: str
    answer: Callable[[ControlInputs], _Answer]


def known_controls() -> tuple[str, ...]:
    """The controls a charter may name."""
    return tuple(_CONTROLS)


def check(charter: Charter) -> tuple[Advice, ...]:
    """Every control of a charter that nobody knows, with the nearest known one."""
    return tuple(
        Advice(("controls", place), f"no control is called {slug!r}", _nearest(slug))
        for place, slug in enumerate(charter.controls)
        if slug not in _CONTROLS
    )


def judge_controls(inputs: ControlInputs) -> tuple[Verdict, ...]:
    """One verdict ``control.<slug>`` per control of the charter, in its order; a failed one blocks.

    A control that nobody knows fails; :func:`check` refuses it earlier, when the charter is read.
    """
    return tuple(_judged(slug, inputs) for slug in inputs.charter.controls)


def _judged(slug: str, inputs: ControlInputs) -> Verdict:
    control = _CONTROLS.get(slug, _Control(say("Control {control} holds", control=slug), _unknown))
    answer = control.answer(inputs)
    outcome: Outcome = "pass" if answer.passed else "fail"
    return Verdict(f"control.{slug}", control.title, outcome, "block", answer.reason, answer.figures)


def _unknown(inputs: ControlInputs) -> _Answer:  # noqa: ARG001
    reason = say("Nobody knows how to check it; known are {known}.", known=_known())
    return _Answer(passed=False, reason=reason, figures={})


def _non_ml_alternative(inputs: ControlInputs) -> _Answer:
    """The alternative without a model was measured; whether the model beats it is the gates' affair, but shown."""
    measured = {name: value for name, value in inputs.baselines.items() if math.isfinite(value)}
    figures: dict[str, float | int | str | None] = {"model": _finite(inputs.model), "baselines": len(measured)}
    if len(measured) < LEAST_BASELINES or not math.isfinite(inputs.model):
        reason = say(
            "{number} ways to do without a model could be measured beside it; {least} are asked.",
            number=len(measured), least=LEAST_BASELINES,
        )  # fmt: skip
        return _Answer(passed=False, reason=reason, figures=figures)
    kpi = inputs.charter.kpi
    lower = kpi.direction == "lower"
    best = (min if lower else max)(measured, key=lambda name: measured[name])
    beaten = inputs.model < measured[best] if lower else inputs.model > measured[best]
    reason = say(
        "{number} ways to do without a model were played beside it on the same units; the best, {best}, gave {kpi} of "
        "{value}, the model {model}: {so}.",
        number=len(measured), best=best, kpi=kpi.name, value=f"{measured[best]:.4g}", model=f"{inputs.model:.4g}",
        so=say("the model is better") if beaten else say("doing without a model is as good or better"),
    )  # fmt: skip
    return _Answer(passed=True, reason=reason, figures=figures | {"best": best, "best_value": measured[best]})


def _of_assessment(gate: str) -> Callable[[ControlInputs], _Answer]:
    """Passes with the assessment's verdict of that name, and fails when it was never given."""

    def answer(inputs: ControlInputs) -> _Answer:
        found = next((verdict for verdict in inputs.assessment if verdict.gate == gate), None)
        if found is None:
            reason = say("The data assessment gave no verdict {gate}.", gate=gate)
            return _Answer(passed=False, reason=reason, figures={})
        return _Answer(passed=found.outcome == "pass", reason=found.reason, figures=found.figures)

    return answer


def _safe_model_format(inputs: ControlInputs) -> _Answer:
    unsafe = unsafe_files(inputs.model_directory)
    if not unsafe:
        reason = say("All model files hold data only; none can run code.")
        return _Answer(passed=True, reason=reason, figures={"unsafe": 0})
    named = "; ".join(f"{name}: {reason}" for name, reason in list(unsafe.items())[:NAMED])
    reason = say("{number} model files were refused: {names}.", number=len(unsafe), names=named)
    return _Answer(passed=False, reason=reason, figures={"unsafe": len(unsafe)})


def _four_eyes(inputs: ControlInputs) -> _Answer:
    """Two roles that two different people hold; one name under two ids is one person."""
    roles = tuple(dict.fromkeys(inputs.charter.sign.get("advance", ())))
    holders = {role: {_same(p.name) for p in inputs.charter.people if p.role == role} for role in roles}
    vacant = [role for role, names in holders.items() if not names]
    two = any(len(holders[one] | holders[other]) > 1 for one, other in combinations(roles, 2))
    people = len(set[str]().union(*holders.values()))
    figures: dict[str, float | int | str | None] = {"roles": len(roles), "people": people}
    if vacant:
        reason = say("Nobody holds the role {roles}, which must sign to advance.", roles=", ".join(vacant))
    elif two:
        reason = say(
            "To advance takes {number} roles ({roles}), held by {people} different people.",
            number=len(roles), roles=", ".join(roles), people=people,
        )  # fmt: skip
    else:
        reason = say(
            "To advance takes {number} roles held by {people} people; it must take two roles and two people.",
            number=len(roles), people=people,
        )  # fmt: skip
    return _Answer(passed=two and not vacant, reason=reason, figures=figures)


def _personal_data(inputs: ControlInputs) -> _Answer:
    columns = sum(len(table) for table in inputs.samples.values())
    found = signs(inputs.samples)
    figures: dict[str, float | int | str | None] = {"columns": columns, "found": len(found)}
    if not columns:
        return _Answer(passed=False, reason=say("There was no column to look at."), figures=figures)
    if not found:
        reason = say("None of {columns} columns is named or filled like personal data.", columns=columns)
        return _Answer(passed=True, reason=reason, figures=figures)
    named = ", ".join(str(sign) for sign in found[:NAMED])
    reason = say(
        "{found} of {columns} columns look like personal data: {names}; leave them out at the source.",
        found=len(found), columns=columns, names=named,
    )  # fmt: skip
    return _Answer(passed=False, reason=reason, figures=figures)


_CONTROLS: dict[str, _Control] = {
    "non_ml_alternative": _Control(say("Doing without a model was measured too"), _non_ml_alternative),
    "leakage": _Control(say("No feature sees the future"), _of_assessment("data.leakage")),
    "quarantine_bounded": _Control(say("Few rows were refused"), _of_assessment("data.quarantine")),
    "safe_model_format": _Control(say("The model files cannot run code"), _safe_model_format),
    "four_eyes": _Control(say("Two people must agree to advance"), _four_eyes),
    "personal_data": _Control(say("The data holds nothing about persons"), _personal_data),
}


def _nearest(slug: str) -> str:
    near = get_close_matches(slug, _CONTROLS, n=1)
    return f"write {near[0]!r}, or one of {_known()}" if near else f"write one of {_known()}"


def _known() -> str:
    return ", ".join(_CONTROLS)


def _same(name: str) -> str:
    return " ".join(name.casefold().split())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

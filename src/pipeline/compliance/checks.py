"""The checks of data, model files and people: what each one looks at, and its answer.

A check passes on what it found, never on what somebody stated, and fails where it has nothing to look at.
"""

import math
from collections.abc import Callable, Sequence
from itertools import combinations

from pipeline.compliance.formats import unsafe_files
from pipeline.compliance.inputs import Answer, ControlInputs, Figures
from pipeline.compliance.personal import signs
from pipeline.language.message import joined, say, term

#: So many ways to do without a model must have been played beside it.
LEAST_BASELINES = 2
#: So many places are named in a reason; the figures hold the number of all.
NAMED = 5


def non_ml_alternative(inputs: ControlInputs) -> Answer:
    """The alternative without a model was measured; whether the model beats it is the gates' affair, but shown."""
    measured = {name: value for name, value in inputs.baselines.items() if math.isfinite(value)}
    figures: Figures = {"model": _finite(inputs.model), "baselines": len(measured)}
    if len(measured) < LEAST_BASELINES or not math.isfinite(inputs.model):
        reason = say(
            "{number} ways to do without a model could be measured beside it; {least} are asked.",
            number=len(measured), least=LEAST_BASELINES,
        )  # fmt: skip
        return Answer(passed=False, reason=reason, figures=figures)
    kpi = inputs.charter.kpi
    lower = kpi.direction == "lower"
    best = (min if lower else max)(measured, key=lambda name: measured[name])
    beaten = inputs.model < measured[best] if lower else inputs.model > measured[best]
    reason = say(
        "{number} ways to do without a model were played beside it on the same units; the best, {best}, gave {kpi} of "
        "{value}, the model {model}: {so}.",
        number=len(measured), best=_arm(best), kpi=term(kpi.name.replace("_", " ")),
        value=f"{measured[best]:.4g}", model=f"{inputs.model:.4g}",
        so=say("the model is better") if beaten else say("doing without a model is as good or better"),
    )  # fmt: skip
    return Answer(passed=True, reason=reason, figures=figures | {"best": best, "best_value": measured[best]})


def _arm(name: str) -> str:
    return term(name.removeprefix("baseline:").replace("_", " "))


def of_assessment(gate: str) -> Callable[[ControlInputs], Answer]:
    """Passes with the assessment's verdict of that name, and fails when it was never given."""

    def answer(inputs: ControlInputs) -> Answer:
        found = next((verdict for verdict in inputs.assessment if verdict.gate == gate), None)
        if found is None:
            reason = say("The data assessment gave no verdict {gate}.", gate=gate)
            return Answer(passed=False, reason=reason, figures={})
        return Answer(passed=found.outcome == "pass", reason=found.reason, figures=found.figures)

    return answer


def safe_model_format(inputs: ControlInputs) -> Answer:
    """No file of the model can run code when it is read."""
    unsafe = unsafe_files(inputs.model_directory)
    if not unsafe:
        reason = say("All model files hold data only; none can run code.")
        return Answer(passed=True, reason=reason, figures={"unsafe": 0})
    named = "; ".join(f"{name}: {reason}" for name, reason in list(unsafe.items())[:NAMED])
    reason = say("{number} model files were refused: {names}.", number=len(unsafe), names=named)
    return Answer(passed=False, reason=reason, figures={"unsafe": len(unsafe)})


def four_eyes(inputs: ControlInputs) -> Answer:
    """Two roles that two different people hold; one name under two ids is one person."""
    roles = tuple(dict.fromkeys(inputs.charter.sign.get("advance", ())))
    holders = {role: {_same(p.name) for p in inputs.charter.people if p.role == role} for role in roles}
    vacant = [role for role, names in holders.items() if not names]
    two = any(len(holders[one] | holders[other]) > 1 for one, other in combinations(roles, 2))
    people = len(set[str]().union(*holders.values()))
    figures: Figures = {"roles": len(roles), "people": people}
    if vacant:
        reason = say("Nobody holds the role {roles}, which must sign to advance.", roles=_named(vacant))
    elif two:
        reason = say(
            "To advance takes {number} roles ({roles}), held by {people} different people.",
            number=len(roles), roles=_named(roles), people=people,
        )  # fmt: skip
    else:
        reason = say(
            "To advance takes {number} roles held by {people} people; it must take two roles and two people.",
            number=len(roles), people=people,
        )  # fmt: skip
    return Answer(passed=two and not vacant, reason=reason, figures=figures)


def _named(roles: Sequence[str]) -> str:
    return joined([term(role.replace("_", " ")) for role in roles], ", ")


def personal_data(inputs: ControlInputs) -> Answer:
    """Columns that look like personal data; those with a declared purpose are named with it, all others fail."""
    columns = sum(len(table) for table in inputs.samples.values())
    purposes = {one.column: one.purpose for one in inputs.charter.compliance.personal_data}
    found = signs(inputs.samples)
    undeclared = [sign for sign in found if f"{sign.table}.{sign.column}" not in purposes]
    figures: Figures = {"columns": columns, "found": len(found), "declared": len(purposes)}
    if not columns:
        return Answer(passed=False, reason=say("There was no column to look at."), figures=figures)
    if undeclared:
        named = ", ".join(str(sign) for sign in undeclared[:NAMED])
        reason = say(
            "{found} of {columns} columns look like personal data: {names}; leave them out at the source, or declare "
            "their purpose in compliance.personal_data.",
            found=len(undeclared), columns=columns, names=named,
        )  # fmt: skip
        return Answer(passed=False, reason=reason, figures=figures)
    if purposes:
        named = "; ".join(f"{column}: {purpose}" for column, purpose in list(purposes.items())[:NAMED])
        reason = say(
            "Of {columns} columns, {number} hold personal data with a declared purpose: {names}.",
            columns=columns, number=len(purposes), names=named,
        )  # fmt: skip
        return Answer(passed=True, reason=reason, figures=figures)
    reason = say("None of {columns} columns is named or filled like personal data.", columns=columns)
    return Answer(passed=True, reason=reason, figures=figures)


def _same(name: str) -> str:
    return " ".join(name.casefold().split())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

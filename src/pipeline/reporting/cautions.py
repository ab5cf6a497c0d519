"""What speaks against the model, in a few lines: shown before the buttons, because people trust what looks finished."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.datasets import undated
from pipeline.evaluation.figures import show
from pipeline.language.message import say, term
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.words import State

#: Worst units and limits named.
_NAMED = 3


@dataclass(frozen=True)
class Caution:
    """One line: its sign, a word for what it is, and the sentence."""

    state: State
    name: str
    text: str


def before_deciding(evidence: Evidence) -> tuple[Caution, ...]:
    """Worst cases first, then open and waived controls, overrides, and what the evidence cannot tell."""
    return tuple(_cautions(evidence))


def _cautions(evidence: Evidence) -> Iterator[Caution]:
    unit, lower = evidence.goal.kpi.unit, evidence.goal.kpi.direction == "lower"
    for one in evidence.evaluation.units[:_NAMED]:
        worse = one.arm > one.baseline if lower else one.arm < one.baseline
        said = say(
            "{name}: {ours} with the model, {baseline} under today's rule.",
            name=one.value, ours=show(one.arm, unit), baseline=show(one.baseline, unit),
        )  # fmt: skip
        yield Caution("warning" if worse else "none", say("Worst case"), said)
    slices = evidence.evaluation.slices
    harmed = [one for one in slices if (one.arm > one.baseline if lower else one.arm < one.baseline)]
    for one in harmed[:_NAMED]:
        said = say(
            "{slice} {name} is worse off: {ours} with the model, {baseline} under today's rule.",
            slice=term(one.slice.replace("_", " ")), name=undated.shown(one.value, evidence.charter.data.period),
            ours=show(one.arm, unit), baseline=show(one.baseline, unit),
        )  # fmt: skip
        yield Caution("warning", say("Worse off"), said)
    for control in evidence.controls:
        if control.state in ("fails", "overdue", "waived"):
            said = say("{control}: {reason}", control=term(control.text), reason=control.reason)
            yield Caution("fail" if control.state == "fails" else "warning", say("Control"), said)
    if evidence.overrides is not None and evidence.overrides.changed:
        rate = show(evidence.overrides.rate, "share")
        yield Caution("warning", say("Changed by people"), say("People changed {rate} of the decisions.", rate=rate))
    for limit in evidence.limits[:_NAMED]:
        yield Caution("none", say("Limit"), limit)

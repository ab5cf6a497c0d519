"""The effect against controls as the evidence pack shows it."""

from flows.handed import Field
from flows.workbench import Workbench
from pipeline.language import joined, say, term
from pipeline.reporting.experiment import BalanceShown, FieldKpi, FieldPoint, FieldShown, RungShown
from pipeline.rollout.breach import Proposal
from pipeline.rollout.effect import FieldEffect

#: Verdicts whose reasons are told in the section itself, in this order.
_TOLD = ("field.controls", "field.periods", "field.effect", "field.pre_trend", "field.placebo", "field.worst_slice",
    "field.worst_unit", "field.holds_at_scale")  # fmt: skip


def field_shown(bench: Workbench, field: Field, proposal: Proposal | None) -> FieldShown:
    """Arms, balance, effect, doubts and what the next rung can detect."""
    arms, effect = field.arms, field.effect
    reasons = {verdict.gate: verdict.reason for verdict in field.verdicts}
    word, period = bench.problem.unit_word, bench.charter.data.period
    return FieldShown(
        treated=arms.treated if arms else (),
        controls=arms.controls if arms else (),
        start=arms.start if arms else "",
        first=effect.groups.first if effect else "",
        periods=effect.periods if effect else 0,
        method=arms.method if arms else "",
        balance=tuple(BalanceShown(one.covariate, one.before, one.after) for one in arms.balance) if arms else (),
        note=arms.note if arms else "",
        kpis=_kpis(effect) if effect else (),
        sentences=tuple(reasons[gate] for gate in _TOLD if gate in reasons),
        course=tuple(FieldPoint(*point) for point in field.course),
        rungs=tuple(
            RungShown(
                one.stage, one.number, one.treated, one.controls, one.periods, one.expected, one.after, one.effect
            )
            for one in field.rungs
        ),
        power=field.power.sentence(word, period) if field.power else "",
        next_stage=_next(bench, field),
        promise=field.promises.sentence if field.promises.promises else "",
        proposal=_proposal(proposal),
    )


def _kpis(effect: FieldEffect) -> tuple[FieldKpi, ...]:
    return tuple(
        FieldKpi(one.kpi, one.before, one.after, *one.controls, one.expected, one.effect) for one in effect.kpis
    )


def _next(bench: Workbench, field: Field) -> tuple[str, ...]:
    """What the rung above would compare and can detect, or that it keeps no controls."""
    up, word = bench.charter.stage_after(bench.stage.name), bench.problem.unit_word
    if up is None:
        return ()
    if field.next_arms is None or field.next_power is None:
        if up.controls:
            return ()
        return (
            say(
                "Stage {stage} keeps no controls: what the model changes there cannot be told from what happens to "
                "everybody, and the effect measured here is the last one.",
                stage=up.name,
            ),
        )
    arms = field.next_arms
    compared = say(
        "On stage {stage}, {treated} new {units} would be compared with {controls} controls that stay with today's "
        "rule.",
        stage=up.name, treated=len(arms.treated), units=term(word), controls=len(arms.controls),
    )  # fmt: skip
    return compared, arms.note, field.next_power.sentence(word, bench.charter.data.period)


def _proposal(proposal: Proposal | None) -> str:
    if proposal is None:
        return ""
    return say(
        "Going back to {to} is proposed: {reasons}",
        to=say("stage {stage}", stage=proposal.to) if proposal.to else say("today's rule"),
        reasons=joined([reason for _, reason in proposal.gates]),
    )

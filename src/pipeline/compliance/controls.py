"""The state of every control a charter asks for: checked, attested to, waived, or still open.

An automated check is judged with the iteration, and a failed blocking one bars *advance*. What people attest to may
still come while a review is open: an overdue attestation is shown as a warning in the pack, and bars *advance* when
somebody signs (:mod:`pipeline.review.attesting`).
"""

from collections.abc import Callable, Mapping
from datetime import date
from difflib import get_close_matches

from pipeline.charter import Charter
from pipeline.charter.advice import Advice
from pipeline.compliance import checks, oversight, upkeep
from pipeline.compliance.inputs import Answer, ControlInputs, Figures
from pipeline.compliance.library import Control, Library, library
from pipeline.compliance.standing import ControlState
from pipeline.compliance.vouching import Attestation, Vouched, Waiver
from pipeline.language.message import Message, say, term

#: The checks there are, by the id of their control.
CHECKS: dict[str, Callable[[ControlInputs], Answer]] = {
    "non_ml_alternative": checks.non_ml_alternative,
    "leakage": checks.of_assessment("data.leakage"),
    "quarantine_bounded": checks.of_assessment("data.quarantine"),
    "safe_model_format": checks.safe_model_format,
    "four_eyes": checks.four_eyes,
    "personal_data": checks.personal_data,
    "decision_limits": oversight.decision_limits,
    "fairness_floor": oversight.fairness_floor,
    "explanation": oversight.explanation,
    "reproducible": oversight.reproducible,
    "rollback_rehearsed": upkeep.rollback_rehearsed,
    "monitoring_live": upkeep.monitoring_live,
    "record_keeping": upkeep.record_keeping,
    "substantial_modification": upkeep.substantial_modification,
    "dependencies_recorded": upkeep.dependencies_recorded,
}


def known_controls() -> Library:
    """Every control a charter may name.

    Raises:
        CharterError: a control file is not sound.
    """
    return library(tuple(CHECKS))


def check(charter: Charter) -> tuple[Advice, ...]:
    """Every control and set of a charter that nobody knows, and every control whose role nobody holds."""
    known = known_controls()
    named = [(("controls", place), slug, known.controls) for place, slug in enumerate(charter.controls)]
    sets = [(("compliance", "sets", place), slug, known.sets) for place, slug in enumerate(charter.compliance.sets)]
    unknown = [
        Advice(place, f"no {'set' if names is known.sets else 'control'} is called {slug!r}", _nearest(slug, names))
        for place, slug, names in [*named, *sets]
        if slug not in names
    ]
    held = {person.role for person in charter.people}
    vacant = [
        Advice(
            ("people",),
            f"nobody with the role {control.role}, who attests to {control.id}",
            f"add a person with `role: {control.role}`, or leave the control out",
        )
        for control in known.asked(charter)
        if control.kind != "automated" and control.role not in held
    ]
    return (*unknown, *vacant)


def due(control: Control, charter: Charter, stage: str) -> bool:
    """Whether a control must hold in a review on this stage."""
    if control.when != "before_last_stage":
        return True
    above = charter.stage_after(stage)
    return above is None or above == charter.stages[-1]


def judge_controls(
    asked: tuple[Control, ...], inputs: ControlInputs, vouched: Vouched, stage: str
) -> tuple[ControlState, ...]:
    """How every control of the charter stands, in its order.

    Args:
        asked: the charter's controls.
        inputs: what the checks look at.
        vouched: what people attested to and waived.
        stage: the rung whose review is asked for.
    """
    return tuple(_state(control, inputs, vouched, stage) for control in asked)


def _state(control: Control, inputs: ControlInputs, vouched: Vouched, stage: str) -> ControlState:
    if not due(control, inputs.charter, stage):
        reason = say("It is asked for before the last stage.")
        return ControlState(control, "not_due", reason, {})
    if control.kind != "automated":
        return _attested(control, inputs.today, vouched)
    answer = CHECKS[control.id](inputs)
    if answer.passed:
        return ControlState(control, "holds", answer.reason, answer.figures)
    waiver = vouched.waiver(control, inputs.today)
    if waiver is not None:
        return _waived(control, waiver, answer.reason, answer.figures)
    return ControlState(control, "fails", answer.reason, answer.figures)


def _attested(control: Control, today: date, vouched: Vouched) -> ControlState:
    given = vouched.attestation(control, today)
    if given is not None:
        return ControlState(control, "holds", _given(given), {}, given.person, given.ends(control))
    missing = say(
        "Nobody attested to it yet: `landed controls attest CHARTER {control}` is for the role {role}.",
        control=control.id, role=term(control.role.replace("_", " ")),
    )  # fmt: skip
    waiver = vouched.waiver(control, today)
    if waiver is not None:
        return _waived(control, waiver, missing, {})
    return ControlState(control, "overdue", missing, {})


def _given(given: Attestation) -> Message:
    if given.document:
        return say(
            "{person} named {document} ({digest}) on {day}: {note}",
            person=given.person, document=given.document, digest=given.sha256[:12], day=given.day.isoformat(),
            note=given.note,
        )  # fmt: skip
    return say(
        "{person} attested to it on {day}: {note}", person=given.person, day=given.day.isoformat(), note=given.note
    )


def _waived(control: Control, waiver: Waiver, why: str, figures: Figures) -> ControlState:
    reason = say(
        "{person} waived it until {until}: {reason} What is waived: {why}",
        person=waiver.person, until=waiver.until.isoformat(), reason=waiver.reason, why=why,
    )  # fmt: skip
    return ControlState(control, "waived", reason, figures, waiver.person, waiver.until)


def _nearest(slug: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(slug, known, n=1)
    return f"write {near[0]!r}, or one of {', '.join(known)}" if near else f"write one of {', '.join(known)}"

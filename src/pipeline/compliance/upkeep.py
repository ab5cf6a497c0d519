"""The checks of what goes on around the model: rollback, monitoring, records, changes, the software in use."""

import re

from pipeline.charter.compliance import LEAST_RETENTION as LEAST_DAYS
from pipeline.compliance.inputs import Answer, ControlInputs, Figures
from pipeline.language.message import Value, say

NAMED = 5
#: Advisories older than this say little about today.
FRESH_DAYS = 31
#: What makes another system of it: purpose, goal, scope, data, how it is decided. Numbers within these may move.
_SUBSTANTIAL = (
    r"problem|decision|kpi\.(name|unit|direction|baseline\.policy)|scope\..*|data\.source|policy\.name|"
    r"model\.candidates\[[^]]*\](\.(algorithm|features))?|model\.train_on|compliance\.(risk_class|personal_data)"
)


def rollback_rehearsed(inputs: ControlInputs) -> Answer:
    """The kill switch worked on a copy since the release that holds."""
    found = next((verdict for verdict in inputs.readiness if verdict.gate == "rollout.rehearsed"), None)
    if found is None:
        return Answer(passed=False, reason=say("Nobody looked whether it was rehearsed."), figures={})
    return Answer(passed=found.outcome == "pass", reason=found.reason, figures=dict(found.figures))


def monitoring_live(inputs: ControlInputs) -> Answer:
    """The project is scheduled and deployed, and newest data was looked at lately."""
    found = inputs.watched
    if found is None or found.newest is None:
        reason = say("Newest data was never looked at: `landed deploy CHARTER` with a schedule for monitor.")
        return Answer(passed=False, reason=reason, figures={})
    age = (inputs.today - found.newest).days
    figures: Figures = {"days": age, "allowed": found.allowed_days, "deployed": int(found.deployed)}
    said: dict[str, Value] = {"day": found.newest.isoformat(), "age": age, "allowed": found.allowed_days}
    if not (found.deployed and found.scheduled):
        reason = say("Newest data was looked at on {day}, but the project does not do so by itself.", **said)
    elif age > found.allowed_days:
        reason = say("Newest data was looked at on {day}, {age} days ago; {allowed} are allowed.", **said)
    else:
        reason = say("Newest data is looked at by schedule, last on {day}.", **said)
        return Answer(passed=True, reason=reason, figures=figures)
    return Answer(passed=False, reason=reason, figures=figures)


def record_keeping(inputs: ControlInputs) -> Answer:
    """Long enough by the charter, and everything recorded within that time is there and unchanged."""
    asked, found = inputs.charter.compliance, inputs.kept
    if asked.retention_days < LEAST_DAYS and not asked.legal_hold:
        reason = say(
            "The charter keeps records for {days} days; {least} are the least.", days=asked.retention_days,
            least=LEAST_DAYS,
        )  # fmt: skip
        return Answer(passed=False, reason=reason, figures={"days": asked.retention_days})
    if found is None:
        return Answer(passed=False, reason=say("Nobody looked whether the records are there."), figures={})
    figures: Figures = {"days": asked.retention_days, "iterations": found.iterations, "missing": len(found.missing)}
    if found.missing:
        reason = say(
            "{number} records are gone or were changed: {names}.", number=len(found.missing),
            names="; ".join(found.missing[:NAMED]),
        )  # fmt: skip
        return Answer(passed=False, reason=reason, figures=figures)
    how = say("without end (legal hold)") if asked.legal_hold else say("{days} days", days=asked.retention_days)
    reason = say(
        "Records are kept {how}; reports, data and models of {number} earlier iterations since {day} are all there.",
        how=how, number=found.iterations, day=found.since.isoformat(),
    )  # fmt: skip
    return Answer(passed=True, reason=reason, figures=figures)


def substantial_modification(inputs: ControlInputs) -> Answer:
    """Flags changes, since the release people approved last, that make another system of it."""
    if inputs.released is None:
        reason = say("Nothing is released yet that could have been modified.")
        return Answer(passed=True, reason=reason, figures={"changes": 0})
    found = [change.path for change in inputs.released if re.fullmatch(_SUBSTANTIAL, change.path)]
    figures: Figures = {"changes": len(inputs.released), "substantial": len(found)}
    if found:
        reason = say(
            "Since the release that holds, these changed in substance: {paths}. Have them looked at as a new system.",
            paths=", ".join(found[:NAMED]),
        )  # fmt: skip
        return Answer(passed=False, reason=reason, figures=figures)
    reason = say(
        "{number} lines of the charter changed since the release that holds, none of them in substance.",
        number=len(inputs.released),
    )  # fmt: skip
    return Answer(passed=True, reason=reason, figures=figures)


def dependencies_recorded(inputs: ControlInputs) -> Answer:
    """Every package has a licence on record, and a fresh list of advisories knows nothing against any of them."""
    found = inputs.software
    if found is None:
        return Answer(passed=False, reason=say("The software in use was not looked at."), figures={})
    unnamed = [package.name for package in found.packages if not package.licence]
    figures: Figures = {"packages": len(found.packages), "without_licence": len(unnamed)}
    said = {"packages": len(found.packages), "unnamed": len(unnamed)}
    if found.advisories is None or found.as_of is None:
        reason = say(
            "{packages} packages are on record, {unnamed} of them without a licence in their metadata; advisories are "
            "unknown: give a file in LANDED_ADVISORIES.",
            **said,
        )
        return Answer(passed=False, reason=reason, figures=figures)
    figures["advisories"] = len(found.advisories)
    named = ", ".join(f"{one.package} {one.version} ({one.id})" for one in found.advisories[:NAMED])
    reason = say(
        "{packages} packages are on record, {unnamed} of them without a licence in their metadata; the list of "
        "advisories of {day} knows of {number}: {names}.",
        **said, day=found.as_of.isoformat(), number=len(found.advisories), names=named or say("none"),
    )  # fmt: skip
    fresh = (inputs.today - found.as_of).days <= FRESH_DAYS
    return Answer(passed=not unnamed and not found.advisories and fresh, reason=reason, figures=figures)

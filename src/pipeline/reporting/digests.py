"""One page for each role after an iteration: the same figures, in the words of what that role has to decide or do."""

from collections.abc import Callable

from pipeline.charter import Role
from pipeline.evaluation.figures import show, show_change, show_interval
from pipeline.language.message import Message, say, term
from pipeline.reporting import words
from pipeline.reporting.cards import WORST, controls, worst
from pipeline.reporting.documents import Document, Section
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.raci import raci

_TITLES: dict[Role, Message] = {
    "sponsor": say("For the sponsor: is it worth going on?"),
    "business_owner": say("For the business owner: is the goal in reach, and for whom not?"),
    "operations": say("For operations: what changes in daily work?"),
    "engineering": say("For engineering: what failed, and where to look?"),
    "compliance": say("For compliance: what holds, what is open, what is waived?"),
}


def role_digest(evidence: Evidence, role: Role) -> Document:
    """The digest of a role, one page long."""
    sections = (*_OF[role](evidence), _asked(evidence, role))
    filled = tuple(section for section in sections if section.sentences or section.rows)
    return Document(digest_name(role), _TITLES[role], words.headline(evidence), filled)


def digest_name(role: Role) -> str:
    """The file name of a role's digest, without its ending."""
    return f"digest-{role.replace('_', '-')}"


def _sponsor(evidence: Evidence) -> tuple[Section, ...]:
    charter, costs = evidence.charter, evidence.costs
    up = charter.stage_after(evidence.stage.name)
    currency = charter.budget.currency
    spent = [
        say("Iteration {used} of {most}.", used=costs.iterations_used, most=charter.budget.iterations),
        say("The target is due on {day}.", day=charter.kpi.deadline),
    ]
    if up is not None:
        spent.append(
            say(
                "The next stage, {stage}, asks for {money} and {days} working days, of {total} in all.",
                stage=up.name,
                money=show(up.resources.money, currency),
                days=f"{up.resources.people_days:g}",
                total=show(charter.budget.money, currency),
            )
        )
    return (_figures(evidence, 1), _bars(evidence), Section(say("Time and money"), tuple(spent)), raci(charter))


def _business_owner(evidence: Evidence) -> tuple[Section, ...]:
    heard = tuple(
        say("{item}, {status}: {change}", item=one.id, status=term(one.status), change=one.change)
        for one in evidence.feedback
    )
    heading = (say("Slice"), say("Value"), say("Model"), words.baseline_label(evidence))
    return (
        _figures(evidence, len(evidence.evaluation.kpis)), _bars(evidence),
        Section(say("For whom it does worst"), (), heading, worst(evidence)[:WORST]),
        Section(say("What became of your feedback"), heard),
    )  # fmt: skip


def _operations(evidence: Evidence) -> tuple[Section, ...]:
    sentences: list[str] = [
        say(
            "On stage {stage}, {amount} {unit_word} follow the model.", stage=evidence.stage.name,
            amount=evidence.stage.amount, unit_word=term(evidence.units_word),
        ),
    ]  # fmt: skip
    if evidence.overrides is not None:
        found = evidence.overrides
        sentences.append(
            say(
                "People changed {changed} of {decisions} decisions ({rate}).",
                changed=found.changed,
                decisions=found.decisions,
                rate=show(found.rate, "share"),
            )
        )
    rehearsed = tuple(one.reason for one in evidence.verdicts if one.gate == "rollout.rehearsed")
    heading = (say("Slice"), say("Value"), say("Model"), words.baseline_label(evidence))
    return (
        _figures(evidence, 2), Section(say("In daily work"), (*sentences, *evidence.limits)),
        Section(say("If it goes wrong"), rehearsed),
        Section(say("For whom it does worst"), (), heading, worst(evidence)[:4]),
    )  # fmt: skip


def _engineering(evidence: Evidence) -> tuple[Section, ...]:
    refused = sum(evidence.data.loaded.values()) - sum(evidence.data.kept.values())
    failed = tuple(
        (one.gate, words.WORDS[words.verdict_state(one)], one.reason)
        for one in evidence.verdicts
        if words.verdict_state(one) != "pass"
    )
    steps = tuple((term(name), f"{seconds:.1f} s") for name, seconds in evidence.costs.seconds)
    data = [say("{rows} rows were refused by the contract.", rows=f"{refused:,}")]
    if evidence.drift is not None:
        data.append(say("{share} of the columns drifted.", share=show(evidence.drift.share, "share")))
    made = say(
        "{name}, version {version}, hash {digest}, by code {code}.", name=evidence.model.name,
        version=evidence.model.version, digest=evidence.model.digest[:12], code=evidence.code_version,
    )  # fmt: skip
    return (
        _figures(evidence, 1), Section(say("Checks that did not pass"), (), _CHECKED, failed),
        Section(say("The data"), tuple(data)), Section(say("The model"), (made,)),
        Section(say("Measured time"), (), (say("Step"), say("Seconds")), steps),
    )  # fmt: skip


def _compliance(evidence: Evidence) -> tuple[Section, ...]:
    counts = [
        say("{number}: {state}", number=sum(one.state == state for one in evidence.controls), state=word)
        for state, word in words.CONTROL_WORDS.items()
    ]
    return (Section(say("Controls in numbers"), tuple(counts)), controls(evidence), _figures(evidence, 1))


_CHECKED = (say("Check"), say("Result"), say("Why"))
_OF: dict[Role, Callable[[Evidence], tuple[Section, ...]]] = {
    "sponsor": _sponsor,
    "business_owner": _business_owner,
    "operations": _operations,
    "engineering": _engineering,
    "compliance": _compliance,
}


def _figures(evidence: Evidence, most: int) -> Section:
    """The charter's KPI first; the same figures as on the evidence page."""
    rows = tuple(
        (
            term(one.kpi.title), show_interval(one.value, one.kpi.unit), show(one.baseline.value, one.kpi.unit),
            show_change(one.difference.value, one.kpi.unit),
        )
        for one in evidence.evaluation.kpis[:most]
    )  # fmt: skip
    heading = (say("Figure"), say("Model"), words.baseline_label(evidence), say("Difference"))
    return Section(say("The figures"), (words.comparison(evidence),), heading, rows)


def _bars(evidence: Evidence) -> Section:
    """What forbids going up."""
    reasons = tuple(verdict.reason for verdict in evidence.verdicts if verdict.blocks)
    if not reasons:
        return Section(say("What stands in the way"), (say("Nothing forbids going up."),))
    return Section(say("What stands in the way"), reasons)


def _asked(evidence: Evidence, role: Role) -> Section:
    """What the role is asked to sign, and to attest to."""
    titles = words.decision_titles(evidence)
    sentences: list[str] = [
        say("Sign, if you agree: {decision}. {consequence}", decision=titles[one.decision], consequence=one.consequence)
        for one in evidence.decisions
        if one.available and role in one.signers
    ]
    sentences += [
        say("Vouch for it, or say why not: {control} (`{id}`).", control=term(one.text), id=one.id)
        for one in evidence.controls
        if one.state == "overdue" and one.role == role
    ]
    return Section(
        say("What is asked of you"), tuple(sentences) or (say("Nothing for now; this is for your information."),)
    )

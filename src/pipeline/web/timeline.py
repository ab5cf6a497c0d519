"""Events as sentences: what happened, in words, with where to look further."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from pipeline.language import Language, Message, recalled, say
from pipeline.ledger import Event
from pipeline.reporting.page import PAGES
from pipeline.settings import Settings
from pipeline.web.traces import Trace, Traces
from pipeline.web.wording import decision, role

#: Groups of events a reader may filter by: the beginnings of their kinds.
GROUPS: Mapping[str, tuple[Message, tuple[str, ...]]] = {
    "reviews": (say("Reviews and decisions"), ("review.",)),
    "iterations": (say("Iterations"), ("iteration.", "trial.", "trigger.", "work.")),
    "rollout": (say("Rollout"), ("rollout.", "project.", "charter.", "control.", "decisions.")),
    "feedback": (say("Feedback"), ("feedback.",)),
    "data": (say("Data"), ("data.", "outcomes.", "monitoring.", "alarm.")),
    "people": (say("People and access"), ("account.", "token.", "delegation.", "export.")),
    "machinery": (say("Machinery"), ("intent.", "lease.", "notice.", "audit.")),
}

_DIGITS = 64
#: Events whose reason is people's words or a program's own: shown as it is.
_WITH_REASON = frozenset(
    {"iteration.failed", "iteration.broken_off", "rollout.stopped", "rollout.resumed", "charter.reaffirmed"}
    | {"rollout.stop_refused", "rollout.resume_refused", "charter.reaffirm_refused", "control.waived"}
)
#: Events that tell in a sentence why they came about.
_WITH_SENTENCE = frozenset({"alarm.raised", "trigger.taken_up", "trigger.merged"})


@dataclass(frozen=True)
class Told:
    """An event in words.

    Attributes:
        event: the event.
        sentence: what happened.
        sign: a symbol beside it.
        note: people's own words that belong to it, such as a comment; of what failed, the reason.
        links: where to look further: title and address.
    """

    event: Event
    sentence: str
    sign: str
    note: str
    links: tuple[tuple[str, str], ...]


def tell(event: Event, settings: Settings, traces: Traces, language: Language) -> Told:
    """An event in words; one of a kind this version does not know is named by its kind.

    Args:
        event: the event.
        settings: where MLflow's and Prefect's pages are.
        traces: where to look further.
        language: the reader's, of the report a link opens.
    """
    sign, words = KNOWN.get(event.kind, ("·", _unknown))
    finding = event.body.get("finding")
    told = event.body.get("legend", {})
    refused = recalled(str(finding.get("found", "")), told) if isinstance(finding, Mapping) else ""
    note = str(event.body.get("comment", "")) or refused
    if event.kind in _WITH_REASON:
        note = str(event.body.get("reason", ""))
    if event.kind in _WITH_SENTENCE:
        note = recalled(str(event.body.get("sentence", "")), told)
    return Told(event, words(event), sign, note, tuple(_links(event, settings, traces, language)))


def _links(event: Event, settings: Settings, traces: Traces, language: Language) -> list[tuple[str, str]]:
    about = traces.about(event)
    trace = traces.left.get(about, Trace())
    links: list[tuple[str, str]] = []
    if event.kind.startswith("review."):
        links.append((say("Review"), f"/reviews/{quote(event.subject, safe='')}"))
    report = event.body.get("report")
    if not isinstance(report, str) or len(report) != _DIGITS or event.kind == "review.refused":
        report = trace.report  # a refused answer may have named any hash
    if report:
        links.append((say("Report"), f"/reports/{report}/{PAGES[language]}"))
    if trace.run and settings.mlflow_page:
        links.append((say("MLflow run"), f"{_base(settings.mlflow_page)}/#/runs/{quote(trace.run, safe='')}"))
    if settings.prefect_page and (about or event.kind.startswith(("review.", "iteration."))):
        # Prefect's runs are named after the review they apply, or the iteration they run.
        name = (about or event.subject).replace("/", " ")
        links.append((say("Prefect run"), f"{_base(settings.prefect_page)}/runs?flow-run-search={quote(name)}"))
    return links


def _base(address: str) -> str:
    return address.rstrip("/")


def _of(event: Event) -> dict[str, str]:
    """What sentences may name; an iteration's events are about ``project/number/stage``."""
    _, number, stage = [*event.subject.split("/"), "", ""][:3]
    return {"who": event.actor, "what": event.subject, "number": number, "stage": stage}


def _signed(event: Event) -> Message:
    values = {"who": event.actor, "role": role(event.role), "decision": decision(str(event.body.get("decision", "")))}
    if event.body.get("recorded"):
        return say("{who} ({role}) signed: {decision} (recorded answer)", **values)
    if event.body.get("on_behalf_of"):
        giver = str(event.body["on_behalf_of"])
        return say("{who} signed for {giver} ({role}): {decision}", giver=giver, **values)
    return say("{who} ({role}) signed: {decision}", **values)


def _decided(event: Event) -> Message:
    return say("Decided: {decision}", decision=decision(str(event.body.get("decision", ""))))


def _applied(event: Event) -> Message:
    return say("Applied: {decision}", decision=decision(str(event.body.get("decision", ""))))


def _released(event: Event) -> Message:
    units = event.body.get("units")
    count = len(units) if isinstance(units, list) else 0
    start = str(event.body.get("start", ""))
    return say(
        "{number} units follow the model from {start} on (stage {stage})",
        number=count,
        start=start,
        stage=event.subject,
    )


def _handed(event: Event) -> dict[str, str | date]:
    told = {name: str(event.body.get(name, "")) for name in ("giver", "delegate", "role", "ends")}
    day = date.fromisoformat(told["ends"]) if told["ends"] else ""
    return {"who": event.actor, "giver": told["giver"], "to": told["delegate"], "role": role(told["role"]), "day": day}


def _unknown(event: Event) -> str:
    return event.kind


KNOWN: Mapping[str, tuple[str, Callable[[Event], str]]] = {
    "review.requested": ("?", lambda e: say("A decision was asked for: {what}", **_of(e))),
    "review.signed": ("✓", _signed),
    "review.refused": ("✗", lambda e: say("{who} was refused on {what}", **_of(e))),
    "review.decided": ("◆", _decided),
    "review.applied": ("◆", _applied),
    "review.lapsed": ("!", lambda e: say("{what} lapsed: a newer report took its place", **_of(e))),
    "iteration.opened": ("○", lambda e: say("{who} opened iteration {number}, stage {stage}", **_of(e))),
    "iteration.running": ("○", lambda e: say("Iteration {number}, stage {stage}, is run", **_of(e))),
    "iteration.tracked": ("·", lambda e: say("Iteration {number}, stage {stage}: models are in MLflow", **_of(e))),
    "iteration.reported": ("·", lambda e: say("Iteration {number}, stage {stage}: the report is written", **_of(e))),
    "iteration.awaiting_review": ("·", lambda e: say("Iteration {number}, stage {stage}, waits for people", **_of(e))),
    "iteration.decided": ("·", lambda e: say("Iteration {number}, stage {stage}, is decided", **_of(e))),
    "iteration.applied": ("·", lambda e: say("Iteration {number}, stage {stage}: the decision is applied", **_of(e))),
    "iteration.closed": ("●", lambda e: say("Iteration {number}, stage {stage}, is closed", **_of(e))),
    "iteration.failed": ("✗", lambda e: say("Iteration {number}, stage {stage}, failed", **_of(e))),
    "iteration.broken_off": (
        "!",
        lambda e: say("Iteration {number}, stage {stage}, broke off and is taken up again", **_of(e)),
    ),
    "iteration.put_back": ("·", lambda e: say("Iteration {number}, stage {stage}, is put back in line", **_of(e))),
    "iteration.refused": ("✗", lambda e: say("Iteration {number}, stage {stage}, was refused", **_of(e))),
    "trial.begun": ("·", lambda e: say("The units of a trial were noted before it began: {what}", **_of(e))),
    "work.finished": ("·", lambda e: say("A piece of work was finished", **_of(e))),
    "feedback.measured": ("≈", lambda e: say("The effect of feedback {what} was measured", **_of(e))),
    "trigger.taken_up": ("○", lambda e: say("Iteration {number}, stage {stage}, is to be taken up again", **_of(e))),
    "trigger.merged": ("·", lambda e: say("Iteration {number}, stage {stage}, answers one more trigger", **_of(e))),
    "rollout.arms": ("·", lambda e: say("The groups of stage {what} were picked: model and today's rule", **_of(e))),
    "rollout.arms_refused": ("✗", lambda e: say("Picking the groups of stage {what} again was refused", **_of(e))),
    "rollout.effect_measured": ("≈", lambda e: say("The effect of stage {what} was measured", **_of(e))),
    "rollout.rehearsed": ("·", lambda e: say("Stopping the rollout was rehearsed on stage {what}", **_of(e))),
    "rollout.rollback_proposed": ("!", lambda e: say("Going down from stage {what} is proposed", **_of(e))),
    "rollout.stopped": ("■", lambda e: say("{who} stopped the rollout: all units went back to today's rule", **_of(e))),
    "rollout.stop_refused": ("✗", lambda e: say("{who} could not stop the rollout", **_of(e))),
    "rollout.resumed": ("▲", lambda e: say("{who} took the stop of the rollout back", **_of(e))),
    "rollout.resume_refused": ("✗", lambda e: say("{who} could not take the stop of the rollout back", **_of(e))),
    "decisions.served": ("·", lambda e: say("Decisions were handed out: {what}", **_of(e))),
    "charter.reaffirmed": ("✓", lambda e: say("{who} reaffirmed the charter", **_of(e))),
    "charter.reaffirm_refused": ("✗", lambda e: say("{who} could not reaffirm the charter", **_of(e))),
    "control.attested": ("✓", lambda e: say("{who} vouched for control {what}", **_of(e))),
    "control.waived": ("!", lambda e: say("{who} waived control {what} for a while", **_of(e))),
    "control.refused": ("✗", lambda e: say("{who} could not vouch for control {what}", **_of(e))),
    "rollout.released": ("▲", _released),
    "rollout.rolled_back": ("▼", lambda e: say("{who} rolled back to stage {what}", **_of(e))),
    "rollout.withdrawn": ("▼", lambda e: say("All units went back to today's rule", **_of(e))),
    "project.landed": ("★", lambda e: say("The project landed", **_of(e))),
    "project.stopped": ("■", lambda e: say("{who} stopped the project", **_of(e))),
    "project.deployed": ("○", lambda e: say("{what} runs by its schedule from now on", **_of(e))),
    "outcomes.delivered": ("·", lambda e: say("Outcomes came in: {what}", **_of(e))),
    "monitoring.observed": ("·", lambda e: say("The newest data was looked at: {what}", **_of(e))),
    "alarm.raised": ("!", lambda e: say("An alarm was raised", **_of(e))),
    "data.ingested": ("·", lambda e: say("New data came in: {what}", **_of(e))),
    "data.refused": ("✗", lambda e: say("New data was refused: {what}", **_of(e))),
    "account.created": ("+", lambda e: say("{who} made an account for {what}", **_of(e))),
    "account.link_made": ("+", lambda e: say("{who} made a one-time link for {what}", **_of(e))),
    "account.password_set": ("·", lambda e: say("The password of {what} was set", **_of(e))),
    "account.login": ("→", lambda e: say("{what} signed in", **_of(e))),
    "account.login_failed": ("✗", lambda e: say("A sign-in as {what} failed", **_of(e))),
    "account.logout": ("←", lambda e: say("{what} signed out", **_of(e))),
    "account.role_changed": ("!", lambda e: say("{who} changed the rights of {what}", **_of(e))),
    "account.deactivated": ("!", lambda e: say("{who} deactivated {what}", **_of(e))),
    "account.reactivated": ("!", lambda e: say("{who} reactivated {what}", **_of(e))),
    "account.refused": ("✗", lambda e: say("{who} was refused", **_of(e))),
    "token.created": ("+", lambda e: say("{what} made an API token", **_of(e))),
    "token.revoked": ("–", lambda e: say("{who} revoked an API token of {what}", **_of(e))),
    "delegation.made": ("⇄", lambda e: say("{who} handed the role {role} to {to}, until {day}", **_handed(e))),
    "delegation.ended": ("⇄", lambda e: say("{who} ended that {to} stands in for {giver}", **_handed(e))),
    "delegation.refused": ("✗", lambda e: say("{who} could not hand a role on", **_of(e))),
    "export.made": ("↓", lambda e: say("{who} exported the record", **_of(e))),
    "intent.queued": ("·", lambda e: say("Queued: {what}", **_of(e))),
    "intent.done": ("·", lambda e: say("Done: {what}", **_of(e))),
    "intent.requeued": ("·", lambda e: say("Queued again: {what}", **_of(e))),
    "lease.broken": ("!", lambda e: say("Whoever worked on {what} fell silent; another may take over", **_of(e))),
    "notice.delayed": ("!", lambda e: say("A notice could not be sent and is tried again later", **_of(e))),
    "notice.failed": ("✗", lambda e: say("A notice could not be sent and was given up", **_of(e))),
    "audit.key": ("+", lambda e: say("{who} gave the record a key that signs decisions", **_of(e))),
}

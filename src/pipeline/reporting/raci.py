"""Who is responsible, accountable, consulted and informed, as the charter's people, signatures and controls say."""

from pipeline.charter import DECISIONS, ROLES, Charter, DecisionName, Role
from pipeline.language.message import Message, say
from pipeline.reporting.documents import Section
from pipeline.reporting.words import DECISION_TITLES, ROLE_WORDS

Letters = dict[Role, str]


def raci(charter: Charter) -> Section:
    """One row per decision and standing duty, one column per role that somebody holds; one A in each row."""
    held = tuple(role for role in ROLES if any(person.role == role for person in charter.people))
    owner = charter.person(charter.kpi.owner)
    accountable = owner.role if owner else "business_owner"
    rows: list[tuple[str, Letters]] = [
        (say("Reach the KPI"), _duty(held, accountable, "engineering")),
        (say("Run an iteration and write its evidence"), _duty(held, accountable, "engineering")),
        (say("Throw the kill switch, and resume"), _duty(held, "sponsor", "operations")),
        *((DECISION_TITLES[decision], _decided(charter, held, decision)) for decision in DECISIONS),
    ]
    names = [(ROLE_WORDS[role], _names(charter, role)) for role in held]
    heading = (say("What"), *(say("{role}: {names}", role=role, names=name) for role, name in names))
    cells = tuple((what, *(letters.get(role, "–") for role in held)) for what, letters in rows)
    said = say("R does it, A answers for it (one role alone), C is asked before, I is told afterwards.")
    return Section(say("Who does what (RACI)"), (said,), heading, cells)


def _decided(charter: Charter, held: tuple[Role, ...], decision: DecisionName) -> Letters:
    """The signers do it; the sponsor answers where they sign, else the first to sign; the others are told."""
    signers = charter.sign.get(decision, ())
    accountable = "sponsor" if "sponsor" in signers else signers[0] if signers else None
    letters: Letters = dict.fromkeys(held, "C" if decision == "iterate" else "I")
    letters |= dict.fromkeys(signers, "R")
    if accountable is not None:
        letters[accountable] = "A, R"
    return letters


def _duty(held: tuple[Role, ...], accountable: Role, responsible: Role) -> Letters:
    """A standing duty: where the role that should do it is not held, whoever answers for it does it."""
    letters: Letters = dict.fromkeys(held, "I")
    if responsible in held and responsible != accountable:
        letters |= {responsible: "R", accountable: "A"}
    else:
        letters[accountable] = "A, R"
    return letters


def _names(charter: Charter, role: Role) -> str | Message:
    return ", ".join(person.name for person in charter.people if person.role == role)

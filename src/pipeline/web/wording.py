"""The site's words for what the ledger names by identifiers: roles, decisions, states, kinds of feedback."""

from collections.abc import Mapping

from pipeline.charter import DecisionName
from pipeline.language import Message, say
from pipeline.review.items import ItemKind

_ROLES: Mapping[str, Message] = {
    "sponsor": say("sponsor"),
    "business_owner": say("business owner"),
    "operations": say("operations"),
    "engineering": say("engineering"),
    "compliance": say("compliance"),
}

DECISIONS: Mapping[DecisionName, Message] = {
    "advance": say("Go up a stage"),
    "iterate": say("Improve first: another iteration"),
    "hold": say("Hold: stay at this stage"),
    "roll_back": say("Go down a stage"),
    "stop": say("Stop the project"),
}
#: At the top of the ladder there is no stage to go up to.
LAND = say("Land: the goal is met")

KINDS: Mapping[ItemKind, Message] = {
    "missing_signal": say("The model does not know something"),
    "wrong_slice": say("It goes wrong for some products, stores or days"),
    "policy_change": say("The rule that turns a forecast into a decision should change"),
    "scope_change": say("Something should be left out or taken in"),
    "data_issue": say("The data is wrong or missing"),
    "other": say("Something else"),
}

_STATES: Mapping[str, Message] = {
    "opened": say("opened, waits to be run"),
    "running": say("running"),
    "awaiting_review": say("waits for a decision"),
    "decided": say("decided, being applied"),
    "applied": say("applied"),
    "closed": say("closed"),
    "failed": say("failed"),
    "refused": say("refused"),
}

_STATUS: Mapping[str, Message] = {
    "open": say("open"),
    "applied": say("applied"),
    "deferred": say("deferred"),
    "declined": say("declined"),
}


def role(name: str) -> str:
    """A role as people say it."""
    return _ROLES.get(name, name.replace("_", " "))


def decision(name: str) -> str:
    """A decision in a few words."""
    return DECISIONS.get(name, name.replace("_", " "))  # type: ignore[call-overload, no-any-return]


def state(name: str) -> str:
    """An iteration's state as people say it."""
    return _STATES.get(name, name.replace("_", " "))


def status(name: str) -> str:
    """What became of a feedback item, in a word."""
    return _STATUS.get(name, name)

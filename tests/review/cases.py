"""A small charter, an iteration under review and feedback items, for the review and rollout tests."""

from datetime import date

from pipeline.charter import Charter
from pipeline.charter.reading import charter_from_canonical
from pipeline.language import say
from pipeline.ledger import Ledger, get_iteration, open_iteration, record_report, transition
from pipeline.review import FeedbackItem, ReviewRequest, request_review
from pipeline.verdicts import Verdict

REPORT = "ab" * 32
OTHER_REPORT = "cd" * 32

PEOPLE = {
    "maria": "sponsor",
    "ana": "business_owner",
    "joao": "operations",
    "lena": "engineering",
    "nils": "engineering",
    "omar": "compliance",
}
SIGN = {
    "advance": ["sponsor", "business_owner", "operations"],
    "iterate": ["business_owner", "engineering"],
    "hold": ["business_owner"],
    "roll_back": ["operations"],
    "stop": ["sponsor"],
}


def a_charter(**changes) -> Charter:
    stages = [("pilot", 2), ("regional", 4), ("chain", 8)]
    values = {
        "project": "shop",
        "title": "Shop",
        "problem": "replenishment",
        "pain_point": "Shelves are empty too often and customers leave.",
        "decision": "How many units every store orders each week.",
        "kpi": {
            "name": "stockout_rate", "unit": "share", "direction": "lower", "target": 0.04,
            "baseline": {"policy": "incumbent", "measured_over": 26}, "deadline": "2030-01-01", "owner": "ana",
        },
        "scope": {"in": ["weekly orders"], "out": []},
        "strategy": {
            "priority": 1, "corporate_kpi": "sales", "sponsor": "maria", "review_every_weeks": 13,
            "last_reviewed": str(date(2026, 1, 1)),
        },
        "people": [{"id": who, "name": who.title(), "role": role, "channel": "mail"} for who, role in PEOPLE.items()],
        "sign": SIGN,
        "data": {
            "source": "retailer", "period": "week", "minimum_history": 52,
            "tables": [{"name": "sales", "owner": "Stores", "freshness_days": 7}],
        },
        "model": {
            "candidates": [{"name": "poisson", "algorithm": "lightgbm_poisson", "features": ["level"]}],
            "train_on": "stage", "train_periods": 52, "backtest_cutoffs": 2, "backtest_every": 4,
        },
        "policy": {"name": "safety_stock", "parameters": {"service_level": 0.9}},
        "stages": [
            {
                "name": name, "units": units, "periods": 8, "milestone": 0.05, "worst_unit_limit": 0.1,
                "resources": {"people_days": 1, "compute_hours": 1, "money": 1},
            }
            for name, units in stages
        ],
        "budget": {"iterations": 5, "money": 10, "currency": "EUR"},
    }  # fmt: skip
    return charter_from_canonical({**values, **changes})


def a_verdict(*, fails: bool) -> Verdict:
    outcome = "fail" if fails else "pass"
    reason = say("{found} is above {limit}", found="5.1 %", limit="4.0 %")
    return Verdict("kpi.reaches_target", "The goal is reached", outcome, "block", reason, {"value": 0.051})


def an_item(number=1, author="joao", patch=None, **changes) -> FeedbackItem:
    values = {
        "id": f"F{number}", "author": author, "role": PEOPLE.get(author, "operations"), "kind": "policy_change",
        "slice": {"promotion": "yes"}, "seen": "Promotion weeks run empty.", "change": "Order more.",
        "patch": {} if patch is None else patch, "acceptance": "Fewer stock-outs in promotion weeks.",
    }  # fmt: skip
    return FeedbackItem(**{**values, **changes})


def start(ledger: Ledger, charter: Charter | None = None, *, number=1, stage="pilot", started_by="scheduler") -> None:
    """An iteration that runs."""
    charter = charter or a_charter()
    with ledger.transaction() as tx:
        record = open_iteration(
            tx, project=charter.project, number=number, stage=stage, kind="train", charter=charter.canonical(),
            charter_digest=charter.digest, why={"trigger": "test"}, started_by=started_by,
        )  # fmt: skip
        transition(tx, record, "running", actor=started_by)


def ask(
    ledger: Ledger, *, number=1, stage="pilot", report=REPORT, fails=False, controls=(), **options
) -> ReviewRequest:
    """A request for a review of a running iteration."""
    with ledger.transaction() as tx:
        record = get_iteration(tx, "shop", number, stage)
        if record.state == "awaiting_review":
            record = transition(tx, record, "running", actor="scheduler")
        record = record_report(tx, record, report, {"kpi": 0.05, "controls": list(controls)})
        return request_review(tx, record, verdicts=[a_verdict(fails=fails)], **options)


def under_review(ledger: Ledger, **options) -> ReviewRequest:
    """A fresh iteration under review."""
    known = {name: options.pop(name) for name in ("charter", "started_by") if name in options}
    start(ledger, number=options.get("number", 1), stage=options.get("stage", "pilot"), **known)
    return ask(ledger, **options)


def kinds(ledger: Ledger) -> list[str]:
    """The kinds of all events, in order."""
    return [event.kind for event in ledger.events()]

"""An installation as it stands after some months: what the screenshots show and the benchmark of the pages asks for.

The figures are the report's own tests'; the people sign by the rules. Nothing is trained here.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.charter import Charter
from pipeline.evaluation.outcomes import Interval, KpiDefinition
from pipeline.ledger import Ledger, open_iteration, transition
from pipeline.reporting.evidence import Evidence
from pipeline.review import FeedbackItem, ReviewRequest, mark_applied, sign
from tests.reporting.conftest import CHARTER
from tests.web.made import Clock, evidence_of, let_in, put_review, write_pack

#: Everybody who has an account.
PEOPLE = ("ana.ruiz", "maria.lind", "tom.okoye", "li.wei", "olga.admin")
WASTE = KpiDefinition("waste_share", "Share of units wasted", "share", "lower", "wasted", "baked")
ANSWER = KpiDefinition("late_share", "Tickets answered late", "share", "lower", "late", "tickets")
#: Replenishment's pilot began with a lower service level; feedback of the first iteration raised it.
_BEFORE = {"policy": {"name": "newsvendor", "parameters": {"service_level": 0.93}}}
_PROMOTIONS = FeedbackItem(
    id="F1", author="maria.lind", role="business_owner", kind="policy_change", slice={"category": "Promotions"},
    seen="Weekend promotions are gone by Saturday noon.", change="Aim for a service level of 95 %.",
    patch={"policy.parameters.service_level": 0.95}, acceptance="No promotion sells out before Saturday evening.",
)  # fmt: skip
_CASES = FeedbackItem(
    id="F2", author="tom.okoye", role="operations", kind="other", seen="The warehouse packs in sixes.",
    change="Round orders to full cases.", acceptance="No case is opened in the warehouse.",
)  # fmt: skip


def played(url: str, folder: Path, until: datetime) -> ReviewRequest:
    """Play the months before a moment into an empty ledger.

    Args:
        url: of the ledger.
        folder: for the evidence packs.
        until: the last thing happens shortly before.

    Returns:
        The review of the project with the longest history, which waits for the sponsor.
    """
    clock = Clock(until - timedelta(days=58))
    with Ledger(url, now=clock) as ledger:
        let_in(ledger)
        charter = _decided(ledger, folder, 1, Charter.model_validate({**CHARTER, **_BEFORE}), (_PROMOTIONS,))
        clock.pass_by(days=24)
        charter = _decided(ledger, folder, 2, charter, (_CASES,))
        clock.pass_by(days=26)
        bakery = _charter("bakery-orders", "Bakery orders", WASTE, target=0.06)
        _put(ledger, folder, _evidence(bakery, WASTE, 1, (0.0713, 0.0655, 0.0781), (0.1034, 0.0962, 0.1108)))
        clock.pass_by(days=4)
        desk = _charter("first-response", "Quicker first response", ANSWER, target=0.1)
        _put(ledger, folder, _evidence(desk, ANSWER, 1, (0.1189, 0.1042, 0.1351), (0.1612, 0.1497, 0.1733)))
        _begun(ledger, _charter("store-staffing", "Staff for the evening peak", ANSWER, target=0.1))
        clock.pass_by(days=2)
        review = _put(ledger, folder, evidence_of(charter=charter))
        clock.pass_by(days=1)
        digest = review.report_digest
        sign(ledger, review.id, "tom.okoye", "advance", "The stores are ready; the orders come in time.", digest)
    return review


def _decided(
    ledger: Ledger, folder: Path, number: int, charter: Charter, feedback: tuple[FeedbackItem, ...]
) -> Charter:
    """An iteration whose review asked for another one; returns that one's charter."""
    shown = evidence_of(number, charter=charter)
    point = shown.history[-1]
    goal = replace(shown.evaluation.kpis[0], value=point.value, baseline=point.baseline)
    evaluation = replace(shown.evaluation, kpis=(goal, *shown.evaluation.kpis[1:]))
    review = _put(ledger, folder, replace(shown, evaluation=evaluation))
    why = "Promotions still sell out; the next iteration has to see them coming."
    sign(ledger, review.id, "maria.lind", "iterate", why, review.report_digest, feedback)
    with ledger.transaction() as tx:
        applied = mark_applied(tx, review.id)
        assert applied is not None
        transition(tx, applied.record, "closed", actor="maria.lind", role="business_owner")
    return applied.charter


def _put(ledger: Ledger, folder: Path, shown: Evidence) -> ReviewRequest:
    return put_review(ledger, write_pack(folder / shown.charter.project / f"iteration-{shown.iteration}", shown))


def _begun(ledger: Ledger, charter: Charter) -> None:
    """An iteration that is being run."""
    with ledger.transaction() as tx:
        record = open_iteration(
            tx, project=charter.project, number=1, stage=charter.stages[0].name, kind="train",
            charter=charter.canonical(), charter_digest=charter.digest, why={"sentence": "A first look."},
            started_by="li.wei",
        )  # fmt: skip
        transition(tx, record, "running", actor="li.wei")


def _charter(project: str, title: str, kpi: KpiDefinition, *, target: float) -> Charter:
    goal: dict[str, Any] = {**CHARTER["kpi"], "name": kpi.name, "unit": kpi.unit, "target": target}
    stages = tuple({**stage, "milestone": target, "worst_unit_limit": 2 * target} for stage in CHARTER["stages"])
    return Charter.model_validate({**CHARTER, "project": project, "title": title, "kpi": goal, "stages": stages})


def _evidence(
    charter: Charter, kpi: KpiDefinition, number: int, value: tuple[float, ...], baseline: tuple[float, ...]
) -> Evidence:
    shown = evidence_of(number, charter=charter, field=None, studied=None)
    goal = replace(shown.evaluation.kpis[0], kpi=kpi, value=Interval(*value), baseline=Interval(*baseline))
    return replace(shown, evaluation=replace(shown.evaluation, kpis=(goal, *shown.evaluation.kpis[1:])))

"""What the service desk offers a charter, and what it finds wrong in one. Imports no model library."""

from collections.abc import Iterable, Mapping

from pipeline.charter import Charter
from pipeline.charter.advice import Advice, Path
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.problems.advising import invalid, unknown, unlike_kpis
from pipeline.service_desk.parameters import ALGORITHMS, POLICIES, Business

SOURCES = ("desk",)
#: Today's rule; customers' priorities first, first come first served within; the policy with means by category.
BASELINES = ("incumbent", "priority_first", "category_averages")
FEATURES: Mapping[str, str] = {
    "kind": "category and channel",
    "customer": "priority and the customer's tier",
    "details": "products, attachments, users concerned, whether the error is known",
    "time": "weekday and hour",
    "customer_history": "how long the customer's earlier tickets took and how often they were escalated",
}
KPIS: Mapping[str, KpiDefinition] = {
    kpi.name: kpi
    for kpi in (
        KpiDefinition("first_response", "First response", "hours", "lower", "response_hours", "tickets"),
        KpiDefinition("versus_today", "Against today's rule", "ratio", "lower", "response_hours", "today_hours"),
        KpiDefinition("p90_response", "First response, 90th percentile", "hours", "lower", "p90_hours", "p90_tickets"),
        KpiDefinition("late_share", "Late first responses", "share", "lower", "late", "tickets"),
        KpiDefinition("high_response", "First response, high priority", "hours", "lower", "high_hours", "high_tickets"),
        KpiDefinition("reopened_share", "Reopened", "share", "lower", "reopened", "closed"),
        KpiDefinition("time_to_close", "Time to close", "hours", "lower", "open_hours", "tickets"),
        KpiDefinition("agent_hours", "Agent hours", "hours per team and week", "lower", "agent_hours", "team_weeks"),
    )
}


def check(charter: Charter) -> tuple[Advice, ...]:
    """Everything in the charter this domain cannot do, with what to write instead."""
    return (
        *unknown(("data", "source"), charter.data.source, SOURCES, "source"),
        *_period(charter),
        *unlike_kpis(charter, KPIS),
        *unknown(("kpi", "baseline", "policy"), charter.kpi.baseline.policy, BASELINES, "baseline policy"),
        *invalid(("business",), Business, charter.business),
        *_policy(charter),
        *_candidates(charter),
    )


def _period(charter: Charter) -> Iterable[Advice]:
    if charter.data.period != "week":
        yield Advice(("data", "period"), f"`{charter.data.period}`", "write `period: week`: shifts are planned weekly")


def _policy(charter: Charter) -> Iterable[Advice]:
    policy = charter.policy
    yield from unknown(("policy", "name"), policy.name, POLICIES, "policy")
    if policy.name in POLICIES:
        yield from invalid(("policy", "parameters"), POLICIES[policy.name], policy.parameters)


def _candidates(charter: Charter) -> Iterable[Advice]:
    for number, candidate in enumerate(charter.model.candidates):
        path: Path = ("model", "candidates", number)
        yield from unknown((*path, "algorithm"), candidate.algorithm, ALGORITHMS, "algorithm")
        for position, feature in enumerate(candidate.features):
            yield from unknown((*path, "features", position), feature, FEATURES, "feature group")
        if candidate.algorithm in ALGORITHMS:
            yield from invalid((*path, "parameters"), ALGORITHMS[candidate.algorithm], candidate.parameters)

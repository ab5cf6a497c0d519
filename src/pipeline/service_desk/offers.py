"""What the service desk offers a charter, and what it finds wrong in one. Imports no model library."""

import difflib
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from pipeline.charter import Charter
from pipeline.charter.advice import Advice, Path
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.service_desk.parameters import ALGORITHMS, POLICIES, Business, Parameters

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
        *_named(("data", "source"), charter.data.source, SOURCES, "source"),
        *_period(charter),
        *_kpis(charter),
        *_named(("kpi", "baseline", "policy"), charter.kpi.baseline.policy, BASELINES, "baseline policy"),
        *_validated(("business",), Business, charter.business),
        *_policy(charter),
        *_candidates(charter),
    )


def _period(charter: Charter) -> Iterable[Advice]:
    if charter.data.period != "week":
        yield Advice(("data", "period"), f"`{charter.data.period}`", "write `period: week`: shifts are planned weekly")


def _kpis(charter: Charter) -> Iterable[Advice]:
    named: list[tuple[Path, str, str, str]] = [(("kpi",), charter.kpi.name, charter.kpi.unit, charter.kpi.direction)]
    named += [
        (("guardrails", position), guard.name, guard.unit, guard.direction)
        for position, guard in enumerate(charter.guardrails)
    ]
    for path, name, unit, direction in named:
        yield from _named((*path, "name"), name, KPIS, "KPI")
        kpi = KPIS.get(name)
        if kpi is not None and unit != kpi.unit:
            yield Advice((*path, "unit"), f"the unit '{unit}'", f"{name} is measured in: write `unit: {kpi.unit}`")
        if kpi is not None and direction != kpi.direction:
            yield Advice((*path, "direction"), f"`{direction}`", f"write `direction: {kpi.direction}` for {name}")


def _policy(charter: Charter) -> Iterable[Advice]:
    policy = charter.policy
    yield from _named(("policy", "name"), policy.name, POLICIES, "policy")
    if policy.name in POLICIES:
        yield from _validated(("policy", "parameters"), POLICIES[policy.name], policy.parameters)


def _candidates(charter: Charter) -> Iterable[Advice]:
    for number, candidate in enumerate(charter.model.candidates):
        path: Path = ("model", "candidates", number)
        yield from _named((*path, "algorithm"), candidate.algorithm, ALGORITHMS, "algorithm")
        for position, feature in enumerate(candidate.features):
            yield from _named((*path, "features", position), feature, FEATURES, "feature group")
        if candidate.algorithm in ALGORITHMS:
            yield from _validated((*path, "parameters"), ALGORITHMS[candidate.algorithm], candidate.parameters)


def _named(path: Path, name: str, known: Iterable[str], what: str) -> Iterable[Advice]:
    """Advice when the name is not known: the nearest one first."""
    names = tuple(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f"did you mean `{near[0]}`? " if near else ""
    yield Advice(path, f"no {what} is called '{name}'", f"{meant}write one of: {', '.join(names)}")


def _validated(path: Path, model: type[Parameters], values: Mapping[str, object]) -> Iterable[Advice]:
    """What pydantic finds, in the charter's words."""
    try:
        model.model_validate(values, strict=True)
    except ValidationError as error:
        for found in error.errors():
            key = str(found["loc"][0])
            if found["type"] == "extra_forbidden":
                yield from _named((*path, key), key, model.model_fields, "parameter")
                continue
            field = model.model_fields[key]
            means = f" ({field.description})" if field.description else ""
            shown = "the key is missing" if found["type"] == "missing" else f"'{found['input']}'"
            yield Advice((*path, key), shown, f"{found['msg'][0].lower()}{found['msg'][1:]}{means}")

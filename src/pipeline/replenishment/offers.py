"""What the replenishment domain offers a charter, and what it finds wrong in one. Imports no model library."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from pydantic import ValidationError

from pipeline.charter import Charter
from pipeline.charter.advice import Advice, Path
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.problems.advising import unknown, unlike_kpis
from pipeline.replenishment.parameters import ALGORITHMS, POLICIES, Business, LightGBM, Parameters

#: The synthetic chains of :data:`pipeline.replenishment.demand.CHAINS`, the files of a public challenge, and a user's
#: own tables.
SOURCES = ("retailer", "overstocked", "vn2", "tables")
#: Sources that are recorded history: no world answers, so they are judged in past games.
RECORDED = ("vn2", "tables")
BASELINES = ("incumbent", "seasonal_naive", "seasonal_average", "official_benchmark", "tuned_benchmark")
FEATURES: Mapping[str, str] = {
    "recent_sales": "single last weeks and means over 2 to 52 weeks, stock-outs left out",
    "level": "how much the series sells",
    "season": "place in the year, seasonal factor of chain and department",
    "intermittency": "share of weeks with sales, time since the last one, size when sold",
    "last_year": "the same weeks a year ago",
    "hierarchy": "what product, store and department sold lately elsewhere",
    "promotions": "planned discount, what discounts did before, sales without them",
    "holidays": "holidays and pay weeks around the target week",
    "stockouts": "share of weeks in which the shelf ran empty",
}
KPIS: Mapping[str, KpiDefinition] = {
    kpi.name: kpi
    for kpi in (
        KpiDefinition("stockout_rate", "Stock-out rate", "share", "lower", "stockout_weeks", "weeks"),
        KpiDefinition("lost_units_share", "Units lost", "share", "lower", "lost", "demand"),
        KpiDefinition("average_inventory", "Stock", "units per store-product", "lower", "inventory", "weeks"),
        KpiDefinition("cost", "Cost", "EUR per store-product-week", "lower", "cost", "cost_weeks"),
        KpiDefinition("relative_cost", "Cost against the benchmark", "ratio", "lower", "cost", "benchmark_cost"),
        KpiDefinition("turnover_days", "Days of sales in stock", "days", "lower", "stock_days", "sold"),
    )
}


def check(charter: Charter) -> tuple[Advice, ...]:
    """Everything in the charter this domain cannot do, with what to write instead."""
    return (
        *unknown(("data", "source"), charter.data.source, SOURCES, "source"),
        *unlike_kpis(charter, KPIS),
        *unknown(("kpi", "baseline", "policy"), charter.kpi.baseline.policy, BASELINES, "baseline policy"),
        *_business(charter),
        *_policy(charter),
        *_candidates(charter),
        *_period(charter),
    )


def _business(charter: Charter) -> Iterable[Advice]:
    yield from _validated(("business",), Business, charter.business)
    if "last_order" in charter.business and charter.data.source not in RECORDED:
        found = f"an end, but `{charter.data.source}` is a world that goes on"
        yield Advice(("business", "last_order"), found, f"leave the key out; it is for {' and '.join(RECORDED)}")


def _policy(charter: Charter) -> Iterable[Advice]:
    policy = charter.policy
    yield from unknown(("policy", "name"), policy.name, POLICIES, "policy")
    if policy.name in POLICIES:
        yield from _validated(("policy", "parameters"), POLICIES[policy.name], policy.parameters)


def _candidates(charter: Charter) -> Iterable[Advice]:
    for number, candidate in enumerate(charter.model.candidates):
        path: Path = ("model", "candidates", number)
        yield from unknown((*path, "algorithm"), candidate.algorithm, ALGORITHMS, "algorithm")
        for position, feature in enumerate(candidate.features):
            yield from unknown((*path, "features", position), feature, FEATURES, "feature group")
        yield from _validated((*path, "parameters"), LightGBM, candidate.parameters)


def _period(charter: Charter) -> Iterable[Advice]:
    if charter.data.period != "week":
        yield Advice(("data", "period"), f"`{charter.data.period}`", "write `period: week`: orders are placed weekly")


def _validated(path: Path, model: type[Parameters], values: Mapping[str, object]) -> Iterable[Advice]:
    """What pydantic finds, in the charter's words."""
    try:
        model.model_validate(values, strict=True)
    except ValidationError as error:
        for found in error.errors():
            yield _advice(path, model, str(found["loc"][0]), found["type"], found["input"])


def _advice(path: Path, model: type[Parameters], key: str, kind: str, value: object) -> Advice:
    if kind == "extra_forbidden":
        return next(iter(unknown((*path, key), key, model.model_fields, "parameter")))
    field = model.model_fields[key]
    limits = _limits(field.metadata)
    means = f" ({field.description})" if field.description else ""
    if kind == "missing":
        return Advice((*path, key), "the key is missing", f"add `{key}:` with a number{limits}{means}")
    asked = _ASKED.get(field.annotation, "a number")
    return Advice((*path, key), f"'{value}'", f"write {asked}{limits}{means}")


_ASKED: Mapping[object, str] = {int: "a whole number", date | None: "a date, such as 2026-05-11"}


def _limits(metadata: Sequence[object]) -> str:
    """`` > 0, ≤ 52`` from a field's constraints."""
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
    found = [f"{sign} {getattr(limit, name):g}" for limit in metadata for name, sign in signs if hasattr(limit, name)]
    return f" {', '.join(found)}" if found else ""

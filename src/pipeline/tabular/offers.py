"""What a table offers a charter, and what it finds wrong in one. Imports no model library and reads no data."""

from collections.abc import Iterable, Mapping

from pipeline.charter import Charter
from pipeline.charter.advice import Advice, Path
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.problems.advising import invalid, unknown, unlike_kpis
from pipeline.tabular.parameters import (
    ALGORITHMS,
    AS,
    POLICIES,
    Business,
    business_of,
    exceptions_of,
    shape_of,
    slug,
)

#: Groups of features beside the names of single columns.
GROUPS = ("all", "numbers", "texts")
_POLICIES = {
    "binary": ("expected_value", "threshold", "top_k", "capacity", "cost_matrix"),
    "multiclass": ("cost_matrix",),
    "regression": ("expected_value", "threshold", "top_k", "capacity", "estimate"),
}
#: What must be said of each shape's values; without any all decisions would be worth the same.
_VALUES = {
    "binary": ("hit", "false_alarm", "miss", "correct_rejection"),
    "multiclass": ("right", "wrong"),
    "act": ("per_unit", "acting"),
    "estimate": ("over", "under"),
}


def kpis(charter: Charter) -> Mapping[str, KpiDefinition]:
    """The KPIs of a charter's task, values in the unit it counts them in."""
    business, shape, period = business_of(charter), shape_of(charter), charter.data.period
    money = business.counted_in
    found = [
        KpiDefinition("value_per_case", "Value per case", f"{money} per case", "higher", "value", "cases"),
        KpiDefinition(
            "value_per_period", "Value per unit and period", f"{money} per unit and {period}", "higher", "value",
            "unit_periods",
        ),
    ]  # fmt: skip
    if shape == "act":
        found.append(KpiDefinition("workload", "Cases acted on", "share", "lower", "acted", "cases"))
        found.append(
            KpiDefinition(
                "handled_per_period", "Cases handled", f"cases per unit and {period}", "lower", "acted", "unit_periods"
            )
        )
    if business.task == "binary":
        found.append(KpiDefinition("missed_share", "Positive cases left", "share", "lower", "missed", "cases"))
        found.append(KpiDefinition("false_alarms", "Acted on in vain", "share", "lower", "false_alarms", "cases"))
    if shape == "assign":
        found.append(KpiDefinition("right_share", "Right class", "share", "higher", "right", "cases"))
    if shape == "estimate":
        found.append(
            KpiDefinition("mean_error", "Mean absolute error", business.target_unit, "lower", "absolute_error", "cases")
        )
    return {kpi.name: kpi for kpi in found}


def baselines(charter: Charter) -> tuple[str, ...]:
    """Ways to decide without a model: fixed ones by the shape of the decision, and today's where it is known."""
    fixed = {
        "act": ("nobody", "everybody"),
        "assign": ("most_common", "best_constant"),
        "estimate": ("mean", "median"),
    }[shape_of(charter)]
    return (*fixed, "today") if business_of(charter).has_today else fixed


def check(charter: Charter) -> tuple[Advice, ...]:
    """Everything in the charter this problem cannot do, with what to write instead."""
    plain = {name: value for name, value in charter.business.items() if AS not in name}
    wrong = (
        *invalid(("business",), Business, plain),
        *unknown(("policy", "name"), charter.policy.name, POLICIES, "policy"),
    )
    if wrong:
        return (*wrong, *_candidates(charter))
    return (
        *_task(charter),
        *_today(charter),
        *_values(charter),
        *unlike_kpis(charter, kpis(charter)),
        *unknown(("kpi", "baseline", "policy"), charter.kpi.baseline.policy, baselines(charter), "baseline policy"),
        *invalid(("policy", "parameters"), POLICIES[charter.policy.name], charter.policy.parameters),
        *_candidates(charter),
        *_limits(charter),
    )


def _limits(charter: Charter) -> Iterable[Advice]:
    """Only an estimate can be too large or too far from today's; to act, or a class, is no amount."""
    limits = charter.compliance.limits
    for name in ("max_change", "cap"):
        if getattr(limits, name) is not None and shape_of(charter) != "estimate":
            remedy = (
                "leave it out; `outside_training: refuse` limits such decisions, and the policy `capacity` their number"
            )
            yield Advice(("compliance", "limits", name), "a limit of amounts where a decision is none", remedy)


def _task(charter: Charter) -> Iterable[Advice]:
    business, policy = business_of(charter), charter.policy.name
    offered = _POLICIES[business.task]
    if policy not in offered:
        yield Advice(
            ("policy", "name"), f"`{policy}` for a {business.task} target", f"write one of: {', '.join(offered)}"
        )
    if business.task == "binary" and business.positive is None:
        yield Advice(
            ("business", "positive"), "the key is missing", 'write the value that asks for action: `positive: "yes"`'
        )
    if business.task == "multiclass" and len(business.names) < 3:
        found = f"{len(business.names)} classes"
        yield Advice(
            ("business", "classes"), found, 'name all values of the target, three or more: `classes: "a, b, c"`'
        )
    for key, column in business.columns.items():
        if slug(column) != column:
            place: Path = ("business", key.split("[")[0])
            yield Advice(
                place, f"the column '{column}'", f"columns are named in lower case here: write `{slug(column)}`"
            )


def _today(charter: Charter) -> Iterable[Advice]:
    business = business_of(charter)
    limits = [name for name in ("rule_at_least", "rule_at_most", "rule_is") if getattr(business, name) is not None]
    if business.rule_column and not limits:
        remedy = "add one of: rule_at_least, rule_at_most, rule_is"
        yield Advice(("business", "rule_column"), "a rule without a limit", remedy)
    if limits and not business.rule_column:
        yield Advice(("business", limits[0]), "a limit without a column", "add `rule_column: COLUMN`")
    if business.rule_column and business.today:
        yield Advice(("business", "rule_column"), "a rule beside the column `today`", "keep one of the two")
    if business.rule_column and shape_of(charter) != "act":
        remedy = "name the column of today's decisions instead: `today: COLUMN`"
        yield Advice(("business", "rule_column"), "a rule that acts or leaves", remedy)


def _values(charter: Charter) -> Iterable[Advice]:
    business, shape = business_of(charter), shape_of(charter)
    asked = _VALUES[shape if business.task == "regression" else business.task]
    if not any(charter.business.get(name) for name in asked) and not exceptions_of(charter):
        found = "no decision is worth anything"
        yield Advice(
            ("business",), found, f"say what decisions are worth, in {business.counted_in}: {', '.join(asked)}"
        )
    names = [slug(name) for name in business.names]
    for name, value in exceptions_of(charter).items():
        parts = name.split(AS)
        if business.task != "multiclass" or len(parts) != 2 or not set(parts) <= set(names):
            remedy = f"write TRUTH{AS}DECISION with: {', '.join(names) or 'the classes of a multiclass target'}"
            yield Advice(("business", name), "a value of no known classes", remedy)
        elif isinstance(value, bool | str):
            yield Advice(("business", name), f"'{value}'", f"write a number, in {business.counted_in}")


def _candidates(charter: Charter) -> Iterable[Advice]:
    for number, candidate in enumerate(charter.model.candidates):
        path: Path = ("model", "candidates", number)
        yield from unknown((*path, "algorithm"), candidate.algorithm, ALGORITHMS, "algorithm")
        if candidate.algorithm in ALGORITHMS:
            yield from invalid((*path, "parameters"), ALGORITHMS[candidate.algorithm], candidate.parameters)

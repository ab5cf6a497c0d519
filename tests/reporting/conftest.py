"""A realistic evidence: iteration 3 of a grocery chain's replenishment, measured in 5 pilot stores."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.datasets.dataset import Assessment, DataFacts
from pipeline.evaluation.outcomes import Effect, Evaluation, Interval, KpiDefinition, KpiResult, SliceResult
from pipeline.evaluation.study import FrontierPoint, SeedSpread, Steered, Studied, Way
from pipeline.reporting.evidence import (
    ArmShown,
    CandidateShown,
    ChangeShown,
    CostsShown,
    DataShown,
    DecisionOption,
    DriftColumn,
    DriftSummary,
    Evidence,
    FeedbackShown,
    HistoryPoint,
    Link,
    ModelShown,
    QuarantineReason,
    WeeklyPoint,
)
from pipeline.reporting.experiment import BalanceShown, FieldKpi, FieldPoint, FieldShown, RungShown
from pipeline.verdicts import Verdict
from tests.drawing import drawn_once

__all__ = ["drawn_once"]

RESOURCES = {"people_days": 12.0, "compute_hours": 1.5, "money": 9000.0}

CHARTER: dict[str, Any] = {
    "project": "smart-replenishment",
    "title": "Smart replenishment",
    "problem": "replenishment",
    "pain_point": "Shelves stand empty: every week about one product in twelve runs out before the next delivery.",
    "decision": "How many units of each product each store orders on Monday.",
    "kpi": {
        "name": "stockout_rate",
        "unit": "share",
        "direction": "lower",
        "baseline": {"policy": "min_max", "measured_over": 26},
        "target": 0.042,
        "deadline": date(2027, 6, 30),
        "owner": "maria.lind",
    },
    "guardrails": (
        {"name": "inventory", "unit": "units per store-product", "direction": "lower", "versus_baseline": 1.0},
    ),
    "scope": {"in": ("Dry goods in all stores",), "out": ("Fresh produce",)},
    "strategy": {
        "priority": 1,
        "corporate_kpi": "Like-for-like sales",
        "sponsor": "ana.ruiz",
        "review_every_weeks": 6,
        "last_reviewed": date(2026, 9, 1),
    },
    "people": (
        {"id": "ana.ruiz", "name": "Ana Ruiz", "role": "sponsor", "channel": "mail"},
        {"id": "maria.lind", "name": "Maria Lind", "role": "business_owner", "channel": "mail"},
        {"id": "tom.okoye", "name": "Tom Okoye", "role": "operations", "channel": "mail"},
        {"id": "li.wei", "name": "Li Wei", "role": "engineering", "channel": "mail"},
    ),
    "sign": {
        "advance": ("sponsor", "operations"),
        "iterate": ("business_owner",),
        "hold": ("business_owner",),
        "roll_back": ("operations",),
        "stop": ("sponsor",),
    },
    "data": {
        "source": "retailer",
        "period": "week",
        "tables": ({"name": "sales", "owner": "Sales data team", "freshness_days": 10},),
        "minimum_history": 104,
    },
    "model": {
        "candidates": (
            {"name": "boosted", "algorithm": "lightgbm", "features": ("lag_1", "promo"), "parameters": {"rounds": 200}},
        ),
        "train_on": "all",
        "train_periods": 104,
        "backtest_cutoffs": 4,
        "backtest_every": 4,
    },
    "policy": {"name": "newsvendor", "parameters": {"service_level": 0.95}},
    "controls": ("data_owner_named", "model_documented"),
    "stages": tuple(
        {**stage, "resources": RESOURCES}
        for stage in (
            {"name": "pilot", "units": 5, "periods": 8, "milestone": 0.05, "worst_unit_limit": 0.06},
            {"name": "full", "units": 300, "periods": 12, "milestone": 0.042, "worst_unit_limit": 0.08},
        )
    ),
    "budget": {"iterations": 6, "money": 120000.0, "currency": "EUR"},
}

RATE = KpiDefinition("stockout_rate", "Stock-out rate", "share", "lower", "stockouts", "cells")
LOST = KpiDefinition("lost_share", "Share of units lost", "share", "lower", "lost", "demand")
STOCK = KpiDefinition("inventory", "Average inventory", "units per store-product", "lower", "stock", "cells")
COST = KpiDefinition("cost", "Cost", "EUR per week", "lower", "cost", "weeks")


Triple = tuple[float, float, float]


def _kpi(kpi: KpiDefinition, value: Triple, baseline: Triple, difference: Triple) -> KpiResult:
    return KpiResult(kpi, "boosted", Interval(*value), Interval(*baseline), Interval(*difference), 5)


def _evaluation() -> Evaluation:
    return Evaluation(
        arm="boosted",
        baseline="baseline:min_max",
        kpis=(
            _kpi(RATE, (0.0403, 0.0371, 0.0438), (0.0812, 0.0741, 0.0885), (-0.0409, -0.0461, -0.0352)),
            _kpi(STOCK, (14.21, 13.6, 14.9), (14.84, 14.2, 15.4), (-0.63, -1.1, -0.12)),
            _kpi(LOST, (0.0388, 0.0352, 0.0421), (0.0771, 0.0699, 0.0844), (-0.0383, -0.0437, -0.0331)),
            _kpi(COST, (3912.4, 3701.0, 4120.0), (4466.0, 4203.0, 4741.0), (-553.6, -702.0, -401.0)),
        ),
        units=tuple(
            SliceResult("unit", name, "stockout_rate", arm, base, 480.0)
            for name, arm, base in (
                ("Store 017 Harbour", 0.0583, 0.0847),
                ("Store 203 Mill Lane", 0.0437, 0.0911),
                ("Store 044 Old Town", 0.0391, 0.0764),
                ("Store 121 Station", 0.0325, 0.0702),
                ("Store 266 Airport", 0.0279, 0.0836),
            )
        ),
        slices=(
            SliceResult("category", "Promotions", "stockout_rate", 0.0712, 0.1203, 220.0),
            SliceResult("category", "Slow movers", "stockout_rate", 0.0521, 0.0688, 410.0),
            SliceResult("category", "Everyday", "stockout_rate", 0.0304, 0.0731, 1770.0),
            SliceResult("cluster", "City", "stockout_rate", 0.0431, 0.0866, 1440.0),
            SliceResult("cluster", "Suburb", "stockout_rate", 0.0361, 0.0731, 960.0),
        ),
        basis="8 weeks in the field, 5 stores × 60 products; 2 products delisted in week 3 are left out.",
        kind="field",
        periods=8,
    )


def _field() -> FieldShown:
    effect = Interval(-0.0381, -0.0512, -0.0249)
    return FieldShown(
        treated=("Store 017 Harbour", "Store 044 Old Town"),
        controls=("Store 101 Quay", "Store 102 Park", "Store 103 Hill"),
        start="2026-06-29",
        first="2026-07-06",
        periods=7,
        method="optimal matching",
        balance=(BalanceShown("level", 0.41, 0.04), BalanceShown("region is north", -0.2, 0.0)),
        note="All standardised mean differences are at most 0.1; the largest is +0.04, of level.",
        kpis=(FieldKpi(RATE, 0.0812, Interval(0.0403, 0.031, 0.0497), 0.0801, 0.0773, 0.0784, effect),),
        sentences=("Doing nothing does not give as much.", "The worst unit is Store 017 Harbour."),
        course=tuple(
            FieldPoint(f"2026-{month:02d}-{day:02d}", 0.08 if month < 7 else 0.04, 0.08)
            for month in (5, 6, 7, 8)
            for day in (1, 8, 15, 22)
        ),
        rungs=(RungShown("pilot", 3, 2, 3, 7, 0.0784, 0.0403, effect),),
        power="Seven weeks can show 3 points.",
        next_stage=("On stage full nobody is left to be a control.",),
        promise="Iteration 3 promised 4.1 % and the field gave 4.0 %.",
        proposal="",
    )


def _studied() -> Studied:
    points = {"paths": (0.8, 0.9, 0.95), "safety_stock": (0.7, 0.9)}
    steered = {f"{policy} {level}": Steered(policy, level) for policy, levels in points.items() for level in levels}
    steered["boosted"] = steered.pop("paths 0.95")

    def way(name: str, apart: float) -> Way:
        value, difference = Interval(0.0391 + apart, 0.03 + apart, 0.05 + apart), Interval(apart, -0.0013, 0.0177)
        return Way(name, value, value, difference, difference)

    return Studied(
        reference="boosted",
        baseline="baseline:min_max",
        games=(6, 6),
        ways=tuple(way(name, place / 100) for place, name in enumerate(["boosted", *sorted(steered), "linear"])),
        steered=steered,
        frontier=tuple(
            FrontierPoint(
                policy,
                level,
                {"stockout_rate": 0.1 * (1 - level), "inventory": 20 * level, "lost_share": 0.09, "cost": 4000 / level},
            )
            for policy, levels in points.items()
            for level in levels
        ),
        held_against={"stockout_rate": 0.0812, "inventory": 14.84, "lost_share": 0.0771, "cost": 4466.0},
        tuned="paths 0.9",
        seeds=SeedSpread(5, (0.0388, 0.0397, 0.0004), (0.0409, 0.0421, 0.0005)),
    )


def _verdicts() -> tuple[Verdict, ...]:
    return (
        Verdict(
            "kpi.beats_baseline",
            "Stock-out rate beats today's rule",
            "pass",
            "block",
            "Stock-out rate was 4.0 % against 8.1 % under the baseline on the same 5 units: -4.1 points.",
            {"difference": -0.0409, "units": 5},
        ),
        Verdict(
            "kpi.reaches_milestone",
            "Stock-out rate reaches the milestone of stage pilot",
            "pass",
            "block",
            "Stock-out rate was 4.0 % (95 % interval 3.7 % to 4.4 %), the milestone of stage pilot asks for at most "
            "5.0 %.",
            {"value": 0.0403, "limit": 0.05},
        ),
        Verdict(
            "kpi.reaches_target",
            "Stock-out rate reaches the target",
            "fail",
            "warn",
            "Stock-out rate was 4.0 % (95 % interval 3.7 % to 4.4 %), the target asks for at most 4.2 %: the point is "
            "there, but the worse end of the interval, 4.4 %, is not.",
            {"value": 0.0403, "limit": 0.042},
        ),
        Verdict(
            "guardrail.inventory",
            "Average inventory stays within its guardrail",
            "pass",
            "block",
            "Average inventory was 14.2 units per store-product against 14.8 under the baseline: kept.",
            {"value": 14.21, "allowed": 14.84},
        ),
        Verdict(
            "slice.worst_unit",
            "The worst unit stays within its limit",
            "pass",
            "block",
            "Stock-out rate of the worst unit, Store 017 Harbour, was 5.8 %; stage pilot asks for at most 6.0 %.",
            {"value": 0.0583, "limit": 0.06},
        ),
        Verdict(
            "data.quarantine",
            "Few rows were refused",
            "pass",
            "block",
            "412 of 2,812,400 rows were refused (0.0 %); at most 2.0 % are allowed.",
            {"share": 0.000146},
        ),
        Verdict("data.freshness", "The data is fresh", "pass", "block", "The oldest table is 3 days old.", {"days": 3}),
        Verdict(
            "control.data_owner_named",
            "Every table has an owner",
            "pass",
            "block",
            "1 of 1 tables names an owner.",
            {},
        ),
        Verdict(
            "control.model_documented",
            "The model is documented",
            "waived",
            "warn",
            "Waived by Ana Ruiz until 2026-12-31: the model card is being translated.",
            {},
        ),
        Verdict(
            "budget.iterations",
            "The iteration budget holds",
            "pass",
            "block",
            "This is iteration 3 of 6 in the budget; 3 are left.",
            {"iteration": 3},
        ),
    )


def build() -> Evidence:
    """The evidence, built anew."""
    charter = Charter.model_validate(CHARTER)
    evaluation = _evaluation()
    values = {result.kpi.name: result.value for result in evaluation.kpis}
    today = {result.kpi.name: result.baseline for result in evaluation.kpis}
    facts = DataFacts(
        156,
        300,
        18000,
        0.9971,
        0.0794,
        {"sales": 3},
        137,
        drift={"units": 0.11},
        notes=("Store 088 was closed for rebuilding in weeks 40 to 44.",),
    )
    return Evidence(
        iteration=3,
        stage=charter.stages[0],
        kind="train",
        why="Operations reported that promotions still sell out. Maria Lind asked for another iteration that knows the "
        "promotion calendar before the rollout goes up.",
        charter=charter,
        data=DataShown(
            "d" * 64,
            date(2026, 10, 26),
            {"sales": 2808000, "stores": 300, "promotions": 4100},
            {"sales": 2807611, "stores": 300, "promotions": 4077},
            (
                QuarantineReason("sales", "units: negative", 252, '{"store":"S017","product":"P09","units":-4}'),
                QuarantineReason("sales", "duplicate key (store, product, week)", 137, '{"store":"S044","units":2}'),
                QuarantineReason("promotions", "product: unknown", 20, '{"product":"P77"}'),
            ),
            3,
        ),
        assessment=Assessment(facts, ()),
        evaluation=evaluation,
        model=ModelShown("smart-replenishment", "3", "a" * 64),
        code_version="0.1.0+f09cde6",
        seed=20260,
        started_by="li.wei",
        costs=CostsShown(3, (("load", 4.2), ("assess", 1.1), ("train", 83.4), ("play", 6.0), ("report", 1.9)), 31500.0),
        changes=(
            ChangeShown("model.candidates.boosted.features", "lag_1", "lag_1, promo", "neutral", "feedback F1"),
            ChangeShown("policy.parameters.service_level", "0.93", "0.95", "neutral", "feedback F2"),
            ChangeShown("scope.out", "Fresh produce, Promotions", "Fresh produce", "widened", "feedback F1"),
        ),
        feedback=(
            FeedbackShown(
                "F1",
                "Tom Okoye",
                "operations",
                "“Weekend promotions are gone by Saturday noon, the order does not see them coming.”",
                "Let the model see the promotion calendar",
                "applied",
                "Applied: the calendar is known six weeks ahead, so nothing leaks.",
                Effect(
                    "F1",
                    "stockout_rate",
                    Interval(0.0403, 0.0371, 0.0438),
                    Interval(0.0522, 0.048, 0.0561),
                    Interval(-0.0119, -0.0151, -0.0084),
                ),
            ),
            FeedbackShown(
                "F2",
                "Maria Lind",
                "business_owner",
                "Slow movers run out although they hardly cost anything to keep.",
                "Raise the service level from 93 % to 95 %",
                "applied",
                "Applied: within the inventory guardrail.",
                Effect(
                    "F2",
                    "stockout_rate",
                    Interval(0.0403, 0.0371, 0.0438),
                    Interval(0.0411, 0.0378, 0.0449),
                    Interval(-0.0008, -0.0021, 0.0006),
                ),
            ),
            FeedbackShown(
                "F3",
                "Tom Okoye",
                "operations",
                "Orders come in odd numbers, the warehouse packs in sixes.",
                "Round orders to full cases",
                "deferred",
                "Deferred: case sizes are not in the data yet; the data owner brings them in December.",
            ),
        ),
        arms=(
            ArmShown("baseline:min_max", "today's rule (min-max)", "baseline", today),
            ArmShown(
                "baseline:seasonal_naive",
                "",
                "baseline",
                {"stockout_rate": Interval(0.0674, 0.0609, 0.0741), "inventory": Interval(16.8, 16.0, 17.7)},
            ),
            ArmShown(
                "baseline:seasonal_mean",
                "",
                "baseline",
                {"stockout_rate": Interval(0.0528, 0.0481, 0.0574), "inventory": Interval(15.1, 14.4, 15.8)},
            ),
            ArmShown("boosted", "boosted trees", "challenger", values),
        ),
        backtest=(
            CandidateShown(
                "boosted",
                Interval(0.0388, 0.035, 0.042),
                Interval(0.0411, 0.037, 0.045),
                Interval(0.0795, 0.073, 0.087),
                {"WAPE": 0.312, "bias": -0.014, "pinball": 1.07},
                chosen=True,
            ),
            CandidateShown(
                "linear",
                Interval(0.0467, 0.042, 0.051),
                Interval(0.0471, 0.043, 0.052),
                Interval(0.0795, 0.073, 0.087),
                {"WAPE": 0.368, "bias": 0.022, "pinball": 1.31},
            ),
        ),
        studied=_studied(),
        history=(
            HistoryPoint(1, "pilot", Interval(0.0669, 0.0612, 0.0731), Interval(0.0834, 0.076, 0.091), 5),
            HistoryPoint(2, "pilot", Interval(0.0522, 0.048, 0.0561), Interval(0.0797, 0.073, 0.087), 5),
            HistoryPoint(3, "pilot", Interval(0.0403, 0.0371, 0.0438), Interval(0.0812, 0.0741, 0.0885), 5),
        ),
        weekly=tuple(
            WeeklyPoint(str(week.date()), 0.041 + 0.004 * ((i % 3) - 1), 0.08 + 0.006 * ((i % 4) - 1.5))
            for i, week in enumerate(pd.date_range("2026-09-07", periods=8, freq="7D"))
        ),
        drift=DriftSummary(
            (
                DriftColumn("units", 0.11, 0.1, True),
                DriftColumn("price", 0.02, 0.1, False),
                DriftColumn("promo", 0.04, 0.1, False),
            ),
            0.3333,
            100000,
            "drift.html",
        ),
        field=_field(),
        verdicts=_verdicts(),
        decisions=(
            DecisionOption(
                "advance",
                "The model goes to all 300 stores on Monday; 30 of them stay as controls.",
                signers=("sponsor", "operations"),
            ),
            DecisionOption(
                "iterate",
                "Iteration 4 opens with the feedback you approve; the pilot goes on as it is.",
                signers=("business_owner",),
            ),
            DecisionOption(
                "hold", "Nothing changes; the pilot is measured for another 8 weeks.", signers=("business_owner",)
            ),
            DecisionOption("roll_back", "", available=False, reason="This is the lowest stage."),
            DecisionOption(
                "stop", "The pilot stores go back to today's rule; the record is closed.", signers=("sponsor",)
            ),
        ),
        limits=(
            "Five stores are few: the interval is wide, and one unusual store moves it.",
            "In the synthetic retailer the baseline is the same store's twin; real chains have no such twin.",
        ),
        links=(
            Link("Sign", "landed review sign smart-replenishment-3 --as you --decision advance"),
            Link("Drift report", "drift.html"),
        ),
        units_word="stores",
        recorded_case=True,
    )


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    """The evidence most tests look at; frozen, so one is enough."""
    return build()

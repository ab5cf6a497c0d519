"""A small case with controls, whose KPI is bought with more stock: the ladder measures it, and refuses it."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.case import CaseRow, play_case
from flows.field import under_todays_rule
from pipeline.datasets import catalog
from pipeline.evaluation.observed import Observed
from pipeline.ledger import Event, Ledger, verify
from pipeline.problems.reading import read_charter_for_problem
from pipeline.problems.registry import find
from pipeline.reporting import pack
from pipeline.review.recorded import read_recorded
from pipeline.rollout.arms import arms_of
from pipeline.rollout.ladder import current
from pipeline.rollout.rungs import measured_effects
from pipeline.settings import Settings
from tests.conftest import Home
from tests.flows.made import PERIODS, PROJECT, SPEC, charter_values, decisions_values, found_retailer, write_yaml
from tests.language.leftovers import english_in_pack, said


@dataclass(frozen=True)
class Bought:
    home: Home
    row: CaseRow
    events: tuple[Event, ...]
    observed: Observed

    def first(self, kind: str) -> Event:
        return next(event for event in self.events if event.kind == kind)

    @property
    def evidence(self) -> dict:
        folder = Path(self.row.record.result["report"]).parent
        return json.loads((folder / pack.TWIN).read_text())["evidence"]


def test_a_target_is_checked_against_units_that_never_followed_a_model(home):
    """Weeks under a model are no baseline: they would make a target look met that today's rule never meets."""
    units = {"pilot": ("a", "b"), "chain": ("a", "b", "c")}
    charter = SimpleNamespace(project="shop", stages=(SimpleNamespace(name="pilot"), SimpleNamespace(name="chain")))
    problem = SimpleNamespace(units=lambda _charter, _dataset, stage: units[stage.name])
    asked = []
    with Ledger(Settings().ledger) as ledger:
        bench = SimpleNamespace(ledger=ledger, charter=charter, problem=problem, stage=charter.stages[0])
        for followed in ((), ("a",), ("a", "b"), ("a", "b", "c")):
            with ledger.transaction() as tx:
                tx.append("trial.begun", "shop", "shop/1/pilot", "robin", "", {"units": list(followed)})
            asked.append(under_todays_rule(bench, None))
    assert asked == [("a", "b"), ("b",), ("c",), ()]


@pytest.fixture(scope="module")
def bought(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("bought"))
    values = charter_values(controls=(8, 8, 0))
    # Four times the cover of today's rule: fewer empty shelves, for nothing but more stock on all of them.
    values["policy"] = {"name": "order_up_to", "parameters": {"cover": 16.0}}
    values["guardrails"][0]["versus_baseline"] = 1.0
    values["model"]["candidates"] = values["model"]["candidates"][:1]
    answers = decisions_values()
    answers["reviews"] = [{**answers["reviews"][1], "iteration": 1}]
    files = [write_yaml(home.root / f"{name}.yaml", held) for name, held in (("charter", values), ("said", answers))]
    with pytest.MonkeyPatch.context() as patch:
        home.enter(patch)
        found_retailer(home.retailer)
        charter = read_charter_for_problem(files[0], date.today())
        with Ledger(Settings().ledger) as ledger:
            (row,) = play_case(ledger, charter, home.retailer, read_recorded(files[1]), "robin")
            problem, folder = find(charter.problem), Settings().datasets
            observed = problem.observed(charter, catalog.load(folder, row.record.result["field_dataset"]))
            yield Bought(home, row, tuple(ledger.events()), observed)
            assert verify(ledger).intact


@pytest.fixture
def ledger(bought):
    with Ledger(Settings(data=bought.home.data).ledger) as opened:
        yield opened


@pytest.mark.proof
def test_a_kpi_that_was_bought_with_stock_goes_nowhere(bought, ledger):
    result = bought.row.record.result
    goal, stock = (result["kpis"][name] for name in ("stockout_rate", "average_inventory"))
    assert goal["value"][0] < goal["baseline"][0]
    assert stock["value"][0] > stock["baseline"][0]
    assert "guardrail.average_inventory" in result["blocking"]
    # A chain counts its shelves: its own books show it against the controls too, without any twin of the world.
    assert "field.guardrail.average_inventory" in result["blocking"]
    assert bought.row.review.decision == "hold"
    assert current(ledger, PROJECT) is None
    assert not [event for event in bought.events if event.kind == "rollout.released"]


@pytest.mark.proof
def test_the_chinese_pack_tells_of_groups_and_controls_without_english(bought):
    given = said([json.loads(bought.row.record.charter), decisions_values(), "store, product, week", "store, product"])
    assert english_in_pack(Path(bought.row.record.result["report"]).parent, given) == []


@pytest.mark.proof
def test_who_is_compared_stands_in_the_record_before_the_first_week_is_played(bought, ledger):
    picked, begun = bought.first("rollout.arms"), bought.first("trial.begun")
    arms = arms_of(ledger, PROJECT, "pilot")
    assert picked.seq < begun.seq
    assert set(arms.treated) == set(begun.body["units"])
    assert len(arms.controls) == 8
    assert not set(arms.controls) & set(arms.units)
    assert arms.start == bought.observed.periods[-PERIODS]


@pytest.mark.proof
def test_the_effect_on_record_is_the_one_in_the_chains_own_figures(bought, ledger):
    (rung,) = measured_effects(ledger, PROJECT)
    arms, frame, periods = arms_of(ledger, PROJECT, "pilot"), bought.observed.frame, bought.observed.periods
    before = periods[-PERIODS - arms.before : -PERIODS]
    after = periods[-PERIODS + SPEC.lead_time - 1 :]

    def rate(units, span) -> float:
        rows = frame[frame["unit"].isin(units) & frame["period"].isin(span)]
        return rows["stockout_weeks"].sum() / rows["weeks"].sum()

    changes = [rate(units, after) - rate(units, before) for units in (arms.treated, arms.controls)]
    assert rung.effect.value == pytest.approx(changes[0] - changes[1])
    assert (rung.stage, rung.number, rung.periods) == ("pilot", 1, len(after))
    assert rung.effect.low <= rung.effect.value <= rung.effect.high


@pytest.mark.proof
def test_the_review_tells_what_the_field_showed_and_what_the_next_stage_would(bought):
    shown = bought.evidence["field"]
    gates = {verdict["gate"]: verdict for verdict in bought.evidence["verdicts"]}
    assert {"field.balance", "field.effect", "field.pre_trend", "field.placebo", "field.power"} <= gates.keys()
    assert gates["field.effect"]["reason"] in shown["sentences"]
    # Two dozen stores hold no controls that are alike, and the review does not keep that to itself.
    assert gates["field.balance"]["outcome"] == "fail"
    assert len(shown["course"]) == bought.evidence["charter"]["kpi"]["baseline"]["measured_over"] + PERIODS
    assert "80 % power" in shown["power"]
    assert any("regional" in sentence for sentence in shown["next_stage"])
    page = Path(bought.row.record.result["report"]).read_text()
    assert "Effect against controls" in page
    assert 'aria-labelledby="field-title field-desc"' in page


@pytest.mark.proof
def test_the_next_rungs_arms_wait_in_the_result_until_its_release(bought, ledger):
    waiting = bought.row.record.result["next_arms"]
    assert (waiting["stage"], waiting["start"]) == ("regional", bought.row.record.result["next_period"])
    assert not {*waiting["treated"]} & {*bought.first("trial.begun").body["units"]}
    assert arms_of(ledger, PROJECT, "regional") is None

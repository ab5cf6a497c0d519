"""Fit, calibrate, choose, replay: in time order, each blind to the others, refused by size where rows are too few."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ModelError
from pipeline.tabular.candidates import forecasts_of, settled, train
from pipeline.tabular.cases import Cases, cases_of
from pipeline.tabular.learning import learned
from pipeline.tabular.parts import LEAST_CHOOSING, LEAST_FITTING, parts_before
from tests.tabular import made

OPEN = {"name": "threshold", "parameters": {}}
UNITS = tuple(f"lot-{number:03d}" for number in range(1, 21))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Biopsies in 24 weeks, with a threshold to be chosen."""
    folder = tmp_path_factory.mktemp("biopsies")
    made.write_table(folder / "data", made.breast_cancer())
    rules = made.charter_of(made.charter_values({**made.BIOPSIES, "groups": 24}, OPEN, {}), folder)
    return rules, cases_of(rules, made.dataset_at(rules, folder / "data").tables)


def cut(rules, cases, cutoff, place=1):
    return parts_before(rules, rules.model.candidates[place], cases, cutoff, np.ones(len(cases.truth), bool))


def turned(cases: Cases, chosen) -> Cases:
    """The same with the outcome of some cases turned round."""
    return replace(cases, truth=np.where(chosen, 1 - cases.truth, cases.truth))


@pytest.mark.parametrize("cutoff", [8, 9, 13, 20, 24])
def test_each_part_is_older_than_the_next_and_large_enough(world, cutoff):
    rules, cases = world
    found = cut(rules, cases, cutoff)
    fitting, calibrating, choosing = (cases.period[part] for part in (found.fitting, found.calibrating, found.choosing))
    assert fitting.max() < calibrating.min() <= calibrating.max() < choosing.min() <= choosing.max() == cutoff - 1
    assert min(len(calibrating), len(choosing), len(fitting)) >= LEAST_CHOOSING == LEAST_FITTING
    # Nothing known is left out between them.
    assert len(fitting) + len(calibrating) + len(choosing) == cases.within(0, cutoff).sum()


@pytest.mark.parametrize("place", [0, 1], ids=["boosted", "linear"])
def test_the_model_sees_neither_and_calibration_sees_its_own_rows_alone(world, place):
    rules, cases = world
    found, spec = cut(rules, cases, 20, place), rules.model.candidates[place]

    def learner(of):
        return learned(of, spec, found.fitting, found.calibrating, rules.seed)

    plain, chosen = learner(cases), learner(turned(cases, found.choosing))
    calibrated = learner(turned(cases, found.calibrating))
    rows = cases.frame[found.choosing]
    assert np.array_equal(plain.scores(rows), chosen.scores(rows))
    assert np.array_equal(plain.raw(rows), calibrated.raw(rows))
    assert not np.allclose(plain.scores(rows), calibrated.scores(rows))


def test_the_policy_is_chosen_on_its_own_rows_alone(world, tmp_path):
    rules, cases = world
    spec = rules.model.candidates[1]
    train(rules, spec, cases, UNITS, tmp_path / "model", made.nothing)
    whole = forecasts_of(tmp_path / "model")
    before = settled(rules, tmp_path / "model")

    def with_turned(part: str) -> float:
        rows = whole["part"] == part
        changed = whole.assign(truth=np.where(rows, 1 - whole["truth"], whole["truth"]))
        changed.to_parquet(tmp_path / "model" / "forecasts.parquet", index=False)
        return settled(rules, tmp_path / "model")["at"]

    assert with_turned("calibrating") == with_turned("replay") == before["at"]
    assert with_turned("choosing") != before["at"]


def test_where_nothing_is_calibrated_its_rows_are_fitted_or_chosen_on(tmp_path):
    made.write_table(tmp_path / "data", made.diabetes())
    rules = made.charter_of(made.charter_values(made.PATIENTS, OPEN, {}), tmp_path)
    cases = cases_of(rules, made.dataset_at(rules, tmp_path / "data").tables)
    found = cut(rules, cases, 8)
    assert not found.calibrating.any()
    assert (found.fitting | found.choosing).sum() == cases.within(0, 8).sum()


def test_too_few_rows_are_told_part_by_part_with_the_remedy(tmp_path):
    made.write_table(tmp_path / "data", made.breast_cancer().head(150))
    rules = made.charter_of(made.charter_values(made.BIOPSIES, OPEN, {}), tmp_path)
    cases = cases_of(rules, made.dataset_at(rules, tmp_path / "data").tables)
    with pytest.raises(ModelError) as refused:
        cut(rules, cases, 6)
    for word in ("rows to fit on", "after 6 periods", "30, 30 and 30 are the least", "calibration: none"):
        assert word in str(refused.value)
    # Whoever leaves nothing open, as the remedy says, needs no rows to choose on.
    fixed = rules.model_copy(update={"policy": rules.policy.model_copy(update={"parameters": {"at": 0.4}})})
    assert cut(fixed, cases, 7).fitting.sum() >= LEAST_FITTING


def test_a_model_that_kept_no_rows_to_choose_on_says_so(world, tmp_path):
    rules, cases = world
    train(rules, rules.model.candidates[1], cases, UNITS, tmp_path / "model", made.nothing)
    kept = forecasts_of(tmp_path / "model")
    pd.DataFrame(kept[kept["part"] != "choosing"]).to_parquet(tmp_path / "model" / "forecasts.parquet", index=False)
    with pytest.raises(ModelError, match="no rows to choose it on"):
        settled(rules, tmp_path / "model")

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.errors import DataError
from pipeline.evaluation.drift import DriftReport, report
from pipeline.evaluation.kpis import evaluate
from pipeline.evaluation.outcomes import Evaluation, KpiDefinition, Outcomes


def frame(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "units": rng.poisson(8, rows) + shift,
            "price": rng.normal(3, 0.5, rows),
            "category": rng.choice(["dairy", "bread", "drinks"], rows),
            "promoted": rng.random(rows) < 0.1,
            "product": [f"P{number:05d}" for number in range(rows)],
            "nothing": np.nan,
        }
    )


@pytest.fixture(scope="module")
def kpis(charter: Charter, played: Callable[..., Outcomes], offer: dict[str, KpiDefinition]) -> Evaluation:
    outcomes = played({"small": 0.05, "baseline:today": 0.08})
    return evaluate(charter, offer, outcomes, "small", "baseline:today", seed=1)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, charter: Charter, kpis: Evaluation) -> DriftReport:
    directory = tmp_path_factory.mktemp("drift") / "new"
    return report(frame(2000, 1, shift=4), frame(1500, 2), kpis, charter, directory)


def test_the_shifted_column_has_drifted_and_the_others_have_not(found: DriftReport) -> None:
    assert (found.columns[0].name, found.columns[0].drifted) == ("units", True)
    assert {column.name for column in found.columns if not column.drifted} == {"price", "category", "promoted"}
    assert found.share_drifted == 0.25
    assert (found.rows_current, found.rows_reference) == (2000, 1500)


def test_the_drift_score_is_the_normed_wasserstein_distance(found: DriftReport) -> None:
    score = next(column.score for column in found.columns if column.name == "units")
    # Both samples are Poisson(8), one moved by 4: the distance is 4, normed by the reference's deviation.
    assert score == pytest.approx(4 / frame(1500, 2)["units"].std(), rel=0.05)


def test_identifiers_and_empty_columns_are_left_out_and_named(found: DriftReport) -> None:
    assert found.left_out == ("product", "nothing")


def test_the_business_kpis_are_tested_against_target_and_baseline(found: DriftReport, kpis: Evaluation) -> None:
    tests = {test.name: test.passed for test in found.tests if test.name.startswith(("Stock", "Average", "Margin"))}
    assert tests == {
        "Stock-out rate: Less or Equal 0.042": False,
        f"Stock-out rate: Less or Equal {kpis.kpi('stockout_rate').baseline.value:.3f}": True,
        "Average inventory: Less or Equal 9.920": False,
        "Margin: Greater or Equal 50.000": True,
    }


def test_the_files_are_whole_and_read_offline(found: DriftReport) -> None:
    page, data = found.files
    assert (page.name, data.name) == ("drift.html", "drift.json")
    text = page.read_text()
    assert "Stock-out rate" in text
    assert '<script src="http' not in text
    assert len(json.loads(data.read_text())["metrics"]) > 8


def test_samples_that_cannot_be_compared_are_refused(tmp_path: Path, charter: Charter, kpis: Evaluation) -> None:
    some = frame(50, 1)
    with pytest.raises(DataError, match=r"reference sample[\s\S]*no rows"):
        report(some, some.head(0), kpis, charter, tmp_path)
    with pytest.raises(DataError, match="only in one sample: price"):
        report(some, some.drop(columns="price"), kpis, charter, tmp_path)
    with pytest.raises(DataError, match="no column is usable"):
        report(some[["nothing"]], some[["nothing"]], kpis, charter, tmp_path)


def test_a_text_value_that_is_new_is_compared_like_any_other(
    tmp_path: Path, charter: Charter, kpis: Evaluation
) -> None:
    before = pd.DataFrame({"category": ["dairy", "bread"] * 100})
    now = pd.DataFrame({"category": ["dairy", "frozen"] * 100})
    assert report(now, before, kpis, charter, tmp_path).columns[0].drifted

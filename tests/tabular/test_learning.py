"""Preprocessing, models and calibration beside scikit-learn's own, on real tables."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.charter import Candidate
from pipeline.errors import DataError, ModelError
from pipeline.tabular.calibration import calibrated, curves_for
from pipeline.tabular.candidates import calibration_error
from pipeline.tabular.cases import cases_of
from pipeline.tabular.learning import Learner, learned
from pipeline.tabular.parameters import business_of
from pipeline.tabular.preparing import features_of, prepared
from tests.tabular import made


@pytest.fixture(scope="module")
def biopsies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("biopsies")
    made.write_table(folder / "data", made.breast_cancer())
    rules = made.charter_of(
        made.charter_values(made.BIOPSIES, {"name": "expected_value", "parameters": {}}, {}), folder
    )
    return rules, cases_of(rules, made.dataset_at(rules, folder / "data").tables)


def halves(cases):
    first = cases.within(0, 6)
    return first, ~first


def mixed() -> pd.DataFrame:
    draw = np.random.default_rng(2)
    frame = pd.DataFrame({"size_": draw.normal(50, 9, 120), "visits": draw.integers(0, 9, 120).astype(float)})
    frame.loc[draw.random(120) < 0.2, "size_"] = np.nan
    frame["town"] = draw.choice(["Lyon", "Oslo", "Porto"], 120).astype(object)
    frame.loc[draw.random(120) < 0.1, "town"] = None
    return frame


def test_the_matrix_is_what_scikit_learn_s_own_transformers_give_on_rows_they_never_saw():
    frame = mixed()
    training, later = frame.iloc[:80], frame.iloc[80:].assign(town=lambda rows: rows["town"].replace("Oslo", "Riga"))
    ours = prepared(training, ["size_", "visits", "town"]).matrix(later)
    numbers, texts = ["size_", "visits"], ["town"]
    theirs = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        ]
    ).fit(training.assign(town=training["town"].fillna("(missing)")))
    expected = theirs.transform(later.assign(town=later["town"].fillna("(missing)")))
    assert ours[:, :2] == pytest.approx(expected[:, :2])
    assert np.array_equal(ours[:, 2], later["size_"].isna())
    assert np.array_equal(ours[:, 4:], expected[:, 2:])


def test_rare_and_unknown_values_share_one_column():
    names = [f"v{number:03d}" for number in range(60) for _ in range(60 - number)]
    found = prepared(pd.DataFrame({"kind": names}), ["kind"])
    assert len(found.names) == 40
    assert found.matrix(pd.DataFrame({"kind": ["v000", "v059", "never seen"]})).sum(axis=1).tolist() == [1, 1, 1]
    assert found.matrix(pd.DataFrame({"kind": ["v059", "never seen"]}))[:, -1].tolist() == [1, 1]


def test_nothing_of_later_rows_is_learned(biopsies):
    rules, cases = biopsies
    training, validation = halves(cases)
    spec = rules.model.candidates[1]
    before = learned(cases, spec, training, validation & cases.within(6, 7), 1)
    other = cases.frame.copy()
    later = cases.within(7, cases.periods)
    other.loc[later, "mean_radius"] = other.loc[later, "mean_radius"] * 100
    changed = type(cases)(**{**cases.__dict__, "frame": other})
    after = learned(changed, spec, training, validation & cases.within(6, 7), 1)
    assert before.preparation == after.preparation
    assert np.array_equal(before.weights, after.weights)
    assert before.curves == after.curves


def test_the_linear_model_is_scikit_learn_s_logistic_regression(biopsies):
    rules, cases = biopsies
    training, validation = halves(cases)
    spec = Candidate(name="linear", algorithm="linear", features=("all",), parameters={"calibration": "none"})
    found = learned(cases, spec, training, validation, 1)
    columns = list(features_of(business_of(rules), spec, cases.frame))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(cases.frame.loc[training, columns], cases.truth[training])
    expected = model.predict_proba(cases.frame.loc[validation, columns])
    assert found.scores(cases.frame[validation]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
def test_calibration_is_scikit_learn_s_on_the_same_validation_rows(biopsies, kind):
    _, cases = biopsies
    training, validation = halves(cases)
    columns = ["mean_texture", "mean_smoothness", "mean_symmetry"]
    model = LogisticRegression(max_iter=2000).fit(cases.frame.loc[training, columns], cases.truth[training])
    raw = model.predict_proba(cases.frame.loc[validation, columns])
    ours = calibrated(raw, curves_for(kind, raw, cases.truth[validation]))
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method=kind)
    theirs.fit(cases.frame.loc[validation, columns], cases.truth[validation])
    expected = theirs.predict_proba(cases.frame.loc[validation, columns])
    assert ours[:, 1] == pytest.approx(expected[:, 1], abs=2e-3)


def test_calibration_mends_a_model_that_is_too_sure():
    draw = np.random.default_rng(8)
    honest = draw.random(40000)
    truth = (draw.random(40000) < honest).astype(float)
    sure = honest**4 / (honest**4 + (1 - honest) ** 4)
    raw = np.column_stack([1 - sure, sure])
    for kind in ("sigmoid", "isotonic"):
        mended = calibrated(raw[20000:], curves_for(kind, raw[:20000], truth[:20000]))
        assert calibration_error(mended[:, 1], truth[20000:]) < 0.02
        assert calibration_error(sure[20000:], truth[20000:]) > 0.08


def test_classes_are_calibrated_to_add_up_to_one():
    draw = np.random.default_rng(9)
    raw = draw.dirichlet([1, 1, 1], 400)
    truth = np.array([draw.choice(3, p=row) for row in raw], float)
    found = calibrated(raw, curves_for("sigmoid", raw, truth))
    assert found.sum(axis=1) == pytest.approx(np.ones(400))
    assert (found >= 0).all()


def test_too_few_validation_rows_leave_the_scores_alone():
    raw = np.column_stack([np.linspace(0.9, 0.1, 10), np.linspace(0.1, 0.9, 10)])
    assert calibrated(raw, curves_for("sigmoid", raw, np.repeat([0.0, 1.0], 5))) == pytest.approx(raw, abs=1e-12)


@pytest.mark.parametrize("place", [0, 1], ids=["boosted", "linear"])
def test_a_model_read_back_says_the_same_and_holds_no_pickle(biopsies, tmp_path, place):
    rules, cases = biopsies
    training, validation = halves(cases)
    found = learned(cases, rules.model.candidates[place], training, validation, 1)
    found.save(tmp_path / "model")
    assert {path.suffix for path in (tmp_path / "model").iterdir()} <= {".json", ".txt"}
    assert np.array_equal(Learner.load(tmp_path / "model").scores(cases.frame), found.scores(cases.frame))


def test_a_damaged_model_is_told_with_its_place(tmp_path):
    (tmp_path / "model.json").write_text('{"classes": 2}')
    with pytest.raises(ModelError) as refused:
        Learner.load(tmp_path)
    assert str(tmp_path) in str(refused.value)


def test_amounts_are_scikit_learn_s_ridge_regression(tmp_path):
    made.write_table(tmp_path / "data", made.diabetes())
    rules = made.charter_of(made.charter_values(made.PATIENTS, {"name": "threshold", "parameters": {}}, {}), tmp_path)
    cases = cases_of(rules, made.dataset_at(rules, tmp_path / "data").tables)
    training, validation = halves(cases)
    found = learned(cases, rules.model.candidates[1], training, validation, 1)
    columns = list(features_of(cases.business, rules.model.candidates[1], cases.frame))
    model = make_pipeline(StandardScaler(), Ridge()).fit(cases.frame.loc[training, columns], cases.truth[training])
    assert found.scores(cases.frame)[:, 0] == pytest.approx(model.predict(cases.frame[columns]))


def test_key_target_and_today_s_decision_can_never_be_learned_from(biopsies):
    rules, cases = biopsies
    usable = features_of(business_of(rules), rules.model.candidates[0], cases.frame)
    assert not {"biopsy", "diagnosis", "unit", "period"} & set(usable)
    spec = rules.model.candidates[0].model_copy(update={"features": ("diagnosis",)})
    with pytest.raises(DataError, match="cannot be learned from"):
        features_of(business_of(rules), spec, cases.frame)

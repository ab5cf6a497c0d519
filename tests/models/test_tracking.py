from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from pipeline.errors import LedgerError, ModelError
from pipeline.models.records import CandidateRecord, IterationRecord
from pipeline.models.tracking import Tracking


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("candidate")
    features = np.random.default_rng(0).normal(size=(300, 2))
    data = lightgbm.Dataset(features, features[:, 0] * 2, feature_name=["lag_1", "lag_52"])
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "num_leaves": 4}, data, 5)
    booster.save_model(directory / "model.txt")
    (directory / "model.json").write_text('{"residuals": [0.1, 0.2]}')
    return directory


@pytest.fixture
def small(files: Path) -> CandidateRecord:
    metrics = {"wape": 0.41, "bias": float("nan")}
    backtest = pd.DataFrame({"cutoff": ["2026-01-05"], "arm": ["small"], "out": [3.0]})
    return CandidateRecord("small", "key-1", files, {"rounds": 5, "seed": 7}, metrics, backtest)


def test_an_iteration_is_one_parent_run_with_its_dataset_and_tags(
    tracking: Tracking, client: MlflowClient, iteration: IterationRecord
) -> None:
    run = client.get_run(tracking.open(iteration))
    assert run.data.tags["landed.charter"] == "c" * 64
    assert run.data.tags["landed.started_by"] == "emma"
    (logged,) = run.inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("toy", "d" * 36)


def test_a_killed_iteration_is_resumed_and_never_doubled(
    tracking: Tracking, client: MlflowClient, iteration: IterationRecord, again_opened: Callable[[], Tracking]
) -> None:
    first = tracking.open(iteration)
    tracking.finish(first, "KILLED")
    again = again_opened().open(replace(iteration, code="v2"))
    run = client.get_run(again)
    assert (again, run.info.status, run.data.tags["landed.code"]) == (first, "RUNNING", "v2")
    assert tracking.open(replace(iteration, number=2)) != first
    assert tracking.find(iteration.project, 1, "pilot") == first
    assert tracking.find(iteration.project, 9, "pilot") is None
    assert tracking.find("unheard-of", 1, "pilot") is None


def test_a_candidate_is_a_child_run_with_figures_model_and_backtest(
    tracking: Tracking, client: MlflowClient, small: CandidateRecord, iteration: IterationRecord
) -> None:
    parent = tracking.open(iteration)
    run = client.get_run(tracking.log_candidate(parent, small))
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.params == {"rounds": "5", "seed": "7"}
    assert run.data.metrics == {"wape": 0.41}
    kept = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"candidate", "backtest.csv"} <= kept
    assert {item.path for item in client.list_artifacts(run.info.run_id, "candidate")} == {
        "candidate/model.json",
        "candidate/model.txt",
    }


def test_the_logged_model_predicts_as_the_booster_and_holds_no_pickle(
    tracking: Tracking, client: MlflowClient, small: CandidateRecord, iteration: IterationRecord, tmp_path: Path
) -> None:
    run = client.get_run(tracking.log_candidate(tracking.open(iteration), small))
    mlflow.set_tracking_uri(tracking.uri)
    model = client.get_logged_model(run.data.tags["landed.logged_model"])
    loaded = mlflow.lightgbm.load_model(f"models:/{model.model_id}")
    rows = pd.DataFrame({"lag_1": [1.0, -1.0], "lag_52": [0.0, 0.0]})
    expected = lightgbm.Booster(model_file=small.directory / "model.txt").predict(rows)
    np.testing.assert_array_equal(loaded.predict(rows), expected)
    described = mlflow.models.get_model_info(f"models:/{model.model_id}")
    assert described.signature.inputs.input_names() == ["lag_1", "lag_52"]
    for name, uri in (("run", run.info.artifact_uri), ("model", f"models:/{model.model_id}")):
        mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path / name), tracking_uri=tracking.uri)
        suffixes = {path.suffix for path in (tmp_path / name).rglob("*") if path.is_file()}
        assert suffixes
        assert suffixes <= {".txt", ".json", ".csv", ".lgb", ".yaml", ""}


def test_a_finished_training_is_not_logged_twice(
    tracking: Tracking, client: MlflowClient, small: CandidateRecord, iteration: IterationRecord
) -> None:
    parent = tracking.open(iteration)
    first = tracking.log_candidate(parent, small)
    assert tracking.log_candidate(parent, small) == first
    other = tracking.log_candidate(parent, replace(small, key="key-2"))
    experiment = client.get_run(parent).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert {run.info.run_id for run in children} == {first, other}


def test_an_unfinished_training_is_logged_to_its_end_in_the_same_run(
    tracking: Tracking, client: MlflowClient, small: CandidateRecord, iteration: IterationRecord
) -> None:
    parent = tracking.open(iteration)
    first = tracking.log_candidate(parent, small)
    client.update_run(first, status="RUNNING")
    assert tracking.log_candidate(parent, small) == first
    assert client.get_run(first).info.status == "FINISHED"
    assert len(client.get_metric_history(first, "wape")) == 1


def test_figures_tags_and_files_are_added_later(
    tracking: Tracking, client: MlflowClient, tmp_path: Path, iteration: IterationRecord
) -> None:
    run = tracking.open(iteration)
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "report.html").write_text("<p>evidence</p>")
    (tmp_path / "drift.html").write_text("<p>drift</p>")
    tracking.attach(run, {"evidence": pack, "": tmp_path / "drift.html"})
    figures = {f"kpi_{place}": place / 10 for place in range(230)}
    tracking.record(run, metrics=figures, parameters={"stage": "pilot"}, tags={"landed.decision": "advance"})
    tracking.finish(run)
    found = client.get_run(run)
    assert found.data.metrics == figures
    assert found.data.tags["landed.decision"] == "advance"
    assert found.info.status == "FINISHED"
    assert {item.path for item in client.list_artifacts(run)} == {"evidence", "drift.html"}


def test_a_registered_model_comes_back_byte_for_byte(
    tracking: Tracking, small: CandidateRecord, iteration: IterationRecord
) -> None:
    run = tracking.log_candidate(tracking.open(iteration), small)
    version = tracking.register(
        iteration.project, run, "challenger", {"landed.iteration": f"{iteration.project}/1/pilot"}
    )
    assert tracking.register(iteration.project, run, "challenger") == version
    tracking.point(iteration.project, "champion", version)
    release = tracking.released(iteration.project)
    assert (release.version, release.run) == (version, run)
    for name in ("model.txt", "model.json"):
        assert (release.directory / name).read_bytes() == (small.directory / name).read_bytes()


def test_a_candidate_without_a_booster_can_be_released_too(
    tracking: Tracking, tmp_path: Path, iteration: IterationRecord
) -> None:
    directory = tmp_path / "mean"
    directory.mkdir()
    (directory / "model.json").write_text('{"window": 8}')
    record = CandidateRecord("mean", "key-9", directory, {"window": 8}, {})
    tracking.register(iteration.project, tracking.log_candidate(tracking.open(iteration), record), "champion")
    assert (tracking.released(iteration.project).directory / "model.json").read_text() == '{"window": 8}'


def test_a_rollback_points_the_alias_at_the_earlier_version(
    tracking: Tracking, small: CandidateRecord, iteration: IterationRecord
) -> None:
    parent = tracking.open(iteration)
    old = tracking.register(iteration.project, tracking.log_candidate(parent, small), "champion")
    new = tracking.register(iteration.project, tracking.log_candidate(parent, replace(small, key="key-2")), "champion")
    assert tracking.released(iteration.project).version == new != old
    tracking.point(iteration.project, "champion", old)
    assert tracking.released(iteration.project).version == old
    with pytest.raises(LedgerError):
        tracking.point(iteration.project, "champion", "99")


def test_a_model_file_changed_where_it_is_kept_is_refused(
    tracking: Tracking, client: MlflowClient, small: CandidateRecord, iteration: IterationRecord
) -> None:
    run = tracking.log_candidate(tracking.open(iteration), small)
    tracking.register(iteration.project, run, "champion")
    client.log_text(run, '{"residuals": [9, 9]}', "candidate/model.json")
    with pytest.raises(ModelError, match="was changed"):
        tracking.released(iteration.project)


def test_a_local_model_file_that_was_changed_is_refused_or_fetched_again(
    tracking: Tracking, small: CandidateRecord, iteration: IterationRecord
) -> None:
    tracking.register(iteration.project, tracking.log_candidate(tracking.open(iteration), small), "champion")
    path = tracking.released(iteration.project).directory / "model.json"
    path.write_text('{"residuals": [9, 9]}')
    if path.is_relative_to(tracking.store.fetched):
        assert tracking.released(iteration.project).directory == path.parent
        assert path.read_bytes() == (small.directory / "model.json").read_bytes()
    else:
        with pytest.raises(ModelError, match="was changed"):
            tracking.released(iteration.project)


def test_a_model_that_was_never_released_is_named(tracking: Tracking, iteration: IterationRecord) -> None:
    with pytest.raises(ModelError, match="no model is released as champion"):
        tracking.released(iteration.project)


def test_an_alias_that_was_never_set_is_named(
    tracking: Tracking, small: CandidateRecord, iteration: IterationRecord
) -> None:
    tracking.register(iteration.project, tracking.log_candidate(tracking.open(iteration), small), "challenger")
    with pytest.raises(ModelError, match="no model is released as champion"):
        tracking.released(iteration.project)


def test_a_run_without_a_candidate_cannot_be_registered(tracking: Tracking, iteration: IterationRecord) -> None:
    with pytest.raises(ModelError, match="no candidate"):
        tracking.register(iteration.project, tracking.open(iteration), "challenger")

"""Who is served what, by the ledger and the folder of models alone: MLflow cannot even be imported here."""

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline.errors import ModelError, Refused
from pipeline.evaluation.outcomes import Outcomes
from pipeline.ledger import remember
from pipeline.models.files import digest
from pipeline.problems.base import TrainedCandidate
from pipeline.rollout import release, roll_back, serving
from pipeline.settings import Settings
from tests.rollout.test_ladder import a_release
from tests.rollout.test_switch import CHARTER, back, measured, throw

NOTHING = Outcomes(pd.DataFrame(), (), 0, "replay", "nothing was played")


@dataclass
class Shop:
    """A domain that writes down what it was asked to decide by."""

    asked: list = field(default_factory=list)

    def load_candidate(self, spec, directory: Path) -> TrainedCandidate:
        return TrainedCandidate(spec, directory, digest(directory), NOTHING, {}, {}, 0.0)

    def decide(self, charter, location, arm, units):
        assert charter == CHARTER
        self.asked.append((arm.name, arm.baseline, arm.candidate.directory.name if arm.candidate else None, units))
        return pd.DataFrame({"order": [1, 2]})


@pytest.fixture
def shop(monkeypatch):
    for name in ("mlflow", "prefect", "pipeline.models.tracking"):
        monkeypatch.setitem(sys.modules, name, None)
    made = Shop()
    monkeypatch.setattr(serving, "find", lambda name: made)
    return made


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data")


@pytest.fixture
def trained(file_ledger, settings):
    """An iteration whose model lies in the data folder; the hash of its files."""
    folder = settings.models / "key-1"
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text("tree", encoding="utf-8")
    with file_ledger.transaction() as tx:
        value = {"digest": digest(folder), "directory": "key-1", "candidate": "poisson"}
        remember(tx, "train:key-1", "training", value, project="shop")
    figures = {"training": "key-1", "model_digest": digest(folder), "challenger": "poisson"}
    measured(file_ledger, "pilot", "1", kind="train", **figures)
    return digest(folder)


def let_go(ledger, model):
    with ledger.transaction() as tx:
        return release(tx, a_release(model_digest=model), actor="ana")


def serve(ledger, settings, alias=None):
    return serving.serve(ledger, settings, "shop", Path("data"), alias)


def test_before_the_first_release_the_challenger_is_proposed(file_ledger, settings, trained, shop):
    served = serve(file_ledger, settings)
    assert (served.alias, served.version, served.proposal) == ("challenger", "1", True)
    assert shop.asked == [("poisson", None, "key-1", None)]
    with pytest.raises(ModelError, match="nothing is released"):
        serve(file_ledger, settings, "champion")


def test_the_released_units_follow_the_model_from_its_folder(file_ledger, settings, trained, shop):
    let_go(file_ledger, trained)
    served = serve(file_ledger, settings)
    assert (served.alias, served.version, served.proposal) == ("champion", "1", False)
    assert shop.asked == [("poisson", None, "key-1", ("s0", "s1"))]


def test_a_stopped_project_is_served_todays_rule_though_models_and_mlflow_are_gone(
    file_ledger, settings, trained, shop
):
    let_go(file_ledger, trained)
    throw(file_ledger)
    (settings.models / "key-1" / "model.txt").unlink()
    served = serve(file_ledger, settings)
    assert (served.alias, served.version, served.proposal) == ("baseline", "incumbent", False)
    assert shop.asked == [("baseline:incumbent", "incumbent", None, None)]
    for alias in ("champion", "challenger"):
        with pytest.raises(Refused, match="was stopped by joao: shelves run empty"):
            serve(file_ledger, settings, alias)
    back(file_ledger)
    with pytest.raises(ModelError, match="the registry's copy cannot be had"):
        serve(file_ledger, settings)


def test_when_every_release_was_taken_back_todays_rule_is_served(file_ledger, settings, trained, shop):
    let_go(file_ledger, trained)
    with file_ledger.transaction() as tx:
        assert roll_back(tx, "shop", "r2", "2026-09-07", actor="joao") is None
    assert serve(file_ledger, settings).alias == "baseline"


@pytest.mark.parametrize("same", [True, False], ids=["the same", "another"])
def test_the_registrys_copy_serves_where_the_folder_is_gone_if_it_is_what_people_signed_for(
    file_ledger, settings, trained, shop, monkeypatch, tmp_path, same
):
    let_go(file_ledger, trained)
    copy = Path(shutil.copytree(settings.models / "key-1", tmp_path / "copy"))
    (settings.models / "key-1" / "model.txt").unlink()
    if not same:
        (copy / "model.txt").write_text("another tree", encoding="utf-8")
    pointed = []

    class Tracking:
        def __init__(self, settings):
            pass

        def point(self, *to):
            pointed.append(to)

        def released(self, project, alias):
            return SimpleNamespace(directory=copy)

    monkeypatch.setitem(sys.modules, "pipeline.models.tracking", SimpleNamespace(Tracking=Tracking))
    if same:
        assert serve(file_ledger, settings).version == "1"
        assert shop.asked == [("poisson", None, "copy", ("s0", "s1"))]
    else:
        with pytest.raises(ModelError, match="The released model was changed"):
            serve(file_ledger, settings)
        assert shop.asked == []
    assert pointed == [("shop", "champion", "1")]


def test_a_model_that_is_not_the_one_people_signed_for_is_not_served(file_ledger, settings, trained, shop):
    let_go(file_ledger, trained)
    (settings.models / "key-1" / "model.txt").write_text("another tree", encoding="utf-8")
    with pytest.raises(ModelError, match="its files hash to") as caught:
        serve(file_ledger, settings)
    assert "landed rollout stop" in caught.value.findings[0].remedy
    assert shop.asked == []

"""A booster fitted by two worker processes together: the same each time, as good as one process's, and its own text."""

import json
import subprocess
import sys

import numpy as np
import pytest
from distributed import Client, LocalCluster
from sklearn.base import clone

from flows.clusters import gang, on_dask
from pipeline.cli.setting import prepared
from pipeline.errors import ModelError
from pipeline.problems.parts import Parts
from pipeline.replenishment.candidates import Material, _fitted
from pipeline.replenishment.forecast import LightGBMForecaster
from tests.flows.deadly import killed_at
from tests.replenishment.made import made_panel

#: Half a minute of processes, for an engine that is off until somebody asks for it.
pytestmark = pytest.mark.proof

MODEL = LightGBMForecaster(groups=("recent_sales", "level", "season"), rounds=40, row_budget=9000, min_data_in_leaf=20)
#: Of the WAPE on weeks that neither model saw; two seeds of one process differ by as much.
TOLERANCE = 0.02


@pytest.fixture(scope="module")
def client():
    kinds = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**kinds) as cluster, Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def panel():
    return made_panel(stores=24, products=10, weeks=130, seed=8)


@pytest.fixture(scope="module")
def known(panel):
    """The panel without its last weeks."""
    return panel.upto(120)


def fitted(client, panel, scratch):
    mapped = lambda work, values: client.gather(client.map(work, list(values), pure=False))  # noqa: E731
    parts = Parts(50, scratch, mapped, rows=1000, gang=lambda work, values: gang(client, work, values))
    return _fitted(clone(MODEL), Material(panel, panel, (), parts))


@pytest.fixture(scope="module")
def together(client, known, tmp_path_factory):
    return fitted(client, known, tmp_path_factory.mktemp("scratch"))


def wape(model, known, panel):
    mean, demand = model.predict(known).mean, panel.sales[120:123]
    seen = panel.in_stock[120:123]
    return np.abs(mean - demand)[seen].sum() / demand[seen].sum()


def test_it_forecasts_about_as_well_as_a_model_of_one_process(together, known, panel):
    alone = clone(MODEL).fit(known)
    assert wape(together, known, panel) == pytest.approx(wape(alone, known, panel), rel=TOLERANCE)
    assert together.wape_ == pytest.approx(alone.wape_, rel=TOLERANCE)
    assert together.booster_.num_trees() == alone.booster_.num_trees()


def test_as_many_workers_fit_the_same_model_again(together, client, known, tmp_path):
    again = fitted(client, known, tmp_path)
    assert again.booster_.model_to_string() == together.booster_.model_to_string()
    assert (again.spread_, again.bias_) == (together.spread_, together.bias_)


def test_its_file_is_read_without_dask_and_names_no_machine(together, known, tmp_path):
    together.save(tmp_path)
    text = (tmp_path / "model.txt").read_text()
    assert "127.0.0.1" not in text
    assert "local_listen_port" not in text
    program = (
        "import sys, json; sys.modules['dask'] = sys.modules['distributed'] = None\n"
        "from pathlib import Path\n"
        "from pipeline.replenishment.forecast import LightGBMForecaster\n"
        "from tests.replenishment.made import made_panel\n"
        "panel = made_panel(stores=24, products=10, weeks=130, seed=8).upto(120)\n"
        f"mean = LightGBMForecaster.load(Path({str(tmp_path)!r})).predict(panel).mean\n"
        "print(json.dumps(float(mean.sum())))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == pytest.approx(float(together.predict(known).mean.sum()), rel=1e-6)


def test_through_prefect_it_is_the_same_model(together, client, known, home):
    changed = {"engine": "dask", "partition": 50, "dask_address": client.scheduler.address, "dask_rows": 1000}
    settings = prepared().model_copy(update=changed)
    again = on_dask(settings, lambda parts: _fitted(clone(MODEL), Material(known, known, (), parts)))
    assert again.booster_.model_to_string() == together.booster_.model_to_string()


def test_a_worker_that_dies_ends_the_fit_with_a_remedy(client, known, tmp_path):
    parts = Parts(50, tmp_path, map, rows=1000, gang=lambda work, values: gang(client, killed_at(1, work), values))
    with pytest.raises(ModelError, match="could not fit a model together"):
        _fitted(clone(MODEL), Material(known, known, (), parts))

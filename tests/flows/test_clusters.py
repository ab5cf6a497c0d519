"""A Dask cluster of real processes: one is killed in the middle, and the decisions are those of one process."""

import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock

import pytest
from distributed import Client, LocalCluster
from sklearn.base import clone

from flows import clusters
from flows.clusters import on_dask
from pipeline.cli.setting import prepared
from pipeline.errors import LedgerError
from pipeline.problems.base import Arm
from pipeline.problems.parts import Parts
from pipeline.replenishment.candidates import Material, _fitted
from pipeline.replenishment.demand import CHAINS
from pipeline.replenishment.field import exports_at
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.problem import Replenishment
from tests.flows.deadly import killed, killed_once
from tests.replenishment.made import charter, made_panel

RULES = charter("replenishment")
SMALL = replace(CHAINS["retailer"], stores=6, products=5, weeks=60, seed=RULES.seed, lead_time=2)


@pytest.fixture
def settings(home):
    return prepared().model_copy(update={"engine": "dask", "partition": 20, "dask_workers": 2})


def on_plain_dask(settings, body):
    """The same without Prefect, whose server and imports take most of the time."""
    kinds = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**kinds) as cluster, Client(cluster, set_as_default=False) as client:
        mapped = lambda work, values: client.gather(client.map(work, list(values), pure=False))  # noqa: E731
        return body(Parts(settings.partition, settings.data / "parts", mapped))


@pytest.mark.parametrize(
    "engine", [on_plain_dask, pytest.param(on_dask, marks=pytest.mark.proof)], ids=["dask", "prefect"]
)
def test_a_worker_killed_in_the_middle_changes_no_decision(engine, settings, tmp_path):
    arm, marker = Arm("rule", RULES, baseline="official_benchmark"), tmp_path / "killed"
    problem = Replenishment()

    unsent = Lock()  # the command's own work holds its ledger, which cannot travel and must not

    def decided(parts):
        assert not unsent.locked()
        deadly = replace(parts, mapped=lambda work, values: parts.mapped(partial(killed_once, marker, work), values))
        return problem.in_parts(deadly).decide(RULES, folder, arm, ("S001", "S004"))

    with exports_at(tmp_path / "retailer", SMALL) as folder:
        found = engine(settings, decided)
        whole = problem.decide(RULES, folder, arm, ("S001", "S004"))
    assert marker.exists()
    assert found.equals(whole)


@pytest.mark.proof
def test_a_model_whose_rows_a_cluster_made_is_the_same_file(settings, tmp_path):
    panel = made_panel(stores=7, products=5, seed=8)
    model = LightGBMForecaster(groups=("level", "season", "hierarchy"), rounds=20, row_budget=1500)
    whole = Material(panel, panel, ())
    clone(model).fit(panel).save(tmp_path / "whole")
    fitted = on_dask(settings, lambda parts: _fitted(clone(model), replace(whole, parts=replace(parts, series=11))))
    fitted.save(tmp_path / "cluster")
    for file in ("model.txt", "model.json"):
        assert (tmp_path / "cluster" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.proof
def test_a_part_that_kills_every_worker_ends_with_a_remedy(settings):
    with pytest.raises(LedgerError, match="make parts smaller with LANDED_PARTITION"):
        on_dask(settings, lambda parts: list(parts.mapped(killed, [1])))


def test_without_the_extra_the_remedy_is_its_name(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(LedgerError, match=r"pip install 'landed\[dask\]'"):
        on_dask(settings, lambda parts: parts)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_named(address, settings, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.3)
    with pytest.raises(LedgerError, match=f"no Dask scheduler answers at {address}"):
        on_dask(settings.model_copy(update={"dask_address": address}), lambda parts: parts)


def test_a_cluster_without_workers_is_refused(settings, tmp_path):
    told = tmp_path / "scheduler.json"
    asked = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *asked]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as scheduler:
        try:
            empty = settings.model_copy(update={"dask_address": address_in(told)})
            with pytest.raises(LedgerError, match="has no workers"):
                on_dask(empty, lambda parts: parts)
        finally:
            scheduler.kill()


def address_in(told: Path) -> str:
    """Where a scheduler listens, once it said so."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError, ValueError, KeyError):
            return json.loads(told.read_text())["address"]
        time.sleep(0.05)
    pytest.fail("the scheduler never said where it listens")


@pytest.mark.parametrize(
    ("address", "server", "reachable"),
    [
        ("tcp://127.0.0.1:8786", "", True),
        ("tls://10.0.0.5:8786", "https://prefect.example.com/api", True),
        ("tls://10.0.0.5:8786", "", False),
        ("tcp://10.0.0.5:8786", "http://127.0.0.1:4200/api", False),
    ],
)
def test_workers_elsewhere_need_a_server_they_can_reach(address, server, reachable):
    if reachable:
        clusters._require_reachable(address, server)
        return
    with pytest.raises(LedgerError, match="LANDED_PREFECT_URL"):
        clusters._require_reachable(address, server)


def test_workers_that_do_not_see_the_data_folder_are_named(tmp_path):
    class Blind:
        def run(self, *_):
            return {"tcp://10.0.0.7:4711": False}

    with pytest.raises(LedgerError, match=r"workers tcp://10.0.0.7:4711 do not see"):
        clusters._require_shared(Blind(), tmp_path)

"""A whole iteration on files of the VN2 challenge, then the weekly batch: on made-up files, and on the real ones."""

import json
import os
import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.ledger import Ledger, all_iterations
from pipeline.replenishment.benchmark import benchmark_orders
from pipeline.replenishment.offers import BASELINES
from pipeline.replenishment.panel import panel_from_tables
from pipeline.replenishment.vn2 import read_vn2
from pipeline.reporting import pack
from pipeline.rollout.overriding import batches
from pipeline.settings import Settings
from tests.cli.calling import landed
from tests.conftest import Home
from tests.flows.made import ROOT, write_yaml
from tests.replenishment.contest import Contest
from tests.replenishment.made import write_long, write_vn2

FILES = ("sales.csv", "in_stock.csv", "initial_state.csv", "master.csv", "submission_template.csv")
KEY = ["Store", "Product"]
SERIES = 60
REVIEW = "vn2-inventory-1-game"


def real_files() -> Path | None:
    """Where the challenge's own files lie on this machine, if anywhere."""
    places = [Path(os.environ["LANDED_VN2"])] if "LANDED_VN2" in os.environ else [ROOT.parent / "shared" / "vn2"]
    return next((place for place in places if all((place / name).is_file() for name in FILES)), None)


def some_stores(source: Path, target: Path) -> Path:
    """The files with the first stores only, some :data:`SERIES` series in all."""
    sizes = pd.read_csv(source / "master.csv").groupby("Store").size().cumsum()
    stores = sizes.index[: int((sizes < SERIES).sum()) + 1]
    target.mkdir()
    for name in FILES:
        frame = pd.read_csv(source / name)
        frame[frame["Store"].isin(stores)].to_csv(target / name, index=False)
    return target


def shuffled_template(directory: Path) -> Path:
    """Made-up files whose template has an order of its own."""
    template = pd.read_csv(directory / "submission_template.csv")
    template.sample(frac=1.0, random_state=3).to_csv(directory / "submission_template.csv", index=False)
    return directory


def small_charter(home: Home, directory: Path, **business: str) -> Path:
    values = yaml.safe_load((ROOT / "configs" / "vn2" / "charter.yaml").read_text(encoding="utf-8"))
    values["model"]["backtest_cutoffs"] = 2
    values["business"] |= business
    values["stages"][0]["units"] = int(pd.read_csv(directory / "master.csv")["Store"].nunique())
    for candidate in values["model"]["candidates"]:
        candidate["parameters"] = {"rounds": 25, "learning_rate": 0.12, "leaves": 15}
    return write_yaml(home.root / "charter.yaml", values)


def files(kind: str, home: Home) -> Path:
    if kind == "made":
        return shuffled_template(write_vn2(home.root / "files", weeks=130, stores=4, products=6))
    real = real_files()
    if real is None:
        pytest.skip("the real VN2 files are not here: put them into ../shared/vn2 or name their folder in LANDED_VN2")
    return some_stores(real, home.root / "files")


def a_week_later(directory: Path) -> None:
    """The files as the next week would bring them: one column more in sales and in stock, the state of now."""
    for name in ("sales.csv", "in_stock.csv"):
        # One sold and on the shelf everywhere; columns are put side by side at once, as there are many.
        frame = pd.read_csv(directory / name)
        monday = date.fromisoformat(str(frame.columns[-1])) + timedelta(weeks=1)
        newest = pd.DataFrame({monday.isoformat(): 1}, index=frame.index)
        pd.concat([frame, newest], axis=1).to_csv(directory / name, index=False)


def assert_orders(path: Path, directory: Path) -> None:
    """One row per series in the template's order, whole units, none below zero, and not all of them nothing."""
    orders, template = pd.read_csv(path), pd.read_csv(directory / "submission_template.csv")
    assert list(orders.columns) == list(template.columns)
    pd.testing.assert_frame_equal(orders[KEY], template[KEY])
    quantities = orders.iloc[:, -1]
    assert pd.api.types.is_integer_dtype(quantities)
    assert (quantities >= 0).all()
    assert quantities.sum() > 0


def assert_studied(printed: str, studied: dict[str, Any], page: str) -> None:
    """Candidates, all baselines, policies with intervals and the spread of five seeds are printed; service is drawn."""
    names = {way["name"] for way in studied["ways"]}
    assert {"poisson", "tweedie", *(f"baseline:{name}" for name in BASELINES)} <= names
    assert {at["policy"] for at in studied["steered"].values()} == {"paths", "safety_stock"}
    assert "Differences to" in printed
    for words in ("tuned benchmark", "seasonal average", "safety stock 0.8", "paths 0.9"):
        assert words in printed, words
    assert re.search(r"5 seeds of \w+: .*standard deviation", printed)
    assert 'aria-labelledby="frontier-title' in page
    reference = next(way for way in studied["ways"] if way["name"] == studied["reference"])
    # One game chooses here: it has no spread, so no interval is made up for it.
    assert reference["chosen_difference"] == {"value": 0, "low": "-Infinity", "high": "Infinity", "level": 0.95}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("made", marks=pytest.mark.proof), "real"])
def test_an_iteration_ends_with_a_review_and_evidence_and_the_batch_writes_valid_orders(stores, kind):
    directory = files(kind, stores)
    charter = small_charter(stores, directory)
    run = landed("run", charter, "--data", directory)
    assert run.exit_code == 0, run.output
    assert f"Waits for people: {REVIEW}" in run.stdout
    assert REVIEW in landed("review", "list").stdout
    with Ledger(Settings().ledger) as ledger:
        (record,) = all_iterations(ledger, "vn2-inventory")
    assert record.state == "awaiting_review"
    folder = Path(record.result["report"]).parent
    assert pack.verify(folder, record.report_digest) == record.report_digest
    evidence = json.loads((folder / pack.TWIN).read_text())["evidence"]
    assert evidence["evaluation"]["kind"] == "replay"
    # The benchmark against itself, in the same games.
    assert record.result["arms"]["baseline:official_benchmark"]["relative_cost"][0] == pytest.approx(1.0)
    assert_studied(run.stdout, evidence["studied"], (folder / pack.PAGE).read_text())

    out = stores.root / "orders" / "week-0.csv"
    decided = landed("decide", charter, "--data", directory, "--out", out)
    assert decided.exit_code == 0, decided.output
    assert "the challenger's proposal" in decided.stderr
    assert_orders(out, directory)
    first = out.read_bytes()
    assert landed("decide", charter, "--data", directory, "--out", out, "--model", "challenger").exit_code == 0
    assert out.read_bytes() == first
    assert [path.name for path in out.parent.iterdir()] == ["week-0.csv"]

    template = pd.read_csv(out)
    changes = stores.root / "changes.csv"
    store, product = template.iloc[0][["Store", "Product"]]
    changes.write_text(f"Store,Product,quantity,person,reason\n{store},{product},77,rita,fair in town\n")
    explained = landed("decide", charter, "--data", directory, "--out", out, "--explain", "--overrides", changes)
    assert explained.exit_code == 0, explained.output
    assert f"1 of {len(template)} decisions are people's" in explained.stdout
    assert pd.read_csv(out).iloc[0, -1] == 77
    beside = pd.read_csv(out.with_suffix(".explained.csv"), keep_default_na=False)
    assert beside["model"].tolist() == template.iloc[:, -1].tolist()
    assert (beside["driver_1"] != "").all()
    with Ledger(Settings().ledger) as ledger:
        batch = batches(ledger, "vn2-inventory")[-1]
    assert (batch.decisions, len(batch.overrides), batch.overrides[0].reason) == (len(template), 1, "fair in town")

    a_week_later(directory)
    later = stores.root / "orders" / "week-1.csv"
    assert landed("decide", charter, "--data", directory, "--out", later).exit_code == 0
    assert_orders(later, directory)

    bad = landed("decide", charter, "--data", directory, "--out", stores.root)
    assert bad.exit_code == 3
    assert re.search(r"cannot be written", bad.stderr)
    waits = landed("run", charter, "--data", directory)
    assert waits.exit_code == 0
    assert "waits for people" in waits.stderr
    kept = (record.result["dataset"], record.result["model_digest"], record.report_digest)
    assert [digest[:12] in waits.stderr for digest in kept] == [True] * 3


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize("lagging", [False, True], ids=["all files grow", "in_stock.csv stays as it was"])
def test_a_contest_is_played_from_outside_on_a_directory_that_grows(stores, lagging):
    """As the organisers play it: one run on week 0, six orders on files that grow by a week, eight weeks of cost."""
    real = real_files()
    if real is None:
        pytest.skip("the real VN2 files are not here: put them into ../shared/vn2 or name their folder in LANDED_VN2")
    whole = some_stores(real, stores.root / "files")
    weeks = pd.read_csv(whole / "sales.csv").shape[1] - 2
    ours, theirs = (Contest(whole, stores.root / name, weeks - 8) for name in ("ours", "theirs"))
    last_order = pd.read_csv(whole / "sales.csv", nrows=0).columns[2 + weeks - 8 + 4]
    charter = small_charter(stores, whole, last_order=last_order)
    for contest in (ours, theirs):
        contest.start_over()
    assert landed("run", charter, "--data", ours.shown).exit_code == 0
    reports = (ours.shown / "in_stock.csv").read_bytes()
    placed = []
    for week in range(6):
        if lagging:
            (ours.shown / "in_stock.csv").write_bytes(reports)
        out = stores.root / f"week-{week}.csv"
        decided = landed("decide", charter, "--data", ours.shown, "--out", out)
        assert decided.exit_code == 0, decided.output
        assert_orders(out, ours.shown)
        placed.append(pd.read_csv(out).iloc[:, -1].to_numpy())
        ours.order(pd.read_csv(out))
        theirs.order(benchmark(theirs))
    # Every week decides anew, from the stock and the sales of then.
    assert all((earlier != later).any() for earlier, later in pairwise(placed))
    for contest in (ours, theirs):
        contest.order(None)
        contest.order(None)
    assert len(ours.costs) == 8
    assert ours.costs[:2] == theirs.costs[:2]
    assert sum(ours.costs[2:]) < sum(theirs.costs[2:])


def benchmark(contest: Contest) -> pd.DataFrame:
    """The official rule on the files as they stand."""
    panel = panel_from_tables(read_vn2(contest.shown, 3), 3)
    keys = panel.series[["store", "product"]].astype(int).set_axis(KEY, axis=1)
    return keys.assign(order=benchmark_orders(panel))


@pytest.mark.slow
@pytest.mark.proof
def test_a_users_own_days_are_run_and_decided_like_any_recorded_history(stores):
    made = write_vn2(stores.root / "made", weeks=130, stores=4, products=6)
    own = write_long(stores.root / "own", made, "parquet", days=True)
    charter = small_charter(stores, made)
    values = yaml.safe_load(charter.read_text(encoding="utf-8"))
    values["data"]["source"] = "tables"
    for table, name in zip(values["data"]["tables"], ("sales", "state", "products"), strict=True):
        table["name"] = name
    write_yaml(charter, values)
    assert landed("check", charter).exit_code == 0
    run = landed("run", charter, "--data", own)
    assert run.exit_code == 0, run.output
    assert "5 seeds of" in run.stdout
    out = stores.root / "orders.csv"
    assert landed("decide", charter, "--data", own, "--out", out).exit_code == 0
    orders = pd.read_csv(out)
    assert list(orders.columns)[:4] == ["unique_id", "store", "product", "order"]
    assert set(orders["unique_id"]) == set(pd.read_parquet(own / "stock.parquet")["unique_id"])
    assert (orders["order"] >= 0).all()
    assert orders["order"].sum() > 0

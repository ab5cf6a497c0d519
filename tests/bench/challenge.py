"""One iteration on the real VN2 files, and the weekly orders after it, when the files are there."""

import os
import shutil
from pathlib import Path

import pandas as pd
import yaml
from children import GIBI, ROOT, landed, measure, stores
from figures import Figure, Result, unjudged

CHARTER = ROOT / "configs" / "vn2" / "charter.yaml"
ITERATION_LIMIT, DECIDE_LIMIT = 180.0, 60.0
#: How many times its limit a command may take before it is ended.
PATIENCE = 5.0
_FILES = ("sales.csv", "in_stock.csv", "initial_state.csv", "master.csv", "submission_template.csv")
_FEW_STORES = 12


def found() -> Path | None:
    """The folder named in ``LANDED_VN2``, or ``shared/vn2`` beside the project's folder, if it holds the files."""
    folder = Path(os.environ.get("LANDED_VN2") or ROOT.parent / "shared" / "vn2").absolute()
    return folder if all((folder / name).is_file() for name in _FILES) else None


def challenge(work: Path, logs: Path, *, quick: bool) -> Result:
    """Run an iteration up to its review and write the orders that follow from it."""
    data, charter = found(), CHARTER
    if data is None:
        return Result("vn2", skipped="no VN2 files: set LANDED_VN2 to their folder, or put them into ../shared/vn2")
    if quick:
        data, charter = _few_stores(data, work / "few"), _small_charter(work / "charter.yaml")
    env = stores(work)
    run = measure(landed("run", charter, "--data", data), env, logs / "vn2-run.log", at_most=ITERATION_LIMIT * PATIENCE)
    orders = work / "orders.csv"
    decide = measure(
        landed("decide", charter, "--data", data, "--out", orders),
        env,
        logs / "vn2-decide.log",
        at_most=DECIDE_LIMIT * PATIENCE,
    )
    figures = (
        Figure("one VN2 iteration", run.wall, "s", ITERATION_LIMIT),
        Figure("peak memory of the iteration", run.peak / GIBI, "GiB"),
        Figure("landed decide", decide.wall, "s", DECIDE_LIMIT),
        Figure("peak memory of landed decide", decide.peak / GIBI, "GiB"),
    )
    details = {"orders": len(pd.read_csv(orders)), "sales_rows": len(pd.read_csv(data / "sales.csv"))}
    return Result("vn2", unjudged(figures) if quick else figures, (run, decide), details)


def _few_stores(data: Path, folder: Path) -> Path:
    """The files with the first stores only."""
    folder.mkdir(parents=True)
    few = sorted(pd.read_csv(data / "sales.csv")["Store"].unique())[:_FEW_STORES]
    for name in _FILES:
        table = pd.read_csv(data / name, dtype=str)
        if "Store" in table.columns:
            table[table["Store"].astype(int).isin(few)].to_csv(folder / name, index=False)
        else:
            shutil.copy(data / name, folder / name)
    return folder


def _small_charter(path: Path) -> Path:
    values = yaml.safe_load(CHARTER.read_text(encoding="utf-8"))
    values["stages"][0]["units"] = _FEW_STORES
    values["model"]["backtest_cutoffs"] = 2
    for candidate in values["model"]["candidates"]:
        candidate["parameters"]["rounds"] = 20
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path

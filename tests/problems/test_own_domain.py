"""The domain of docs/own-domain.md, installed as a package of its own from the page's own text, and run."""

import re
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.evaluation.kpis import evaluate
from pipeline.problems.base import Arm
from pipeline.problems.reading import read_charter_for_problem
from pipeline.problems.registry import find
from tests.cli.calling import landed
from tests.tabular.made import charter_values, nothing

PAGE = Path(__file__).parents[2] / "docs" / "own-domain.md"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What an installer would put into a folder of its own on the path: the module and its entry point."""
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (project,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    place = tmp_path / "site"
    (place / "landed_libraries-1.0.dist-info").mkdir(parents=True)
    (place / "landed_libraries.py").write_text(code)
    entry = re.search(r'libraries = "(.+)"', project)[1]
    (place / "landed_libraries-1.0.dist-info" / "entry_points.txt").write_text(
        f"[landed.problems]\nlibraries = {entry}\n"
    )
    metadata = "Metadata-Version: 2.1\nName: landed-libraries\nVersion: 1.0\n"
    (place / "landed_libraries-1.0.dist-info" / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(place))
    assert "libraries" in {point.name for point in entry_points(group="landed.problems")}
    return place


def hours() -> pd.DataFrame:
    """Ten branches over a year and a half: a level that wanders, and noise from week to week."""
    draw = np.random.default_rng(6)
    weeks = pd.date_range("2025-01-06", periods=80, freq="W-MON")
    level = 120 + np.cumsum(draw.normal(0, 2, (80, 10)), axis=0)
    frame = pd.DataFrame(level + draw.normal(0, 12, (80, 10)), weeks, [f"B{number}" for number in range(10)])
    return frame.rename_axis("week").melt(ignore_index=False, var_name="branch", value_name="hours").reset_index()


def charter_file(folder: Path, **kpi) -> Path:
    values = charter_values({"counted_in": "hours"}, {"name": "smoothed", "parameters": {}}, {})
    goal = {"name": "hours_off", "unit": "hours per branch and week", "direction": "lower", "target": 11.0, **kpi}
    values["kpi"] |= goal | {"baseline": {"policy": "last_week", "measured_over": 8}}
    values |= {"problem": "libraries", "project": "staff", "business": {}}
    values["data"]["tables"][0]["name"] = "hours"
    values["model"] |= {"backtest_every": 8, "backtest_cutoffs": 3}
    values["model"]["candidates"] = [{"name": "smooth", "algorithm": "smoothing", "features": ["hours"]}]
    values["stages"][0] |= {"units": 10, "milestone": 11.0, "worst_unit_limit": 40.0}
    (folder / "charter.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return folder / "charter.yaml"


def test_the_page_s_domain_is_found_checked_trained_played_and_decides(installed, tmp_path):
    path = charter_file(tmp_path)
    checked = landed("check", path)
    assert checked.exit_code == 0, checked.output
    refused = landed("check", charter_file(tmp_path, unit="hours"))
    assert "write `unit: hours per branch and week`" in refused.stderr
    rules = read_charter_for_problem(charter_file(tmp_path), date.today())
    problem = find("libraries")
    hours().to_csv(tmp_path / "hours.csv", index=False)
    raw = problem.load(rules, tmp_path)
    clean, quarantine = apply_contracts(raw, problem.contracts(rules, raw))
    data = Dataset(clean, catalog.digest(clean), problem.cutoff(clean), quarantine)
    assert problem.facts(rules, data, None).coverage == 1.0
    units = problem.units(rules, data, rules.stages[0])

    spec = rules.model.candidates[0]
    trained = problem.train(rules, data, spec, units, tmp_path / "model", nothing)
    assert problem.load_candidate(spec, tmp_path / "model").digest == trained.digest
    arms = (Arm("smooth", rules, trained), *(Arm(f"baseline:{n}", rules, baseline=n) for n in problem.baselines(rules)))
    outcomes = problem.play(rules, data, tmp_path, arms, "smooth", units, 8, "key", nothing)
    goal = evaluate(rules, problem.kpis(rules), outcomes, "smooth", "baseline:last_week", 1).kpi("hours_off")
    assert goal.difference.high < 0

    # By hand: last week's hours as the plan of the eight newest weeks.
    table = hours().pivot(index="week", columns="branch", values="hours").to_numpy()
    assert goal.baseline.value == pytest.approx(np.abs(table[72:] - table[71:-1]).mean())
    assert problem.measured_baseline(rules, data, units) == pytest.approx(np.abs(table[72:] - table[71:-1]).mean())
    decided = problem.decide(rules, tmp_path, arms[1], None)
    assert decided["hours"].to_numpy() == pytest.approx(table[-1], abs=0.05)
    assert len(problem.realised(rules, data)) == 8
    assert set(problem.observed(rules, data).units) == set(units)


def test_a_plan_sees_no_later_week(installed):
    from landed_libraries import plan

    table = hours().pivot(index="week", columns="branch", values="hours")
    other = table.copy()
    other.iloc[50:] = 1e6
    for how in ("last_week", "usual", 0.4):
        assert plan(table, how).iloc[:51].equals(plan(other, how).iloc[:51])


@pytest.mark.proof
def test_the_page_s_domain_goes_through_a_whole_iteration(installed, stores):
    (stores.root / "source").mkdir()
    hours().to_csv(stores.root / "source" / "hours.csv", index=False)
    ran = landed("run", charter_file(stores.root), "--data", stores.root / "source")
    assert ran.exit_code == 0, ran.output
    assert "staff-1-all" in ran.output

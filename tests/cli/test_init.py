"""`landed init`: what is proposed, what is never guessed, and that every place left open is named."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.compliance.personal import sampled, signs
from pipeline.tabular.starting.profile import profiled, task_of
from tests.cli.calling import assert_refused, contents, landed
from tests.tabular import made

ANSWERS = (
    "--title", "Biopsies seen in time", "--pain", "Malignant biopsies wait as long as benign ones.",
    "--decision", "Which biopsy a pathologist looks at first every day.", "--target", "diagnosis",
    "--positive", "malignant", "--counted-in", "hours", "--worth", "hit=40", "--worth", "false_alarm=-2",
    "--worth", "miss=-20", "--baseline", "nobody", "--goal", "8", "--deadline", "2027-12-31",
    "--sponsor", "Ada Lund <ada@example.com>", "--owner", "Ben Okoro <ben@example.com>",
)  # fmt: skip


@pytest.fixture
def biopsies(tmp_path):
    path = tmp_path / "biopsies.csv"
    made.breast_cancer().to_csv(path, index=False)
    return path


def test_what_nobody_answered_is_marked_and_check_names_every_place(biopsies, tmp_path):
    project = tmp_path / "project"
    began = landed("init", biopsies, project)
    assert began.exit_code == 0, began.output
    text = (project / "configs" / "charter.yaml").read_text()
    marked = [number for number, line in enumerate(text.splitlines(), start=1) if '"TODO(' in line]
    checked = landed("check", project / "configs" / "charter.yaml")
    assert_refused(checked, 2, "kpi.target", "kpi.baseline.policy", "business.target", "perhaps diagnosis (binary")
    named = {int(number) for number in re.findall(r"charter\.yaml:(\d+) ", checked.stderr)}
    assert named == set(marked)
    assert checked.stderr.count("this is still to be filled in") == text.count('"TODO(')
    assert f"{text.count('TODO(')} places" in began.output
    assert_refused(landed("run", project / "configs" / "charter.yaml"), 2, "still to be filled in")


def test_neither_target_nor_baseline_is_ever_taken_from_the_table(biopsies, tmp_path):
    without = [word for word in ANSWERS if word not in ("--target", "diagnosis", "--baseline", "nobody")]
    landed("init", biopsies, tmp_path / "project", *without)
    found = yaml.safe_load((tmp_path / "project" / "configs" / "charter.yaml").read_text())
    assert found["business"]["target"].startswith("TODO(")
    assert found["kpi"]["baseline"]["policy"].startswith("TODO(")
    assert found["business"]["key"] == "biopsy"


def test_with_every_answer_the_charter_is_sound_and_says_what_today_gives(biopsies, tmp_path):
    project = tmp_path / "project"
    began = landed("init", biopsies, project, *ANSWERS)
    assert "make run" in began.output
    checked = landed("check", project / "configs" / "charter.yaml")
    assert checked.exit_code == 0, checked.output
    text = (project / "configs" / "charter.yaml").read_text()
    found = yaml.safe_load(text)
    assert "TODO(" not in text
    # Missing every malignant one of the newest groups costs twenty hours each: recounted from the table.
    rules = made.charter_of({**found, "kpi": {**found["kpi"]}}, tmp_path / "read")
    table = made.dataset_at(rules, project / "data" / "cases").tables["cases"]
    newest = table[table["period"] >= table["period"].max() - pd.Timedelta(weeks=5)]
    value = -20 * (newest["diagnosis"] == "malignant").mean()
    assert f"nobody gives {value:.4g} hours per case" in text
    worst = newest.assign(value=-20.0 * (newest["diagnosis"] == "malignant")).groupby("unit")["value"].mean().min()
    assert found["stages"][0]["worst_unit_limit"] == pytest.approx(worst, rel=1e-3)
    assert {path.name for path in project.iterdir()} >= {
        "configs", "flows", "data", "reports", "tests", "Makefile", "README.md"
    }  # fmt: skip


def test_a_goal_that_asks_for_no_more_than_today_is_said_at_once(biopsies, tmp_path):
    began = landed("init", biopsies, tmp_path / "project", *ANSWERS, "--goal", "-15")
    assert "asks for no more than today gives" in began.output


def test_an_interview_asks_in_order_and_again_where_an_answer_cannot_be_read(biopsies, tmp_path):
    said = [
        "Biopsies", "too short", "Malignant biopsies wait as long as benign ones.",
        "Which biopsy is looked at first every day.", "diagnose", "diagnosis", "", "", "", "hours", "malignant",
        "forty", "40", "-2", "-20", "", "nobody", "8", "31.12.2027", "2027-12-31", "Ada Lund <ada@example.com>",
        "Ben Okoro <ben@example.com>",
    ]  # fmt: skip
    from typer.testing import CliRunner

    from pipeline.cli import app

    asked = CliRunner().invoke(
        app, ["init", str(biopsies), str(tmp_path / "project"), "--ask"], input="\n".join(said) + "\n"
    )
    assert asked.exit_code == 0, asked.output
    for word in ("say a little more", "there is no column diagnose", "forty is no number", "Invalid isoformat"):
        assert word in asked.output, asked.output
    assert "target? (binary, by its name)" in asked.output
    assert landed("check", tmp_path / "project" / "configs" / "charter.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--target", "finding"), 3, ("--target finding", "write one of: biopsy")),
        (("--positive", "sick"), 3, ("diagnosis has no such value", "benign, malignant")),
        (("--baseline", "mean"), 3, ("nobody, everybody, or today=COLUMN",)),
        (("--baseline", "today=called"), 3, ("--baseline called", "no such column")),
        (("--problem", "ranking"), 2, ("write one of: tabular",)),
    ],
)
def test_answers_that_do_not_fit_the_table_are_refused(biopsies, tmp_path, more, code, words):
    assert_refused(landed("init", biopsies, tmp_path / "project", *ANSWERS, *more), code, *words)
    assert not (tmp_path / "project").exists()


def test_nothing_of_an_existing_folder_is_written_over(biopsies, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    assert_refused(landed("init", biopsies, tmp_path / "project", *ANSWERS), 4, "it is not empty")
    assert contents(tmp_path) == before


def test_a_file_that_is_no_table_is_told(tmp_path):
    (tmp_path / "no.csv").write_bytes(b"\xff\xfe\x00")
    assert_refused(landed("init", tmp_path / "no.csv", tmp_path / "project"), 3, "no.csv", "UTF-8")
    assert_refused(landed("init", tmp_path / "gone.csv", tmp_path / "project"), 3, "gone.csv")
    (tmp_path / "two.csv").write_text("Mean radius,mean_radius\n1,2\n")
    assert_refused(landed("init", tmp_path / "two.csv", tmp_path / "project"), 3, "two columns are written mean_radius")


def mixed() -> pd.DataFrame:
    draw = np.random.default_rng(4)
    frame = pd.DataFrame({"Order No": range(1000, 1400), "day": pd.date_range("2026-01-01", periods=400).astype(str)})
    frame["store"] = draw.choice([f"S{number:02d}" for number in range(8)], 400)
    frame["Items"] = draw.integers(1, 30, 400)
    frame["price"] = draw.lognormal(3, 1, 400)
    frame.loc[::9, "price"] = np.nan
    frame["gift"] = draw.random(400) < 0.2
    frame["balance"] = draw.normal(0, 10, 400)
    frame["returned"] = draw.choice(["no", "yes"], 400)
    frame["remark"] = [f"note {number}" for number in range(400)]
    return frame


def test_types_roles_and_bounds_are_proposed_from_what_a_table_holds(tmp_path):
    mixed().to_parquet(tmp_path / "orders.parquet")
    found = profiled(tmp_path / "orders.parquet")
    assert (found.key, found.time, found.unit) == ("order_no", "day", "store")
    assert found.targets[0] == ("price", "regression", "by its name")
    assert ("returned", "binary", "by its name") in found.targets
    landed(
        "init", tmp_path / "orders.parquet", tmp_path / "orders", *ANSWERS, "--target", "returned", "--positive", "yes",
        "--deadline", "2027-06-30",
    )  # fmt: skip
    rules = pd.read_csv(tmp_path / "orders" / "data" / "cases" / "contract.csv", keep_default_na=False).set_index(
        "column"
    )
    assert rules["type"].to_dict() == {
        "order_no": "text", "day": "date", "store": "text", "items": "whole", "price": "number", "gift": "truth",
        "balance": "number", "returned": "text", "remark": "text",
    }  # fmt: skip
    assert set(rules.index[rules["may_be_empty"]]) == {"price", "returned"}
    assert rules.loc["store", "values"] == "S00|S01|S02|S03|S04|S05|S06|S07"
    assert rules.loc["items", "lowest"] == "0"
    assert float(rules.loc["balance", "lowest"]) < mixed()["balance"].min() < 0
    assert float(rules.loc["price", "highest"]) >= 2 * mixed()["price"].max() - mixed()["price"].min()
    charter = yaml.safe_load((tmp_path / "orders" / "configs" / "charter.yaml").read_text())
    assert (charter["business"]["time"], charter["business"]["unit"], charter["data"]["period"]) == (
        "day",
        "store",
        "week",
    )
    assert charter["business"]["ignore"] == "remark"
    checked = landed("check", tmp_path / "orders" / "configs" / "charter.yaml")
    assert checked.exit_code == 0, checked.output


def test_what_looks_like_personal_data_is_said_and_repeated_nowhere(tmp_path):
    """The table itself holds it; what is written beside it does not, and so does not look like it either."""
    people = [f"p{number % 9}@example.com" for number in range(400)]
    mixed().assign(contact=people, surname=["Lund", "Okoro"] * 200).to_csv(tmp_path / "orders.csv", index=False)
    began = landed(
        "init", tmp_path / "orders.csv", tmp_path / "orders", *ANSWERS, "--target", "returned", "--positive", "yes"
    )
    assert "contact looks like personal data (holds e-mail addresses)" in began.output
    assert "surname looks like personal data (named like a person's data)" in began.output
    assert "compliance.personal_data" in began.output
    written = {path: path.read_text(encoding="utf-8") for path in (tmp_path / "orders").rglob("*") if path.is_file()}
    assert {path.name for path, text in written.items() if "@example.com" in text and "p1@" in text} == {"cases.csv"}
    rules = pd.read_csv(tmp_path / "orders" / "data" / "cases" / "contract.csv")
    assert [str(sign) for sign in signs(sampled({"contract": rules}, seed=0))] == []


def test_amounts_and_classes_get_what_fits_them(tmp_path):
    made.wine().to_csv(tmp_path / "wine.csv", index=False)
    words = dict(zip(ANSWERS[::2], ANSWERS[1::2], strict=True))
    common = [part for pair in words.items() if pair[0] not in ("--worth", "--positive", "--baseline") for part in pair]
    wine = landed(
        "init", tmp_path / "wine.csv", tmp_path / "wine", *common, "--target", "grower", "--worth", "right=1",
        "--worth", "wrong=-3", "--worth", "north_as_south=-20", "--baseline", "most_common", "--goal", "0.5",
    )  # fmt: skip
    assert wine.exit_code == 0, wine.output
    assert landed("check", tmp_path / "wine" / "configs" / "charter.yaml").exit_code == 0
    made.diabetes().to_csv(tmp_path / "diabetes.csv", index=False)
    for name, worth in (("act", ("per_unit=1", "acting=150")), ("name", ("over=1", "under=2"))):
        baseline = "nobody" if name == "act" else "mean"
        landed(
            "init", tmp_path / "diabetes.csv", tmp_path / name, *common, "--target", "progression", "--worth", worth[0],
            "--worth", worth[1], "--baseline", baseline,
        )  # fmt: skip
        checked = landed("check", tmp_path / name / "configs" / "charter.yaml")
        assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        ([0, 1, 0, 1], "binary"),
        (["a", "b", None], "binary"),
        (["a", "b", "c"], "multiclass"),
        ([0, 1, 2, 1], "multiclass"),
        ([0.5, 1.0, 2.5], "regression"),
        (list(range(50)), "regression"),
    ],
)
def test_the_task_follows_from_the_target_s_values(cells, task):
    assert task_of(pd.Series(cells)) == task

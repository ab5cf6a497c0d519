"""Bad input: a message that names the place, what was found and what to do; the right exit code; nothing lost."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.ledger import Ledger, all_iterations, verify
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, contents, landed, mended
from tests.conftest import Home
from tests.flows.made import PROJECT, SHIPPED, SPEC, found_retailer, write_yaml

SHIPPED_CHARTER = SHIPPED / "charter.yaml"


# ---- the charter


def test_a_charter_that_is_not_there(home):
    assert_refused(landed("check", home.root / "nowhere.yaml"), 2, "nowhere.yaml", "no such file")


def test_a_charter_that_cannot_be_read_because_it_is_a_folder(home):
    assert_refused(landed("check", home.root), 2, str(home.root), "cannot be read")


def test_a_charter_that_is_no_text(home):
    path = home.root / "charter.yaml"
    path.write_bytes(b"project: \xff\xfe\x00")
    assert_refused(landed("check", path), 2, "charter.yaml")


def test_yaml_that_does_not_parse_names_the_line(home):
    path = home.root / "charter.yaml"
    text = SHIPPED_CHARTER.read_text(encoding="utf-8").splitlines()
    broken = next(place for place, line in enumerate(text) if line.startswith("pain_point")) + 1
    path.write_text("\n".join([*text[: broken - 1], "pain_point: [one, two", *text[broken:]]), encoding="utf-8")
    result = landed("check", path)
    assert_refused(result, 2, "charter.yaml:")
    line = int(result.stderr.split("charter.yaml:")[1].split()[0].strip(":"))
    assert broken <= line <= broken + 6


def test_an_unknown_key_comes_with_the_nearest_known_one(home):
    def change(values):
        values["kpi"]["traget"] = values["kpi"].pop("target")

    assert_refused(landed("check", mended(home, change)), 2, "kpi.traget", "target")


def test_a_kpi_that_no_problem_offers_comes_with_the_nearest_and_all_there_are(home):
    def change(values):
        values["kpi"]["name"] = "stockout_rat"

    assert_refused(
        landed("check", mended(home, change)), 2, "kpi.name", "stockout_rat", "did you mean `stockout_rate`",
        "lost_units_share",
    )  # fmt: skip


def test_a_deadline_in_the_past(home):
    def change(values):
        values["kpi"]["deadline"] = "2020-01-31"

    assert_refused(landed("check", mended(home, change)), 2, "kpi.deadline", "2020-01-31")


def test_a_ladder_that_shrinks(home):
    def change(values):
        values["stages"][1]["units"] = values["stages"][0]["units"] - 1

    assert_refused(landed("check", mended(home, change)), 2, "stages", "units", "7")


@pytest.mark.parametrize("key", ["target", "baseline", "deadline", "owner"])
def test_a_goal_without_number_baseline_date_or_owner_is_refused_with_an_explanation(home, key):
    assert_refused(landed("check", mended(home, lambda values: values["kpi"].pop(key))), 2, f"kpi.{key}")


def test_all_faults_of_a_file_are_told_at_once_each_with_its_line(home):
    def change(values):
        values["kpi"]["deadline"] = "2020-01-31"
        values["kpi"]["owner"] = "nobody.known"
        values["policy"]["name"] = "crystal_ball"

    path = mended(home, change)
    result = landed("check", path)
    assert_refused(result, 2, "kpi.deadline", "kpi.owner")
    written = path.read_text(encoding="utf-8").splitlines()
    for place, text in (("kpi.deadline", "2020-01-31"), ("kpi.owner", "nobody.known")):
        line = next(number for number, line in enumerate(written, start=1) if text in line)
        assert f"charter.yaml:{line} {place}" in result.stderr


@pytest.mark.parametrize("command", ["run", "play", "decide"])
def test_a_bad_charter_stops_every_command_before_it_makes_anything(home, command):
    path = mended(home, lambda values: values["kpi"].pop("owner"))
    more = {"run": [], "play": ["--decisions", SHIPPED / "decisions.yaml"], "decide": ["--out", home.root / "o.csv"]}
    assert_refused(landed(command, path, *more[command]), 2, "kpi.owner")
    assert [entry.name for entry in home.root.iterdir()] == ["charter.yaml"]


@pytest.mark.parametrize("arguments", [["check"], ["check", "a", "--loudly"], ["sing"], ["review", "sign", "r"]])
def test_wrong_usage_ends_with_two_and_says_how_it_is_meant(home, arguments):
    result = landed(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert "Traceback" not in result.output


# ---- recorded decisions and feedback files


def test_recorded_decisions_that_are_not_there(home):
    assert_refused(landed("play", SHIPPED_CHARTER, "--decisions", home.root / "none.yaml"), 2, "none.yaml")


def test_recorded_decisions_of_another_project(home):
    values = yaml.safe_load((SHIPPED / "decisions.yaml").read_text(encoding="utf-8"))
    path = write_yaml(home.root / "decisions.yaml", {**values, "project": "somebody-elses"})
    assert_refused(landed("play", SHIPPED_CHARTER, "--decisions", path), 2, "somebody-elses", PROJECT)
    assert not (home.data / "retailer").exists()


# ---- the data


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """The small chain's exports: Parquet tables in one folder, which are read as they are."""
    return found_retailer(tmp_path_factory.mktemp("chain")) / f"exports-{SPEC.weeks:04d}"


def damaged(exports: Path, target: Path, **changes) -> Path:
    """A copy of the exports in which some tables are changed."""
    target.mkdir()
    for path in exports.glob("*.parquet"):
        frame = pd.read_parquet(path)
        changes.get(path.stem, lambda same: same)(frame).to_parquet(target / path.name, index=False)
    return target


def refused_run(home: Home, data: Path, code: int, *words: str, change=lambda values: None) -> None:
    """``landed run`` refuses, leaves the data as it was, and the ledger tells why; nothing was trained."""
    charter, before = mended(home, change), contents(data)
    assert_refused(landed("run", charter, "--data", data), code, *words)
    assert contents(data) == before
    with Ledger(Settings().ledger) as ledger:
        (record,) = all_iterations(ledger, PROJECT)
        assert record.state == "failed"
        reason = next(event.body["reason"] for event in ledger.events() if event.kind == "iteration.failed")
        assert all(word in reason for word in words)
        assert verify(ledger).intact
    assert not (home.data / "models").exists()


def test_a_table_that_is_missing(stores, exports):
    data = damaged(exports, stores.root / "tables")
    (data / "products.parquet").unlink()
    refused_run(stores, data, 3, "products")


def test_a_file_that_is_no_table(stores, exports):
    data = damaged(exports, stores.root / "tables")
    (data / "sales.parquet").write_text("store,product,units\n")
    refused_run(stores, data, 3, "sales.parquet")


def test_an_empty_table(stores, exports):
    refused_run(stores, damaged(exports, stores.root / "tables", sales=lambda sales: sales.iloc[:0]), 3, "sales")


def test_a_column_of_the_wrong_type(stores, exports):
    data = damaged(exports, stores.root / "tables", sales=lambda sales: sales.assign(units="many"))
    refused_run(stores, data, 3, "sales", "units")


def test_a_column_that_is_missing(stores, exports):
    data = damaged(exports, stores.root / "tables", state=lambda state: state.drop(columns="on_hand"))
    refused_run(stores, data, 3, "state", "on_hand")


def test_every_row_quarantined(stores, exports):
    data = damaged(exports, stores.root / "tables", sales=lambda sales: sales.assign(units="-4"))
    refused_run(stores, data, 3, "sales", "units ≥ 0")


def test_more_rows_quarantined_than_the_charter_allows(stores, exports):
    def change(values):
        values["data"]["max_quarantine_share"] = 0.001

    refused_run(stores, exports, 3, "quarantine", change=change)


def test_fewer_weeks_than_the_charter_asks(stores, exports):
    def change(values):
        values["data"]["minimum_history"] = SPEC.weeks + 30

    refused_run(stores, exports, 3, str(SPEC.weeks), str(SPEC.weeks + 30), change=change)


def test_a_target_on_the_wrong_side_of_the_measured_baseline(stores, exports):
    def change(values):
        values["kpi"]["target"] = 0.4
        values["stages"][-1]["milestone"] = 0.4
        for stage in values["stages"][:-1]:
            stage["milestone"] = 0.5

    refused_run(stores, exports, 2, "kpi.target", "40.0 %", "incumbent", change=change)


def test_more_stores_in_a_stage_than_the_chain_has(stores, exports):
    def change(values):
        for more, stage in enumerate(values["stages"], start=1):
            stage["units"] = SPEC.stores + more

    refused_run(stores, exports, 3, "stages[pilot].units", str(SPEC.stores), change=change)


def test_files_of_the_challenge_that_are_not_there_are_all_named(stores):
    charter = SHIPPED.parent / "vn2" / "charter.yaml"
    (stores.root / "empty").mkdir()
    names = ("sales.csv", "in_stock.csv", "initial_state.csv", "master.csv")
    assert_refused(landed("run", charter, "--data", stores.root / "empty"), 3, *names)


# ---- deciding


def test_deciding_before_anything_was_trained(home):
    refused = landed("decide", mended(home, lambda values: None), "--out", home.root / "orders.csv")
    assert_refused(refused, 6, PROJECT, "no iteration made its challenger")
    assert not (home.root / "orders.csv").exists()


def test_asking_for_a_champion_where_nothing_is_released(home):
    charter = mended(home, lambda values: None)
    refused = landed("decide", charter, "--out", home.root / "orders.csv", "--model", "champion")
    assert_refused(refused, 6, PROJECT, "nothing is released", "--model challenger")


def test_a_schema_that_cannot_be_written(home):
    assert_refused(landed("schema", "--out", home.root), 1, str(home.root), "cannot be written")

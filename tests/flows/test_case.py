"""The small flagship case, played whole: ledger, evidence, MLflow, rollout and world must tell the same story."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from flows.case import CaseRow, play_case
from flows.replay import replay
from pipeline.audit.verification import audit
from pipeline.charter import Charter
from pipeline.charter.reading import charter_from_canonical
from pipeline.cli import app
from pipeline.datasets import catalog
from pipeline.ledger import Event, Ledger, pending, project_end, verify
from pipeline.models.auditing import AuditView
from pipeline.problems.reading import read_charter_for_problem
from pipeline.provenance import code_version
from pipeline.replenishment import world
from pipeline.reporting import pack
from pipeline.review.items import items_of
from pipeline.review.recorded import RecordedAnswers, read_recorded
from pipeline.rollout.ladder import current
from pipeline.rollout.serving import serve
from pipeline.settings import Settings
from tests.cli.calling import contents
from tests.conftest import Home
from tests.flows.auditing import expected, filled, searches
from tests.flows.made import PERIODS, PROJECT, SPEC, charter_values, decisions_values, found_retailer, write_yaml
from tests.language.leftovers import english_in_pack, said

WALK = [(1, "pilot"), (2, "pilot"), (2, "regional"), (2, "chain")]
DECISIONS = ["iterate", "advance", "advance", "advance"]


@dataclass(frozen=True)
class Case:
    home: Home
    charter: Charter
    answers: RecordedAnswers
    rows: tuple[CaseRow, ...]
    events: tuple[Event, ...]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    def opened_at(self, place: int) -> int:
        return self.of("iteration.opened")[place].seq


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("case"))
    charter_file = write_yaml(home.root / "charter.yaml", charter_values())
    decisions_file = write_yaml(home.root / "decisions.yaml", decisions_values())
    with pytest.MonkeyPatch.context() as patch:
        home.enter(patch)
        found_retailer(home.retailer)
        charter = read_charter_for_problem(charter_file, date.today())
        answers = read_recorded(decisions_file)
        with Ledger(Settings().ledger) as ledger:
            rows = play_case(ledger, charter, home.retailer, answers, "robin")
            yield Case(home, charter, answers, rows, tuple(ledger.events()))


@pytest.fixture
def ledger(case):
    with Ledger(Settings(data=case.home.data).ledger) as opened:
        yield opened


@pytest.fixture
def client(case):
    uri = f"sqlite:///{case.home.data / 'mlflow' / 'mlflow.db'}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_iterations_stand_in_the_ledger_in_order_and_are_closed(case):
    assert [(row.record.number, row.record.stage) for row in case.rows] == WALK
    assert [row.record.kind for row in case.rows] == ["train", "train", "measure", "measure"]
    assert [row.record.state for row in case.rows] == ["closed"] * 4
    assert [row.review.decision for row in case.rows] == DECISIONS


@pytest.mark.parametrize("place", range(4))
def test_every_iteration_went_through_each_state_once(case, place):
    subject = case.rows[place].record.subject
    states = [event.kind for event in case.events if event.subject == subject and event.kind != "trial.begun"]
    moves = ["opened", "running", "tracked", "reported", "awaiting_review", "decided", "applied", "closed"]
    assert states == [f"iteration.{move}" for move in moves]


def test_units_under_the_model_stand_in_the_record_before_the_weeks_are_played(case):
    for row in case.rows:
        begun = [event for event in case.of("trial.begun") if event.subject == row.record.subject]
        reported = [event for event in case.of("iteration.reported") if event.subject == row.record.subject]
        assert len(begun) == 1
        assert begun[0].seq < reported[0].seq
        assert len(begun[0].body["units"]) == row.record.result["units"]


def test_each_iteration_was_opened_by_the_review_before_it(case):
    assert "review" not in case.rows[0].record.why
    for before, after in zip(case.rows, case.rows[1:], strict=False):
        assert after.record.why["review"] == before.review.id
        assert before.review.id in after.record.why["sentence"]
        assert after.record.why["recorded"] is True


def test_feedback_of_the_first_review_is_in_the_second_charter_and_nothing_else_changed(case):
    charters = [json.loads(row.record.charter) for row in case.rows]
    expected = json.loads(json.dumps(charters[0]))
    for candidate in expected["model"]["candidates"]:
        candidate["features"] = [
            "recent_sales", "level", "season", "intermittency", "hierarchy", "promotions", "holidays",
        ]  # fmt: skip
    expected["policy"] = {"name": "paths", "parameters": {"service_level": 0.99, "paths": 100}}
    assert charters[1] == expected
    assert charters[1] == charters[2] == charters[3]
    assert charter_from_canonical(charters[1]).digest == case.rows[1].record.charter_digest


def test_feedback_items_end_applied_or_deferred_with_a_reason(case, ledger):
    items = {filed.item.id: filed for filed in items_of(ledger, PROJECT)}
    assert {name: filed.status for name, filed in items.items()} == {"F1": "applied", "D1": "deferred", "F2": "applied"}
    assert all(filed.reason for filed in items.values())
    assert items["D1"].effect is None


@pytest.mark.parametrize("item", ["F1", "F2"])
def test_the_effect_of_an_applied_item_is_measured_against_the_arm_without_it(case, ledger, item):
    arms = case.rows[1].record.result["arms"]
    challenger = case.rows[1].record.result["challenger"]
    effect = next(filed.effect for filed in items_of(ledger, PROJECT) if filed.item.id == item)
    assert effect["kpi"] == "stockout_rate"
    assert effect["with"][0] == pytest.approx(arms[challenger]["stockout_rate"][0])
    assert effect["without"][0] == pytest.approx(arms[f"without {item}"]["stockout_rate"][0])
    assert effect["difference"][0] == pytest.approx(effect["with"][0] - effect["without"][0])
    assert effect["difference"][1] <= effect["difference"][0] <= effect["difference"][2]


@pytest.mark.parametrize("place", range(4))
def test_the_chinese_pack_says_nothing_of_ours_in_english(case, place):
    """Page, cards and digests to the end; English are the charter's words, people's, and the columns of a key."""
    row = case.rows[place]
    given = said([json.loads(row.record.charter), decisions_values(), "store, product, week", "store, product"])
    assert english_in_pack(Path(row.record.result["report"]).parent, given) == []


def test_the_next_report_shows_who_asked_what_became_of_it_and_its_effect(case):
    folder = Path(case.rows[1].record.result["report"]).parent
    shown = {item["id"]: item for item in json.loads((folder / pack.TWIN).read_text())["evidence"]["feedback"]}
    assert {name: one["status"] for name, one in shown.items()} == {"F1": "applied", "D1": "deferred", "F2": "applied"}
    assert shown["D1"]["effect"] is None
    recorded = case.rows[1].record.result["effects"]
    for item in ("F1", "F2"):
        assert shown[item]["effect"]["difference"]["value"] == pytest.approx(recorded[item]["difference"][0])
    page = (folder / pack.PAGE).read_text()
    assert "without F1" in page
    assert "without F2" in page
    assert "recorded" in page.lower()


@pytest.mark.parametrize("place", range(4))
def test_evidence_packs_verify_against_the_digest_the_ledger_keeps(case, place):
    row = case.rows[place]
    folder = Path(row.record.result["report"]).parent
    assert pack.verify(folder, row.record.report_digest) == row.record.report_digest == row.review.report_digest
    assert folder.is_relative_to(case.home.reports)


def test_sign_offs_are_bound_to_the_report_and_labelled_as_recorded(case):
    signed = case.of("review.signed")
    reports = {row.review.id: row.record.report_digest for row in case.rows}
    assert len(signed) == 12
    assert all(event.body["recorded"] is True and event.body["report"] == reports[event.subject] for event in signed)
    assert all(row.recorded for row in case.rows)
    assert "robin" not in {event.actor for event in signed}


# ---- MLflow


def test_mlflow_holds_one_finished_parent_run_per_iteration_with_what_an_auditor_asks_for(case, client):
    experiment = client.get_experiment_by_name(PROJECT)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    parents = {run.data.tags["landed.iteration"]: run for run in runs if "mlflow.parentRunId" not in run.data.tags}
    assert list(parents) == [row.record.subject for row in case.rows]
    assert len(runs) == len(parents) + 4
    for row in case.rows:
        run = parents[row.record.subject]
        tags, result = run.data.tags, row.record.result
        assert (run.info.status, run.info.run_id) == ("FINISHED", row.record.mlflow_run)
        assert tags["landed.charter"] == row.record.charter_digest
        assert tags["landed.data"] == result["dataset"]
        assert tags["landed.code"] == code_version()
        assert tags["landed.report"] == row.record.report_digest
        assert tags["landed.model"] == result["model_digest"]
        assert tags["landed.decision"] == row.review.decision
        assert tags["landed.recorded"] == "true"
        assert all(f"{person} (" in tags["landed.reviewers"] for person in ("joao.pinto", "ana.silva"))
        assert run.inputs.dataset_inputs[0].dataset.digest == result["dataset"][:36]
        assert run.data.metrics["stockout_rate"] == pytest.approx(result["kpis"]["stockout_rate"]["value"][0])


@pytest.mark.parametrize("place", range(4))
def test_trained_iterations_have_a_child_run_per_candidate_and_measured_ones_none(case, client, place):
    record = case.rows[place].record
    experiment = client.get_experiment_by_name(PROJECT).experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{record.mlflow_run}'")
    expected = ["poisson", "tweedie"] if record.kind == "train" else []
    assert sorted(run.data.tags["landed.candidate"] for run in children) == expected
    assert all(run.info.status == "FINISHED" and run.data.params["seed"] for run in children)


def test_the_aliases_follow_the_challenger_and_the_release(case, client, ledger):
    challenger = client.get_model_version_by_alias(PROJECT, "challenger")
    champion = client.get_model_version_by_alias(PROJECT, "champion")
    released = current(ledger, PROJECT)
    assert challenger.tags["landed.iteration"] == f"{PROJECT}/2/pilot"
    assert str(champion.version) == str(challenger.version) == released.model_version
    assert released.model_version == case.rows[1].record.result["model_version"]
    assert case.rows[0].record.result["model_version"] != released.model_version


def test_each_saved_search_of_the_auditors_page_finds_in_mlflow_what_the_ledger_says(case, client):
    experiment, row = client.get_experiment_by_name(PROJECT).experiment_id, case.rows[2]
    wanted = expected(case.rows, row)
    assert list(searches()) == list(wanted)
    for question, search in searches().items():
        runs = client.search_runs([experiment], filled(search, row), order_by=["attributes.start_time ASC"])
        found = [run.data.tags.get("landed.iteration", run.info.run_name) for run in runs]
        assert found == wanted[question], question
    trained = client.search_runs(
        [experiment], filled(searches()["Which candidates did an iteration train"], case.rows[0])
    )
    assert {run.data.tags["landed.candidate"] for run in trained} == {"poisson", "tweedie"}


def test_mlflow_alone_says_who_approved_the_released_model_on_what_evidence_which_data_and_what_changed(case, client):
    """Every answer is held against the ledger's events."""
    champion = client.get_model_version_by_alias(PROJECT, "champion")
    last = case.rows[-1]
    signed = [event for event in case.of("review.signed") if event.subject == last.review.id]
    approvers = ", ".join(f"{event.actor} ({event.role})" for event in signed if event.body["decision"] == "advance")
    assert champion.tags["landed.approved_by"] == approvers != ""
    assert champion.tags["landed.report"] == last.record.report_digest
    assert champion.tags["landed.review"] == last.review.id
    run = client.get_run(last.record.mlflow_run)
    assert run.data.tags["landed.approved_by"] == approvers
    assert run.data.tags["landed.data"] == last.record.result["dataset"]
    assert approvers in run.data.tags["mlflow.note.content"]
    second = client.get_run(case.rows[1].record.mlflow_run).data.tags
    assert second["landed.previous"] == case.rows[0].record.subject
    assert second["landed.why"] == case.rows[1].record.why["sentence"]
    changed = second["landed.changes"].split("; ")
    assert {"feedback F1", "feedback F2"} <= set(changed)
    assert any(part.startswith("charter policy") for part in changed)
    first, then = (row.record.result["dataset"][:12] for row in case.rows[:2])
    assert f"data {first} to {then}" in changed
    iterate = client.get_run(case.rows[0].record.mlflow_run).data.tags
    assert (iterate["landed.decision"], iterate["landed.approved_by"]) == ("iterate", "nobody")


def test_a_tag_that_was_edited_in_mlflow_and_a_cut_off_ledger_are_named(case, client, ledger, tmp_path):
    settings = Settings(data=case.home.data, reports=case.home.reports)
    record = case.rows[1].record
    client.set_tag(record.mlflow_run, "landed.report", "ab" * 32)
    (found,) = audit(ledger, settings, AuditView(settings)).findings
    client.set_tag(record.mlflow_run, "landed.report", record.report_digest)
    assert found.place == f"MLflow, iteration 2 (pilot) of {PROJECT}"
    assert "its tag landed.report is abababababab" in found.found
    # MLflow alone knows where the ledger ended: neither the file beside it nor a pack is there.
    shutil.copy(case.home.data / "ledger.db", tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as raw, raw:
        raw.execute("DROP TRIGGER landed_events_no_delete")
        raw.execute("DELETE FROM landed_events WHERE seq > ?", (case.of("review.applied")[-1].seq - 1,))
    raw.close()
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as cut:
        chain = audit(cut, Settings(data=case.home.data, reports=tmp_path / "none"), AuditView(settings)).chain
    assert "its end was cut off" in chain.fault.found
    assert "(MLflow, iteration 2 (chain))" in chain.fault.found


def test_no_file_of_models_or_artifacts_is_a_pickle(case):
    files = [path for folder in ("mlflow", "models") for path in (case.home.data / folder).rglob("*") if path.is_file()]
    kept = {path.suffix for path in files}
    assert kept <= {".db", ".txt", ".json", ".parquet", ".csv", ".html", ".yaml", ".lgb", ".md", ".lock", ""}
    for path in files:
        start = path.read_bytes()[:4]
        # Protocols 2 to 5 begin with the PROTO opcode; archives and compressed streams could hide one.
        assert not start.startswith((b"\x80", b"PK", b"\x1f\x8b", b"\x93NUM")), path


# ---- rollout


def test_the_rollout_climbs_the_ladder_and_each_release_names_units_model_and_start(case):
    releases = case.of("rollout.released")
    assert [event.subject for event in releases] == ["regional", "chain"]
    chosen = case.rows[1].record.result
    for event, place in zip(releases, (1, 2), strict=True):
        row = case.rows[place]
        assert event.body["model_digest"] == chosen["model_digest"]
        assert event.body["model_version"] == chosen["model_version"]
        assert event.body["review"] == row.review.id
        monday = date.fromisoformat(event.body["start"])
        assert monday == world.load(case.home.retailer / "world", clock_of(place) + PERIODS).week + timedelta(weeks=1)
    pilot, regional, chain = (
        set(case.rows[1].record.result["units_of"]["pilot"]),
        set(releases[0].body["units"]),
        set(releases[1].body["units"]),
    )
    assert (len(pilot), len(regional), len(chain)) == (8, 12, 24)
    assert pilot < regional < chain


def test_the_units_measured_at_a_stage_are_those_that_were_released(case):
    for place, event in zip((2, 3), case.of("rollout.released"), strict=True):
        begun = next(one for one in case.of("trial.begun") if one.subject == case.rows[place].record.subject)
        assert sorted(begun.body["units"]) == sorted(event.body["units"])
        assert begun.body["model"] == event.body["model_digest"]


def test_the_project_lands_after_the_last_rung_and_nothing_is_left_to_do(case, ledger):
    end = project_end(ledger, PROJECT)
    assert (end.kind, end.body["review"]) == ("project.landed", case.rows[-1].review.id)
    assert pending(ledger, PROJECT) == ()


def test_measured_stages_train_nothing(case):
    trainings = [event.seq for event in case.of("work.finished") if event.body["kind"] == "training"]
    opened = [case.opened_at(place) for place in range(4)]
    counts = np.histogram(trainings, bins=[*opened, len(case.events) + 1])[0].tolist()
    # Two candidates; then the same two with other features, and the challenger as it would be without them (F1).
    assert counts == [2, 3, 0, 0]
    assert len({row.record.result["model_digest"] for row in case.rows[1:]}) == 1


def test_the_kill_switch_was_rehearsed_before_the_stage_whose_review_asks_for_it(case):
    (rehearsal,) = case.of("rollout.rehearsed")
    assert rehearsal.subject == "regional"
    assert rehearsal.body["passed"] is True
    assert "every unit is served today's rule" in [step["step"] for step in rehearsal.body["steps"] if step["held"]]
    release = case.of("rollout.released")[0]
    begun = next(event for event in case.of("trial.begun") if event.subject == case.rows[2].record.subject)
    assert release.seq < rehearsal.seq < begun.seq
    assert not case.of("rollout.stopped")


def test_every_iteration_holds_its_promise_against_what_the_field_gave(case):
    for row in case.rows:
        promise, result = row.record.result["promise"], row.record.result
        assert promise["gap"] == pytest.approx(promise["realised"][0] - promise["expected"][0])
        # The chain's own records of the stores under the model, from the first week its orders reach.
        assert promise["realised"][0] == pytest.approx(result["kpis"]["stockout_rate"]["value"][0])
        assert (promise["periods"], promise["units"]) == (PERIODS - SPEC.lead_time + 1, result["units"])
    # A measured stage is held against the iteration that people decided on.
    assert case.rows[2].record.result["promise"]["expected"][0] == pytest.approx(
        case.rows[1].record.result["kpis"]["stockout_rate"]["value"][0]
    )


# ---- figures and world


def clock_of(place: int) -> int:
    """Weeks on the world's record when an iteration began to play."""
    return SPEC.weeks + place * PERIODS


def test_figures_in_the_ledger_are_those_of_the_played_outcomes_in_sql(case):
    for row in case.rows:
        record, result = row.record, row.record.result
        played = case.home.retailer / "plays" / f"{record.subject.replace('/', '-')}-1"
        with closing(sqlite3.connect(":memory:")) as store, store:
            pd.read_parquet(played / "outcomes.parquet").to_sql("outcomes", store, index=False)
            ratios = ("stockout_weeks", "weeks"), ("lost", "demand"), ("inventory", "weeks")
            chosen = ", ".join(f"SUM({above}) / SUM({below})" for above, below in ratios)
            query = f"SELECT arm, {chosen} FROM outcomes GROUP BY arm"  # noqa: S608 - names from the line above
            found = {arm: figures for arm, *figures in store.execute(query)}
        store.close()
        assert set(found) == set(result["arms"])
        for arm, figures in found.items():
            for kpi, value in zip(("stockout_rate", "lost_units_share", "average_inventory"), figures, strict=True):
                assert result["arms"][arm][kpi][0] == pytest.approx(value), (arm, kpi)
        judged, baseline = result["kpis"]["stockout_rate"]["value"][0], found["baseline:incumbent"][0]
        assert judged == pytest.approx(found[result["challenger"]][0])
        assert result["kpis"]["stockout_rate"]["baseline"][0] == pytest.approx(baseline)


@pytest.mark.parametrize("place", range(4))
def test_the_stock_out_rate_is_what_the_chain_saw_in_the_treated_stores(case, place):
    row = case.rows[place]
    units = row.record.result["units_of"][row.record.stage]
    before, after = (world.load(case.home.retailer / "world", clock_of(place) + weeks) for weeks in (0, PERIODS))
    seen = world.observed(after)
    # The first order of the period arrives at the start of its week number lead_time.
    weeks = slice(clock_of(place) + SPEC.lead_time - 1, clock_of(place) + PERIODS)
    treated = seen.series["store"].isin(units).to_numpy()
    listed = seen.listed[weeks][:, treated]
    empty = listed & ~seen.in_stock[weeks][:, treated]
    rate = empty.sum() / listed.sum()
    assert row.record.result["kpis"]["stockout_rate"]["value"][0] == pytest.approx(rate)
    # Today's rule on the same stores and weeks, from the same state, met by the same shoppers.
    twin = world.play(before, PERIODS, ())[1]
    late = slice(SPEC.lead_time - 1, None)
    lost = (twin.lost[late][:, treated] > 0).sum() / twin.listed[late][:, treated].sum()
    assert row.record.result["kpis"]["stockout_rate"]["baseline"][0] == pytest.approx(lost)


@pytest.mark.parametrize("place", range(4))
def test_only_the_treated_stores_left_the_path_of_todays_rule(case, place):
    row = case.rows[place]
    before, after = (world.load(case.home.retailer / "world", clock_of(place) + weeks) for weeks in (0, PERIODS))
    untouched = world.play(before, PERIODS, ())[0]
    stores = world.observed(before).series["store"]
    treated = stores.isin(row.record.result["units_of"][row.record.stage]).to_numpy()
    assert np.array_equal(after.sold[:, ~treated], untouched.sold[:, ~treated])
    assert np.array_equal(after.on_hand[~treated], untouched.on_hand[~treated])
    assert np.array_equal(after.on_order[:, ~treated], untouched.on_order[:, ~treated])
    moved = stores[treated & (after.on_hand != untouched.on_hand)]
    assert set(moved) == set(row.record.result["units_of"][row.record.stage])


@pytest.mark.parametrize("place", range(4))
def test_the_data_of_each_iteration_is_kept_under_its_hash(case, place):
    result = case.rows[place].record.result
    kept = catalog.load(Settings(data=case.home.data).datasets, result["dataset"])
    assert catalog.digest(kept.tables) == result["dataset"]
    assert kept.cutoff.isoformat() == result["cutoff"]
    assert kept.tables["sales"]["week"].nunique() == clock_of(place)
    assert sum(kept.quarantine.refused.values()) > 0


# ---- replay


def test_an_iteration_replayed_from_its_recorded_inputs_gives_every_figure_and_its_models_again(case, ledger, tmp_path):
    """All of the evidence of the second iteration: trained anew, with and without its feedback items."""
    settings = Settings(data=case.home.data, reports=case.home.reports)
    before = contents(case.home.data / "datasets", case.home.data / "models", case.home.retailer)
    found = replay(ledger, settings, case.rows[1].record)
    assert found.differences == ()
    assert found.numbers > 500
    assert tuple(ledger.events()) == case.events
    assert contents(case.home.data / "datasets", case.home.data / "models", case.home.retailer) == before


def test_a_replay_names_the_figure_that_was_reported_otherwise(case, ledger, tmp_path):
    row, reports = case.rows[2], tmp_path / "reports"
    shutil.copytree(case.home.reports, reports)
    settings = Settings(data=case.home.data, reports=reports)
    path = settings.report_folder(PROJECT, row.record.number, row.record.stage, "measure") / pack.TWIN
    twin = json.loads(path.read_text())
    goal = next(one for one in twin["evidence"]["evaluation"]["kpis"] if one["kpi"]["name"] == "stockout_rate")
    honest = goal["value"]["value"]
    goal["value"]["value"] = honest / 2
    path.write_text(json.dumps(twin))
    (found,) = replay(ledger, settings, row.record).differences
    assert found.part.startswith("evaluation.kpis[")
    assert (found.reported, found.replayed) == (honest / 2, pytest.approx(honest))


# ---- the record as a whole


def test_the_chain_is_intact_and_audit_verify_says_so(case, ledger, monkeypatch):
    assert verify(ledger).intact
    case.home.enter(monkeypatch)
    shown = CliRunner().invoke(app, ["audit", "verify"])
    assert shown.exit_code == 0
    assert f"{len(case.events)} events, chain intact" in shown.output


def test_playing_a_finished_case_again_shows_it_and_changes_nothing(case, ledger, monkeypatch):
    case.home.enter(monkeypatch)
    files = [case.home.root / name for name in ("charter.yaml", "decisions.yaml")]
    shown = CliRunner().invoke(
        app, ["play", str(files[0]), "--decisions", str(files[1]), "--data", str(case.home.retailer)]
    )
    assert shown.exit_code == 0, shown.output
    assert tuple(ledger.events()) == case.events
    for row, decision in zip(case.rows, DECISIONS, strict=True):
        (line,) = [
            line for line in shown.stdout.splitlines() if line.split()[:2] == [str(row.record.number), row.record.stage]
        ]
        assert decision in line
    last = case.rows[-1].record.result
    rate = last["kpis"]["stockout_rate"]["value"][0]
    headline = next(line for line in shown.stdout.splitlines() if "Goal " in line)
    assert ("Goal reached" in headline) == (rate <= case.charter.kpi.target and not last["blocking"])
    assert f"{rate * 100:.1f} %" in " ".join(shown.stdout.split())
    assert "recorded" in shown.output.lower()
    assert f"landed review show {case.rows[-1].review.id}" in " ".join(shown.stdout.split())


def test_the_released_version_decides_even_if_somebody_moved_the_alias(case, client, ledger, monkeypatch):
    case.home.enter(monkeypatch)
    released = current(ledger, PROJECT)
    client.set_registered_model_alias(PROJECT, "champion", case.rows[0].record.result["model_version"])
    served = serve(ledger, Settings(), PROJECT, case.home.retailer)
    assert (served.alias, served.version, served.proposal) == ("champion", released.model_version, False)
    orders = served.decisions
    assert len(orders) == SPEC.series
    assert not orders.duplicated(["store", "product"]).any()
    assert (orders["order"] >= 0).all()
    assert orders["order"].sum() > 0

"""The kill switch: one event, no model, no MLflow, no Prefect; and the way back up from measured rungs."""

import os
import subprocess
import sys
from datetime import date

import pytest

from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Refused
from pipeline.ledger import Ledger, get_iteration, open_iteration, record_report, transition, verify
from pipeline.ledger.notary import make_key
from pipeline.rollout import current, rehearsal, release, roll_back
from pipeline.rollout.breach import breaches, open_proposal, propose_rollback
from pipeline.rollout.rehearsal import rehearse, rehearsed
from pipeline.rollout.switch import resume, standing, stop, stopped
from pipeline.verdicts import Verdict
from tests.cli.calling import landed as run
from tests.review.cases import a_charter, kinds, start
from tests.rollout.test_ladder import a_release

CHARTER = a_charter()


def measured(ledger, stage, version, number=1, kind="measure", **figures):
    """An iteration of a stage with figures of a model."""
    with ledger.transaction() as tx:
        record = open_iteration(
            tx, project="shop", number=number, stage=stage, kind=kind, charter=CHARTER.canonical(),
            charter_digest=CHARTER.digest, why={"trigger": "test"}, started_by="scheduler",
        )  # fmt: skip
        transition(tx, record, "running", actor="scheduler")
        record_report(tx, get_iteration(tx, "shop", number, stage), "ab" * 32, {"model_version": version, **figures})


def climbed(ledger):
    """Pilot, regional and chain released; pilot and regional were measured."""
    measured(ledger, "pilot", "1", kind="train")
    for place, stage in enumerate(("pilot", "regional", "chain")):
        if stage == "regional":
            measured(ledger, stage, "1")
        with ledger.transaction() as tx:
            release(tx, a_release(stage, f"r{place}"), actor="ana", role="business_owner")


def throw(ledger, actor="joao", reason="shelves run empty in the north"):
    with ledger.transaction() as tx:
        return stop(tx, "shop", reason, actor=actor)


def back(ledger, actor="maria", reason="the feed of promotions was mended"):
    with ledger.transaction() as tx:
        return resume(tx, "shop", reason, "2026-09-07", actor=actor)


def test_one_event_puts_every_unit_on_todays_rule(ledger):
    climbed(ledger)
    before = kinds(ledger)
    now = throw(ledger)
    assert kinds(ledger) == [*before, "rollout.stopped"]
    assert current(ledger, "shop") is None
    assert stopped(ledger, "shop")
    assert (now.release, now.stopped.actor, now.stopped.role) == (None, "joao", "operations")
    assert now.stopped.body["from"]["units"] == [f"s{number}" for number in range(8)]
    assert now.stopped.body["reason"] == "shelves run empty in the north"
    assert verify(ledger).intact


def test_stopping_twice_is_stopping_once_and_nothing_is_released_meanwhile(ledger):
    climbed(ledger)
    throw(ledger)
    throw(ledger, "ana", "again")
    assert kinds(ledger).count("rollout.stopped") == 1
    with pytest.raises(Refused, match="its rollout was stopped"), ledger.transaction() as tx:
        release(tx, a_release("chain", "r9"), actor="ana")
    with pytest.raises(Refused, match="nothing is released"), ledger.transaction() as tx:
        roll_back(tx, "shop", "r10", "2026-09-07", actor="joao")


def test_a_project_can_be_stopped_before_its_first_release(ledger):
    start(ledger, CHARTER)
    assert throw(ledger).stopped is not None
    with pytest.raises(Refused, match="was stopped"), ledger.transaction() as tx:
        release(tx, a_release(), actor="ana")
    assert back(ledger).release is None
    with ledger.transaction() as tx:
        release(tx, a_release(), actor="ana")
    assert current(ledger, "shop") == a_release()


def test_resuming_goes_back_to_the_highest_rung_that_was_measured(ledger):
    climbed(ledger)
    throw(ledger)
    now = back(ledger)
    assert (now.release.stage, now.release.model_version, now.release.start) == ("regional", "1", "2026-09-07")
    assert current(ledger, "shop") == now.release
    assert now.stopped is None
    with ledger.transaction() as tx:
        restored = roll_back(tx, "shop", "r8", "2026-10-05", actor="joao")
    assert restored.stage == "pilot"


def test_only_people_of_the_charter_stop_only_the_sponsor_resumes_and_both_say_why(ledger):
    climbed(ledger)
    with pytest.raises(Refused, match="not a person of this charter"):
        throw(ledger, "mallory")
    with pytest.raises(Refused, match="reason: it is empty"):
        throw(ledger, reason="  ")
    assert not stopped(ledger, "shop")
    throw(ledger)
    with pytest.raises(Refused, match="only the sponsor, maria"):
        back(ledger, "joao")
    assert stopped(ledger, "shop")
    back(ledger)
    with pytest.raises(Refused, match="is not stopped"):
        back(ledger)
    assert kinds(ledger).count("rollout.stop_refused") == 1
    assert kinds(ledger).count("rollout.resume_refused") == 1
    with pytest.raises(Refused, match="the ledger does not know it"), ledger.transaction() as tx:
        stop(tx, "shap", "typo", actor="ana")


def test_a_rehearsal_throws_the_switch_on_a_copy_and_leaves_one_event(ledger, tmp_path):
    climbed(ledger)
    asked = []
    before, held = kinds(ledger), current(ledger, "shop")

    def serves_today(copy):
        asked.append(current(copy, "shop"))
        return True

    found = rehearse(ledger, "shop", tmp_path, actor="scheduler", serves_today=serves_today)
    assert found.passed, found.steps
    assert (found.units, asked) == (8, [None])
    assert kinds(ledger) == [*before, "rollout.rehearsed"]
    assert current(ledger, "shop") == held
    assert verify(ledger).intact


def test_a_rehearsal_works_on_a_ledger_whose_sign_offs_are_signed(file_ledger, tmp_path):
    """The copy has no key and needs none: its chain is whole with the signatures there are."""
    with file_ledger.transaction() as tx:
        make_key(tx, file_ledger.notary, "olga")
    climbed(file_ledger)
    with file_ledger.transaction() as tx:
        tx.append("review.signed", "shop", "shop-1-pilot", "ana", "business_owner", {"decision": "advance"})
    found = rehearse(file_ledger, "shop", tmp_path, actor="scheduler")
    assert found.passed, found.steps


def test_a_rehearsal_that_fails_says_which_step(file_ledger, tmp_path):
    climbed(file_ledger)
    found = rehearse(file_ledger, "shop", tmp_path, actor="scheduler", serves_today=lambda copy: False)
    assert [name for name, held in found.steps if not held] == ["every unit is served today's rule"]
    assert not found.passed


def test_a_switch_that_stops_nothing_or_more_than_one_thing_fails_the_rehearsal(file_ledger, tmp_path, monkeypatch):
    climbed(file_ledger)

    def nothing(tx, project, reason, *, actor):
        return None

    def twice(tx, project, reason, *, actor):
        tx.append("rollout.withdrawn", project, "pilot", actor, "", {})
        return stop(tx, project, reason, actor=actor)

    for number, (spoilt, step) in enumerate([(nothing, "no unit follows the model"), (twice, "one event stops it")]):
        monkeypatch.setattr(rehearsal, "stop", spoilt)
        (tmp_path / str(number)).mkdir()
        found = rehearse(file_ledger, "shop", tmp_path / str(number), actor="scheduler")
        failed = {name for name, held in found.steps if not held}
        assert {"one event stops it", step} <= failed
        assert not found.passed


def test_the_last_stage_waits_for_a_rehearsal_since_the_last_move(file_ledger, tmp_path):
    measured(file_ledger, "pilot", "1", kind="train")
    early = rehearsed(file_ledger, CHARTER, "pilot")
    assert (early.gate, early.outcome, early.severity) == ("rollout.rehearsed", "pass", "block")
    assert early.figures == {"stage": "pilot"}
    with file_ledger.transaction() as tx:
        release(tx, a_release("regional", "r1"), actor="ana")
    assert rehearsed(file_ledger, CHARTER, "regional").blocks
    assert "landed rollout rehearse shop" in rehearsed(file_ledger, CHARTER, "regional").reason
    rehearse(file_ledger, "shop", tmp_path / "a", actor="scheduler")
    done = rehearsed(file_ledger, CHARTER, "regional")
    assert (done.gate, done.outcome, done.figures) == (early.gate, "pass", {"stage": "regional"})
    assert done.reason.startswith("scheduler threw it on a copy of the ledger on ")
    assert "4 units were back" in done.reason
    with file_ledger.transaction() as tx:
        release(tx, a_release("regional", "r2", "2"), actor="ana")
    assert rehearsed(file_ledger, CHARTER, "regional").blocks
    assert rehearsed(file_ledger, CHARTER, "chain").outcome == "pass"


def a_breach(gate="guardrail.average_inventory", outcome="fail"):
    return Verdict(gate, "Stock", outcome, "block", "Stock was 12 against 10.", {"value": 12.0})


def test_a_breach_in_the_field_proposes_to_roll_back_once_with_the_evidence(ledger):
    climbed(ledger)
    stage = CHARTER.stage("chain")
    harmless = (a_breach("kpi.reaches_target"), a_breach(outcome="pass"))
    assert breaches(harmless, stage) == ()
    with ledger.transaction() as tx:
        assert propose_rollback(tx, "shop", stage, harmless) is None
        first = propose_rollback(tx, "shop", stage, [a_breach(), a_breach("field.guardrail.cost")])
        assert propose_rollback(tx, "shop", stage, [a_breach()]) == first
    assert open_proposal(ledger, "shop") == first
    assert (first.stage, first.to) == ("chain", "regional")
    assert first.gates[0] == ("guardrail.average_inventory", "Stock was 12 against 10.")
    (event,) = ledger.events(kind="rollout.rollback_proposed")
    assert event.body["gates"][0]["figures"] == {"value": 12.0}
    with ledger.transaction() as tx:
        roll_back(tx, "shop", "r9", "2026-09-07", actor="joao")
    assert open_proposal(ledger, "shop") is None
    throw(ledger)
    with ledger.transaction() as tx:
        assert propose_rollback(tx, "shop", stage, [a_breach()]) is None


_WITHOUT = """
import sys
for name in ("prefect", "mlflow"):
    sys.modules[name] = None
from pipeline.cli import main
sys.argv[0] = "landed"
main()
"""


def test_the_command_works_where_prefect_and_mlflow_cannot_even_be_imported(home):
    home.data.mkdir(parents=True)
    environment = {**os.environ, **home.environment, "LANDED_USER": "joao"}
    with Ledger(f"sqlite:///{home.data / 'ledger.db'}") as ledger:
        climbed(ledger)

        def landed(*words):
            return subprocess.run(
                [sys.executable, "-c", _WITHOUT, "rollout", *words], env=environment, capture_output=True, text=True,
                check=False, timeout=120,
            )  # fmt: skip

        done = landed("stop", "shop", "--reason", "shelves run empty")
        assert (done.returncode, done.stderr) == (0, "")
        assert standing(ledger, "shop").stopped.actor == "joao"
        assert "by joao on" in landed("show", "shop").stdout
        back(ledger)
        assert landed("rehearse", "shop").returncode == 0


def test_resuming_and_showing_by_command(home):
    home.data.mkdir(parents=True)
    with Ledger(f"sqlite:///{home.data / 'ledger.db'}") as ledger:
        climbed(ledger)
        assert "stage chain, 8 units follow the model" in run("rollout", "show", "shop").stdout
        throw(ledger)
        refused = run("rollout", "resume", "shop", "--reason", "mended", "--as", "joao")
        assert refused.exit_code == 4
        assert "only the sponsor, maria" in refused.stderr
        resumed = run("rollout", "resume", "shop", "--reason", "mended", "--as", "maria")
        assert "back on stage regional" in resumed.stdout
        assert current(ledger, "shop").start == date.today().isoformat()


def test_the_charters_of_the_ledger_are_still_read():
    assert charter_from_canonical(CHARTER.canonical()) == CHARTER

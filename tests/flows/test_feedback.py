"""``feedback_approval`` turns a decision into what follows from it, once, and never without its sign-offs."""

import json
import sys

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from flows import feedback
from flows.dispatch import drain
from flows.feedback import feedback_approval
from flows.opening import open_by_hand
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Refused
from pipeline.ledger import Ledger, all_iterations, get_iteration, pending, project_end, verify
from pipeline.review.items import items_of
from pipeline.review.signing import sign
from pipeline.rollout.ladder import current
from pipeline.rollout.switch import resume, stop
from pipeline.settings import Settings
from tests.flows.awaiting import UNITS, a_charter, decide, feedback_of_iteration_one, registered, under_review
from tests.flows.made import PROJECT

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def ledger(stores):
    with Ledger(Settings().ledger) as opened:
        yield opened
        assert verify(opened).intact


@pytest.fixture
def charter(stores):
    return a_charter(stores)


@pytest.fixture
def shipped_items(stores):
    return feedback_of_iteration_one(stores)


@pytest.fixture
def client(stores):
    uri = f"sqlite:///{stores.data / 'mlflow' / 'mlflow.db'}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def kinds(ledger) -> list[str]:
    return [event.kind for event in ledger.events()]


def champion(client) -> str | None:
    try:
        return str(client.get_model_version_by_alias(PROJECT, "champion").version)
    except MlflowException:
        return None


def test_a_bare_run_without_sign_offs_fails_and_applies_nothing(ledger, charter):
    review = under_review(ledger, charter)
    state = feedback_approval(review=review.id, return_state=True)
    assert state.is_failed()
    with pytest.raises(Refused, match="nobody decided it yet"):
        state.result()
    assert kinds(ledger)[-1] == "review.refused"
    assert "review.applied" not in kinds(ledger)
    assert get_iteration(ledger, PROJECT, 1, "pilot").state == "awaiting_review"
    assert pending(ledger) == ()


def test_a_run_for_a_review_nobody_asked_for_fails(ledger, charter):
    under_review(ledger, charter)
    state = feedback_approval(review="no-such-review", return_state=True)
    assert state.is_failed()
    assert kinds(ledger)[-1] == "review.refused"


def test_one_sign_off_of_three_is_no_decision_to_apply(ledger, charter):
    review = under_review(ledger, charter)
    sign(ledger, review.id, "maria.costa", "advance", "Go.", review.report_digest)
    assert feedback_approval(review=review.id, return_state=True).is_failed()
    assert current(ledger, PROJECT) is None


def test_a_decision_is_applied_once_however_often_the_flow_runs(ledger, charter, shipped_items):
    review = under_review(ledger, charter)
    decide(ledger, review, "iterate", shipped_items)
    first = feedback_approval(review=review.id, return_state=True)
    told = tuple(ledger.events())
    again = feedback_approval(review=review.id, return_state=True)
    assert (first.name, again.name) == ("Applied", "AlreadyApplied")
    assert tuple(ledger.events()) == told
    assert kinds(ledger).count("review.applied") == 1
    assert kinds(ledger).count("iteration.opened") == 2


def test_hold_opens_nothing_and_releases_nothing(ledger, charter):
    review = under_review(ledger, charter)
    decide(ledger, review, "hold")
    assert drain(ledger, PROJECT) == 1
    assert [(one.number, one.state) for one in all_iterations(ledger, PROJECT)] == [(1, "closed")]
    assert current(ledger, PROJECT) is None
    assert project_end(ledger, PROJECT) is None
    assert pending(ledger) == ()


def test_iterate_opens_the_next_iteration_with_the_patches_and_says_who_asked(ledger, charter, shipped_items):
    review = under_review(ledger, charter, location="where the data lies")
    decide(ledger, review, "iterate", shipped_items)
    drain(ledger, PROJECT, run_iterations=False)
    closed, opened = all_iterations(ledger, PROJECT)
    assert (closed.state, opened.state, opened.number, opened.stage, opened.kind) == (
        "closed", "opened", 2, "pilot", "train",
    )  # fmt: skip
    assert opened.why["review"] == review.id
    assert opened.why["recorded"] is False
    assert list(opened.why["patches"]) == ["F1", "F2"]
    patched = charter_from_canonical(json.loads(opened.charter))
    assert patched.digest != charter.digest
    assert patched.policy.name == "paths"
    assert all("promotions" in candidate.features for candidate in patched.model.candidates)
    untouched = {"model", "policy"}
    assert {k: v for k, v in patched.canonical().items() if k not in untouched} == {
        k: v for k, v in charter.canonical().items() if k not in untouched
    }
    statuses = {one.item.id: one.status for one in items_of(ledger, PROJECT)}
    assert statuses == {"F1": "applied", "D1": "deferred", "F2": "applied"}
    (intent,) = pending(ledger)
    assert (intent.key, intent.payload["location"]) == (f"open:{PROJECT}:2:pilot", "where the data lies")


def test_advance_releases_the_next_rung_opens_its_measurement_and_moves_the_champion(ledger, charter, client):
    (run,) = registered(client, 1)
    decide(ledger, under_review(ledger, charter, run=run), "advance")
    drain(ledger, PROJECT, run_iterations=False)
    released = current(ledger, PROJECT)
    assert (released.stage, list(released.units)) == ("regional", UNITS["regional"])
    assert (released.model_version, released.start) == ("1", "2026-01-05")
    opened = all_iterations(ledger, PROJECT)[-1]
    assert (opened.number, opened.stage, opened.kind, opened.state) == (1, "regional", "measure", "opened")
    assert opened.charter_digest == charter.digest
    assert champion(client) == "1"
    tags = client.get_run(run).data.tags
    assert tags["landed.decision"] == "advance"
    assert tags["landed.recorded"] == "false"
    assert tags["landed.reviewers"].split(", ") == [
        "maria.costa (sponsor)", "ana.silva (business_owner)", "joao.pinto (operations)",
    ]  # fmt: skip


def climbed(ledger, charter, client) -> None:
    """Version 1 released to the region, version 2 to the chain."""
    registered(client, 2)
    for number, (stage, version) in enumerate([("pilot", "1"), ("regional", "2")], start=1):
        review = under_review(ledger, charter, number=number, stage=stage, version=version)
        decide(ledger, review, "advance")
        drain(ledger, PROJECT, run_iterations=False)


def test_roll_back_restores_the_release_before_with_its_model_units_and_alias(ledger, charter, client):
    climbed(ledger, charter, client)
    assert (current(ledger, PROJECT).stage, champion(client)) == ("chain", "2")
    review = under_review(ledger, charter, number=3, stage="chain", kind="measure", version="2")
    decide(ledger, review, "roll_back")
    drain(ledger, PROJECT, run_iterations=False)
    restored = current(ledger, PROJECT)
    assert (restored.stage, list(restored.units), restored.model_version) == ("regional", UNITS["regional"], "1")
    assert (restored.start, restored.review) == ("2026-03-05", review.id)
    assert champion(client) == "1"
    assert "project.stopped" not in kinds(ledger)


def test_after_a_rollback_the_way_up_starts_again_from_the_rung_that_holds(ledger, charter, client, stores):
    climbed(ledger, charter, client)
    decide(ledger, under_review(ledger, charter, number=3, stage="chain", kind="measure", version="2"), "roll_back")
    drain(ledger, PROJECT, run_iterations=False)
    opened = open_by_hand(ledger, charter, stores.retailer, "robin").record
    assert (opened.number, opened.stage, opened.kind) == (4, "regional", "train")


def test_while_the_switch_is_thrown_nothing_is_opened_until_the_sponsor_resumes(ledger, charter, client, stores):
    climbed(ledger, charter, client)
    decide(ledger, under_review(ledger, charter, number=3, stage="chain", kind="measure", version="2"), "hold")
    drain(ledger, PROJECT, run_iterations=False)
    with ledger.transaction() as tx:
        stop(tx, PROJECT, "the shelves run empty", actor="joao.pinto")
    with pytest.raises(Refused, match="while the rollout is stopped"):
        open_by_hand(ledger, charter, stores.retailer, "robin")
    with ledger.transaction() as tx:
        resume(tx, PROJECT, "mended", "2026-03-12", actor="maria.costa")
    opened = open_by_hand(ledger, charter, stores.retailer, "robin").record
    held = current(ledger, PROJECT)
    assert opened.stage == (held.stage if held else "pilot")


def test_a_rollback_holds_though_the_tracking_store_is_gone_and_is_told_to_it_when_it_is_back(
    ledger, charter, client, stores, monkeypatch
):
    climbed(ledger, charter, client)
    review = under_review(ledger, charter, number=3, stage="chain", kind="measure", version="2")
    decide(ledger, review, "roll_back")
    store, away = stores.data / "mlflow", stores.data / "away"
    store.rename(away)
    with monkeypatch.context() as patch:
        # Neither the store nor the library: asking a store that is gone costs MLflow minutes of retries.
        patch.setitem(sys.modules, "pipeline.models.tracking", None)
        with pytest.raises(ImportError, match="tracking"):
            drain(ledger, PROJECT, run_iterations=False)
    assert not store.exists()
    restored = current(ledger, PROJECT)
    assert (restored.stage, list(restored.units), restored.model_version) == ("regional", UNITS["regional"], "1")
    assert [intent.kind for intent in pending(ledger)].count("track") == 1
    with ledger.transaction() as tx:
        stop(tx, PROJECT, "the shelves run empty", actor="joao.pinto")
    assert current(ledger, PROJECT) is None
    with ledger.transaction() as tx:
        resume(tx, PROJECT, "mended", "2026-03-12", actor="maria.costa")
    away.rename(store)
    drain(ledger, PROJECT, run_iterations=False)
    held = current(ledger, PROJECT)
    assert champion(client) == (held.model_version if held else None)


def test_stop_withdraws_every_unit_takes_the_champion_away_and_ends_the_project(ledger, charter, client, stores):
    climbed(ledger, charter, client)
    review = under_review(ledger, charter, number=3, stage="chain", kind="measure", version="2")
    decide(ledger, review, "stop")
    drain(ledger, PROJECT, run_iterations=False)
    assert current(ledger, PROJECT) is None
    assert champion(client) is None
    assert project_end(ledger, PROJECT).kind == "project.stopped"
    withdrawn = next(event for event in ledger.events() if event.kind == "rollout.withdrawn")
    assert (withdrawn.actor, withdrawn.role, withdrawn.body["to"]) == ("maria.costa", "sponsor", None)
    with pytest.raises(Refused, match="stopped"):
        open_by_hand(ledger, charter, stores.retailer, "robin")


def test_a_kill_between_decision_and_tracking_is_made_up_for_by_the_next_delivery(ledger, charter, client, monkeypatch):
    (run,) = registered(client, 1)
    decide(ledger, under_review(ledger, charter, run=run), "advance")
    with monkeypatch.context() as patch:
        patch.setattr(feedback, "track_decision", interrupted)
        with pytest.raises(KeyboardInterrupt):
            drain(ledger, PROJECT, run_iterations=False)
    assert current(ledger, PROJECT).stage == "regional"
    assert champion(client) is None
    drain(ledger, PROJECT, run_iterations=False)
    assert champion(client) == "1"
    assert client.get_run(run).data.tags["landed.decision"] == "advance"
    assert kinds(ledger).count("review.applied") == kinds(ledger).count("rollout.released") == 1
    assert [intent.kind for intent in pending(ledger)] == ["open"]


def interrupted(*_args, **_kwargs):
    raise KeyboardInterrupt


def test_who_is_compared_stands_in_the_record_before_the_first_unit_follows(ledger, charter, client):
    (run,) = registered(client, 1)
    decide(ledger, under_review(ledger, charter, run=run), "advance")
    drain(ledger, PROJECT, run_iterations=False)
    arms, release = (next(e for e in ledger.events() if e.kind == f"rollout.{kind}") for kind in ("arms", "released"))
    assert arms.seq < release.seq
    assert arms.actor == release.actor
    assert not {*arms.body["controls"]} & {*release.body["units"]}


def test_a_rung_whose_controls_were_never_picked_is_not_released(ledger, charter, monkeypatch):
    monkeypatch.setattr("tests.flows.awaiting.arms_of_the_region", lambda: None)
    decide(ledger, under_review(ledger, charter), "advance")
    with pytest.raises(Refused, match="cannot be released without"):
        drain(ledger, PROJECT, run_iterations=False)
    assert current(ledger, PROJECT) is None

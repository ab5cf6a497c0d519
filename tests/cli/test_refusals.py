"""What people may not sign: each refusal says why, is an event, and leaves what was signed before."""

from datetime import date

import pytest
import yaml

from pipeline.ledger import Ledger, open_iteration, record_report, transition
from pipeline.ledger.tables import reviews
from pipeline.problems.reading import read_charter_for_problem
from pipeline.review.requests import request_review
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, contents, landed, refusals, sign
from tests.flows.made import charter_values, write_yaml


def test_a_second_sign_off_by_the_same_person_is_refused_and_the_first_stands(review):
    assert sign(review, "maria.costa", "advance").exit_code == 0
    assert_refused(sign(review, "maria.costa", "stop"), 4, "maria.costa", "signed advance already", "first answer")
    (refusal,) = refusals()
    assert (refusal.actor, refusal.body["decision"]) == ("maria.costa", "stop")
    shown = landed("review", "show", review.id).stdout
    assert "maria.costa, sponsor: advance" in shown


def test_nobody_signs_for_a_run_they_started(review, home):
    values = charter_values()
    for person in values["people"]:
        person["id"] = "robin" if person["id"] == "maria.costa" else person["id"]
    values["strategy"]["sponsor"] = "robin"
    values["project"] = "own-run"
    charter = read_charter_for_problem(write_yaml(home.root / "own.yaml", values), date.today())
    with Ledger(Settings().ledger) as ledger, ledger.transaction() as tx:
        record = open_iteration(
            tx, project="own-run", number=1, stage="pilot", kind="train", charter=charter.canonical(),
            charter_digest=charter.digest, why={}, started_by="robin",
        )  # fmt: skip
        record = record_report(tx, transition(tx, record, "running", actor="robin"), "e" * 64, {})
        own = request_review(tx, record, verdicts=())
    assert_refused(sign(own, "robin", "stop"), 4, "robin", "started the run")
    assert len(refusals()) == 1


@pytest.mark.parametrize(
    ("person", "decision", "report", "words"),
    [
        ("maria.costa", "advance", "f" * 12, "not the report under review"),
        ("maria.costa", "advance", "1", "too short"),
        ("eve.else", "advance", None, "not a person of this charter"),
        ("omar.haddad", "advance", None, "asked for no decision"),
        ("maria.costa", "celebrate", None, "there is no decision"),
        ("joao.pinto", "roll_back", None, "not on offer"),
    ],
)
def test_a_signature_the_rules_do_not_allow(review, person, decision, report, words):
    with Ledger(Settings().ledger) as ledger, ledger.transaction() as tx:
        # The bottom rung has nothing to roll back to.
        tx.execute(reviews.update().values(allowed='["advance","iterate","hold","stop"]'))
    assert_refused(sign(review, person, decision, report=report), 4, words)
    assert len(refusals()) == 1


def test_a_review_that_does_not_exist(review):
    assert_refused(landed("review", "show", "no-such"), 4, "no-such", "landed review list")


FORBIDDEN = {
    "id": "X1", "author": "ana.silva", "role": "business_owner", "kind": "other", "seen": "It is hard.",
    "change": "Aim lower.", "patch": {"kpi.target": 0.09}, "acceptance": "We pass.",
}  # fmt: skip


def test_a_patch_that_touches_a_forbidden_section(review, home):
    path = home.root / "feedback.yaml"
    path.write_text(yaml.safe_dump([FORBIDDEN]), encoding="utf-8")
    refused = sign(review, "ana.silva", "iterate", more=["--feedback", path])
    assert_refused(refused, 4, "X1", "kpi.target", "model, policy and scope")
    (refusal,) = refusals()
    assert refusal.actor == "ana.silva"
    with Ledger(Settings().ledger) as ledger:
        assert "review.signed" not in [event.kind for event in ledger.events()]


def test_a_feedback_file_that_lacks_something_names_its_line(review, home):
    path = home.root / "feedback.yaml"
    path.write_text("- id: X1\n  author: ana.silva\n", encoding="utf-8")
    before = contents(home.data)
    assert_refused(sign(review, "ana.silva", "iterate", more=["--feedback", path]), 2, "feedback.yaml:1")
    assert contents(home.data) == before

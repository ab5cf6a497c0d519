"""What the ledger says of projects: how they end, what is deployed, what breaks off and is taken up again."""

import pytest

from pipeline.errors import LedgerError
from pipeline.ledger import end_project, enqueue, get_iteration, open_key, pending, project_end, requeue, transition
from pipeline.ledger.breaks import last_reason, note_break, note_put_back, take_ups, troubles
from pipeline.ledger.chain import canonical
from pipeline.ledger.deployed import deploy, deployed_projects, find_deployed
from tests.review.cases import a_charter, start


def test_the_end_of_a_project_is_the_last_such_event_whatever_came_after(ledger):
    with ledger.transaction() as tx:
        assert project_end(tx, "shop") is None
        end_project(tx, "shop", "landed", actor="ana", role="sponsor", details={"review": "r"})
        end_project(tx, "other", "stopped", actor="ana", details={"review": "r"})
        tx.append("test.happened", "shop", "s", "ana", "", {})
        tx.append("iteration.tracked", "shop", "s", "ana", "", {"mlflow_run": "1"})
    found = project_end(ledger, "shop")
    assert (found.kind, found.actor, found.role, found.body) == ("project.landed", "ana", "sponsor", {"review": "r"})
    assert project_end(ledger, "other").kind == "project.stopped"


def test_what_is_deployed_is_what_was_said_last_and_a_project_run_by_hand_is_known_by_its_queue(ledger):
    charter = a_charter()
    assert find_deployed(ledger, "shop") is None
    start(ledger, charter)
    assert (find_deployed(ledger, "shop").charter, find_deployed(ledger, "shop").location) == (None, "")
    with ledger.transaction() as tx:
        for number, place in ((1, "first"), (2, "second")):
            enqueue(tx, open_key("shop", number, "pilot"), "open", "shop", {"location": place})
        enqueue(tx, "apply:r", "apply", "shop", {"review": "r"})
    assert find_deployed(ledger, "shop").location == "second"
    with ledger.transaction() as tx:
        for name, place in (("shop", "there"), ("cafe", "here"), ("shop", "elsewhere")):
            deploy(tx, name, charter.canonical(), charter.digest, place, "pool", "ana")
    shop = find_deployed(ledger, "shop")
    assert (shop.charter, shop.location, shop.pool) == (charter.canonical(), "elsewhere", "pool")
    assert [one.project for one in deployed_projects(ledger)] == ["cafe", "shop"]
    assert shop.seq > find_deployed(ledger, "cafe").seq


def test_runs_that_end_without_effect_are_counted_from_the_last_fresh_start(ledger):
    start(ledger)
    record = get_iteration(ledger, "shop", 1, "pilot")
    with ledger.transaction() as tx:
        assert [note_break(tx, record, "here", "it\nfell"), note_break(tx, record, "there", "x")] == [1, 1]
        assert note_break(tx, record, "here", "it\nfell  again") == 2
        note_put_back(tx, record, "Pending", ended=False)
    assert take_ups(ledger, record) == 1  # it was begun once; the run that was long in starting does not count
    assert last_reason(ledger, record) == "it\nfell  again"
    (trouble,) = troubles(ledger)
    assert (trouble.project, trouble.number, trouble.stage, trouble.state) == ("shop", 1, "pilot", "running")
    assert (trouble.times, trouble.reason) == (3, "it fell again")
    with ledger.transaction() as tx:
        for _ in range(3):
            note_put_back(tx, record, "Crashed", ended=True)
    assert take_ups(ledger, record) == 3
    with ledger.transaction() as tx:
        transition(tx, record, "failed", actor="robin", details={"reason": "no more"})
    assert (take_ups(ledger, record), last_reason(ledger, record)) == (0, "")
    (trouble,) = troubles(ledger)
    assert (trouble.state, trouble.reason, trouble.times) == ("failed", "no more", 0)


def test_a_delivered_intent_is_put_back_in_line_by_name_and_one_that_waits_is_not(ledger):
    key = open_key("shop", 1, "pilot")
    with ledger.transaction() as tx:
        enqueue(tx, key, "open", "shop", {})
        requeue(tx, key, "ana")
        requeue(tx, open_key("shop", 9, "pilot"), "ana")
    assert [event.kind for event in ledger.events()] == ["intent.queued"]
    from pipeline.ledger import mark_done

    with ledger.transaction() as tx:
        mark_done(tx, key)
        requeue(tx, key, "ana")
    last = list(ledger.events())[-1]
    assert (last.kind, last.actor, last.body) == ("intent.requeued", "ana", {"kind": "open"})
    assert [intent.key for intent in pending(ledger)] == [key]


def test_the_record_tells_when_an_iteration_moved(ledger):
    start(ledger)
    before = get_iteration(ledger, "shop", 1, "pilot")
    with ledger.transaction() as tx:
        after = transition(tx, before, "failed", actor="robin")
    assert after.changed_at > before.changed_at
    assert after.opened_at == before.opened_at


@pytest.mark.parametrize(
    "value", [{"share": float("nan")}, {"share": float("inf")}, {"who": object()}], ids=["nan", "inf", "object"]
)
def test_what_is_no_plain_json_is_refused_with_its_reason(value):
    with pytest.raises(LedgerError) as refused:
        canonical(value)
    (finding,) = refused.value.findings
    assert finding.place == "value for the ledger"
    assert finding.found.startswith("cannot be written as JSON: ")


def test_letters_of_every_language_are_kept_as_they_are():
    assert canonical({"b": "Grün", "a": "盒"}) == '{"a":"盒","b":"Grün"}'

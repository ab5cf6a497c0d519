"""Every kind of event that belongs to an iteration or a run leads to its MLflow run, its report and its Prefect run."""

from dataclasses import replace

import pytest

from pipeline.review import mark_applied, sign
from pipeline.web.timeline import KNOWN, tell
from pipeline.web.traces import find_traces
from tests.ledger.bodies import BODIES
from tests.web.made import PROJECT, put_review

RUN, LATER = "0f" * 16, "1e" * 16
ITERATION = "smart-replenishment/3/pilot"
#: Kind → subject and body as they name what they belong to; `{review}` is the review's id. Old shapes beside new ones.
BELONGS: list[tuple[str, str, dict]] = [
    *((kind, ITERATION, {}) for kind in sorted(KNOWN) if kind.startswith(("iteration.", "trial.", "trigger."))),
    *((kind, "{review}", {}) for kind in sorted(KNOWN) if kind.startswith("review.")),
    ("feedback.measured", "F1", {"effect": {}, "iteration": ITERATION}),
    ("feedback.measured", "F1", {"effect": {"kpi": "x"}}),
    ("intent.queued", "apply:{review}", {"kind": "apply", "payload": {}}),
    ("intent.queued", "track:{review}", {"kind": "track", "payload": {}}),
    ("intent.queued", "open:smart-replenishment:3:pilot", {"kind": "open", "payload": {}}),
    ("intent.done", "apply:{review}", {}),
    ("intent.done", "open:smart-replenishment:3:pilot", {}),
    ("intent.requeued", "apply:{review}", {"kind": "apply"}),
    ("lease.broken", "project:smart-replenishment", {"holder": "x", "silent": 30}),
    ("work.finished", "a" * 64, {"kind": "training", "value": "x"}),
    ("rollout.arms", "pilot", {"inputs": "x"}),
    ("rollout.arms_refused", "pilot", {"inputs": "x"}),
    ("rollout.effect_measured", "pilot", {"number": 3, "stage": "pilot"}),
    ("rollout.rollback_proposed", "pilot", {"release": {"review": "{review}"}, "to": None, "gates": []}),
    ("rollout.released", "pilot", {"review": "{review}", "model_version": "3", "units": []}),
    ("rollout.rolled_back", "pilot", {"review": "{review}", "from": {}, "to": None}),
    ("rollout.withdrawn", "", {"review": "{review}", "from": {}, "to": None}),
    ("rollout.stopped", "pilot", {"reason": "x", "from": {"review": "{review}"}, "to": None}),
    ("rollout.resumed", "pilot", {"reason": "x", "start": "2026-11-09", "to": {"review": "{review}"}}),
    ("rollout.rehearsed", "pilot", {"passed": True, "steps": [], "units": 5}),
    ("decisions.served", "smart-replenishment/2026-11-02", {"alias": "champion", "version": "3"}),
    ("project.landed", "smart-replenishment", {"review": "{review}"}),
    ("project.stopped", "smart-replenishment", {"review": "{review}"}),
]
#: About the project, its data, its people or the record: no one run stands behind them.
OF_NO_RUN = (
    "account.", "alarm.", "audit.", "charter.", "control.", "data.", "delegation.", "export.", "monitoring.", "notice.",
    "outcomes.", "project.deployed", "rollout.resume_refused", "rollout.stop_refused", "token.",
)  # fmt: skip


@pytest.fixture
def linked(install, settings):
    """A site with all three places to look further, its review applied, and a release that came of it."""
    site = install(using=settings.model_copy(update={"prefect_page": "http://prefect.test"}))
    sign(site.ledger, site.review.id, "maria.lind", "iterate", "Once more.", site.pack.digest)
    with site.ledger.transaction() as tx:
        body = {"review": site.review.id, "model_version": "3", "units": []}
        tx.append("rollout.released", site.review.project, "pilot", "ana.ruiz", "sponsor", body)
    return site


def as_written(site, kind: str, subject: str, body: dict):
    def filled(value):
        if isinstance(value, dict):
            return {name: filled(one) for name, one in value.items()}
        return value.replace("{review}", site.review.id) if isinstance(value, str) else value

    last = list(site.ledger.events())[-1]
    return replace(last, seq=last.seq + 1, kind=kind, subject=filled(subject), body=filled(body), project=PROJECT)


def links(site, event) -> dict[str, str]:
    settings = site.app.state.site.settings
    return {str(title): address for title, address in tell(event, settings, find_traces(site.ledger), "en").links}


def test_every_kind_leads_to_its_report_and_runs(linked):
    """Each as it may be written at any time later."""
    for kind, subject, body in BELONGS:
        event = as_written(linked, kind, subject, body)
        found = links(linked, event)
        assert found.get("Report") == f"/reports/{linked.pack.digest}/evidence.html", (kind, body)
        assert found.get("MLflow run") == f"http://mlflow.test/#/runs/{RUN}", (kind, body)
        assert found["Prefect run"].startswith("http://prefect.test/runs?flow-run-search="), (kind, body)
        assert ("Review" in found) == kind.startswith("review."), kind


def test_the_tables_name_every_kind():
    """A new kind is put into one of the two, or this fails."""
    belonging = {kind for kind, _, _ in BELONGS}
    assert sorted(kind for kind in KNOWN if kind not in belonging and not kind.startswith(OF_NO_RUN)) == []
    assert sorted(kind for kind in belonging if kind.startswith(OF_NO_RUN)) == []
    assert sorted(set(BODIES) - set(KNOWN)) == []


def test_an_old_event_leads_to_the_iteration_that_ran_then_and_not_to_a_later_one(linked, newer_pack):
    old = as_written(linked, "feedback.measured", "F1", {"effect": {"kpi": "x"}})
    with linked.ledger.transaction() as tx:
        mark_applied(tx, linked.review.id)
    fourth = replace(newer_pack, evidence=replace(newer_pack.evidence, iteration=4))
    later = put_review(linked.ledger, fourth, run=LATER)
    new = as_written(linked, "feedback.measured", "F1", {"effect": {"kpi": "x"}})
    assert later.iteration == 4
    assert links(linked, old)["MLflow run"].endswith(RUN)
    assert links(linked, new)["MLflow run"].endswith(LATER)
    assert links(linked, new)["Report"] == f"/reports/{newer_pack.digest}/evidence.html"


def test_what_belongs_to_no_run_leads_nowhere(linked):
    for kind in sorted(kind for kind in KNOWN if kind.startswith(OF_NO_RUN)):
        assert links(linked, as_written(linked, kind, "something", {"charter": "x"})) == {}, kind

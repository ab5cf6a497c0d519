"""What the body of each kind of event holds: auditors and the stand-alone verifier read it by these names.

Whoever renames one breaks the reading of every ledger that was written before; so it takes a change of this table too.
"""

from pipeline.errors import LandedError
from pipeline.ledger import Ledger

#: Kind → the sets of names its body may have, each in alphabetical order.
BODIES: dict[str, set[str]] = {
    "alarm.raised": {"figures kind legend sentence"},
    "charter.reaffirm_refused": {"reason"},
    "charter.reaffirmed": {"canonical changes charter next_review reason"},
    "control.attested": {"charter note", "charter document note sha256"},
    "control.refused": {"attempt found"},
    "decisions.served": {"alias by_model cutoff decisions limited overrides sha256 version"},
    "feedback.measured": {"effect", "effect iteration"},
    "intent.done": {""},
    "intent.queued": {"kind payload"},
    "iteration.applied": {"charter from report", "charter decision from report review"},
    "iteration.awaiting_review": {"charter from report", "charter from report review"},
    "iteration.broken_off": {"place reason"},
    "iteration.put_back": {"ended reason"},
    "intent.requeued": {"kind"},
    "project.deployed": {"charter digest location pool"},
    "iteration.closed": {"charter from report"},
    "iteration.decided": {"charter from report", "charter decision from report review"},
    "iteration.failed": {"charter from report", "charter from reason report"},
    "iteration.opened": {"charter kind why"},
    "iteration.refused": {"charter from report"},
    "iteration.reported": {"report result"},
    "iteration.running": {"charter from report"},
    "iteration.tracked": {"mlflow_run"},
    "lease.broken": {"holder silent"},
    "project.landed": {"review"},
    "project.stopped": {"review"},
    "review.applied": {"charter decision items legend recorded report"},
    "review.decided": {"decision recorded report signed"},
    "review.lapsed": {"new_report report successor"},
    "review.refused": {"finding", "decision finding", "decision finding legend recorded report"},
    "review.requested": {"allowed blocking due iteration report signers stage"},
    "review.signed": {
        "comment decision feedback recorded report",
        "comment decision feedback recorded report seconds_on_evidence",
    },
    "rollout.arms": {"balance before controls kpi method note seed start treated units unmeasured"},
    "rollout.arms_refused": {"inputs"},
    "rollout.effect_measured": {"after controls effect expected number periods stage start treated"},
    "rollout.rehearsed": {"passed seconds steps units"},
    "rollout.released": {"candidate charter_digest from_stage model_digest model_version review stage start units"},
    "rollout.resume_refused": {"reason"},
    "rollout.resumed": {"reason start to"},
    "rollout.rollback_proposed": {"gates release to"},
    "rollout.rolled_back": {"from review start to"},
    "rollout.stop_refused": {"reason"},
    "rollout.stopped": {"from reason to"},
    "work.finished": {"kind value"},
}
#: Kinds whose bodies hold figures by names of the problem.
_OPEN = {"monitoring.observed"}
_FINDING = {"place", "found", "remedy"}


def assert_as_known(ledger: Ledger) -> None:
    """Every event of a readable ledger has the names it is known by; kinds that only tests write are let pass."""
    try:
        events = list(ledger.events())
    except LandedError:  # damaged by the test, on purpose
        return
    for event in events:
        if event.kind in _OPEN or event.kind.startswith(("test.", "k")):
            continue
        assert event.kind in BODIES, f"{event.kind} is new: add it to tests/ledger/bodies.py"
        assert " ".join(sorted(event.body)) in BODIES[event.kind], (event.kind, sorted(event.body))
        assert event.body.get("finding", _FINDING) is _FINDING or set(event.body["finding"]) == _FINDING

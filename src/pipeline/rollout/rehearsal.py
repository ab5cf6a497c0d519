"""The kill switch, rehearsed: thrown on a copy of the ledger, so that its first use is not its first trial."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Table, select

from pipeline.charter import Charter
from pipeline.errors import Finding, LandedError, Refused
from pipeline.language.message import say
from pipeline.ledger import Ledger, Reader, verify
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import arms, events, iterations, releases, signatures, work
from pipeline.rollout.stack import top
from pipeline.rollout.switch import newest_charter, resume, standing, stop, stopped
from pipeline.verdicts import Verdict

REHEARSED = "rollout.rehearsed"
#: What the switch, the serving of today's rule and the check of the chain read; nothing else leaves the ledger.
_COPIED: tuple[Table, ...] = (events, signatures, iterations, releases, arms, work)


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal showed.

    Attributes:
        passed: whether every step did what it should.
        steps: each step and whether it held.
        units: units that followed the model before and today's rule after.
        seconds: from the decision to stop to today's rule in force, on the copy.
    """

    passed: bool
    steps: tuple[tuple[str, bool], ...]
    units: int
    seconds: float


def rehearse(
    ledger: Ledger,
    project: str,
    folder: Path,
    *,
    actor: str,
    serves_today: Callable[[Ledger], bool] | None = None,
) -> Rehearsal:
    """Throw the switch on a copy of the ledger, see that it works, take it back, and note that it was done.

    Args:
        ledger: the ledger; it gets one event, and nothing of it is switched.
        project: the project.
        folder: an empty folder for the copy.
        actor: who rehearses; a program may, as nothing is switched.
        serves_today: asked with the copy after the switch: whether ``landed decide`` gives every unit today's rule.

    Raises:
        Refused: nothing is released.
    """
    held = top(ledger, project)
    if held is None or held.release is None:
        finding = Finding(f"project {project}", "nothing is released", "rehearse once units follow the model")
        raise Refused("There is nothing to rehearse", [finding])
    with Ledger(f"sqlite:///{folder / 'rehearsal.db'}") as copy:
        _copy(ledger, copy)
        before = standing(copy, project)
        began = time.perf_counter()
        with copy.transaction() as tx:
            stop(tx, project, "rehearsal", actor=newest_charter(copy, project).strategy.sponsor)
        seconds = time.perf_counter() - began
        after = standing(copy, project)
        steps = [
            ("the copy holds the same release", before.release == held.release),
            ("one event stops it", len(after.history) == len(before.history) + 1 and after.stopped is not None),
            ("no unit follows the model", after.release is None),
            ("the chain of the copy is whole", verify(copy).intact),
        ]
        if serves_today is not None:
            steps.append(("every unit is served today's rule", _holds(serves_today, copy)))
        steps.append(("the sponsor can resume", _resumes(copy, project, held.release.start)))
    found = Rehearsal(all(held for _, held in steps), tuple(steps), len(held.release.units), seconds)
    with ledger.transaction() as tx:
        body = {
            "passed": found.passed,
            "steps": [{"step": name, "held": held} for name, held in steps],
            "units": found.units,
            "seconds": round(seconds, 3),
        }
        tx.append(REHEARSED, project, held.release.stage, actor, "", body)
    return found


def rehearsed(reader: Reader, charter: Charter, stage: str) -> Verdict:
    """Whether the switch was rehearsed since the release that holds; asked before the last rung, and only there.

    Args:
        reader: the ledger.
        charter: its ladder.
        stage: the rung whose review may lead to the next one.
    """
    title = say("The kill switch was rehearsed")
    above = charter.stage_after(stage)
    if above is None or above.name != charter.stages[-1].name or len(charter.stages) < 3:
        reason = say("It is asked for before the last of several stages only.")
        return Verdict("rollout.rehearsed", title, "pass", "block", reason, {"stage": stage})
    query = (
        select(events)
        .where(
            events.c.project == charter.project,
            events.c.kind.in_((REHEARSED, "rollout.released", "rollout.rolled_back", "rollout.resumed")),
        )
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    rows = reader.rows(query)
    newest = to_event(rows[0]) if rows else None
    passed = newest is not None and newest.kind == REHEARSED and newest.body["passed"] is True
    if passed and newest is not None:
        reason = say(
            "{actor} threw it on a copy of the ledger on {day}: {units} units were back on today's rule.",
            actor=newest.actor, day=newest.at[:10], units=newest.body["units"],
        )  # fmt: skip
    else:
        reason = say(
            "Before stage {stage} it must have worked once: `landed rollout rehearse {project}`.",
            stage=above.name, project=charter.project,
        )  # fmt: skip
    return Verdict("rollout.rehearsed", title, "pass" if passed else "fail", "block", reason, {"stage": stage})


def _copy(ledger: Ledger, copy: Ledger) -> None:
    for table in _COPIED:
        key = list(table.primary_key.columns)
        rows = ledger.rows(select(table).order_by(*key))
        with copy.transaction() as tx:
            for row in rows:
                tx.execute(table.insert().values(**row))


def _resumes(copy: Ledger, project: str, start: str) -> bool:
    try:
        with copy.transaction() as tx:
            resume(tx, project, "rehearsal", start, actor=newest_charter(copy, project).strategy.sponsor)
    except LandedError:
        return False
    return not stopped(copy, project)


def _holds(check: Callable[[Ledger], bool], copy: Ledger) -> bool:
    try:
        return check(copy)
    except LandedError:
        return False

"""The rollout ladder: which units follow which model, since when, by whose decision.

Releases of a project form a stack. Advancing puts a release on top of the current one; rolling back goes to the one
below and makes it current again, so that rolling back twice goes two releases down. Nothing is ever removed: a
rollback is an entry of its own, and each stage change is one event that names model, units and start.
"""

from dataclasses import replace

from pipeline.charter import Charter, Stage
from pipeline.errors import Finding, Refused
from pipeline.ledger import Reader, Transaction
from pipeline.rollout import stack
from pipeline.rollout.arms import require_arms
from pipeline.rollout.stack import Release as Release
from pipeline.rollout.stack import told


def next_stage(charter: Charter, stage: str) -> Stage | None:
    """The rung above, or None at the top: advancing from there means that the project has landed.

    Raises:
        Refused: the charter's ladder has no such rung.
    """
    _require_rung(charter, stage)
    return charter.stage_after(stage)


def previous_stage(charter: Charter, stage: str) -> Stage | None:
    """The rung below, or None at the bottom.

    Raises:
        Refused: the charter's ladder has no such rung.
    """
    _require_rung(charter, stage)
    return charter.stage_before(stage)


def release(tx: Transaction, new: Release, *, actor: str, role: str = "") -> Release:
    """Let a stage's units follow a model, as one event.

    Releasing for a review that has released already returns that release: a decision moves the ladder once.

    Args:
        tx: the transaction, usually the one that marks the review applied.
        new: the release.
        actor: who decided.
        role: in which role.

    Raises:
        Refused: it names no units, it leaves out units that follow the model of a lower rung today, or its stage asks
            for controls and its arms are not on record, or the rollout was stopped.
    """
    done = stack.of_review(tx, new.project, new.review)
    if done is not None and done.release is not None:
        return done.release
    top = stack.top(tx, new.project)
    if top is not None and top.action == "stop":
        remedy = "find out why, then `landed rollout resume`, signed by the sponsor"
        finding = Finding(f"project {new.project}", "its rollout was stopped", remedy)
        raise Refused("Nothing is released while the rollout is stopped", [finding])
    before = top.release if top else None
    _check_units(new, before)
    require_arms(tx, new.project, new.stage, new.charter_digest, new.units)
    stack.put(tx, new.project, new.review, "release", top.position if top and before else None, new)
    body = {**told(new), "from_stage": before.stage if before else None, "candidate": new.candidate}
    tx.append("rollout.released", new.project, new.stage, actor, role, body)
    return new


def roll_back(tx: Transaction, project: str, review: str, start: str, *, actor: str, role: str = "") -> Release | None:
    """Restore the release below the current one, with its model, stage and units, as one event.

    Args:
        tx: the transaction.
        project: the project.
        review: the review that decided so; a review moves the ladder once.
        start: first period in which the restored release holds again.
        actor: who decided.
        role: in which role.

    Returns:
        The release that holds now; None when there is none below, so that all units go back to today's rule.

    Raises:
        Refused: nothing is released.
    """
    done = stack.of_review(tx, project, review)
    if done is not None:
        return done.release
    top = stack.top(tx, project)
    if top is None or top.release is None:
        finding = Finding(f"project {project}", "nothing is released", "hold or stop instead")
        raise Refused("There is nothing to roll back", [finding])
    below = stack.at(tx, project, top.parent)
    restored = replace(below.release, start=start, review=review) if below and below.release else None
    stack.put(tx, project, review, "roll_back", below.parent if below else None, restored)
    body = {
        "from": told(top.release),
        "to": told(restored) if restored else None,
        "start": start,
        "review": review,
    }
    tx.append("rollout.rolled_back", project, restored.stage if restored else "", actor, role, body)
    return restored


def withdraw(tx: Transaction, project: str, review: str, start: str, *, actor: str, role: str = "") -> None:
    """Put every unit back on today's rule, as one event: the project ends, and no lower release is restored.

    Does nothing where nothing is released, or where this review has moved the ladder before.

    Args:
        tx: the transaction.
        project: the project.
        review: the review that decided so.
        start: first period in which today's rule holds everywhere.
        actor: who decided.
        role: in which role.
    """
    top = stack.top(tx, project)
    if top is None or top.release is None or stack.of_review(tx, project, review) is not None:
        return
    stack.put(tx, project, review, "withdraw", None, None)
    body = {"from": told(top.release), "to": None, "start": start, "review": review}
    tx.append("rollout.withdrawn", project, "", actor, role, body)


def current(reader: Reader, project: str) -> Release | None:
    """The release that holds now, or None."""
    top = stack.top(reader, project)
    return top.release if top else None


def previous(reader: Reader, project: str) -> Release | None:
    """The release a rollback would restore, or None."""
    top = stack.top(reader, project)
    below = stack.at(reader, project, top.parent) if top else None
    return below.release if below else None


def _require_rung(charter: Charter, stage: str) -> None:
    names = [rung.name for rung in charter.stages]
    if stage not in names:
        finding = Finding(f"stage {stage}", "the charter's ladder has no such rung", f"it has: {', '.join(names)}")
        raise Refused("No such stage", [finding])


def _check_units(new: Release, before: Release | None) -> None:
    if not new.units:
        finding = Finding(f"stage {new.stage}", "no units", "name the units that are to follow the model")
        raise Refused("A release needs units", [finding])
    lost = sorted(set(before.units) - set(new.units)) if before else []
    if lost:
        found = f"{len(lost)} units that follow the model today are missing, such as {lost[0]}"
        remedy = "a higher rung holds the units of the lower one; to take units back, roll back"
        raise Refused("A release may not drop units", [Finding(f"stage {new.stage}", found, remedy)])

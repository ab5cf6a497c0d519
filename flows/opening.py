"""Opening an iteration by hand: the first one, one after a hold, or one whose charter was mended after a failure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.charter import Charter
from pipeline.charter.patching import apply_patch
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, Refused
from pipeline.language import kept, say
from pipeline.ledger import (
    IterationRecord,
    Ledger,
    Transaction,
    all_iterations,
    enqueue,
    open_iteration,
    open_key,
    project_end,
    requeue,
)
from pipeline.rollout.ladder import current
from pipeline.rollout.switch import refuse_while_stopped

#: States from which a run can simply be taken up again.
UNFINISHED = frozenset({"opened", "running", "failed", "refused"})


@dataclass(frozen=True)
class Opened:
    """What ``landed run`` has to do now: an iteration to run, or a review that waits.

    Attributes:
        record: the iteration opened last.
        again: whether its open review is to lapse and the iteration to be run anew.
    """

    record: IterationRecord
    again: bool = False

    @property
    def waits(self) -> bool:
        """Whether people are asked and nothing is to be run."""
        return self.record.state == "awaiting_review" and not self.again


def open_by_hand(ledger: Ledger, charter: Charter, location: Path, started_by: str, *, again: bool = False) -> Opened:
    """Find or open what a person who says ``landed run`` means.

    Args:
        ledger: the record.
        charter: as the file says now; patches that reviews approved earlier are put on top of it.
        location: where the data lies.
        started_by: who asks.
        again: run an iteration that waits for its review anew; the open review lapses.

    Raises:
        Refused: the project was stopped, or the charter file changed under an open review.
        CharterError: an approved patch no longer fits the charter file.
    """
    with ledger.transaction() as tx:
        records = all_iterations(tx, charter.project)
        refuse_stopped(tx, charter)
        last = records[-1] if records else None
        if last is None:
            return Opened(
                open_next(tx, charter, records, location, started_by, say("{who} started the project.", who=started_by))
            )
        if not same_file(last, charter):
            if last.state not in UNFINISHED and last.state != "closed":
                raise _changed_under_review(last)
            why = say(
                "{who} changed the charter file after iteration {number} {ending}.",
                who=started_by, number=last.number, ending=_ending(last),
            )  # fmt: skip
            return Opened(open_next(tx, charter, records, location, started_by, why))
        if last.state == "closed":
            why = say(
                "{who} started a new iteration after iteration {number} was closed.", who=started_by, number=last.number
            )
            return Opened(open_next(tx, charter, records, location, started_by, why))
        if last.state in {"failed", "refused"}:
            requeue(tx, open_key(last.project, last.number, last.stage), started_by)
        return Opened(last, again=again and last.state == "awaiting_review")


def same_file(last: IterationRecord, charter: Charter) -> bool:
    """Whether a charter is the file that an iteration was opened under, or what its patches made of it."""
    return charter.digest in {last.why["file"], last.charter_digest}


def open_next(
    tx: Transaction,
    charter: Charter,
    records: Sequence[IterationRecord],
    location: Path,
    started_by: str,
    sentence: str,
    trigger: Mapping[str, Any] | None = None,
) -> IterationRecord:
    """Open the iteration after the last one, on the rung that holds, and queue its run.

    That is the rung of the last one, unless a rollback or a stop took the rollout down since: the way up starts again
    from what is released, or from the first rung where nothing is. Under the same charter file the charter goes on as
    the approved patches left it; a changed file takes them over.

    Args:
        tx: the transaction.
        charter: the project's.
        records: its iterations so far.
        location: where the data lies.
        started_by: who asks for it, and so will not sign its review.
        sentence: why, for people.
        trigger: what asked, with its figures, where it was no person at the command line.
    """
    why: dict[str, Any] = {"sentence": sentence, "said": kept(sentence), "file": charter.digest}
    number, stage = 1, charter.stages[0].name
    if records:
        last = records[-1]
        held = current(tx, charter.project)
        number, stage = last.number + 1, held.stage if held else charter.stages[0].name
        if same_file(last, charter):
            charter, why["file"] = charter_from_canonical(json.loads(last.charter)), last.why["file"]
        else:
            charter, why["charter_before"] = _with_approved_patches(charter, records), json.loads(last.charter)
    if trigger is not None:
        why["trigger"] = dict(trigger)
    record = open_iteration(
        tx,
        project=charter.project,
        number=number,
        stage=stage,
        kind="train",
        charter=charter.canonical(),
        charter_digest=charter.digest,
        why=why,
        started_by=started_by,
    )
    queue_run(tx, record, str(location))
    return record


def queue_run(tx: Transaction, record: IterationRecord, location: str) -> None:
    """Queue the run of an opened iteration; it is delivered once, whoever delivers it."""
    payload = {"number": record.number, "stage": record.stage, "location": location}
    enqueue(tx, open_key(record.project, record.number, record.stage), "open", record.project, payload)


def _with_approved_patches(charter: Charter, records: Sequence[IterationRecord]) -> Charter:
    for record in records:
        for patch in record.why.get("patches", {}).values():
            charter = apply_patch(charter, patch)
    return charter


def refuse_stopped(tx: Transaction, charter: Charter) -> None:
    """Refuse to open anything in a project that people stopped, or while its kill switch is thrown."""
    refuse_while_stopped(tx, charter.project)
    end = project_end(tx, charter.project)
    if end is not None and end.kind == "project.stopped":
        found = f"the project was stopped by {end.actor} on {end.at[:10]}"
        finding = Finding(f"project {charter.project}", found, "start it anew under another project name")
        raise Refused("A stopped project opens no iteration", [finding])


def _changed_under_review(last: IterationRecord) -> Refused:
    finding = Finding(
        f"iteration {last.subject}",
        f"the charter file changed while this iteration is {last.state.replace('_', ' ')}",
        "decide on the open review first (`landed review list`), or put the file back as it was",
    )
    return Refused("The charter changed under an open review", [finding])


def _ending(last: IterationRecord) -> str:
    return say("failed") if last.state == "failed" else say("ended")

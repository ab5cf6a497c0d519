"""Opening an iteration by hand: the first one, one after a hold, or one whose charter was mended after a failure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.charter import Charter
from pipeline.charter.patching import apply_patch
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, Refused
from pipeline.ledger import (
    IterationRecord,
    Ledger,
    Transaction,
    all_iterations,
    enqueue,
    open_iteration,
    open_key,
    project_end,
)

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
        _refuse_stopped(tx, charter)
        if not records:
            why = f"{started_by} started the project."
            return Opened(_open(tx, charter, 1, charter.stages[0].name, location, started_by, why, charter.digest, {}))
        last = records[-1]
        if last.why["file"] == charter.digest:
            return _same_charter(tx, last, location, started_by, again=again)
        if last.state not in UNFINISHED and last.state != "closed":
            raise _changed_under_review(last)
        patched = _with_approved_patches(charter, records)
        why = f"{started_by} changed the charter file after iteration {last.number} {_ending(last)}."
        before = json.loads(last.charter)
        return Opened(
            _open(tx, patched, last.number + 1, last.stage, location, started_by, why, charter.digest, before)
        )


def _same_charter(tx: Transaction, last: IterationRecord, location: Path, started_by: str, *, again: bool) -> Opened:
    if last.state == "closed":
        why = f"{started_by} started a new iteration after iteration {last.number} was closed."
        charter = charter_from_canonical(json.loads(last.charter))
        return Opened(
            _open(tx, charter, last.number + 1, last.stage, location, started_by, why, str(last.why["file"]), {})
        )
    return Opened(last, again=again and last.state == "awaiting_review")


def _open(
    tx: Transaction,
    charter: Charter,
    number: int,
    stage: str,
    location: Path,
    started_by: str,
    sentence: str,
    file: str,
    before: Mapping[str, Any],
) -> IterationRecord:
    why: dict[str, Any] = {"sentence": sentence, "file": file}
    if before:
        why["charter_before"] = dict(before)
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


def _with_approved_patches(charter: Charter, records: tuple[IterationRecord, ...]) -> Charter:
    for record in records:
        for patch in record.why.get("patches", {}).values():
            charter = apply_patch(charter, patch)
    return charter


def _refuse_stopped(tx: Transaction, charter: Charter) -> None:
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
    return "failed" if last.state == "failed" else "ended"

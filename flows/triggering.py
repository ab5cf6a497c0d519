"""Opening an iteration because the calendar, the monitoring or a person in Prefect's pages asks for one."""

from dataclasses import dataclass
from pathlib import Path

from flows.opening import open_next, refuse_stopped
from pipeline.charter import Charter
from pipeline.language import legend
from pipeline.ledger import IterationRecord, Ledger, all_iterations, open_key, requeue
from pipeline.monitoring.trigger import Trigger


@dataclass(frozen=True)
class Triggered:
    """What a trigger came to.

    Attributes:
        record: the iteration it opened or takes up again, or the one under way that it was merged into.
        merged: whether an iteration was under way already, so that nothing new is to be run.
    """

    record: IterationRecord
    merged: bool

    @property
    def sentence(self) -> str:
        """What happened, in words."""
        if self.merged:
            return f"merged into iteration {self.record.subject}, which is {self.record.state.replace('_', ' ')}"
        return f"iteration {self.record.subject} is to be run"


def open_by_trigger(ledger: Ledger, charter: Charter, location: Path, trigger: Trigger) -> Triggered:
    """Open the next iteration with the trigger as its "why"; one under way takes the trigger up as an event.

    Args:
        ledger: the record.
        charter: the project's, as its file or its newest iteration says.
        location: where the data lies.
        trigger: what asks.

    Raises:
        Refused: the project was stopped.
        CharterError: an approved patch no longer fits the charter file.
    """
    told = {"kind": trigger.kind, "sentence": trigger.sentence, "figures": dict(trigger.figures)}
    explained = {**told, "legend": legend(trigger.sentence)}
    with ledger.transaction() as tx:
        refuse_stopped(tx, charter)
        records = all_iterations(tx, charter.project)
        last = records[-1] if records else None
        if last is not None and last.state != "closed":
            again = last.state in {"failed", "refused"}
            happened = "trigger.taken_up" if again else "trigger.merged"
            tx.append(happened, charter.project, last.subject, trigger.asked_by, "", explained)
            if again:
                requeue(tx, open_key(last.project, last.number, last.stage), trigger.asked_by)
            return Triggered(last, merged=not again)
        why = {**told, "by": trigger.asked_by}
        record = open_next(tx, charter, records, location, trigger.asked_by, trigger.sentence, why)
        return Triggered(record, merged=False)

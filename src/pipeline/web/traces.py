"""Where to look further about an event: which iteration or review it belongs to, and what that left elsewhere."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from pipeline.ledger import Event, Reader
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events, iterations, reviews

#: What an iteration writes while it runs, or leaves when it dies, without naming itself; `feedback.measured` of old.
_BY_A_RUN = frozenset({"feedback.measured", "lease.broken", "rollout.arms", "rollout.arms_refused", "work.finished"})
#: What is about the stage in its subject, as it was last released.
_OF_A_RELEASE = frozenset({"rollout.rehearsed"})
#: Parts of a body that tell of a release, which names the review that decided it.
_RELEASES = ("from", "to", "release")


@dataclass(frozen=True)
class Trace:
    """What an iteration left behind elsewhere: MLflow's run and the report's hash, empty where there is none yet."""

    run: str = ""
    report: str = ""


@dataclass(frozen=True)
class Traces:
    """What the record tells of its iterations.

    Attributes:
        left: traces by the iteration's name (``project/number/stage``) and by its reviews' ids.
        under_way: per project, from which event on which iteration ran, in order.
        released: per project and stage, from which event on which review's release held, in order.
        served: per project and model version, likewise.
    """

    left: Mapping[str, Trace]
    under_way: Mapping[str, Sequence[tuple[int, str]]]
    released: Mapping[tuple[str, str], Sequence[tuple[int, str]]]
    served: Mapping[tuple[str, str], Sequence[tuple[int, str]]]

    def about(self, event: Event) -> str:
        """The iteration or the review an event belongs to; empty where it belongs to none."""
        return next((name for name in self._named(event) if name in self.left), "")

    def _named(self, event: Event) -> Iterator[str]:
        """Its subject, or what its body names; else what ran, or was released, when it was written."""
        body = event.body
        yield event.subject
        yield from (str(body.get(name, "")) for name in ("review", "iteration"))
        yield f"{event.project}/{body.get('number')}/{body.get('stage')}"
        # The keys of intents: `apply:REVIEW`, `track:REVIEW`, `open:PROJECT:NUMBER:STAGE`.
        yield event.subject.partition(":")[2].replace(":", "/")
        yield from (str(part.get("review", "")) for part in map(body.get, _RELEASES) if isinstance(part, Mapping))
        if event.kind in _BY_A_RUN:
            yield _latest(self.under_way.get(event.project, ()), event.seq)
        if event.kind in _OF_A_RELEASE:
            yield _latest(self.released.get((event.project, event.subject), ()), event.seq)
        if event.kind == "decisions.served":
            yield _latest(self.served.get((event.project, str(body.get("version"))), ()), event.seq)


def find_traces(reader: Reader) -> Traces:
    """The traces of the whole record; a review keeps its own report."""
    at, asked = iterations.c, reviews.c
    same = (asked.project == at.project) & (asked.number == at.number) & (asked.stage == at.stage)
    columns = (at.project, at.number, at.stage, at.mlflow_run, at.report_digest, asked.id)
    query = select(*columns, asked.report_digest.label("asked_for")).select_from(iterations.outerjoin(reviews, same))
    left: dict[str, Trace] = {}
    for row in reader.rows(query):
        run = row["mlflow_run"] or ""
        left[f"{row['project']}/{row['number']}/{row['stage']}"] = Trace(run, row["report_digest"] or "")
        if row["id"] is not None:
            left[row["id"]] = Trace(run, row["asked_for"])
    under_way: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    released: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    served: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    kinds = ("iteration.running", "rollout.released")
    for event in map(to_event, reader.rows(select(events).where(events.c.kind.in_(kinds)).order_by(events.c.seq))):
        if event.kind == "iteration.running":
            under_way[event.project].append((event.seq, event.subject))
            continue
        review = str(event.body.get("review", ""))
        released[event.project, event.subject].append((event.seq, review))
        served[event.project, str(event.body.get("model_version"))].append((event.seq, review))
    return Traces(left, under_way, released, served)


def _latest(since: Sequence[tuple[int, Any]], seq: int) -> str:
    """What held when an event was written; empty where nothing did."""
    place = bisect_left(since, seq, key=lambda one: one[0])
    return str(since[place - 1][1]) if place else ""

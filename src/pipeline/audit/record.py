"""Do the ledger's tables, and the files they point at, say what the chained events say?

Tables are quick to read and quick to edit, and files lie in folders. Neither counts for anything that no event backs.
Every check here yields findings that name the row or file.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pipeline.datasets import catalog
from pipeline.errors import DataError, Finding, ModelError
from pipeline.ledger import Event, IterationRecord, Reader, all_iterations
from pipeline.ledger.chain import canonical, digest
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import applied, events, iterations, releases, reviews, signoffs, work
from pipeline.models import files
from pipeline.reporting import pack
from pipeline.review.applying import objection
from pipeline.review.backing import unbacked_by_events
from pipeline.review.items import items_of
from pipeline.review.requests import ReviewRequest, find_review, iteration_of, reviews_of
from pipeline.review.signing import signoffs_of
from pipeline.settings import Settings

_RESTORE = "restore it from a backup taken before the change; keep what is there as evidence"
_REPORTED = frozenset({"awaiting_review", "decided", "applied", "closed"})
#: Which event tells of which entry of the rollout.
_MOVES = {"release": "rollout.released", "roll_back": "rollout.rolled_back"}


def all_records(reader: Reader) -> tuple[IterationRecord, ...]:
    """Every iteration of every project."""
    names = [row["project"] for row in reader.rows(select(iterations.c.project).distinct())]
    return tuple(record for name in sorted(names) for record in all_iterations(reader, name))


def check_iterations(reader: Reader) -> Iterator[Finding]:
    """State, charter, report and figures of each iteration against its newest events."""
    for record in all_records(reader):
        place = f"iteration {record.subject}"
        newest = _newest(reader, record.subject, "iteration.")
        state = next((kind.removeprefix("iteration.") for kind in newest if _is_state(kind)), None)
        if state != record.state:
            yield Finding(place, f"its row says {record.state}, the chain says {state or 'nothing'}", _RESTORE)
        if digest(record.charter) != record.charter_digest:
            yield Finding(place, "its charter is not the one of its digest", _RESTORE)
        told = newest.get("iteration.reported")
        stands = (record.report_digest, canonical(record.result))
        if stands != ((told.body["report"], canonical(told.body["result"])) if told else (None, "null")):
            yield Finding(place, "its report or figures are not those of the event that reported them", _RESTORE)


def check_reviews(reader: Reader) -> Iterator[Finding]:
    """Requests, sign-offs and decisions against the events that made them."""
    for row in reader.rows(select(reviews.c.id).order_by(reviews.c.id)):
        request = find_review(reader, row["id"])
        if request is not None:
            found = _unborne(reader, request)
            if found is not None:
                yield Finding(f"review {request.id}", found, _RESTORE)
    told = {(event.subject, event.seq) for event in _events(reader, "review.signed")}
    rows = reader.rows(select(signoffs.c.review, signoffs.c.event))
    for review, seq in sorted(told - {(row["review"], row["event"]) for row in rows}):
        yield Finding(f"review {review}", f"the sign-off of event {seq} is gone from its table", _RESTORE)
    applies = {(event.subject, event.body["decision"]) for event in _events(reader, "review.applied")}
    done = {(row["review"], row["decision"]) for row in reader.rows(select(applied))}
    for review, decision in sorted(applies ^ done):
        found = "no event tells that it was applied" if (review, decision) in done else "its applied mark is gone"
        yield Finding(f"review {review}", f"{decision}: {found}", _RESTORE)


def check_releases(reader: Reader) -> Iterator[Finding]:
    """What follows which model, against the events that said so."""
    kinds = {kind: _events(reader, kind) for kind in _MOVES.values()}
    for row in reader.rows(select(releases).order_by(releases.c.project, releases.c.position)):
        kind = _MOVES.get(row["action"])
        content = json.loads(row["content"])
        if kind is None or content is None:
            continue
        name = "to" if kind == "rollout.rolled_back" else None
        told = [event.body[name] if name else event.body for event in kinds[kind] if event.project == row["project"]]
        wanted = ("stage", "model_version", "model_digest", "charter_digest", "units")
        if not any(body and all(body.get(part) == content[part] for part in wanted) for body in told):
            found = "no event tells of this release of these units to this model"
            yield Finding(f"rollout of {row['project']}, entry {row['position']}", found, _RESTORE)


def check_work(reader: Reader, settings: Settings) -> Iterator[Finding]:
    """Trained models: their rows against events, their files against their rows."""
    told = {(event.subject, event.body["value"]) for event in _events(reader, "work.finished")}
    for row in reader.rows(select(work).order_by(work.c.at, work.c.key)):
        if (row["key"], digest(row["value"])) not in told:
            yield Finding(f"work {row['key'][:40]}", "no event tells of it as it stands", _RESTORE)
        elif row["kind"] == "training":
            yield from _model(json.loads(row["value"]), settings)


def check_packs(reader: Reader, settings: Settings) -> Iterator[Finding]:
    """Evidence packs against the hash that was signed, and each of their files against the hash of its event."""
    for record in all_records(reader):
        if record.state not in _REPORTED or record.report_digest is None:
            continue
        folder = pack_folder(settings, record)
        try:
            pack.verify(folder, record.report_digest)
        except DataError as error:
            yield from error.findings
            continue
        sealed: Mapping[str, str] = (record.result or {}).get("files", {})
        for name, expected in sorted(sealed.items()):
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                found = f"is not the file that event iteration.reported of {record.subject} names"
                yield Finding(str(folder / name), found, _RESTORE)


def check_datasets(reader: Reader, settings: Settings) -> Iterator[Finding]:
    """Datasets against their content hash; reads all of them."""
    wanted = {record.result["dataset"] for record in all_records(reader) if record.result}
    for name in sorted(wanted):
        try:
            catalog.load(settings.datasets, name)
        except DataError as error:
            yield from error.findings


def check_tracking(reader: Reader, tags: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """What MLflow shows of each run against what the ledger says.

    Args:
        reader: the ledger.
        tags: of every run, by its id.
    """
    for record in all_records(reader):
        if record.mlflow_run is None or record.state not in _REPORTED or not record.result:
            continue
        place = f"MLflow, iteration {record.number} ({record.stage}) of {record.project}"
        shown = tags.get(record.mlflow_run)
        if shown is None:
            yield Finding(place, f"the run {record.mlflow_run} is gone", "restore MLflow's store from a backup")
            continue
        wanted = {
            "landed.report": record.report_digest,
            "landed.charter": record.charter_digest,
            "landed.model": record.result["model_digest"],
            "landed.data": record.result["dataset"],
        }
        asked = reviews_of(reader, record)
        if asked and asked[-1].decision is not None and shown.get("landed.decision") != "awaiting":
            # A decision is carried over after it was taken; until then the run says that it is awaited.
            wanted["landed.decision"] = asked[-1].decision
        for name, value in wanted.items():
            if shown.get(name) != value:
                found = f"its tag {name} is {str(shown.get(name))[:12]}, the ledger says {str(value)[:12]}"
                yield Finding(place, found, "the ledger counts; restore MLflow's store from a backup")


def pack_folder(settings: Settings, record: IterationRecord) -> Path:
    """Where an iteration's evidence pack lies."""
    return settings.report_folder(record.project, record.number, record.stage, record.kind)


def _unborne(reader: Reader, request: ReviewRequest) -> str | None:
    """Why the chain does not bear a request as it stands."""
    if request.decision is not None:
        return objection(reader, request)
    answers, items = signoffs_of(reader, request.id), items_of(reader, request.project, request.id)
    return unbacked_by_events(reader, request, iteration_of(reader, request), answers, items)


def _model(value: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    folder = settings.models / value["directory"]
    try:
        found = files.digest(folder)
    except ModelError as error:
        yield from error.findings
        return
    if found != value["digest"]:
        said = f"its files hash to {found[:12]}, the training of {value['candidate']} gave {value['digest'][:12]}"
        yield Finding(str(folder), said, _RESTORE)


def _is_state(kind: str) -> bool:
    return kind not in {"iteration.reported", "iteration.tracked"}


def _newest(reader: Reader, subject: str, prefix: str) -> dict[str, Event]:
    """The newest event of each kind on a subject, newest first."""
    query = select(events).where(events.c.subject == subject, events.c.kind.startswith(prefix))
    found: dict[str, Event] = {}
    for row in reader.rows(query.order_by(events.c.seq.desc())):
        found.setdefault(row["kind"], to_event(row))
    return found


def _events(reader: Reader, kind: str) -> list[Event]:
    return [to_event(row) for row in reader.rows(select(events).where(events.c.kind == kind).order_by(events.c.seq))]

"""``landed audit export``: one iteration as one file that a machine without Landed can verify.

The slice of the ledger runs from the iteration's opening to the first head after its last event that was noted down
outside of the ledger. It holds every event between, those of other projects too: nothing less proves a hash chain.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from pipeline.audit import verifier
from pipeline.audit.places import noted_heads
from pipeline.audit.record import pack_folder
from pipeline.errors import DataError, Finding, LedgerError
from pipeline.ledger import IterationRecord, Ledger, verify
from pipeline.ledger.anchors import Anchor
from pipeline.ledger.notary import KEY_MADE, KEY_SUBJECT
from pipeline.ledger.tables import events, signatures
from pipeline.models.files import checked
from pipeline.reporting import pack
from pipeline.review.requests import reviews_of
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.models.auditing import AuditView

#: The stand-alone program's name inside a bundle.
VERIFIER = "verify.py"
#: The date of every file, so that the same content makes the same bundle.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """A written bundle.

    Attributes:
        path: the file.
        files: names of what it holds.
        first, last: the events of its slice.
        head: hash of the last one.
        sha256: of the file itself.
    """

    path: Path
    files: tuple[str, ...]
    first: int
    last: int
    head: str
    sha256: str


def export(
    ledger: Ledger, settings: Settings, record: IterationRecord, out: Path, tracking: "AuditView | None" = None
) -> Bundle:
    """Write an iteration's bundle.

    Args:
        ledger: the ledger; its chain is verified first.
        settings: where packs, models and datasets lie.
        record: the iteration; it has a report.
        out: the file to write; an older one stays until the new one is whole.
        tracking: MLflow; None leaves its run out.

    Raises:
        LedgerError: the iteration has no report yet.
        ChainBroken: the ledger was changed.
        DataError: the pack was changed, or the file cannot be written.
        ModelError: the model's files are gone.
    """
    if record.report_digest is None or record.result is None:
        finding = Finding(f"iteration {record.subject}", "it has no report", "run it to its report first")
        raise LedgerError("There is nothing to export yet", [finding])
    folder = pack_folder(settings, record)
    pack.verify(folder, record.report_digest)
    anchors = _reaching(ledger, settings, record, tracking)
    status = verify(ledger, anchors)
    status.require()
    head = min(anchor.seq for anchor in anchors if anchor.seq >= _last(ledger, record))
    files = {
        "charter.json": record.charter.encode(),
        "model-files.json": _json(_model_files(settings.models / record.result["directory"])),
        **{f"report/{path.name}": path.read_bytes() for path in sorted(folder.iterdir()) if path.name[0] != "."},
        **_slice(ledger, _first(ledger, record), head, anchors),
        "keys.json": _json(_keys(ledger)),
        VERIFIER: Path(verifier.__file__).read_bytes(),
    }
    data = settings.datasets / record.result["dataset"] / "manifest.json"
    if data.exists():
        files["data-manifest.json"] = data.read_bytes()
    if tracking is not None and record.mlflow_run is not None:
        files["mlflow.json"] = _json(tracking.exported(record.mlflow_run))
    return _written(out, files, _about(ledger, record, files))


def _about(ledger: Ledger, record: IterationRecord, files: Mapping[str, bytes]) -> dict[str, Any]:
    last = json.loads(files["ledger.jsonl"].splitlines()[-1])
    return {
        "format": verifier.FORMAT,
        "iteration": record.subject,
        "reviews": [review.id for review in reviews_of(ledger, record) if review.report_digest == record.report_digest],
        "head": {"seq": last["seq"], "hash": last["hash"]},
    }


def _reaching(
    ledger: Ledger, settings: Settings, record: IterationRecord, tracking: "AuditView | None"
) -> tuple[Anchor, ...]:
    """Every head noted down; where none reaches past the iteration's last event, the present one is noted now."""
    tracked = tracking.anchors() if tracking else ()
    anchors = noted_heads(ledger, settings.reports, tracked)
    if not any(anchor.seq >= _last(ledger, record) for anchor in anchors):
        ledger.notary.note(ledger, ledger.head(), ledger.now())
        anchors = noted_heads(ledger, settings.reports, tracked)
    if not any(anchor.seq >= _last(ledger, record) for anchor in anchors):
        found = f"it cannot be written or signed here, and no head of {record.subject} was noted down before"
        remedy = "export where the ledger's key lies, or copy the key here; `landed doctor` tells what else is wrong"
        raise LedgerError(
            "Nobody noted down where the record ended", [Finding(str(ledger.notary.anchors), found, remedy)]
        )
    return anchors


def _first(ledger: Ledger, record: IterationRecord) -> int:
    opened = events.c.kind == "iteration.opened", events.c.subject == record.subject
    return int(ledger.rows(select(func.min(events.c.seq).label("seq")).where(*opened))[0]["seq"])


def _last(ledger: Ledger, record: IterationRecord) -> int:
    subjects = [record.subject, *(review.id for review in reviews_of(ledger, record))]
    return int(ledger.rows(select(func.max(events.c.seq).label("seq")).where(events.c.subject.in_(subjects)))[0]["seq"])


def _slice(ledger: Ledger, first: int, last: int, anchors: Sequence[Anchor]) -> dict[str, bytes]:
    lines = []
    for row in ledger.raw_events(after=first - 1):
        if row["seq"] > last:
            break
        lines.append(json.dumps(row, ensure_ascii=True, separators=(",", ":")))
    within = signatures.c.event >= first, signatures.c.event <= last
    seals = {str(row["event"]): row["signature"] for row in ledger.rows(select(signatures).where(*within))}
    return {
        "ledger.jsonl": ("\n".join(lines) + "\n").encode("ascii"),
        "signatures.json": _json(seals),
        "anchors.json": _json([asdict(anchor) for anchor in anchors if first <= anchor.seq <= last]),
    }


def _keys(ledger: Ledger) -> list[dict[str, Any]]:
    """The events that name the ledger's keys, with their signatures: each but the first is signed by two."""
    named = select(events).where(events.c.kind == KEY_MADE, events.c.subject == KEY_SUBJECT).order_by(events.c.seq)
    made = ledger.rows(named)
    within = signatures.c.event.in_([row["seq"] for row in made])
    seals = {row["event"]: row["signature"] for row in ledger.rows(select(signatures).where(within))}
    return [{"event": row, "signature": seals[row["seq"]]} for row in made]


def _model_files(folder: Path) -> list[list[str]]:
    """Name and hash of each file, in the order in which the model's own hash takes them."""
    files = checked(folder)
    return [[path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _written(out: Path, files: Mapping[str, bytes], about: Mapping[str, Any]) -> Bundle:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {**about, "files": hashes}
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in sorted({**files, "manifest.json": _json(manifest)}.items()):
                    archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
            stream.flush()
            os.fsync(stream.fileno())
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        partial.replace(out)
    except OSError as exc:
        partial.unlink(missing_ok=True)
        finding = Finding(str(out), f"it cannot be written: {exc.strerror or exc}", "name another file with --out")
        raise DataError("The bundle cannot be written", [finding]) from exc
    first = json.loads(files["ledger.jsonl"].splitlines()[0])["seq"]
    return Bundle(out, tuple(sorted(files)), first, about["head"]["seq"], about["head"]["hash"], digest)

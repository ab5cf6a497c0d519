"""``landed restore``: a backup put back into empty folders, and nowhere else."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.backups.taking import DATA, FORMAT, LEDGER, MANIFEST, REPORTS, digest_of
from pipeline.errors import DataError, Finding
from pipeline.ledger import Head, Ledger
from pipeline.ledger.anchors import NAME as ANCHORS
from pipeline.ledger.copying import copy_file, fill
from pipeline.ledger.keys import PUBLIC
from pipeline.models.store import store_of
from pipeline.settings import Settings

#: Where MLflow's database holds whole addresses of artifacts.
_ADDRESSES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}
#: What an empty folder of this project may hold.
_NOTHING = frozenset({"README.md"})


@dataclass(frozen=True)
class Restored:
    """What was put back: the head that the backup names, when it was taken, and the number of files."""

    head: Head
    at: str
    files: int


def restore(folder: Path, settings: Settings) -> Restored:
    """Put a backup back; the ledger comes last, so that one cut off half-way is no installation yet.

    Args:
        folder: the backup.
        settings: where to; data and report folders are missing or empty, and so is the ledger.

    Raises:
        DataError: the backup is not whole, or was changed, by name of the file; the folders are not empty or cannot be
            written.
        LedgerError: the ledger is not empty, or cannot be written.
    """
    manifest = read_manifest(folder)
    for place in (settings.data, settings.reports):
        _require_empty(place)
    try:
        for name, target in ((REPORTS, settings.reports), (DATA, settings.data)):
            target.mkdir(parents=True, exist_ok=True)
            if (folder / name).exists():
                shutil.copytree(folder / name, target, dirs_exist_ok=True)
        _relocate(settings, Path(manifest["data"]))
        with Ledger(settings.ledger) as ledger:
            for name, place in ((ANCHORS, ledger.notary.anchors), (PUBLIC, ledger.notary.keys / PUBLIC)):
                if (folder / name).exists():
                    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if name == PUBLIC else 0o777)
                    shutil.copy2(folder / name, place)
            _put_ledger(folder / LEDGER, ledger)
    except OSError as exc:
        finding = Finding(str(exc.filename), f"it cannot be written: {exc.strerror}", "empty the folders and try again")
        raise DataError("The backup cannot be put back", [finding]) from exc
    head = manifest["head"]
    return Restored(Head(head["seq"], head["hash"]), manifest["at"], len(manifest["files"]))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose every file is as it was taken.

    Raises:
        DataError: names each file that is missing, changed or unknown.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files, form = dict(manifest["files"]), manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        finding = Finding(str(path), f"it cannot be read: {exc}", "name the folder that `landed backup` wrote")
        raise DataError("There is no backup", [finding]) from exc
    if form != FORMAT:
        finding = Finding(
            str(path), f"its format is {form}, this version reads {FORMAT}", "use the version that wrote it"
        )
        raise DataError("The backup is of another format", [finding])
    there = {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()} - {MANIFEST}
    remedy = "take an older backup; keep this one as evidence"
    findings = [Finding(str(folder / name), "is missing", remedy) for name in sorted(files.keys() - there)]
    findings += [Finding(str(folder / name), "is not of this backup", remedy) for name in sorted(there - files.keys())]
    changed = [name for name in sorted(there & files.keys()) if digest_of(folder / name) != files[name]]
    findings += [Finding(str(folder / name), "was changed since the backup was taken", remedy) for name in changed]
    if findings:
        raise DataError("The backup is not what was taken", findings)
    return manifest


def _require_empty(place: Path) -> None:
    held = sorted(path.name for path in place.iterdir() if path.name not in _NOTHING) if place.is_dir() else []
    if held:
        finding = Finding(
            str(place.absolute()), f"it holds {', '.join(held[:3])}", "name an empty folder, or move these"
        )
        raise DataError("A backup is only put back into empty folders", [finding])


def _put_ledger(source: Path, ledger: Ledger) -> None:
    if ledger.path is not None and not ledger.path.exists():
        copy_file(source, ledger.path)
        return
    with Ledger(f"sqlite:///{source}") as saved:
        fill(saved, ledger)


def _relocate(settings: Settings, before: Path) -> None:
    """Let MLflow find its artifacts in their new place."""
    database, now = store_of(settings).database, settings.data.resolve()
    if database is None or not database.exists() or before == now:
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _ADDRESSES.items():
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                (now.as_uri(), len(before.as_uri()) + 1, len(before.as_uri()) + 1, before.as_uri() + "/"),
            )

"""``landed backup``: ledger, MLflow's store, reports, data sets and models of one moment, while everything runs.

Most is copied while people and flows go on. What changed meanwhile is copied again while the ledger is held still for
a moment, together with the ledger itself: so no pack or tag is newer than the ledger, and nothing it names is missing.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline import __version__
from pipeline.errors import DataError, Finding
from pipeline.ledger import Head, Ledger
from pipeline.ledger.anchors import NAME as ANCHORS
from pipeline.ledger.copying import copy_file, held_still, snapshot
from pipeline.ledger.keys import PUBLIC
from pipeline.models.store import store_of
from pipeline.settings import Settings

FORMAT = "landed-backup/1"
MANIFEST, LEDGER, DATA, REPORTS = "manifest.json", "ledger.db", "data", "reports"
#: Folders of the data folder that are not taken: secrets belong elsewhere, the rest is made anew by `landed up`.
LEFT_OUT = frozenset({"keys", "logs", "prefect", "run", "secrets"})


@dataclass(frozen=True)
class Taken:
    """A backup.

    Attributes:
        folder: where it lies.
        head: the ledger's last event in it.
        files: how many it holds.
        size: their bytes.
        without: what is not in it, in words.
    """

    folder: Path
    head: Head
    files: int
    size: int
    without: tuple[str, ...]


def take(ledger: Ledger, settings: Settings, folder: Path) -> Taken:
    """Take a backup into a folder that is not there yet.

    Args:
        ledger: the ledger.
        settings: where everything lies.
        folder: appears when the backup is whole, by one rename.

    Raises:
        DataError: the folder exists, lies in the data folder, or cannot be written.
        LedgerError: a database cannot be read.
    """
    _require_free(folder, settings)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        _mirror(settings, ledger, partial)
        with held_still(ledger):
            _mirror(settings, ledger, partial)
            snapshot(ledger, partial / LEDGER)
            _copy_notary(ledger, partial)
        with Ledger(f"sqlite:///{partial / LEDGER}") as copied:
            head = copied.head()
        taken = _sealed(partial, settings, head)
        partial.rename(folder)
    except OSError as exc:
        finding = Finding(
            str(folder), f"it cannot be written: {exc.strerror or exc}", "make room, or name another place"
        )
        raise DataError("The backup cannot be written", [finding]) from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Taken(folder, head, *taken, _without(ledger, settings))


def _require_free(folder: Path, settings: Settings) -> None:
    if folder.exists():
        found = "it is there already"
    elif folder.resolve().is_relative_to(settings.data.resolve()):
        found = "it lies in the data folder, of which it is to be the backup"
    else:
        return
    finding = Finding(str(folder), found, "name a new folder, best on another disk or machine")
    raise DataError("A backup needs a folder of its own", [finding])


def _mirror(settings: Settings, ledger: Ledger, target: Path) -> None:
    """Bring the copies of both folders to what these hold now; what was copied and did not change is left as it is."""
    for source, name in ((settings.data, DATA), (settings.reports, REPORTS)):
        wanted = {path.relative_to(source): path for path in _files(source) if path.resolve() != ledger.path}
        for path in _files(target / name):
            if path.relative_to(target / name) not in wanted:
                path.unlink()
        for relative, path in wanted.items():
            _copy(path, target / name / relative)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".db":
        copy_file(source, target)
        return
    try:
        now = source.stat()
        if target.exists() and (target.stat().st_size, target.stat().st_mtime_ns) == (now.st_size, now.st_mtime_ns):
            return
        shutil.copy2(source, target)
    except FileNotFoundError:
        # Gone since the folder was read: it was replaced, and the second look finds what took its place.
        target.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    """What is to be kept of a folder: no secret, no half-written file, no log of a database."""
    for root, folders, names in os.walk(folder):
        at = Path(root)
        folders[:] = [name for name in folders if name[0] != "." and not (at == folder and name in LEFT_OUT)]
        for name in names:
            if name[0] != "." and not name.endswith((".db-wal", ".db-shm", ".db-journal")) and name != ANCHORS:
                yield at / name


def _copy_notary(ledger: Ledger, target: Path) -> None:
    """The heads noted down, and the public key; the private one belongs elsewhere."""
    for path, name in ((ledger.notary.anchors, ANCHORS), (ledger.notary.keys / PUBLIC, PUBLIC)):
        if path.exists():
            shutil.copy2(path, target / name)


def _sealed(folder: Path, settings: Settings, head: Head) -> tuple[int, int]:
    """Write the manifest; returns the number of files and their bytes."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    manifest = {
        "format": FORMAT,
        "landed": __version__,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "head": {"seq": head.seq, "hash": head.hash},
        "data": str(settings.data.resolve()),
        "files": {name: digest_of(path) for name, path in files.items()},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return len(files), sum(path.stat().st_size for path in files.values())


def _without(ledger: Ledger, settings: Settings) -> tuple[str, ...]:
    store, data = store_of(settings), settings.data.resolve()
    missing = ["passwords and keys (data/secrets, data/keys): keep them apart"]
    if ledger.path is None:
        missing.append("nothing else of the ledger's database server")
    if store.database is None:
        missing.append(f"MLflow's database, {store.place}: back it up with its server's own tools, such as pg_dump")
    elif not store.database.is_relative_to(data):
        missing.append(f"MLflow's store {store.database}, which lies outside of the data folder")
    if "://" in store.artifacts:
        missing.append(f"MLflow's artifacts in {store.artifacts}: turn on its own versioning")
    return tuple(missing)


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

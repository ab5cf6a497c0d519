"""The watched folder: deliveries that are complete are taken in, refused ones are put aside with the reason.

A delivery of data is a subfolder of ``INBOX/<project>/``. It is complete when it holds the file ``_SUCCESS``, or when
nothing in it changed for a minute. Field results are single files in ``INBOX/<project>/outcomes/``, complete when they
did not change for a minute. What was taken in moves to ``accepted/``; what was refused to ``refused/``, with why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pipeline.errors import LandedError
from pipeline.monitoring.placing import SUCCESS

ACCEPTED, REFUSED, WHY, OUTCOMES = "accepted", "refused", "why.txt", "outcomes"
#: What a file of field results may be.
RESULTS = (".csv", ".parquet")
#: Seconds without a change after which a delivery without a marker counts as complete.
UNTOUCHED = 60.0


@dataclass(frozen=True)
class Taken:
    """What became of one delivery of the inbox: taken in, or refused with an error."""

    name: str
    error: LandedError | None


def complete(inbox: Path, now: float) -> tuple[Path, ...]:
    """The complete deliveries, by name.

    Args:
        inbox: the project's folder; it need not exist.
        now: seconds since the epoch, by the clock that stamps the files.
    """
    if not inbox.is_dir():
        return ()
    folders = [
        entry
        for entry in sorted(inbox.iterdir())
        if entry.is_dir()
        and not entry.is_symlink()
        and entry.name not in (ACCEPTED, REFUSED, OUTCOMES)
        and entry.name[0] != "."
    ]
    return tuple(folder for folder in folders if _is_complete(folder, now))


def complete_results(inbox: Path, now: float) -> tuple[Path, ...]:
    """The complete files of field results, the longest untouched first: a later file corrects an earlier one."""
    folder = inbox / OUTCOMES
    if not folder.is_dir():
        return ()
    files = [
        (entry.stat().st_mtime, entry)
        for entry in folder.iterdir()
        if entry.suffix in RESULTS and entry.name[0] != "." and entry.is_file() and not entry.is_symlink()
    ]
    return tuple(entry for touched, entry in sorted(files) if now - touched >= UNTOUCHED)


def take_in(inbox: Path, now: float, ingest: Callable[[Path], object]) -> tuple[Taken, ...]:
    """Take in every complete delivery, oldest name first; a refused one does not keep the next from its turn.

    Args:
        inbox: the project's folder.
        now: see :func:`complete`.
        ingest: takes one folder in, or raises why not.
    """
    return tuple(_taken(folder, inbox, ingest) for folder in complete(inbox, now))


def take_results_in(inbox: Path, now: float, add: Callable[[Path], object]) -> tuple[Taken, ...]:
    """Take in every complete file of field results; see :func:`take_in`."""
    return tuple(_taken(file, inbox / OUTCOMES, add) for file in complete_results(inbox, now))


def _taken(entry: Path, home: Path, take: Callable[[Path], object]) -> Taken:
    try:
        take(entry)
    except LandedError as error:
        aside = _moved(entry, home / REFUSED)
        why = aside / WHY if aside.is_dir() else aside.with_name(f"{aside.name}.{WHY}")
        why.write_text(f"{error}\n", encoding="utf-8")
        return Taken(entry.name, error)
    _moved(entry, home / ACCEPTED)
    return Taken(entry.name, None)


def _is_complete(folder: Path, now: float) -> bool:
    if (folder / SUCCESS).exists():
        return True
    try:
        newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return False  # it is being written or renamed right now
    return now - newest >= UNTOUCHED


def _moved(entry: Path, target: Path) -> Path:
    """Move a folder or file below another folder; a name that is taken there gets a number."""
    target.mkdir(exist_ok=True)
    stem, suffix = (entry.name, "") if entry.is_dir() else (entry.stem, entry.suffix)
    names = (entry.name if number == 1 else f"{stem}-{number}{suffix}" for number in count(1))
    place = next(target / name for name in names if not (target / name).exists())
    return entry.rename(place)

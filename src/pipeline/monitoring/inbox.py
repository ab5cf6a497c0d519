"""The watched folder: deliveries that are complete are taken in, refused ones are put aside with the reason.

A delivery is a subfolder of ``INBOX/<project>/``. It is complete when it holds the file ``_SUCCESS``, or when nothing
in it changed for a minute. What was taken in moves to ``accepted/``, what was refused to ``refused/``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pipeline.errors import LandedError
from pipeline.monitoring.ingest import Ingested
from pipeline.monitoring.placing import SUCCESS

ACCEPTED, REFUSED, WHY = "accepted", "refused", "why.txt"
#: Seconds without a change after which a delivery without a marker counts as complete.
UNTOUCHED = 60.0


@dataclass(frozen=True)
class Taken:
    """What became of one delivery of the inbox: taken in, or refused with an error."""

    name: str
    ingested: Ingested | None
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
        if entry.is_dir() and not entry.is_symlink() and entry.name not in (ACCEPTED, REFUSED) and entry.name[0] != "."
    ]
    return tuple(folder for folder in folders if _is_complete(folder, now))


def take_in(inbox: Path, now: float, ingest: Callable[[Path], Ingested]) -> tuple[Taken, ...]:
    """Take in every complete delivery, oldest name first; a refused one does not keep the next from its turn.

    Args:
        inbox: the project's folder.
        now: see :func:`complete`.
        ingest: takes one folder in, or raises why not.
    """
    taken = []
    for folder in complete(inbox, now):
        try:
            ingested = ingest(folder)
        except LandedError as error:
            aside = _moved(folder, inbox / REFUSED)
            (aside / WHY).write_text(f"{error}\n", encoding="utf-8")
            taken.append(Taken(folder.name, None, error))
        else:
            _moved(folder, inbox / ACCEPTED)
            taken.append(Taken(folder.name, ingested, None))
    return tuple(taken)


def _is_complete(folder: Path, now: float) -> bool:
    if (folder / SUCCESS).exists():
        return True
    try:
        newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return False  # it is being written or renamed right now
    return now - newest >= UNTOUCHED


def _moved(folder: Path, target: Path) -> Path:
    """Move a folder below another one; a name that is taken there gets a number."""
    target.mkdir(exist_ok=True)
    names = (folder.name if number == 1 else f"{folder.name}-{number}" for number in count(1))
    place = next(target / name for name in names if not (target / name).exists())
    return folder.rename(place)

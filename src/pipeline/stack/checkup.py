"""What is wrong with an installation, and how to mend it: each check looks at one thing and changes nothing."""

import os
import shutil
import sqlite3
import sys
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from pipeline.addresses import answering, database, reached, require_prefect
from pipeline.errors import Finding, LandedError, LedgerError
from pipeline.ledger import Ledger
from pipeline.ledger.verify import verify
from pipeline.models.store import store_of
from pipeline.settings import Settings
from pipeline.stack.parts import WANTED
from pipeline.stack.ports import LOOPBACK, is_free
from pipeline.stack.state import Folders, running

Outcome = Literal["ok", "warn", "fail"]

#: The least Python; Landed is tested on this and the two after it.
PYTHON = (3, 11)
#: Gigabytes: below the first runs will soon fail, below the second they may.
LEAST_GB, ENOUGH_GB = 1.0, 5.0
_GB = 1024**3
_UPGRADE = "install what was tested together: pip install --require-hashes -r constraints.txt, or `make install`"


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: of the thing.
        outcome: ``ok``, ``warn`` (works, but) or ``fail``.
        found: what was found.
        remedy: what to do; empty where nothing is.
    """

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""


def checkup(settings: Settings) -> tuple[Check, ...]:
    """Every check, in the order one would mend things."""
    return (
        python(sys.version_info[:3]),
        *packages(installed(), required()),
        *folders({"LANDED_DATA": settings.data, "LANDED_REPORTS": settings.reports}),
        disk(shutil.disk_usage(_standing(settings.data)).free / _GB),
        _reached("ledger", "LANDED_LEDGER_URL", lambda: _ledger(settings)),
        _reached("MLflow's store", "LANDED_MLFLOW_URL", lambda: _mlflow(settings)),
        _reached("Prefect", "LANDED_PREFECT_URL", lambda: _prefect(settings)),
        _reached("notices", "LANDED_NOTIFY", lambda: _notices(settings)),
        *ports(settings),
        browser(),
    )


def python(found: tuple[int, ...]) -> Check:
    """The interpreter."""
    text = ".".join(map(str, found))
    if found >= PYTHON:
        return Check("Python", "ok", text)
    return Check("Python", "fail", text, f"install Python {'.'.join(map(str, PYTHON))} or newer")


def required() -> tuple[Requirement, ...]:
    """What this version of Landed asks for; extras are asked for where they are used."""
    return tuple(
        one for one in map(Requirement, requires("landed") or ()) if one.marker is None or one.marker.evaluate()
    )


def installed() -> Mapping[str, str]:
    """Versions of what is asked for, as far as it is there."""
    found = {}
    for one in required():
        try:
            found[one.name] = version(one.name)
        except PackageNotFoundError:
            continue
    return found


def packages(there: Mapping[str, str], asked: tuple[Requirement, ...]) -> Iterator[Check]:
    """Every package that is missing or of a version that was not tested; one line where none is."""
    wrong = 0
    for one in asked:
        now = there.get(one.name)
        if now is None:
            yield Check(one.name, "fail", "not installed", _UPGRADE)
        elif not one.specifier.contains(now, prereleases=True):
            yield Check(one.name, "fail", f"{now}, where {one.specifier} is asked for", _UPGRADE)
        else:
            continue
        wrong += 1
    if not wrong:
        yield Check("packages", "ok", f"{len(asked)} in the versions that were tested together")


def folders(named: Mapping[str, Path]) -> Iterator[Check]:
    """Whether Landed's own folders can be written; nothing is made where nothing is."""
    for setting, folder in named.items():
        place = _standing(folder)
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            found = "it is no folder" if not place.is_dir() else "it cannot be written"
            yield Check(
                setting, "fail", f"{folder.absolute()}: {found}", f"give write access, or name another in {setting}"
            )
        else:
            yield Check(setting, "ok", f"{folder.absolute()}{'' if folder.exists() else ', made at the first run'}")


def disk(free: float) -> Check:
    """Gigabytes free where the data lies."""
    text = f"{free:.1f} GB free"
    if free >= ENOUGH_GB:
        return Check("disk", "ok", text)
    remedy = "remove old folders below the data folder's datasets and models, or move LANDED_DATA to a larger disk"
    return Check("disk", "fail" if free < LEAST_GB else "warn", text, remedy)


def ports(settings: Settings) -> Iterator[Check]:
    """The ports that ``landed up`` likes; any other is taken where one is not free."""
    if running(Folders(settings.data)) is not None:
        yield Check("ports", "ok", "the stack of this data folder is running: `landed status`")
        return
    taken = {name: port for name, port in WANTED.items() if not is_free(port)}
    for name, port in taken.items():
        remedy = f"nothing: `landed up` takes another; or close the program, or give --{name}-port"
        yield Check(f"port of {name}", "warn", f"{LOOPBACK}:{port} is taken", remedy)
    if not taken:
        yield Check("ports", "ok", ", ".join(str(port) for port in WANTED.values()) + " are free")


def browser() -> Check:
    """Whether something can show an evidence pack here."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        remedy = "copy reports/…/evidence.html to a machine with a browser; it needs nothing else"
        return Check("browser", "warn", "none was found", remedy)
    return Check("browser", "ok", str(getattr(found, "name", type(found).__name__)))


def _reached(name: str, setting: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except LandedError as error:
        found = "; ".join([error.headline, *(finding.found for finding in error.findings)])
        remedy = error.findings[0].remedy if error.findings else f"correct {setting}"
        return Check(name, "fail", found, remedy)


def _ledger(settings: Settings) -> str:
    with Ledger(settings.ledger) as ledger:
        if ledger.path is not None and not ledger.path.exists():
            return f"{ledger.where}, made at the first run"
        status = verify(ledger)
        status.require()
        return f"{ledger.where}: {status.events} events, chain intact"


def _mlflow(settings: Settings) -> str:
    store = store_of(settings)
    if store.remote:
        answering("LANDED_MLFLOW_URL", store.uri, "/health")
    elif store.database is None:
        with reached("LANDED_MLFLOW_URL", database("LANDED_MLFLOW_URL", store.uri)):
            pass
    elif not store.database.exists():
        return f"{store.place}, made at the first run"
    else:
        _readable(store.database)
    return store.place


def _readable(path: Path) -> None:
    """Go on only where a SQLite file can be read; it is opened for reading alone."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        finding = Finding(str(path), str(error), "restore it from a backup, or move it away: runs then begin a new one")
        raise LedgerError("the tracking store cannot be read", [finding]) from error


def _prefect(settings: Settings) -> str:
    require_prefect(settings)
    if settings.prefect_url:
        return f"{settings.prefect_url} answers"
    return "a server of its own, started when one is needed"


def _notices(settings: Settings) -> str:
    named = settings.channels
    return f"by {', '.join(named)}" if named else "nobody is told: LANDED_NOTIFY names no channel"


def _standing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place

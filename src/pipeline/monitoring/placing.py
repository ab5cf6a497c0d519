"""Putting a delivery into place: staged whole beside the folder of the source, then renamed into it.

A folder cannot be renamed over a full one, so the former folder is renamed away first. A process that dies between
the two renames leaves the former folder beside its place; whoever comes next puts it back.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import DataError, Finding

#: A marker of whoever delivers, no data.
SUCCESS = "_SUCCESS"


def delivered(delivery: Path) -> dict[str, Path]:
    """The data files of a delivery by name; hidden files and markers are passed over.

    Raises:
        DataError: it is no folder, holds no file, or holds what is no plain file.
    """
    try:
        entries = sorted(delivery.iterdir())
    except OSError as error:
        remedy = "name the folder that holds the delivered files"
        raise _unusable(delivery, error.strerror or str(error), remedy) from error
    entries = [entry for entry in entries if not entry.name.startswith((".", "_"))]
    odd = [entry.name for entry in entries if entry.is_symlink() or not entry.is_file()]
    if odd:
        raise _unusable(delivery, f"{', '.join(odd)}: no plain file", "deliver plain files only, without subfolders")
    if not entries:
        raise _unusable(delivery, "no file in it", "deliver the tables or files of the source")
    return {entry.name: entry for entry in entries}


def in_place(location: Path) -> dict[str, Path]:
    """The data files of a source by name; none where the folder is not there yet.

    Raises:
        DataError: the folder holds something else than files, such as a synthetic retailer's world.
    """
    if not location.exists():
        return {}
    if not location.is_dir():
        raise _unusable(location, "it is no folder", "name another folder with --data")
    visible = [entry for entry in location.iterdir() if not entry.name.startswith(".")]
    files = {entry.name: entry for entry in visible if entry.is_file()}
    if visible and not files:
        found = f"it holds {', '.join(sorted(entry.name for entry in visible)[:3])} and no data file"
        raise _unusable(
            location, found, "a source that plays its own data takes no delivery; name another folder with --data"
        )
    return files


def fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def staged(location: Path, files: Mapping[str, Path]) -> Iterator[Path]:
    """A folder beside the source's that holds its files with the delivered ones in their place; gone at the end."""
    fresh = location.with_name(f".{location.name}-{os.getpid()}-new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        for name, path in in_place(location).items():
            if name not in files:
                shutil.copy2(path, fresh / name)
        for name, path in files.items():
            shutil.copy2(path, fresh / name)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        found = f"the delivery cannot be written beside it: {error.strerror or error}"
        raise _unusable(location, found, "give write access to the folder above it, and free space") from error
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def put_in_place(fresh: Path, location: Path) -> None:
    """Rename a staged folder into the source's place; subfolders of the former one move along.

    Raises:
        DataError: it cannot be renamed; what was in place is in place again.
    """
    former = _former(location)
    try:
        if location.exists():
            location.rename(former)
        fresh.rename(location)
    except OSError as error:
        recover(location)
        found = f"it cannot be replaced: {error.strerror or error}"
        raise _unusable(location, found, "name a folder that is no mount point, with --data") from error
    recover(location)


def recover(location: Path) -> None:
    """Finish or undo a replacement that was cut short."""
    former = _former(location)
    if not former.exists():
        return
    if not location.exists():
        former.rename(location)
        return
    for entry in former.iterdir():
        if entry.is_dir() and not (location / entry.name).exists():
            entry.rename(location / entry.name)
    shutil.rmtree(former, ignore_errors=True)


@contextmanager
def alone(location: Path) -> Iterator[None]:
    """One process at a time changes the folder of a source.

    Raises:
        DataError: the folder above it cannot be written.
    """
    lock = location.with_name(f".{location.name}.lock")
    try:
        location.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        found = f"the folder above it cannot be written: {error.strerror or error}"
        raise _unusable(location, found, "name another folder with --data") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        recover(location)
        yield


def _former(location: Path) -> Path:
    return location.with_name(f".{location.name}-former")


def _unusable(place: Path, found: str, remedy: str) -> DataError:
    return DataError("The data cannot be taken in", [Finding(str(place), found, remedy)])

"""Outcomes on disk: Parquet for the figures, JSON for what they are; written whole or not at all."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipeline.errors import DataError, Finding
from pipeline.evaluation.outcomes import Outcomes
from pipeline.language import from_plain, kept

FRAME, WEEKLY, META = "outcomes.parquet", "weekly.parquet", "outcomes.json"


def save(outcomes: Outcomes, directory: Path, **notes: int) -> None:
    """Write outcomes as a directory that appears by one rename; one that is there already stays as it is.

    Args:
        outcomes: what was played.
        directory: where.
        notes: whole numbers kept beside it, such as the world's clock.
    """
    if directory.exists():
        shutil.rmtree(directory)
    part = directory.with_name(f".{directory.name}-{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    outcomes.frame.to_parquet(part / FRAME, index=False)
    if outcomes.weekly is not None:
        outcomes.weekly.to_parquet(part / WEEKLY, index=False)
    meta = {
        "slices": outcomes.slices,
        "periods": outcomes.periods,
        "kind": outcomes.kind,
        "basis": kept(outcomes.basis),
        "notes": notes,
    }
    (part / META).write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.rename(directory)


def load(directory: Path) -> Outcomes:
    """Read outcomes back.

    Raises:
        DataError: when a file is missing or unreadable.
    """
    try:
        meta = json.loads((directory / META).read_text(encoding="utf-8"))
        weekly = directory / WEEKLY
        return Outcomes(
            frame=pd.read_parquet(directory / FRAME),
            slices=tuple(meta["slices"]),
            periods=int(meta["periods"]),
            kind=meta["kind"],
            basis=from_plain(meta["basis"]),
            weekly=pd.read_parquet(weekly) if weekly.exists() else None,
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DataError(
            "a record of played weeks cannot be read",
            [Finding(str(directory), f"{type(error).__name__}: {error}", "restore it from a copy of the directory")],
        ) from error


def notes(directory: Path) -> dict[str, int]:
    """The numbers kept beside outcomes.

    Raises:
        DataError: as :func:`load`.
    """
    try:
        found: dict[str, int] = json.loads((directory / META).read_text(encoding="utf-8"))["notes"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            "a record of played weeks cannot be read",
            [Finding(str(directory / META), f"{type(error).__name__}: {error}", "restore it from a copy")],
        ) from error
    return found

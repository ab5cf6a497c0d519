"""Outcomes on disk: Parquet for the figures, JSON for what they are; a record appears by one rename."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipeline.errors import DataError, Finding
from pipeline.evaluation.outcomes import Outcomes
from pipeline.language import from_plain, kept

_FRAME, _WEEKLY, _META = "outcomes.parquet", "weekly.parquet", "outcomes.json"


def save(outcomes: Outcomes, directory: Path, clock: int = 0) -> None:
    """Write outcomes, and the clock they end at, in the place of what may be there."""
    part = directory.with_name(f".{directory.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    outcomes.frame.to_parquet(part / _FRAME, index=False)
    if outcomes.weekly is not None:
        outcomes.weekly.to_parquet(part / _WEEKLY, index=False)
    meta = {
        "slices": outcomes.slices, "periods": outcomes.periods, "kind": outcomes.kind, "basis": kept(outcomes.basis),
        "clock": clock,
    }  # fmt: skip
    (part / _META).write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.rmtree(directory, ignore_errors=True)
    part.rename(directory)


def load(directory: Path) -> tuple[Outcomes, int]:
    """Read outcomes and their clock back.

    Raises:
        DataError: a file is missing or unreadable.
    """
    try:
        meta = json.loads((directory / _META).read_text(encoding="utf-8"))
        weekly = directory / _WEEKLY
        outcomes = Outcomes(
            frame=pd.read_parquet(directory / _FRAME),
            slices=tuple(meta["slices"]),
            periods=int(meta["periods"]),
            kind=meta["kind"],
            basis=from_plain(meta["basis"]),
            weekly=pd.read_parquet(weekly) if weekly.exists() else None,
        )
        return outcomes, int(meta["clock"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        finding = Finding(str(directory), f"{type(error).__name__}: {error}", "restore it from a copy of the directory")
        raise DataError("a record of played weeks cannot be read", [finding]) from error

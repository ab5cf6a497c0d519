"""What the loop hands to tracking: plain frozen values, so that nothing above this room is needed to log them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.ledger.store import Head

Scalar = str | int | float | bool

#: Tags that hold the ledger's head, so that MLflow is one of the places that know where the ledger ended.
LEDGER_SEQ, LEDGER_HEAD = "landed.ledger_seq", "landed.ledger_head"


def anchor_tags(head: Head) -> dict[str, str]:
    """The ledger's head as tags of a run."""
    return {LEDGER_SEQ: str(head.seq), LEDGER_HEAD: head.hash}


@dataclass(frozen=True)
class DatasetRecord:
    """The dataset an iteration rests on.

    Attributes:
        name: of the source.
        digest: SHA-256 of the content.
        location: where it was read from, in words for an auditor.
        rows: clean rows per table.
    """

    name: str
    digest: str
    location: str
    rows: Mapping[str, int]


@dataclass(frozen=True)
class IterationRecord:
    """What identifies an iteration and what it was made from.

    Attributes:
        project: names the MLflow experiment and the registered model.
        number: of the iteration, from 1.
        stage: name of the rung.
        charter: hash of the charter.
        code: version of the code.
        dataset: what was trained and judged on.
        started_by: who asked for the run.
    """

    project: str
    number: int
    stage: str
    charter: str
    code: str
    dataset: DatasetRecord
    started_by: str

    @property
    def key(self) -> str:
        """What a resumed run is found by."""
        return f"{self.project}/{self.number}/{self.stage}"


@dataclass(frozen=True)
class CandidateRecord:
    """A candidate after training.

    Attributes:
        name: of the candidate.
        key: hash over charter, data, parameters and code; a finished training of this key is never logged twice
            under the same iteration.
        directory: its files in safe formats; ``model.txt`` is the LightGBM booster, when there is one.
        parameters: what was fitted with.
        metrics: technical figures; ones that are not finite are left out.
        backtest: rows of the backtest, logged as a table; None when there is none.
        tags: further tags.
    """

    name: str
    key: str
    directory: Path
    parameters: Mapping[str, Scalar]
    metrics: Mapping[str, float]
    backtest: pd.DataFrame | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Release:
    """A registered model under an alias: its version, the run it came from, and its files as they were trained."""

    version: str
    run: str
    directory: Path

"""What the controls look at, gathered by the flow; a part that no control of the charter needs is left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.charter import Change, Charter
from pipeline.compliance.account import Account
from pipeline.compliance.personal import Samples
from pipeline.compliance.software import Software
from pipeline.compliance.standing import Figures as Figures
from pipeline.verdicts import Verdict


@dataclass(frozen=True)
class Answer:
    """What a check found."""

    passed: bool
    reason: str
    figures: Figures


@dataclass(frozen=True)
class Group:
    """The charter's KPI of one value of one slice column: under the model, and under today's rule."""

    column: str
    value: str
    ours: float
    baseline: float


@dataclass(frozen=True)
class Repeated:
    """The same training done twice from the recorded inputs.

    Attributes:
        first, second: digests of the model files.
        furthest: the largest relative difference of a figure; 0 where the digests are the same.
        figure: which one.
        refused: why there is no second training; empty where there is one.
    """

    first: str
    second: str
    furthest: float
    figure: str
    refused: str = ""


@dataclass(frozen=True)
class Kept:
    """Whether what was recorded is still there.

    Attributes:
        iterations: iterations looked at.
        since: the day the oldest of them was opened.
        missing: what is gone or was changed, in words.
    """

    iterations: int
    since: date
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Watched:
    """Monitoring, as the record has it.

    Attributes:
        deployed: whether the project runs by its own schedule.
        scheduled: the charter's cron; empty for none.
        newest: the day of the last look at newest data; None for never.
        allowed_days: how old that look may be.
    """

    deployed: bool
    scheduled: str
    newest: date | None
    allowed_days: int


@dataclass(frozen=True)
class ControlInputs:
    """What the controls look at.

    Attributes:
        charter: whose controls are checked.
        model: the charter's KPI of the arm to be released.
        baselines: the charter's KPI of every arm without a model that was played on the same units and periods.
        assessment: verdicts of the data assessment.
        model_directory: files of the model to be released.
        today: the day of the question.
        samples: per table and column, a small sample of values; see :func:`pipeline.compliance.personal.sampled`.
        groups: the KPI by slice.
        readiness: verdicts on what a next stage needs, the rehearsal of the rollback among them.
        account: the model's decisions of the next period; None where the problem cannot tell.
        repeated: a second training; None where a released model is measured, or none could be done.
        kept: what is left of earlier iterations.
        watched: how newest data is watched.
        released: what changed since the charter of the release that holds; None while nothing is released.
        software: packages, licences and advisories.
    """

    charter: Charter
    model: float
    baselines: Mapping[str, float]
    assessment: tuple[Verdict, ...]
    model_directory: Path
    samples: Samples
    today: date
    groups: tuple[Group, ...] = ()
    readiness: tuple[Verdict, ...] = ()
    account: Account | None = None
    repeated: Repeated | None = None
    kept: Kept | None = None
    watched: Watched | None = None
    released: tuple[Change, ...] | None = None
    software: Software | None = None

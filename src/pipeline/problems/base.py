"""The adapter from a domain to the loop.

A domain implements :class:`Problem` and registers it under the entry-point group ``landed.problems``; the charter's
``problem`` names it. The loop calls the methods in the order they stand here. No general room imports a domain.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from pipeline.charter import Advice as Advice
from pipeline.charter import Candidate, Charter, Stage
from pipeline.compliance.account import Account
from pipeline.datasets.dataset import DataFacts, Dataset, Tables
from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.evaluation.study import Study

#: Called with a description, the steps done and the steps in all; the edge turns it into a bar or a line.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainedCandidate:
    """A candidate after training: its files and what its backtest gave.

    Attributes:
        spec: the charter's candidate.
        directory: model files in safe formats only (LightGBM text, JSON, Parquet); ``model.txt`` is the booster.
        digest: SHA-256 over the model files.
        backtest: outcomes over rolling-origin cutoffs of history, arms ``baseline:*`` and the candidate's name;
            slice column ``cutoff`` (ISO date) separates the games, so that choosing and confirming can be nested.
        metrics: technical figures (WAPE, bias, pinball …), shown and never gated on alone.
        parameters: what was fitted with, for tracking.
        seconds: wall time of the training.
    """

    spec: Candidate
    directory: Path
    digest: str
    backtest: Outcomes
    metrics: dict[str, float]
    parameters: dict[str, str | int | float | bool]
    seconds: float


@dataclass(frozen=True)
class Arm:
    """One way to decide, to be played: a trained model under a charter's policy, or a named baseline policy.

    The charter is the arm's own: the arm "without feedback item F1" plays the charter without F1's patch.
    """

    name: str
    charter: Charter
    candidate: TrainedCandidate | None = None
    baseline: str | None = None


@runtime_checkable
class Accountable(Protocol):
    """What a domain offers beside that, if it can: a word on each single decision. Asked for by the controls."""

    def account(
        self,
        charter: Charter,
        location: Path,
        arm: Arm,
        units: tuple[str, ...] | None,
        *,
        dataset: Dataset | None = None,
        explained: int | None = 0,
    ) -> Account:
        """The decisions of the next period as :meth:`Problem.decide` makes them, with what there is to say of each.

        They are the model's own, before the charter's limits of amounts: serving holds them to these, and a domain's
        games and field hold theirs by the same function, :func:`pipeline.compliance.limits.held`.

        Args:
            charter: the charter the arm was judged under.
            location: where the newest data lies.
            arm: who decides for the units.
            units: who follows the arm; None for all.
            dataset: decide on these tables in place of the newest data.
            explained: so many decisions at most are taken apart, a seeded sample; None for all of the model's.
        """

    def hindsight(self, charter: Charter, dataset: Dataset, overrides: pd.DataFrame) -> pd.DataFrame:
        """What single decisions that people changed came to, once their period is over.

        Args:
            charter: its costs.
            dataset: clean tables with what really happened.
            overrides: the key columns of the decisions as text, ``cutoff`` (date), ``model``, ``quantity`` and
                ``standing``, as the account had them.

        Returns:
            The same rows with ``saved``: what the person's decision saved against the model's, in the charter's
            currency; negative where the model had done better, NaN where it cannot be told, or not yet.
        """


class Problem(Protocol):
    """What a domain offers the loop.

    Attributes:
        name: as the charter writes it.
        unit_word: plural of what a unit is, such as ``stores``.
    """

    name: str
    unit_word: str

    def kpis(self, charter: Charter) -> Mapping[str, KpiDefinition]:
        """The KPIs this charter may name; what they are measured in may follow from it."""

    def baselines(self, charter: Charter) -> tuple[str, ...]:
        """The policies this charter may name as its baseline; all of them are always played."""

    def check(self, charter: Charter) -> tuple[Advice, ...]:
        """What only the domain can find wrong in a charter. Light: must not import model libraries.

        It may read ``kpi``, ``guardrails``, ``scope``, ``data``, ``business``, ``model``, ``policy``, ``controls``,
        ``compliance``, ``stages`` and ``seed``; anything else may be missing when other parts of the file are at fault.
        """

    def load(self, charter: Charter, location: Path) -> Tables:
        """Read the source's tables as they are, dirty rows included."""

    def contracts(self, charter: Charter, tables: Tables) -> Mapping[str, Any]:
        """A :class:`pandera.pandas.DataFrameSchema` per table."""

    def cutoff(self, tables: Tables) -> Any:
        """The last period the clean tables hold, as a :class:`datetime.date`."""

    def facts(self, charter: Charter, dataset: Dataset, previous: Dataset | None) -> DataFacts:
        """What the assessment judges."""

    def units(self, charter: Charter, dataset: Dataset, stage: Stage) -> tuple[str, ...]:
        """The units of a stage; a higher stage contains the units of the lower ones."""

    def measured_baseline(self, charter: Charter, dataset: Dataset, units: tuple[str, ...]) -> float:
        """The charter's KPI under the incumbent policy over ``kpi.baseline.measured_over`` periods of history."""

    def train(
        self,
        charter: Charter,
        dataset: Dataset,
        spec: Candidate,
        units: tuple[str, ...],
        directory: Path,
        progress: Progress,
    ) -> TrainedCandidate:
        """Backtest and fit one candidate on data up to the dataset's cutoff; deterministic under the seed."""

    def load_candidate(self, spec: Candidate, directory: Path) -> TrainedCandidate:
        """Read a trained candidate back from its files."""

    def play(
        self,
        charter: Charter,
        dataset: Dataset,
        location: Path,
        arms: tuple[Arm, ...],
        treated: str,
        units: tuple[str, ...],
        periods: int,
        key: str,
        progress: Progress,
    ) -> Outcomes:
        """Play every arm on the same units and periods.

        Where the source is a world that answers (the synthetic retailer), the world moves on by ``periods`` with
        the stores in ``units`` following the arm named ``treated`` and all others the incumbent rule; the same
        ``key`` plays once and is answered from the record afterwards. Where it is recorded history, the arms are
        played on the confirming cutoffs of the backtest and ``units`` and ``periods`` do not matter.
        """

    def decide(self, charter: Charter, location: Path, arm: Arm, units: tuple[str, ...] | None) -> pd.DataFrame:
        """The decisions of the next period for every series, in the order the source asks for.

        ``units`` follow the arm and all others the incumbent rule; with None, all follow the arm.
        """

    def observed(self, charter: Charter, dataset: Dataset) -> Observed:
        """What recorded data shows of every unit in every period, whoever decided: the stuff of field experiments.

        Only components that were really recorded; a KPI whose components are missing cannot be measured against
        controls.
        """

    def realised(self, charter: Charter, dataset: Dataset, followers: Mapping[str, date] | None = None) -> pd.DataFrame:
        """What really happened, period by period: the KPIs that recorded data can tell, newest 26 periods.

        A figure of a period rests on that period's rows alone, so that later data never changes it.

        Args:
            charter: its scope and seed.
            dataset: clean tables.
            followers: units that follow the model, each with its first period; a unit counts from the first period
                that the model's decisions could change.

        Returns:
            One row per period, group and KPI; columns ``period`` (date), ``group`` (``model``: the units that follow
            it; ``all``), ``kpi``, ``value``, ``low``, ``high``, ``units`` (resampled units). Rows without a
            measurable value, and groups without units, are left out.
        """

    def drift_frames(
        self, charter: Charter, dataset: Dataset, previous: Dataset | None, rows: int
    ) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """Current and reference frame of the same columns, each a seeded sample of at most ``rows`` rows.

        The reference is the previous iteration's dataset, or an earlier span of the same one for the first; None
        where there is nothing to compare.
        """


@runtime_checkable
class Studying(Protocol):
    """A problem that can play further ways to decide on its past games; to be one is optional."""

    def study(
        self,
        charter: Charter,
        dataset: Dataset,
        trained: Mapping[str, TrainedCandidate],
        challenger: str,
        units: tuple[str, ...],
        progress: Progress,
    ) -> Study | None:
        """The challenger under other policies, parameters and seeds, beside all candidates and baselines.

        All are played on the games of the candidates' backtests. None where the source is a world that answers: what
        a decision costs is seen there in the field.
        """


@runtime_checkable
class Answering(Protocol):
    """A problem whose source may be a world that answers decisions, and so is another one after each play."""

    def rewound(self, charter: Charter, location: Path, key: str, target: Path) -> Path:
        """The source as it stood before it was played under a key, so that the play can be made again.

        A world that answers is copied to ``target`` as it was at that moment; recorded tables are as they are, and
        ``location`` is handed back. The source itself is never changed.
        """

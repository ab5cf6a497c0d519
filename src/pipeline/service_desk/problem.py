"""The service desk as the loop sees it. Importing it and calling ``check`` loads no model library."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.charter import Advice, Candidate, Charter, Stage
from pipeline.compliance.account import Account
from pipeline.datasets.dataset import DataFacts, Dataset, Tables
from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.problems.base import Arm, Progress, TrainedCandidate
from pipeline.problems.staged import staged_units
from pipeline.service_desk import offers
from pipeline.service_desk.parameters import business_of

if TYPE_CHECKING:
    from pipeline.service_desk.field import Game
    from pipeline.service_desk.log import Log


class ServiceDesk:
    """Which ticket each team answers next, and how many agents are on duty in each half-day.

    The source ``desk`` is a synthetic service desk that answers back.
    """

    name = "service_desk"
    unit_word = "teams"

    def __init__(self) -> None:
        self._log: tuple[str, Log] | None = None

    def kpis(self, charter: Charter) -> Mapping[str, KpiDefinition]:  # noqa: ARG002 - the protocol's
        """See :data:`pipeline.service_desk.offers.KPIS`."""
        return offers.KPIS

    def baselines(self, charter: Charter) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's
        """See :data:`pipeline.service_desk.offers.BASELINES`."""
        return offers.BASELINES

    def check(self, charter: Charter) -> tuple[Advice, ...]:
        """What only this domain can find wrong in a charter."""
        return offers.check(charter)

    def load(self, charter: Charter, location: Path) -> Tables:
        """Read the desk's tables; a desk is founded where there is none yet.

        Raises:
            DataError: naming every file that is missing or cannot be read.
        """
        from pipeline.service_desk.field import tables_at
        from pipeline.service_desk.world import WorldSpec

        return tables_at(location, WorldSpec(seed=charter.seed))

    def contracts(self, charter: Charter, tables: Tables) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's
        """The contract of tickets, events, shifts and teams."""
        from pipeline.service_desk.contract import contracts

        return contracts(tables)

    def cutoff(self, tables: Tables) -> date:
        """Monday of the last week of shifts."""
        last = tables["shifts"]["begins"].max()
        monday: date = (last - pd.Timedelta(days=last.dayofweek)).date()
        return monday

    def facts(self, charter: Charter, dataset: Dataset, previous: Dataset | None) -> DataFacts:
        """Coverage, open tickets, ages, leaks by shifting the future, drift of the newest weeks."""
        from pipeline.service_desk.log import log_of
        from pipeline.service_desk.measures import facts_of

        earlier = log_of(previous.tables) if previous else None
        return facts_of(charter, dataset, self._log_of(dataset), earlier)

    def units(self, charter: Charter, dataset: Dataset, stage: Stage) -> tuple[str, ...]:
        """The teams of a stage, by the columns of the table of teams."""
        return staged_units(charter, dataset.tables["teams"], "team", stage)

    def measured_baseline(self, charter: Charter, dataset: Dataset, units: tuple[str, ...]) -> float:
        """The charter's KPI under its baseline policy on these teams, over ``measured_over`` recorded weeks."""
        from pipeline.service_desk.candidates import measured

        kpi = offers.KPIS[charter.kpi.name]
        return measured(charter, self._log_of(dataset), units, kpi.numerator, kpi.denominator)

    def train(
        self,
        charter: Charter,
        dataset: Dataset,
        spec: Candidate,
        units: tuple[str, ...],
        directory: Path,
        progress: Progress,
    ) -> TrainedCandidate:
        """Past games with a model fitted for each, then the fit on everything.

        Raises:
            DataError: the history is too short for the games the charter asks for.
            ModelError: there is too little to learn from.
        """
        from pipeline.service_desk.candidates import train

        return train(charter, spec, self._log_of(dataset), units, directory, progress)

    def load_candidate(self, spec: Candidate, directory: Path) -> TrainedCandidate:
        """Read a trained candidate back."""
        from pipeline.service_desk.candidates import load

        return load(spec, directory)

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
        """The desk moves on, once per key; every arm is played on the same teams and tickets."""
        from pipeline.service_desk.field import play_field

        log = self._log_of(dataset)
        return play_field(
            location,
            key,
            periods,
            dataset.cutoff,
            self._game(charter, log, arms, treated, units, periods),
            progress,
        )

    def rewound(self, charter: Charter, location: Path, key: str, target: Path) -> Path:  # noqa: ARG002
        """The desk before a play of its weeks."""
        from pipeline.service_desk.field import rewound

        return rewound(location, key, target)

    def decide(self, charter: Charter, location: Path, arm: Arm, units: tuple[str, ...] | None = None) -> pd.DataFrame:
        """Every team's queue in order and its shifts of the coming week; see :mod:`pipeline.service_desk.serving`.

        Raises:
            DataError: the data cannot be read or breaks its contract.
        """
        from pipeline.service_desk.serving import decisions

        return decisions(charter, arm, units, self._newest(charter, location))

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
        """The decisions of :meth:`decide`, each with today's, what is unusual about the ticket and what moved it.

        Raises:
            DataError: as for :meth:`decide`.
        """
        from pipeline.service_desk.accounting import told

        log = self._newest(charter, location) if dataset is None else self._log_of(dataset)
        return told(charter, arm, units, log, explained)

    def hindsight(self, charter: Charter, dataset: Dataset, overrides: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002
        """Nothing is claimed: what a queue would have become without the change, no log tells."""
        return overrides.assign(saved=float("nan"))

    def observed(self, charter: Charter, dataset: Dataset) -> Observed:
        """All components of every team and week, by category, channel, priority and region."""
        from pipeline.service_desk.realised import observed

        log = self._log_of(dataset)
        return observed(log, business_of(charter).response_limit, log.left_out(charter.scope.leave_out))

    def realised(self, charter: Charter, dataset: Dataset, followers: Mapping[str, date] | None = None) -> pd.DataFrame:
        """All KPIs of each of the newest weeks: a desk records everything they rest on."""
        from pipeline.service_desk.realised import realised

        log, limit = self._log_of(dataset), business_of(charter).response_limit
        return realised(log, limit, log.left_out(charter.scope.leave_out), followers or {}, charter.seed)

    def drift_frames(
        self, charter: Charter, dataset: Dataset, previous: Dataset | None, rows: int
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Tickets of the newest weeks, and of those they are held against."""
        from pipeline.service_desk.log import log_of
        from pipeline.service_desk.measures import frames

        return frames(self._log_of(dataset), log_of(previous.tables) if previous else None, rows, charter.seed)

    def _game(
        self,
        charter: Charter,
        log: "Log",
        arms: tuple[Arm, ...],
        treated: str,
        units: tuple[str, ...],
        periods: int,
    ) -> "Game":
        from pipeline.service_desk.field import Game
        from pipeline.service_desk.planning import planner_of

        return Game(
            planners={arm.name: planner_of(arm, log, periods) for arm in arms},
            treated=treated,
            teams=tuple(int(code) for code in log.codes(units)),
            limit=business_of(charter).response_limit,
            left_out=charter.scope.leave_out.get("category", ()),
        )

    def _newest(self, charter: Charter, location: Path) -> "Log":
        """The log of what lies at the source now."""
        from pipeline.datasets.contracts import apply_contracts
        from pipeline.service_desk.log import log_of

        raw = self.load(charter, location)
        tables, _ = apply_contracts(raw, self.contracts(charter, raw))
        return log_of(tables)

    def _log_of(self, dataset: Dataset) -> "Log":
        """The log of a dataset; the last one is kept, as every step of an iteration asks for the same."""
        from pipeline.service_desk.log import log_of

        if self._log is None or self._log[0] != dataset.digest:
            self._log = (dataset.digest, log_of(dataset.tables))
        return self._log[1]

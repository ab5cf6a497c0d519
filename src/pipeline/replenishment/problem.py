"""The replenishment domain as the loop sees it. Importing it and calling ``check`` loads no model library."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.charter import Advice, Candidate, Charter, Stage
from pipeline.compliance.account import Account
from pipeline.datasets.dataset import DataFacts, Dataset, Tables
from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.problems.base import Arm, Progress, TrainedCandidate
from pipeline.problems.parts import Parts
from pipeline.problems.staged import staged_units
from pipeline.replenishment import offers
from pipeline.replenishment.parameters import business_of

if TYPE_CHECKING:
    from pipeline.evaluation.study import Study
    from pipeline.replenishment.panel import Panel

Result = TypeVar("Result")

#: Series the rolling games are played on at most: whole stores, those of the stage first.
GAME_SERIES = 2400


class Replenishment:
    """How many units of each product every store orders at the end of each week.

    Sources: ``retailer`` and ``overstocked``, synthetic chains that answer back; ``vn2``, the files of a public
    challenge; ``tables``, a user's own tables in long form.
    """

    name = "replenishment"
    unit_word = "stores"

    def __init__(self, parts: Parts | None = None) -> None:
        self._panel: tuple[tuple[str, int], Panel] | None = None
        self._parts = parts

    def in_parts(self, parts: Parts) -> "Replenishment":
        """Reads the newest data and decides by parts of whole stores; the decisions are the same to the last unit."""
        twin = Replenishment(parts)
        twin._panel = self._panel
        return twin

    def kpis(self, charter: Charter) -> Mapping[str, KpiDefinition]:  # noqa: ARG002 - the protocol's
        """See :data:`pipeline.replenishment.offers.KPIS`."""
        return offers.KPIS

    def baselines(self, charter: Charter) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's
        """See :mod:`pipeline.replenishment.baselines`."""
        return offers.BASELINES

    def check(self, charter: Charter) -> tuple[Advice, ...]:
        """What only this domain can find wrong in a charter."""
        return offers.check(charter)

    def load(self, charter: Charter, location: Path) -> Tables:
        """Read the source's tables; a retailer is founded where there is none yet.

        Raises:
            DataError: naming every file that is missing or cannot be read.
        """
        lead_time = business_of(charter).lead_time
        if charter.data.source == "vn2":
            from pipeline.replenishment.vn2 import read_vn2

            return read_vn2(location, lead_time)
        if charter.data.source == "tables":
            from pipeline.replenishment.longform import read_long

            return read_long(location, lead_time)
        from pipeline.replenishment.demand import CHAINS
        from pipeline.replenishment.field import tables_at

        return tables_at(location, replace(CHAINS[charter.data.source], seed=charter.seed, lead_time=lead_time))

    def contracts(self, charter: Charter, tables: Tables) -> Mapping[str, Any]:
        """The contract of the domain's tables, the same for all sources."""
        from pipeline.replenishment.contract import contracts

        return contracts(tables, business_of(charter).lead_time)

    def cutoff(self, tables: Tables) -> date:
        """Monday of the last week of sales."""
        from pipeline.replenishment.measures import last_week

        return last_week(tables)

    def facts(self, charter: Charter, dataset: Dataset, previous: Dataset | None) -> DataFacts:
        """Coverage, censoring, ages, leaks by shifting the future, drift of the newest weeks."""
        from pipeline.replenishment.measures import facts_of
        from pipeline.replenishment.panel import panel_from_tables

        lead_time = business_of(charter).lead_time
        earlier = panel_from_tables(previous.tables, lead_time) if previous else None
        return facts_of(charter, dataset, self._panel_of(charter, dataset), earlier)

    def units(self, charter: Charter, dataset: Dataset, stage: Stage) -> tuple[str, ...]:
        """The stores of a stage, by the columns of the table of stores."""
        return staged_units(charter, dataset.tables["stores"], "store", stage)

    def measured_baseline(self, charter: Charter, dataset: Dataset, units: tuple[str, ...]) -> float:
        """The charter's KPI under its baseline policy on these stores.

        What today's rule gives stands in the chain's own books, over ``measured_over`` weeks. What these do not tell,
        and any other policy, is measured by the rolling games.
        """
        goal, kpi = charter.kpi, offers.KPIS[charter.kpi.name]
        panel = self._scoped(charter, dataset)
        if goal.baseline.policy == "incumbent" and charter.data.source != "vn2":
            from pipeline.replenishment.observed import seen

            stores = panel.series["store"].isin(units).to_numpy()
            found = seen(panel.take(stores), kpi, goal.baseline.measured_over)
            if not math.isnan(found):
                return found
        from pipeline.replenishment.candidates import measured_in_games

        games = self._games(charter, dataset, units)
        return measured_in_games(charter, games.games, games.cutoffs, kpi)

    def train(
        self,
        charter: Charter,
        dataset: Dataset,
        spec: Candidate,
        units: tuple[str, ...],
        directory: Path,
        progress: Progress,
    ) -> TrainedCandidate:
        """Rolling games with a model fitted for each, then the fit on everything.

        Raises:
            DataError: the history is too short for the games the charter asks for.
            ModelError: there is nothing to learn from.
        """
        from pipeline.replenishment.candidates import train

        return train(charter, spec, self._games(charter, dataset, units), directory, progress)

    def load_candidate(self, spec: Candidate, directory: Path) -> TrainedCandidate:
        """Read a trained candidate back."""
        from pipeline.replenishment.candidates import load

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
        """The retailer's world moves on, once per key; recorded history is played on its confirming games."""
        if charter.data.source in offers.RECORDED:
            from pipeline.datasets.splits import tune_confirm
            from pipeline.replenishment.candidates import replayed

            history = self._games(charter, dataset, units)
            return replayed(arms, business_of(charter), history.games, tune_confirm(history.cutoffs)[1], progress)
        from pipeline.replenishment.field import play_field
        from pipeline.replenishment.teams import players

        return play_field(
            location,
            key,
            periods,
            business_of(charter),
            lambda panel: players(charter, arms, treated, units, panel),
            progress,
        )

    def study(
        self,
        charter: Charter,
        dataset: Dataset,
        trained: Mapping[str, TrainedCandidate],
        challenger: str,
        units: tuple[str, ...],
        progress: Progress,
    ) -> "Study | None":
        """Policies, service levels and seeds on the past games of recorded history; see :mod:`.study`."""
        if charter.data.source not in offers.RECORDED:
            return None
        from pipeline.replenishment.study import study

        return study(charter, self._games(charter, dataset, units), trained, challenger, progress)

    def rewound(self, charter: Charter, location: Path, key: str, target: Path) -> Path:  # noqa: ARG002
        """The retailer before a play of its weeks; the VN2 files as they are."""
        from pipeline.replenishment.field import rewound

        return rewound(location, key, target)

    def decide(self, charter: Charter, location: Path, arm: Arm, units: tuple[str, ...] | None = None) -> pd.DataFrame:
        """One order per series: VN2's filled template, else store, product and order, a user's ids before them.

        Args:
            charter: the charter the arm was judged under.
            location: where the newest data lies.
            arm: the model or baseline.
            units: the stores that follow it; all others get the order of the charter's baseline. None: all follow.

        Raises:
            DataError: the data cannot be read or breaks its contract.
        """
        from pipeline.replenishment.teams import orders_of

        work = _knowing_the_end(charter, partial(orders_of, charter, _found_anywhere(arm), units))
        series, _, orders = self._worked(charter, location, work)
        return _written(charter, location, series, np.concatenate(orders))[0]

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
        """The orders of :meth:`decide`, each with today's, what is unusual about it and what moved it.

        Raises:
            DataError: as for :meth:`decide`.
        """
        from pipeline.replenishment import accounting

        work = _knowing_the_end(charter, partial(accounting.told, charter, _found_anywhere(arm), units, explained))
        if dataset is None:
            series, last, told = self._worked(charter, location, work)
        else:
            panel = self._panel_of(charter, dataset)
            series, last, told = panel.series, panel.last, [work(panel)]
        said = accounting.side_by_side(told)
        decisions, places = _written(charter, location, series, said.orders)
        return said.as_account(decisions, places, last)

    def hindsight(self, charter: Charter, dataset: Dataset, overrides: pd.DataFrame) -> pd.DataFrame:
        """What changed orders saved; see :func:`pipeline.replenishment.accounting.saved`."""
        from pipeline.replenishment.accounting import saved

        asked = overrides.rename(columns=str.lower)
        return overrides.assign(saved=saved(business_of(charter), self._panel_of(charter, dataset), asked))

    def observed(self, charter: Charter, dataset: Dataset) -> Observed:
        """Reported stock-outs, sales and stock of every store and week, by department."""
        from pipeline.replenishment.observed import observed

        return observed(self._scoped(charter, dataset))

    def realised(self, charter: Charter, dataset: Dataset, followers: Mapping[str, date] | None = None) -> pd.DataFrame:
        """Stock-outs of each week, and stock and its turnover where it was counted: every week, or the newest one."""
        from pipeline.replenishment.realised import realised

        panel = self._scoped(charter, dataset)
        return realised(panel, dataset.tables["state"], followers or {}, charter.seed)

    def drift_frames(
        self, charter: Charter, dataset: Dataset, previous: Dataset | None, rows: int
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Sales rows with price, discount and hierarchy: the newest weeks and those they are held against."""
        from pipeline.replenishment.measures import frames

        return frames(dataset.tables, previous.tables if previous else None, rows, charter.seed)

    def _worked(
        self, charter: Charter, location: Path, work: "Callable[[Panel], Result]"
    ) -> tuple[pd.DataFrame, date, list[Result]]:
        """The series of what lies at the source now, its last week, and the work done on it, by parts or at once."""
        if self._parts is not None:
            from pipeline.replenishment.newest import newest_in_parts

            with newest_in_parts(charter, location, self._parts) as chain:
                if chain is not None:
                    return chain.series, chain.last, chain.worked(self._parts, work)
        panel = self._newest(charter, location)
        return panel.series, panel.last, [work(panel)]

    def _newest(self, charter: Charter, location: Path) -> "Panel":
        """The panel of what lies at the source now."""
        from pipeline.datasets.contracts import apply_contracts
        from pipeline.replenishment.panel import panel_from_tables

        raw = self.load(charter, location)
        tables, _ = apply_contracts(raw, self.contracts(charter, raw))
        return panel_from_tables(tables, business_of(charter).lead_time)

    def _games(self, charter: Charter, dataset: Dataset, units: tuple[str, ...]) -> "Any":
        """The panels and cutoffs a candidate is trained on."""
        from pipeline.datasets.splits import cutoffs
        from pipeline.replenishment.candidates import Material, sampled
        from pipeline.replenishment.games import weeks_played
        from pipeline.replenishment.training import LEAST_HISTORY

        panel = self._scoped(charter, dataset)
        model = charter.model
        if model.train_on == "stage":
            panel = panel.take(panel.series["store"].isin(units).to_numpy())
        weeks = weeks_played(panel.lead_time)
        chosen = cutoffs(panel.periods, weeks, model.backtest_cutoffs, model.backtest_every, least=LEAST_HISTORY)
        return Material(panel, sampled(panel, units, GAME_SERIES, charter.seed), chosen, self._parts)

    def _scoped(self, charter: Charter, dataset: Dataset) -> "Panel":
        from pipeline.replenishment.teams import without

        return without(self._panel_of(charter, dataset), charter.scope.leave_out)

    def _panel_of(self, charter: Charter, dataset: Dataset) -> "Panel":
        """The dense panel of a dataset; the last one is kept, as every step of an iteration asks for the same."""
        from pipeline.replenishment.panel import panel_from_tables

        lead_time = business_of(charter).lead_time
        if self._panel is None or self._panel[0] != (dataset.digest, lead_time):
            self._panel = ((dataset.digest, lead_time), panel_from_tables(dataset.tables, lead_time))
        return self._panel[1]


def _knowing_the_end(charter: Charter, work: "Callable[[Panel], Result]") -> "Callable[[Panel], Result]":
    """The work on a panel that is told whether its order is the charter's last one, or a further one after it."""
    return partial(_told_of, business_of(charter).last_order, work)


def _told_of(end: date | None, work: "Callable[[Panel], Result]", panel: "Panel") -> Result:
    return work(replace(panel, last_order=end is not None and end < panel.last + timedelta(weeks=1)))


def _found_anywhere(arm: Arm) -> Arm:
    """The arm with the whole path of its model: whoever works on a part may stand in another folder."""
    if arm.candidate is None:
        return arm
    return replace(arm, candidate=replace(arm.candidate, directory=arm.candidate.directory.resolve()))


def _written(
    charter: Charter, location: Path, series: pd.DataFrame, orders: NDArray[np.int64]
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Orders (N,) as the source wants them handed in, and the place of each row among the panel's series."""
    if charter.data.source == "vn2":
        from pipeline.replenishment.vn2 import in_template_order, read_template, template_order

        template = read_template(location)
        return in_template_order(template, series, orders), template_order(template, series)
    decisions = series[["store", "product"]].assign(order=orders)
    if charter.data.source == "tables":
        from pipeline.replenishment.longform import ID, ids_of

        decisions.insert(0, ID, ids_of(location, series))
    return decisions, np.arange(len(series))

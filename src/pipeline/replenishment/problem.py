"""The replenishment domain as the loop sees it. Importing it and calling ``check`` loads no model library."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.charter import Advice, Candidate, Charter, Stage
from pipeline.datasets.dataset import DataFacts, Dataset, Tables
from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.problems.base import Arm, Progress, TrainedCandidate
from pipeline.problems.staged import staged_units
from pipeline.replenishment import offers
from pipeline.replenishment.parameters import business_of

if TYPE_CHECKING:
    from pipeline.replenishment.panel import Panel

#: Series the rolling games are played on at most: whole stores, those of the stage first.
GAME_SERIES = 2400


class Replenishment:
    """How many units of each product every store orders at the end of each week.

    Sources: ``retailer``, a synthetic chain that answers back, and ``vn2``, the files of a public challenge.
    """

    name = "replenishment"
    unit_word = "stores"

    def __init__(self) -> None:
        self._panel: tuple[tuple[str, int], Panel] | None = None

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
        from pipeline.replenishment.demand import WorldSpec
        from pipeline.replenishment.field import tables_at

        return tables_at(location, WorldSpec(seed=charter.seed, lead_time=lead_time))

    def contracts(self, charter: Charter, tables: Tables) -> Mapping[str, Any]:
        """The contract of the long tables, the same for both sources."""
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

        The stock-out rate of today's rule is what the chain sees: the share of listed series-weeks in which the shelf
        ran empty, over ``measured_over`` weeks. Anything else is measured by the rolling games.
        """
        goal = charter.kpi
        panel = self._scoped(charter, dataset)
        if goal.name == "stockout_rate" and goal.baseline.policy == "incumbent" and charter.data.source == "retailer":
            from pipeline.replenishment.measures import seen_stockouts

            stores = panel.series["store"].isin(units).to_numpy()
            return seen_stockouts(panel.take(stores), goal.baseline.measured_over)
        from pipeline.replenishment.candidates import measured_in_games

        games = self._games(charter, dataset, units)
        return measured_in_games(charter, games.games, games.cutoffs, offers.KPIS[goal.name])

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
        if charter.data.source == "vn2":
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

    def decide(self, charter: Charter, location: Path, arm: Arm, units: tuple[str, ...] | None = None) -> pd.DataFrame:
        """One order per series: for VN2 the filled template, else ``store``, ``product``, ``order``.

        Args:
            charter: the charter the arm was judged under.
            location: where the newest data lies.
            arm: the model or baseline.
            units: the stores that follow it; all others get the order of the charter's baseline. None: all follow.

        Raises:
            DataError: the data cannot be read or breaks its contract.
        """
        from pipeline.datasets.contracts import apply_contracts
        from pipeline.replenishment.panel import panel_from_tables
        from pipeline.replenishment.teams import orders_of

        raw = self.load(charter, location)
        tables, _ = apply_contracts(raw, self.contracts(charter, raw))
        panel = panel_from_tables(tables, business_of(charter).lead_time)
        orders = orders_of(charter, arm, units, panel)
        if charter.data.source == "vn2":
            from pipeline.replenishment.vn2 import in_template_order, read_template

            return in_template_order(read_template(location), panel.series, orders)
        return panel.series[["store", "product"]].assign(order=orders)

    def observed(self, charter: Charter, dataset: Dataset) -> Observed:
        """Reported stock-outs and sales of every store and week, by department."""
        from pipeline.replenishment.observed import observed

        return observed(self._scoped(charter, dataset))

    def realised(self, charter: Charter, dataset: Dataset, followers: Mapping[str, date] | None = None) -> pd.DataFrame:
        """Stock-outs as reported in each week, and stock and its turnover in the newest one."""
        from pipeline.replenishment.realised import realised

        panel = self._scoped(charter, dataset)
        return realised(panel, dataset.tables["state"], followers or {}, charter.seed)

    def drift_frames(
        self, charter: Charter, dataset: Dataset, previous: Dataset | None, rows: int
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Sales rows with price, discount and hierarchy: the newest weeks and those they are held against."""
        from pipeline.replenishment.measures import frames

        return frames(dataset.tables, previous.tables if previous else None, rows, charter.seed)

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
        return Material(panel, sampled(panel, units, GAME_SERIES, charter.seed), chosen)

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

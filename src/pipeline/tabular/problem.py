"""A table as the loop sees it. Importing it and calling ``check`` loads no model library."""

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
from pipeline.tabular import offers

if TYPE_CHECKING:
    from pipeline.tabular.cases import Cases


class Tabular:
    """A decision per row of one table: act or leave, a class, or a number. All of it is said in the charter."""

    name = "tabular"
    unit_word = "units"

    def __init__(self) -> None:
        self._cases: tuple[tuple[str, str], Cases] | None = None

    def kpis(self, charter: Charter) -> Mapping[str, KpiDefinition]:
        """See :func:`pipeline.tabular.offers.kpis`."""
        return offers.kpis(charter)

    def baselines(self, charter: Charter) -> tuple[str, ...]:
        """See :func:`pipeline.tabular.offers.baselines`."""
        return offers.baselines(charter)

    def check(self, charter: Charter) -> tuple[Advice, ...]:
        """What only this problem can find wrong in a charter."""
        return offers.check(charter)

    def load(self, charter: Charter, location: Path) -> Tables:
        """Read the table and its contract; see :mod:`pipeline.tabular.source`.

        Raises:
            DataError: naming every file or column that is missing or cannot be read.
        """
        from pipeline.tabular.source import tables_at

        return tables_at(charter, location)

    def contracts(self, charter: Charter, tables: Tables) -> Mapping[str, Any]:
        """The schema that ``contract.csv`` describes, and that of the contract itself.

        Raises:
            DataError: the contract cannot be read, or leaves out a column that the charter names.
        """
        from pipeline.tabular.parameters import business_of
        from pipeline.tabular.rules import CONTRACT, schema_of_rules, schema_of_table

        name = charter.data.tables[0].name
        present = tuple(str(column) for column in tables[name].columns)
        table = schema_of_table(tables[CONTRACT], business_of(charter), present)
        return {name: table, CONTRACT: schema_of_rules()}

    def cutoff(self, tables: Tables) -> date:
        """First day of the last period with a case."""
        from pipeline.tabular.source import PERIOD

        newest: date = max(frame[PERIOD].max() for frame in tables.values() if PERIOD in frame).date()
        return newest

    def facts(self, charter: Charter, dataset: Dataset, previous: Dataset | None) -> DataFacts:
        """Coverage of units and periods, columns that give the target away, drift of the newest periods."""
        from pipeline.tabular.cases import cases_of
        from pipeline.tabular.facts import facts_of

        earlier = cases_of(charter, previous.tables) if previous else None
        return facts_of(charter, dataset, self._cases_of(charter, dataset), earlier)

    def units(self, charter: Charter, dataset: Dataset, stage: Stage) -> tuple[str, ...]:
        """The units of a stage: values of the unit's column, or seeded lots of cases."""
        from pipeline.tabular.source import UNIT

        return staged_units(charter, dataset.tables[charter.data.tables[0].name], UNIT, stage)

    def measured_baseline(self, charter: Charter, dataset: Dataset, units: tuple[str, ...]) -> float:
        """The charter's KPI under its baseline policy on these units, over ``measured_over`` recorded periods."""
        from pipeline.tabular.recorded import measured

        return measured(charter, self._cases_of(charter, dataset), units)

    def train(
        self,
        charter: Charter,
        dataset: Dataset,
        spec: Candidate,
        units: tuple[str, ...],
        directory: Path,
        progress: Progress,
    ) -> TrainedCandidate:
        """Past cutoffs with a model fitted for each, then the model that is kept.

        Raises:
            DataError: the history is too short for the cutoffs the charter asks for.
            ModelError: there is too little to learn from.
        """
        from pipeline.tabular.candidates import train

        return train(charter, spec, self._cases_of(charter, dataset), units, directory, progress)

    def load_candidate(self, spec: Candidate, directory: Path) -> TrainedCandidate:
        """Read a trained candidate back."""
        from pipeline.tabular.candidates import load

        return load(spec, directory)

    def play(
        self,
        charter: Charter,
        dataset: Dataset,
        location: Path,  # noqa: ARG002 - the protocol's
        arms: tuple[Arm, ...],
        treated: str,
        units: tuple[str, ...],
        periods: int,  # noqa: ARG002
        key: str,  # noqa: ARG002
        progress: Progress,
    ) -> Outcomes:
        """Every arm on these units' cases after the cutoffs that no candidate was chosen on."""
        from pipeline.tabular.candidates import replayed

        outcomes = replayed(charter, self._cases_of(charter, dataset), arms, treated, units)
        progress("arms", len(arms), len(arms))
        return outcomes

    def decide(self, charter: Charter, location: Path, arm: Arm, units: tuple[str, ...] | None = None) -> pd.DataFrame:
        """A decision for every case whose target is empty; see :mod:`pipeline.tabular.serving`.

        Raises:
            DataError: the data cannot be read or breaks its contract.
        """
        from pipeline.tabular.serving import decisions

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
        """The decisions of :meth:`decide`, each with today's, what is unusual about the case and what moved it.

        Of a dataset in which no case waits, the newest period's are decided on as if their outcome were not known.

        Raises:
            DataError: as for :meth:`decide`.
        """
        from pipeline.tabular.accounting import newest, told

        cases = self._newest(charter, location) if dataset is None else self._cases_of(charter, dataset)
        waiting = newest(cases) if dataset is not None and cases.waiting.empty else cases.waiting
        return told(charter, arm, units, cases, waiting, explained)

    def hindsight(self, charter: Charter, dataset: Dataset, overrides: pd.DataFrame) -> pd.DataFrame:
        """What changed decisions were worth more, once the outcome is known; see :func:`.accounting.saved`."""
        from pipeline.tabular.accounting import saved

        return overrides.assign(saved=saved(charter, self._cases_of(charter, dataset), overrides))

    def observed(self, charter: Charter, dataset: Dataset) -> Observed:
        """Cases of every unit and period, and what the decisions on them were worth where those are written down."""
        from pipeline.tabular.recorded import observed

        return observed(charter, self._cases_of(charter, dataset))

    def realised(self, charter: Charter, dataset: Dataset, followers: Mapping[str, date] | None = None) -> pd.DataFrame:
        """The KPIs of the newest periods, as far as the table tells them."""
        from pipeline.tabular.recorded import realised

        return realised(charter, self._cases_of(charter, dataset), followers or {})

    def drift_frames(
        self, charter: Charter, dataset: Dataset, previous: Dataset | None, rows: int
    ) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """Features of the newest periods, and of those they are held against."""
        from pipeline.tabular.cases import cases_of
        from pipeline.tabular.facts import frames

        before = cases_of(charter, previous.tables) if previous else None
        return frames(charter, self._cases_of(charter, dataset), before, rows)

    def _newest(self, charter: Charter, location: Path) -> "Cases":
        """The cases of what lies at the source now."""
        from pipeline.datasets.contracts import apply_contracts
        from pipeline.tabular.cases import cases_of

        raw = self.load(charter, location)
        tables, _ = apply_contracts(raw, self.contracts(charter, raw))
        return cases_of(charter, tables)

    def _cases_of(self, charter: Charter, dataset: Dataset) -> "Cases":
        """The cases of a dataset; the last ones are kept, as every step of an iteration asks for the same."""
        from pipeline.tabular.cases import cases_of

        key = dataset.digest, charter.digest
        if self._cases is None or self._cases[0] != key:
            self._cases = key, cases_of(charter, dataset.tables)
        return self._cases[1]

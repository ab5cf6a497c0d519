"""The clean table as the rest of this room works with it: cases whose truth is known, and those still to be decided."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.datasets.dataset import Tables
from pipeline.datasets.undated import DAYS
from pipeline.errors import DataError, Finding
from pipeline.tabular.parameters import Business, business_of, label, shape_of
from pipeline.tabular.source import PERIOD, UNIT
from pipeline.tabular.values import Bools, Floats, Ints

_YES = ("true", "1", "1.0", "yes", "y")


@dataclass(frozen=True)
class Cases:
    """All cases in the charter's scope, in order of their periods.

    Attributes:
        business: columns and values.
        frame: cases whose truth is known.
        waiting: cases whose target is empty, to be decided.
        truth: (N,) place of the class, 1 for a positive case, or the amount.
        today: (N,) what was decided, as :mod:`pipeline.tabular.values` numbers it; NaN where nobody knows.
        period: (N,) number of the period, from 0.
        starts: first day of every period.
        names: the classes, negative and positive for a binary target; empty for amounts.
    """

    business: Business
    frame: pd.DataFrame
    waiting: pd.DataFrame
    truth: Floats
    today: Floats
    period: Ints
    starts: tuple[date, ...]
    names: tuple[str, ...]

    @property
    def periods(self) -> int:
        """How many there are, empty ones between included."""
        return len(self.starts)

    @property
    def units(self) -> pd.Series:
        """(N,) unit of every case."""
        return self.frame[UNIT]

    def within(self, first: int, end: int) -> Bools:
        """(N,) cases of the periods ``first`` to ``end - 1``."""
        return np.asarray((self.period >= first) & (self.period < end))


def cases_of(charter: Charter, tables: Tables) -> Cases:
    """The cases of clean tables.

    Raises:
        DataError: the scope leaves nothing, no truth is known, or only one class is.
    """
    business, name = business_of(charter), charter.data.tables[0].name
    frame = _in_scope(charter, tables[name])
    frame = frame.sort_values([PERIOD, business.key], ignore_index=True)
    known = frame[business.target].notna().to_numpy()
    done, waiting = frame[known].reset_index(drop=True), frame[~known].reset_index(drop=True)
    if done.empty:
        found = "the target is empty in every row"
        raise DataError("There is nothing to learn from", [Finding(f"{name}.{business.target}", found, "add outcomes")])
    names = _names(business, done[business.target])
    truth = _truth(business, done[business.target], names, name)
    first, step = done[PERIOD].iloc[0], DAYS[charter.data.period]
    period: Ints = ((done[PERIOD] - first).dt.days // step).to_numpy(dtype=np.int64)
    starts = tuple((first + pd.Timedelta(days=step * number)).date() for number in range(int(period[-1]) + 1))
    return Cases(business, done, waiting, truth, decided_today(charter, done, names), period, starts, names)


def decided_today(charter: Charter, frame: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    """(N,) today's decisions, by the column that holds them or by the simple rule; NaN where nobody knows."""
    business, shape = business_of(charter), shape_of(charter)
    if business.rule_column:
        return _by_rule(business, frame[business.rule_column])
    if not business.today:
        return np.full(len(frame), np.nan)
    cells = frame[business.today]
    if shape == "estimate":
        return cells.to_numpy(dtype=np.float64)
    if shape == "assign":
        return _places(cells, names)
    yes = cells.astype(str).str.lower().isin(_YES).to_numpy(dtype=np.float64)
    return np.where(cells.isna(), np.nan, yes)


def _by_rule(business: Business, cells: pd.Series) -> Floats:
    acts = np.ones(len(cells), np.bool_)
    if business.rule_at_least is not None:
        acts &= (cells >= business.rule_at_least).to_numpy()
    if business.rule_at_most is not None:
        acts &= (cells <= business.rule_at_most).to_numpy()
    if business.rule_is is not None:
        acts &= cells.map(label).eq(label(business.rule_is)).to_numpy()
    return np.asarray(acts, dtype=np.float64)


def _in_scope(charter: Charter, frame: pd.DataFrame) -> pd.DataFrame:
    """Without what the charter leaves out."""
    for column, values in charter.scope.leave_out.items():
        if column not in frame.columns:
            remedy = f"name one of: {', '.join(map(str, frame.columns))}"
            place = f"scope.leave_out.{column}"
            raise DataError("The scope names a column that is not there", [Finding(place, "no such column", remedy)])
        frame = frame[~frame[column].map(label).isin(values)]
    return frame


def _names(business: Business, target: pd.Series) -> tuple[str, ...]:
    if business.task == "multiclass":
        return business.names
    if business.task == "regression":
        return ()
    positive = label(business.positive)
    others = sorted(set(target.map(label)) - {positive})
    return (" or ".join(others) or "other", positive)


def _truth(business: Business, target: pd.Series, names: tuple[str, ...], table: str) -> Floats:
    if business.task == "regression":
        return target.to_numpy(dtype=np.float64)
    place = f"{table}.{business.target}"
    cells = target.map(label)
    if business.task == "binary":
        truth: Any = cells.eq(names[1]).to_numpy(dtype=np.float64)
        if truth.min() == truth.max():
            found = f"'{names[1]}' is the value of {'every' if truth[0] else 'no'} row"
            raise DataError(
                "Only one class is known", [Finding(place, found, "correct business.positive, or the data")]
            )
        return np.asarray(truth)
    unknown = sorted(set(cells) - set(names))
    if unknown:
        found = f"the value '{unknown[0]}', which is none of {', '.join(names)}"
        raise DataError("A class is not known", [Finding(place, found, "add it to business.classes")])
    return _places(cells, names)


def _places(cells: pd.Series, names: tuple[str, ...]) -> Floats:
    """(N,) the place of each class; NaN where there is none."""
    return np.asarray(cells.map({name: place for place, name in enumerate(names)}), dtype=np.float64)

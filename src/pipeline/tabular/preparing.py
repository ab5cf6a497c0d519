"""From columns to numbers: scikit-learn's preprocessing, fitted on training rows only and kept as plain figures.

Numbers are filled with the training median, flagged where they were missing and scaled to mean 0 and deviation 1; texts
become one column per common value, rare and unknown ones share one. What was fitted is JSON: no pickle is written, and
reading it back runs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Candidate
from pipeline.errors import DataError, Finding
from pipeline.tabular.parameters import Business
from pipeline.tabular.source import PERIOD, UNIT
from pipeline.tabular.values import Floats, Names

#: Values of a text column that get a column of their own at most.
MOST_VALUES = 40
_MISSING = "(missing)"


@dataclass(frozen=True)
class Preparation:
    """What was learned of the columns.

    Attributes:
        numbers: per number column ``fill`` (median), ``mean`` and ``scale``, its range ``low`` to ``high``, and the
            share of ``missing`` cells.
        texts: per text column its common values and whether there are others.
    """

    numbers: Mapping[str, Mapping[str, float]]
    texts: Mapping[str, Mapping[str, Any]]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the matrix."""
        flags = [f"{name}_missing" for name in self.numbers]
        values = [
            f"{name}={value}"
            for name, found in self.texts.items()
            for value in [*found["values"], *(["(other)"] if found["others"] else [])]
        ]
        return (*self.numbers, *flags, *values)

    @property
    def sources(self) -> tuple[str, ...]:
        """The table's column that each column of the matrix was made of."""
        values = [name for name, found in self.texts.items() for _ in range(len(found["values"]) + found["others"])]
        return (*self.numbers, *self.numbers, *values)

    def outside(self, frame: pd.DataFrame) -> Names:
        """(N,) a column that the training rows hold no such value of; empty where all are known.

        A number beyond the lowest or highest one, farthest first; a missing one where none was; a text nobody had,
        unless rare ones were learned together.
        """
        found, worst = np.full(len(frame), "", dtype=object), np.zeros(len(frame))
        for name, known in self.numbers.items():
            cells = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
            beyond = np.maximum(known["low"] - cells, cells - known["high"]) / known["scale"]
            beyond = np.where(np.isnan(cells), np.inf if known["missing"] == 0 else 0.0, beyond)
            found[beyond > worst], worst = name, np.maximum(beyond, worst)
        for name, common in self.texts.items():
            cells = _texts(frame[name]).to_numpy(dtype=object).astype(str)
            new = (found == "") & ~np.isin(cells, list(common["values"])) & (not common["others"])
            found[new] = name
        return found

    def matrix(self, frame: pd.DataFrame) -> Floats:
        """(N, F) the columns of a frame as numbers, shape as :attr:`names`."""
        scaled, flags, values = [], [], []
        for name, found in self.numbers.items():
            cells = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
            missing = np.isnan(cells)
            scaled.append((np.where(missing, found["fill"], cells) - found["mean"]) / found["scale"])
            flags.append(missing.astype(np.float64))
        for name, common in self.texts.items():
            cells = _texts(frame[name]).to_numpy(dtype=object)
            known = list(common["values"])
            values += [(cells == value).astype(np.float64) for value in known]
            if common["others"]:
                values.append((~np.isin(cells.astype(str), known)).astype(np.float64))
        columns = [*scaled, *flags, *values]
        return np.column_stack(columns) if columns else np.zeros((len(frame), 0))

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {"numbers": dict(self.numbers), "texts": dict(self.texts)}


def prepared(frame: pd.DataFrame, columns: Sequence[str]) -> Preparation:
    """Learn fills, scales and values from training rows."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in columns if pd.api.types.is_numeric_dtype(frame[name])]
    texts = [name for name in columns if name not in numbers]
    found: dict[str, dict[str, float]] = {}
    if numbers:
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        filled = imputer.fit_transform(frame[numbers].astype(np.float64).to_numpy())
        scaler = StandardScaler().fit(filled)
        missing = frame[numbers].isna().mean()
        figures = zip(numbers, imputer.statistics_, scaler.mean_, scaler.scale_, filled.T, missing, strict=True)
        found = {
            name: {"fill": float(fill), "mean": float(mean), "scale": float(scale), "low": float(cells.min()),
                   "high": float(cells.max()), "missing": float(share)}
            for name, fill, mean, scale, cells, share in figures
        }  # fmt: skip
    values: dict[str, dict[str, Any]] = {}
    for name in texts:
        cells = _texts(frame[name]).to_numpy(dtype=object).reshape(-1, 1)
        encoder = OneHotEncoder(max_categories=MOST_VALUES, handle_unknown="infrequent_if_exist").fit(cells)
        rare = encoder.infrequent_categories_[0]
        others = set() if rare is None else set(rare)
        common = [str(value) for value in encoder.categories_[0] if value not in others]
        values[name] = {"values": common, "others": bool(others)}
    return Preparation(found, values)


def features_of(business: Business, spec: Candidate, frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns a candidate learns from, never the key, the target, dates or today's decision.

    Raises:
        DataError: a name is neither a group nor a column that may be learned from.
    """
    kept_out = {business.key, business.target, business.time, business.today, business.together, PERIOD, UNIT}
    kept_out |= {business.unit, *business.listed("ignore")}
    usable = [str(name) for name in frame.columns if name not in kept_out and frame[name].dtype.kind != "M"]
    numbers = [name for name in usable if pd.api.types.is_numeric_dtype(frame[name])]
    groups = {"all": usable, "numbers": numbers, "texts": [name for name in usable if name not in numbers]}
    # The unit is learned from where it is asked for by name only: a new unit has no past.
    single = {business.unit: [business.unit]} if business.unit else {}
    chosen: list[str] = []
    for feature in spec.features:
        members = groups.get(feature) or single.get(feature) or ([feature] if feature in usable else None)
        if members is None:
            remedy = f"write all, numbers, texts, or one of: {', '.join(usable)}"
            place = f"model.candidates[{spec.name}].features"
            raise DataError("A feature cannot be learned from", [Finding(place, f"no feature '{feature}'", remedy)])
        chosen += members
    return tuple(dict.fromkeys(chosen))


def _texts(cells: pd.Series) -> pd.Series:
    return cells.astype(object).where(cells.notna(), _MISSING).astype(str)

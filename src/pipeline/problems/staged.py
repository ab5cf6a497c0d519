"""The units of a stage: what the charter says, by number, list, tag or share, as names from the table of units."""

import math

import numpy as np
import pandas as pd

from pipeline.charter import Charter, Stage
from pipeline.charter.model import UnitShare
from pipeline.errors import DataError, Finding


def staged_units(charter: Charter, table: pd.DataFrame, key: str, stage: Stage) -> tuple[str, ...]:
    """The names of a stage's units, in order; it holds the units of every rung below.

    Where the charter leaves open which units (by number or share), they come from one seeded order of all units that
    looks at no figure of theirs: units chosen for being bad lately would get better by themselves.

    Args:
        charter: its ladder and seed.
        table: one row per unit, or more; the tags are its columns.
        key: the column that names the unit.
        stage: the rung; it may be changed against the charter's own.

    Raises:
        DataError: there are fewer units than asked for, a listed one is unknown, or no unit has the tag.
    """
    names = np.unique(table[key].to_numpy(dtype=str))
    order = [str(name) for name in names[np.random.default_rng(charter.seed).permutation(len(names))]]
    position = next((place for place, rung in enumerate(charter.stages) if rung.name == stage.name), 0)
    chosen: list[str] = []
    for rung in (*charter.stages[:position], stage):
        chosen = _with(chosen, rung, table, key, order)
    return tuple(sorted(chosen))


def _with(lower: list[str], rung: Stage, table: pd.DataFrame, key: str, order: list[str]) -> list[str]:
    """The units of the rungs below and those this rung adds."""
    if isinstance(rung.units, tuple):
        return _joined(lower, _listed(rung, rung.units, order))
    if isinstance(rung.units, dict):
        return _joined(lower, _tagged(rung, rung.units, table, key))
    count = math.ceil(rung.units.share * len(order)) if isinstance(rung.units, UnitShare) else rung.units
    if count > len(order):
        raise _refused(rung, f"a stage has more {key}s than there are", str(count), f"write at most {len(order)}")
    return _joined(lower, order)[: max(count, len(lower))]


def _joined(first: list[str], then: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *then]))


def _listed(rung: Stage, units: tuple[str, ...], order: list[str]) -> list[str]:
    unknown = [unit for unit in units if unit not in order]
    if unknown:
        found = f"there is no unit {', '.join(unknown[:5])}"
        raise _refused(rung, "A stage names units that are not there", found, "take them off the list, or deliver them")
    return list(units)


def _tagged(rung: Stage, tag: dict[str, str], table: pd.DataFrame, key: str) -> list[str]:
    ((column, value),) = tag.items()
    if column not in table.columns:
        others = ", ".join(str(name) for name in table.columns if name != key) or "none"
        found = f"the units have no column '{column}'"
        raise _refused(rung, "A stage names a tag that is not there", found, f"choose among: {others}")
    units = table.loc[table[column].astype(str) == value, key].astype(str)
    if units.empty:
        known = ", ".join(sorted(table[column].astype(str).unique())[:10])
        raise _refused(rung, "A stage holds no unit", f"no unit has {column} '{value}'", f"choose among: {known}")
    return sorted(units.unique())


def _refused(rung: Stage, headline: str, found: str, remedy: str) -> DataError:
    return DataError(headline, [Finding(f"stages[{rung.name}].units", found, remedy)])

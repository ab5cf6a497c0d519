"""Field results as data: deliveries that may be late, partial or corrected, and the newest value of each figure.

A delivery is a table of unit, period and KPI components. It is kept under the hash of its content and noted in the
ledger, so that nothing that was delivered is ever lost: a later delivery corrects an earlier one figure by figure, the
newest value of a unit, period and component counts, and what stood there before can still be read. A blank cell is a
figure that was not delivered, never a zero.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import func, select

from pipeline.charter import Charter
from pipeline.datasets import catalog
from pipeline.datasets.parquet import read_parquet
from pipeline.errors import DataError, Finding
from pipeline.evaluation.observed import PERIOD, UNIT
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.ledger import Ledger, Reader, all_iterations, current_iteration
from pipeline.ledger.tables import deliveries
from pipeline.problems.base import Problem
from pipeline.rollout.arms import arms_of
from pipeline.rollout.ladder import current

_SHOWN = 10
_KEY = [UNIT, PERIOD]


@dataclass(frozen=True)
class Delivery:
    """One table of field results.

    Attributes:
        number: from 1, in the order in which they came.
        digest: SHA-256 of its content.
        name: of the file.
        at: when it came, UTC.
        new, corrected, unchanged: figures that were not there, that replaced another value, that said the same.
        late: figures of periods before the newest one that was known.
    """

    number: int
    digest: str
    name: str
    at: str
    new: int
    corrected: int
    unchanged: int
    late: int


@dataclass(frozen=True)
class PeriodState:
    """How much of a period is there.

    Attributes:
        period: its first day.
        reported: units with a figure of the component.
        missing: units without one, in order.
    """

    period: str
    reported: int
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every unit reported."""
        return not self.missing


def read_delivery(
    path: Path, definitions: Mapping[str, KpiDefinition], units: Collection[str], today: date
) -> pd.DataFrame:
    """Read a CSV or Parquet file of field results.

    Args:
        path: the file.
        definitions: the problem's KPIs; their components are the columns that may be delivered.
        units: the units there are.
        today: no period may begin later.

    Returns:
        ``unit`` and ``period`` (ISO date) as text, components as floats, NaN where nothing was delivered.

    Raises:
        DataError: with a finding for every kind of fault, each with its first lines.
    """
    raw = _table(path)
    known = sorted({name for kpi in definitions.values() for name in (kpi.numerator, kpi.denominator)})
    findings = [
        Finding(f"{path}, column {name}", "it is missing", f"give every row its {name}")
        for name in _KEY
        if name not in raw.columns
    ]
    findings += [
        Finding(f"{path}, column {name}", "no KPI has such a component", f"deliver some of: {', '.join(known)}")
        for name in raw.columns
        if name not in {*_KEY, *known}
    ]
    components = [name for name in raw.columns if name in known]
    if not components:
        findings.append(Finding(str(path), "no component of a KPI", f"deliver some of: {', '.join(known)}"))
    if findings:
        raise DataError("The field results cannot be read", findings)
    frame = pd.DataFrame({UNIT: raw[UNIT].astype(str).str.strip()})
    days = pd.to_datetime(raw[PERIOD].astype(str).str.strip(), format="%Y-%m-%d", errors="coerce")
    frame[PERIOD] = days.dt.strftime("%Y-%m-%d")
    numbers = {name: pd.to_numeric(raw[name], errors="coerce").astype(np.float64) for name in components}
    faults = {
        (UNIT, "a unit nobody knows"): ~frame[UNIT].isin([*units]),
        (PERIOD, "no date as YYYY-MM-DD"): days.isna(),
        (PERIOD, f"a period that has not begun by {today}"): days > pd.Timestamp(today),
        (PERIOD, "a unit and period that stand there twice"): frame.duplicated(_KEY, keep=False),
    }
    for name, values in numbers.items():
        blank = raw[name].isna() | (raw[name].astype(str).str.strip() == "")
        faults[name, "no number"] = ~blank & ~np.isfinite(values)
        faults[name, "a number below zero"] = values < 0
        frame[name] = values.where(np.isfinite(values))
    findings = [
        Finding(f"{path}, column {column}", f"{what} in {_lines(wrong)}", "put the rows right and deliver them again")
        for (column, what), wrong in faults.items()
        if wrong.any()
    ]
    if findings:
        raise DataError("The field results are refused", findings)
    return frame.sort_values(_KEY, ignore_index=True)


def add_delivery(ledger: Ledger, folder: Path, project: str, frame: pd.DataFrame, name: str, *, actor: str) -> Delivery:
    """Keep a delivery and note it, as one event; the very delivery that came last changes nothing.

    Args:
        ledger: the ledger.
        folder: where deliveries are kept by hash.
        project: the project.
        frame: from :func:`read_delivery`.
        name: of its file.
        actor: who delivers.
    """
    text = frame.to_csv(index=False, float_format="%.17g", lineterminator="\n")
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = folder / project / f"{digest}.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    with ledger.transaction() as tx:
        earlier = deliveries_of(tx, project)
        if earlier and earlier[-1].digest == digest:
            return earlier[-1]
        counted = _compared(_long(frame), _newest(_history(folder, project, earlier)))
        number = tx.rows(select(func.count().label("n")).where(deliveries.c.project == project))[0]["n"] + 1
        found = Delivery(number, digest, name, tx.now().isoformat(timespec="microseconds"), **counted)
        row = {"project": project, **{field: getattr(found, field) for field in Delivery.__dataclass_fields__}}
        tx.execute(deliveries.insert().values(**row))
        periods = sorted(frame[PERIOD].unique())
        body = {
            "delivery": number, "digest": digest, "file": name, "first": periods[0] if periods else None,
            "last": periods[-1] if periods else None, **counted,
        }  # fmt: skip
        tx.append("outcomes.delivered", project, f"{project}/{number}", actor, "", body)
    return found


def deliveries_of(reader: Reader, project: str) -> tuple[Delivery, ...]:
    """All deliveries of a project in the order in which they came."""
    rows = reader.rows(select(deliveries).where(deliveries.c.project == project).order_by(deliveries.c.number))
    return tuple(Delivery(**{name: row[name] for name in Delivery.__dataclass_fields__}) for row in rows)


def field_results(reader: Reader, folder: Path, project: str) -> pd.DataFrame:
    """The newest value of every figure: one row per unit and period, one column per component, NaN where none came.

    Raises:
        DataError: a delivery's file is gone or was changed.
    """
    newest = _newest(_history(folder, project, deliveries_of(reader, project)))
    if newest.empty:
        return pd.DataFrame(columns=_KEY)
    wide = newest.pivot_table(index=_KEY, columns="component", values="value", aggfunc="first")
    wide.columns.name = None
    return wide.reset_index()


def history_of(reader: Reader, folder: Path, project: str) -> pd.DataFrame:
    """Every figure that was ever delivered: ``unit``, ``period``, ``component``, ``value``, ``delivery``.

    Raises:
        DataError: a delivery's file is gone or was changed.
    """
    return _history(folder, project, deliveries_of(reader, project))


def known_units(reader: Reader, datasets: Path, problem: Problem, charter: Charter) -> tuple[str, ...]:
    """All units of the newest dataset the project was run on.

    Raises:
        DataError: the project never ran, so that nobody knows its units.
    """
    for record in reversed(all_iterations(reader, charter.project)):
        if record.result is not None:
            return problem.observed(charter, catalog.load(datasets, record.result["dataset"])).units
    finding = Finding(f"project {charter.project}", "it has no iteration yet", "run the charter first")
    raise DataError("Nobody knows the project's units", [finding])


def expected_units(reader: Reader, project: str) -> tuple[tuple[str, ...], str]:
    """Who is expected to report, and from which period on: the units under the model and the controls of their stage.

    Before anything is released these are the arms of the stage that is tried; without arms, nobody is.
    """
    record, held = current_iteration(reader, project), current(reader, project)
    stage = held.stage if held else (record.stage if record else "")
    arms = arms_of(reader, project, stage)
    units = {*(held.units if held else arms.units if arms else ()), *(arms.controls if arms else ())}
    return tuple(sorted(units)), held.start if held else (arms.start if arms else "")


def completeness(
    results: pd.DataFrame, kpi: KpiDefinition, units: Collection[str], first: str
) -> tuple[PeriodState, ...]:
    """Period by period who reported a KPI; a period counts only when all units did.

    Args:
        results: from :func:`field_results`.
        kpi: the KPI; both components are needed.
        units: who is expected to report.
        first: the period from which on they are.
    """
    parts = [kpi.numerator, kpi.denominator]
    if not set(parts) <= {*results.columns}:
        return ()
    there = results.dropna(subset=parts)
    later = there[there[PERIOD] >= first]
    states = []
    for period in sorted(results.loc[results[PERIOD] >= first, PERIOD].unique()):
        reported = set(later.loc[later[PERIOD] == period, UNIT]) & set(units)
        states.append(PeriodState(str(period), len(reported), tuple(sorted(set(units) - reported))))
    return tuple(states)


def complete_only(results: pd.DataFrame, states: Collection[PeriodState]) -> pd.DataFrame:
    """The rows of complete periods."""
    return results[results[PERIOD].isin([state.period for state in states if state.complete])]


def _table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except FileNotFoundError as exc:
        raise DataError(
            "The field results cannot be read", [Finding(str(path), "no such file", "check the path")]
        ) from exc
    except (OSError, ValueError) as exc:
        remedy = "deliver a CSV file in UTF-8 with a header, or a Parquet file"
        raise DataError("The field results cannot be read", [Finding(str(path), str(exc)[:200], remedy)]) from exc


def _lines(wrong: "pd.Series[bool]") -> str:
    """Line numbers of a CSV file with a header."""
    lines = [str(int(place) + 2) for place in np.flatnonzero(wrong.to_numpy())]
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"line {', '.join(lines[:_SHOWN])}{more}"


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    long = frame.melt(id_vars=_KEY, var_name="component", value_name="value")
    return long[long["value"].notna()]


def _history(folder: Path, project: str, known: Collection[Delivery]) -> pd.DataFrame:
    frames = [
        _long(_kept(folder / project / f"{delivery.digest}.csv", delivery)).assign(delivery=delivery.number)
        for delivery in known
    ]
    if not frames:
        return pd.DataFrame(columns=[*_KEY, "component", "value", "delivery"])
    return pd.concat(frames, ignore_index=True)


def _kept(path: Path, delivery: Delivery) -> pd.DataFrame:
    remedy = "restore it from a backup, or deliver the figures again"
    try:
        raw = path.read_bytes()
    except OSError as exc:
        finding = Finding(str(path), f"delivery {delivery.number} cannot be read: {exc.strerror}", remedy)
        raise DataError("Field results are gone", [finding]) from exc
    if hashlib.sha256(raw).hexdigest() != delivery.digest:
        finding = Finding(str(path), f"it is not what delivery {delivery.number} brought", remedy)
        raise DataError("Field results were changed", [finding])
    return pd.read_csv(path, dtype={UNIT: str, PERIOD: str}, float_precision="round_trip")


def _newest(history: pd.DataFrame) -> pd.DataFrame:
    return history.sort_values("delivery", kind="stable").drop_duplicates([*_KEY, "component"], keep="last")


def _compared(fresh: pd.DataFrame, known: pd.DataFrame) -> dict[str, int]:
    """How many figures are new, corrected, unchanged and late."""
    key = [*_KEY, "component"]
    both = fresh.merge(known[[*key, "value"]], on=key, how="left", suffixes=("", "_before")) if len(known) else None
    newest = known[PERIOD].max() if len(known) else ""
    late = int((fresh[PERIOD] < newest).sum())
    if both is None:
        return {"new": len(fresh), "corrected": 0, "unchanged": 0, "late": 0}
    there = both["value_before"].notna()
    same = there & (both["value"] == both["value_before"])
    return {
        "new": int((~there).sum()),
        "corrected": int((there & ~same).sum()),
        "unchanged": int(same.sum()),
        "late": late,
    }

"""What the replenishment domain knows about its data: coverage, censoring, leaks and drift."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.charter import Charter
from pipeline.datasets.contracts import duplicates_in
from pipeline.datasets.dataset import DataFacts, Dataset, Tables
from pipeline.language import say
from pipeline.replenishment.features import features_at
from pipeline.replenishment.history import History
from pipeline.replenishment.panel import Panel
from pipeline.replenishment.season import YEAR

#: Weeks compared for drift where there is no newer span to compare.
SPAN = 13
#: Series whose features are recomputed with a changed future.
LEAK_SERIES = 400
BINS = 10
VALUES_PER_BIN = 30
DRIFT_COLUMNS = ("units", "in_stock", "price", "discount", "department", "cluster")


def facts_of(charter: Charter, dataset: Dataset, panel: Panel, earlier: Panel | None) -> DataFacts:
    """The facts of a dataset; ``earlier`` is the panel of the previous one, None for the first."""
    listed = panel.listed
    expected = _between_first_and_last(listed)
    censored = float((listed & ~panel.in_stock).sum() / max(int(listed.sum()), 1))
    groups = tuple(dict.fromkeys(group for candidate in charter.model.candidates for group in candidate.features))
    notes = [
        say(
            "{share} of series-weeks ran empty: their sales are no demand, they are masked and never read as zero",
            share=f"{100 * censored:.1f} %",
        )
    ]
    if not expected.all():
        share = f"{100 * (~listed).mean():.1f} %"
        notes.append(say("{share} of store-product-weeks were not in the range", share=share))
    return DataFacts(
        periods=panel.periods,
        units=int(panel.series["store"].nunique()),
        series=panel.size,
        coverage=float((listed & expected).sum() / max(int(expected.sum()), 1)),
        censored=censored,
        ages_days=ages(dataset.tables),
        duplicates=duplicates_in(dataset.quarantine),
        leaks=leaks(panel, groups, charter.seed),
        drift=drift(panel, earlier) if earlier is not None else {},
        notes=tuple(notes),
    )


def ages(tables: Tables) -> dict[str, int]:
    """Days each dated table's newest week lies behind the newest week of sales or stock; planned weeks count as 0."""
    newest = {name: table["week"].max() for name, table in tables.items() if "week" in table.columns and len(table)}
    if not newest:
        return {}
    latest = max(newest[name] for name in ("sales", "state") if name in newest)
    return {name: max((latest - week).days, 0) for name, week in newest.items()}


def last_week(tables: Tables) -> date:
    """Monday of the last week of sales."""
    week: date = tables["sales"]["week"].max().date()
    return week


def leaks(panel: Panel, groups: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Features that change when only the future changes.

    The features of three past weeks are computed twice: on the panel cut there, and on the whole panel with every
    later week of sales, stock-outs and range replaced by noise.
    """
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.choice(panel.size, min(panel.size, LEAK_SERIES), replace=False))
    some = panel.take(chosen)
    found: set[str] = set()
    for share in (0.5, 0.75, 0.9):
        known = max(int(some.periods * share), 2)
        honest, names = features_at(History(some.upto(known)), known, groups)
        seeing, _ = features_at(History(_other_future(some, known, draw)), known, groups)
        same = np.isclose(honest, seeing, rtol=1e-5, atol=1e-6, equal_nan=True)
        found |= {name for position, name in enumerate(names) if not same[:, :, position].all()}
    return tuple(sorted(found))


def _other_future(panel: Panel, known: int, draw: np.random.Generator) -> Panel:
    later = (panel.periods - known, panel.size)
    noise = draw.poisson(50, later).astype(np.float32)
    return replace(
        panel,
        sales=np.concatenate([panel.sales[:known], noise]),
        in_stock=np.concatenate([panel.in_stock[:known], draw.random(later) < 0.5]),
        listed=np.concatenate([panel.listed[:known], draw.random(later) < 0.9]),
    )


def drift(now: Panel, before: Panel) -> dict[str, float]:
    """Population stability index of the newest weeks against as many before the earlier dataset's end.

    Compared are the weeks that are new since then, or the last :data:`SPAN` where none are. Columns: ``units`` of
    series-weeks, ``store_growth`` (a store's sales over those of the same weeks a year before, so that the season
    cancels out; where the history is long enough), ``series_level`` (a series' mean sales over its year before),
    ``zero_share`` of each series and ``price`` of each product.
    """
    new = now.periods - int(np.searchsorted(now.weeks, before.weeks[-1], side="right"))
    span = min(new, SPAN) if new > 0 else SPAN
    found = {
        "units": stability(_cells(before, span), _cells(now, span)),
        "series_level": stability(_series_level(before, span), _series_level(now, span)),
        "zero_share": stability(_zero_share(before, span), _zero_share(now, span)),
    }
    if before.periods >= YEAR + span:
        found["store_growth"] = stability(_store_growth(before, span), _store_growth(now, span))
    if "price" in now.series.columns and "price" in before.series.columns:
        found["price"] = stability(_prices(before), _prices(now))
    return found


def stability(reference: NDArray[np.floating], current: NDArray[np.floating]) -> float:
    """Population stability index over quantiles of the reference (Siddiqi, Credit Risk Scorecards, ch. 8).

    Deciles where there are values enough: under no shift the index is about ``2 (bins - 1) / n`` (Yurdakul,
    Statistical Properties of Population Stability Index, 2018), which few values would turn into an alarm.
    """
    if not len(reference) or not len(current):
        return 0.0
    bins = int(np.clip(min(len(reference), len(current)) // VALUES_PER_BIN, 2, BINS))
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    kinds = len(edges) + 1
    shares = [
        (np.bincount(np.searchsorted(edges, values, side="left"), minlength=kinds) + 0.5) / (len(values) + 0.5 * kinds)
        for values in (reference, current)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def frames(tables: Tables, previous: Tables | None, rows: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Current and reference sales rows with what is known about them, each a seeded sample.

    Current are the weeks after the previous dataset's end, or the last :data:`SPAN`; the reference are as many weeks
    of the previous dataset, or of the same season a year earlier.
    """
    sales = tables["sales"]
    last = sales["week"].max()
    if previous is not None:
        end = previous["sales"]["week"].max()
        span = min((last - end).days // 7, SPAN) or SPAN
        reference = _window(previous, end, span)
    else:
        span = SPAN
        back = YEAR if (last - sales["week"].min()).days // 7 >= YEAR + SPAN else SPAN
        reference = _window(tables, last - timedelta(weeks=back), span)
    current = _window(tables, last, span)
    return tuple(_sample(frame, rows, seed) for frame in (current, reference))  # type: ignore[return-value]


def _window(tables: Tables, last: pd.Timestamp, span: int) -> pd.DataFrame:
    sales = tables["sales"]
    inside = (sales["week"] <= last) & (sales["week"] > last - timedelta(weeks=span))
    frame = (
        sales[inside]
        .merge(tables["products"], on="product", how="left")
        .merge(tables["stores"], on="store", how="left")
    )
    if "promotions" in tables:
        frame = frame.merge(tables["promotions"], on=["product", "week"], how="left").fillna({"discount": 0.0})
    kept = [column for column in DRIFT_COLUMNS if column in frame.columns]
    return frame[kept].assign(in_stock=frame["in_stock"].astype(int))


def _sample(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    return (frame.sample(rows, random_state=seed) if len(frame) > rows else frame).reset_index(drop=True)


def _between_first_and_last(listed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(T, N) cells between a series' first and last listed week."""
    return np.asarray(np.logical_or.accumulate(listed, axis=0) & np.logical_or.accumulate(listed[::-1], axis=0)[::-1])


def _cells(panel: Panel, span: int) -> NDArray[np.floating]:
    return panel.sales[-span:][panel.listed[-span:]]


def _store_growth(panel: Panel, span: int) -> NDArray[np.floating]:
    """(stores,) sales of series-weeks that were seen in both years, over those of the year before."""
    stores, code = np.unique(panel.series["store"].to_numpy(dtype=str), return_inverse=True)
    newest, year_ago = slice(-span, None), slice(-YEAR - span, -YEAR)
    seen = panel.in_stock & panel.listed
    both = seen[newest] & seen[year_ago]
    now, then = (
        np.bincount(code, (panel.sales[weeks] * both).sum(axis=0), minlength=len(stores))
        for weeks in (newest, year_ago)
    )
    return np.asarray(now / np.maximum(then, 1e-9))


def _series_level(panel: Panel, span: int) -> NDArray[np.floating]:
    before = panel.sales[-YEAR - span : -span].mean(axis=0)
    return np.asarray(panel.sales[-span:].mean(axis=0) / np.maximum(before, 0.1))


def _zero_share(panel: Panel, span: int) -> NDArray[np.floating]:
    return np.asarray((panel.sales[-span:] == 0).mean(axis=0))


def _prices(panel: Panel) -> NDArray[np.floating]:
    return panel.series.drop_duplicates("product")["price"].to_numpy(dtype=np.float64)

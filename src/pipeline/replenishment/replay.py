"""Orders played against recorded demand, closed loop: what is decided today is lived with tomorrow.

In week ``w``: start = end before + arriving; sold = min(start, demand); missed = demand - sold, lost for good;
end = start - sold. Cost = holding · end + shortage · missed. All series at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.panel import Bools, Floats, Ints, Panel

Scalar = TypeVar("Scalar", bound=np.generic)
#: Sees the panel as it stood at the end of a week and orders (N,) whole units.
Decide = Callable[[Panel], Ints]


@dataclass(frozen=True)
class Course:
    """What happened in F weeks to N series, all (F, N) units.

    Attributes:
        demand: what customers wanted.
        arrived: what came in at the start of the week.
        start, sold, missed, end: stock at the start, sales, lost sales, stock at the end.
        ordered: what was ordered at the end of the week before; 0 once ordering is over.
    """

    demand: Floats
    arrived: Floats
    start: Floats
    sold: Floats
    missed: Floats
    end: Floats
    ordered: Floats

    def cost(self, holding: float, shortage: float) -> NDArray[np.float64]:
        """(F, N) cost of each week."""
        return np.asarray(holding * self.end + shortage * self.missed, dtype=np.float64)


def replay(
    start: Panel, demand: Floats, calendars: Panel, decide: Decide, orders: int, *, ends: bool = False
) -> Course:
    """Play a decider from the end of the panel ``start`` through the weeks of ``demand``.

    The first order is placed at the end of the last week of ``start``, before the first week of demand is seen. Each
    decision sees the panel as the shelf would have shown it: sales that were possible, and ``in_stock`` False where a
    customer left without; never the demand itself.

    Args:
        start: the panel at the first decision, stock included.
        demand: (F, N) demand of the weeks after it.
        calendars: a panel that reaches at least as far as the last decision's calendars: only its weeks, planned
            calendars and, of weeks gone by, the range (``listed``) are read.
        decide: the decider.
        orders: orders placed, one a week; at most F.
        ends: ordering ends with them for good, which the decider is told at the last one.
    """
    weeks, size = demand.shape
    seen = _Shelf(start, calendars, weeks)
    due = np.zeros((len(start.on_order) + weeks + 1, size), np.float32)
    due[: len(start.on_order)] = start.on_order
    # Written week by week into arrays that are there: on a large chain, fetching memory takes longer than the sums.
    begin, sold, missed, end = (np.empty((weeks, size), np.float32) for _ in range(4))
    ordered = np.zeros((weeks, size), np.float32)
    stock = start.on_hand.astype(np.float32)
    for week in range(weeks):
        if week < orders:
            arriving = due[week : week + start.lead_time - 1]
            ordered[week] = decide(seen.panel(stock, arriving, last_order=ends and week == orders - 1))
            due[week + start.lead_time - 1] += ordered[week]
        np.add(stock, due[week], out=begin[week])
        np.minimum(begin[week], demand[week], out=sold[week])
        np.subtract(demand[week], sold[week], out=missed[week])
        stock = np.subtract(begin[week], sold[week], out=end[week])
        seen.add(sold[week], missed[week] <= 0)
    return Course(demand, due[:weeks], begin, sold, missed, end, ordered)


class _Shelf:
    """The history a decider sees, growing by the weeks it lived through."""

    def __init__(self, start: Panel, calendars: Panel, weeks: int) -> None:
        self._start, self._calendars, self._now = start, calendars, start.periods
        self._sales: Floats = _with_room(start.sales, weeks)
        self._in_stock: Bools = _with_room(start.in_stock, weeks)
        self._listed: Bools = _with_room(start.listed, weeks)

    def add(self, sold: Floats, served: Bools) -> None:
        """One week more: what was sold, and where every customer was served."""
        self._sales[self._now] = sold
        self._in_stock[self._now] = served
        self._listed[self._now] = self._calendars.listed[self._now]
        self._now += 1

    def panel(self, on_hand: Floats, on_order: Floats, *, last_order: bool) -> Panel:
        """The panel at this moment."""
        now, ahead = self._now, self._now + self._start.future
        calendar = self._calendars
        return replace(
            self._start,
            weeks=calendar.weeks[:now],
            sales=self._sales[:now],
            in_stock=self._in_stock[:now],
            listed=self._listed[:now],
            promotion=calendar.promotion[:ahead],
            holiday=calendar.holiday[:ahead],
            pay_week=calendar.pay_week[:ahead],
            on_hand=on_hand,
            on_order=on_order,
            last_order=last_order,
        )


def _with_room(past: NDArray[Scalar], weeks: int) -> NDArray[Scalar]:
    """A copy with rows for the weeks to come, which are written before anybody sees them."""
    longer = np.empty((len(past) + weeks, past.shape[1]), past.dtype)
    longer[: len(past)] = past
    return longer

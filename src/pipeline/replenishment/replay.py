"""Orders played against recorded demand, closed loop: what is decided today is lived with tomorrow.

In week ``w``: start = end before + arriving; sold = min(start, demand); missed = demand - sold, lost for good;
end = start - sold. Cost = holding · end + shortage · missed. All series at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.panel import Bools, Floats, Ints, Panel

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


def replay(start: Panel, demand: Floats, calendars: Panel, decide: Decide, orders: int) -> Course:
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
    """
    weeks, size = demand.shape
    seen = _Shelf(start, calendars, weeks)
    due = np.vstack([start.on_order, np.zeros((weeks + 1, size), np.float32)])
    stock = start.on_hand.astype(np.float32)
    rows: dict[str, list[Floats]] = {name: [] for name in Course.__dataclass_fields__}
    for week in range(weeks):
        ordered = np.zeros(size, np.float32)
        if week < orders:
            ordered = decide(seen.panel(stock, due[week : week + start.lead_time - 1])).astype(np.float32)
            due[week + start.lead_time - 1] += ordered
        begin = stock + due[week]
        sold = np.minimum(begin, demand[week])
        missed = demand[week] - sold
        stock = begin - sold
        seen.add(sold, missed <= 0)
        for name, value in zip(
            rows, (demand[week], due[week].copy(), begin, sold, missed, stock, ordered), strict=True
        ):
            rows[name].append(value)
    return Course(**{name: np.stack(values) for name, values in rows.items()})


class _Shelf:
    """The history a decider sees, growing by the weeks it lived through."""

    def __init__(self, start: Panel, calendars: Panel, weeks: int) -> None:
        self._start, self._calendars, self._now = start, calendars, start.periods
        room = ((0, weeks), (0, 0))
        self._sales = np.pad(start.sales, room)
        self._in_stock: Bools = np.pad(start.in_stock, room)
        self._listed: Bools = np.pad(start.listed, room)

    def add(self, sold: Floats, served: Bools) -> None:
        """One week more: what was sold, and where every customer was served."""
        self._sales[self._now] = sold
        self._in_stock[self._now] = served
        self._listed[self._now] = self._calendars.listed[self._now]
        self._now += 1

    def panel(self, on_hand: Floats, on_order: Floats) -> Panel:
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
        )

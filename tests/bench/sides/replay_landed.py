"""Every series of the chain through a year, closed loop: lost sales, fixed lead time, base-stock orders."""

import numpy as np
import stopwatch
from chain import panel

from pipeline.replenishment.policy import order_up_to
from pipeline.replenishment.replay import replay

WEEKS = 52
#: Policies are compared by many replays of the same weeks.
REPLAYS = 5


def side(watch, folder):
    whole = panel(folder)
    known = whole.periods - WEEKS
    start = whole.upto(known)
    level = np.ceil(3.5 * start.sales[-WEEKS:].mean(axis=0))
    start = start.__class__(**{**vars(start), "on_hand": level, "on_order": np.zeros_like(start.on_order)})

    def decide(seen):
        return order_up_to(level, seen.on_hand + seen.on_order.sum(axis=0))

    with watch.work():
        for _ in range(REPLAYS):
            course = replay(start, whole.sales[known:], whole, decide, orders=WEEKS)
    return {"series_weeks": REPLAYS * course.sold.size, "sold_share": float(course.sold.sum() / course.demand.sum())}


stopwatch.main(side)

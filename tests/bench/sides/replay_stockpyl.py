"""Some of the series through the same year by stockpyl: one stage, fixed lead time, base-stock orders, backorders."""

import numpy as np
import stopwatch
from stockpyl.sim import simulation
from stockpyl.supply_chain_network import single_stage_system

WEEKS, EVERY = 52, 300


def side(watch, folder):
    units = np.load(folder / "panel.npz")["units"][:, ::EVERY]
    past, demand = units[-2 * WEEKS : -WEEKS], units[-WEEKS:]
    level = np.ceil(3.5 * past.mean(axis=0))
    networks = [
        single_stage_system(
            holding_cost=0.2, stockout_cost=1.0, demand_type="D", demand_list=[int(one) for one in demand[:, at]],
            policy_type="BS", base_stock_level=float(level[at]), shipment_lead_time=2,
            initial_inventory_level=float(level[at]),
        )
        for at in range(demand.shape[1])
    ]  # fmt: skip
    with watch.work():
        for network in networks:
            simulation(network, WEEKS, rand_seed=1, progress_bar=False)
    return {"series_weeks": int(demand.size)}


stopwatch.main(side)

"""Small desks and charters, and textbook queues, for the tests of this domain."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.charter.reading import charter_from_canonical
from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.problems.reading import read_charter_for_problem
from pipeline.service_desk import desk as desks
from pipeline.service_desk.contract import contracts
from pipeline.service_desk.exports import tables_of
from pipeline.service_desk.floor import RECORDED, Course, Nature, Tickets, work
from pipeline.service_desk.log import log_of
from pipeline.service_desk.problem import ServiceDesk
from pipeline.service_desk.queueing import first_come_first_served
from pipeline.service_desk.world import WorldSpec

SHIPPED = Path(__file__).parents[2] / "configs" / "service_desk"
SPEC = WorldSpec(seed=7, teams=6, weeks=16, burn_in=2)


def charter(**changes: Any):
    """The shipped charter, for the small desk; sections are updated by key."""
    values = read_charter_for_problem(SHIPPED / "charter.yaml", date(2026, 11, 23)).canonical()
    values["data"]["minimum_history"] = 8
    values["kpi"]["baseline"]["measured_over"] = 4
    values["model"] |= {"train_periods": 12, "backtest_cutoffs": 2, "backtest_every": 2}
    values["model"]["candidates"][0]["parameters"] = {"rounds": 20}
    for stage, units in zip(values["stages"], (2, 4, 6), strict=True):
        stage |= {"units": units, "periods": 2}
    for section, update in changes.items():
        values[section] = values[section] | update
    return charter_from_canonical(values)


def charter_values() -> dict[str, Any]:
    return yaml.safe_load((SHIPPED / "charter.yaml").read_text(encoding="utf-8"))


@cache
def founded():
    return desks.found(SPEC)


@cache
def dataset() -> Dataset:
    raw = tables_of(founded())
    clean, quarantine = apply_contracts(raw, contracts(raw))
    return Dataset(clean, catalog.digest(clean), ServiceDesk().cutoff(clean), quarantine)


@cache
def log():
    return log_of(dataset().tables)


def located(place: Path) -> Path:
    """The small desk where ``--data PLACE`` finds it."""
    desks.save(founded(), place / "world")
    return place


def plain_tickets(arrival, hours, category=None) -> Tickets:
    """Tickets that never come back."""
    size = len(arrival)
    kind = np.zeros(size, np.int64) if category is None else np.asarray(category)
    none = np.zeros(size)
    return Tickets(np.asarray(arrival, float), kind, np.asarray(hours, float), none, none + 1.0, none, none)


def worked(tickets: Tickets, agents: int, slots: int, rule=None, nature: Nature = RECORDED, duty=None, skills=None):
    """The tickets after so many half-days in which all agents are on duty."""
    kinds = int(tickets.category.max()) + 1
    rule = rule or first_come_first_served(len(tickets.arrival), agents, kinds)
    duty = np.ones((agents, slots), bool) if duty is None else duty
    skills = np.ones((agents, kinds), bool) if skills is None else skills
    return work(tickets, Course.new(len(tickets.arrival)), duty, skills, rule, nature, 0.0, slots * 4.0)

"""Six small steps: ``python six_steps.py FOLDER plain``, or ``flow`` against a standing server."""

import sys
from pathlib import Path

from chain import panel

from pipeline.evaluation.stability import psi
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.policy import order_up_to
from pipeline.replenishment.replay import replay

PLAYED = 6


def read(folder):
    return panel(folder)


def cut(chain):
    return chain.upto(chain.periods - PLAYED)


def train(past):
    return LightGBMForecaster(rounds=60, row_budget=40_000).fit(past)


def decide(model, past):
    return model.predict(past).mean.sum(axis=0) * 1.5


def play(chain, past, target):
    from dataclasses import replace

    start = replace(past, on_hand=target, on_order=past.on_order * 0)
    return replay(
        start, chain.sales[past.periods :], chain,
        lambda seen: order_up_to(target, seen.on_hand + seen.on_order.sum(axis=0)), orders=PLAYED,
    )  # fmt: skip


def judge(course):
    import pandas as pd

    return psi(pd.Series(course.sold.ravel()), pd.Series(course.demand.ravel()))


def steps(folder, wrap):
    chain = wrap(read)(folder)
    past = wrap(cut)(chain)
    model = wrap(train)(past)
    target = wrap(decide)(model, past)
    course = wrap(play)(chain, past, target)
    return wrap(judge)(course)


def as_flow(folder):
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    wrap = task(cache_policy=NO_CACHE, persist_result=False)
    return flow(name="six-steps", persist_result=False)(lambda: steps(folder, wrap))()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    print(as_flow(where) if sys.argv[2] == "flow" else steps(where, lambda step: step))  # noqa: T201

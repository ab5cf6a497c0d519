"""How many agents each half-day shift needs: Erlang C, and the square-root rule within today's hours.

Sources: Erlang (1917) in the form of Gans, Koole and Mandelbaum, "Telephone call centers: tutorial, review, and
research prospects", M&SOM 5(2), 2003, § 3; Halfin and Whitt, "Heavy-traffic limits for queues with many exponential
servers", Operations Research 29(3), 1981.
"""

import numpy as np

from pipeline.service_desk.clock import DAY_SLOTS, DAYS, SLOTS, Bools, Floats, Ints


def erlang_c(servers: int, load: float) -> float:
    """Chance that a customer has to wait in M/M/c (Gans, Koole, Mandelbaum, eq. 3.2 by the recursion of Erlang B).

    >>> round(erlang_c(1, 0.8), 6), round(erlang_c(2, 1.0), 6)
    (0.8, 0.333333)

    Args:
        servers: number of servers.
        load: offered load in erlangs, arrival rate × mean service; below ``servers``.
    """
    if load >= servers:
        return 1.0
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return servers * blocked / (servers - load * (1 - blocked))


def mean_wait(servers: int, arrivals: float, service: float) -> float:
    """Mean wait in M/M/c in the unit of ``service``: ``C(c, a) * service / (c - a)``; infinite where a ≥ c."""
    load = arrivals * service
    return erlang_c(servers, load) * service / (servers - load) if load < servers else float("inf")


def fixed_shifts(per_day: int) -> Ints:
    """(18,) today's plan: half of the agents early and half late, overlapping at midday, the same on each weekday.

    On Saturday one agent works until 15 o'clock.
    """
    early = (per_day + 1) // 2
    weekday = [early, per_day, per_day - early]
    return np.array([*weekday * (DAYS - 1), 1, 1, 0], dtype=np.int64)


def square_root_shifts(load: Floats, hours: int, agents: int) -> Ints:
    """(18,) agents per shift: ``a + β √a`` for the offered load ``a``, with β such that today's total is used up.

    The shifts are handed out one at a time, each to where most is missing, within what people can work: nobody more
    than two half-days a day, and as many in a shift as the team has agents.

    Args:
        load: (18,) offered load in erlangs.
        hours: half-day shifts to hand out, as many as in today's plan.
        agents: people of the team.
    """
    margin = _margin(load, hours)
    wanted = load + margin * np.sqrt(load)
    shifts = np.zeros(SLOTS, np.int64)
    for _ in range(hours):
        of_day = shifts.reshape(DAYS, DAY_SLOTS).sum(axis=1).repeat(DAY_SLOTS)
        free = (shifts < agents) & (of_day < 2 * agents)
        if not free.any():
            break
        shifts[int(np.argmax(np.where(free, wanted - shifts, -np.inf)))] += 1
    return shifts


def _margin(load: Floats, hours: int) -> float:
    """β with ``Σ max(a + β √a, 0) = hours``."""
    roots = float(np.sqrt(load).sum())
    return (hours - float(load.sum())) / roots if roots else 0.0


def on_duty(shifts: Ints, agents: int) -> Bools:
    """(agents, T) who works when, given how many: turns go round from day to day so that all share the work.

    Args:
        shifts: (T,) agents per shift, whole days from a Monday.
        agents: people of the team.
    """
    slot = np.arange(len(shifts))
    of_day = shifts.reshape(-1, DAY_SLOTS).repeat(DAY_SLOTS, axis=0)
    # Early shifts are filled from the front of the turn, late ones from its back.
    turn = (np.arange(agents)[:, None] - slot // DAY_SLOTS) % agents
    from_back = agents - 1 - turn
    both = (turn < of_day[:, 0]) & (from_back < of_day[:, -1])
    # At midday those who stay from the early shift meet those who stay for the late one, and nobody works all three.
    midday = (both * agents + np.minimum(turn, from_back)) * agents + turn
    rank = midday.argsort(axis=0).argsort(axis=0)
    rank = np.where(slot % DAY_SLOTS == 0, turn, rank)
    rank = np.where(slot % DAY_SLOTS == DAY_SLOTS - 1, from_back, rank)
    return np.asarray(rank < shifts)

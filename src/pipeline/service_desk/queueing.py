"""Which waiting ticket is answered next: one index that holds first come first served, priorities and the cμ rule.

The index of a waiting ticket is ``rate * (1 + age / patience) * factor``; the largest is answered next.

- ``rate`` is c·μ: cost of delay per hour over expected hours of work. With static costs, serving the largest c·μ first
  minimises the expected cost of waiting in a single-server queue (Cox and Smith, Queues, 1961, § 3.3).
- ``1 + age / patience`` is the marginal cost of a delay cost ``t + t²/(2 patience)`` that grows with the wait already
  suffered. For convex costs the index C'(age)·μ is asymptotically optimal in heavy traffic (the generalised cμ rule:
  van Mieghem, Annals of Applied Probability 5(3), 1995). An infinite patience gives the plain rule.
- ``factor`` is what the agent's skills do to μ; 1 where the rule does not look at skills.

First come first served is ``rate = 1``, ``patience → 0``: the oldest has the largest index.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.service_desk.clock import Floats, Ints


@dataclass(frozen=True)
class Rule:
    """How one team orders its queue.

    Attributes:
        rate: (N,) per ticket; all that is known when it comes in.
        ageing: per hour of wait; what 1 / patience is above.
        factor: (agents, categories) multiplies the index; ones where skills do not matter.
        base: 1, or 0 where only age counts (first come first served).
    """

    rate: Floats
    ageing: float
    factor: Floats
    base: float = 1.0

    def index(self, tickets: list[int], waited: Floats, agent: int, categories: Ints) -> Floats:
        """(n,) the index of some tickets for one agent."""
        chosen = np.asarray(tickets)
        return np.asarray(self.rate[chosen] * (self.base + self.ageing * waited) * self.factor[agent, categories])

    def arrival_order(self) -> bool:
        """Whether the oldest ticket always comes first."""
        return self.base == 0 and bool(np.ptp(self.rate) == 0) and bool(np.ptp(self.factor) == 0)


def first_come_first_served(tickets: int, agents: int, categories: int) -> Rule:
    """The oldest ticket first, whoever is free."""
    return Rule(np.ones(tickets), 1.0, np.ones((agents, categories)), base=0.0)

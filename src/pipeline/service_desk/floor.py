"""One team at work: a discrete-event simulation of its queue, its shifts and what comes back (simpy).

A ticket waits until an agent takes it, which is its first response; the agent works on it until it is done or the
shift ends. Work left over is handed to the next agent who is free, before anything new. Done work may come back once,
after a while, as a reopened ticket that waits like any other.

Everything random was drawn with the ticket, so two ways to decide meet the same customers with the same problems
(common random numbers); what differs is who waits how long, who works in haste, and who works on what they know.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from pipeline.service_desk.clock import SLOT_HOURS, Bools, Floats, Ints
from pipeline.service_desk.queueing import Rule

#: Hours of work too short to count; rounding must not hand a ticket over.
_NOTHING = 1e-9


class Step(IntEnum):
    """Where a ticket stands."""

    WAITING = 0
    IN_HAND = 1
    DONE = 2
    COMING_BACK = 3
    WAITING_AGAIN = 4
    IN_HAND_AGAIN = 5
    DONE_AGAIN = 6


_WAITING, _IN_HAND, _DONE, _COMING_BACK, _WAITING_AGAIN, _IN_HAND_AGAIN, _DONE_AGAIN = (int(step) for step in Step)


@dataclass(frozen=True)
class Nature:
    """What handling does to work: the desk's world, or, for recorded history, nothing but what was recorded.

    Attributes:
        mismatch: hours of work by an agent who does not know the category, over those of one who does.
        haste: hours of work when the queue is long, over those in calm.
        long: waiting tickets per agent on duty from which on work is hasty.
        reopened_mismatch, reopened_haste: added to the chance that a ticket comes back.
    """

    mismatch: float = 1.3
    haste: float = 0.9
    long: float = 3.0
    reopened_mismatch: float = 0.06
    reopened_haste: float = 0.05


RECORDED = Nature(mismatch=1.0, haste=1.0, long=inf, reopened_mismatch=0.0, reopened_haste=0.0)


@dataclass(frozen=True)
class Tickets:
    """N tickets of one team, as drawn; all (N,), times in opening hours.

    Attributes:
        arrival: sorted.
        category: index of the category.
        work: hours for an agent who knows the category, in calm.
        chance: of coming back, in calm and by an agent who knows it.
        draw: uniform, below the chance it comes back.
        away: hours from done to coming back.
        work_again: hours of work then.
    """

    arrival: Floats
    category: Ints
    work: Floats
    chance: Floats
    draw: Floats
    away: Floats
    work_again: Floats


@dataclass(frozen=True)
class Course:
    """How far each of N tickets has come; all (N,), NaN where it has not happened.

    Attributes:
        step: a :class:`Step`.
        left: hours of work left of what is in hand.
        first: first response.
        closed: first time done.
        reopened: came back, or will.
        answered: answered again after it came back.
        reclosed: done again.
        spent, spent_again: hours agents worked on it, before and after it came back.
        agent: who gave the first response, -1 while nobody did.
        returns: will come back once it is done.
    """

    step: NDArray[np.int8]
    left: Floats
    first: Floats
    closed: Floats
    reopened: Floats
    answered: Floats
    reclosed: Floats
    spent: Floats
    spent_again: Floats
    agent: Ints
    returns: Bools

    @classmethod
    def new(cls, size: int) -> "Course":
        """Tickets nobody has looked at yet."""
        hours = {name: np.zeros(size) for name in ("left", "spent", "spent_again")}
        times = {name: np.full(size, np.nan) for name in ("first", "closed", "reopened", "answered", "reclosed")}
        nobody, no = np.full(size, -1, np.int64), np.zeros(size, np.bool_)
        return cls(step=np.zeros(size, np.int8), agent=nobody, returns=no, **hours, **times)


def work(
    tickets: Tickets,
    course: Course,
    duty: Bools,
    skills: Bools,
    rule: Rule,
    nature: Nature,
    begin: float,
    end: float,
) -> Course:
    """The team works from ``begin`` to ``end``.

    Args:
        tickets: of the team; those that arrive after ``end`` stay untouched.
        course: how far they have come by ``begin``; not changed.
        duty: (agents, slots) who is on duty in each half-day shift from ``begin`` on.
        skills: (agents, categories) who knows what.
        rule: the order of the queue.
        nature: what handling does to work.
        begin: opening hours, at the beginning of a shift.
        end: opening hours, at the end of a shift; no work goes on beyond it.
    """
    floor = _Floor(tickets, course, duty, skills, rule, nature, begin, end)
    return floor.run()


class _Floor:
    """The state of one run; in lists, as single numbers are read from them several times faster than from arrays."""

    def __init__(
        self,
        tickets: Tickets,
        course: Course,
        duty: Bools,
        skills: Bools,
        rule: Rule,
        nature: Nature,
        begin: float,
        end: float,
    ) -> None:
        self.env = simpy.Environment(initial_time=begin)
        self.course, self.rule, self.nature = course, rule, nature
        self.begin, self.end = begin, end
        self.category_of = tickets.category
        self.known: list[list[bool]] = skills[:, tickets.category].tolist()
        self.arrival, self.hours, self.hours_again, self.away, self.draw, self.chance = _lists(
            tickets.arrival, tickets.work, tickets.work_again, tickets.away, tickets.draw, tickets.chance
        )
        self.left, self.first, self.closed, self.reopened = _lists(
            course.left, course.first, course.closed, course.reopened
        )
        self.answered, self.reclosed, self.spent, self.again = _lists(
            course.answered, course.reclosed, course.spent, course.spent_again
        )
        self.step: list[int] = course.step.tolist()
        self.agent: list[int] = course.agent.tolist()
        self.returns: list[bool] = course.returns.tolist()
        self.since = np.where(np.isnan(course.reopened), tickets.arrival, course.reopened)
        # A column nobody works in closes the horizon, so that every shift has an end.
        padded = np.concatenate([duty, np.zeros((len(duty), 1), np.bool_)], axis=1)
        self.duty: list[list[bool]] = padded.tolist()
        self.off: list[list[float]] = _ends(padded, begin).tolist()
        self.number: list[int] = padded.sum(axis=0).tolist()
        self.waiting: list[int] = []
        self.handed: list[int] = []
        self.idle: set[int] = set()
        self.busy: set[int] = set()
        self.in_order = rule.arrival_order()

    def run(self) -> Course:
        step = self.course.step
        known = np.array(self.arrival) < self.begin
        old = known & ((step == Step.WAITING) | (step == Step.WAITING_AGAIN))
        self.waiting = sorted(np.flatnonzero(old).tolist(), key=lambda ticket: self.since[ticket])
        self.handed = np.flatnonzero((step == Step.IN_HAND) | (step == Step.IN_HAND_AGAIN)).tolist()
        self.env.process(self._shifts())
        self.env.process(self._arrivals(np.flatnonzero(~known & (np.array(self.arrival) < self.end)).tolist()))
        for ticket in np.flatnonzero(step == Step.COMING_BACK).tolist():
            self.env.process(self._come_back(ticket))
        self.env.run(until=self.end)
        return Course(
            step=np.array(self.step, np.int8),
            left=np.array(self.left),
            first=np.array(self.first),
            closed=np.array(self.closed),
            reopened=np.array(self.reopened),
            answered=np.array(self.answered),
            reclosed=np.array(self.reclosed),
            spent=np.array(self.spent),
            spent_again=np.array(self.again),
            agent=np.array(self.agent, np.int64),
            returns=np.array(self.returns, np.bool_),
        )

    def _slot(self) -> int:
        return int((self.env.now - self.begin) / SLOT_HOURS + _NOTHING)

    def _shifts(self) -> Generator[Any, Any, None]:
        for slot in range(len(self.number) - 1):
            self.idle = {agent for agent, shifts in enumerate(self.duty) if shifts[slot]} - self.busy
            self._call()
            yield self.env.timeout(self.begin + (slot + 1) * SLOT_HOURS - self.env.now)

    def _arrivals(self, coming: list[int]) -> Generator[Any, Any, None]:
        for ticket in coming:
            yield self.env.timeout(max(self.arrival[ticket] - self.env.now, 0.0))
            self.waiting.append(ticket)
            self._call()

    def _come_back(self, ticket: int) -> Generator[Any, Any, None]:
        at = self.reopened[ticket]
        if at >= self.end:
            return
        yield self.env.timeout(max(at - self.env.now, 0.0))
        self.step[ticket] = _WAITING_AGAIN
        self.since[ticket] = at
        self.waiting.append(ticket)
        self._call()

    def _call(self) -> None:
        """Idle agents take what waits; the one who knows most about it first."""
        while self.idle and (self.waiting or self.handed):
            agent = min(self.idle)
            if len(self.idle) > 1 and self.waiting and not self.handed and not self.in_order:
                category = self.category_of[self.waiting[0]]
                agent = max(sorted(self.idle), key=lambda one: self.rule.factor[one, category])
            self.idle.discard(agent)
            self.busy.add(agent)
            self.env.process(self._serve(agent, self._take(agent)))

    def _serve(self, agent: int, ticket: int) -> Generator[Any, Any, None]:
        """One ticket after the other until nothing waits or the shift is over."""
        while True:
            yield self.env.timeout(self._begin(agent, ticket))
            self._lay_down(ticket)
            if not self.duty[agent][self._slot()]:
                break
            if not self.waiting and not self.handed:
                self.idle.add(agent)
                break
            ticket = self._take(agent)
        self.busy.discard(agent)

    def _take(self, agent: int) -> int:
        """What was handed over, oldest first; else the largest index, of equal ones the one that waits longest."""
        if self.handed:
            ticket = min(self.handed)
            self.handed.remove(ticket)
            return ticket
        if self.in_order or len(self.waiting) == 1:
            return self.waiting.pop(0)
        waited = self.env.now - self.since[self.waiting]
        index = self.rule.index(self.waiting, waited, agent, self.category_of[self.waiting])
        return self.waiting.pop(int(np.argmax(index)))

    def _begin(self, agent: int, ticket: int) -> float:
        """Note the response and how far the work gets in this shift; hands back its hours.

        Nothing interrupts a piece of work, so all of it is known when it begins.
        """
        now, step = float(self.env.now), self.step[ticket]
        again = step >= _WAITING_AGAIN
        if step in (_WAITING, _WAITING_AGAIN):
            self._respond(agent, ticket, now, again=again)
        piece = min(self.left[ticket], self.off[agent][self._slot()] - now)
        (self.again if again else self.spent)[ticket] += piece
        self.left[ticket] -= piece
        if self.left[ticket] > _NOTHING:
            self.step[ticket] = _IN_HAND_AGAIN if again else _IN_HAND
            return piece
        self.left[ticket] = 0.0
        (self.reclosed if again else self.closed)[ticket] = now + piece
        if again:
            self.step[ticket] = _DONE_AGAIN
        elif self.returns[ticket]:
            self.reopened[ticket] = now + piece + self.away[ticket]
            self.step[ticket] = _COMING_BACK
        else:
            self.step[ticket] = _DONE
        return piece

    def _respond(self, agent: int, ticket: int, now: float, *, again: bool) -> None:
        nature, known = self.nature, self.known[agent][ticket]
        hasty = len(self.waiting) > nature.long * max(self.number[self._slot()], 1)
        hours = (self.hours_again if again else self.hours)[ticket]
        self.left[ticket] = hours * (1.0 if known else nature.mismatch) * (nature.haste if hasty else 1.0)
        (self.answered if again else self.first)[ticket] = max(now, float(self.since[ticket]))
        if not again:
            self.agent[ticket] = agent
            chance = self.chance[ticket] + (0.0 if known else nature.reopened_mismatch)
            self.returns[ticket] = self.draw[ticket] < chance + (nature.reopened_haste if hasty else 0.0)

    def _lay_down(self, ticket: int) -> None:
        step = self.step[ticket]
        if step in (_IN_HAND, _IN_HAND_AGAIN):
            self.handed.append(ticket)
            self._call()
        elif step == _COMING_BACK:
            self.env.process(self._come_back(ticket))


def _lists(*arrays: Floats) -> list[list[float]]:
    return [array.tolist() for array in arrays]


def _ends(duty: Bools, begin: float) -> Floats:
    """(agents, slots) opening hours at which a shift that holds the slot ends; the last slot is nobody's."""
    until = np.full(duty.shape, begin + SLOT_HOURS * (duty.shape[1] - 1))
    for slot in range(duty.shape[1] - 2, -1, -1):
        ends = np.where(duty[:, slot + 1], until[:, slot + 1], begin + SLOT_HOURS * (slot + 1))
        until[:, slot] = ends
    return until

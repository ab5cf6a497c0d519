"""Chaos: projects iterate while parts of the stack are killed at random; afterwards the record is held to account.

``make chaos`` plays it at full length on both stores and writes what it saw into ``docs/reliability.md``.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from flows.opening import open_by_hand
from pipeline.charter import Charter
from pipeline.ledger import pending, verify
from tests.orchestration.parts import Stack
from tests.postgres import postgresql, postgresql_tools

#: Parts that are killed, with the flows as one of them.
VICTIMS = ("server", "worker", "dispatcher", "flows", "worker and flows")
#: Mean time between two kills, as a share of what the first iterations took undisturbed: a slow machine can play too.
PACE = 0.3
#: Seconds for each project to come to rest.
REST = 1800.0


@dataclass(frozen=True)
class Seen:
    """What a game of chaos came to.

    Attributes:
        kills: by victim.
        iterations: opened in all.
        decided: decisions taken.
        applied: decisions applied, and more than once.
        twice: trainings that ended more than once.
        failed: iterations that were killed so often that they were given up, and taken up again by hand.
        lost: decisions or iterations that led to nothing.
        intact: whether the ledger's chain is whole.
        seconds: wall time.
    """

    kills: Counter[str]
    iterations: int
    decided: int
    applied: int
    twice: int
    failed: int
    lost: int
    intact: bool
    seconds: float


@dataclass
class People:
    """What people, and whoever keeps the processes running, do while parts are killed."""

    stack: Stack
    charters: dict[str, Charter]
    decided: int = 0
    factor: float = 0.3

    def tend(self, *, answering: bool = True) -> int:
        """Answer what asks, take up what was given up, start what ended by itself; returns the decisions so far."""
        self.stack.revive()
        for name, charter in self.charters.items():
            review = self.stack.review(name)
            if review is not None and answering:
                # Other feedback each time, so that each iteration has something to train.
                self.factor = round(self.factor + 0.001, 6)
                self.stack.decide(review, factor=self.factor)
                self.decided += 1
            elif self.stack.iterations(name)[-1].state == "failed":
                open_by_hand(self.stack.ledger, charter, self.stack.root / "source", "robin")
        return self.decided

    def at_rest(self) -> bool:
        """Whether every project waits for the review of its last iteration, and nothing else is to be done."""
        self.tend(answering=False)
        waits = [intent for intent in pending(self.stack.ledger) if intent.kind != "notify"]
        last = [self.stack.iterations(name)[-1].state for name in self.charters]
        return not waits and all(self.stack.review(name) for name in self.charters) and {*last} == {"awaiting_review"}


def play(stack: Stack, seed: int, kills: int, projects: int = 3, pace: float = PACE) -> Seen:
    """Kill parts of a started stack while projects iterate, then let it come to rest."""
    chance, began = random.Random(seed), time.monotonic()  # noqa: S311 - a seeded game
    names = [f"chaos-{number}" for number in range(projects)]
    people = People(stack, {name: stack.deploy(stack.charter(name, seconds=1.0)) for name in names})
    for charter in people.charters.values():
        open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.until(lambda: all(stack.review(name) for name in names), "the first reviews, undisturbed", REST)
    pause, killed = pace * (time.monotonic() - began), Counter[str]()
    while killed.total() < kills:
        until = time.monotonic() + chance.uniform(0.3, 1.7) * pause
        while time.monotonic() < until:
            people.tend()
            time.sleep(0.2)
        victim = chance.choice(VICTIMS)
        if _strike(stack, victim):
            killed[victim] += 1
            sys.stderr.write(f"{killed.total():>3} kills, {people.decided} decisions\n")
    # Nobody answers any more: each project must come to the review of its last iteration.
    stack.until(people.at_rest, "all projects come to rest", REST)
    return _seen(stack, names, killed, people.decided, time.monotonic() - began)


def _strike(stack: Stack, victim: str) -> bool:
    """Kill, and start again at once; False if there was nothing to kill."""
    if victim == "flows":
        return stack.kill_flows() > 0
    part = victim.partition(" ")[0]
    stack.kill(part)
    if "flows" in victim:
        stack.kill_flows()
    stack.start(part)
    return True


def _seen(stack: Stack, names: list[str], killed: Counter[str], decided: int, seconds: float) -> Seen:
    iterations = [record for name in names for record in stack.iterations(name)]
    events = Counter((event.kind, event.subject) for event in stack.ledger.events())
    applied = Counter({subject: times for (kind, subject), times in events.items() if kind == "review.applied"})
    opened = Counter({subject: times for (kind, subject), times in events.items() if kind == "iteration.opened"})
    # Every training has parameters of its own here but `second`, which is trained once a project.
    trained = Counter({what: times for what, times in stack.noted().items() if what.startswith("train-end")})
    wanted = {name: len(stack.iterations(name)) for name in names}
    twice = sum(
        max(0, times - (1 if what.endswith("second") else wanted[what.split()[1]])) for what, times in trained.items()
    )
    gaps = sum(
        [record.number for record in stack.iterations(name)] != list(range(1, wanted[name] + 1)) for name in names
    )
    failed = sum(times for (kind, _), times in events.items() if kind == "iteration.failed")
    lost = gaps + (decided - len(applied)) + sum(times != 1 for times in opened.values())
    more = sum(times - 1 for times in applied.values())
    return Seen(
        killed, len(iterations), decided, len(applied) + more, twice, failed, lost, verify(stack.ledger).intact, seconds
    )


def game(store: str, seed: int, kills: int, pace: float) -> str:
    """Play on one store; a line of the table."""
    with ExitStack() as left:
        env = {}
        if store == "PostgreSQL":
            env = {"LANDED_LEDGER_URL": left.enter_context(postgresql()).new_url()}
        stack = Stack(Path(tempfile.mkdtemp(prefix="landed-chaos-")), env)
        left.callback(stack.close)
        stack.start()
        seen = play(stack, seed, kills, pace=pace)
    chain = "intact" if seen.intact else "broken"
    figures = (seen.iterations, seen.decided, seen.applied, seen.twice, seen.failed, seen.lost, chain)
    return f"| {store} | {seen.kills.total()} | {' | '.join(map(str, figures))} | {seen.seconds / 60:.0f} min |"


def main() -> None:
    """Play on SQLite and on PostgreSQL, one after the other, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--pace", type=float, default=PACE, help="time between kills, as a share of the first lap")
    parser.add_argument("--together", action="store_true", help="play on both stores at the same time")
    parser.add_argument("--write", type=Path, help="Markdown file to put the table into")
    asked = parser.parse_args()
    stores = ("SQLite", "PostgreSQL") if postgresql_tools() else ("SQLite",)
    with ThreadPoolExecutor(len(stores) if asked.together else 1) as pool:
        rows = list(pool.map(lambda store: game(store, asked.seed, asked.kills, asked.pace), stores))
    head = "| ledger | kills | iterations | decisions | applied | trained twice | given up | lost | chain | wall |"
    table = "\n".join([head, "|" + " --- |" * head[1:].count("|"), *rows])
    sys.stdout.write(f"{table}\n")
    if asked.write:
        text = asked.write.read_text(encoding="utf-8")
        start, end = "<!-- chaos -->\n", "<!-- /chaos -->"
        before, _, rest = text.partition(start)
        asked.write.write_text(f"{before}{start}{table}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()

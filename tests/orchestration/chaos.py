"""Chaos: projects iterate while parts of the stack are killed at random; afterwards the record is held to account.

``make chaos`` plays it at full length on both stores and writes what it saw into ``docs/reliability.md``.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from flows.opening import open_by_hand
from pipeline.ledger import pending, verify
from tests.orchestration.parts import Stack

#: Parts that are killed, with the flows as one of them.
VICTIMS = ("server", "worker", "dispatcher", "flows", "worker and flows")
#: Seconds between two kills, and for each project to come to rest after the last one; a loaded machine is slow.
PAUSE = (5.0, 30.0)
REST = 1200.0


@dataclass(frozen=True)
class Seen:
    """What a game of chaos came to.

    Attributes:
        kills: by victim.
        iterations: opened in all.
        decided: decisions taken.
        applied: decisions applied, and more than once.
        twice: trainings that ended more than once.
        lost: decisions or iterations that led to nothing.
        intact: whether the ledger's chain is whole.
        seconds: wall time.
    """

    kills: Counter[str]
    iterations: int
    decided: int
    applied: int
    twice: int
    lost: int
    intact: bool
    seconds: float


def play(stack: Stack, seed: int, kills: int, projects: int = 3, pause: tuple[float, float] = PAUSE) -> Seen:
    """Kill parts of a started stack while projects iterate, then let it come to rest."""
    chance, began = random.Random(seed), time.monotonic()  # noqa: S311 - a seeded game
    names = [f"chaos-{number}" for number in range(projects)]
    for name in names:
        charter = stack.deploy(stack.charter(name, seconds=1.0))
        open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    killed, decided, factor = Counter[str](), 0, 0.3

    def answer() -> int:
        nonlocal decided, factor
        stack.revive()
        for name in names:
            review = stack.review(name)
            if review is not None:
                factor = round(factor + 0.001, 6)
                stack.decide(review, factor=factor)
                decided += 1
        return decided

    while killed.total() < kills:
        until = time.monotonic() + chance.uniform(*pause)
        while time.monotonic() < until:
            answer()
            time.sleep(0.2)
        victim = chance.choice(VICTIMS)
        _strike(stack, victim)
        killed[victim] += 1
        sys.stderr.write(f"\r{killed.total():>3} kills, {decided} decisions")
        sys.stderr.flush()
    sys.stderr.write("\n")
    # However slow the machine is, something must have been decided for the game to mean anything.
    stack.until(lambda: answer() >= projects, "a decision for each project", REST)
    # Nobody answers any more: each project must come to the review of its last iteration.
    for name in names:
        stack.until(lambda name=name: _at_rest(stack, name), f"{name} comes to rest", REST)
    return _seen(stack, names, killed, decided, time.monotonic() - began)


def _strike(stack: Stack, victim: str) -> None:
    parts = [part for part in ("server", "worker", "dispatcher") if part in victim]
    stack.kill(*parts)
    if "flows" in victim:
        stack.kill_flows()
    stack.start(*parts) if parts else None


def _at_rest(stack: Stack, project: str) -> bool:
    review = stack.review(project)
    waits = [intent for intent in pending(stack.ledger, project) if intent.kind != "notify"]
    stack.revive()
    return review is not None and not waits and stack.iterations(project)[-1].state == "awaiting_review"


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
    lost = gaps + (decided - len(applied)) + sum(times != 1 for times in opened.values())
    more = sum(times - 1 for times in applied.values())
    return Seen(
        killed, len(iterations), decided, len(applied) + more, twice, lost, verify(stack.ledger).intact, seconds
    )


def main() -> None:
    """Play on SQLite and on PostgreSQL and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--write", type=Path, help="Markdown file to put the table into")
    asked = parser.parse_args()
    from tests.postgres import PostgresServer, postgresql_tools

    rows = []
    for store in ("SQLite", "PostgreSQL"):
        with ExitStack() as left:
            env = {}
            if store == "PostgreSQL":
                tools = postgresql_tools()
                if tools is None:
                    sys.stderr.write("PostgreSQL's programs are not there: left out\n")
                    continue
                server = PostgresServer(tools)
                left.callback(server.stop)
                server.initialise()
                env = {"LANDED_LEDGER_URL": server.new_url()}
            stack = Stack(Path(tempfile.mkdtemp(prefix="landed-chaos-")), env)
            left.callback(stack.close)
            stack.start()
            seen = play(stack, asked.seed, asked.kills)
            chain = "intact" if seen.intact else "broken"
            figures = (seen.kills.total(), seen.iterations, seen.decided, seen.applied, seen.twice, seen.lost, chain)
            rows.append(f"| {' | '.join(map(str, (store, *figures)))} | {seen.seconds:.0f} s |")
    head = "| ledger | kills | iterations | decisions | applied | trained twice | lost | chain | wall |"
    table = "\n".join([head, "|" + " --- |" * 9, *rows])
    sys.stdout.write(f"{table}\n")
    if asked.write:
        text = asked.write.read_text(encoding="utf-8")
        start, end = "<!-- chaos -->\n", "<!-- /chaos -->"
        before, _, rest = text.partition(start)
        asked.write.write_text(f"{before}{start}{table}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()

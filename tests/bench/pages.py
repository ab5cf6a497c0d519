"""How long fifty people at once wait for the inbox and a review's page, beside a bare page in the same run."""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

import httpx
from children import ROOT, BenchmarkFailed, environment, landed, stores
from figures import Figure, Result, unjudged

from pipeline.accounts import begin_session
from pipeline.ledger import Ledger
from pipeline.web.visitors import PLAIN_COOKIE
from tests.web.played import PEOPLE, played

CONNECTIONS = 50
ROUNDS = 5
SECONDS = 3.0
LIMIT = 4.0
_HERE = Path(__file__).parent
_AT_MOST = 120.0


def pages(work: Path, logs: Path, *, quick: bool) -> Result:
    """Both pages of ``landed review serve`` and a bare page of the size of each, in turns.

    Fifty sessions of five people ask again as soon as they are answered. An event is written every second, as on a
    site that is used, so that what the pages remember of the record is worked out anew.
    """
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, SECONDS)
    env = stores(work)
    url = f"sqlite:///{work / 'data' / 'ledger.db'}"
    review = played(url, work / "reports", datetime.now(UTC))
    with Ledger(url) as ledger, ExitStack() as running:
        cookies = _cookies(ledger)
        site = running.enter_context(_serving(landed("review", "serve"), "--port", env=env, log=logs / "site.log"))
        shown = {"inbox": f"{site}/", "review": f"{site}/reviews/{review.id}"}
        sizes = {name: _size(address, cookies[0]) for name, address in shown.items()}
        addresses: dict[str, str] = {}
        for name, address in shown.items():
            bare = [sys.executable, str(_HERE / "bare.py")]
            log = logs / f"bare-{name}.log"
            base = running.enter_context(_serving(bare, env=environment(), log=log, after=[str(sizes[name])]))
            addresses |= {f"bare {name}": f"{base}/", name: address}
        running.enter_context(_life(ledger))
        # The first round fills what both sides keep; it is not counted.
        taken = [_round(addresses, cookies, seconds) for _ in range(rounds + 1)][1:]
    figures = tuple(figure for name in shown for figure in _figures(name, taken))
    details = {
        "bytes": sizes,
        "p50_ms": {name: [_at(one[name], 0.5) for one in taken] for name in addresses},
        "p95_ms": {name: [_at(one[name], 0.95) for one in taken] for name in addresses},
        "answers_per_second": {name: [len(one[name]) / seconds for one in taken] for name in addresses},
    }
    return Result("pages", unjudged(figures) if quick else figures, (), details)


def _figures(name: str, taken: Sequence[Mapping[str, Sequence[float]]]) -> tuple[Figure, ...]:
    """Each round's ratio stands on two measurements seconds apart, so that other load on the machine hits both."""
    ours, bare = ([_at(one[side], 0.95) for one in taken] for side in (name, f"bare {name}"))
    ratio = statistics.median(mine / least for mine, least in zip(ours, bare, strict=True))
    return (
        Figure(f"{name}, 95 of 100 answers within, {CONNECTIONS} at once", statistics.median(ours), "ms"),
        Figure(f"bare page of the {name}'s size, likewise", statistics.median(bare), "ms"),
        Figure(f"{name} to bare page", ratio, "×", LIMIT),
    )


def _round(addresses: Mapping[str, str], cookies: Sequence[str], seconds: float) -> dict[str, list[float]]:
    return {name: _visit(address, cookies, seconds) for name, address in addresses.items()}


def _visit(address: str, cookies: Sequence[str], seconds: float) -> list[float]:
    command = [sys.executable, str(_HERE / "connections.py"), address, str(seconds), json.dumps(cookies)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=_AT_MOST, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"{address} was not visited to the end:\n{done.stderr[-2000:]}")
    answers: list[float] = json.loads(done.stdout)
    return answers


def _at(seconds: Sequence[float], share: float) -> float:
    """The quantile in milliseconds."""
    return 1000 * sorted(seconds)[int(share * (len(seconds) - 1))]


def _cookies(ledger: Ledger) -> list[str]:
    people = islice(cycle(PEOPLE), CONNECTIONS)
    tokens = (begin_session(ledger, person, address="127.0.0.1", method="password").token for person in people)
    return [f"{PLAIN_COOKIE}={token}" for token in tokens]


def _size(address: str, cookie: str) -> int:
    answer = httpx.get(address, headers={"cookie": cookie}, timeout=_AT_MOST)
    if answer.status_code != 200:
        raise BenchmarkFailed(f"{address} answers {answer.status_code}")
    return len(answer.content)


@contextmanager
def _serving(
    command: Sequence[str], option: str | None = None, *, env: Mapping[str, str], log: Path, after: Sequence[str] = ()
) -> Iterator[str]:
    """A server as a child, from its first answer to the end of the block; hands out its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log.parent.mkdir(parents=True, exist_ok=True)
    whole = [*command, *([option] if option else []), str(port), *after]
    base = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        child = subprocess.Popen(whole, cwd=ROOT, env=dict(env), stdout=out, stderr=out, start_new_session=True)
    try:
        _await(base, child, log)
        yield base
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=30)


def _await(base: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _AT_MOST
    while time.monotonic() < deadline and child.poll() is None:
        try:
            httpx.get(base, timeout=2)
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise BenchmarkFailed(f"no server at {base}; its words are in {log}")


@contextmanager
def _life(ledger: Ledger) -> Iterator[None]:
    """Somebody does something every second."""
    over = threading.Event()

    def live() -> None:
        while not over.wait(1.0):
            with ledger.transaction() as tx:
                tx.append("export.made", "", "benchmark", "benchmark", "", {})

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

"""What the review site's pages cost, beside a page that FastAPI and Jinja2 make of nothing, in the same run."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bare_page import CARDS
from children import ROOT, BenchmarkFailed, landed, stores
from figures import Figure, Result

from pipeline.accounts import begin_session
from pipeline.ledger import Ledger
from tests.web.made import PEOPLE, Pack, evidence_of, let_in, put_review, write_pack

CONNECTIONS = 50
LIMIT = 4.0
_ROUNDS = 3
_REQUESTS = 500
_AT_MOST = 120.0


@dataclass
class _Page:
    """A page, and what was measured of it."""

    port: int
    path: str
    cookies: Sequence[str]
    size: int = 0
    seconds: list[float] = field(default_factory=list)

    def visit(self, requests: int) -> list[float]:
        """Seconds of each of so many requests over all connections."""
        asked = {"host": "127.0.0.1", "port": self.port, "path": self.path, "cookies": self.cookies}
        child = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("visits.py"))],
            input=json.dumps({**asked, "requests": requests}), capture_output=True, text=True, timeout=_AT_MOST, check=False,
        )  # fmt: skip
        if child.returncode:
            raise BenchmarkFailed(f"the visitors of {self.path} ended early: {child.stderr.strip()[-500:]}")
        found: dict[str, Any] = json.loads(child.stdout)
        self.size = found["bytes"]
        return list(found["seconds"])

    def share(self, part: float) -> float:
        """Seconds within which this part of the requests was answered."""
        return sorted(self.seconds)[int(part * len(self.seconds))]


def site(logs: Path) -> Result:
    """Inbox and review page of ``landed review serve`` over 20 open reviews, and the bare page, in turns."""
    with tempfile.TemporaryDirectory(prefix="landed-bench-site-") as work:
        review, cookies = _installation(Path(work))
        ours = [*landed("review", "serve", "--port")]
        bare = [sys.executable, str(Path(__file__).with_name("bare_page.py"))]
        with _served(ours, Path(work), logs) as port, _served(bare, Path(work), logs) as other:
            pages = {
                "bare": _Page(other, "/", cookies),
                "inbox": _Page(port, "/", cookies),
                "review": _Page(port, f"/reviews/{review}", cookies),
            }
            for page in pages.values():
                page.visit(2 * CONNECTIONS)  # not counted: caches fill, connections to the ledger open
            for _ in range(_ROUNDS):
                for page in pages.values():
                    page.seconds += page.visit(_REQUESTS)
    return Result("site", tuple(_figures(pages)), (), {name: _detail(page) for name, page in pages.items()})


def _figures(pages: dict[str, _Page]) -> Iterator[Figure]:
    bare = pages["bare"].share(0.95)
    for name, page in pages.items():
        yield Figure(f"{name}, {CONNECTIONS} connections, half answered within", page.share(0.5), "s")
        yield Figure(f"{name}, {CONNECTIONS} connections, 95 % answered within", page.share(0.95), "s")
    yield Figure("inbox to the bare page, 95 %", pages["inbox"].share(0.95) / bare, "×", LIMIT)
    yield Figure("review to the bare page, 95 %", pages["review"].share(0.95) / bare, "×")


def _detail(page: _Page) -> dict[str, float]:
    return {"requests": len(page.seconds), "bytes": page.size, "p50": page.share(0.5), "p95": page.share(0.95)}


def _installation(work: Path) -> tuple[str, list[str]]:
    """Reviews that wait in as many projects, and a session for each connection; a review's id and the cookies."""
    first = write_pack(work / "packs" / "first", evidence_of())
    with Ledger(f"sqlite:///{work / 'data' / 'ledger.db'}") as ledger:
        let_in(ledger)
        reviews = [put_review(ledger, _of_project(first, number)) for number in range(CARDS)]
        names = list(PEOPLE)
        sessions = [
            begin_session(ledger, names[number % len(names)], address="127.0.0.1", method="password")
            for number in range(CONNECTIONS)
        ]
    return reviews[0].id, [f"landed={new.token}" for new in sessions]


def _of_project(pack: Pack, number: int) -> Pack:
    """The same report under another project's name: writing one takes seconds, and the inbox does not read it."""
    charter = pack.evidence.charter.model_copy(update={"project": f"{pack.evidence.charter.project}-{number:02d}"})
    return replace(pack, evidence=replace(pack.evidence, charter=charter))


@contextmanager
def _served(command: Sequence[str], work: Path, logs: Path) -> Iterator[int]:
    """A server on a free port, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"site-{Path(command[-1]).stem.strip('-')}.log"
    with log.open("wb") as out:
        child = subprocess.Popen([*command, str(port)], cwd=ROOT, env=stores(work), stdout=out, stderr=out)
        try:
            _wait(port, child, log)
            yield port
        finally:
            child.terminate()
            child.wait(20)


def _wait(port: int, child: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _AT_MOST
    while child.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise BenchmarkFailed(f"the server did not answer; see {log}")

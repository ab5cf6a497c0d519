"""An adversary with a bare socket: requests that two readers read differently, endless heads, bombs, and slow clients.

The site is the real one, ``landed review serve`` in a process of its own on the loopback; its memory is watched.
"""

import gzip
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from pipeline.web.security import MAX_BODY
from pipeline.web.wire import PATIENCE
from tests.conftest import Home
from tests.mlflow_server import free_port

pytestmark = pytest.mark.slow

#: Slow clients at once, and heads and bodies in megabytes that are tried.
SLOW, MEGABYTES = 300, 160
#: What the site may grow by while it is attacked, in megabytes.
GROWTH = 64
#: CPU seconds it may spend on a head that it refuses.
SPENT = 2.0
FORM = b"content-type: application/x-www-form-urlencoded\r\n"


class Site:
    """The running site."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port, self.process, self.log = port, process, log

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def say(self, *parts: bytes) -> bytes:
        """Send parts on one connection, as far as they are taken, and read to the end of what comes back."""
        with self.connect() as wire:
            try:
                for part in parts:
                    wire.sendall(part)
                wire.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the site has heard enough
            return heard(wire)

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def seconds(self) -> float:
        """CPU seconds it spent so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def answers(self) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.port}/sign-in", timeout=60).status_code == 200


def heard(wire: socket.socket) -> bytes:
    """All that comes back until the site hangs up; a site that does not is a failure."""
    found = b""
    try:
        while piece := wire.recv(65536):
            found += piece
    except ConnectionError:
        pass
    return found


def statuses(answer: bytes) -> list[int]:
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("wire"))
    port, log = free_port(), home.root / "log"
    command = [Path(sys.executable).with_name("landed"), "review", "serve", "--port", str(port)]
    with log.open("wb") as out:
        environment = {**os.environ, **home.environment}
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    found, deadline = Site(port, process, log), time.monotonic() + 120
    try:
        while True:
            try:
                assert found.answers()
                break
            except httpx.HTTPError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield found
        assert found.answers()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def head(*lines: bytes, method: bytes = b"POST", path: bytes = b"/sign-in", site: Site) -> bytes:
    first = method + b" " + path + b" HTTP/1.1\r\nhost: 127.0.0.1:" + str(site.port).encode() + b"\r\n"
    return first + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


#: A second request hidden in what one reader takes for a body and another for the next request.
HIDDEN = b"GET /hidden HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
AMBIGUOUS = {
    "two lengths": [b"content-length: 0", b"content-length: %d" % len(HIDDEN)],
    "two lengths in one line": [b"content-length: 0, %d" % len(HIDDEN)],
    "length and chunks": [b"content-length: %d" % len(HIDDEN), b"transfer-encoding: chunked"],
    "chunks and length": [b"transfer-encoding: chunked", b"content-length: 0"],
    "chunks twice": [b"transfer-encoding: chunked", b"transfer-encoding: identity"],
    "chunks that are none": [b"transfer-encoding: xchunked"],
    "a blank before the colon": [b"content-length : %d" % len(HIDDEN)],
    "a folded line": [b"content-length: 0", b" %d" % len(HIDDEN)],
    "a signed length": [b"content-length: +%d" % len(HIDDEN)],
    "a negative length": [b"content-length: -1"],
    "a hexadecimal length": [b"content-length: 0x10"],
    "a length beyond any number": [b"content-length: " + b"9" * 30],
    "a bare line feed in the head": [b"x: y\ncontent-length: %d" % len(HIDDEN)],
    "a zero byte in the head": [b"x: \x00"],
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_a_request_that_reads_two_ways_is_refused_and_nothing_behind_it_is_answered(live, what):
    answer = live.say(head(*AMBIGUOUS[what], FORM.strip(), site=live) + HIDDEN)
    told = statuses(answer)
    assert len(told) <= 1, answer
    assert not told or 400 <= told[0] < 500, answer
    assert b"hidden" not in answer


CHUNKS = {
    "longer than any number": b"F" * 40 + b"\r\nx\r\n",
    "2^64": b"10000000000000000\r\nx\r\n",
    "negative": b"-1\r\nx\r\n",
    "no number": b"zz\r\nx\r\n",
    "with a mile of extension": b"1;" + b"a" * 200_000 + b"\r\nx\r\n0\r\n\r\n",
    "with a shorter body": b"5\r\nx\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", CHUNKS)
def test_sizes_of_chunks_that_are_none_are_refused(live, what):
    answer = live.say(head(b"transfer-encoding: chunked", FORM.strip(), site=live) + CHUNKS[what])
    assert not [one for one in statuses(answer) if one < 400 or one >= 500], answer[:500]


def test_a_body_in_chunks_without_end_is_cut_off(live):
    before, piece = live.megabytes(), b"10000\r\n" + b"x" * 65536 + b"\r\n"
    start = head(b"transfer-encoding: chunked", FORM.strip(), site=live)
    answer = live.say(start, *[piece] * (MEGABYTES * 16))
    assert statuses(answer) in ([413], []), answer[:500]
    assert live.megabytes() - before < GROWTH
    assert live.answers()


@pytest.mark.parametrize("kind", ["one long line", "many lines", "a long address", "a long method", "no end of a line"])
def test_a_head_without_end_is_cut_off(live, kind):
    """In CPU seconds: what is not cut off is copied anew with each piece, for minutes."""
    before, spent, piece = live.megabytes(), live.seconds(), b"x" * 65536
    start = {
        "one long line": head(site=live)[:-2] + b"x: ",
        "many lines": head(site=live)[:-2],
        "a long address": b"GET /",
        "a long method": b"",
        "no end of a line": head(site=live)[:-2],
    }[kind]
    filled = b"".join(b"x-%d: %s\r\n" % (one, b"y" * 50) for one in range(1000)) if kind == "many lines" else piece
    answer = live.say(start, *[filled] * (MEGABYTES * 2**20 // len(filled)))
    assert not [one for one in statuses(answer) if one < 400 or one >= 500], answer[:500]
    assert live.megabytes() - before < GROWTH, f"{live.megabytes() - before:.0f} MB kept for a head"
    assert live.seconds() - spent < SPENT
    assert live.answers()


def test_what_was_packed_to_be_a_bomb_is_not_unpacked(live):
    """200 MB in 200 KB: bodies are taken as they come, so it is no form and no JSON."""
    before, bomb = live.megabytes(), gzip.compress(b"0" * 200_000_000)
    assert len(bomb) < MAX_BODY
    for path, kind in ((b"/sign-in", FORM.strip()), (b"/api/v1/reviews/x/sign", b"content-type: application/json")):
        for packing in (b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip"):
            lines = (b"content-encoding: " + packing, b"content-length: %d" % len(bomb), kind, b"connection: close")
            answer = live.say(head(*lines, path=path, site=live) + bomb)
            assert not [one for one in statuses(answer) if one < 400 or one >= 500], answer[:500]
    assert live.megabytes() - before < GROWTH


@pytest.mark.proof
def test_hundreds_of_clients_that_never_finish_hold_up_nobody_and_are_let_go(live):
    """Half a head, half a body, and silence; whoever asks properly meanwhile is answered."""
    half = head(b"content-length: 100", FORM.strip(), site=live)
    chunked = head(b"transfer-encoding: chunked", FORM.strip(), site=live) + b"5\r\nx"
    second = head(method=b"GET", site=live) + half[:40]
    starts = (half[:40], half + b"x=", b"", b"G", chunked, second)
    with ExitStack() as left:
        wires = [left.enter_context(live.connect()) for _ in range(SLOW)]
        for number, wire in enumerate(wires):
            wire.sendall(starts[number % len(starts)])
        assert all(live.answers() for _ in range(5))
        for wire in wires:
            wire.settimeout(10 * PATIENCE)  # the site has 30 s of its own clock, on a machine that may be busy
            assert statuses(heard(wire)) in ([], [200])
            # Heard to the end: it was the site that hung up.

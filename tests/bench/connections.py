"""Fifty browsers on one machine: each keeps its connection and asks again as soon as it was answered.

``python connections.py ADDRESS SECONDS COOKIES``: ``COOKIES`` is a JSON list, one header a browser. Prints the seconds
each answer took, as a JSON list. A process of its own, with no more than it needs, so that what is measured is the
server and not its visitors.
"""

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit


async def _browse(host: str, port: int, request: bytes, until: float) -> list[float]:
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    taken = []
    try:
        while (began := time.perf_counter()) < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"the page was not served: {head.decode(errors='replace')}")
            await reader.readexactly(_length(head))
            taken.append(time.perf_counter() - began)
    finally:
        writer.close()
    return taken


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])


async def _all(address: str, seconds: float, cookies: list[str]) -> list[float]:
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 80
    until = time.perf_counter() + seconds
    requests = [
        f"GET {parts.path} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\nAccept-Language: en\r\n\r\n".encode()
        for cookie in cookies
    ]
    answers = await asyncio.gather(*(_browse(host, port, request, until) for request in requests))
    return [seconds for taken in answers for seconds in taken]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_all(sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3])))))

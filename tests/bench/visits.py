"""Visitors who ask for one page over and over: a process of its own, so that it takes nothing from the server's.

Reads ``{"host", "port", "path", "cookies", "requests"}`` as JSON from standard input and writes the seconds of every
request and the size of the last body. One connection for each cookie, all at once; each asks again when it is answered.
It speaks HTTP/1.1 itself: a full client costs as much CPU as the bare page, and would hide what the pages cost.
"""

import asyncio
import json
import sys
import time
from typing import Any


async def _visit(asked: dict[str, Any], cookie: str, left: list[int], taken: list[float]) -> int:
    reader, writer = await asyncio.open_connection(asked["host"], asked["port"])
    host = f"{asked['host']}:{asked['port']}"
    request = f"GET {asked['path']} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\naccept-language: en\r\n\r\n".encode()
    size = 0
    while left:
        left.pop()
        began = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        size = int(head.partition("content-length:")[2].partition("\r\n")[0])
        await reader.readexactly(size)
        taken.append(time.perf_counter() - began)
        if " 200 " not in head.partition("\r\n")[0]:
            sys.exit(f"{asked['path']} answered {head.partition(chr(13))[0]}")
    writer.close()
    await writer.wait_closed()
    return size


async def _all(asked: dict[str, Any]) -> dict[str, Any]:
    left, taken = [0] * asked["requests"], list[float]()
    sizes = await asyncio.gather(*(_visit(asked, cookie, left, taken) for cookie in asked["cookies"]))
    return {"seconds": taken, "bytes": max(sizes)}


if __name__ == "__main__":
    json.dump(asyncio.run(_all(json.load(sys.stdin))), sys.stdout)

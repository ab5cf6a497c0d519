"""How the site listens: a request's head has a largest size, and a whole request a longest time to arrive.

Uvicorn bounds neither. It joins what comes of an address or a header piece by piece, so that one client that sends
without end would keep the site busy for minutes; and one that sends half a request would be waited for without end.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: The largest head of a request in bytes, above what one read from the network may bring: as much as h11 takes.
MAX_HEAD = 65_536
#: Seconds within which a request must have arrived whole, from the connection or its first byte on.
PATIENCE = 30.0


class Bounded(HttpToolsProtocol):
    """Uvicorn's protocol with these two bounds; a client beyond them is not answered but cut off."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head, self._head = True, 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it makes a head too long."""
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins to arrive."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head, self._head = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is there whole."""
        self._in_head = True
        self._arrived()
        super().on_message_complete()

    def _wait(self) -> None:
        self._arrived()
        self._late = asyncio.get_running_loop().call_later(PATIENCE, self.transport.abort)

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

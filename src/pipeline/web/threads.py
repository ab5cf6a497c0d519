"""Where pages are made: on a few threads of their own."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.responses import Response

#: Making a page is work for one processor and takes a millisecond. More threads than this only wait for each other;
#: what is sent in, and may wait for the ledger's writer, has the other threads.
_PAGES_AT_ONCE = 8
_LIMITER: RunVar[CapacityLimiter] = RunVar("landed_pages")


def on_few_threads(page: Callable[..., Response]) -> Callable[..., Awaitable[Response]]:
    """A function that makes a page, as one the event loop can wait for."""

    @wraps(page)
    async def answer(**given: object) -> Response:
        return await to_thread.run_sync(partial(page, **given), limiter=_limiter())

    return answer


def _limiter() -> CapacityLimiter:
    """The event loop's own limiter."""
    try:
        return _LIMITER.get()
    except LookupError:
        made = CapacityLimiter(_PAGES_AT_ONCE)
        _LIMITER.set(made)
        return made

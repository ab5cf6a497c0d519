"""Where pages are made: on a few threads of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps

from starlette.requests import Request
from starlette.responses import Response

from pipeline.web.site import site_of

#: Making a page is work for one processor and takes a millisecond: more threads than this only wait for each other. A
#: second one, so that a page whose charts are drawn for the first time holds up nobody.
#: What is sent in, and may wait for the ledger's writer, has the framework's threads. Those cost a page twice as much
#: with fifty people at once: each of their hand-overs goes through the event loop several times.
_MAKERS = ThreadPoolExecutor(2, thread_name_prefix="pages")

#: Where a request's state holds the connection its page is made over.
HELD = "reader"


def on_few_threads(page: Callable[..., Response]) -> Callable[..., Awaitable[Response]]:
    """A function that makes a page, as one the event loop can wait for.

    All that the page asks of the ledger goes over one connection: opening one and beginning costs what a query does.
    """

    @wraps(page)
    async def answer(request: Request, **given: object) -> Response:
        return await asyncio.get_running_loop().run_in_executor(_MAKERS, partial(make, request, **given))

    def make(request: Request, **given: object) -> Response:
        with site_of(request).ledger.reading() as reader:
            request.scope["state"][HELD] = reader
            return page(request, **given)

    return answer

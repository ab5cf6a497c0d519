"""What every page of the site needs: settings, the ledger, and what was worked out from it before."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from starlette.requests import Request

from pipeline.ledger import Ledger, Reader
from pipeline.ledger.store import last_event
from pipeline.settings import Settings

Value = TypeVar("Value")

#: Worked-out values kept at a time; the oldest goes first.
_KEPT = 256


class _Kept:
    """A value on its way or there: whoever asks first works it out, the others wait for that."""

    def __init__(self, version: Hashable) -> None:
        self.version = version
        self._made: tuple[Any] | None = None
        self._making = threading.Lock()

    def value(self, make: Callable[[], Any]) -> Any:
        """The value; made by the caller if nobody was quicker."""
        if self._made is None:
            with self._making:
                if self._made is None:
                    self._made = (make(),)
        return self._made[0]


class _Shelf:
    """Values by key, each with the version it holds for; the one asked for least lately goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, key: Hashable, version: Hashable, make: Callable[[], Value]) -> Value:
        """The value of this version; worked out if it is not there."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found.version != version:
                found = self._kept[key] = _Kept(version)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        try:
            return cast("Value", found.value(make))
        except BaseException:
            with self._lock:
                if self._kept.get(key) is found:
                    del self._kept[key]
            raise


@dataclass
class Site:
    """One running site.

    Attributes:
        settings: of the installation.
        ledger: the record; shared by all requests.
        key: signs what has no session yet, such as the sign-in form.
        moment: the record as of one moment, where a page is answered over one connection; None to look each time.
    """

    settings: Settings
    ledger: Ledger
    key: bytes
    moment: "Moment | None" = None
    _values: _Shelf = field(default_factory=_Shelf)
    _pages: _Shelf = field(default_factory=_Shelf)

    @property
    def secure(self) -> bool:
        """Whether people reach the site through TLS, so that cookies may demand it."""
        return urlsplit(self.settings.site_url).scheme == "https"

    @property
    def reader(self) -> Reader:
        """What to ask: the request's connection, or the ledger."""
        return self.moment.reader if self.moment else self.ledger

    @property
    def _version(self) -> Hashable:
        return self.moment.seq if self.moment else self.ledger.head().seq, today(self)

    def as_of(self, reader: Reader) -> "Site":
        """The same site for a request that only reads: which event was the last is looked up here, once."""
        return replace(self, moment=Moment(reader, last_event(reader).seq))

    def known(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """A value that follows from the ledger, worked out anew when an event was added since or a day began.

        Every change of state comes with an event, so the number of the last one says whether a value still holds; but
        what waits for a date, such as the end of a delegation, has none.
        """
        return self._values.recall(key, self._version, make)

    def lasting(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """A value that never changes under its key, such as what follows from a content hash."""
        return self._values.recall(key, None, make)

    def page(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """A whole page, kept as :meth:`known` keeps a value, on a shelf of its own: many pages push out no evidence."""
        return self._pages.recall(key, self._version, make)


@dataclass(frozen=True)
class Moment:
    """The record as one request sees it: its connection, and the number of the last event there."""

    reader: Reader
    seq: int


def today(site: Site) -> str:
    """The day by the ledger's clock, in UTC."""
    return site.ledger.now().astimezone(UTC).date().isoformat()


def site_of(request: Request) -> Site:
    """The site a request came to."""
    return cast("Site", request.app.state.site)

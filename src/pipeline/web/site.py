"""What every page of the site needs: settings, the ledger, and what was worked out from it before."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from starlette.requests import Request

from pipeline.ledger import Ledger, Reader
from pipeline.ledger.store import last_event
from pipeline.settings import Settings

Value = TypeVar("Value")

#: Worked-out values kept at a time; the oldest goes first.
_KEPT = 256


@dataclass
class Site:
    """One running site.

    Attributes:
        settings: of the installation.
        ledger: the record; shared by all requests.
        key: signs what has no session yet, such as the sign-in form.
        seen: number of the last event, where one page is answered as of one moment; None to look each time.
    """

    settings: Settings
    ledger: Ledger
    key: bytes
    seen: int | None = None
    _kept: OrderedDict[Hashable, "_Kept"] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def secure(self) -> bool:
        """Whether people reach the site through TLS, so that cookies may demand it."""
        return urlsplit(self.settings.site_url).scheme == "https"

    def as_of(self, reader: Reader) -> "Site":
        """The same site for a request that only reads: which event was the last is looked up here, once."""
        return replace(self, seen=last_event(reader).seq)

    def known(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """A value that follows from the ledger, worked out anew only when an event was added since.

        Every change of state comes with an event, so the number of the last one says whether a value still holds.
        """
        return self._recall(key, self.ledger.head().seq if self.seen is None else self.seen, make)

    def lasting(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """A value that never changes under its key, such as what follows from a content hash."""
        return self._recall(key, -1, make)

    def _recall(self, key: Hashable, version: int, make: Callable[[], Value]) -> Value:
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


class _Kept:
    """A value on its way or there: whoever asks first works it out, the others wait for that."""

    def __init__(self, version: int) -> None:
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


def site_of(request: Request) -> Site:
    """The site a request came to."""
    return cast("Site", request.app.state.site)

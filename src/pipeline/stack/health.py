"""Is a part well? A page answers, or a file is touched again and again."""

import time
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Protocol

#: A proxy of the surroundings must not be asked for this machine's own pages.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Check(Protocol):
    """A question with yes or no."""

    def well(self) -> bool:
        """Whether the part is well; never raises, answers within seconds."""


@dataclass(frozen=True)
class PageCheck:
    """Well while a page of this machine answers with 200.

    Attributes:
        url: the page, ``http://127.0.0.1:…``.
        patience: seconds to wait for the answer.
    """

    url: str
    patience: float = 5.0

    def well(self) -> bool:
        """Whether the page answers."""
        try:
            with _DIRECT.open(self.url, timeout=self.patience) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except (OSError, HTTPException):
            return False


@dataclass(frozen=True)
class BeatCheck:
    """Well while the part touches a file.

    Attributes:
        file: the file; what lay there before the start counts for nothing, the supervisor removes it.
        oldest: seconds since the last touch that are still well.
    """

    file: Path
    oldest: float = 60.0

    def well(self) -> bool:
        """Whether the file was touched lately."""
        try:
            # Either way: after the clock was set back, an old touch lies ahead of it and is no sign of life.
            return abs(time.time() - self.file.stat().st_mtime) <= self.oldest
        except OSError:
            return False

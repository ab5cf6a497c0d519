"""``make screenshots``: the pages the README shows, taken in the system's Chromium of an installation played for it.

``python -m tests.web.screenshots [FOLDER]`` writes Inbox and Review; with ``--all`` also each in Chinese, on a phone
and in the dark, and the other pages, to look at.
"""

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.accounts import begin_session, change_language
from pipeline.ledger import Ledger
from pipeline.settings import Settings
from pipeline.web.app import create_app
from pipeline.web.visitors import PLAIN_COOKIE
from tests.web.browsing import CHROMIUM, FLAGS
from tests.web.made import Clock
from tests.web.played import played

SHOWN = Path("docs/images")
#: What a page of the README may weigh.
MOST_BYTES = 300_000
#: The day the pictures are of, so that they change only with what they show.
DAY = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
WIDE, PHONE = (1180, 900), (390, 844)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The site behind a real socket."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.05)
            if not thread.is_alive():
                raise SystemExit("the site did not start")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def main(folder: Path, *, everything: bool) -> None:
    """Take the pictures."""
    if CHROMIUM is None:
        raise SystemExit("No Chromium here, so no screenshots were taken. Install one, such as Debian's `chromium`.")
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="landed-screenshots-") as work, sync_playwright() as started:
        settings = Settings(data=Path(work) / "data", reports=Path(work) / "reports", mlflow_page="http://mlflow.test")
        review = played(settings.ledger, Path(work) / "reports", DAY)
        with Ledger(settings.ledger, now=Clock(DAY)) as ledger, serving(create_app(settings, ledger)) as base:
            browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            camera = _Camera(browser, ledger, base, folder)
            camera.take("inbox", "/", clip=760)
            camera.take("review", f"/reviews/{review.id}", clip=1120)
            if everything:
                _look_around(camera, review.id)
            browser.close()


def _look_around(camera: "_Camera", review: str) -> None:
    pages = {
        "inbox": "/", "review": f"/reviews/{review}", "project": "/projects/smart-replenishment",
        "history": "/history", "account": "/account", "projects": "/projects",
    }  # fmt: skip
    for name, address in pages.items():
        camera.take(f"{name}-whole", address)
        camera.take(f"{name}-phone", address, size=PHONE)
    camera.take("people-whole", "/people", user="olga.admin")
    camera.take("review-dark", f"/reviews/{review}", scheme="dark")
    camera.speak("zh_Hans")
    for name, address in pages.items():
        camera.take(f"{name}-zh", address)
    camera.take("review-zh-phone", f"/reviews/{review}", size=PHONE)


class _Camera:
    """Takes pages as the sponsor sees them."""

    def __init__(self, browser: Any, ledger: Ledger, base: str, folder: Path) -> None:
        self._browser, self._ledger, self._base, self._folder = browser, ledger, base, folder

    def speak(self, language: str) -> None:
        """Read in another language from here on."""
        change_language(self._ledger, "ana.ruiz", language)

    def take(
        self, name: str, address: str, *, user: str = "ana.ruiz", size: tuple[int, int] = WIDE, scheme: str = "light",
        clip: int | None = None,
    ) -> None:  # fmt: skip
        """One picture of a page, whole or its upper part."""
        token = begin_session(self._ledger, user, address="127.0.0.1", method="password").token
        view = {"width": size[0], "height": clip or size[1]}
        context = self._browser.new_context(viewport=view, color_scheme=scheme, locale="en-GB")
        context.add_cookies([{"name": PLAIN_COOKIE, "value": token, "url": self._base}])
        page = context.new_page()
        page.goto(f"{self._base}{address}")
        path = self._folder / f"{name}.png"
        page.screenshot(path=path, full_page=clip is None)
        context.close()
        size_kb = path.stat().st_size / 1000
        if clip is not None and path.stat().st_size > MOST_BYTES:
            raise SystemExit(f"{path} weighs {size_kb:.0f} kB; at most {MOST_BYTES / 1000:.0f} may stand in the README")
        sys.stdout.write(f"{path}  {size_kb:.0f} kB\n")


if __name__ == "__main__":
    rest = [argument for argument in sys.argv[1:] if argument != "--all"]
    main(Path(rest[0]) if rest else SHOWN, everything="--all" in sys.argv)

"""A site per test, over a ledger of its own; the evidence packs are written once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from pipeline.ledger import Ledger, verify
from pipeline.review import ReviewRequest
from pipeline.settings import Settings
from pipeline.verdicts import Verdict
from pipeline.web import packs
from pipeline.web.app import create_app
from tests.drawing import drawn_once
from tests.web.browsing import Browser
from tests.web.made import Clock, Pack, evidence_of, let_in, put_review, write_pack

__all__ = ["drawn_once"]

BARRED = Verdict("kpi.beats_baseline", "Beats today's rule", "fail", "block", "It does not beat today's rule.", {})


@dataclass
class Installed:
    """An installation with its site, a review that waits, and people with accounts."""

    app: FastAPI
    ledger: Ledger
    clock: Clock
    review: ReviewRequest
    pack: Pack

    def browser(self, user: str | None = None) -> Browser:
        return Browser(self.app, user)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.ledger.events()]


@pytest.fixture(scope="session", autouse=True)
def styled_once(drawn_once: dict[bytes, str]) -> Iterator[None]:
    """A report's charts as the site shows them, made once for all tests; tests/web/test_charts looks at how."""
    real, drawn = packs._charts, {}

    def remembered(pack: packs.Pack, language: str) -> dict:
        if (pack.digest, language) not in drawn:
            drawn[pack.digest, language] = real(pack, language)
        return drawn[pack.digest, language]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "_charts", remembered)
        yield


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The report under review."""
    return write_pack(tmp_path_factory.mktemp("packs") / "first", evidence_of())


@pytest.fixture(scope="session")
def newer_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The report of the same iteration, run again."""
    return write_pack(tmp_path_factory.mktemp("packs") / "newer", evidence_of(why="Run again on mended data."))


@pytest.fixture(scope="session")
def barred_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A report whose verdicts bar going up."""
    shown = evidence_of()
    return write_pack(tmp_path_factory.mktemp("packs") / "barred", replace(shown, verdicts=(*shown.verdicts, BARRED)))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", reports=tmp_path / "reports", mlflow_page="http://mlflow.test/")


@pytest.fixture
def install(settings: Settings, pack: Pack) -> Iterator[Callable[..., Installed]]:
    """Make the installation; its chain must be whole at the end whatever the test did."""
    opened: list[Ledger] = []

    def make(shown: Pack = pack, using: Settings = settings, started_by: str = "li.wei", **more: bool) -> Installed:
        clock = Clock()
        ledger = Ledger(using.ledger, now=clock)
        opened.append(ledger)
        let_in(ledger, **more)
        review = put_review(ledger, shown, started_by=started_by)
        return Installed(create_app(using, ledger), ledger, clock, review, shown)

    yield make
    for ledger in opened:
        assert verify(ledger).intact
        ledger.close()


@pytest.fixture
def site(install: Callable[..., Installed]) -> Installed:
    return install()

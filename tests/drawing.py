"""Charts drawn once: a third of a second for a page, and most pages of the tests show the same figures."""

import pickle
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from pipeline.reporting import page


@pytest.fixture(scope="session", autouse=True)
def drawn_once() -> Iterator[dict[bytes, str]]:
    """What pages show, drawn once for equal figures; emptied by whoever asks whether they come out the same.

    Whoever calls a chart's own function has it drawn.
    """
    drawn: dict[bytes, str] = {}

    def remembered(draw: Callable[..., str]) -> Callable[..., str]:
        def once(*shown: object) -> str:
            *figures, speaks = shown
            key = pickle.dumps((draw.__name__, figures, speaks.language))
            if key not in drawn:
                drawn[key] = draw(*shown)
            return drawn[key]

        return once

    real = page.charts
    with pytest.MonkeyPatch.context() as patch:
        own = {name: remembered(getattr(real, name)) for name in ("kpi_chart", "units_chart", "weekly_chart")}
        patch.setattr(page, "charts", SimpleNamespace(**own))
        for name in ("field_chart", "frontier_chart"):
            patch.setattr(page, name, remembered(getattr(page, name)))
        yield drawn

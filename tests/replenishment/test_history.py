"""The history's sums against plain means, and that it lets go of its memory."""

import gc
import weakref

import numpy as np

from pipeline.replenishment.history import History
from tests.replenishment.made import made_panel


def test_a_history_is_freed_as_soon_as_nobody_holds_it():
    gc.disable()
    try:
        history = History(made_panel(weeks=80, stores=2, seed=1))
        history.level(70)
        history.season(70)
        gone = weakref.ref(history)
        del history
        assert gone() is None
    finally:
        gc.enable()


def test_what_is_remembered_is_what_would_be_computed_anew():
    panel = made_panel(weeks=80, stores=2, seed=1)
    history = History(panel)
    first = [history.level(known).copy() for known in (60, 70)], [history.season(known).copy() for known in (60, 70)]
    for known, level, season in zip((60, 70), *first, strict=True):
        assert np.array_equal(history.level(known), level)
        assert np.array_equal(History(panel).season(known), season)

"""The overrides of all batches in one evidence pack: how many, how often, and whether they were for the better."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from flows.overridden import overridden
from pipeline.ledger import Ledger
from pipeline.rollout.overriding import Override, record_served
from tests.review.cases import a_charter


class Shop:
    """A domain that knows what came of the first and the second override, and not yet of the third."""

    def account(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody decides here")

    def hindsight(self, charter: object, dataset: object, overrides: pd.DataFrame) -> pd.DataFrame:
        return overrides.assign(saved=[3.5, -1.0, np.nan][: len(overrides)])


@pytest.fixture
def bench(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield SimpleNamespace(ledger=ledger, charter=a_charter(), problem=Shop())


def serve(ledger, day, *people):
    changed = [Override({"store": who}, 4.0, 9.0, who, f"because of {day}", 1.0) for who in people]
    with ledger.transaction() as tx:
        record_served(
            tx, "shop", actor="robin", cutoff=date(2026, 11, day), decisions=20, by_model=20, limited=1,
            model={"alias": "champion", "version": "1"}, sha256="ab", overrides=changed,
        )  # fmt: skip


def test_before_anything_was_served_there_is_nothing_to_report(bench):
    assert overridden(bench, None) is None


def test_rate_people_reasons_and_outcome_are_counted(bench):
    serve(bench.ledger, 2, "joao", "ana")
    serve(bench.ledger, 9)
    serve(bench.ledger, 16, "joao")
    found = overridden(bench, None)
    assert (found.batches, found.decisions, found.changed, found.people, found.limited) == (3, 60, 3, 2, 3)
    assert found.rate == pytest.approx(3 / 60)
    assert (found.told, found.better, found.saved) == (2, 1, 2.5)
    assert found.reasons[0] == ("because of 2", 2)


def test_a_domain_that_cannot_tell_still_counts(bench):
    bench.problem = object()
    serve(bench.ledger, 2, "joao")
    assert (overridden(bench, None).changed, overridden(bench, None).told) == (1, 0)

"""The units of a stage, by number, list, tag or share."""

import numpy as np
import pandas as pd
import pytest

from pipeline.charter import Stage
from pipeline.charter.model import UnitShare
from pipeline.errors import DataError
from pipeline.problems.staged import staged_units
from tests.review.cases import a_charter

TABLE = pd.DataFrame(
    {
        "store": [f"S{number:02d}" for number in range(20)],
        "region": ["north" if n % 4 == 0 else "south" for n in range(20)],
    }
)


def ladder(*units):
    base = a_charter().canonical()["stages"][0]
    stages = [{**base, "name": f"rung{place}", "units": one} for place, one in enumerate(units)]
    return a_charter(stages=stages)


def names(charter, place, table=TABLE):
    return staged_units(charter, table, "store", charter.stages[place])


def test_a_number_is_the_head_of_one_seeded_order():
    charter = ladder(3, 7, 20)
    order = np.sort(TABLE["store"].to_numpy(dtype=str))[np.random.default_rng(charter.seed).permutation(20)]
    for place, count in enumerate((3, 7, 20)):
        assert names(charter, place) == tuple(sorted(order[:count]))


def test_lists_tags_and_shares_and_each_rung_holds_the_one_below():
    charter = ladder(["S03", "S01"], {"region": "north"}, {"share": 0.41}, {"share": 1.0})
    found = [set(names(charter, place)) for place in range(4)]
    assert found[0] == {"S01", "S03"}
    assert found[1] == {"S01", "S03", "S00", "S04", "S08", "S12", "S16"}
    assert len(found[2]) == 9  # 8.2 units, rounded up
    assert found[0] < found[1] < found[2] < found[3] == set(TABLE["store"])


def test_the_order_and_repetition_of_rows_do_not_matter():
    charter = ladder(4, {"share": 0.5})
    mixed = pd.concat([TABLE, TABLE]).sample(frac=1, random_state=1)
    assert [names(charter, place) for place in (0, 1)] == [names(charter, place, mixed) for place in (0, 1)]


@pytest.mark.parametrize(
    ("units", "found"),
    [
        (21, "21"),
        (["S01", "S99"], "there is no unit S99"),
        ({"region": "west"}, "no unit has region 'west'"),
        ({"size": "big"}, "the units have no column 'size'"),
    ],
)
def test_what_cannot_be_had_is_told(units, found):
    with pytest.raises(DataError, match=found) as caught:
        names(ladder(units), 0)
    assert caught.value.findings[0].place == "stages[rung0].units"


def test_words_and_sizes():
    words = [
        (stage.size, f"{stage.amount} stores")
        for stage in ladder(3, ["S01", "S02", "S03", "S04"], {"region": "north"}, {"share": 0.25}).stages
    ]
    assert words == [
        (3, "3 stores"), (4, "4 stores"), (None, "all north stores"), (None, "25 % of the stores"),
    ]  # fmt: skip
    assert Stage.model_fields["units"].is_required()
    assert UnitShare(share=0.5).share == 0.5

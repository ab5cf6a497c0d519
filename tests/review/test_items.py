import pytest
from pydantic import ValidationError

from pipeline.ledger import verify
from pipeline.review import FeedbackItem, items_of, record_effect, sign
from tests.review.cases import REPORT, an_item, under_review


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "praise"}, {"role": "boss"}, {"seen": ""}, {"seen": "  "}, {"acceptance": ""}, {"id": "f 1"},
        {"extra": 1}, {"patch": {"": 1}}, {"patch": {"model.train_on": object()}}, {"seen": "bell\x07"},
        {"seen": "nul\x00"},
        {"change": "x" * 2001},
    ],
)  # fmt: skip
def test_an_item_that_is_vague_or_malformed_is_refused(change):
    with pytest.raises(ValidationError):
        an_item(**change)


def test_an_item_cannot_be_changed():
    with pytest.raises(ValidationError):
        an_item().seen = "something else"


def test_an_item_survives_json():
    item = an_item(patch={"policy.parameters": {"service_level": 0.95}, "model.train_on": "all"})
    assert FeedbackItem.model_validate_json(item.model_dump_json()) == item


def test_items_are_kept_in_the_order_they_were_signed_and_open_at_first(ledger):
    review = under_review(ledger)
    sign(ledger, review.id, "ana", "iterate", "see items", REPORT, [an_item(3), an_item(1, "ana")])
    filed = items_of(ledger, "shop")
    assert [(one.item.id, one.status, one.signed_by, one.item.author) for one in filed] == [
        ("F3", "open", "ana", "joao"),
        ("F1", "open", "ana", "ana"),
    ]
    assert items_of(ledger, "other") == ()
    assert items_of(ledger, "shop", "other") == ()


def test_a_measured_effect_is_kept_with_the_item_and_in_the_chain(ledger):
    review = under_review(ledger)
    sign(ledger, review.id, "ana", "iterate", "see items", REPORT, [an_item(1)])
    effect = {"kpi": "stockout_rate", "difference": [-0.01, -0.02, -0.001]}
    with ledger.transaction() as tx:
        record_effect(tx, "shop", "F1", effect, iteration="shop/2/pilot", actor="scheduler")
    assert items_of(ledger, "shop")[0].effect == effect
    assert next(ledger.events(kind="feedback.measured")).body == {"effect": effect, "iteration": "shop/2/pilot"}
    assert verify(ledger).intact

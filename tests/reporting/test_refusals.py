"""Why rows were refused: alike for every row it happened to, and in any language."""

import pytest

from pipeline.language import translator
from pipeline.reporting.refusals import refusal


@pytest.mark.parametrize(
    ("reason", "english", "chinese"),
    [
        ("at: missing", "at: missing", "at：缺失"),
        ("hours: -1.5 breaks 0 ≤ hours ≤ 1000", "hours: against the rule “0 ≤ hours ≤ 1000”", None),
        ("store: 'S9' breaks known store", "store: against the rule “known store”", "store：违反规则“已知的门店”"),
        ("sold: 1.5 breaks sold is a whole number", "sold: against the rule “sold is a whole number”", None),
        ("week: 2025-05-19 breaks no week after the stock-taking of 2025-05-12",
         "week: against the rule “no week after the stock-taking of 2025-05-12”",
         "week：违反规则“没有晚于 2025-05-12 盘点的周”"),
        ("week: 2025-05-20 breaks weeks begin on Mondays", "week: against the rule “weeks begin on Mondays”", None),
        ("sold: 'many' is not a whole number", "sold: not a whole number", "sold：不是整数"),
        ("same key as row 7 (a, b), other at, id", "a key that occurs twice (a, b), with different at, id", None),
        ("same key as row 7 (a, b), an exact copy", "a key that occurs twice (a, b), an exact copy", None),
        ("at: missing; sold: 'a; b' is not a text", "at: missing; sold: 'a; b' is not a text", None),
        ("the till was off", "the till was off", "the till was off"),
    ],
)  # fmt: skip
def test_a_refusal_in_words(reason, english, chinese):
    assert refusal(reason) == english
    shown = translator("zh_Hans").show(refusal(reason))
    assert shown == chinese if chinese else shown != english

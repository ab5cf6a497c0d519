"""A message is its English text to whoever does not know about it, and keeps what another language needs."""

import copy
import json
import pickle
from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.language import Message, from_plain, joined, kept, legend, recalled, revived, say, term, to_plain

WORDS = st.text(max_size=30)
VALUES = st.one_of(WORDS, st.integers(), st.floats(allow_nan=False), st.dates())


@given(WORDS, VALUES, VALUES)
def test_it_survives_json_and_pickle_with_all_it_knows(word, one, other):
    inner = say("{one} and {other}", one=one, other=other)
    message = say("{inner}: {word}", inner=inner, word=word)
    for back in (
        from_plain(json.loads(json.dumps(to_plain(message)))),
        pickle.loads(pickle.dumps(message)),  # noqa: S301
        copy.deepcopy(message),
    ):
        assert back == message == f"{one} and {other}: {word}"
        assert isinstance(back, Message)
        assert back.template == message.template
        assert back.values == message.values
        assert to_plain(back) == to_plain(message)


def test_it_is_a_string_like_any_other():
    message = say("{share} is above {limit}", share="5.1 %", limit="5.0 %")
    assert message == "5.1 % is above 5.0 %"
    assert json.dumps({"reason": message}) == '{"reason": "5.1 % is above 5.0 %"}'
    assert {message: 1}["5.1 % is above 5.0 %"] == 1


@given(WORDS)
def test_a_term_keeps_braces_and_text(word):
    assert term(word) == word
    assert from_plain(to_plain(term(word))) == word


def test_a_missing_value_is_no_sentence():
    with pytest.raises(KeyError):
        say("{one} of {two}", one=1)


@pytest.mark.parametrize(
    "told",
    [
        {"text": "All is well.", "template": "All is lost.", "values": {}},
        {"text": "5 of 6", "template": "{a} of {b}", "values": {"a": 5, "b": 7}},
        {"text": "5 of 6", "template": "{a} of {b}", "values": {"a": 5}},
        {"text": "x", "template": "{a.__class__}", "values": {"a": "b"}},
        {"text": "x", "template": "{0}", "values": {}},
        {"text": "x", "template": "{", "values": None},
    ],
)
def test_a_template_that_does_not_make_the_text_is_not_believed(told):
    back = from_plain(told)
    assert back == told["text"]
    assert not isinstance(back, Message)


@dataclass(frozen=True)
class Shown:
    title: str
    reasons: tuple[str, ...]
    figures: dict[str, float | str]


def test_a_value_read_back_from_json_finds_its_messages_again():
    shown = Shown(
        say("The target"), (say("{n} are left", n=3), "people's own words"), {"unit": say("stores"), "x": 1.0}
    )
    told = json.loads(json.dumps(legend(shown)))
    assert set(told) == {"The target", "3 are left", "stores"}
    plain = Shown("The target", ("3 are left", "people's own words"), {"unit": "stores", "x": 1.0})
    back = revived(plain, told)
    assert back == shown
    assert isinstance(back.title, Message)
    assert [isinstance(reason, Message) for reason in back.reasons] == [True, False]
    assert recalled("3 are left", told).values == {"n": 3}


def test_sentences_in_a_row_stay_sentences():
    row = joined([say("One."), "A person's {own} words.", say("{n} more.", n=2)])
    assert row == "One. A person's {own} words. 2 more."
    assert from_plain(kept(row)) == row
    assert kept("plain") == "plain"
    assert joined(["alone"]) == "alone"


def test_days_are_kept_as_days():
    back = from_plain(json.loads(json.dumps(to_plain(say("by {day}", day=date(2026, 11, 2))))))
    assert back.values == {"day": date(2026, 11, 2)}

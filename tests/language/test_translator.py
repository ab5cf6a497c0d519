from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined

from pipeline.evaluation.figures import show, show_change, show_interval
from pipeline.evaluation.outcomes import Interval
from pipeline.language import Translator, choose, joined, say, term, translator
from pipeline.language.pages import install

EN, ZH = translator("en"), translator("zh_Hans")


@pytest.mark.parametrize(
    ("header", "wanted", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", None, "zh_Hans"),
        ("zh-Hant-TW", None, "zh_Hans"),
        ("en-GB,en;q=0.9,zh;q=0.5", None, "en"),
        ("fr-FR, zh;q=0.4, en;q=0.3", None, "zh_Hans"),
        ("de", None, "en"),
        ("", None, "en"),
        (None, None, "en"),
        ("zh;q=0", None, "en"),
        ("zh;q=x", None, "en"),
        ("en", "zh_Hans", "zh_Hans"),
        ("en", "zh-CN", "zh_Hans"),
        ("zh", "en", "en"),
        ("zh", "../../etc", "zh_Hans"),
    ],
)
def test_the_language_follows_the_choice_then_the_browser(header, wanted, expected):
    assert choose(header, wanted) == expected


@given(st.text(), st.one_of(st.none(), st.text()))
def test_any_header_gives_a_language(header, wanted):
    assert choose(header, wanted) in {"en", "zh_Hans"}


def test_unknown_languages_are_refused():
    with pytest.raises(ValueError, match="not one of en, zh_Hans"):
        translator("xx")


def test_dates_numbers_and_per_cents_by_language():
    day, moment = date(2026, 11, 2), datetime(2026, 11, 2, 14, 5, tzinfo=UTC)
    assert (EN.date(day), ZH.date(day)) == ("2 Nov 2026", "2026年11月2日")
    assert (EN.datetime(moment), ZH.datetime(moment)) == ("2 Nov 2026, 14:05", "2026年11月2日 14:05")
    assert (EN.percent(0.0412), ZH.percent(0.0412)) == ("4.1 %", "4.1%")
    assert (EN.number(12345.678, "EUR"), ZH.number(12345)) == ("12,345.678 EUR", "12,345")
    assert (EN.tag, ZH.tag) == ("en", "zh-Hans")


def test_figures_in_sentences_change_their_words_and_keep_their_numbers():
    interval = Interval(0.0412, 0.037, 0.045)
    assert ZH.show(show_interval(interval, "share")) == "4.1%（95% 置信区间 3.7% 至 4.5%）"
    assert ZH.show(show_change(-0.024, "share")) == "-2.4 个百分点"
    assert ZH.show(show(12.3, "units per store-product")) == "12.3 件/门店商品"
    assert ZH.show(show(1234.0, "EUR per store-product-week")) == "EUR 1,234（每门店商品周）"
    assert ZH.show(show(float("nan"), "share")) == "无法衡量"
    assert ZH.show(show(3.0, "unknown things")) == "3.0 unknown things"


def test_a_sentence_within_a_sentence_is_translated_too():
    inner = say("the milestone of stage {stage}", stage="pilot")
    whole = say(
        "{kpi} was {value}, {asks} asks for {limit}.", kpi=term("Stock-out rate"), value="x", asks=inner, limit="y"
    )
    assert ZH.show(whole) == "缺货率为 x，pilot 阶段的里程碑要求y。"
    assert ZH.show(joined([whole, "Own words."])) == "缺货率为 x，pilot 阶段的里程碑要求y。 Own words."
    assert EN.show(whole) == str(whole)


def test_people_s_own_words_are_never_translated():
    assert ZH.show("pass") == "pass"
    assert ZH.show(say("pass")) == "通过"


def page(source: str, speaks: Translator, **values: object) -> str:
    environment = install(Environment(autoescape=True, undefined=StrictUndefined), speaks)
    return environment.from_string(source).render(**values)


@pytest.mark.parametrize("speaks", [EN, ZH])
def test_values_are_escaped_in_every_way_to_print_them(speaks):
    evil = "<script>1</script>"
    source = (
        '{{ v }}{{ m }}{{ _("stage %(stage)s", stage=v) }}{{ _("stage %(stage)s", stage=m) }}'
        "{% trans stage=v %}stage {{ stage }}{% endtrans %}"
        '{{ ngettext("%(num)s of %(v)s", "%(num)s of %(v)s", 2, v=v) }}'
    )
    html = page(source, speaks, v=evil, m=say("{reason} and {other}", reason=evil, other="x"))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6


def test_messages_and_days_come_out_in_the_page_s_language():
    source = (
        '<p lang="{{ language.tag }}">{{ m }} {{ day }} {{ x|percent }} {% trans w=m %}stage {{ w }}{% endtrans %}</p>'
    )
    values = {"m": say("pass"), "day": date(2026, 11, 2), "x": 0.5}
    assert page(source.replace("stage", ""), ZH, **values).startswith('<p lang="zh-Hans">通过 2026年11月2日 50.0%')
    assert page(source, EN, **values) == '<p lang="en">pass 2 Nov 2026 50.0 % stage pass</p>'

"""Refusals in the reader's language: whatever a person may not do, the page says why in Chinese where they read it."""

import re
from datetime import date, timedelta

import pytest

from pipeline.accounts import change_language, invite
from pipeline.language import translator
from pipeline.review import show_review, sign
from pipeline.review.rules import NAMES
from tests.web.browsing import Browser, Page
from tests.web.conftest import Installed
from tests.web.made import put_review

CHINESE = {"accept_language": "zh-CN"}
WHY = "试点兑现了承诺。"
#: Three words of English in a row are a sentence; names, commands and settings are fewer.
_ENGLISH = re.compile(r"\b[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}")

_COMMAND = re.compile(r"`[^`]*`")


def reads_chinese(page: Page, *told: str) -> None:
    """The page tells these things, and nothing of what it says is in English."""
    assert page.all("html")[0].attributes["lang"] == "zh-Hans"
    alerts = [" ".join(one.text.split()) for one in page.all("div", role="alert")]
    said = " ".join(alerts) if alerts else page.words
    for words in told:
        assert words in said
    assert not _ENGLISH.search(_COMMAND.sub("", said)), said


@pytest.fixture
def chinese(site: Installed) -> Installed:
    """Everybody reads Chinese."""
    for name in ("ana.ruiz", "maria.lind", "tom.okoye", "li.wei", "olga.admin"):
        change_language(site.ledger, name, "zh_Hans")
    return site


def signs(browser: Browser, site: Installed, **changes: str) -> Page:
    """A signature as a program would send it, without the pages before."""
    fields = {"report": site.review.report_digest, "decision": "advance", "comment": WHY, **changes}
    return browser.post(f"/reviews/{site.review.id}/sign", fields)


def test_own_run(chinese):
    answer = signs(chinese.browser("li.wei"), chinese)
    assert answer.status == 409
    reads_chinese(answer, "本次运行由您启动，须由他人签署。", "任何决定都不需要角色“工程”签署")


@pytest.mark.parametrize(
    ("language", "told", "on_record"),
    [
        ("en", "You started this run, so somebody else signs.", "nobody signs for a run they started"),
        ("zh_Hans", "本次运行由您启动，须由他人签署。", "任何人不得签署自己启动的运行"),
    ],
)
def test_own_run_of_somebody_whose_role_is_asked(install, language, told, on_record):
    """Four eyes: the sponsor's signature would count for every other run."""
    site = install(started_by="ana.ruiz")
    change_language(site.ledger, "ana.ruiz", language)
    ana = site.browser("ana.ruiz")
    assert told in ana.get(f"/reviews/{site.review.id}").words
    answer = signs(ana, site)
    assert answer.status == 409
    assert told in answer.words
    assert on_record in answer.words
    if language == "zh_Hans":
        reads_chinese(answer, told, on_record)
    assert show_review(site.ledger, site.review.id).signoffs == ()
    assert site.kinds()[-1] == "review.refused"


def test_nobodys_role(chinese):
    answer = signs(chinese.browser("olga.admin"), chinese)
    assert answer.status == 409
    reads_chinese(answer, "不是本章程中的人员")


def test_a_second_answer(chinese):
    sign(chinese.ledger, chinese.review.id, "ana.ruiz", "advance", WHY, chinese.pack.digest)
    answer = signs(chinese.browser("ana.ruiz"), chinese, decision="hold")
    assert answer.status == 409
    reads_chinese(answer, "签署“晋级”", "每人只答复一次")


def test_a_stale_report(chinese, newer_pack):
    put_review(chinese.ledger, newer_pack)
    answer = signs(chinese.browser("ana.ruiz"), chinese)
    assert answer.status == 409
    reads_chinese(answer, "尚未签署任何内容", "更新的报告")


def test_what_was_refused_stands_in_the_history_in_chinese_too(chinese):
    signs(chinese.browser("li.wei"), chinese)
    page = chinese.browser("olga.admin").get("/history?group=reviews")
    assert "任何决定都不需要角色“工程”签署" in page.words
    english = chinese.browser("tom.okoye")
    change_language(chinese.ledger, "tom.okoye", "en")
    assert "the role engineering is asked for no decision" in english.get("/history").words


def test_wrong_and_throttled_sign_in(install):
    site = install(passwords=False)
    stranger = site.browser()
    for expected in [401] * 5 + [429]:
        form = stranger.get("/sign-in", **CHINESE)
        stranger.token = form.value("token")
        answer = stranger.post("/sign-in", {"name": "ana.ruiz", "password": "not this one"}, **CHINESE)
        assert answer.status == expected
        reads_chinese(answer, "名称与密码不匹配" if expected == 401 else "失败次数过多")


def test_an_invitation_that_is_over_and_a_poor_password(site):
    link = invite(site.ledger, "new.person", "New Person", by="olga.admin")
    stranger = site.browser()
    form = stranger.get(f"/invitation/{link.secret}", **CHINESE)
    stranger.token = form.value("token")
    short = stranger.post(f"/invitation/{link.secret}", {"password": "short", "again": "short"}, **CHINESE)
    assert short.status == 422
    reads_chinese(short, "共 5 个字符", "请至少用 12 个字符")
    site.clock.pass_by(days=4)
    over = stranger.get(f"/invitation/{link.secret}", **CHINESE)
    assert over.status == 404
    reads_chinese(over)


def test_a_role_cannot_be_handed_on_so(chinese):
    ana = chinese.browser("ana.ruiz")
    today = chinese.clock.at.date()
    days = {"starts": today.isoformat(), "ends": (today + timedelta(days=90)).isoformat()}
    fields = {"project": "smart-replenishment", "to": "tom.okoye", **days}
    reads_chinese(ana.post("/account/delegations", fields), "共 91 天", "请不超过 60 天")
    over = {"starts": "2026-01-01", "ends": "2026-01-02"}
    reads_chinese(ana.post("/account/delegations", {**fields, **over}), "已经过去")
    itself = {**fields, "to": "ana.ruiz", "ends": date.isoformat(today)}
    reads_chinese(ana.post("/account/delegations", itself), "是同一个人")


def test_administration(chinese):
    olga = chinese.browser("olga.admin")
    reads_chinese(olga.post("/people/invite", {"id": "Not-An-Id", "name": "x"}), "不能用作标识")
    reads_chinese(olga.post("/people/invite", {"id": "new.one", "name": "New", "email": "nowhere"}), "不是邮箱地址")
    reads_chinese(olga.post("/people/olga.admin", {"go": "deactivate"}), "是唯一的管理员")
    reads_chinese(olga.post("/people/nobody.here", {"go": "reset"}), "没有这样的账户")


def test_a_form_of_another_session_or_site(chinese):
    ana = chinese.browser("ana.ruiz")
    other = chinese.browser("tom.okoye").token
    reads_chinese(ana.post("/account/language", {"language": "en"}, token=other))
    foreign = ana.post("/account/language", {"language": "en"}, origin="https://evil.example", **CHINESE)
    assert (foreign.status, foreign.text) == (403, "此表单来自其他网站。\n")


def test_an_answer_with_holes_and_an_item_the_charter_refuses(chinese):
    ana = chinese.browser("ana.ruiz")
    holes = ana.post(f"/reviews/{chinese.review.id}/draft", {"go": "confirm"})
    assert holes.status == 422
    alert = next(one for one in holes.all("div", role="alert") if one.attributes.get("id") == "errors")
    assert not _ENGLISH.search(alert.text)
    item = ana.post(f"/reviews/{chinese.review.id}/feedback/new", {
        "kind": "other", "seen": "x", "change": "y", "acceptance": "z", "path-0": "policy.parameters.service_level",
        "value-0": "viel", "go": "keep",
    })  # fmt: skip
    assert item.status == 422
    told = item.all("p", id="value-0-wrong")[0].text
    assert "请写一个数字" in told


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (
            "model.train_periods",
            "3",
            "数字 3：请写不小于 8 的数字，例如 `train_periods: 104`（模型训练所用的最近周期数）",
        ),
        ("model.train_periods", "52.5", "数字 52.5：请写一个整数"),
        ("model.train_on", "stages", "文本“stages”：您是否指 `stage`？请写以下之一：stage, all"),
        ("policy.name", "X!", "文本“X!”：请写 2 至 63 个小写字母"),
    ],
)
def test_what_the_charter_refuses_is_told_in_chinese_beside_the_value(chinese, path, value, told):
    ana = chinese.browser("ana.ruiz")
    answer = ana.post(f"/reviews/{chinese.review.id}/feedback/new", {
        "kind": "other", "seen": "x", "change": "y", "acceptance": "z", "path-0": "scope.out",
        "value-0": "fresh bakery", "path-1": path, "value-1": value, "go": "keep",
    })  # fmt: skip
    assert answer.status == 422
    (wrong,) = answer.all("p", id="value-1-wrong")
    assert told in wrong.text
    assert not _ENGLISH.search(_COMMAND.sub("", wrong.text)), wrong.text


def test_a_repetition_is_told_in_chinese(chinese):
    ana = chinese.browser("ana.ruiz")
    answer = ana.post(f"/reviews/{chinese.review.id}/feedback/new", {
        "kind": "other", "seen": "x", "change": "y", "acceptance": "z", "path-0": "scope.in",
        "value-0": "orders, orders", "go": "keep",
    })  # fmt: skip
    assert "“orders”重复出现，此前已在第 1 位：请删除重复项" in answer.all("p", id="value-0-wrong")[0].text


def test_every_decision_has_a_name_in_chinese():
    said = [translator("zh_Hans").text(name) for name in NAMES]
    assert len(set(said)) == 5
    assert all("\u4e00" <= text[0] <= "\u9fff" for text in said)

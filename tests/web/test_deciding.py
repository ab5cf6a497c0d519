"""From the draft to the signature: what is shown is what is signed, and every refusal says why and goes on record."""

import pytest

from pipeline.accounts import delegate
from pipeline.ledger import all_iterations, get_iteration
from pipeline.review import items_of, sign, signoffs_of
from tests.web.made import PROJECT, evidence_of, put_review, write_pack

WHY = "The pilot did what it promised."
ITEM = {
    "kind": "missing_signal", "place": "category\nPromotions", "seen": "Promotions sell out by Saturday.",
    "change": "Aim higher.", "path-0": "policy.parameters.service_level", "value-0": "0.97",
    "acceptance": "No promotion sells out before Saturday.", "go": "keep",
}  # fmt: skip


def keep(browser, review, decision="advance", comment=WHY, go="confirm", **more):
    return browser.post(f"/reviews/{review.id}/draft", {"decision": decision, "comment": comment, "go": go, **more})


def put(browser, review, **changes):
    """Sign what the confirm step shows."""
    shown = browser.get(f"/reviews/{review.id}/confirm")
    items = [one.attributes["value"] for one in shown.all("input", name="item")]
    fields = {"report": shown.value("report"), "draft": shown.value("draft"), "item": items}
    return browser.post(f"/reviews/{review.id}/sign", {**fields, **changes})


def decide(site, user, decision="advance", comment=WHY):
    browser = site.browser(user)
    keep(browser, site.review, decision, comment)
    return browser, put(browser, site.review)


def test_the_confirm_step_shows_exactly_what_is_signed(site):
    ana = site.browser("ana.ruiz")
    page = ana.follow(keep(ana, site.review))
    for words in (
        "Go up a stage",
        "300 stores follow the model from 9 Nov 2026",
        "Ana Ruiz, sponsor",
        WHY,
        site.pack.digest,
    ):
        assert words in page.words
    assert "It takes effect when everybody" in page.words
    done = ana.follow(put(ana, site.review))
    assert "Your answer is on record" in done.words
    (answer,) = signoffs_of(site.ledger, site.review.id)
    assert (answer.person, answer.role, answer.decision, answer.comment) == ("ana.ruiz", "sponsor", "advance", WHY)
    assert answer.report_digest == site.pack.digest


def test_two_people_make_the_decision_and_the_page_says_so(site):
    decide(site, "ana.ruiz")
    tom = site.browser("tom.okoye")
    page = tom.follow(keep(tom, site.review))
    assert "Your signature is the last one this needs" in page.words
    assert "Decided: Go up a stage" in tom.follow(put(tom, site.review)).words
    assert get_iteration(site.ledger, PROJECT, 3, "pilot").state == "decided"
    assert "Decided lately" in tom.get("/").words


def test_a_draft_survives_a_closed_browser(site):
    first = site.browser("ana.ruiz")
    keep(first, site.review, "hold", "Half a thought", go="keep")
    again = site.browser("ana.ruiz").get(f"/reviews/{site.review.id}")
    assert again.all("textarea", id="comment")[0].text.strip() == "Half a thought"
    assert "checked" in again.all("input", id="decision-hold")[0].attributes
    assert "Draft kept" in again.words
    other = site.browser("tom.okoye").get(f"/reviews/{site.review.id}")
    assert "Half a thought" not in other.text
    assert site.kinds().count("review.signed") == 0


def test_autosave_answers_with_a_note_only(site):
    ana = site.browser("ana.ruiz")
    note = ana.post(f"/reviews/{site.review.id}/draft", {"comment": "x"}, hx_request="true")
    assert note.status == 200
    assert "Draft kept" in note.text
    assert "<html" not in note.text


@pytest.mark.parametrize(
    ("decision", "comment", "words"),
    [("", WHY, "Choose a decision."), ("roll_back", WHY, "Choose a decision."), ("hold", " ", "Say in a sentence why"),
     ("hold", "x" * 4001, "longer than"), ("hold", "a\x07b", "cannot be shown")],
)  # fmt: skip
def test_what_is_missing_is_named_at_its_field(site, decision, comment, words):
    ana = site.browser("ana.ruiz")
    page = keep(ana, site.review, decision, comment)
    assert page.status == 422
    summary = page.all("div", id="errors")[0]
    assert words in summary.text
    assert ana.get(f"/reviews/{site.review.id}/confirm").status == 303
    assert site.kinds().count("review.signed") == 0


def test_whoever_started_the_run_is_refused_on_record(site):
    wei = site.browser("li.wei")
    page = wei.get(f"/reviews/{site.review.id}")
    assert "You started this run, so somebody else signs." in page.words
    assert not page.all("textarea")
    keep(wei, site.review)
    refused = wei.post(
        f"/reviews/{site.review.id}/sign", {"report": site.pack.digest, "decision": "advance", "comment": WHY}
    )
    assert refused.status == 409
    assert "You started this run" in refused.words
    assert site.kinds()[-1] == "review.refused"
    assert signoffs_of(site.ledger, site.review.id) == ()


def test_a_stale_page_is_refused_with_a_link_to_the_new_one(site, newer_pack):
    ana = site.browser("ana.ruiz")
    keep(ana, site.review)
    shown = ana.get(f"/reviews/{site.review.id}/confirm")
    newer = put_review(site.ledger, newer_pack)
    refused = ana.post(
        f"/reviews/{site.review.id}/sign", {"report": shown.value("report"), "draft": shown.value("draft")}
    )
    assert refused.status == 409
    assert "A newer report took the place" in refused.words
    assert f"/reviews/{newer.id}" in refused.links()
    assert site.kinds()[-1] == "review.refused"
    assert signoffs_of(site.ledger, site.review.id) == signoffs_of(site.ledger, newer.id) == ()
    assert f"/reviews/{newer.id}" in ana.get(f"/reviews/{site.review.id}").links()


def test_a_hash_of_another_report_is_refused(site, newer_pack):
    ana = site.browser("ana.ruiz")
    keep(ana, site.review)
    assert put(ana, site.review, report=newer_pack.digest).status == 409
    assert signoffs_of(site.ledger, site.review.id) == ()


def test_whoever_comes_second_sees_what_happened(site):
    maria = site.browser("maria.lind")
    keep(maria, site.review, "hold", "Wait for the season.")
    shown = maria.get(f"/reviews/{site.review.id}/confirm")
    decide(site, "ana.ruiz", "stop", "It costs too much.")
    late = maria.post(
        f"/reviews/{site.review.id}/sign", {"report": shown.value("report"), "draft": shown.value("draft")}
    )
    assert late.status == 409
    for words in ("Nothing was signed", "Stop the project", "Ana Ruiz", "It costs too much."):
        assert words in late.words
    assert len(signoffs_of(site.ledger, site.review.id)) == 1


def test_what_changed_after_the_confirm_step_is_not_signed(site):
    ana = site.browser("ana.ruiz")
    keep(ana, site.review)
    shown = ana.get(f"/reviews/{site.review.id}/confirm")
    keep(site.browser("ana.ruiz"), site.review, "stop", "Something else.")
    again = ana.post(
        f"/reviews/{site.review.id}/sign", {"report": shown.value("report"), "draft": shown.value("draft")}
    )
    assert "Your draft changed since you read this page" in ana.follow(again).words
    assert signoffs_of(site.ledger, site.review.id) == ()


def test_feedback_is_typed_from_what_data_and_charter_offer(site):
    maria = site.browser("maria.lind")
    page = maria.follow(keep(maria, site.review, "iterate", "Promotions first.", go="item"))
    places = [one.attributes["value"] for one in page.all("option")]
    assert {"category\nPromotions", "unit\nStore 017 Harbour", "policy.parameters.service_level"} <= set(places)
    assert "policy.parameters.service_level = 0.95" in page.words
    assert not any(path.startswith(("kpi", "people", "stages")) for path in places)
    assert maria.post(f"/reviews/{site.review.id}/feedback/new", ITEM).status == 303
    confirm = maria.follow(keep(maria, site.review, "iterate", "Promotions first."))
    for words in ("F1: Aim higher.", "category: Promotions", "policy.parameters.service_level", "0.97"):
        assert words in confirm.words
    put(maria, site.review)
    (filed,) = items_of(site.ledger, PROJECT)
    assert filed.item.patch == {"policy.parameters.service_level": 0.97}
    assert filed.item.slice == {"category": "Promotions"}
    assert (filed.item.author, filed.item.role) == ("maria.lind", "business_owner")


@pytest.mark.parametrize(
    ("change", "field"),
    [({"seen": ""}, "seen"), ({"kind": "gossip"}, "kind"), ({"place": "category\nNowhere"}, "place"),
     ({"path-0": "kpi.target"}, "path-0"), ({"value-0": "a lot"}, "value-0"), ({"value-0": "NaN"}, "value-0"),
     ({"path-0": "model.train_on", "value-0": "everything"}, "value-0"), ({"change": "a\x1bb"}, "change")],
)  # fmt: skip
def test_feedback_that_cannot_be_is_refused_at_its_field(site, change, field):
    maria = site.browser("maria.lind")
    page = maria.post(f"/reviews/{site.review.id}/feedback/new", {**ITEM, **change})
    assert page.status == 422
    assert f"#{field}" in page.links()
    assert page.all("textarea", id="acceptance")[0].text.strip() == ITEM["acceptance"]


def test_a_form_of_feedback_that_was_overtaken_leads_to_what_was_decided(site):
    sign(site.ledger, site.review.id, "maria.lind", "hold", "We wait.", site.pack.digest)
    tom, address = site.browser("tom.okoye"), f"/reviews/{site.review.id}"
    for answer in (tom.get(f"{address}/feedback/new"), tom.post(f"{address}/feedback/new", ITEM)):
        assert (answer.status, answer.headers["location"]) == (303, address)
    assert "Hold" in tom.get(address).words


def test_an_item_can_be_changed_and_taken_out(site):
    maria, address = site.browser("maria.lind"), f"/reviews/{site.review.id}/feedback"
    maria.post(f"{address}/new", ITEM)
    maria.post(f"{address}/1", {**ITEM, "change": "Aim much higher."})
    assert "Aim much higher." in maria.get(f"/reviews/{site.review.id}").words
    maria.post(f"{address}/1", {"go": "remove"})
    assert "Aim much higher." not in maria.get(f"/reviews/{site.review.id}").words
    assert [maria.get(f"{address}/{odd}").status for odd in ("0", "7", "-1", "x", "%2e%2e")] == [404] * 5


def test_a_delegate_signs_for_whoever_handed_the_role_on(site):
    today = site.clock().date()
    delegate(site.ledger, PROJECT, "ana.ruiz", "olga.admin", today, today)
    olga = site.browser("olga.admin")
    assert olga.get("/").title == "One decision waits for you"
    page = olga.follow(keep(olga, site.review, "stop", "Ana asked me to."))
    assert "Olga Admin, sponsor, for Ana Ruiz" in page.words
    olga.follow(put(olga, site.review))
    (answer,) = signoffs_of(site.ledger, site.review.id)
    assert (answer.person, answer.on_behalf_of, answer.role) == ("olga.admin", "ana.ruiz", "sponsor")


def test_a_changed_pack_cannot_be_signed(site, tmp_path):
    own = write_pack(tmp_path / "own", evidence_of(why="A pack of its own for this test."))
    review = put_review(site.ledger, own)
    twin = own.page.with_name("evidence.json")
    twin.write_text(twin.read_text().replace("0.0403", "0.0103"), encoding="utf-8")
    page = site.browser("ana.ruiz").get(f"/reviews/{review.id}")
    assert "The evidence cannot be shown" in page.words
    assert not page.all("textarea")
    fields = {"report": own.digest, "decision": "stop", "comment": WHY}
    assert site.browser("ana.ruiz").post(f"/reviews/{review.id}/sign", fields).status == 409
    assert signoffs_of(site.ledger, review.id) == ()


def test_the_next_iteration_opens_with_what_was_asked_for(site):
    """The decision made here is the one that the dispatcher's rules apply."""
    from pipeline.review import mark_applied

    maria = site.browser("maria.lind")
    maria.post(f"/reviews/{site.review.id}/feedback/new", ITEM)
    keep(maria, site.review, "iterate", "Promotions first.")
    put(maria, site.review)
    with site.ledger.transaction() as tx:
        applied = mark_applied(tx, site.review.id)
    assert applied is not None
    assert applied.charter.policy.parameters["service_level"] == 0.97
    assert [record.state for record in all_iterations(site.ledger, PROJECT)] == ["applied"]


def test_signing_elsewhere_counts_here(site):
    sign(site.ledger, site.review.id, "ana.ruiz", "advance", "From the terminal.", site.pack.digest)
    page = site.browser("ana.ruiz").get(f"/reviews/{site.review.id}")
    assert "From the terminal." in page.words
    assert "You have signed, or your role is not asked here." in page.words


def test_the_worst_stands_before_the_buttons_and_the_documents_can_be_read(site):
    ana = site.browser("ana.ruiz")
    page = ana.get(f"/reviews/{site.review.id}")
    worst = evidence_of().evaluation.units[0]
    assert page.words.index("Before you decide") < page.words.index("What should happen next?")
    assert worst.value in page.words[page.words.index("Before you decide") :]
    card = ana.get(f"/reports/{site.review.report_digest}/model-card.html")
    assert "Who does what (RACI)" in card.words
    assert "Your page of the report" in page.words


def test_the_time_from_the_first_look_to_the_signature_is_on_record(site):
    ana = site.browser("ana.ruiz")
    ana.get(f"/reviews/{site.review.id}")
    keep(ana, site.review)
    put(ana, site.review)
    (event,) = list(site.ledger.events(PROJECT, "review.signed"))
    assert 0 <= event.body["seconds_on_evidence"] < 600


def test_whoever_signs_without_a_look_has_no_time_on_record(site):
    decide(site, "ana.ruiz")
    (event,) = list(site.ledger.events(PROJECT, "review.signed"))
    assert "seconds_on_evidence" not in event.body

"""Fifty people sign at once, half on the site and half by program: one decision, and everybody is accounted for."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pipeline.accounts import begin_session, invite, make_token
from pipeline.charter import Charter
from pipeline.ledger import Ledger, verify
from pipeline.review import find_review, signoffs_of
from pipeline.settings import Settings
from pipeline.web.app import create_app
from pipeline.web.drafts import Draft, save_draft
from tests.web.browsing import Browser
from tests.web.made import evidence_of, put_review, write_pack

CROWD = [f"owner{number:02d}" for number in range(50)]


def test_fifty_signatures_make_one_decision_and_nobody_is_lost(tmp_path):
    shown = evidence_of()
    people = [*shown.charter.canonical()["people"]]
    people += [{"id": name, "name": name, "role": "business_owner", "channel": "mail"} for name in CROWD]
    values = {**shown.charter.canonical(), "people": people}
    charter = Charter.model_validate_json(json.dumps(values))
    settings = Settings(data=tmp_path / "data", reports=tmp_path / "reports")
    with Ledger(settings.ledger) as ledger:
        pack = write_pack(tmp_path / "pack", evidence_of(charter=charter))
        review = put_review(ledger, pack)
        for name in CROWD:
            invite(ledger, name, name, by="tests", trusted=True)
        app = create_app(settings, ledger)
        start = Barrier(len(CROWD))

        def on_the_site(name: str) -> int:
            browser = Browser(app, name)
            draft = Draft(report=pack.digest, decision="hold", comment=f"{name} says so.")
            save_draft(ledger, name, review.id, draft)
            start.wait(timeout=120)
            fields = {"report": pack.digest, "draft": draft.fingerprint}
            return browser.post(f"/reviews/{review.id}/sign", fields).status

        def by_program(name: str) -> int:
            secret = make_token(ledger, name, "race").secret
            body = {"decision": "hold", "comment": f"{name} says so.", "report": pack.digest}
            client = Browser(app).client
            start.wait(timeout=120)
            headers = {"authorization": f"Bearer {secret}"}
            return client.post(f"/api/v1/reviews/{review.id}/sign", json=body, headers=headers).status_code

        ways = [on_the_site if place % 2 else by_program for place in range(len(CROWD))]
        with ThreadPoolExecutor(len(CROWD)) as pool:
            answers = list(pool.map(lambda way, name: way(name), ways, CROWD))
        assert sorted(answers).count(409) == 49
        assert len([status for status in answers if status in {200, 303}]) == 1
        (taken,) = signoffs_of(ledger, review.id)
        told = list(ledger.events())
        refused = [event.actor for event in told if event.kind == "review.refused"]
        assert sorted([*refused, taken.person]) == CROWD
        assert [event.kind for event in told].count("review.decided") == 1
        decided = find_review(ledger, review.id)
        assert decided is not None
        assert decided.decision == "hold"
        assert verify(ledger).intact
        assert begin_session(ledger, CROWD[0], address="here", method="link").session.user.id == CROWD[0]

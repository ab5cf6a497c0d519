"""An adversary with write access to database and files, against ``landed audit verify``: each change is named."""

import json
import shutil
import sqlite3

import pytest

from pipeline.audit.verification import audit
from pipeline.errors import ChainBroken, Refused
from pipeline.ledger import keys
from pipeline.ledger.chain import event_hash
from pipeline.ledger.notary import public_key, rotate_key
from pipeline.reporting.pack import MANIFEST, PAGE, TWIN
from pipeline.review.applying import mark_applied
from pipeline.review.signing import sign
from tests.web.made import PROJECT

NOW, THEN = f"{PROJECT}-3-pilot", f"{PROJECT}-2-pilot"
EVENT = ("seq", "at", "actor", "role", "kind", "project", "subject", "body", "previous", "hash")


def findings(made):
    """What the verification finds, as lines."""
    with made.ledger() as ledger:
        found = audit(ledger, made.settings)
        try:
            found.require()
        except ChainBroken as error:
            return [f"{finding.place}: {finding.found}" for finding in error.findings]
    return []


def tamper(made, *statements):
    """What somebody with a SQLite shell can do: drop the triggers, change, put the triggers back."""
    raw = sqlite3.connect(made.database)
    guards = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        raw.execute(f"DROP TRIGGER {name}")
    for statement, *values in statements:
        raw.execute(statement, *values)
    for _, statement in guards:
        raw.execute(statement)
    raw.commit()
    raw.close()


def rows(made, query, *values):
    raw = sqlite3.connect(made.database)
    raw.row_factory = sqlite3.Row
    found = [dict(row) for row in raw.execute(query, values)]
    raw.close()
    return found


def seq_of(made, kind, subject):
    return rows(made, "SELECT seq FROM landed_events WHERE kind = ? AND subject = ?", kind, subject)[0]["seq"]


def forged(made, **fields):
    """An event that continues the chain as Landed itself would, written past Landed."""
    last = rows(made, "SELECT * FROM landed_events ORDER BY seq DESC LIMIT 1")[0]
    event = {**last, **fields, "seq": last["seq"] + 1, "previous": last["hash"]}
    event["hash"] = event_hash(last["hash"], event)
    marks = ", ".join("?" for _ in EVENT)
    return f"INSERT INTO landed_events ({', '.join(EVENT)}) VALUES ({marks})", [event[name] for name in EVENT]  # noqa: S608


def test_nothing_is_found_where_nothing_was_changed(made):
    assert findings(made) == []


def test_an_edited_event_is_named(made):
    seq = seq_of(made, "review.decided", NOW)
    tamper(made, ("UPDATE landed_events SET actor = 'eve' WHERE seq = ?", [seq]))
    (found,) = findings(made)
    assert f"event {seq} (review.decided" in found
    assert "was changed" in found


def test_a_deleted_event_is_named(made):
    seq = seq_of(made, "review.signed", NOW)
    signature = "DELETE FROM landed_signatures WHERE event = ?"
    tamper(made, (signature, [seq]), ("DELETE FROM landed_events WHERE seq = ?", [seq]))
    (found,) = findings(made)
    assert f"event {seq} is missing before it" in found


def test_an_inserted_event_is_named(made):
    """Everything after it is moved one up, so that no gap and no double number shows."""
    seq = seq_of(made, "review.decided", NOW)
    moved = [("UPDATE landed_events SET seq = -seq - 1 WHERE seq >= ?", [seq]),
             ("UPDATE landed_events SET seq = -seq WHERE seq < 0",)]  # fmt: skip
    slipped = f"INSERT INTO landed_events SELECT ?, {', '.join(EVENT[1:])} FROM landed_events WHERE seq = ?"  # noqa: S608
    tamper(made, ("PRAGMA foreign_keys=OFF",), *moved, (slipped, [seq, seq - 1]))
    (found,) = findings(made)
    assert found.startswith(f"event {seq} ")
    assert f"was moved: it was written as event {seq - 1}" in found


def test_two_events_that_changed_places_are_named(made):
    seq = seq_of(made, "review.decided", NOW)
    places = [(9999, seq), (seq, seq + 1), (seq + 1, 9999)]
    tamper(made, *(("UPDATE landed_events SET seq = ? WHERE seq = ?", pair) for pair in places))
    (found,) = findings(made)
    assert f"was moved: it was written as event {seq + 1}" in found


@pytest.mark.parametrize("left", ["the file beside the ledger", "the packs"])
def test_a_cut_off_end_is_seen_by_every_place_that_knows_the_head(made, left):
    """As if the release had never been; one place that knows better is enough."""
    if left == "the packs":
        (made.root / "data" / "anchors.jsonl").unlink()
    else:
        shutil.rmtree(made.settings.reports)
    seq = seq_of(made, "iteration.opened", f"{PROJECT}/3/pilot")
    tamper(made, ("DELETE FROM landed_signatures WHERE event >= ?", [seq]),
           ("DELETE FROM landed_events WHERE seq >= ?", [seq]))  # fmt: skip
    (found,) = findings(made)
    assert f"the ledger ends at event {seq - 1}" in found
    assert "its end was cut off" in found
    assert ("report" if left == "the packs" else "anchors.jsonl, line") in found


def test_a_chain_written_anew_from_the_changed_event_on_is_named(made):
    """The adversary recomputes every hash; the signatures cannot be recomputed, the heads elsewhere not either."""
    seq = seq_of(made, "review.requested", THEN)
    changes, previous = [], rows(made, "SELECT hash FROM landed_events WHERE seq = ?", seq - 1)[0]["hash"]
    for event in rows(made, "SELECT * FROM landed_events WHERE seq >= ? ORDER BY seq", seq):
        event |= {"previous": previous} | ({"actor": "eve"} if event["seq"] == seq else {})
        previous = event_hash(previous, event)
        values = [event["actor"], event["previous"], previous, event["seq"]]
        changes.append(("UPDATE landed_events SET actor = ?, previous = ?, hash = ? WHERE seq = ?", values))
    tamper(made, *changes)
    (found,) = findings(made)
    assert "the chain was rewritten" in found
    (made.root / "data" / "anchors.jsonl").unlink()
    shutil.rmtree(made.settings.reports)
    (found,) = findings(made)
    assert "bears a signature that is not of the ledger's key" in found


def test_triggers_that_were_dropped_and_left_away_are_named(made):
    raw = sqlite3.connect(made.database)
    raw.execute("DROP TRIGGER landed_events_no_update")
    raw.close()
    (found,) = findings(made)
    assert found.startswith("trigger landed_events_no_update: it is missing")


def test_a_swapped_model_file_is_named(made):
    (made.model / "model.txt").write_text("tree\nversion=v4\nshrinkage=2\n", encoding="utf-8")
    (found,) = findings(made)
    assert found.startswith(f"{made.model}: its files hash to")
    assert "the training of boosted gave" in found


def test_a_model_that_is_gone_is_named(made):
    shutil.rmtree(made.model)
    (found,) = findings(made)
    assert found.startswith(str(made.model))


@pytest.mark.parametrize("name", [PAGE, "evidence.zh.html", TWIN, "environment.txt", "drift.html"])
def test_an_edited_file_of_a_report_is_named(made, name):
    path = made.pack() / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1) + b"\n")
    assert any(found.startswith(str(path)) for found in findings(made))


def test_a_page_that_was_edited_together_with_its_manifest_is_named(made):
    """The hash that people sign covers the figures; the event that reported them covers every file."""
    import hashlib

    page, manifest = made.pack() / PAGE, made.pack() / MANIFEST
    page.write_text(page.read_text(encoding="utf-8").replace("Stock-out rate", "Stock-in rate"), encoding="utf-8")
    sealed = json.loads(manifest.read_text(encoding="utf-8"))
    sealed["files"][PAGE] = hashlib.sha256(page.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(sealed), encoding="utf-8")
    (found,) = findings(made)
    assert found.startswith(f"{page}: is not the file that event iteration.reported")


def test_a_dataset_that_was_changed_is_named_by_the_deep_verification(made):
    import pandas as pd

    (table,) = made.settings.datasets.glob("*/tables/sales.parquet")
    frame = pd.read_parquet(table)
    frame["units"] += 1
    frame.to_parquet(table, index=False)
    assert findings(made) == []
    with made.ledger() as ledger:
        (found,) = audit(ledger, made.settings, deep=True).findings
    assert found.place == str(table.parents[1])


def test_an_old_sign_off_replayed_on_another_review_is_named(made):
    """The row of a sign-off on iteration 2 is copied to the review of iteration 3."""
    tamper(made, ("INSERT INTO landed_signoffs SELECT ?, person, role, decision, comment, report_digest, recorded, "
                  "on_behalf_of, at, event FROM landed_signoffs WHERE review = ?", [NOW, THEN]))  # fmt: skip
    (found,) = findings(made)
    assert found == f"review {NOW}: no event in the chain backs the sign-off of maria.lind on this report"


def test_a_sign_off_forged_past_landed_lacks_the_signature(made):
    """The chain is continued as Landed would, hash and all; only the key is missing."""
    body = rows(made, "SELECT body FROM landed_events WHERE kind = 'review.signed' AND subject = ?", NOW)[0]["body"]
    tamper(made, forged(made, kind="review.signed", subject=NOW, actor="maria.lind", role="business_owner", body=body))
    (found,) = findings(made)
    assert "bears no signature" in found


def test_an_old_signature_does_not_fit_another_sign_off(made):
    old = rows(made, "SELECT signature FROM landed_signatures ORDER BY event DESC LIMIT 1")[0]["signature"]
    insert, values = forged(made, kind="review.signed", subject=NOW, actor="maria.lind", role="business_owner")
    tamper(made, (insert, values), ("INSERT INTO landed_signatures VALUES (?, ?)", [values[0], old]))
    (found,) = findings(made)
    assert "bears a signature that is not of the ledger's key" in found


def test_an_approval_under_a_stale_hash_is_refused_and_recorded(kept, made):
    with made.ledger() as ledger:
        stale = json.loads(rows(made, "SELECT body FROM landed_events WHERE subject = ?", THEN)[0]["body"])["report"]
        with pytest.raises(Refused):
            sign(ledger, NOW, "maria.lind", "iterate", "As agreed in spring.", stale)
        assert [event.kind for event in ledger.events()][-1] == "review.refused"
    assert findings(made) == []


def test_a_review_turned_to_another_hash_by_hand_is_named_and_not_applied(made):
    tamper(made, ("UPDATE landed_reviews SET report_digest = ?, state = 'decided' WHERE id = ?", ["e" * 64, NOW]),
           ("DELETE FROM landed_applied WHERE review = ?", [NOW]))  # fmt: skip
    found = findings(made)
    assert f"review {NOW}: the iteration's report is not the one that was signed" in found
    assert f"review {NOW}: advance: its applied mark is gone" in found
    with (
        made.ledger() as ledger,
        pytest.raises(Refused, match="not the one that was signed"),
        ledger.transaction() as tx,
    ):
        mark_applied(tx, NOW)


def test_a_decision_changed_by_hand_is_named(made):
    tamper(made, ("UPDATE landed_reviews SET decision = 'advance' WHERE id = ?", [THEN]))
    assert f"review {THEN}: the sign-offs make hold, not advance" in findings(made)


def test_figures_changed_in_their_table_are_named(made):
    tamper(made, ("UPDATE landed_iterations SET result = replace(result, '0.04', '0.03') WHERE number = 3",))
    found = findings(made)
    assert f"iteration {PROJECT}/3/pilot: its report or figures are not those of the event that reported them" in found


def test_units_added_to_a_release_by_hand_are_named(made):
    tamper(made, ("UPDATE landed_releases SET content = replace(content, 'S000', 'S999')",))
    (found,) = findings(made)
    assert found.startswith(f"rollout of {PROJECT}, entry 1: no event tells")


def test_a_training_turned_to_other_files_by_hand_is_named(made):
    tamper(made, ("UPDATE landed_work SET value = replace(value, 'boosted', 'doctored')",))
    (found,) = findings(made)
    assert found.startswith("work train:feedface: no event tells of it")


def test_an_anchor_edited_to_fit_is_named(made):
    """Who cuts the ledger would have to cut the anchors too, and cannot sign new ones."""
    path = made.root / "data" / "anchors.jsonl"
    line = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    earlier = rows(made, "SELECT seq, hash FROM landed_events ORDER BY seq DESC")[1]
    path.write_text(json.dumps({**line, **earlier}) + "\n", encoding="utf-8")
    (found,) = findings(made)
    assert found == "anchors.jsonl, line 1: bears no signature of the ledger's key: it was not noted down by Landed"


def test_another_key_in_the_place_of_the_ledgers_is_named(made):
    """A ledger made anew, whole and signed, is not the one whose key the auditor was given."""
    with made.ledger() as ledger:
        found = audit(ledger, made.settings, public="ab" * 32)
    assert "names the key" in found.chain.fault.found


def test_a_key_that_somebody_named_past_landed_is_named_and_signs_nothing(made, tmp_path):
    """With a shell on the database the adversary names a key of their own, and signs a sign-off with it."""
    own = keys.make(tmp_path / "own")
    body = json.dumps({"public": own.public})
    insert, values = forged(made, kind="audit.key", project="", subject="ledger-key", actor="eve", role="", body=body)
    signature = own.sign(keys.of_event(values[EVENT.index("hash")]))
    tamper(made, (insert, values), ("INSERT INTO landed_signatures VALUES (?, ?)", [values[0], signature * 2]))
    (found,) = findings(made)
    assert found.startswith(f"event {values[0]} (audit.key")
    assert f"names the key {own.public[:12]}…, but the ledger's key and that one did not both sign it" in found
    with made.ledger() as ledger:
        assert public_key(ledger) != own.public


def test_a_key_that_an_adversary_declares_lost_is_named_by_whoever_knows_it(made, tmp_path):
    """With a shell on the database alone: the public key beside it, or any auditor's, is that of before."""
    own = keys.make(tmp_path / "own")
    body = json.dumps({"public": own.public, "lost": "the disk of the machine died"})
    insert, values = forged(made, kind="audit.key", project="", subject="ledger-key", actor="olga", role="", body=body)
    signature = own.sign(keys.of_event(values[EVENT.index("hash")]))
    tamper(made, (insert, values), ("INSERT INTO landed_signatures VALUES (?, ?)", [values[0], signature]))
    (found,) = findings(made)
    assert found.startswith(f"event {values[0]} (audit.key")
    assert "lost (the disk of the machine died): it did not sign this" in found


def test_an_old_key_signs_nothing_once_it_was_handed_over(made):
    """The thief kept the private half of before the rotation."""
    stolen = keys.read(made.root / "data" / "keys")
    with made.ledger() as ledger:
        with ledger.transaction() as tx:
            rotate_key(tx, ledger.notary, "olga.admin")
        keys.settle(ledger.notary.keys)
    assert findings(made) == []
    insert, values = forged(made, kind="review.signed", subject=NOW, actor="maria.lind", role="business_owner")
    signature = stolen.sign(keys.of_event(values[EVENT.index("hash")]))
    tamper(made, (insert, values), ("INSERT INTO landed_signatures VALUES (?, ?)", [values[0], signature]))
    (found,) = findings(made)
    assert "bears a signature that is not of the ledger's key" in found

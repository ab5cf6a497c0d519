import json
import stat

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import delete, select

from pipeline.errors import ChainBroken, LedgerError
from pipeline.ledger import Ledger, anchors, keys, verify
from pipeline.ledger.notary import key_spans, make_key, public_key, replace_lost_key, rotate_key
from pipeline.ledger.tables import leases, signatures


def keyed(ledger):
    with ledger.transaction() as tx:
        return make_key(tx, ledger.notary, "olga")


def signed(ledger, times=1, kind="review.signed"):
    for number in range(times):
        with ledger.transaction() as tx:
            tx.append(kind, "p", f"p-{number}", "ana", "sponsor", {"decision": "hold"})


@pytest.fixture
def url(request, tmp_path, monkeypatch):
    """On PostgreSQL the notary's files lie in the data folder."""
    monkeypatch.setenv("LANDED_DATA", str(tmp_path))
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return request.getfixturevalue("server").new_url()


both = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


@both
def test_sign_offs_bear_a_signature_from_the_key_on_that_another_library_accepts(url, tmp_path):
    with Ledger(url) as ledger:
        signed(ledger)
        assert ledger.rows(select(signatures)) == []
        key = keyed(ledger)
        signed(ledger, 2)
        signed(ledger, 1, kind="review.requested")
        events = {event.seq: event for event in ledger.events()}
        kept = {row["event"]: row["signature"] for row in ledger.rows(select(signatures))}
        assert [events[seq].kind for seq in kept] == ["audit.key", "review.signed", "review.signed"]
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(events[2].body["public"]))
        for seq, signature in kept.items():
            public.verify(bytes.fromhex(signature), f"landed event {events[seq].hash}".encode())
        with pytest.raises(InvalidSignature):
            public.verify(bytes.fromhex(kept[3]), f"landed event {events[4].hash}".encode())
        assert verify(ledger, anchors.read(ledger.notary.anchors), public=key.public).intact


@both
def test_a_signature_that_is_gone_or_of_another_event_is_named(url):
    with Ledger(url) as ledger:
        keyed(ledger)
        signed(ledger, 3)
        with ledger.transaction() as tx:
            tx.execute(delete(signatures).where(signatures.c.event == 3))
        assert (verify(ledger).fault_at, "bears no signature" in verify(ledger).fault.found) == (3, True)
        with ledger.transaction() as tx:
            other = tx.rows(select(signatures.c.signature).where(signatures.c.event == 4))[0]["signature"]
            tx.execute(signatures.insert().values(event=3, signature=other))
        assert "not of the ledger's key" in verify(ledger).fault.found


def test_the_private_key_is_for_its_owner_only_and_never_shown(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        key = keyed(ledger)
        path = tmp_path / "keys" / "ledger.key"
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
        assert key.seed.hex() not in repr(key) + json.dumps([event.body for event in ledger.events()])
        assert path.read_text(encoding="ascii").strip() == key.seed.hex()
        with pytest.raises(LedgerError, match="has a key already"):
            keyed(ledger)
        path.chmod(0o640)
        with pytest.raises(LedgerError, match="others may read it"):
            keys.read(path.parent)
        path.write_text("none", encoding="ascii")
        path.chmod(0o600)
        with pytest.raises(LedgerError, match="cannot be read"):
            keys.read(path.parent)


def test_without_the_ledgers_own_key_no_sign_off_is_taken(tmp_path):
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger(address) as ledger:
        keyed(ledger)
    path = tmp_path / "keys" / "ledger.key"
    kept = path.read_bytes()
    path.unlink()
    with Ledger(address) as ledger:
        with pytest.raises(LedgerError, match="there is none"):
            signed(ledger)
        signed(ledger, kind="review.requested")
        keys.make(tmp_path / "keys")
        with pytest.raises(LedgerError, match="another one"):
            signed(ledger)
    path.unlink()
    path.write_bytes(kept)
    path.chmod(0o600)
    with Ledger(address) as ledger:
        signed(ledger)
        assert verify(ledger, public=public_key(ledger)).intact


def test_a_key_made_while_a_server_runs_is_used_by_it(tmp_path):
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger(address) as server, Ledger(address) as command:
        signed(server)
        keyed(command)
        signed(server)
        assert verify(server, public=public_key(command)).intact


def rotated(ledger, *, settled=True):
    with ledger.transaction() as tx:
        key = rotate_key(tx, ledger.notary, "olga")
    if settled:
        keys.settle(ledger.notary.keys)
    return key


def verified(ledger, public=None):
    return verify(ledger, anchors.read(ledger.notary.anchors), public=public)


@both
def test_a_key_is_handed_over_by_an_event_that_both_sign_and_each_signs_its_own_time(url, tmp_path):
    with Ledger(url) as ledger, Ledger(url) as server:
        old = keyed(ledger)
        signed(server)
        new = rotated(ledger)
        signed(server)
        newest = rotated(ledger)
        signed(server)
        assert len({old.public, new.public, newest.public}) == 3
        assert [span.public for span in key_spans(ledger)] == [old.public, new.public, newest.public]
        assert public_key(ledger) == newest.public == (tmp_path / "keys" / "ledger.pub").read_text().strip()
        assert not (tmp_path / "keys" / "ledger.key.next").exists()
        assert stat.S_IMODE((tmp_path / "keys" / "ledger.key").stat().st_mode) == 0o600
        for public in (None, old.public, new.public, newest.public):
            assert verified(ledger, public).intact
        assert "names the key" in verified(ledger, "ab" * 32).fault.found
        # Another library: the hand-over bears both signatures, the sign-off after it the new one's.
        events = {event.seq: event for event in ledger.events()}
        kept = {row["event"]: row["signature"] for row in ledger.rows(select(signatures))}
        for public, seal in ((old.public, kept[3][:128]), (new.public, kept[3][128:])):
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
                bytes.fromhex(seal), f"landed event {events[3].hash}".encode()
            )
        assert events[3].body == {"public": new.public, "before": old.public}


def resigned(ledger, seq, *signers):
    """The signature of an event as somebody with these keys would have it."""
    digest = next(event.hash for event in ledger.events() if event.seq == seq)
    seal = "".join(key.sign(keys.of_event(digest)) for key in signers)
    with ledger.transaction() as tx:
        tx.execute(delete(signatures).where(signatures.c.event == seq))
        tx.execute(signatures.insert().values(event=seq, signature=seal))


def test_whoever_has_the_old_key_alone_signs_nothing_and_hands_over_to_nobody(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        stolen = keyed(ledger)
        new = rotated(ledger)
        signed(ledger)
        resigned(ledger, 3, stolen)
        assert (verified(ledger).fault_at, "not of the ledger's key" in verified(ledger).fault.found) == (3, True)
        resigned(ledger, 3, new)
        assert verified(ledger).intact
        for thief in ((stolen, stolen), (new, new), (stolen,)):
            resigned(ledger, 2, *thief)
            found = verified(ledger)
            assert (found.fault_at, "did not both sign it" in found.fault.found) == (2, True)
            # A hand-over that does not hold is none: the ledger goes on asking for the key before it.
            assert public_key(ledger) == stolen.public


def test_a_hand_over_that_was_cut_off_before_the_files_followed_is_taken_up(tmp_path):
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger(address) as ledger:
        keyed(ledger)
        new = rotated(ledger, settled=False)
        signed(ledger)
        assert verified(ledger, new.public).intact
        newest = rotated(ledger)
        signed(ledger)
        assert verified(ledger, newest.public).intact
    # A pair whose event was never committed is the next one.
    pending = keys.make(tmp_path / "keys", keys.NEXT)
    with Ledger(address) as ledger:
        assert rotated(ledger).public == pending.public


def test_without_a_key_or_without_the_right_one_nothing_is_handed_over(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        with pytest.raises(LedgerError, match="no key to hand over"):
            rotated(ledger)
        keyed(ledger)
        (tmp_path / "keys" / "ledger.key").unlink()
        with pytest.raises(LedgerError, match="there is none"):
            rotated(ledger)
        assert not (tmp_path / "keys" / "ledger.key.next").exists()


def lost(ledger, reason="the disk of the machine died"):
    with ledger.transaction() as tx:
        key = replace_lost_key(tx, ledger.notary, "olga", reason)
    keys.settle(ledger.notary.keys)
    return key


@both
def test_a_lost_key_is_replaced_by_an_event_that_says_so_and_old_signatures_stay_verifiable(url, tmp_path):
    with Ledger(url) as ledger:
        old = keyed(ledger)
        signed(ledger)
        (tmp_path / "keys" / "ledger.key").unlink()
        # What goes on without the key is noted down nowhere: an unsigned head would be taken for a forged one.
        signed(ledger, kind="iteration.reported")
        new = lost(ledger)
        signed(ledger)
        newest = rotated(ledger)
        signed(ledger)
        assert public_key(ledger) == newest.public
        for public in (None, new.public, newest.public):
            status = verified(ledger, public)
            assert status.intact, status.fault
            (told,) = status.lost
            assert (told.public, told.after, told.actor) == (old.public, new.public, "olga")
            assert told.reason == "the disk of the machine died"
        assert [bool(span.lost) for span in key_spans(ledger)] == [False, True, False]
        # Whoever knows the lost key only is not satisfied by anybody's word.
        status = verified(ledger, old.public)
        assert (status.fault_at, "declares the key" in status.fault.found) == (told.seq, True)
        assert "ask the people" in status.fault.remedy
        events = {event.seq: event for event in ledger.events()}
        kept = {row["event"]: row["signature"] for row in ledger.rows(select(signatures))}
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(old.public)).verify(
            bytes.fromhex(kept[2]), f"landed event {events[2].hash}".encode()
        )


def test_a_key_that_is_here_is_not_lost_and_a_wrong_one_gives_way(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        with pytest.raises(LedgerError, match="no key"):
            lost(ledger)
        keyed(ledger)
        with pytest.raises(LedgerError, match="rotate-key"):
            lost(ledger)
        (tmp_path / "keys" / "ledger.key").unlink()
        keys.make(tmp_path / "keys")
        new = lost(ledger)
        signed(ledger)
        assert verified(ledger, new.public).intact
        # Twice lost, and cut off before the files followed.
        (tmp_path / "keys" / "ledger.key").unlink()
        newest = lost(ledger)
        signed(ledger)
        assert len(verified(ledger, newest.public).lost) == 2
        assert not verified(ledger, new.public).intact


def test_a_replacement_that_the_new_key_did_not_sign_is_none(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        keyed(ledger)
        (tmp_path / "keys" / "ledger.key").unlink()
        lost(ledger)
        resigned(ledger, 2, keys.make(tmp_path / "own"))
        assert "was not signed by it" in verified(ledger).fault.found


@both
def test_heads_are_noted_down_after_what_people_decide_and_after_nothing_else(url, tmp_path):
    with Ledger(url) as ledger:
        signed(ledger, 3, kind="intent.done")
        assert not (tmp_path / "anchors.jsonl").exists()
        with ledger.transaction() as tx:
            tx.append("review.signed", "p", "p-1", "ana", "sponsor", {})
            tx.append("intent.queued", "p", "p-1", "ana", "", {})
        with pytest.raises(LedgerError), ledger.transaction() as tx:
            tx.append("review.signed", "p", "p-1", "ana", "sponsor", {"bad": float("nan")})
        noted = anchors.read(tmp_path / "anchors.jsonl")
        assert [(anchor.seq, anchor.hash) for anchor in noted] == [(5, ledger.head().hash)]
        assert stat.S_IMODE((tmp_path / "anchors.jsonl").stat().st_mode) == 0o600


def test_a_file_of_anchors_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "anchors.jsonl").mkdir()
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        signed(ledger)
        assert ledger.head().seq == 1


@pytest.mark.parametrize("line", ["{}", "[1]", "torn", '{"seq": "x", "hash": "", "at": ""}', "\xff"])
def test_a_damaged_line_of_the_anchors_is_named(tmp_path, line):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        signed(ledger, 2)
        with ledger.notary.anchors.open("ab") as stream:
            stream.write(line.encode("latin-1") + b"\n")
        with pytest.raises(ChainBroken, match=r"anchors\.jsonl, line 3"):
            anchors.read(ledger.notary.anchors)


@both
def test_events_refuse_changes_and_the_tables_that_must_change_do_not(url):
    with Ledger(url) as ledger:
        assert ledger.unguarded() == ()
        signed(ledger)
        row = {"key": "project:p", "project": "p", "holder": "me", "token": 1, "beat": 1}
        with ledger.transaction() as tx:
            tx.execute(leases.insert().values(**row))
        with ledger.transaction() as tx:
            tx.execute(leases.update().values(beat=2))
            assert tx.rows(select(leases.c.beat)) == [{"beat": 2}]
            tx.execute(leases.delete())
            assert tx.rows(select(leases)) == []

"""A bundle goes to a machine without Landed: verified there by Python alone, refused by name once it was touched."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit import verifier
from pipeline.audit.bundle import export
from pipeline.errors import ChainBroken, DataError, LedgerError
from pipeline.ledger import get_iteration, keys
from pipeline.ledger.notary import key_spans, replace_lost_key, rotate_key
from tests.attacks.test_record import tamper
from tests.audit.forging import NAMED, events_of
from tests.audit.made import PROJECT, install
from tests.cli.calling import landed


@pytest.fixture(scope="module")
def case(kept, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "case.zip"
    with kept.ledger() as ledger:
        export(ledger, kept.settings, get_iteration(ledger, PROJECT, 3, "pilot"), path)
    return path


def alone(path, *arguments):
    """The program inside the bundle, in a process that sees neither Landed nor any package."""
    with zipfile.ZipFile(path) as archive:
        program = archive.extract("verify.py", path.parent)
    return subprocess.run(
        [sys.executable, "-I", "-S", program, str(path), *arguments], capture_output=True, text=True, timeout=120,
        cwd=path.parent, env={}, check=False,
    )  # fmt: skip


def rewritten(case, folder, change, *, consistent=True) -> Path:
    """A bundle whose files were changed; the manifest fits again unless it is said otherwise."""
    with zipfile.ZipFile(case) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    change(files, manifest)
    if consistent:
        manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    path = folder / "changed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, content)
    return path


def refused(path, **known) -> str:
    with pytest.raises(verifier.Bad) as caught:
        verifier.verify(str(path), **known)
    return str(caught.value)


def test_a_machine_without_landed_verifies_it_and_sees_who_decided_what(case, kept):
    with kept.ledger() as ledger:
        key = next(event.body["public"] for event in ledger.events(kind="audit.key"))
    done = alone(case, "--key", key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"GENUINE  {PROJECT}/3/pilot")
    assert "2 sign-offs bear the ledger's signature" in done.stdout
    assert "decision: advance" in done.stdout
    assert "ana.ruiz, sponsor: advance" in done.stdout
    assert "tom.okoye, operations: advance" in done.stdout
    head = done.stdout.split("head ")[1].split()[0]
    assert alone(case, "--head", head).returncode == 0
    other = alone(case, "--head", "ab" * 32)
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr.startswith("REFUSED  ledger.jsonl: no event has the hash abab")


def test_the_program_needs_the_standard_library_only():
    source = Path(verifier.__file__).read_text(encoding="utf-8")
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names | {"__future__"}


def test_it_holds_what_an_auditor_asks_for_and_no_secret(case, kept):
    with zipfile.ZipFile(case) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    wanted = {
        "charter.json", "ledger.jsonl", "anchors.json", "keys.json", "signatures.json", "model-files.json",
        "data-manifest.json", "manifest.json", "verify.py", "report/evidence.html", "report/evidence.json",
        "report/manifest.json", "report/environment.txt",
    }  # fmt: skip
    assert wanted <= set(files)
    assert b"sqlalchemy==" in files["report/environment.txt"]
    secret = (kept.root / "data" / "keys" / "ledger.key").read_bytes().strip()
    assert not any(secret in content for content in files.values())
    sequence = [event["seq"] for event in events_of(files)]
    assert sequence == list(range(sequence[0], sequence[-1] + 1))
    assert events_of(files)[0]["kind"] == "iteration.opened"


def test_the_same_iteration_makes_the_same_bundle(case, kept, tmp_path):
    with kept.ledger() as ledger:
        again = export(ledger, kept.settings, get_iteration(ledger, PROJECT, 3, "pilot"), tmp_path / "again.zip")
    assert again.path.read_bytes() == case.read_bytes()
    assert again.sha256 == hashlib.sha256(case.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "name", ["charter.json", "ledger.jsonl", "report/evidence.html", "report/environment.txt", "verify.py"]
)
def test_a_file_that_was_changed_missing_or_added_is_named(case, tmp_path, name):
    def change(files, manifest):
        files[name] += b" "

    def leave_out(files, manifest):
        del files[name]

    def add(files, manifest):
        files["extra.txt"] = b""

    for act, found in ((change, f"{name}: is not the file the manifest names"), (leave_out, f"{name}: is missing"),
                       (add, "extra.txt: the manifest does not know it")):  # fmt: skip
        assert refused(rewritten(case, tmp_path, act, consistent=False)) == found


@pytest.mark.parametrize("forge", NAMED, ids=lambda forge: forge.__name__)
def test_each_forgery_under_a_fitting_manifest_is_named(case, tmp_path, forge):
    assert NAMED[forge] in refused(rewritten(case, tmp_path, forge))


def test_a_bundle_written_wholly_anew_is_refused_by_the_head_or_key_that_is_known_from_elsewhere(
    case, tmp_path, tmp_path_factory
):
    """The adversary has everything but the ledger's key, and plays the whole case again with other people."""
    forger = install(tmp_path_factory.mktemp("forger"), signed=True)
    with forger.ledger() as ledger:
        forged = export(ledger, forger.settings, get_iteration(ledger, PROJECT, 3, "pilot"), tmp_path / "forged.zip")
    verifier.verify(str(forged.path))
    with zipfile.ZipFile(case) as archive:
        known = json.loads(archive.read("manifest.json"))
        (key,) = json.loads(archive.read("keys.json"))
    public = json.loads(key["event"]["body"])["public"]
    assert refused(forged.path, key=public).startswith("keys.json: the bundle's key is")
    assert refused(forged.path, head=known["head"]["hash"]).startswith("ledger.jsonl: no event has the hash")


@pytest.fixture(scope="module")
def handed_over(kept, tmp_path_factory):
    """The case after the ledger's key was handed over, and both keys; sign-offs of the slice bear the old one's."""
    made = kept.copied(tmp_path_factory.mktemp("rotated") / "made")
    path = made.root / "case.zip"
    with made.ledger() as ledger:
        with ledger.transaction() as tx:
            rotate_key(tx, ledger.notary, "olga.admin")
        keys.settle(ledger.notary.keys)
        old, new = (span.public for span in key_spans(ledger))
        export(ledger, made.settings, get_iteration(ledger, PROJECT, 3, "pilot"), path)
    return path, old, new


def test_a_bundle_whose_key_was_handed_over_verifies_by_either_key_on_a_machine_without_landed(handed_over):
    path, old, new = handed_over
    for key in (old, new):
        done = alone(path, "--key", key)
        assert (done.returncode, done.stderr) == (0, "")
        assert "2 sign-offs bear the ledger's signature" in done.stdout
        assert old in done.stdout
        assert new in done.stdout
    assert refused(path, key="ab" * 32).startswith("keys.json: the bundle's key is")


def test_a_key_that_was_not_handed_over_by_both_is_refused_by_its_event(handed_over, tmp_path):
    path, _, new = handed_over

    def without(half):
        def change(files, manifest):
            listed = json.loads(files["keys.json"])
            seal = listed[1]["signature"]
            listed[1]["signature"] = "0" * 128 + seal[128:] if half == "old" else seal[:128]
            files["keys.json"] = json.dumps(listed).encode()

        return change

    def forged_past(files, manifest):
        """The thief of the old key drops the event that handed it over, and so the new key's word on the past."""
        files["keys.json"] = json.dumps(json.loads(files["keys.json"])[:1]).encode()

    for half in ("old", "new"):
        assert "was not handed over by the one before it" in refused(rewritten(path, tmp_path, without(half)))
    assert refused(rewritten(path, tmp_path, forged_past), key=new).startswith("keys.json: the bundle's key is")


def test_a_bundle_whose_key_was_declared_lost_says_so_and_satisfies_nobody_who_knows_the_lost_one_alone(kept, tmp_path):
    made = kept.copied(tmp_path / "made")
    (made.root / "data" / "keys" / "ledger.key").unlink()
    (made.root / "data" / "anchors.jsonl").unlink()
    with made.ledger() as ledger:
        with pytest.raises(LedgerError, match="Nobody noted down"):
            export(ledger, made.settings, get_iteration(ledger, PROJECT, 3, "pilot"), tmp_path / "case.zip")
        with ledger.transaction() as tx:
            replace_lost_key(tx, ledger.notary, "olga.admin", "the disk died")
        keys.settle(ledger.notary.keys)
        old, new = (span.public for span in key_spans(ledger))
        export(ledger, made.settings, get_iteration(ledger, PROJECT, 3, "pilot"), tmp_path / "case.zip")
    for known in ((), ("--key", new)):
        done = alone(tmp_path / "case.zip", *known)
        assert (done.returncode, done.stderr) == (0, "")
        assert "2 sign-offs bear the ledger's signature" in done.stdout
        assert f"olga.admin declared the key {old[:12]}… lost (the disk died)" in done.stdout
    assert "ask for the key that took its place" in refused(tmp_path / "case.zip", key=old)

    def unsigned(files, manifest):
        listed = json.loads(files["keys.json"])
        listed[1]["signature"] = "0" * 128
        files["keys.json"] = json.dumps(listed).encode()

    assert "was not handed over" in refused(rewritten(tmp_path / "case.zip", tmp_path, unsigned))


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\x03\x04" + b"\0" * 40])
def test_what_is_no_bundle_is_refused_without_a_traceback(tmp_path, content, case):
    path = tmp_path / "none.zip"
    path.write_bytes(content)
    assert refused(path).startswith("bundle: cannot be read")
    for change in (lambda files, manifest: manifest.pop("reviews"), lambda files, manifest: manifest.update(head=[])):
        assert refused(rewritten(case, tmp_path, change)).startswith("bundle: not of the layout")


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.text(max_size=60), st.integers(0, 511), st.data())
def test_its_own_ed25519_agrees_with_the_library(seed, text, bit, data):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(text.encode())
    assert verifier.signed(public.hex(), text, signature.hex())
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not verifier.signed(public.hex(), text, flipped.hex())
    assert not verifier.signed(public.hex(), text + "!", signature.hex())


@pytest.mark.parametrize(("public", "text", "signature"), [
    # RFC 8032, section 7.1, tests 1 and 2.
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "r",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
])  # fmt: skip
def test_its_own_ed25519_gives_the_standards_answers(public, text, signature):
    assert verifier.signed(public, text, signature)


def test_a_broken_record_or_pack_is_not_exported(made, tmp_path):
    out = tmp_path / "case.zip"
    with made.ledger() as ledger:
        record = get_iteration(ledger, PROJECT, 3, "pilot")
        with pytest.raises(LedgerError, match="nothing to export"):
            export(ledger, made.settings, get_iteration(ledger, PROJECT, 3, "full"), out)
        page = made.pack() / "evidence.html"
        page.write_text(page.read_text(encoding="utf-8") + " ", encoding="utf-8")
        with pytest.raises(DataError, match=r"evidence\.html"):
            export(ledger, made.settings, record, out)
        page.write_text(page.read_text(encoding="utf-8")[:-1], encoding="utf-8")
    tamper(made, ("UPDATE landed_events SET actor = 'eve' WHERE seq = 5",))
    with made.ledger() as ledger, pytest.raises(ChainBroken, match="event 5"):
        export(ledger, made.settings, record, out)
    assert not out.exists()


def test_the_command_says_what_it_wrote_and_refuses_what_is_not_there(made, monkeypatch, tmp_path):
    monkeypatch.setenv("LANDED_DATA", str(made.root / "data"))
    monkeypatch.setenv("LANDED_REPORTS", str(made.root / "reports"))
    done = landed("audit", "export", PROJECT, "--iteration", 2, "--out", tmp_path / "two.zip")
    assert done.exit_code == 0, done.output
    assert f"{PROJECT}/2/pilot" in done.output
    assert alone(tmp_path / "two.zip").returncode == 0
    missing = landed("audit", "export", PROJECT, "--iteration", 9, "--out", tmp_path / "nine.zip")
    assert missing.exit_code == 5
    assert "2 (pilot), 3 (pilot), 3 (full)" in missing.output

"""Verify an evidence bundle of Landed: one file that needs Python 3.9 or newer and nothing else.

    python -I -S verify.py CASE.zip [--head HASH] [--key PUBLIC]

It recomputes every hash and signature from the bundle's own bytes. Who wrote the whole bundle anew, consistently, is
found only by what you know from elsewhere: the head that a report, MLflow or a mail shows (--head), or the ledger's
public key (--key), the present one or one that handed over to it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import zipfile
from typing import Any

Event = dict[str, Any]
Files = dict[str, bytes]
Key = tuple[int, str]
Point = tuple[int, int, int, int]

FORMAT = "landed-bundle/2"
FIELDS = ("seq", "at", "actor", "role", "kind", "project", "subject", "body")
PARTS = ("charter.json", "ledger.jsonl", "anchors.json", "keys.json", "model-files.json", "report/evidence.json")


class Bad(Exception):
    """What is wrong with the bundle, by name."""


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def canonical(value: object) -> str:
    """JSON text that depends on the content only, as Landed writes it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def event_hash(event: Event) -> str:
    """The hash over an event's fields and the hash of the event before it."""
    preimage = [event["previous"]] + [event[name] for name in FIELDS]
    return sha256(json.dumps(preimage, separators=(",", ":"), ensure_ascii=True).encode("ascii"))


# ---- Ed25519 (RFC 8032, section 5.1), for verifying only: nothing secret is handled, so it need not be constant-time.

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _recover(y: int, sign: int) -> int | None:
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if y >= P or (x2 == 0 and sign):
        return None
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def _point(raw: bytes) -> Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = _recover(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _add(a: Point, b: Point) -> Point:
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f, g * h, f * g, e * h)


def _times(number: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = _recover(BASE_Y, 0) or 0
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def signed(public: str, text: str, signature: str) -> bool:
    """Whether a signature is this key's of this text."""
    try:
        key, raw = bytes.fromhex(public), bytes.fromhex(signature)
    except (TypeError, ValueError):
        return False
    if len(key) != 32 or len(raw) != 64:
        return False
    a, r, s = _point(key), _point(raw[:32]), int.from_bytes(raw[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    k = int.from_bytes(hashlib.sha512(raw[:32] + key + text.encode()).digest(), "little") % Q
    left, right = _times(s, BASE), _add(r, _times(k, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# ---- the bundle


def opened(path: str) -> tuple[Event, Files]:
    """The files of a bundle by name, each held against the manifest's hash of it."""
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.namelist()) != len(set(archive.namelist())):
                raise Bad("bundle: it holds two files of one name")
            files = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(files.pop("manifest.json"))
        listed = manifest["files"]
    except KeyError as error:
        raise Bad(f"manifest.json: is missing or lacks {error}") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise Bad(f"bundle: cannot be read: {error}") from error
    if manifest.get("format") != FORMAT:
        raise Bad(f"manifest.json: the format is {manifest.get('format')}, this program reads {FORMAT}")
    for name in sorted({*listed, *files, *PARTS}):
        if name not in files:
            raise Bad(f"{name}: is missing")
        if name not in listed:
            raise Bad(f"{name}: the manifest does not know it")
        if sha256(files[name]) != listed[name]:
            raise Bad(f"{name}: is not the file the manifest names")
    return manifest, files


def chain_of(files: Files) -> list[Event]:
    """The events of the slice, in order and unbroken."""
    events = [json.loads(line) for line in files["ledger.jsonl"].decode("ascii").splitlines()]
    before = None
    for event in events:
        place = f"ledger.jsonl, event {event['seq']} ({event['kind']})"
        if event_hash(event) != event["hash"]:
            raise Bad(f"{place}: was changed: its hash does not fit its content")
        if before is not None and event["seq"] != before["seq"] + 1:
            raise Bad(f"{place}: event {before['seq'] + 1} is missing before it")
        if before is not None and event["previous"] != before["hash"]:
            raise Bad(f"{place}: does not follow from the event before it")
        before = event
    if not events:
        raise Bad("ledger.jsonl: holds no event")
    return events


def check_keys(files: Files, events: list[Event], key: str | None) -> list[Key]:
    """The ledger's keys, each handed over by the one before it; those that the slice names are among them."""
    keys: list[Key] = []
    lost = 0
    for one in json.loads(files["keys.json"]):
        event, seal = one["event"], one["signature"]
        body = json.loads(event["body"])
        place, named = f"keys.json, event {event['seq']}", body["public"]
        if event_hash(event) != event["hash"]:
            raise Bad(f"{place}: was changed: its hash does not fit its content")
        signers = [keys[-1][1], named] if keys and not body.get("lost") else [named]
        text = f"landed event {event['hash']}"
        if not all(signed(by, text, seal[128 * at : 128 * at + 128]) for at, by in enumerate(signers)):
            raise Bad(f"{place}: the key {named[:12]}… was not handed over by the one before it")
        if keys and body.get("lost"):
            lost = len(keys)
        keys.append((event["seq"], named))
    within = [seq for seq, _ in keys if events[0]["seq"] <= seq <= events[-1]["seq"]]
    if within != [event["seq"] for event in events if event["kind"] == "audit.key"]:
        raise Bad("keys.json: does not name the keys that the slice names")
    if key and key not in [public for _, public in keys]:
        known = ", ".join(f"{public[:12]}…" for _, public in keys) or "none"
        raise Bad(f"keys.json: the bundle's key is {known}, not the {key[:12]}… that you know")
    if key and key not in [public for _, public in keys[lost:]]:
        gone, since = keys[lost - 1][1], keys[lost][0]
        raise Bad(
            f"keys.json, event {since}: declares the key {gone[:12]}… lost, which did not sign it, and the {key[:12]}… "
            "that you know is from before: ask for the key that took its place"
        )
    return keys


def lost_keys(files: Files, keys: list[Key]) -> list[str]:
    """A line for each key that was replaced because it was lost: only people can say whether that is so."""
    told = []
    for place, one in enumerate(json.loads(files["keys.json"])):
        event, why = one["event"], json.loads(one["event"]["body"]).get("lost")
        if place and why:
            gone = f"declared the key {keys[place - 1][1][:12]}… lost ({why});"
            told += [
                f"! event {event['seq']}, {event['at'][:10]}: {event['actor']} {gone}",
                "  nothing but people's word says that the key after it is rightly the ledger's",
            ]
    return told


def check_anchors(manifest: Event, files: Files, events: list[Event], keys: list[Key], head: str | None) -> int:
    """The slice ends at a head that was noted down; a signed one is signed by a key of the ledger."""
    hashes = {event["seq"]: event["hash"] for event in events}
    last, anchors = events[-1], json.loads(files["anchors.json"])
    if (manifest["head"]["seq"], manifest["head"]["hash"]) != (last["seq"], last["hash"]):
        raise Bad("ledger.jsonl: does not end at the head that the manifest names: its end was cut off or replaced")
    for anchor in anchors:
        if hashes.get(anchor["seq"]) != anchor["hash"]:
            raise Bad(f"anchors.json: event {anchor['seq']} is not the one noted down ({anchor['where']})")
        noted, seal = f"landed head {anchor['seq']} {anchor['hash']} {anchor['at']}", anchor.get("signature")
        if keys and seal and not any(signed(public, noted, seal) for _, public in keys):
            raise Bad(f"anchors.json: the signature of event {anchor['seq']} is not the ledger's key's")
    if last["seq"] not in [anchor["seq"] for anchor in anchors]:
        raise Bad(f"anchors.json: nobody noted down event {last['seq']}, at which the slice ends")
    if head and head not in hashes.values():
        raise Bad(f"ledger.jsonl: no event has the hash {head[:12]}… that you know from elsewhere")
    return len(anchors)


def check_signatures(files: Files, events: list[Event], keys: list[Key]) -> int:
    """Every sign-off since the first key was made bears the signature of the key of its time."""
    signatures, checked = json.loads(files.get("signatures.json", b"{}")), 0
    for event in events:
        known = [public for since, public in keys if since < event["seq"]]
        if event["kind"] != "review.signed" or not known:
            continue
        if not signed(known[-1], f"landed event {event['hash']}", signatures.get(str(event["seq"]), "")):
            raise Bad(f"ledger.jsonl, event {event['seq']}: the sign-off of {event['actor']} is not signed by the key")
        checked += 1
    return checked


def newest(events: list[Event], kind: str, subject: str) -> Event:
    """The body of the newest event of a kind on a subject."""
    bodies = [event["body"] for event in events if (event["kind"], event["subject"]) == (kind, subject)]
    found: list[Event] = [json.loads(body) for body in bodies]
    if not found:
        raise Bad(f"ledger.jsonl: no event {kind} of {subject}")
    return found[-1]


def check_report(manifest: Event, files: Files, events: list[Event]) -> tuple[str, dict[str, str]]:
    """Charter, report, data and model are those the events name; returns the report's hash."""
    subject = manifest["iteration"]
    opened_under, reported = newest(events, "iteration.opened", subject), newest(events, "iteration.reported", subject)
    if sha256(files["charter.json"]) != opened_under["charter"]:
        raise Bad("charter.json: is not the charter the iteration was opened under")
    evidence = json.loads(files["report/evidence.json"])["evidence"]
    parts = {
        "charter": sha256(canonical(evidence["charter"]).encode()),
        "data": evidence["data"]["digest"],
        "code": evidence["code_version"],
        "model": evidence["model"]["digest"],
        "figures": sha256(canonical(evidence).encode()),
    }
    sealed = {"format": "landed-evidence/1", "project": evidence["charter"]["project"],
              "iteration": evidence["iteration"], "parts": parts}  # fmt: skip
    digest = sha256(canonical(sealed).encode())
    if digest != reported["report"]:
        raise Bad(f"report/evidence.json: hashes to {digest[:12]}, the chain says {reported['report'][:12]}")
    for name, expected in sorted(reported["result"].get("files", {}).items()):
        if sha256(files.get(f"report/{name}", b"")) != expected:
            raise Bad(f"report/{name}: is not the file that was reported")
    whole = hashlib.sha256()
    for name, value in json.loads(files["model-files.json"]):
        whole.update(name.encode() + b"\0" + bytes.fromhex(value))
    if whole.hexdigest() != parts["model"]:
        raise Bad("model-files.json: these are not the files of the model in the report")
    if "data-manifest.json" in files and json.loads(files["data-manifest.json"])["digest"] != parts["data"]:
        raise Bad("data-manifest.json: is not of the data in the report")
    return digest, parts


def check_decision(manifest: Event, events: list[Event], digest: str) -> tuple[str, list[str]]:
    """Every sign-off on this iteration is on this report; returns what was decided."""
    reviews, decided = set(manifest["reviews"]), "awaiting"
    people = []
    for event in events:
        body = json.loads(event["body"])
        if event["subject"] not in reviews or event["kind"] not in {"review.signed", "review.decided"}:
            continue
        if body["report"] != digest:
            found = f"{event['actor']} signed another report, {body['report'][:12]}"
            raise Bad(f"ledger.jsonl, event {event['seq']}: {found}")
        if event["kind"] == "review.decided":
            decided = body["decision"]
        else:
            label = " (recorded answer)" if body["recorded"] else ""
            people.append(f"{event['actor']}, {event['role']}: {body['decision']}{label}, {event['at'][:16]}")
    return decided, people


def check_tracking(files: Files, digest: str, parts: dict[str, str]) -> None:
    """MLflow's run shows the same report, charter, data and model."""
    if "mlflow.json" not in files:
        return
    tags = json.loads(files["mlflow.json"])["data"]["tags"]
    wanted = {"report": digest, "charter": parts["charter"], "data": parts["data"], "model": parts["model"]}
    for name, value in wanted.items():
        if tags.get(f"landed.{name}") != value:
            raise Bad(f"mlflow.json: its tag landed.{name} is not the report's")


def verify(path: str, head: str | None = None, key: str | None = None) -> list[str]:
    """Check a bundle; returns the sentences to print.

    Raises:
        Bad: the first thing that is wrong, by name.
    """
    try:
        manifest, files = opened(path)
        events = chain_of(files)
        keys = check_keys(files, events, key)
        heads = check_anchors(manifest, files, events, keys, head)
        signatures = check_signatures(files, events, keys)
        digest, parts = check_report(manifest, files, events)
        decided, people = check_decision(manifest, events, digest)
        check_tracking(files, digest, parts)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Bad(f"bundle: not of the layout {FORMAT}: {type(error).__name__} {error}") from error
    first, last = events[0], events[-1]
    return [
        f"{manifest['iteration']}: {len(files)} files are those of the manifest",
        f"events {first['seq']} to {last['seq']} are unbroken; {heads} heads noted down elsewhere agree",
        f"charter, data, model and every file of report {digest[:12]} are those the events name",
        f"{signatures} sign-offs bear the ledger's signature" if keys else "sign-offs are not signed",
        f"decision: {decided}",
        *[f"  {person}" for person in people],
        f"compare with what you know from elsewhere: head {last['hash']}",
        *[f"                                            key  {public}, from event {seq} on" for seq, public in keys],
        *lost_keys(files, keys),
    ]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Verify an evidence bundle of Landed.")
    parser.add_argument("bundle")
    parser.add_argument("--head", help="hash of an event that you know from a report, MLflow or a mail")
    parser.add_argument("--key", help="the ledger's public key as you know it from elsewhere")
    given = parser.parse_args()
    try:
        lines = verify(given.bundle, given.head, given.key)
    except Bad as error:
        sys.stderr.write(f"REFUSED  {error}\n")
        return 1
    sys.stdout.write("GENUINE  " + "\n         ".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What somebody may do to a bundle, with a manifest made to fit, and by which name it is refused."""

import json

from pipeline.ledger.chain import event_hash


def events_of(files):
    return [json.loads(line) for line in files["ledger.jsonl"].splitlines()]


def put(files, events):
    files["ledger.jsonl"] = "".join(json.dumps(event) + "\n" for event in events).encode()


def rehashed(events):
    """The slice as somebody would write it anew: every hash fits again."""
    for before, event in zip([None, *events], events, strict=False):
        event["previous"] = before["hash"] if before else event["previous"]
        event["hash"] = event_hash(event["previous"], event)
    return events


def another_charter(files, manifest):
    files["charter.json"] = files["charter.json"].replace(b"0.042", b"0.050")


def better_figures(files, manifest):
    files["report/evidence.json"] = files["report/evidence.json"].replace(b"0.0403", b"0.0203")


def another_page(files, manifest):
    files["report/evidence.html"] += b"<!-- -->"


def another_model(files, manifest):
    names = json.loads(files["model-files.json"])
    files["model-files.json"] = json.dumps([[names[0][0], "ab" * 32], *names[1:]]).encode()


def other_data(files, manifest):
    files["data-manifest.json"] = files["data-manifest.json"].replace(b'"digest": "', b'"digest": "0', 1)


def edited_event(files, manifest):
    files["ledger.jsonl"] = files["ledger.jsonl"].replace(b"ana.ruiz", b"eve.ruiz", 1)


def missing_event(files, manifest):
    events = events_of(files)
    put(files, events[:3] + events[4:])


def reordered(files, manifest):
    events = events_of(files)
    put(files, [*events[:2], events[3], events[2], *events[4:]])


def cut_off(files, manifest):
    put(files, events_of(files)[:-1])


def cut_off_with_its_head(files, manifest):
    events = events_of(files)[:-3]
    put(files, events)
    files["anchors.json"] = b"[]"
    manifest["head"] = {"seq": events[-1]["seq"], "hash": events[-1]["hash"]}


def stale_hash(files, manifest):
    """A sign-off on another report, in a chain written anew."""
    events = events_of(files)
    (place, *_) = [place for place, event in enumerate(events) if event["kind"] == "review.signed"]
    body = json.loads(events[place]["body"])
    events[place]["body"] = json.dumps(body | {"report": "cd" * 32})
    put(files, rehashed(events))
    manifest["head"]["hash"] = events[-1]["hash"]
    files["anchors.json"] = json.dumps([{**manifest["head"], "where": "a mail", "at": ""}]).encode()
    files["keys.json"] = b"[]"


def forged_sign_off(files, manifest):
    events = events_of(files)
    for event in events:
        event["actor"] = event["actor"].replace("ana.ruiz", "eve")
    put(files, rehashed(events))
    manifest["head"]["hash"] = events[-1]["hash"]
    files["anchors.json"] = json.dumps([{**manifest["head"], "where": "a mail", "at": ""}]).encode()


NAMED = {
    another_charter: "charter.json: is not the charter",
    better_figures: "report/evidence.json: hashes to",
    another_page: "report/evidence.html: is not the file that was reported",
    another_model: "model-files.json: these are not the files of the model",
    other_data: "data-manifest.json: is not of the data",
    edited_event: "was changed: its hash does not fit",
    missing_event: "is missing before it",
    reordered: "is missing before it",
    cut_off: "its end was cut off",
    cut_off_with_its_head: "anchors.json: nobody noted down event",
    stale_hash: "signed another report, cdcd",
    forged_sign_off: "the sign-off of eve is not signed by the key",
}

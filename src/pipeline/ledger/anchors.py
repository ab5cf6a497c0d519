"""Anchors: heads of the ledger noted down outside of it, so that a cut-off end or a rewritten chain is seen.

A chain alone cannot know that its newest events are gone. Each head that matters is therefore kept elsewhere too: in
``anchors.jsonl`` beside the ledger, in every evidence pack, and in MLflow's tags.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ChainBroken, Finding
from pipeline.ledger.chain import canonical
from pipeline.ledger.keys import Key, of_head

NAME = "anchors.jsonl"


@dataclass(frozen=True)
class Anchor:
    """A head that was noted down.

    Attributes:
        seq, hash: the head.
        where: where it was noted down, for people.
        at: when, UTC, ISO 8601; empty where that was not noted.
        signature: by the ledger's key over seq, hash and time; empty without a key.
    """

    seq: int
    hash: str
    where: str
    at: str = ""
    signature: str = ""


def note(path: Path, seq: int, digest: str, at: str, key: Key | None) -> None:
    """Add a head to the file, in one write that is forced to the disk.

    Raises:
        OSError: the file cannot be written.
    """
    line: dict[str, Any] = {"seq": seq, "hash": digest, "at": at}
    if key is not None:
        line["signature"] = key.sign(of_head(seq, digest, at))
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, f"{canonical(line)}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> tuple[Anchor, ...]:
    """The heads of a file, oldest first; none where there is no file.

    Raises:
        ChainBroken: a line is not what :func:`note` writes.
    """
    if not path.exists():
        return ()
    anchors = []
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            where = f"{path.name}, line {number}"
            try:
                noted = json.loads(line)
                anchors.append(
                    Anchor(
                        int(noted["seq"]), str(noted["hash"]), where, str(noted["at"]), str(noted.get("signature", ""))
                    )
                )
            except (ValueError, KeyError, TypeError) as exc:
                remedy = "restore the file from a backup; keep this one as evidence"
                finding = Finding(f"{path}, line {number}", "it is not a head that was noted down", remedy)
                raise ChainBroken("The file of anchors was changed", [finding]) from exc
    return tuple(anchors)


def newest(anchors: Iterable[Anchor]) -> Anchor | None:
    """The anchor of the longest chain."""
    return max(anchors, key=lambda anchor: anchor.seq, default=None)

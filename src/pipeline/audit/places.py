"""Where heads of the ledger are noted down outside of it: beside the ledger, in evidence packs, in MLflow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.ledger import Ledger
from pipeline.ledger.anchors import Anchor, read
from pipeline.reporting.pack import TWIN


def noted_heads(ledger: Ledger, reports: Path, tracked: tuple[Anchor, ...] = ()) -> tuple[Anchor, ...]:
    """Every head there is, whatever the ledger itself says.

    Args:
        ledger: its notary's file is read.
        reports: folder of evidence packs; all of them are looked at, also those the ledger does not know.
        tracked: heads from MLflow.

    Raises:
        ChainBroken: the notary's file was damaged.
    """
    return (*read(ledger.notary.anchors), *_in_packs(reports), *tracked)


def _in_packs(reports: Path) -> tuple[Anchor, ...]:
    found = []
    for path in sorted(reports.glob(f"*/*/{TWIN}")):
        head = _head(path)
        if head:
            pack = path.parent.relative_to(reports).as_posix()
            found.append(Anchor(int(head["seq"]), str(head["hash"]), f"report {pack}"))
    return tuple(found)


def _head(path: Path) -> Mapping[str, Any]:
    """The head a pack prints; nothing for one that cannot be read, which the check of the packs names."""
    try:
        head = json.loads(path.read_text(encoding="utf-8"))["evidence"].get("head")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return head if isinstance(head, dict) and isinstance(head.get("seq"), int) and "hash" in head else {}

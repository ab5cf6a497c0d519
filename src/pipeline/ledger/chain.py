"""The hash chain: every event's hash covers all its fields and the hash of the event before it.

A pure module: no clock, no store. The construction is the linked time-stamping of Haber and Stornetta
("How to time-stamp a digital document", Journal of Cryptology 3, 1991) with SHA-256 (FIPS 180-4).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.errors import Finding, LedgerError

#: What the first event names as the hash before it.
GENESIS = "0" * 64

#: The columns an event's hash covers, in the order they are hashed. All of them: no byte of an event is free.
HASHED = ("seq", "at", "actor", "role", "kind", "project", "subject", "body")

#: Made once: `json.dumps` with separators of its own makes an encoder for each call.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


def canonical(value: object) -> str:
    """One JSON text per value: keys sorted, no blanks, no NaN, characters as they are.

    Raises:
        LedgerError: the value is not JSON (NaN, infinity, a type JSON does not know, half a surrogate pair).
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as exc:
        finding = Finding(
            "value for the ledger", f"cannot be written as JSON: {exc}", "hand over plain JSON; null, not NaN"
        )
        raise LedgerError("The ledger holds JSON only", [finding]) from exc
    return text


def digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def event_hash(previous: str, fields: Mapping[str, Any]) -> str:
    """The hash of an event.

    Args:
        previous: hash of the event before it, :data:`GENESIS` for the first.
        fields: at least the :data:`HASHED` columns as they are stored; ``body`` is the canonical JSON text.

    Returns:
        64 hexadecimal digits. The preimage is a JSON array, so no two different lists of fields share one; it is
        ASCII, so that a field whose bytes were damaged beyond UTF-8 still has a (different) hash.
    """
    preimage = _encode([previous, *[fields[name] for name in HASHED]])
    return hashlib.sha256(preimage.encode("ascii")).hexdigest()

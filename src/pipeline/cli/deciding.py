"""What ``landed decide`` writes: the decisions, with what people changed in them, and what moved each of them."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import DataError, Finding, Refused
from pipeline.rollout.overriding import Override, put, read_overrides
from pipeline.rollout.serving import Served


def with_overrides(served: Served, path: Path | None) -> tuple[pd.DataFrame, tuple[Override, ...]]:
    """The decisions with the changes of a file, and the changes.

    Raises:
        DataError: a line of the file cannot be followed.
    """
    if path is None or served.account is None:
        return served.decisions, ()
    values = served.limited.amounts if served.limited is not None else served.account.amounts
    changed = read_overrides(path, served.account, values)
    return served.account.with_values(put(served.account, values, changed)), changed


def explanation(served: Served, decisions: pd.DataFrame) -> pd.DataFrame:
    """One row per decision: what is served, what the model and today's rule said, and the strongest drivers.

    ``effect_1`` is the factor by which ``driver_1`` moves the prediction away from the model's usual one; ``added_1``,
    where the problem's predictions are sums, is what it adds to it.

    Raises:
        Refused: no model decides.
    """
    account = served.account
    if account is None or account.drivers is None:
        remedy = "leave --explain out, or name `--model challenger` while nothing is released"
        raise Refused("There is nothing to explain", [Finding("--explain", "no model decides", remedy)])
    told = decisions.rename(columns={account.column: "decision"}).assign(
        model=account.named(account.amounts),
        today=account.named(account.incumbent),
        decided_by=np.where(account.by_model, "model", "today's rule"),
        limited=served.limited.why if served.limited is not None else "",
        outside_training=account.outside,
    )
    drivers = account.drivers
    effect = "added" if drivers.added else "effect"
    for place in range(drivers.names.shape[1]):
        names, effects = np.full(len(told), "", dtype=object), np.full(len(told), np.nan)
        names[drivers.rows], effects[drivers.rows] = drivers.names[:, place], drivers.effects[:, place]
        told[f"driver_{place + 1}"], told[f"{effect}_{place + 1}"] = names, np.round(effects, 4)
    return told


def write(frame: pd.DataFrame, out: Path) -> str:
    """Write a CSV file that is whole or not there; an older one stays until the new one is whole. Returns its SHA-256.

    Raises:
        DataError: the file cannot be written.
    """
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(partial, index=False)
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        partial.replace(out)
    except OSError as exc:
        partial.unlink(missing_ok=True)
        found = f"it cannot be written: {exc.strerror or exc}"
        finding = Finding(str(out), found, "name a file in a folder you may write, with --out")
        raise DataError("The decisions cannot be written", [finding]) from exc
    return digest

"""The proposed contract: Pandera's inference of types, emptiness and bounds, tightened where that is safe.

Tighter than the inference: categories are a closed list, a key is text, a column without gaps may never have one, and
no column goes in without a rule. Wider: of numbers the inference allows exactly what was seen, so that tomorrow's
largest value would be refused; here a number may lie as far beyond as the whole range seen, and below zero only where
it already did.
"""

import csv
import io
from typing import Any

import pandas as pd
from pandera.pandas import Column

from pipeline.tabular.rules import HEADINGS, OR
from pipeline.tabular.starting.profile import MOST_CATEGORIES, Profile


def contract_text(profile: Profile, key: str, target: str, classes: tuple[str, ...]) -> str:
    """``contract.csv``: one rule per column; ``classes`` are the values of a target that has some."""
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADINGS, lineterminator="\n")
    writer.writeheader()
    for name, column in profile.schema.columns.items():
        writer.writerow(_rule(profile, str(name), column, key, target, classes))
    return out.getvalue()


def _rule(
    profile: Profile, name: str, column: Column, key: str, target: str, classes: tuple[str, ...]
) -> dict[str, str]:
    kind, cells = profile.kind(name), profile.frame[name].dropna()
    rule = dict.fromkeys(HEADINGS, "") | {"column": name, "type": kind, "may_be_empty": _word(bool(column.nullable))}
    rule["meaning"] = f"seen: {profile.seen(name)}"
    if name == key:
        return rule | {"type": "text", "may_be_empty": "false", "meaning": f"names a case; {rule['meaning']}"}
    if name == target:
        rule |= {"may_be_empty": "true", "meaning": f"foreseen; empty while nobody knows; {rule['meaning']}"}
        if classes:
            return rule | {"type": "text", "values": OR.join(classes)}
    if kind == "text" and name not in profile.personal and 0 < cells.nunique() <= MOST_CATEGORIES:
        rule["values"] = OR.join(sorted(map(str, cells.unique())))
    if kind in ("number", "whole") and len(cells):
        rule |= _bounds(column, whole=kind == "whole")
    if kind == "date" and len(cells):
        rule["lowest"] = f"{cells.min():%Y-%m-%d}"
    return rule


def _bounds(column: Column, *, whole: bool) -> dict[str, str]:
    """The range that Pandera found, once more on each side; zero stays a floor."""
    limits: dict[str, Any] = {}
    for check in column.checks:
        limits |= {str(key): value for key, value in check.statistics.items()}
    low, high = limits.get("min_value"), limits.get("max_value")
    if low is None or high is None or pd.isna(low):
        return {}
    span = max(float(high) - float(low), abs(float(high)), 1.0)
    floor = 0.0 if low >= 0 else float(low) - span
    return {"lowest": _number(floor, whole=whole), "highest": _number(float(high) + span, whole=whole)}


def _number(value: float, *, whole: bool) -> str:
    return str(round(value)) if whole else f"{value:.6g}"


def _word(value: bool) -> str:  # noqa: FBT001 - one plain value
    return "true" if value else "false"

"""The contract of a table as a table itself: one rule per column, in ``contract.csv`` beside the data.

It is read with the data, is part of the dataset's hash, and becomes a Pandera schema. Columns without a rule are not
taken in, so that a column somebody adds to an export is seen by no model before somebody has described it.
"""

from typing import Any

import numpy as np
import pandas as pd
from pandera.pandas import Check, Column, DataFrameSchema

from pipeline.errors import DataError, Finding
from pipeline.tabular.parameters import Business, label

CONTRACT = "contract"
KINDS = {"text": "str", "number": "float64", "whole": "int64", "truth": "bool", "date": "datetime64[us]"}
HEADINGS = ("column", "type", "may_be_empty", "lowest", "highest", "values", "meaning")
#: Between the values of a rule.
OR = "|"


def schema_of_rules() -> DataFrameSchema:
    """The contract of the contract."""
    return DataFrameSchema(
        {
            "column": Column(str),
            "type": Column(str, Check.isin(list(KINDS), error=f"one of {', '.join(KINDS)}")),
            "may_be_empty": Column(bool),
            "lowest": Column(str, nullable=True),
            "highest": Column(str, nullable=True),
            "values": Column(str, nullable=True),
            "meaning": Column(str, nullable=True),
        },
        unique=["column"],
        strict="filter",
    )


def schema_of_table(rules: pd.DataFrame, business: Business, present: tuple[str, ...]) -> DataFrameSchema:
    """The schema that the rules describe; the target may always be empty, as in cases still to be decided.

    Args:
        rules: as read, before their own contract.
        business: names the key and the target.
        present: columns of the table.

    Raises:
        DataError: a rule cannot be read, or a column the charter names has none.
    """
    lacking = [name for name in HEADINGS[:3] if name not in rules.columns]
    if lacking:
        remedy = f"write a first line with: {','.join(HEADINGS)}"
        raise DataError("The contract cannot be read", [Finding("contract.csv", f"no column {lacking[0]}", remedy)])
    columns, findings = {}, []
    for place, rule in enumerate(rules.to_dict("records"), start=2):
        name = str(rule["column"])
        try:
            columns[name] = _column(rule, business)
        except (ValueError, KeyError) as error:
            remedy = f"types are {', '.join(KINDS)}; limits are numbers, or dates as YYYY-MM-DD"
            findings.append(Finding(f"contract.csv:{place} column {name}", f"{error}", remedy))
    named = {name: key for key, name in business.columns.items() if name not in columns and name != business.key}
    for name, key in named.items():
        there = f"the table has {', '.join(present[:20])}"
        findings.append(
            Finding(
                f"contract.csv, column {name}", f"no rule, though business.{key} names it ({there})", "add its rule"
            )
        )
    if findings:
        raise DataError("The contract does not fit the charter", findings)
    columns.setdefault(business.key, Column(str))
    columns |= {"unit": Column(str), "period": Column("datetime64[us]")}
    return DataFrameSchema(columns, unique=[business.key], strict="filter")


def _column(rule: dict[Any, Any], business: Business) -> Column:
    name, kind = str(rule["column"]), KINDS[str(rule["type"])]
    target, classes = name == business.target, business.task != "regression"
    empty = target or _true(rule["may_be_empty"]) or name == business.today
    if (target and classes) or name == business.unit:
        kind = "str"
    if empty and kind in ("int64", "bool"):
        kind = "float64" if kind == "int64" else "str"
    checks = [*_limits(rule, kind), *_values(rule, name, kind)]
    if rule["type"] == "whole" and kind == "float64":
        checks.append(Check(lambda cells: np.floor(cells) == cells, error=f"{name} is a whole number"))
    return Column(kind, checks, nullable=empty)


def _limits(rule: dict[Any, Any], kind: str) -> list[Check]:
    name, found = rule["column"], []
    for key, make, sign in (("lowest", Check.ge, "≥"), ("highest", Check.le, "≤")):
        text = _text(rule.get(key))
        if not text or kind in ("str", "bool"):
            continue
        limit: Any = pd.Timestamp(text) if kind.startswith("datetime") else float(text)
        found.append(make(limit, error=f"{name} {sign} {text}"))
    return found


def _values(rule: dict[Any, Any], name: str, kind: str) -> list[Check]:
    text = _text(rule.get("values"))
    if not text:
        return []
    values = [label(value) for value in text.split(OR)]
    known: list[Any] = [float(value) for value in values] if kind in ("float64", "int64") else values
    if kind == "bool":
        return []
    return [Check.isin(known, error=f"{name} is one of {', '.join(values)}")]


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _true(value: Any) -> bool:
    return _text(value).lower() in {"true", "yes", "1", "1.0"}

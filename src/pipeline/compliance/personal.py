"""Signs of personal data in the names and the values of columns.

A screen, not a proof: it knows e-mail addresses, telephone numbers, bank accounts (IBAN, ISO 13616), payment cards
(ISO/IEC 7812) and columns named like a person's data. It never repeats a value it found, only where it stands.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pipeline.datasets.dataset import Tables

#: Values of a column by table and column name; a table's columns are all named, even those without samples.
Samples = Mapping[str, Mapping[str, tuple[str, ...]]]

#: Values drawn per column; enough to meet what is common, cheap on any table.
ROWS = 200

_WORDS = frozenset(
    {
        "email", "phone", "telephone", "mobile", "iban", "surname", "forename", "firstname", "lastname", "fullname",
        "birthday", "birthdate", "birth", "dob", "ssn", "passport", "creditcard", "nationality", "gender", "religion",
    }
)  # fmt: skip
_PHRASES = (
    ("e", "mail"), ("first", "name"), ("last", "name"), ("full", "name"), ("family", "name"), ("given", "name"),
    ("customer", "name"), ("employee", "name"), ("person", "name"), ("contact", "name"), ("user", "name"),
    ("credit", "card"), ("card", "number"), ("home", "address"), ("social", "security"), ("tax", "id"),
)  # fmt: skip

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w+])\+\d(?:[ ()/.-]?\d){7,14}(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"\d(?:[ -]?\d){13,18}")
#: One in ten numbers passes the card check by chance, so a column of cards is one where half or more pass.
_MANY = 0.5


@dataclass(frozen=True)
class Sign:
    """A column that looks like personal data, and why; the value itself is not repeated."""

    table: str
    column: str
    kind: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} ({self.kind})"


def sampled(tables: Tables, seed: int, rows: int = ROWS) -> Samples:
    """Column names of all tables, with a seeded sample of the values of text columns and of long numbers.

    Args:
        tables: frames by name.
        seed: of the sample.
        rows: values drawn per column at most.
    """
    return {
        name: {str(column): _values(frame[column], seed, rows) for column in frame.columns}
        for name, frame in tables.items()
    }


def signs(samples: Samples) -> tuple[Sign, ...]:
    """Every column that looks like personal data, by its name first and then by its values."""
    return tuple(_signs(samples))


def _signs(samples: Samples) -> Iterator[Sign]:
    for table, columns in samples.items():
        for column, values in columns.items():
            kind = _by_name(column) or _by_value(values)
            if kind:
                yield Sign(table, column, kind)


def _by_name(column: str) -> str | None:
    words = [word.lower() for word in _WORD.findall(column)]
    pairs = set(pairwise(words))
    named = _WORDS.intersection(words) or pairs.intersection(_PHRASES)
    return "named like a person's data" if named else None


def _by_value(values: Sequence[str]) -> str | None:
    if any(_EMAIL.search(value) for value in values):
        return "holds e-mail addresses"
    if any(_is_iban(match.group()) for value in values for match in _IBAN.finditer(value)):
        return "holds bank accounts"
    if any(_PHONE.search(value) for value in values):
        return "holds telephone numbers"
    cards = [bool(_CARD.fullmatch(value.strip())) and passes_luhn(value) for value in values]
    return "holds payment card numbers" if values and sum(cards) >= _MANY * len(values) else None


def passes_luhn(text: str) -> bool:
    """The check digit of a payment card: ISO/IEC 7812-1, annex B.

    >>> passes_luhn("4111 1111 1111 1111")
    True
    >>> passes_luhn("4111 1111 1111 1112")
    False
    """
    digits = [int(sign) for sign in reversed(text) if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """The check digits of a bank account: ISO 13616 with ISO/IEC 7064 MOD 97-10."""
    plain = text.replace(" ", "")
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def _values(column: "pd.Series[Any]", seed: int, rows: int) -> tuple[str, ...]:
    """Text, and whole numbers long enough to be a card; other numbers and dates say nothing about a person."""
    known = column.dropna()
    if pd.api.types.is_integer_dtype(known.dtype):
        known = known[known.abs() >= 10**13]
    elif not (pd.api.types.is_string_dtype(known.dtype) or isinstance(known.dtype, pd.CategoricalDtype)):
        return ()
    if len(known) > rows:
        known = known.iloc[np.sort(np.random.default_rng(seed).choice(len(known), rows, replace=False))]
    return tuple(dict.fromkeys(str(value) for value in known))

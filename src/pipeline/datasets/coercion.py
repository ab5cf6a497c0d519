"""Bring a column to the type its contract asks for, and say which cells cannot be.

Text and times are looked at once per distinct value, not once per row: a column of millions of cells has few of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

#: Rows looked at together: what stays in the processor's cache needs no fresh memory, which costs more than the work.
SLICE = 1 << 17
#: Cells by which it is judged whether equal ones stand together, as in a table sorted by them, and the share of
#: changes up to which they do.
_GLANCE, _SORTED = 1 << 10, 0.1
#: Distinct values whose numbers need no more than two bytes.
_FEW = 2**15 - 1


@dataclass(frozen=True)
class Coerced:
    """A column in its type.

    Attributes:
        cells: the values; those that did not pass hold a filler of the right type.
        passed: (rows,) which cells have the type.
        wording: what was asked for, as in "is not a whole number".
        codes: (rows,) a number per value, the same for equal ones, -1 where the cell is missing; None where each cell
            was looked at.
        distinct: the values that occur and have the type; None likewise.
    """

    cells: pd.Series
    passed: Bools
    wording: str
    codes: NDArray[np.integer] | None = None
    distinct: pd.Series | None = None

    def reason(self, value: object) -> str:
        """Why this value did not pass."""
        if pd.isna(value) is True:  # type: ignore[call-overload]
            return "missing"
        return f"{value!r} is not {self.wording}"


def coerce(values: pd.Series, asked: str, *, nullable: bool) -> Coerced:
    """Coerce a column.

    Args:
        values: the column as loaded.
        asked: ``int64``, ``float64``, ``bool``, ``str`` or ``datetime64[...]``, as Pandera names it.
        nullable: whether a missing cell passes; whole numbers and truth values cannot be missing.

    Raises:
        ValueError: when the contract asks for a type that no rule is known for.
    """
    kind = next((kind for kind in _KINDS if asked.startswith(kind)), None)
    if kind is None:
        raise ValueError(f"a contract asks for type {asked}; known are {', '.join(_KINDS)}")
    parse, wording = _KINDS[kind]
    may_be_missing = nullable and kind in _MAY_BE_MISSING
    if _is_parsed(values, kind):
        parsed, valid = parse(values)
        counted = _counted(parsed) if kind == "int" else None
        if counted is not None and valid.all():
            parsed.name = values.name
            return Coerced(parsed, valid, wording, *counted)
        missing = values.isna().to_numpy() if values.dtype.kind == "f" else None
        return _coerced(values, parsed, valid, wording, missing, may_be_missing=may_be_missing)
    codes, distinct = numbered(values)
    of_distinct, valid_distinct = parse(pd.Series(distinct))
    missing = None if codes.min(initial=0) >= 0 else codes < 0
    valid = _all(len(codes)) if missing is None else ~missing
    if not valid_distinct.all():
        valid = np.append(valid_distinct, False)[codes]
    if of_distinct.dtype == values.dtype and of_distinct.equals(pd.Series(distinct)):
        # Every cell that is there has its type already.
        parsed = values.reset_index(drop=True)
    else:
        # One filler at the end, for -1: the code of a missing cell.
        filler = of_distinct.iloc[:1] if len(of_distinct) else pd.Series(["0"])
        parsed = pd.concat([of_distinct, filler], ignore_index=True).iloc[codes].reset_index(drop=True)
        # What was written differently may be the same value: " 7" and "7".
        codes = np.append(pd.factorize(of_distinct)[0], -1)[codes]
    result = _coerced(values, parsed, valid, wording, missing, may_be_missing=may_be_missing)
    return replace(result, codes=codes, distinct=of_distinct[valid_distinct])


def _all(size: int) -> Bools:
    """(size,) true, without its memory; not to be written to."""
    return np.broadcast_to(np.True_, size)


def _coerced(
    values: pd.Series, parsed: pd.Series, valid: Bools, wording: str, missing: Bools | None, *, may_be_missing: bool
) -> Coerced:
    if missing is not None and missing.any():
        parsed = parsed.mask(missing) if may_be_missing else parsed
        valid = np.where(missing, may_be_missing, valid)
    parsed.name = values.name
    return Coerced(parsed, valid, wording)


def numbered(values: pd.Series) -> tuple[NDArray[np.integer], pd.Index]:
    """A number per cell, -1 where it is missing, and the distinct values by their numbers, in the order they appear.

    Lists and other values that cannot be compared count as their text.
    """
    if isinstance(values.dtype, pd.StringDtype) and values.dtype.storage == "pyarrow":
        return _distinct_texts(pa.chunked_array(pa.array(values)))
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        found = _distinct_times(values.to_numpy())
        if found is not None:
            return found
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:
        codes, distinct = pd.factorize(values.astype("str"))
    return codes, pd.Index(distinct)


def _distinct_texts(texts: pa.ChunkedArray) -> tuple[NDArray[np.integer], pd.Index]:
    """What pandas.factorize finds, with codes as narrow as they can be.

    Few texts are looked up among those known so far, some rows together; of cells that stand in runs only one each.
    """
    codes, known = np.empty(len(texts), np.int16), pa.array([], texts.type)
    for start in range(0, len(texts), SLICE):
        own, known = _looked_up(texts.slice(start, SLICE).combine_chunks(), known)
        if len(known) > SLICE // 8:
            encoded = texts.combine_chunks().dictionary_encode()
            return encoded.indices.fill_null(-1).to_numpy(), pd.Index(encoded.dictionary.to_pandas(), dtype="str")
        codes[start : start + SLICE] = own
    return codes, pd.Index(known.to_pandas(), dtype="str")


def _looked_up(texts: pa.Array, known: pa.Array) -> tuple[NDArray[np.int32], pa.Array]:
    """Each text's place among the known ones, -1 where it is missing, and these with what was not among them."""
    heads = _heads(texts)
    cells = texts if heads is None else texts.take(heads)
    places = pc.index_in(cells, known)
    if places.null_count > cells.null_count:
        known = pa.concat_arrays([known, cells.filter(places.is_null()).drop_null().unique()])
        places = pc.index_in(cells, known)
    codes = (places.fill_null(-1) if places.null_count else places).to_numpy()
    return codes if heads is None else np.repeat(codes, np.diff(heads, append=len(texts))), known


def _heads(texts: pa.Array) -> NDArray[np.int64] | None:
    """Where cells begin that are unlike the one before; None unless a glance finds equal ones mostly together."""
    glance = texts.slice(0, _GLANCE)
    if np.count_nonzero(_changes(glance)) >= _SORTED * len(glance):
        return None
    return np.append(0, np.flatnonzero(_changes(texts)) + 1)


def _changes(texts: pa.Array) -> Bools:
    """(rows - 1,) whether a cell is unlike the one before; a missing one is unlike any."""
    unlike = pc.fill_null(pc.not_equal(texts[1:], texts[:-1]), pa.scalar(value=True))
    return np.asarray(unlike.to_numpy(zero_copy_only=False))


def _distinct_times(moments: NDArray[np.datetime64]) -> tuple[NDArray[np.int16], pd.Index] | None:
    """The same of few times, some rows together; None where they are many."""
    codes, number = np.empty(len(moments), np.int16), {_NO_TIME: -1}
    for start in range(0, len(moments), SLICE):
        own, distinct = pd.factorize(moments[start : start + SLICE].view(np.int64))
        if len(distinct) > SLICE // 8 or len(number) + len(distinct) > _FEW:
            return None
        lookup = [number.setdefault(moment, len(number) - 1) for moment in distinct.tolist()]
        codes[start : start + SLICE] = np.array(lookup, np.int16)[own]
    return codes, pd.Index(np.array(list(number)[1:], np.int64).view(moments.dtype))


#: What numpy keeps for a missing time.
_NO_TIME = int(np.datetime64("NaT").view(np.int64))


def _counted(values: pd.Series) -> tuple[NDArray[np.integer], pd.Series] | None:
    """Whole numbers from 0 up to the number of rows are their own codes; None for others."""
    numbers = values.to_numpy()
    if not len(numbers) or int(numbers.min()) < 0 or int(numbers.max()) > len(numbers):
        return None
    present = np.zeros(len(numbers) + 1, np.bool_)
    present[numbers] = True
    return numbers, pd.Series(np.flatnonzero(present))


def _is_parsed(values: pd.Series, kind: str) -> bool:
    """Whether the cells are numbers or truth values already, so that nothing is to be parsed."""
    native = {"int": "iuf", "float": "iuf", "bool": "b", "datetime": "", "str": ""}[kind]
    return isinstance(values.dtype, np.dtype) and values.dtype.kind in native


def _whole(values: pd.Series) -> tuple[pd.Series, Bools]:
    if values.dtype.kind in "iu":
        return values.astype(np.int64), _all(len(values))
    numbers = _numbers(values)
    # Above 2**53 a float no longer tells whole numbers apart.
    valid = np.isfinite(numbers) & (np.floor(numbers) == numbers) & (np.abs(numbers) <= 2.0**53)
    return pd.Series(np.where(valid, numbers, 0).astype(np.int64)), valid


def _real(values: pd.Series) -> tuple[pd.Series, Bools]:
    numbers = _numbers(values)
    valid = np.isfinite(numbers)
    return pd.Series(np.where(valid, numbers, 0.0)), valid


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


_TRUE, _FALSE = ("true", "1", "yes", "1.0"), ("false", "0", "no", "0.0")


def _truth(values: pd.Series) -> tuple[pd.Series, Bools]:
    if values.dtype.kind == "b":
        return values.astype(np.bool_), _all(len(values))
    text = values.astype(str).str.strip().str.lower()
    true = text.isin(_TRUE).to_numpy(dtype=np.bool_)
    return pd.Series(true), true | text.isin(_FALSE).to_numpy(dtype=np.bool_)


def _text(values: pd.Series) -> tuple[pd.Series, Bools]:
    text = values.astype("str")
    return text, (text.str.strip() != "").to_numpy(dtype=np.bool_)


_CALENDAR = (pd.Timestamp("0001-01-01"), pd.Timestamp("9999-12-31"))


def _moment(values: pd.Series) -> tuple[pd.Series, Bools]:
    # Numbers are not dates, though pandas reads them as nanoseconds since 1970.
    text = values if values.dtype.kind == "M" else values.astype("str")
    moments = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
    moments = moments.dt.tz_localize(None).astype("datetime64[us]")
    # Columns of numbers from elsewhere hold years that no calendar of Python's reaches.
    valid = moments.between(*_CALENDAR).to_numpy(dtype=np.bool_)
    return moments.where(valid, pd.Timestamp(0)), valid


_KINDS: dict[str, tuple[Callable[[pd.Series], tuple[pd.Series, Bools]], str]] = {
    "int": (_whole, "a whole number"),
    "float": (_real, "a finite number"),
    "bool": (_truth, "true or false"),
    "datetime": (_moment, "a date (YYYY-MM-DD)"),
    "str": (_text, "a text"),
}
_MAY_BE_MISSING = ("float", "datetime", "str")

"""Data files of three sources, spoilt in seeded ways: a load with a quarantine, or an error that names a place."""

import pickle
import random
import resource
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.charter import Charter
from pipeline.datasets.contracts import apply_contracts
from pipeline.errors import DataError
from pipeline.problems.base import Problem
from pipeline.replenishment.problem import Replenishment
from pipeline.tabular.problem import Tabular
from pipeline.tabular.starting.profile import read
from tests.faults.tally import Tally
from tests.replenishment.made import charter, write_long, write_vn2
from tests.tabular import made

CELLS = ("", "NaN", "inf", "-inf", "1e999", "-1", "1.5", "1,5", "1 000", "=1+1", '=HYPERLINK("http://evil.example")',
         "@SUM(A1)",
         "TRUE", "yes", "NULL", "x", "9" * 30, "0x1F", "１２", "2026-01-05T00:00:00+05:00", "2026-01-05T00:00:00Z",
         "05/01/2026",
         "2026-02-30", "99999-01-01", "1677-01-01", "\u202e1", "a\0b", "🧀",
         "'", '"', '"a\nb"', " 7 ", "1e-320", "-0",
         "9223372036854775808")  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A source with its files as they should be."""

    problem: Problem
    charter: Charter
    folder: Path

    @property
    def files(self) -> list[Path]:
        return sorted(
            path for path in self.folder.iterdir() if path.is_file() and path.name != "submission_template.csv"
        )

    def rows(self) -> tuple[int, int]:
        """Rows loaded and rows kept."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mutated file may be worth a warning of pandas'; no exception it is
            raw = self.problem.load(self.charter, self.folder)
            clean, quarantine = apply_contracts(raw, self.problem.contracts(self.charter, raw))
        for name in clean:
            refused = int((quarantine.rows["table"] == name).sum())
            assert len(clean[name]) + refused == quarantine.loaded[name] == len(raw[name]), f"{name}: rows went missing"
        return sum(map(len, raw.values())), sum(map(len, clean.values()))


def of_source(rules: Charter, source: str) -> Charter:
    return rules.model_copy(update={"data": rules.data.model_copy(update={"source": source})})


def vn2(folder: Path) -> Source:
    return Source(Replenishment(), charter("vn2"), write_vn2(folder / "vn2", weeks=30, stores=2, products=2))


def long(folder: Path, suffix: str = "csv") -> Source:
    place = write_long(folder / "long", write_vn2(folder / "before", weeks=12, stores=2, products=2), suffix, days=True)
    return Source(Replenishment(), of_source(charter("vn2"), "tables"), place)


def tabular(folder: Path) -> Source:
    rules = made.charter_of(made.charter_values(made.BIOPSIES, POLICY, {}), folder)
    return Source(Tabular(), rules, made.write_table(folder / "data", made.breast_cancer().head(120)))


POLICY = {"name": "threshold", "parameters": {"at": 0.5}}


# -- text --


def on_lines(change: Callable[[list[str], random.Random], list[str]]) -> Callable[[bytes, random.Random], bytes]:
    def mutate(raw: bytes, draw: random.Random) -> bytes:
        return "\n".join(change(raw.decode("utf-8", "replace").split("\n"), draw)).encode("utf-8", "surrogatepass")

    return mutate


def cell(lines: list[str], draw: random.Random) -> list[str]:
    at = draw.randrange(max(len(lines) - 1, 1))
    cells = lines[at].split(",")
    cells[draw.randrange(len(cells))] = draw.choice(CELLS)
    return [*lines[:at], ",".join(cells), *lines[at + 1 :]]


def column(lines: list[str], draw: random.Random) -> list[str]:
    """One column gone, doubled or elsewhere, in every line."""
    at, way = draw.randrange(8), draw.randrange(3)
    found = []
    for line in lines:
        cells = line.split(",")
        if at < len(cells):
            cells = [cells[:at] + cells[at + 1 :], [*cells, cells[at]], [*cells[at:], *cells[:at]]][way]
        found.append(",".join(cells))
    return found


def row(lines: list[str], draw: random.Random) -> list[str]:
    at = draw.randrange(len(lines))
    changed = draw.choice(([], [lines[at], lines[at]], [lines[at] + ",9,9"], [lines[at][: len(lines[at]) // 2]],
                           ["", lines[at]],
                           ["# note", lines[at]], [lines[0], lines[at]], ["," * 40]))  # fmt: skip
    return [*lines[:at], *changed, *lines[at + 1 :]]


def separator(lines: list[str], draw: random.Random) -> list[str]:
    mark = draw.choice((";", "\t", "|", " ", ", ", "\x00"))
    return [line.replace(",", mark) for line in lines]


def huge(lines: list[str], draw: random.Random) -> list[str]:
    at = draw.randrange(len(lines))
    return [
        *lines[:at],
        draw.choice(("x" * 2_000_000, "," * 100_000, '"' + "y\n" * 100_000, "9" * 300_000)),
        *lines[at + 1 :],
    ]


def zones(lines: list[str], draw: random.Random) -> list[str]:
    """Dates of the rows in zones of their own."""
    marks = ("T00:00:00Z", "T23:30:00-05:00", "T01:00:00+14:00", "", " 12:00")
    return [line[:40].replace(day, day + draw.choice(marks)) + line[40:] for line in lines for day in [_day(line)]]


def _day(line: str) -> str:
    return next((one for one in line.split(",") if len(one) == 10 and one[4:5] == "-"), "2021")


def encoded(raw: bytes, draw: random.Random) -> bytes:
    text = raw.decode("utf-8", "replace")
    return draw.choice(
        (b"\xef\xbb\xbf" + raw, text.encode("utf-16"), text.encode("utf-32"),
         text.replace("1", "é").encode("latin-1", "replace"),
         raw.replace(b"\n", b"\r"), raw.replace(b"\n", b"\r\n"), raw + b"\xff\xfe\x00",
         raw[: draw.randrange(len(raw) + 1)], b"", b"\x00" * 100, b"PK\x03\x04" + raw, b"PAR1" + raw + b"PAR1",
         raw.replace(b"2", b"\xe9", 2),
         raw.replace(b",", b"\x00,", 3))
    )  # fmt: skip


def flipped(raw: bytes, draw: random.Random) -> bytes:
    """Some bytes are others."""
    changed = bytearray(raw)
    for _ in range(draw.choice((1, 3, 20))):
        if changed:
            changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


TEXT = (*[on_lines(cell)] * 6, *[on_lines(column)] * 3, *[on_lines(row)] * 4, on_lines(separator), on_lines(zones),
        encoded, encoded, flipped)  # fmt: skip


def spoil_text(path: Path, draw: random.Random) -> None:
    raw = path.read_bytes()
    for _ in range(draw.choice((1, 1, 2))):
        raw = draw.choice(TEXT)(raw, draw)
    if draw.random() < 0.01:
        raw = on_lines(huge)(raw, draw)
    path.write_bytes(raw)


# -- Parquet --


def spoil_parquet(path: Path, draw: random.Random) -> None:
    draw.choice((_bytes, _bytes, _types, _metadata, _footer))(path, draw)


def _bytes(path: Path, draw: random.Random) -> None:
    raw = path.read_bytes()
    way = draw.randrange(5)
    if way == 0:
        raw = raw[: draw.randrange(len(raw))]
    elif way == 1:  # the footer's own length
        raw = raw[:-8] + draw.randrange(2**32).to_bytes(4, "little") + b"PAR1"
    elif way == 2:
        at = draw.randrange(len(raw))
        raw = raw[:at] + raw[at + draw.randrange(1, 60) :]
    else:
        raw = flipped(raw, draw)
    path.write_bytes(raw)


def _footer(path: Path, draw: random.Random) -> None:
    """A number that the footer tells (rows, bytes, offsets, types) is another one, and the footer's length fits."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[-8:-4], "little")
    footer, told = raw[-8 - size : -8], pq.read_metadata(path)
    group = told.row_group(draw.randrange(told.num_row_groups))
    column = group.column(draw.randrange(group.num_columns))
    numbers = (told.num_rows, group.total_byte_size, column.total_uncompressed_size, column.total_compressed_size,
               column.data_page_offset, column.num_values)  # fmt: skip
    lie = draw.choice((-1, 0, 2**31 - 1, 2**31, 2**40, 2**62, -(2**40)))
    footer = footer.replace(varint(draw.choice(numbers)), varint(lie), draw.choice((1, 1, -1)))
    path.write_bytes(raw[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def varint(number: int) -> bytes:
    """An integer as Thrift's compact protocol writes it: zigzag, seven bits a byte, the least first."""
    left, found = (number << 1) ^ (number >> 63), bytearray()
    left &= 2**64 - 1
    while left > 127:
        found.append(left & 127 | 128)
        left >>= 7
    return bytes([*found, left])


def _types(path: Path, draw: random.Random) -> None:
    """A column of another type, twice, or gone."""
    table = pq.read_table(path)
    at = draw.randrange(table.num_columns)
    name, size = table.column_names[at], table.num_rows
    made_of: list[Any] = [
        pa.array([[1, 2]] * size), pa.array([{"a": 1}] * size), pa.array([b"\xff\x00"] * size), pa.array([None] * size),
        pa.array(["x"] * size).dictionary_encode(), pa.array([float("inf")] * size), pa.array([2**63 - 1] * size),
        pa.array([10**20] * size, pa.decimal128(38, 2)), pa.array([2**62] * size, pa.timestamp("us")),
        pa.array([1] * size, pa.timestamp("ns", "Asia/Kathmandu")), pa.array([1] * size, pa.time64("us")),
        pa.array([1] * size, pa.duration("s")), pa.array([-1] * size, pa.date32()),
        pa.array([1.0] * size, pa.float16()),
    ]  # fmt: skip
    way = draw.randrange(4)
    if way == 0:
        table = table.remove_column(at)
    elif way == 1:
        table = table.append_column(name, table.column(at))
    else:
        table = table.set_column(at, name, draw.choice(made_of))
    pq.write_table(table, path)


def _metadata(path: Path, draw: random.Random) -> None:
    """What pandas reads beside the schema."""
    bombs = ("{", "[]", "null", '{"columns": 1}', '{"index_columns": ["gone"], "columns": [], "column_indexes": []}',
             "[" * 100_000, '{"index_columns": [{"kind": "range", "start": 0, "stop": 1e18, "step": 0}], '
             '"columns": []}',
             '{"index_columns": [{"kind": "range", "start": 0, "stop": 1000000000000, "step": 1, "name": null}], '
             '"columns": [], '
             '"column_indexes": []}', '{"columns": [{"name": "y", "field_name": "y", "numpy_type": "evil", '
             '"pandas_type": "object", '
             '"metadata": null}], "index_columns": [], '
             '"column_indexes": [{"numpy_type": "object", "metadata": {}}]}')  # fmt: skip
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"pandas": draw.choice(bombs)}), path)


# -- trying --


def try_all(source: Source, spoil: Callable[[Path, random.Random], None], count: int, seed: int, what: str) -> Tally:
    """Spoil one file at a time; afterwards it is as it was."""
    draw, tally = random.Random(seed), Tally(what)  # noqa: S311
    whole = source.rows()
    for number in range(count):
        file = draw.choice(source.files)
        before = file.read_bytes()
        spoil(file, draw)
        try:
            source.rows()
        except DataError as error:
            tally.refused += 1
            if not error.findings or not all(one.place and one.found and one.remedy for one in error.findings):
                tally.lost.append(f"{number} {file.name}: {error!s:.200}")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.lost.append(f"{number} {file.name}: {type(error).__name__}: {error!s:.150}")
        else:
            tally.accepted += 1
        file.write_bytes(before)
    assert source.rows() == whole
    return tally


def held(tally: Tally) -> None:
    tally.show()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"most memory this process ever held: {peak:.1f} GiB")  # noqa: T201 - seen with `pytest -s`
    assert peak < 2
    assert tally.lost == []
    assert tally.refused > 0
    assert tally.accepted > 0


@pytest.mark.parametrize("source", [vn2, long, tabular], ids=["vn2", "tables", "tabular"])
def test_spoilt_csv(source, tmp_path):
    held(try_all(source(tmp_path), spoil_text, 60, 6, f"mutated CSV files, {source.__name__}"))


def test_spoilt_parquet(tmp_path):
    held(try_all(long(tmp_path, "parquet"), spoil_parquet, 80, 7, "mutated Parquet files, tables"))


@pytest.mark.proof
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("source", [vn2, long, tabular], ids=["vn2", "tables", "tabular"])
def test_thousands_of_spoilt_csv(source, tmp_path):
    held(try_all(source(tmp_path), spoil_text, 1000, 8, f"mutated CSV files, {source.__name__}"))


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_thousands_of_spoilt_parquet(tmp_path):
    held(try_all(long(tmp_path, "parquet"), spoil_parquet, 2000, 9, "mutated Parquet files, tables"))


# -- single things that were found, or could do the most harm --


def test_a_day_is_that_of_the_clock_it_was_written_by(tmp_path):
    """Also in zones that differ from row to row: midnight of a shop is the evening before elsewhere."""
    source, zones = long(tmp_path), ("T00:00:00Z", "T23:30:00-05:00", "T00:00+14:00", "T00:00:00.000+0530", "")
    sales = source.folder / "sales.csv"
    plain = source.problem.load(source.charter, source.folder)["sales"]
    frame = pd.read_csv(sales, dtype=str)
    frame["ds"] = [day + zones[at % len(zones)] for at, day in enumerate(frame["ds"])]
    frame.to_csv(sales, index=False)
    pd.testing.assert_frame_equal(source.problem.load(source.charter, source.folder)["sales"], plain)


def test_dates_that_read_two_ways_are_refused(tmp_path):
    source = long(tmp_path)
    frame = pd.read_csv(source.folder / "sales.csv", dtype=str)
    frame["ds"] = pd.to_datetime(frame["ds"]).dt.strftime("%d/%m/%Y")
    frame.to_csv(source.folder / "sales.csv", index=False)
    with pytest.raises(DataError):
        source.rows()


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    """400 million equal numbers, three gigabytes of them, in less than two megabytes."""
    few = pa.table({"y": pa.array(np.zeros(1_000_000))})
    with pq.ParquetWriter(tmp_path / "rows.parquet", few.schema, compression="zstd") as writer:
        for _ in range(400):
            writer.write_table(few)
    assert (tmp_path / "rows.parquet").stat().st_size < 2_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"400,000,000 rows and [\d,]+ bytes would come out of a file of") as refused:
        read(tmp_path / "rows.parquet")
    assert refused.value.findings[0].place == str(tmp_path / "rows.parquet")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


@pytest.mark.parametrize("rows", [2**31, 2**40, 2**62, -1])
def test_a_footer_that_lies_about_its_rows_is_refused_and_costs_nothing(tmp_path, rows):
    """123,457 numbers whose footer tells of others: in the file's count, in the group's, in the column's."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"y": pa.array(np.zeros(123_457))}), path)
    raw = path.read_bytes()
    size = int.from_bytes(raw[-8:-4], "little")
    footer = raw[-8 - size : -8].replace(varint(123_457), varint(rows))
    assert footer != raw[-8 - size : -8]
    path.write_bytes(raw[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError) as refused:
        read(path)
    assert refused.value.findings[0].place.startswith(str(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


class Touch:
    """What a pickle would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_types_that_once_were_unpickled_are_not(tmp_path):
    """An extension type's metadata was a pickle until PyArrow 14 (CVE-2023-47248)."""
    marked = {b"ARROW:extension:name": b"arrow.py_extension_type",
              b"ARROW:extension:metadata": pickle.dumps(Touch(tmp_path / "made"))}  # fmt: skip
    schema = pa.schema([pa.field("y", pa.int64(), metadata=marked)])
    pq.write_table(pa.table({"y": [1, 2]}, schema=schema), tmp_path / "y.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(read(tmp_path / "y.parquet")) == 2
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("column", ["y", "ds", "=cmd|' /C calc'!A0"])
def test_a_formula_stays_a_text_or_is_refused(tmp_path, column):
    source = tabular(tmp_path)
    frame = pd.read_csv(source.folder / "cases.csv").assign(**{column: "=1+1"})
    frame.to_csv(source.folder / "cases.csv", index=False)
    loaded, kept = source.rows()
    assert loaded == kept > 100


@pytest.mark.parametrize("told", ["maybe", "2", "1970-01-01"])
def test_a_shelf_of_which_nobody_says_yes_or_no_is_not_taken_for_full(tmp_path, told):
    source = long(tmp_path)
    frame = pd.read_csv(source.folder / "sales.csv", dtype=str)
    frame.loc[3, "in_stock"] = told
    frame.to_csv(source.folder / "sales.csv", index=False)
    with pytest.raises(DataError, match="sales, row 4: an in_stock that is neither true nor false"):
        source.rows()


def test_years_beyond_the_calendar_are_refused(tmp_path):
    source = long(tmp_path, "parquet")
    table = pq.read_table(source.folder / "sales.parquet")
    far = pa.array([2**62] * table.num_rows, pa.timestamp("us"))
    pq.write_table(table.set_column(table.column_names.index("ds"), "ds", far), source.folder / "sales.parquet")
    with pytest.raises(DataError) as refused:
        source.rows()
    assert "sales" in refused.value.findings[0].place


@pytest.mark.parametrize("kind", [pa.string(), pa.binary()], ids=str)
def test_texts_that_are_no_utf_8_are_told_when_read(tmp_path, kind):
    """Arrow takes them for texts; the first to touch such a cell would fail over it."""
    bad = pa.array([b"ok", b"\xff\xfe"]).view(kind)
    pq.write_table(pa.table({"name": bad}), tmp_path / "names.parquet")
    with pytest.raises(DataError, match=r"names\.parquet: .*(?i:utf-?8)"):
        read(tmp_path / "names.parquet")

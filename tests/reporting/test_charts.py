import math
import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from pipeline.evaluation.outcomes import Interval, SliceResult
from pipeline.reporting import charts
from pipeline.reporting.evidence import Evidence, HistoryPoint, WeeklyPoint

LIMIT = 60_000


def kpi(evidence: Evidence) -> str:
    return charts.kpi_chart(evidence.history, "Stock-out rate", "share", 0.042, "today's rule")


def units(evidence: Evidence) -> str:
    return charts.units_chart(evidence.evaluation.units, "stores", "share", 0.06, "today's rule")


def weekly(evidence: Evidence) -> str:
    return charts.weekly_chart(evidence.weekly, "Stock-out rate", "share", "week", "today's rule")


ALL = pytest.mark.parametrize("draw", [kpi, units, weekly])


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1))  # noqa: S314


@ALL
def test_a_chart_is_small_well_formed_and_the_same_every_time(evidence: Evidence, draw) -> None:
    first = draw(evidence)
    assert first == draw(evidence)
    assert len(first.encode()) < LIMIT
    parse(first)


@ALL
def test_a_chart_has_a_title_and_a_description_for_screen_readers(evidence: Evidence, draw) -> None:
    root = parse(draw(evidence))
    assert root.attrib["role"] == "img"
    named = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    title, description = root.attrib["aria-labelledby"].split()
    assert named[title]
    assert "today's rule" in named[description]


@ALL
def test_a_chart_fetches_nothing_and_bears_no_date(evidence: Evidence, draw) -> None:
    svg = draw(evidence)
    assert "<metadata" not in svg
    assert "http" not in re.sub(r"xmlns(:\w+)?=\"[^\"]+\"", "", svg)


def test_the_baseline_is_told_from_the_model_without_colour(evidence: Evidence) -> None:
    assert "<pattern" in kpi(evidence)
    assert "<pattern" in units(evidence)
    assert "stroke-dasharray" in weekly(evidence)


def test_ids_of_two_charts_on_a_page_never_meet(evidence: Evidence) -> None:
    found = [set(re.findall(r'\bid="([^"]+)"', draw(evidence))) for draw in (kpi, units, weekly)]
    assert not found[0] & found[1]
    assert not found[1] & found[2]
    for svg in (kpi(evidence), units(evidence), weekly(evidence)):
        ids = set(re.findall(r'\bid="([^"]+)"', svg))
        assert set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", svg)) <= ids


def test_values_and_target_are_written_on_the_chart(evidence: Evidence) -> None:
    text = " ".join(parse(kpi(evidence)).itertext())
    for shown in ("4.0 %", "8.1 %", "target 4.2 %"):
        assert shown in text


def test_markup_and_formulas_in_names_stay_text(evidence: Evidence) -> None:
    rows = [SliceResult("unit", "<script>$x_1$ & co", "k", 0.05, 0.08, 1.0)]
    svg = charts.units_chart(rows, "stores", "share", 0.06, "<b>today</b>")
    assert "<script" not in svg
    assert "<b>" not in svg
    assert "<script>$x_1$ & co" in "".join(parse(svg).itertext())


def test_points_without_interval_and_unknown_figures_are_drawn_without_warning() -> None:
    points = [
        HistoryPoint(1, "pilot", Interval(0.05, -math.inf, math.inf), Interval(0.08, 0.07, 0.09), 1),
        HistoryPoint(2, "pilot", Interval(math.nan, math.nan, math.nan), Interval(0.08, 0.07, 0.09), 1),
    ]
    assert "no interval" in charts.kpi_chart(points, "Rate", "share", 0.04, "today")
    rows = [SliceResult("unit", "a", "k", math.nan, 0.1, 0.0), SliceResult("unit", "b", "k", 0.1, math.nan, 1.0)]
    assert "The 1 worst stores" in charts.units_chart(rows, "stores", "share", 0.06, "today")


def test_long_names_and_long_units_leave_room_for_the_chart(evidence: Evidence) -> None:
    unit, name = "EUR per store and week of the whole year", "a way to decide with a very long name " * 3
    point = HistoryPoint(1, "s" * 60, Interval(4000.0, 3900.0, 4100.0), Interval(5000.0, 4900.0, 5100.0), 5)
    svg = charts.kpi_chart([point], "Cost", unit, 4200.0, name)
    text = list(parse(svg).itertext())
    assert "4,000" in text
    assert "EUR per store and week of the…" in text
    rows = [SliceResult("unit", "store " * 20, "k", 0.1, 0.1, 1.0)]
    charts.units_chart(rows, "stores", unit, 0.06, name)
    charts.weekly_chart(evidence.weekly, "Cost", unit, "week", name)


def test_only_the_last_iterations_and_the_worst_units_are_drawn() -> None:
    points = [HistoryPoint(n, "pilot", Interval(0.05, 0.04, 0.06), Interval(0.08, 0.07, 0.09), 5) for n in range(1, 13)]
    svg = charts.kpi_chart(points, "Rate", "share", 0.04, "today")
    assert "iteration 12 " in svg
    assert "iteration 4 " not in svg
    rows = [SliceResult("unit", f"S{n:03d}", "k", 0.1 - n / 1e4, 0.1, 1.0) for n in range(300)]
    assert "S010" not in charts.units_chart(rows, "stores", "share", 0.06, "today")
    weeks = [WeeklyPoint(f"w{n}", 0.04, 0.08) for n in range(156)]
    assert len(charts.weekly_chart(weeks, "Rate", "share", "week", "today").encode()) < LIMIT


def test_drawing_leaves_no_trace_in_matplotlibs_settings(evidence: Evidence) -> None:
    before = dict(mpl.rcParams)
    kpi(evidence)
    assert dict(mpl.rcParams) == before

"""The chart of what service costs: told apart in grey, the charter's own level marked, in both languages."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from pipeline.language import translator
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.frontierchart import SHOWN, frontier_chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(evidence: Evidence, language: str = "en", **changes: object) -> str:
    assert evidence.studied is not None
    kpis = {result.kpi.name: result.kpi for result in evidence.evaluation.kpis}
    return frontier_chart(replace(evidence.studied, **changes), kpis, "today's rule", translator(language))


def parsed(svg: str) -> ET.Element:
    named = svg.replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ', 1
    )
    return ET.fromstring(named)  # noqa: S314


def test_every_kpi_has_a_panel_and_every_policy_a_line_that_no_colour_is_needed_for(evidence: Evidence) -> None:
    svg = drawn(evidence)
    root = parsed(svg)
    panels = [group for group in root.iter(f"{SVG}g") if group.get("id", "").startswith("frontier-axes_")]
    assert len(panels) == SHOWN
    for result in evidence.evaluation.kpis[:SHOWN]:
        assert result.kpi.title in svg
    # Solid, dashed, dotted for the baseline, and the charter's own level: four kinds of line in each panel.
    for panel in panels:
        dashes = {
            part.split(":")[1].strip()
            for line in panel.iter(f"{SVG}path")
            for part in line.get("style", "").split(";")
            if part.strip().startswith("stroke-dasharray")
        }
        assert len(dashes) == 3


def test_the_description_tells_the_ends_of_each_curve_and_the_baseline(evidence: Evidence) -> None:
    description = parsed(drawn(evidence)).findtext(f"{SVG}desc")
    assert description is not None
    assert "paths from 0.8 (Stock-out rate 2.0 %" in description
    assert "safety stock from 0.7" in description
    assert "today's rule: Stock-out rate 8.1 %" in description


def test_without_a_level_of_the_charters_own_none_is_marked(evidence: Evidence) -> None:
    assert evidence.studied is not None
    others = {name: at for name, at in evidence.studied.steered.items() if name != "boosted"}
    assert "the charter's level" in drawn(evidence)
    assert "the charter's level" not in drawn(evidence, steered=others)


def test_the_chart_speaks_the_readers_language_and_is_the_same_every_time(evidence: Evidence) -> None:
    assert "章程所定水平" in drawn(evidence, "zh_Hans")
    assert drawn(evidence) == drawn(evidence)


@pytest.mark.parametrize("kept", [1, 3])
def test_fewer_kpis_draw_fewer_panels(evidence: Evidence, kept: int) -> None:
    assert evidence.studied is not None
    kpis = {result.kpi.name: result.kpi for result in evidence.evaluation.kpis[:kept]}
    svg = frontier_chart(evidence.studied, kpis, "today's rule")
    assert [result.kpi.title in svg for result in evidence.evaluation.kpis] == [place < kept for place in range(4)]

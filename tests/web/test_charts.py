"""Charts on the site: no style that its content policy would drop, and nothing of the drawing lost."""

import re
import xml.etree.ElementTree as ET

import pytest

from pipeline.reporting.page import drawings
from pipeline.web.charts import attributes_for_styles


@pytest.fixture(scope="module")
def drawn():
    from tests.web.made import evidence_of

    return {name: str(svg) for name, svg in drawings(evidence_of()).items()}


def test_no_style_is_left_and_every_shape_is(drawn):
    for svg in drawn.values():
        made = attributes_for_styles(svg)
        assert "style" not in made
        before, after = (ET.fromstring(one.replace("xlink:href", "href")) for one in (svg, made))  # noqa: S314 - ours
        shapes = [len(list(one.iter())) for one in (before, after)]
        assert shapes[0] - shapes[1] == len(re.findall("<style", svg))
        assert "".join(after.itertext()).split() == [
            word for word in "".join(before.itertext()).split() if word in "".join(after.itertext()).split()
        ]


def test_what_a_style_said_an_attribute_says(drawn):
    made = attributes_for_styles(drawn["kpi"])
    assert 'class="fill-model"' in made
    assert 'fill="#1f4e79"' in made, "without the style sheet the drawing keeps its colours"
    assert 'font-size="' in made
    assert 'stroke-dasharray="' in made
    assert "currentColor" in made


def test_odd_styles_stay_harmless():
    svg = '<svg viewBox="0 0 1 1"><text style="font: italic bold x; fill: &quot;&gt;&lt;script&gt;">a</text></svg>'
    made = attributes_for_styles(svg)
    assert "<script>" not in made
    ET.fromstring(made)  # noqa: S314 - ours

"""Colours of the site against WCAG 2.2 AA: text 4.5 to 1 (1.4.3), borders of what can be used 3 to 1 (1.4.11)."""

import re
from itertools import product
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "src" / "pipeline" / "web" / "static" / "site.css").read_text(encoding="utf-8")
SCHEMES = [
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
]
BACKGROUNDS = ("paper", "card", "soft")
TEXTS = ("ink", "muted", "link", "pass", "warning", "fail", "none")


def luminance(colour: str) -> float:
    """WCAG's relative luminance of ``#rrggbb``."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_ratio_is_that_of_the_standard():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01), "the well-known grey that just fails"


@pytest.mark.parametrize("scheme", range(2), ids=["light", "dark"])
def test_text_and_borders_can_be_told_from_what_they_stand_on(scheme):
    colours = SCHEMES[scheme]
    texts = [*product(TEXTS, BACKGROUNDS), ("on-button", "button")]
    texts += [(text, f"{state}-soft") for state in ("pass", "warning", "fail") for text in (state, "ink")]
    edges = [*product(("edge", "button", "target", "model"), ("paper", "card"))]
    wanted = [*((pair, 4.5) for pair in texts), *((pair, 3.0) for pair in edges)]
    faint = {pair: contrast(*(colours[name] for name in pair)) for pair, least in wanted
             if contrast(*(colours[name] for name in pair)) < least}  # fmt: skip
    assert faint == {}


def test_every_colour_comes_from_the_two_schemes():
    assert len(SCHEMES) == 2
    assert SCHEMES[0].keys() == SCHEMES[1].keys()
    rest = re.sub(r":root \{.*?\}", "", CSS, flags=re.S)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;,) ])", rest) == ["#fff"], "paper is white when printed"

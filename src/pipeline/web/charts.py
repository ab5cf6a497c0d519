"""The pack's charts under a policy that allows no inline style, and in the colours of the page around them."""

import html
import re

from pipeline.reporting.charts import INK, MODEL, MUTED, TARGET

_STYLE = re.compile(r' style="([^"]*)"')
_SHEET = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)
_FONT = re.compile(r"(?:(?P<weight>bold|\d{3}) )?(?P<size>[\d.]+)px (?P<family>.+)")
#: Fixed colours become classes of colour that the page's style sheet sets for light and dark.
_COLOURS = {INK: "currentColor", "#000000": "currentColor"}
_NAMED = {MUTED: "muted", MODEL: "model", TARGET: "target", "#ffffff": "paper", "#d9dee3": "line"}


def attributes_for_styles(svg: str) -> str:
    """The same drawing with presentation attributes in the place of ``style``.

    ``style-src 'self'`` drops every ``style`` attribute and sheet of a page; attributes such as ``fill`` are no
    style and stay. Colours that should follow the page are left to its style sheet.
    """
    # What the sheet sets for all elements is inherited from the drawing's root just as well.
    svg = _SHEET.sub("", svg)
    svg = svg.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    return _STYLE.sub(lambda found: _attributes(html.unescape(found.group(1))), svg)


def _attributes(style: str) -> str:
    made: dict[str, str] = {}
    classes = []
    for entry in style.split(";"):
        name, _, value = (part.strip() for part in entry.partition(":"))
        if name == "font":
            made |= _font(value)
        elif name in {"fill", "stroke"} and value.lower() in _NAMED:
            classes.append(f"{name}-{_NAMED[value.lower()]}")
            made[name] = value
        elif name and value:
            made[name] = _COLOURS.get(value.lower(), value)
    if classes:
        made["class"] = " ".join(classes)
    return "".join(f' {name}="{html.escape(value)}"' for name, value in made.items())


def _font(value: str) -> dict[str, str]:
    """The parts of CSS's shorthand that charts use; the family is the page's."""
    found = _FONT.fullmatch(value)
    if found is None:
        return {}
    weight = found["weight"]
    return {"font-size": found["size"], **({"font-weight": weight} if weight else {})}

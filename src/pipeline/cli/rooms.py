"""The picture of the architecture, drawn from the rule that keeps the rooms apart (``[tool.importlinter]``)."""

import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _GAP, _SIDE = 760, 40, 12, 60
_STYLE = (
    "text{font:18px sans-serif;fill:#111}.room{fill:#fff;stroke:#111;stroke-width:1.5}"
    ".domain{stroke-dasharray:6 4}.note{font-size:16px}"
)


def rows(project: Path) -> list[list[str]]:
    """The rooms from the top down, those of a row side by side.

    Args:
        project: ``pyproject.toml``.
    """
    (contract,) = (
        one
        for one in tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
        if one["type"] == "layers"
    )
    return [[room.strip().removeprefix("pipeline.") for room in row.split("|")] for row in contract["layers"]]


def domains(project: Path) -> frozenset[str]:
    """The rooms that are found by entry point, and that no general room imports."""
    points = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]["landed.problems"]
    return frozenset(point.split(".")[1] for point in points.values())


def picture(layers: list[list[str]], domains: frozenset[str]) -> str:
    """An SVG in black on white: a row per layer, and an arrow for the one way imports may go."""
    height = len(layers) * (_HEIGHT + _GAP) + _GAP
    drawn = [box for place, row in enumerate(layers) for box in _row(row, _GAP + place * (_HEIGHT + _GAP), domains)]
    foot = height - _GAP - 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>Rooms, in {len(layers)} rows; imports go downward only</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<path d="M40 {_GAP} V{foot}" stroke="#111" stroke-width="2"/><path d="M34 {foot} h12 l-6 10 z" fill="#111"/>',
        f'<text class="note" text-anchor="middle" transform="translate(26 {foot // 2}) rotate(-90)">may import</text>',
        *drawn,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(rooms: list[str], top: int, domains: frozenset[str]) -> list[str]:
    width = (_WIDTH - _SIDE - _GAP - (len(rooms) - 1) * _GAP) / len(rooms)
    drawn = []
    for place, room in enumerate(rooms):
        left = _SIDE + place * (width + _GAP)
        kind = "room domain" if room in domains else "room"
        drawn.append(f'<rect class="{kind}" x="{left:g}" y="{top}" width="{width:g}" height="{_HEIGHT}" rx="4"/>')
        middle = left + width / 2
        drawn.append(f'<text x="{middle:g}" y="{top + _HEIGHT / 2 + 5:g}" text-anchor="middle">{escape(room)}</text>')
    return drawn

"""
Bars, as SVG.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import msgspec

from benchmarks.spread import Spread

WIDTH = 720
LEFT = 110
RIGHT = 120
BAR = 16
PITCH = 22
ABOVE = 34
BELOW = 18
OURS = "#1f6f8b"
OTHERS = "#a9b4bc"
INK = "#222222"


class Bar(msgspec.Struct, frozen=True):
    """
    One bar.

    @ivar name: What stands before it.
    @ivar found: Its length, and the whisker from the lowest to the highest.
    @ivar ours: Whether it is the one that matters.
    """

    name: str
    found: Spread
    ours: bool = False


class Panel(msgspec.Struct, frozen=True):
    """
    Some bars that are measured alike.  Each panel has its own scale, which begins
    at 0.

    @ivar title: What is measured, and in what unit.
    @ivar goal: Where to draw the line, if there is one.
    @ivar digits: The decimals to show.
    """

    title: str
    bars: Sequence[Bar]
    goal: float | None = None
    digits: int = 2

    @property
    def height(self) -> int:
        """
        How high it is, in pixels.
        """
        return ABOVE + PITCH * len(self.bars) + BELOW

    def longest(self) -> float:
        """
        The value at the right end of the scale.
        """
        values = [self.goal or 0.0, *(bar.found.high for bar in self.bars)]
        return max(values) * 1.02 or 1.0


def svg(panels: Sequence[Panel]) -> str:
    """
    A drawing of all panels, one below the other.
    """
    parts = []
    top = 8
    for panel in panels:
        parts += _drawn(panel, top)
        top += panel.height
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
        f'viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="12" '
        f'fill="{INK}">'
    )
    ground = f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>'
    return "\n".join([head, ground, *parts, "</svg>", ""])


def _drawn(panel: Panel, top: int) -> list[str]:
    scale = (WIDTH - LEFT - RIGHT) / panel.longest()
    parts = [_text(8, top + 18, panel.title, 'font-weight="bold" font-size="13"')]
    y = top + ABOVE
    for bar in panel.bars:
        parts += _drawnBar(bar, y, scale, panel.digits)
        y += PITCH
    if panel.goal is not None:
        x = LEFT + panel.goal * scale
        parts.append(
            f'<line x1="{x:.1f}" y1="{top + ABOVE - 4}" x2="{x:.1f}" y2="{y - 2}" '
            'stroke="#c0392b" stroke-dasharray="4 3"/>'
        )
        parts.append(
            _text(
                x, y + 10, f"goal {panel.goal:g}", 'text-anchor="middle" font-size="10"'
            )
        )
    return parts


def _drawnBar(bar: Bar, y: int, scale: float, digits: int) -> list[str]:
    low, middle, high = (
        LEFT + max(0.0, value) * scale
        for value in (bar.found.low, bar.found.middle, bar.found.high)
    )
    centre = y + BAR / 2
    colour = OURS if bar.ours else OTHERS
    return [
        _text(LEFT - 8, y + 12, bar.name, 'text-anchor="end"'),
        f'<rect x="{LEFT}" y="{y}" width="{middle - LEFT:.1f}" height="{BAR}" '
        f'fill="{colour}"/>',
        f'<line x1="{low:.1f}" y1="{centre}" x2="{high:.1f}" y2="{centre}" '
        f'stroke="{INK}"/>',
        _text(high + 6, y + 12, f"{bar.found.middle:.{digits}f}", ""),
    ]


def _text(x: float, y: float, content: str, attributes: str) -> str:
    place = f'x="{x:.1f}" y="{y}"'
    return f"<text {' '.join([place, attributes]).strip()}>{escape(content)}</text>"


__all__ = ["Bar", "Panel", "svg"]

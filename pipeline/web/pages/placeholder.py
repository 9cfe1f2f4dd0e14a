"""What stands where a picture cannot be shown: a quiet sign, and why."""

from __future__ import annotations

from html import escape
from textwrap import wrap

#: A grey that can be read on the light and on the dark colours.
_INK = "#7c7f84"
_SIGN = (
    '<path d="M136 108h48v40h-48zM136 140l14-14 12 12 6-6 16 16M132 104l56 48" fill="none" '
    f'stroke="{_INK}" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/>'
)


def draw_placeholder(reason: str) -> bytes:
    """Return a square SVG that says why there is no picture, in at most two short lines."""
    lines = wrap(reason, 26, max_lines=2, placeholder=" …")
    texts = "".join(
        f'<text x="160" y="{190 + 22 * place}" text-anchor="middle" font-size="17" '
        f'font-family="system-ui, sans-serif" fill="{_INK}">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320">{_SIGN}{texts}</svg>'
    return drawn.encode()

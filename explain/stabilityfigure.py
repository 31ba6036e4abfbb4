"""Phrasings and labels as a figure for print. Drawn without pyplot: safe on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explain.heatmap import drawable
from explain.stability import Stability
from explain.stabilityreport import verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = "Purples"
_DARK = 0.6  # shares above it have white numbers


def figure(found: Stability) -> Figure:
    """A row per phrasing and one for all together, a column per label, the share of the vote in the cells; the answer
    of each row is bold, and an asterisk marks the rows that answer otherwise than all together.
    """
    from matplotlib.figure import Figure

    rows = [[text.probability for text in row] for row in found.texts] + [list(found.ensemble)]
    answers = [*found.decisions, found.decided]
    size = (4.5 + 0.9 * len(found.labels), 1.6 + 0.28 * len(rows))
    drawn = Figure(figsize=size, dpi=200, layout="constrained")
    axis = drawn.subplots()
    axis.imshow(rows, cmap=_COLOURS, vmin=0, vmax=1, aspect="auto")
    for y, (shares, answer) in enumerate(zip(rows, answers, strict=True)):
        for x, share in enumerate(shares):
            colour, weight = "white" if share > _DARK else "black", "bold" if x == answer else "normal"
            axis.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=8, color=colour, weight=weight)
    names = [f"{name} *" if n in found.flips else name for n, name in enumerate(found.phrasings)]
    axis.set_yticks(range(len(rows)), [drawable(name) for name in [*names, "all together"]], fontsize=8)
    axis.set_xticks(range(len(found.labels)), [drawable(name, 24) for name in found.labels], fontsize=8)
    for label in (*axis.get_yticklabels(), *axis.get_xticklabels()):
        label.set_parse_math(False)
    axis.axhline(len(rows) - 1.5, color="black", linewidth=0.8)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    drawn.suptitle(drawable(f"{found.model}: {verdict(found)}", 200), fontsize=8, wrap=True, parse_math=False)
    return drawn

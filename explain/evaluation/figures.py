"""A report of measurements as figures for a page or a projector. matplotlib without pyplot: safe on a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from explain.evaluation.curves import RANDOM
from explain.evaluation.maps import CEILING
from explain.evaluation.report import Report
from explain.methods import METHODS

# Okabe and Ito: told apart with every kind of colour blindness. The yellow is left out: it is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":")
_YARDSTICK = "#767676"
_POOLINGS = {
    "class": "its own",
    "average": "average",
    "max": "maximum",
    "masked_average": "average of\nthe things",
    "masked_max": "maximum of\nthe things",
}


def save_figures(report: Report, folder: Path) -> list[Path]:
    """Writes a PNG for each part of a report that was measured; the paths, in the order of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for name, draw, wanted in _FIGURES:
        if wanted is None or wanted in report:
            path = folder / f"{name}.png"
            partial = path.with_name(f"{path.name}.partial")
            draw(report).savefig(partial, format="png")
            partial.replace(path)
            saved.append(path)
    return saved


def methods_figure(report: Report) -> Figure:
    """Bars of mIoU, the best on top, and of mSC beside them; the grid's ceiling is a line."""
    rows = sorted(_rated(report), key=lambda row: row["miou"])
    ceiling = next(row for row in report["rows"] if row["method"] == CEILING)
    drawn = _figure(report, 12, 1.6 + 0.36 * len(rows))
    axes = drawn.subplots(1, 2, sharey=True)
    for axis, key, title, colour in (
        (axes[0], "miou", "Overlap with the thing (mIoU, %)", COLOURS[0]),
        (axes[1], "msc", "Contrast, thing against rest (mSC, %)", COLOURS[1]),
    ):
        values = [row[key] if row[key] is not None else 0.0 for row in rows]
        bars = axis.barh([_label(row["method"]) for row in rows], values, color=colour)
        axis.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, fontsize=11)
        axis.axvline(0, color="black", linewidth=0.8)
        _room(axis, values, ceiling[key])
        axis.set_title(title, fontsize=14)
    return drawn


def thresholds_figure(report: Report) -> Figure:
    """The mIoU of every method at every threshold; a dot where the threshold was chosen."""
    drawn = _figure(report, 12, 7)
    axis = drawn.subplots()
    chosen = {row["method"]: row for row in report["rows"]}
    for index, row in enumerate(sorted(_rated(report), key=lambda row: -row["miou"])):
        curve = report["miou_by_threshold"][row["method"]]
        axis.plot(report["thresholds"], curve, label=_label(row["method"]), **_line(index))
        axis.plot(chosen[row["method"]]["threshold"], row["miou"], "o", color=_line(index)["color"])
    ceiling = report["miou_by_threshold"][CEILING]
    axis.plot(report["thresholds"], ceiling, color=_YARDSTICK, linewidth=3, label="grid ceiling")
    axis.set_xlabel("Threshold: how bright a pixel must be to count", fontsize=13)
    axis.set_ylabel("Overlap with the thing (mIoU, %)", fontsize=13)
    axis.set_title("Dots: thresholds chosen on other pictures", fontsize=12)
    axis.set_ylim(bottom=0)
    drawn.legend(loc="outside right upper", fontsize=11)
    return drawn


def faithfulness_figure(report: Report) -> Figure:
    """The mean curves of deletion and insertion; the random map is the yardstick."""
    found = report["faithfulness"]
    drawn = _figure(report, 14, 6.5, found["pictures"])
    axes = drawn.subplots(1, 2, sharey=True)
    order = sorted(found["rows"], key=lambda row: -row["insertion"])
    names = [row["method"] for row in order if row["method"] != RANDOM]
    for axis, key, title, change in (
        (axes[0], "deletion", "Deletion: low is good", "blurred, brightest first"),
        (axes[1], "insertion", "Insertion: high is good", "shown, brightest first"),
    ):
        for index, name in enumerate(names):
            label = _label(name) if axis is axes[0] else None
            axis.plot(found["shares"], found["curves"][name][key], label=label, **_line(index))
        label = RANDOM if axis is axes[0] else None
        axis.plot(found["shares"], found["curves"][RANDOM][key], color=_YARDSTICK, linewidth=3, label=label)
        axis.set_title(title, fontsize=14)
        axis.set_xlabel(f"Share of patches {change}", fontsize=13)
    axes[0].set_ylabel("Score of the model (cosine)", fontsize=13)
    drawn.legend(loc="outside right upper", fontsize=11, title="by insertion area")
    return drawn


def shift_figure(report: Report) -> Figure:
    """Draws what pooling takes from the things, against their area; where pooled rows point; and the depth profile."""
    found = report["shift"]
    panels: list[Callable[[Axes, dict[str, Any]], None]] = [_provenance_panel, _joint_panel]
    if found["depth"]:
        panels.append(_depth_panel)
    drawn = _figure(report, 5.4 * len(panels), 6, found["pictures"])
    for axis, panel in zip(drawn.subplots(1, len(panels)), panels, strict=True):
        panel(axis, found)
    return drawn


def _provenance_panel(axis: Axes, found: dict[str, Any]) -> None:
    rows = {"attention": "Attention\nof the pool", "maximum": "Maximum,\nby channel"}
    for place, name in enumerate(rows):
        row = found["provenance"][name]
        axis.bar(place, row["pooled"], 0.6, yerr=_error(row, "pooled"), capsize=6, color=COLOURS[0])
    area = found["provenance"]["attention"]["area"]
    axis.axhline(area, color=COLOURS[1], linestyle="--", linewidth=2, label=f"their area, {area:.0f} %")
    axis.set_xticks(range(len(rows)), list(rows.values()), fontsize=11)
    axis.set_ylabel("From the things, %", fontsize=13)
    axis.set_ylim(0, max(axis.get_ylim()[1], area) * 1.15)
    axis.legend(fontsize=11, loc="upper left")
    axis.set_title("Where the pooled picture comes from\n(provenance)", fontsize=13)


def _joint_panel(axis: Axes, found: dict[str, Any]) -> None:
    poolings = [(_POOLINGS[row["pooling"]], row, "shift") for row in found["poolings"]]
    rows = [("the text", found["joint_space"], "text"), *poolings]
    for place, (_, row, name) in enumerate(reversed(rows)):
        if row[name] is not None:
            axis.barh(place, row[name], xerr=_error(row, name), capsize=5, color=COLOURS[row[name] > 0])
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)], fontsize=11)
    axis.set_xlabel("Nearer to the thing  < 0 <  nearer to the background", fontsize=11)
    axis.set_title("Where text and pooled picture point\n(shift in the joint space, by pooling)", fontsize=13)


def _depth_panel(axis: Axes, found: dict[str, Any]) -> None:
    blocks = [row["block"] for row in found["depth"]]
    low, middle, high = ([row[key] for row in found["depth"]] for key in ("msc_low", "msc", "msc_high"))
    axis.fill_between(blocks, low, high, color=COLOURS[2], alpha=0.25)
    axis.plot(blocks, middle, "o-", color=COLOURS[2], linewidth=2)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(blocks)
    axis.set_xlabel("Read after block", fontsize=13)
    axis.set_ylabel("Contrast of the similarity map (mSC, %)", fontsize=12)
    axis.set_title("Above 0 the thing is brighter\n(depth profile)", fontsize=13)


def _figure(report: Report, width: float, height: float, pictures: int | None = None) -> Figure:
    """An empty figure under the name of the model and of the pictures; `pictures` if not all of the report's."""
    drawn = Figure(figsize=(width, height), dpi=120, layout="constrained")
    count, data = pictures or report["pictures"], Path(report["data"]).name
    drawn.suptitle(f"{report['model']}, {count} pictures of {data} ({report['split']})", fontsize=15)
    return drawn


def _rated(report: Report) -> list[dict[str, Any]]:
    return [row for row in report["rows"] if row["method"] != CEILING]


def _room(axis: Axes, values: Sequence[float], ceiling: float | None) -> None:
    """The ceiling as a line, and space for the numbers at the ends of the bars."""
    low, high = min(0.0, *values), max(0.0, *values, ceiling or 0.0)
    if ceiling is not None:
        axis.axvline(ceiling, color=_YARDSTICK, linestyle="--", linewidth=2)
        axis.annotate(
            f"grid ceiling {ceiling:.1f} ",
            (ceiling, -0.8),
            ha="right",
            va="center",
            fontsize=11,
            color="#404040",
        )
    axis.set_ylim(-1.2, len(values) - 0.4)
    space = 0.14 * (high - low or 1.0)
    axis.set_xlim(low - (space if low < 0 else 0), high + space)


def _line(index: int) -> dict[str, Any]:
    """A colour and a style of its own for each of 21 lines."""
    styles = _STYLES[index // len(COLOURS) % len(_STYLES)]
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": styles, "linewidth": 2}


def _error(row: dict[str, Any], name: str) -> list[list[float]]:
    return [[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]


def _label(method: str) -> str:
    return METHODS[method].label


_FIGURES: tuple[tuple[str, Callable[[Report], Figure], str | None], ...] = (
    ("methods", methods_figure, None),
    ("thresholds", thresholds_figure, None),
    ("faithfulness", faithfulness_figure, "faithfulness"),
    ("shift", shift_figure, "shift"),
)

"""What a visitor takes away from a comparison: one figure, the table, and the Python that gives it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import toyland
from ui.comparison import Asked, Comparison
from ui.comparison_drawing import Style, order
from ui.view import SCENE_PIXELS
from ui.wording import AS_DRAWN, USUAL, duration, signed

COLUMNS = ("method", "label", "paper", "contrast", "overlap", "brightest_point_on_it", "seconds")


def save_figure_png(found: Comparison, style: Style, folder: Path) -> Path:
    """The picture and every map with its numbers, PNG at 200 dots per inch."""
    return _save_figure(found, style, folder / "tokenlight-methods.png")


def save_figure_pdf(found: Comparison, style: Style, folder: Path) -> Path:
    """The same figure as PDF, with text that stays text."""
    return _save_figure(found, style, folder / "tokenlight-methods.pdf")


def save_csv(found: Comparison, style: Style, folder: Path) -> Path:
    """A row per method, in the order of the tiles; measures are empty where the truth is not known."""
    from explain import METHODS

    path = folder / "tokenlight-methods.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name in order(found, style.order):
            measured = found.measured.get(name)
            numbers = ["", "", ""]
            if measured is not None:
                numbers = [f"{measured.contrast:.2f}", f"{measured.overlap:.2f}", str(int(measured.hit))]
            method = METHODS[name]
            writer.writerow([name, method.label, method.paper, *numbers, f"{found.seconds[name]:.4f}"])
    return path


SAVERS: Mapping[str, Callable[[Comparison, Style, Path], Path]] = {
    "Figure, PNG": save_figure_png,
    "Figure, PDF": save_figure_pdf,
    "Table, CSV": save_csv,
}


def as_python(asked: Asked) -> str:
    """The lines that give the same maps in Python. Texts are written as literals."""
    scene, lines = asked.picture.scene, asked.picture.in_python(SCENE_PIXELS)
    if scene is not None and asked.background != AS_DRAWN:
        found = toyland.match_things(scene, asked.prompt)
        about, usual = found[0] if found else 0, asked.background == USUAL
        lines[-1:] = [
            f"scene = toyland.sample_scene({scene.seed}, {scene.split!r})",
            f"scene = toyland.with_background(scene, about={about}, usual={usual})",
            f"image = toyland.draw_scene(scene, {SCENE_PIXELS})",
        ]
    lines.append(f"clip = explain.load({asked.model!r})")
    if asked.random:
        lines.append("clip = explain.randomised(clip)")
    lines += [
        "names = [m.name for m in explain.METHODS.values() if m.supports(clip) is None]",
        f"for name, (found,), seconds in explain.each_method(clip, image, [{asked.words!r}], names):",
        "    print(name, found.heatmap.shape, round(seconds, 3))",
    ]
    return "\n".join(lines)


def _save_figure(found: Comparison, style: Style, path: Path) -> Path:
    from explain import METHODS, heatmap

    panels = []
    for name in order(found, style.order):
        measured, title = found.measured.get(name), METHODS[name].label
        facts = (
            []
            if measured is None
            else [f"contrast {signed(measured.contrast)}", f"overlap {measured.overlap:.0f} %"]
        )
        panels.append(
            (title, ", ".join([*facts, duration(found.seconds[name])]), found.answers[name].heatmap)
        )
    assert found.first is not None
    heading = f"“{found.first.prompt}”, {found.asked.model}" + (
        " with random weights" if found.asked.random else ""
    )
    heatmap.sheet(found.image, panels, heading, style.colormap).savefig(path, dpi=200)
    return path

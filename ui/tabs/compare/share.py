"""Takeaway of a comparison: one figure, the table, and the Python that gives it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import toyland
from ui.shared.links import read_query as read_question
from ui.shared.pictures import SCENE_PIXELS, suggested_prompt
from ui.shared.text import duration, signed
from ui.tabs.compare.comparison import (
    AS_DRAWN,
    BACKGROUNDS,
    FIRST_ORDER,
    ORDERS,
    USUAL,
    Asked,
    Comparison,
    Style,
)
from ui.tabs.compare.drawing import order

COLUMNS = ("method", "label", "paper", "contrast", "overlap", "brightest_point_on_it", "seconds")


def save_figure_png(found: Comparison, style: Style, folder: Path) -> Path:
    """The picture and every map with its numbers, PNG at 200 dots per inch."""
    return _save_figure(found, style, folder / "tokenlight-methods.png")


def save_figure_pdf(found: Comparison, style: Style, folder: Path) -> Path:
    """Saves the same figure as PDF, with text that stays text."""
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


def read_query(query: Mapping[str, str], default_model: str) -> tuple[Asked, str, str | None]:
    """The question of a link, how its tiles are sorted, and what could not be read in it.

    Picture, prompt and model are written as in the Explain tab's links; of several prompts the first is taken.
    """
    question, problem = read_question(query, default_model)
    lines = [line.strip() for line in question.prompts.splitlines() if line.strip()]
    prompt = lines[0] if lines else suggested_prompt(question.picture)
    background, order = query.get("background", AS_DRAWN), query.get("sort", FIRST_ORDER)
    if background not in BACKGROUNDS or order not in ORDERS:
        problem = problem or "The link asks for a view that does not exist. Here is the usual one."
        background, order = AS_DRAWN, FIRST_ORDER
    asked = Asked(
        question.picture,
        prompt,
        question.model,
        background,
        shuffled=query.get("shuffled") == "1",
        random=query.get("random") == "1",
    )
    return asked, order, problem


def write_query(asked: Asked, order: str) -> str:
    """The query that opens this comparison again; an uploaded picture and its mask stay out of it."""
    fields = {"tab": "compare"} | asked.picture.in_link
    fields |= {"prompts": asked.prompt.strip(), "model": asked.model}
    if asked.picture.scene is not None and asked.background != AS_DRAWN:
        fields["background"] = asked.background
    fields |= {name: "1" for name in ("shuffled", "random") if getattr(asked, name)}
    if order != FIRST_ORDER:
        fields["sort"] = order
    return "?" + urlencode(fields)

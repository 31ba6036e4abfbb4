"""Takeaway of a run: picture, animation, record, and the Python that makes it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from ui.shared.inputs import LONGEST_BOXES, read_boxes, read_number, write_boxes
from ui.tabs.generate.run import Run, Wish

GENERATE_TAB = "generate"  # its id among the tabs


def save_picture(run: Run, folder: Path) -> Path:
    """The finished picture as PNG, with all its settings inside."""
    from guidance.records import as_record, save_png

    path = folder / "tokenlight-picture.png"
    save_png(run.steps[-1].image, as_record(run.recipe, run.steps), path)
    return path


def save_animation(run: Run, folder: Path) -> Path:
    """The run as GIF."""
    from guidance.records import save_gif

    path = folder / "tokenlight-run.gif"
    save_gif([step.image for step in run.steps], path)
    return path


def save_record(run: Run, folder: Path) -> Path:
    """The settings and numbers as JSON, which `python -m guidance generate --from` reads."""
    from guidance.records import as_record

    path = folder / "tokenlight-run.json"
    text = json.dumps(as_record(run.recipe, run.steps), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


SAVERS: Mapping[str, Callable[[Run, Path], Path]] = {
    "Picture, PNG": save_picture,
    "Animation, GIF": save_animation,
    "Settings, JSON": save_record,
}


def as_python(run: Run) -> str:
    """The lines that make the same picture in Python. Texts are written as literals."""
    recipe = run.recipe
    asked, words = recipe.preset.sampling, recipe.words
    both = "BoxesAndWords, " if words else ""
    boxes = [box for target in recipe.layout.targets for box in target.boxes]
    return "\n".join(
        [
            "from dataclasses import replace",
            "",
            "import explain",
            f"from guidance import Box, {both}Layout, find_preset, generate, open_generator, targets",
            "",
            "# Left, top, right, bottom, in fractions of the picture.",
            "boxes = [",
            *(f"    Box({box.phrase!r}, {', '.join(f'{edge:g}' for edge in box.edges)})," for box in boxes),
            "]",
            f"generator = open_generator({recipe.generator!r})",
            f"clip = explain.load({recipe.clip!r})",
            f"preset = find_preset({recipe.preset.name!r}, generator)",
            f"sampling = replace(preset.sampling, steps={asked.steps}, weight={asked.weight:g})",
            f"layout = Layout({recipe.layout.prompt!r}, targets(boxes))",
            *([f"words = {list(words)!r}  # neglected without"] if words else []),
            f"asked = BoxesAndWords(clip, layout, words, {recipe.seed}, preset.objective)"
            if words
            else "asked = preset.objective",
            f"for step in generate(generator, clip, layout, {recipe.seed}, sampling, asked):",
            "    print(step.index, step.losses)",
            'step.image.save("picture.png")',
        ]
    )


def read_query(query: Mapping[str, str], first: Wish) -> tuple[Wish, str | None]:
    """The wish of a link, with `first` for what it leaves open; and what could not be read in it. What it names, and
    where its boxes are, is checked when it is asked.
    """
    problem: str | None = None
    wish = replace(
        first,
        prompt=query.get("prompt", first.prompt)[:LONGEST_BOXES],
        generator=query.get("generator", first.generator)[:100],
        preset=query.get("preset", first.preset)[:100],
        clip=query.get("clip", first.clip)[:100],
    )
    try:
        wish = replace(
            wish,
            seed=read_number(int, query.get("seed", first.seed)),
            steps=read_number(int, query.get("steps", first.steps)),
            weight=read_number(float, query.get("weight", first.weight)),
        )
    except ValueError:
        problem = "A number in the link cannot be read. Here is the usual one."
    if "boxes" in query:
        try:
            wish = replace(wish, boxes=read_boxes(query["boxes"]))
        except (ValueError, TypeError, RecursionError):
            problem = "The boxes of the link cannot be read. Here are others."
    return wish, problem


def write_query(wish: Wish, first: Wish) -> str:
    """The query that opens a wish again that could be read."""
    fields = {
        "tab": GENERATE_TAB,
        "prompt": wish.prompt.strip(),
        "boxes": write_boxes(wish.boxes),
        "generator": wish.generator,
        "preset": wish.preset,
        "seed": str(wish.seed),
    }
    for name in ("clip", "steps", "weight"):
        if getattr(wish, name) != getattr(first, name):
            fields[name] = str(getattr(wish, name))
    return "?" + urlencode(fields)

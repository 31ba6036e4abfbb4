"""What a visitor takes away from a run: picture, animation, record, and the Python that makes it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ui.making import Run


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

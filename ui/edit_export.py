"""What a visitor takes away from an edit: picture, animation, record, and the Python that makes it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.editing import EditRun
from ui.view import SCENE_PIXELS, Picture

if TYPE_CHECKING:
    from guidance.editing import EditStep


def save_picture(run: EditRun, folder: Path) -> Path:
    """The edited picture as PNG, with all its settings inside."""
    from guidance.records import save_png

    path = folder / "tokenlight-edit.png"
    save_png(run.steps[-1].image, as_json(run), path)
    return path


def save_animation(run: EditRun, folder: Path) -> Path:
    """The run as GIF, from the picture as it was."""
    from guidance.records import save_gif

    path = folder / "tokenlight-edit.gif"
    before = [run.before.image] if run.before is not None else []
    save_gif([*before, *(step.image for step in run.steps)], path)
    return path


def save_record(run: EditRun, folder: Path) -> Path:
    """The settings and numbers as JSON."""
    path = folder / "tokenlight-edit.json"
    text = json.dumps(as_json(run), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


SAVERS: Mapping[str, Callable[[EditRun, Path], Path]] = {
    "Picture, PNG": save_picture,
    "Animation, GIF": save_animation,
    "Settings, JSON": save_record,
}


def as_json(run: EditRun) -> dict[str, Any]:
    """The recipe, and how its run went: losses of every step, and what the guiding model makes of text and words in
    the picture before ("before"), after ("final") and where no words counted ("compared").
    """
    from guidance.records import edit_record

    def final(step: EditStep | None) -> dict[str, Any]:
        return {} if step is None else edit_record(run.recipe, [step])["final"]

    record = run.picture.in_json | edit_record(run.recipe, run.steps)
    others = {"before": final(run.before), "compared": final(run.without)}
    return record | {name: found for name, found in others.items() if found}


def as_python(run: EditRun) -> str:
    """The lines that make the same picture in Python. Texts are written as literals."""
    recipe, settings = run.recipe, run.recipe.settings
    box, boxes = "None", ""
    if recipe.box is not None:
        edges = ", ".join(f"{edge:g}" for edge in recipe.box.edges)
        box, boxes = f"Box({recipe.box.phrase!r}, {edges})", "Box, "
    drawing, opening = _opening(run.picture)
    return "\n".join(
        [
            "from dataclasses import replace",
            "",
            "import explain",
            *drawing,
            f"from guidance import {boxes}edit, find_edit, open_generator",
            "",
            f"picture = {opening}",
            f"generator = open_generator({recipe.generator!r})",
            f"clip = explain.load({recipe.clip!r})",
            f"settings = find_edit(generator, {settings.way!r})",
            "settings = replace(",
            "    settings,",
            f"    strength={settings.strength!r},",
            f"    guarded={settings.guarded},  # whether words are left out where the whole text suffers",
            f"    sampling=replace(settings.sampling, steps={settings.sampling.steps}),",
            f"    objective=replace(settings.objective, weight={settings.objective.weight!r}),  # lambda",
            ")",
            f"words = {dict(recipe.words)!r}",
            f"box = {box}  # left, top, right, bottom, in fractions of the picture",
            f"prompt, caption = {recipe.prompt!r}, {recipe.caption!r}",
            f"for step in edit(generator, clip, picture, prompt, words, {recipe.seed}, settings, box, caption):",
            "    print(step.index, step.losses)",
            'step.image.save("edited.png")',
        ]
    )


def _opening(picture: Picture) -> tuple[list[str], str]:
    """What has to be imported for a picture, and the expression that opens it."""
    scene = picture.scene
    if scene is None:
        return [], 'explain.read_image("your-picture.png")'
    return ["import toyland"], (
        f"toyland.draw_scene(toyland.sample_scene({scene.seed}, {scene.split!r}), {SCENE_PIXELS})"
    )

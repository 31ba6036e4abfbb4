"""Takeaway of an edit: picture, animation, record, and the Python that makes it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ui.shared.inputs import LONGEST_BOXES, read_boxes, read_json, read_number, write_boxes
from ui.shared.links import read_query as read_question
from ui.shared.pictures import SCENE_PIXELS, Picture
from ui.tabs.edit.run import EditRun, EditWish, scene_caption

if TYPE_CHECKING:
    from guidance.editing.edit import EditStep

EDIT_TAB = "edit"  # its id among the tabs
_NUMBERS = {"strength": float, "word_weight": float, "draw": int, "steps": int}


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
    """Returns what has to be imported for a picture, and the expression that opens it."""
    scene = picture.scene
    if scene is None:
        return [], 'explain.read_image("your-picture.png")'
    return ["import toyland"], (
        f"toyland.draw_scene(toyland.sample_scene({scene.seed}, {scene.split!r}), {SCENE_PIXELS})"
    )


def read_query(query: Mapping[str, str], first: EditWish) -> tuple[EditWish, str | None]:
    """The wish of a link, with `first` for what it leaves open; and what could not be read in it. A link that names no
    scene is about the first one. What it names, and where its box is, is checked when it is asked.

    `seed` is the scene's, as in the other tabs' links, and `draw` that of the edit.
    """
    problem: str | None = None
    wish = first
    if "seed" in query:
        question, problem = read_question(query, "")
        says = scene_caption(question.picture)
        wish = replace(wish, picture=question.picture, prompt=says, caption=says, words=(), boxes=())
    texts: dict[str, Any] = {
        name: query[name][:LONGEST_BOXES]
        for name in ("prompt", "caption", "generator", "way")
        if name in query
    }
    wish = replace(wish, **texts)
    try:
        numbers: dict[str, Any] = {
            name: read_number(kind, query[name]) for name, kind in _NUMBERS.items() if name in query
        }
        numbers |= {"seed": numbers.pop("draw")} if "draw" in numbers else {}
        wish = replace(wish, **numbers)
    except ValueError:
        problem = "A number in the link cannot be read. Here is the usual one."
    try:
        if "words" in query:
            wish = replace(wish, words=_words(query["words"]))
        if "boxes" in query:
            wish = replace(wish, boxes=tuple(read_boxes(query["boxes"])[:1]))
    except (ValueError, TypeError, RecursionError):
        problem = "The words or the box of the link cannot be read. Here are others."
    return wish, problem


def write_query(wish: EditWish) -> str:
    """The query that opens a wish again that could be read; a picture that was given or made stays out of it."""
    fields = {"tab": EDIT_TAB} | wish.picture.in_link
    return "?" + urlencode(
        fields
        | {
            "prompt": wish.prompt.strip(),
            "caption": wish.caption.strip(),
            "words": json.dumps(list(wish.words), ensure_ascii=False, separators=(",", ":")),
            "boxes": write_boxes(wish.boxes),
            "generator": wish.generator,
            "way": wish.way,
            "strength": str(wish.strength),
            "word_weight": str(wish.word_weight),
            "draw": str(wish.seed),
            "steps": str(wish.steps),
        }
    )


def _words(text: str) -> tuple[str, ...]:
    """ValueError or TypeError for what is no list of texts."""
    words = read_json(text)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError
    return tuple(words)

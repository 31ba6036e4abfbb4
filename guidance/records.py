"""Runs as they are kept: what makes a picture again, as JSON and inside the picture's file; and a run as an animation.

What is read may have been written by anybody: everything is checked as if it had been typed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from PIL import Image, PngImagePlugin

from explain.inputs.images import read_image
from guidance.checks import shown
from guidance.editing.edit import EditStep
from guidance.editing.settings import EditSettings
from guidance.generating import Step
from guidance.generators.sampling import Sampling
from guidance.layout.parsing import Box, Layout, Region, parse_boxes, read_region, targets
from guidance.objectives.settings import ObjectiveSettings
from guidance.objectives.words import TextSettings
from guidance.presets import Preset
from guidance.rescuing import RescueSettings

GIF_SIDE = 256  # pixels; small pictures are enlarged so that they can be watched
GIF_FRAMES = 60
PNG_KEY = "tokenlight"  # of the text in a PNG
MAX_JSON = 2_000_000  # characters

Settings = TypeVar("Settings", Sampling, ObjectiveSettings, TextSettings, EditSettings, RescueSettings)


@dataclass(frozen=True)
class Recipe:
    """All that is needed to make a picture again: a generator, the model that guides it, both by name or folder, and
    a preset whose settings are the ones that were used. `words`: those of the prompt that were neglected, and count
    beside the boxes (`rescue.BoxesAndWords`).
    """

    layout: Layout
    generator: str
    clip: str
    seed: int
    preset: Preset
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class EditRecipe:
    """All that is needed to edit a picture again, but the picture."""

    prompt: str
    words: Mapping[str, float]
    caption: str
    box: Box | None
    generator: str
    clip: str
    seed: int
    settings: EditSettings


def edit_record(recipe: EditRecipe, steps: Sequence[EditStep] = ()) -> dict[str, Any]:
    """A recipe, and how its run went, for JSON."""
    record = asdict(recipe)
    if not steps:
        return record
    reading = steps[-1].reading
    words = [
        {
            "word": word.text,
            "share": round(word.share, 4),
            "height": round(word.height, 4),
            "weight": word.weight,
        }
        for word in reading.words
    ]
    final = {"similarity": round(reading.similarity, 4), "words": words}
    return record | {"losses": _losses(steps), "skipped": _skipped(steps), "final": final}


def as_record(recipe: Recipe, steps: Sequence[Step] = ()) -> dict[str, Any]:
    """A recipe, and how its run went, for JSON."""
    record = {
        "prompt": recipe.layout.prompt,
        "boxes": [asdict(box) for target in recipe.layout.targets for box in target.boxes],
        "masks": [_mask(region) for target in recipe.layout.targets for region in target.regions],
        "generator": recipe.generator,
        "clip": recipe.clip,
        "preset": recipe.preset.name,
        "seed": recipe.seed,
        "sampling": asdict(recipe.preset.sampling),
        "objective": asdict(recipe.preset.objective),
    }
    if recipe.words:
        record["words"] = list(recipe.words)
    if not steps:
        return record
    final = {
        reading.phrase: {
            "similarity": round(reading.similarity, 4),
            "inside": round(reading.inside, 4),
            "share_inside": round(reading.share_inside, 4),
        }
        for reading in steps[-1].readings
    }
    return record | {"losses": _losses(steps), "skipped": _skipped(steps), "final": final}


def read_record(path: Path) -> dict[str, Any]:
    """A record from the JSON or the PNG that holds it. ValueError for any other file."""
    if path.suffix.lower() == ".png":
        read_image(path)  # refuses every bad file
        with Image.open(path) as picture:
            text = getattr(picture, "text", {}).get(PNG_KEY)
        if text is None:
            raise ValueError(f"{path.name!r} holds no run; allowed: a PNG that the same command wrote")
    else:
        if path.stat().st_size > MAX_JSON:
            raise ValueError(f"{path.name!r} has {path.stat().st_size} bytes; allowed: up to {MAX_JSON}")
        text = path.read_text(encoding="utf-8")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name!r} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path.name!r} holds no run; allowed: what --json wrote")
    for name in ("prompt", "generator", "clip", "preset"):
        if name in record and not isinstance(record[name], str):
            raise ValueError(f"{path.name!r}: {name} is {shown(record[name])}; allowed: text")
    return record


def places_of(record: Mapping[str, Any]) -> tuple[list[Box | Region], list[str]]:
    """A record's boxes and masks, and notes on what was put right."""
    boxes, notes = parse_boxes(record.get("boxes", []))
    masks = record.get("masks", [])
    if not isinstance(masks, list) or not all(isinstance(one, dict) for one in masks):
        raise ValueError(f"the masks are {shown(masks)}; allowed: a list of objects with phrase and png")
    regions = [read_region(one.get("phrase", ""), _png(one.get("png"))) for one in masks]
    return [*boxes, *regions], list(notes)


def with_settings(preset: Preset, record: Mapping[str, Any]) -> Preset:
    """The preset with the settings of a record, where it has some. ValueError for unknown ones."""
    sampling = _changed(preset.sampling, record.get("sampling", {}), "sampling")
    objective = _changed(preset.objective, record.get("objective", {}), "objective")
    return replace(preset, sampling=sampling, objective=objective)


def with_edit_settings(settings: EditSettings, record: Mapping[str, Any]) -> EditSettings:
    """Returns an edit's settings, which hold others, with those of a record. ValueError for unknown ones."""
    changes = _settings_of(record)
    parts = {
        "sampling": _changed(settings.sampling, changes.get("sampling", {}), "sampling"),
        "objective": _changed(settings.objective, changes.get("objective", {}), "objective"),
    }
    # What was written before there was a guard was made without it.
    guarded = {"guarded": False} if changes else {}
    return _changed(settings, {**guarded, **changes, **parts}, "settings")


def with_rescue_settings(
    sampling: Sampling, settings: RescueSettings, record: Mapping[str, Any]
) -> tuple[Sampling, RescueSettings]:
    """Returns a rescue's sampling and settings with those of a record. ValueError for unknown ones."""
    changes = _settings_of(record)
    objective = _changed(settings.objective, changes.get("objective", {}), "objective")
    sampling = _changed(sampling, record.get("sampling", {}), "sampling")
    return sampling, _changed(settings, {**changes, "objective": objective}, "settings")


def edit_box_of(record: Mapping[str, Any]) -> tuple[Box | None, tuple[str, ...]]:
    """A record's box, if it has one, and notes on what was put right."""
    box = record.get("box")
    boxes, notes = parse_boxes([] if box is None else [box])
    return (boxes[0] if boxes else None), notes


def make_layout(prompt: str | None, places: Sequence[Box | Region]) -> Layout:
    """A layout; without a prompt, the scene is what is in the places."""
    found = targets(places)
    return Layout(prompt or " and ".join(target.phrase for target in found), found)


def save_png(picture: Image.Image, record: Mapping[str, Any], file: str | Path | BinaryIO) -> None:
    """A picture as a PNG with its record inside."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(PNG_KEY, json.dumps(record, ensure_ascii=False))
    picture.save(file, format="PNG", pnginfo=info)


def save_gif(pictures: Sequence[Image.Image], file: str | Path | BinaryIO) -> None:
    """The pictures of a run as an animation, which rests on the last."""
    stride = max(1, -(-len(pictures) // GIF_FRAMES))
    chosen = [*pictures[:-1:stride], pictures[-1]]
    factor = max(1, GIF_SIDE // max(pictures[-1].size))
    frames = [
        picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
        for picture in chosen
    ]
    durations = [100] * (len(frames) - 1) + [2000]
    frames[0].save(file, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _losses(steps: Sequence[Step] | Sequence[EditStep]) -> list[dict[str, float]]:
    """Returns the losses of every step but the finished picture."""
    return [{name: round(value, 5) for name, value in step.losses.items()} for step in steps[:-1]]


def _skipped(steps: Sequence[Step] | Sequence[EditStep]) -> int:
    return sum(step.skipped for step in steps)


def _mask(region: Region) -> dict[str, str]:
    file = BytesIO()
    Image.fromarray((region.mask * 255).round().astype(np.uint8)).save(file, format="PNG", optimize=True)
    return {"phrase": region.phrase, "png": base64.b64encode(file.getvalue()).decode("ascii")}


def _png(written: object) -> bytes:
    try:
        return base64.b64decode(written if isinstance(written, str) else "?", validate=True)
    except ValueError as error:
        raise ValueError(f"a mask's png is {shown(written)}; allowed: a PNG in base64") from error


def _settings_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    changes = record.get("settings", {})
    if not isinstance(changes, Mapping):
        raise ValueError(f"settings is {shown(changes)}; allowed: an object")
    return changes


def _changed(settings: Settings, changes: object, name: str) -> Settings:
    allowed = [field.name for field in fields(settings)]
    if not isinstance(changes, Mapping):
        raise ValueError(f"{name} is {shown(changes)}; allowed: an object with {', '.join(allowed)}")
    for key in changes:
        if key not in allowed:
            raise ValueError(f"{name} has {shown(key)}; allowed: {', '.join(allowed)}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in changes.items()}
    return replace(settings, **values)

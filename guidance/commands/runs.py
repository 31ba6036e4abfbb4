"""Files that commands write of a run: its picture, which holds how it was made, an animation, and JSON."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from guidance.generators.catalogue import guide_of
from guidance.records import read_record, save_gif, save_png

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def check_picture(path: Path) -> None:
    """ValueError for a file that no picture can be written to."""
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"{str(path)!r} is no picture; allowed: .png, .jpg, .webp")


def write_run(
    images: Sequence[Image.Image],
    record: Mapping[str, Any],
    picture: Path,
    gif: Path | None = None,
    written: Path | None = None,
) -> None:
    """The last of a run's images as the picture; PNG alone holds the record too. `written`: where the JSON goes."""
    if picture.suffix.lower() == ".png":
        save_png(images[-1], record, picture)
    else:
        images[-1].save(picture)
    if gif is not None:
        save_gif(list(images), gif)
    if written is not None:
        written.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def run_again(source: Path | None, command: str, key: str) -> dict[str, Any]:
    """The record of a run, empty where there is no source. ValueError for one of another command: without the `key`."""
    record = {} if source is None else read_record(source)
    if source is not None and key not in record:
        raise ValueError(f"{source.name!r} holds no {command}; allowed: what `{command}` wrote")
    return record


def for_generator(options: Namespace, record: Mapping[str, Any]) -> dict[str, Any]:
    """The record, for a generator of the options' own without the other's guide and settings."""
    if options.generator in (None, record.get("generator", options.generator)):
        return dict(record)
    return {name: value for name, value in record.items() if name not in ("clip", "sampling", "settings")}


def fill(options: Namespace, record: Mapping[str, Any], **defaults: Any) -> None:
    """Sets the options that are open (None): those that have a default here, generator, guide and seed."""
    for name, default in {"generator": "toy-sd", "clip": None, "seed": 0, **defaults}.items():
        if getattr(options, name) is None:
            setattr(options, name, record.get(name, default))
    options.clip = options.clip or guide_of(options.generator)

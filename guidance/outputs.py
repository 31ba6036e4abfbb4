"""What commands write of a run: its picture, which holds how it was made, an animation, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from guidance.records import save_gif, save_png

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

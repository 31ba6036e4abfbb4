"""A contact sheet: layouts below one another, conditions side by side, boxes drawn where things were to be."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from guidance.layout.parsing import Layout

SIDE = 160  # pixels of a picture
MARGIN = 6
LINE = 16
# Okabe and Ito: told apart with every kind of colour blindness, and on most pictures.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
NAME = "pictures.png"


Pictures = Mapping[str, Sequence[tuple[str, Layout]]]  # by condition: a PNG file in base64, and its layout


def save_sheet(shown: Pictures, folder: Path) -> Path:
    """Writes the sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    partial = path.with_name(f"{path.name}.partial")
    sheet(shown).save(partial, format="PNG")
    partial.replace(path)
    return path


def sheet(shown: Pictures) -> Image.Image:
    """The sheet. Above each row is its prompt, above each column its condition."""
    rows = max(map(len, shown.values()))
    step = SIDE + MARGIN
    drawn = Image.new("RGB", (MARGIN + step * len(shown), LINE + rows * (step + LINE) + MARGIN), "white")
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(12)
    for column, (name, pictures) in enumerate(shown.items()):
        x = MARGIN + column * step
        pen.text((x, 2), name, "black", font)
        for row, (picture, layout) in enumerate(pictures):
            y = LINE + row * (step + LINE)
            if column == 0:
                pen.text((x, y), layout.prompt, "black", font)
            drawn.paste(cell(picture, layout), (x, y + LINE))
    return drawn


def cell(picture: str, layout: Layout) -> Image.Image:
    """One picture with its boxes; the order of the colours is that of the prompt."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    image = image.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    for number, target in enumerate(layout.targets):
        for box in target.boxes:
            corners = [round(edge * (SIDE - 1)) for edge in box.edges]
            pen.rectangle(corners, outline="white", width=4)
            inner = [edge + (1, 1, -1, -1)[side] for side, edge in enumerate(corners)]
            pen.rectangle(inner, outline=COLOURS[number % len(COLOURS)], width=2)
    return image

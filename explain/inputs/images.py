"""Pictures at the edge of the library: the one place that opens files. The size is read in the header, then
decoded.
"""

import os
from io import BytesIO
from os import PathLike
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 50_000_000
ALLOWED = "JPEG, PNG, WebP, GIF, BMP or TIFF pictures of at most 50 megapixels"
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # MPO, from phones, opens as JPEG
_WHITE = (255, 255, 255, 255)
_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


class PictureError(ValueError):
    """A picture that cannot be used; the message says what is wrong and what is allowed."""


class _Notes(tuple):
    """Sentences of ours in a picture's `info`. PIL puts a file's own texts there too, whatever their names:
    only what is of this class is ours.
    """


def read_image(source: str | PathLike | BinaryIO | bytes) -> Image.Image:
    """An upright RGB picture from a path, an open binary file or bytes; alpha is flattened on white.

    PictureError, a ValueError saying what is allowed, for anything else. What a reader should know ("only
    the first frame...") is in `info["notes"]`, a tuple of sentences; `info` holds nothing else.
    """
    name, file = _source(source)
    try:
        with Image.open(file, formats=_FORMATS) as image:
            _check_size(image, name)
            animated = image.format != "MPO" and getattr(image, "is_animated", False)
            image.seek(0)
            image.load()
            picture = as_rgb(image)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"{name} is too large; allowed: {ALLOWED}") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name} is not a picture that can be read here; allowed: {ALLOWED}") from error
    except Exception as error:  # decoders raise all kinds on damaged files
        raise PictureError(
            f"{name} is damaged or cut short and cannot be read; allowed: {ALLOWED}"
        ) from error
    if animated:
        picture.info["notes"] = _Notes(["only the first frame of this animation is explained"])
    return picture


def opened(image: Image.Image | str | PathLike) -> Image.Image:
    """A PIL image, or the picture at a path, as `as_rgb` and `read_image` give it."""
    return as_rgb(image) if isinstance(image, Image.Image) else read_image(image)


def picture_notes(image: Image.Image) -> tuple[str, ...]:
    """Returns what a reader of this picture should know, as `read_image` found it; nothing that its file claims."""
    found = image.info.get("notes")
    return tuple(found) if isinstance(found, _Notes) else ()


def as_rgb(image: Image.Image) -> Image.Image:
    """A PIL picture of any mode as upright RGB: EXIF orientation applied, alpha and a transparent colour on
    white, 16 bits scaled to 8. Its `info` holds our notes and nothing that a file wrote there.

    Colour profiles are ignored, as they are in CLIP's own preprocessing.
    """
    _check_size(image, "the picture")
    ours = {"notes": image.info["notes"]} if picture_notes(image) else {}
    try:
        image.load()  # one that was only opened is decoded here
        flat = _flat(_upright(image))
    except MemoryError:
        raise
    except Exception as error:  # decoders raise all kinds on damaged files
        raise PictureError(
            f"the picture (mode {image.mode}) is damaged or cannot be read; allowed: {ALLOWED}"
        ) from error
    if flat is image and image.info == ours:
        return image
    flat = flat.copy() if flat is image else flat
    flat.info = ours
    return flat


def _flat(image: Image.Image) -> Image.Image:
    """An upright picture as RGB, what is transparent on white; the same object where it is that already."""
    colour = _transparent_colour(image)
    if image.info.get("transparency") != colour:  # a text of that name, say, which PIL takes for a colour
        image = image.copy()
        del image.info["transparency"]
        image.info |= {} if colour is None else {"transparency": colour}
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image, colour)
    if image.mode in _ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _transparent_colour(image: Image.Image) -> bytes | int | tuple[int, ...] | None:
    """The colour that the file calls transparent (PNG's tRNS), if it is one that its mode can have."""
    colour = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(colour, tuple) and len(colour) == 3:
        return tuple(value >> 8 for value in colour) if max(colour) > 255 else colour  # 16 bits were cut to 8
    allowed = {"P": (int, bytes), "L": int, "1": int, "I": int}.get(image.mode.split(";")[0], ())
    return colour if isinstance(colour, allowed) else None


def _source(source: str | PathLike | BinaryIO | bytes) -> tuple[str, object]:
    """A name for messages, and what PIL can open. Only plain files that are not empty."""
    if isinstance(source, bytes):
        source = BytesIO(source)
    if not isinstance(source, (str, PathLike)):
        if not hasattr(source, "read"):
            raise PictureError(
                f"a picture must be a path or a file, not {type(source).__name__}; allowed: {ALLOWED}"
            )
        return "the picture", source
    name = os.path.basename(os.path.normpath(os.fspath(source)))[:80] or "the picture"
    if "\0" in os.fspath(source) or not os.path.exists(source):
        raise PictureError(f"there is no file {name!r}; allowed: {ALLOWED}")
    if not os.path.isfile(source):
        raise PictureError(f"{name!r} is a folder or no plain file; allowed: {ALLOWED}")
    if os.path.getsize(source) == 0:
        raise PictureError(f"{name!r} is empty (0 bytes); allowed: {ALLOWED}")
    return repr(name), source


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{name} has {width} x {height} = {width * height / 1e6:.0f} megapixels; allowed: {ALLOWED}"
        )
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width} x {height}); allowed: {ALLOWED}")


def _upright(image: Image.Image) -> Image.Image:
    """EXIF orientation applied, where it is there and can be read."""
    try:
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, ArithmeticError, AttributeError):
        return image  # damaged EXIF: the pixels are still good


def _eight_bits(image: Image.Image, transparent: object) -> Image.Image:
    """Grey pictures of 16 bits (modes I;16, I) or floats (F, in [0, 1] or [0, 255]) as 8 bits; the
    transparent value, if there is one, as white.
    """
    raw = np.asarray(image)
    values = np.nan_to_num(raw.astype(np.float32))
    if image.mode == "F":
        values = values * (255 if values.max(initial=0) <= 1 else 1)
    elif image.mode != "I" or values.max(initial=0) > 255:
        values = values / 257
    if transparent is not None:
        values[raw == transparent] = 255
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))

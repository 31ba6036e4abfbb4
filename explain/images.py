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


class PictureError(ValueError):
    """A picture that cannot be used; the message says what is wrong and what is allowed."""


def read_image(source: str | PathLike | BinaryIO | bytes) -> Image.Image:
    """An upright RGB picture from a path, an open binary file or bytes; alpha is flattened on white.

    PictureError, a ValueError saying what is allowed, for anything else. What a reader should know ("only
    the first frame...") is in `info["notes"]`, a tuple of sentences.
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
        picture.info["notes"] = ("only the first frame of this animation is explained",)
    return picture


def as_rgb(image: Image.Image) -> Image.Image:
    """A PIL picture of any mode as upright RGB: EXIF orientation applied, alpha on white, 16 bits scaled to
    8.

    Colour profiles are ignored, as they are in CLIP's own preprocessing.
    """
    _check_size(image, "the picture")
    notes = image.info.get("notes")
    image = _upright(image)
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    try:
        image = image.convert("RGB")
    except ValueError as error:
        raise PictureError(f"pictures of mode {image.mode} cannot be read; allowed: {ALLOWED}") from error
    if notes:
        image.info["notes"] = notes
    return image


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


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey pictures of 16 bits (modes I;16, I) or floats (F, in [0, 1] or [0, 255]) as 8 bits."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    if image.mode == "F":
        values = values * (255 if values.max(initial=0) <= 1 else 1)
    elif image.mode != "I" or values.max(initial=0) > 255:
        values = values / 257
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))

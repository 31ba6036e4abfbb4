"""Pictures told apart."""

import numpy as np
from PIL import Image


def same_picture(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures are the same but for rounding: another process or processor adds in another order."""
    difference = np.asarray(one.convert("RGB"), int) - np.asarray(other.convert("RGB"), int)
    return bool((abs(difference) <= 2).all())

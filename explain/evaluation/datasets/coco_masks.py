"""COCO's ways to write a mask down, decoded: polygons, and run lengths as numbers or packed into a string."""

import numpy as np

_FARTHEST = 1e6  # pixels; a coordinate beyond is a mistake in the file


def decode(segmentation: list | dict, size: tuple[int, int]) -> np.ndarray:
    """The mask (H, W) of an annotation's `segmentation`; `size` is (H, W), the picture's."""
    if isinstance(segmentation, dict):
        return _runs(segmentation, size)
    mask = np.zeros(size, dtype=bool)
    for polygon in segmentation:
        mask |= fill(_points(polygon), size)
    return mask


def fill(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The inside of a closed polygon, points (N, 2) as x, y: (H, W) booleans.

    A pixel belongs to it where its centre, at + 0.5, is inside by the even-odd rule; so two polygons that
    share an edge share no pixel. COCO's own tools round points to fifths of a pixel first, so some pixels on
    an outline may differ.
    """
    height, width = size
    (x, y), (x_next, y_next) = points.T, np.roll(points, -1, axis=0).T
    # Rows [first, last) whose centre lies between the two ends of an edge, for all edges at once.
    first, last = (
        np.ceil(end(y, y_next) - 0.5).clip(0, height).astype(int) for end in (np.minimum, np.maximum)
    )
    counts = last - first
    edge = np.repeat(np.arange(len(points)), counts)
    row = np.arange(len(edge)) - np.repeat(counts.cumsum() - counts, counts) + first[edge]
    along = (row + 0.5 - y[edge]) / (y_next - y)[edge]
    crossing = x[edge] + along * (x_next - x)[edge]
    # Each crossing turns what is to its right from outside to inside, or back.
    turns = np.zeros((height, width + 1), dtype=np.uint8)
    column = np.ceil(crossing - 0.5).clip(0, width).astype(int)
    np.bitwise_xor.at(turns, (row, column), 1)
    return np.bitwise_xor.accumulate(turns, axis=1)[:, :width].astype(bool)


def unpack(text: str) -> list[int]:
    """Run lengths from COCO's string: five bits to a character, the lowest first, from the fourth on as the
    difference to the one before last.

    A character's code less 48 is 32 (more characters follow) + 16 (in the last one: the number is negative)
    + its bits.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:  # beyond 30 bits is no length in a picture
            raise ValueError(f"the run lengths {text[:40]!r} are broken; allowed: COCO's compressed string")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        value -= (1 << shift) if code & 16 else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError(f"the run lengths {text[-40:]!r} are cut short; allowed: COCO's compressed string")
    return counts


def _points(polygon: object) -> np.ndarray:
    """A list x1, y1, x2, y2, ... -> (N, 2)."""
    try:
        flat = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"the polygon {str(polygon)[:80]} is broken; allowed: [x1, y1, x2, y2, ...]"
        ) from error
    # Not above, as NaN compares with nothing.
    if flat.ndim != 1 or flat.size == 0 or flat.size % 2 or not (np.abs(flat) <= _FARTHEST).all():
        raise ValueError(
            f"the polygon {str(polygon)[:80]} is broken; allowed: [x1, y1, x2, y2, ...] in pixels"
        )
    return flat.reshape(-1, 2)


def _runs(segmentation: dict, size: tuple[int, int]) -> np.ndarray:
    """Run lengths, off and on in turn, down the columns from the left."""
    counts, claimed = segmentation.get("counts"), segmentation.get("size")
    if claimed != list(size):
        raise ValueError(f"the mask's size is {str(claimed)[:40]}; allowed: the picture's, {list(size)}")
    counts = unpack(counts) if isinstance(counts, str) else counts
    if not isinstance(counts, list) or not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError(
            f"the run lengths are {str(counts)[:40]}; allowed: whole numbers from 0, or a string"
        )
    if sum(counts) != size[0] * size[1]:
        raise ValueError(f"the run lengths add up to {sum(counts)}; allowed: {size[0] * size[1]}, the pixels")
    on = np.arange(len(counts)) % 2 == 1
    return np.repeat(on, counts).reshape(size[::-1]).T

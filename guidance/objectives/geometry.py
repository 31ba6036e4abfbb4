"""Homographies of whole pictures, in coordinates where the picture is [-1, 1] x [-1, 1], x to the right, y down.

All of them lead backwards, from a place in the view to the place in the picture that is seen there, as
`F.grid_sample` wants it.
"""

import torch
from torch import Tensor

_CORNERS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))
_HORIZON = 0.01  # what is nearer to the horizon, or beyond it, is taken from far outside the picture


def affine(angle: Tensor, right: Tensor, down: Tensor, aspect: float) -> Tensor:
    """(..., 3, 3) that undo a clockwise turn by `angle` about the centre and then a shift. `aspect`: width / height,
    so that turning does not shear.
    """
    cos, sin = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    turn = _matrix(((cos, sin / aspect, zero), (-sin * aspect, cos, zero), (zero, zero, one)))
    shift = _matrix(((one, zero, -right), (zero, one, -down), (zero, zero, one)))
    return turn @ shift


def perspective(inward: Tensor) -> Tensor:
    """(..., 3, 3) that undo moving the four corners inward, by (..., 4, 2) of half a width and half a height; corners
    clockwise from the top left.
    """
    corners = torch.tensor(_CORNERS).to(inward)
    seen = corners * (1 - inward)  # where the corners are in the view
    x, y = seen.unbind(-1)  # (..., 4)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    u, v = corners.expand_as(seen).unbind(-1)
    # u = (ax + by + c) / (gx + hy + 1) and v = (dx + ey + f) / (gx + hy + 1) at each corner
    rows = [
        torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1),
        torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1),
    ]
    found = torch.linalg.solve(torch.cat(rows, dim=-2), torch.cat([u, v], dim=-1))
    return torch.cat([found, torch.ones_like(found[..., :1])], dim=-1).unflatten(-1, (3, 3))


def sampling_grid(homographies: Tensor, size: tuple[int, int]) -> Tensor:
    """Where the centre of every pixel of views of size (h, w) comes from: (..., 3, 3) -> (..., h, w, 2), x and y."""
    rows, columns = ((torch.arange(pixels).to(homographies) * 2 + 1) / pixels - 1 for pixels in size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], dim=-1).flatten(0, 1)  # (h * w, 3)
    found = places @ homographies.mT
    return (found[..., :2] / found[..., 2:].clamp(min=_HORIZON)).unflatten(-2, size)


def _matrix(rows: tuple[tuple[Tensor, ...], ...]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

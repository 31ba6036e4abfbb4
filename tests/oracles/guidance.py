"""Paper A's equations as slow loops over pictures, targets, views and pixels: what the tests of guidance compare with.

Nothing here imports explain or guidance. The towers are those of `oracles.py`.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from tests.oracles import explain as oracles

PREFIX = {"vit": 1, "resnet": 1, "siglip": 0, "cnn": 0}  # columns of A before the patches


def coverage(rectangles, height, width, fine=1):
    """The share of each pixel inside at least one rectangle, by testing fine * fine points in each."""
    found = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            for a in range(fine):
                for b in range(fine):
                    y, x = (i + (a + 0.5) / fine) / height, (j + (b + 0.5) / fine) / width
                    found[i, j] += any(l < x < r and t < y < o for l, t, r, o in rectangles)  # noqa: E741
    return found / fine**2


def bilinear(plane, x, y):
    """The value of a plane (H, W) at x, y in [-1, 1], borders repeated, pixel centres (align_corners=False)."""
    height, width = plane.shape
    column = min(max((x + 1) * width / 2 - 0.5, 0), width - 1)
    row = min(max((y + 1) * height / 2 - 0.5, 0), height - 1)
    j, i = int(column), int(row)
    right, below = min(j + 1, width - 1), min(i + 1, height - 1)
    u, v = column - j, row - i
    upper = plane[i, j] * (1 - u) + plane[i, right] * u
    lower = plane[below, j] * (1 - u) + plane[below, right] * u
    return upper * (1 - v) + lower * v


def inside(q, mask, threshold=0.1, sharpness=20.0):
    """D of a map and a mask, pixel by pixel, as 2 P / (1 + P)."""
    largest = max(float(value) for value in q.flatten())
    on = off = 0.0
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            share = float(q[i, j]) / largest if largest > 0 else 0.0
            b = 1 / (1 + math.exp(-(share - threshold) * sharpness))
            on += b * float(mask[i, j])
            off += b * (1 - float(mask[i, j]))
    precision = on / (on + off)
    return 2 * precision / (1 + precision)


def angle(x, y):
    """The angle between two vectors, by their cosine: d is half its square."""
    return ((x @ y) / (x.norm() * y.norm())).acos()


def relevance_map(model, family, image, text, all_layers=False):
    """Unit feature (D,) and relevance (patches,) of one normalised image (3, H, W), both differentiable in it."""
    feature, probs = oracles.image_tower(model, image, family)
    grads = torch.autograd.grad(feature @ text, probs, create_graph=True)
    each = [
        sum(torch.relu(a * g) for a, g in zip(A, G, strict=True)) / len(A)
        for A, G in zip(probs, grads, strict=True)
    ]
    if not all_layers:
        return feature, each[-1][0, PREFIX[family] :]
    rolled = torch.eye(each[0].shape[-1], dtype=image.dtype)
    for layer, c in enumerate(each):
        final = family != "vit" and layer == len(each) - 1
        rolled = c @ rolled if final else rolled + c @ rolled
    return feature, rolled[0, PREFIX[family] :]


def cosine_map(tokens, text):
    """Cosines of dense tokens (P, D) with a text, less their mean, those above it."""
    cosines = torch.stack([(token @ text) / (token.norm() * text.norm()) for token in tokens])
    return torch.relu(cosines - sum(cosines) / len(cosines))


def losses(look, image, targets, scene, views, size, mean, std, choice):
    """The parts of the loss of one picture (3, H, W): whole, masked, relevance, coverage, scene.

    `look(x, text)` gives a feature and a map (rows, columns) of a normalised image. `targets`: a text (D,), a mask of
    CLIP's size, and r, of each. `views`: of each, a sampling grid (h, w, 2), a colour matrix, what is kept and noise.
    """
    plain = image
    if tuple(image.shape[1:]) != tuple(size):
        plain = F.interpolate(image[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
    shown = []
    for grid, colour, kept, noise in views:
        x = F.grid_sample(plain[None], grid[None], padding_mode="border", align_corners=False)[0]
        x = torch.stack([sum(colour[d, c] * x[c] for c in range(3)) for d in range(3)]) * kept + noise
        shown.append((x - mean) / std)
    parts = {"whole": 0, "masked": 0, "relevance": 0, "coverage": 0, "scene": 0}
    for text, mask, share in targets:
        alone, within, precise, covered = [], [], [], []
        for (grid, *_), x in zip(views, shown, strict=True):
            m = F.grid_sample(mask[None, None], grid[None], padding_mode="border", align_corners=False)[0, 0]
            m = (m > mask.max() / 2).to(x)
            if m.sum() == 0:
                continue
            feature, q = look(x, text)
            alone.append(angle(feature, text) ** 2 / 2)
            within.append(angle(look(x * m, text)[0], text) ** 2 / 2)
            q = F.interpolate(q[None, None], size=size, mode="bicubic", align_corners=False)[0, 0].clamp(
                min=0
            )
            largest = q.max()
            if largest > 0:
                q = q / largest
            b = torch.sigmoid((q - choice.threshold) * choice.sharpness)
            on, off = (b * m).sum(), (b * (1 - m)).sum()
            precise.append(2 * on / (2 * on + off))
            covered.append(on / m.sum())
        if not alone:
            continue
        both = (alone if choice.whole_views else []) + (within if choice.masked_views else [])
        if choice.whole_views:
            parts["whole"] += sum(alone) / len(both)
        if choice.masked_views:
            parts["masked"] += sum(within) / len(both)
        parts["relevance"] -= choice.lambda0 / share**0.5 * sum(precise) / len(precise)
        parts["coverage"] -= choice.coverage_weight * sum(covered) / len(covered)
    for x in shown if scene is not None else ():
        parts["scene"] += choice.scene_weight * angle(look(x, scene)[0], scene) ** 2 / 2 / len(shown)
    return parts

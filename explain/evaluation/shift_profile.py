"""Semantic shift of a model, in numbers: what its pooling takes from the thing, and what from the background.

`shift.py` has the measures and says whose claim they test. Four of them, over pictures:

    provenance    how much of what is pooled comes from the things: by attention, and channel by channel of a maximum
    joint space   whether the pooled picture, and the text, are nearer to the mean background token
    depth         the score contrast of the similarity map after every block: where the sign turns
    poolings      the same dense tokens pooled in other ways, with the projection as it is

The foreground is all things of a picture together; the text's shift and the depth are asked thing by thing. Masked
poolings are given the exact masks here: what a mask could reach, not what it does. To train a projection for each
pooling is `ablate-eclip`'s work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.eclip.training import POOLINGS, pooled
from explain.evaluation.maps import Seen, spread
from explain.evaluation.shift import Provenance, attention_provenance, channel_provenance, shift
from explain.methods.itsm import depth_maps
from explain.metrics import grid_ceiling, measure

Entry = dict[str, Any]


@torch.no_grad()
def shift_entry(seen: Seen) -> Entry | None:
    """All four measures of one picture; None where no patch is free of things, or none has any.

    Uses the run with every attention open; the last block runs once more, for all rows.
    """
    subject, encoding = seen.subject, seen.encoding
    grid = encoding.tokens.grid
    valid = np.ones(grid) if subject.valid is None else grid_ceiling(subject.valid, grid)
    masks = [grid_ceiling(thing.mask, grid, subject.valid) for thing in subject.things]
    things = grid_ceiling(np.any([thing.mask for thing in subject.things], axis=0), grid, subject.valid)
    if not (things * valid).any() or not ((1 - things) * valid).any():
        return None
    rows = _projected(seen)
    pools = _poolings(seen, rows, things, valid)
    tokens = F.normalize(rows[0, 1:], dim=-1).unflatten(0, grid).cpu().numpy()
    known = [i for i, mask in enumerate(masks) if (mask * valid).any() and ((1 - mask) * valid).any()]
    texts = seen.texts.cpu().numpy()
    return {
        "pools": pools,
        "text": [shift(texts[i], tokens, masks[i], valid) for i in known],
        "depth": _depth(seen),
    }


def summary(entries: Sequence[Entry | None]) -> dict[str, object] | None:
    """Means with 95 % intervals over the pictures (of the depth: over the things). Shares and contrasts in percent,
    shifts as differences of cosines. `depth` is None for a tower that can be read at its end alone.
    """
    known = [entry for entry in entries if entry is not None]
    if not known:
        return None
    poolings = [_pooling_row(name, [entry["pools"][name] for entry in known]) for name in POOLINGS]
    depths = [row for entry in known for row in entry["depth"]]
    rows = {row["pooling"]: row for row in poolings}
    return {
        "pictures": len(known),
        "foreground": "all things of a picture together",
        "provenance": {"attention": _without_shift(rows["class"]), "maximum": _without_shift(rows["max"])},
        "joint_space": spread("pooled", [entry["pools"]["class"]["shift"] for entry in known])
        | spread("text", [float(np.mean(entry["text"])) if entry["text"] else None for entry in known]),
        "depth": None
        if not depths or len(depths[0]) < 2
        else [
            {"block": block} | spread("msc", values, 100)
            for block, values in enumerate(zip(*depths, strict=True), 1)
        ],
        "poolings": poolings,
    }


def _projected(seen: Seen) -> Tensor:
    """The model's own pooled row and its dense tokens in the joint space (1, 1 + P, D), not normalised."""
    visual = seen.encoding.clip.model.visual
    weight, bias = towers.head(visual)
    return towers.head_input(visual, seen.encoding.tokens) @ weight + bias


def _poolings(seen: Seen, rows: Tensor, things: np.ndarray, valid: np.ndarray) -> dict[str, dict[str, float]]:
    """Returns for every pooling the share that it takes from the things, their area, and the pooled row's shift."""
    grid = things.shape
    kept = things * valid > 0.5
    if not kept.any():  # things smaller than half a patch: the patch that has most of them
        kept = things * valid == (things * valid).max()
    mask = torch.from_numpy(kept.reshape(1, -1)).to(rows.device)
    patches = rows[0, 1:]
    layers = seen.encoding.layers
    attention = layers.probs[-1].detach()[0].mean(0)[0, -patches.shape[0] :].reshape(grid).cpu().numpy()
    sources: dict[str, Provenance] = {
        "class": attention_provenance(attention, things, valid),
        "average": attention_provenance(np.ones(grid), things, valid),
        "max": _channels(patches.argmax(0), things, valid),
        "masked_average": attention_provenance(kept.astype(float), things, valid),
        "masked_max": _channels(patches.masked_fill(~mask.T, -torch.inf).argmax(0), things, valid),
    }
    tokens = F.normalize(patches, dim=-1).unflatten(0, grid).cpu().numpy()
    return {
        name: {
            "pooled": source.pooled,
            "area": source.area,
            "shift": shift(pooled(rows, mask, name)[0].cpu().numpy(), tokens, things, valid),
        }
        for name, source in sources.items()
    }


def _channels(winners: Tensor, things: np.ndarray, valid: np.ndarray) -> Provenance:
    return channel_provenance(winners.cpu().numpy(), things, valid)


def _depth(seen: Seen) -> list[list[float]]:
    """The score contrast after every block (L,) of every thing that has one."""
    maps = depth_maps(seen.encoding.clip, seen.encoding.layers, seen.texts)[:, 0].float().cpu().numpy()
    rows = []
    for i, thing in enumerate(seen.subject.things):
        found = [measure(heatmap, thing.mask, seen.subject.valid) for heatmap in maps[:, i]]
        contrasts = [each.contrast for each in found if each is not None and each.contrast is not None]
        rows += [contrasts] if contrasts else []
    return rows


def _pooling_row(name: str, found: Sequence[dict[str, float]]) -> dict[str, Any]:
    return (
        {"pooling": name}
        | spread("pooled", [each["pooled"] for each in found], 100)
        | spread("area", [each["area"] for each in found], 100)
        | spread("excess", [each["pooled"] - each["area"] for each in found], 100)
        | spread("shift", [each["shift"] for each in found])
    )


def _without_shift(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith(("shift", "pooling"))}

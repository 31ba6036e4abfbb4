"""BoxObjective: how far pictures are from showing every object in its box, by CLIP, differentiably.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), spatial application. For the V views x_v of
a picture and a target with text feature t and masks m_v,

    L = mean over {x_v} and {x_v m_v} of d(x, t)  -  lambda mean_v D(x_v, m_v)

summed over the targets; `losses.py` has d, D and lambda, `views.py` the views. Every target is a prompt of its own, "a
photo of ...". What is outside a mask has CLIP's mean colour: pictures are multiplied after they were normalised. The
map in D is of the whole view; its gradient leads through dS/dA as well as through A (second derivatives).

Differs from the paper: views in which a mask vanishes do not count for its target; targets of less than one patch are
weighed as one patch; pictures of any size are brought to CLIP's by area (bilinear, antialiased). All whole views of all
pictures are one run of the image tower, however many targets there are; the masked ones are a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.clip.model import Clip
from guidance.checks import whole
from guidance.layout.parsing import Layout
from guidance.objectives import losses
from guidance.objectives.heatmaps import HEATMAPS, refusal
from guidance.objectives.layout_tensors import layout_tensors
from guidance.objectives.readings import Judgement, Readings, TargetReading, readings
from guidance.objectives.settings import ObjectiveSettings
from guidance.objectives.views import Seeing, Views, draw_views, identity_views
from guidance.seeding import MAX_SEED

__all__ = ["BoxObjective", "Judgement", "ObjectiveSettings", "Readings", "TargetReading"]


@dataclass(frozen=True, eq=False)
class _Seen:
    """CLIP's readings of the views: images (B, V, 3, h, w) normalised, features (B, V, D); of every target its masks
    (B, K, V, h, w), maps (B, K, V, rows, columns), the same at the masks' size, and D (B, K, V). `counts` (B, K, V): 1
    where a target's mask is in the view.
    """

    images: Tensor
    features: Tensor
    masks: Tensor
    maps: Tensor
    relevance: Tensor
    inside: Tensor
    counts: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """(B, K, V) -> (B, K) over the views that count; 0 where none does."""
        return (values * self.counts).sum(-1) / self.counts.sum(-1).clamp(min=1)


class BoxObjective:
    """The loss of B pictures, each with a layout and a seed of its own: `objective(images, step)`.

    The views of picture i at a step depend on (seeds[i], step) alone, so a batch is its pictures one by one, and runs
    can be repeated. Texts are encoded here, once. `notes` are sentences for people. ValueError where the model lacks
    what the settings ask for, or a layout asks for nothing.
    """

    def __init__(
        self,
        clip: Clip,
        layouts: Sequence[Layout],
        seeds: Sequence[int],
        settings: ObjectiveSettings | None = None,
    ) -> None:
        self.clip, self.settings = clip, settings or ObjectiveSettings()
        self.layouts = tuple(layouts)
        self.seeds = tuple(whole("seed", seed, 0, MAX_SEED) for seed in seeds)
        if not self.layouts or len(self.layouts) != len(self.seeds):
            raise ValueError(
                f"{len(self.layouts)} layouts and {len(self.seeds)} seeds; allowed: one each, or more"
            )
        reason = refusal(clip, self.settings.heatmap)
        if reason is not None:
            raise ValueError(f"{self.settings.heatmap} does not work with {clip.name}: {reason}")
        self._seeing = Seeing(clip, len(self.layouts))
        with self._seeing.precise():
            self._layouts = layout_tensors(clip, self.layouts, self.settings)
        self.grid, self.notes = self._layouts.grid, self._layouts.notes

    def __call__(self, images: Tensor, step: int) -> Judgement:
        """Images (B, 3, H, W) in [0, 1] of any size from `seeing.MIN_PIXELS` on; `step` chooses the views."""
        choice = self.settings
        step = whole("step", step, 0, MAX_SEED)
        drawn = (choice.views, self.clip.size, choice.view_strength, choice.legacy_single_view)
        graph = torch.is_grad_enabled() and images.requires_grad
        with torch.set_grad_enabled(graph), self._seeing.precise():
            views = draw_views(self.seeds, step, *drawn)
            seen = self._look(images, views, graph and choice.needs_map)
            terms = self._terms(seen)
            total = torch.stack(list(terms.values())).sum(0)
        detached = {name: values.detach() for name, values in terms.items()}
        return Judgement(total, detached, self._readings(seen))

    @torch.no_grad()
    def of_targets(self, images: Tensor) -> Tensor:
        """The loss (B, K + 1) of the pictures as they are, without views and gradient: the part of each target, 0 where
        there is none, and what is no target's.
        """
        with self._seeing.precise():
            seen = self._look(images, identity_views(len(self.layouts), self.clip.size), graph=False)
            each = sum(self._target_terms(seen).values(), torch.zeros_like(self._layouts.shares))
            return torch.cat([each, self._scene(seen)[:, None]], dim=1)

    @torch.no_grad()
    def read(self, images: Tensor) -> Readings:
        """How the pictures as they are do, with maps: one run of the image tower, no views and no gradient."""
        with self._seeing.precise():
            seen = self._look(images, identity_views(len(self.layouts), self.clip.size), graph=False)
        return self._readings(seen, seen.maps[:, :, 0])

    def _look(self, images: Tensor, views: Views, graph: bool) -> _Seen:
        """One run of the image tower for all views. `graph`: whether the maps are differentiable."""
        normal = self._seeing.views_of(images, views)
        count = normal.shape[1]
        texts = self._layouts.texts.repeat_interleave(count, 0)
        pooled, maps = HEATMAPS[self.settings.heatmap](self.clip, normal.flatten(0, 1), texts, graph)
        masks = views.of_masks(self._layouts.masks)
        with torch.set_grad_enabled(graph):
            maps = (maps if graph else maps.detach()).unflatten(0, (-1, count)).transpose(1, 2)
            relevance = losses.on_pixels(maps, self.clip.size)
            inside = losses.relevance_in_mask(
                relevance, masks, self.settings.threshold, self.settings.sharpness
            )
        counts = masks.amax((-2, -1)) * self._layouts.there[..., None]
        return _Seen(normal, pooled.unflatten(0, (-1, count)), masks, maps, relevance, inside, counts)

    def _terms(self, seen: _Seen) -> dict[str, Tensor]:
        """The parts of the loss, (B,) each."""
        terms = {name: values.sum(-1) for name, values in self._target_terms(seen).items()}
        if self.settings.scene_weight:
            terms["scene"] = self._scene(seen)
        return terms

    def _scene(self, seen: _Seen) -> Tensor:
        """How far the pictures are from their own prompts, weighted, (B,)."""
        if not self.settings.scene_weight:
            return seen.features.new_zeros(len(seen.features))
        distance = losses.spherical_distance(seen.features, self._layouts.scenes[:, None])
        return self.settings.scene_weight * distance.mean(-1)

    def _target_terms(self, seen: _Seen) -> dict[str, Tensor]:
        """Those that every target has its own of, (B, K) each; 0 where there is no target."""
        choice, layouts, terms = self.settings, self._layouts, {}
        half = 1 / (choice.whole_views + choice.masked_views or 1)
        if choice.whole_views:
            distance = losses.spherical_distance(seen.features[:, None], layouts.texts[:, :, None])
            terms["whole"] = half * seen.mean(distance)
        if choice.masked_views:
            terms["masked"] = half * seen.mean(self._masked_distance(seen))
        if choice.lambda0:
            weight = losses.object_weight(layouts.shares, choice.lambda0)
            terms["relevance"] = -weight * seen.mean(seen.inside)
        if choice.coverage_weight:
            covered = losses.mask_coverage(seen.relevance, seen.masks, choice.threshold, choice.sharpness)
            terms["coverage"] = -choice.coverage_weight * seen.mean(covered)
        return terms

    def _masked_distance(self, seen: _Seen) -> Tensor:
        """d of what is seen of each target's place alone (B, K, V), 0 where its mask is not in the view."""
        b, k, v = seen.counts.nonzero(as_tuple=True)
        found = torch.zeros_like(seen.counts)
        if not len(b):
            return found
        masked = seen.images[b, v] * seen.masks[b, k, v].unsqueeze(1)
        distance = losses.spherical_distance(self.clip.encode_images(masked), self._layouts.texts[b, k])
        return found.index_put((b, k, v), distance)

    @torch.no_grad()
    def _readings(self, seen: _Seen, maps: Tensor | None = None) -> Readings:
        """Means over the views that count, or over all of them where none does."""
        counts = torch.where(seen.counts.any(-1, keepdim=True), seen.counts, torch.ones_like(seen.counts))
        features = F.normalize(seen.features, dim=-1)
        cosines = torch.einsum("bvd,bkd->bkv", features, self._layouts.texts)
        share = losses.share_in_mask(seen.relevance, seen.masks)
        cosine, inside, part = (
            (values * counts).sum(-1) / counts.sum(-1) for values in (cosines, seen.inside, share)
        )
        return readings(self._layouts.phrases, cosine, inside, part, maps)

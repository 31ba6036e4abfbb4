"""Encodings of a picture, computed once: its tokens, pooled row and dense tokens, and the texts already read
beside it.

Kept per model, by the content of the picture, least recently used out first. A new prompt on a picture that
was seen costs a text encoding; the same prompt again, whatever the method, costs no run of either tower.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from explain import towers
from explain.clip.gradients import gradient_times_input
from explain.clip.model import Clip
from explain.relevance.texts import record_texts, token_rows
from explain.towers import Layers, Tokens

PICTURES = 32  # per model; a ViT-L-14 picture takes about 2 MB
TEXTS = 256  # per picture

_guard = threading.Lock()


@dataclass(frozen=True)
class ReadText:
    """A text beside a picture: feature (D,) of unit norm, relevance (L,) of its tokens to the picture, not
    normalised, and their gradient times input (L,), signed.
    """

    feature: Tensor
    relevance: tuple[float, ...]
    slopes: tuple[float, ...]


class ImageEncoding:
    """One or more images (B, 3, H, W) and what the image tower makes of them: one forward, however many
    methods ask.

    `tokens` enter the last attention, `features` (B, D) and `dense` (B, h, w, D) are of unit norm. None
    carries a graph. Safe to use from several threads.
    """

    def __init__(self, clip: Clip, images: Tensor) -> None:
        self.clip, self.images = clip, images
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}
        self._texts: OrderedDict[str, ReadText] = OrderedDict()
        self._whole: tuple[ImageEncoding, int] | None = None

    @property
    def layers(self) -> Layers:
        """One run with every attention open, on its graph. It is large: a model keeps that of one encoding,
        the last that was asked for it. Asked for first, it is the one forward that all else is taken from.
        """
        with self._lock:
            found: Layers | None = self._made.get("layers")
            if found is None:
                with torch.enable_grad():
                    found = towers.layers(self.clip.model.visual, self.images)
                self._made["layers"] = found
                self._made.setdefault("tokens", found.tokens)
                self._made.setdefault("features", F.normalize(found.pooled.detach(), dim=-1))
        with _guard:
            previous, self.clip.opened[:] = list(self.clip.opened), [self]
        for encoding in previous:
            if encoding is not self:
                encoding._made.pop("layers", None)
        return found

    @property
    def tokens(self) -> Tokens:
        return self._once("tokens", lambda visual: towers.trunk(visual, self.images))

    @property
    def features(self) -> Tensor:
        return self._once("features", lambda visual: F.normalize(towers.pool(visual, self.tokens), dim=-1))

    @property
    def dense(self) -> Tensor:
        def run(visual):
            return F.normalize(towers.dense(visual, self.tokens), dim=-1).unflatten(1, self.tokens.grid)

        return self._once("dense", run)

    def singles(self) -> list["ImageEncoding"]:
        """One encoding per image, with the tokens of the forward that they share. What one of them is asked for
        first is made for all, in one batch.
        """
        tokens = self.tokens
        found = [ImageEncoding(self.clip, image) for image in self.images.split(1)]
        for row, (encoding, values) in enumerate(zip(found, tokens.values.split(1), strict=True)):
            encoding._made["tokens"] = Tokens(values, tokens.grid)
            encoding._whole = self, row
        return found

    def read(self, prompts: Sequence[str]) -> list[ReadText]:
        """Features and token scores of prompts beside the first image; runs the text tower for new ones alone."""
        with self._lock:
            new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
            if new:
                read = _read(self.clip, self.clip.tokenize(new), self.features[0])
                self._texts.update(zip(new, read, strict=True))
            found = [self._texts[prompt] for prompt in prompts]
            for prompt in prompts:
                self._texts.move_to_end(prompt)
            while len(self._texts) > TEXTS:
                self._texts.popitem(last=False)
            return found

    def _once(self, name, run):
        with self._lock:
            if name not in self._made and self._whole is not None:
                whole, row = self._whole
                self._made[name] = getattr(whole, name)[row : row + 1]
            elif name not in self._made:
                with torch.no_grad():
                    self._made[name] = run(self.clip.model.visual)
            return self._made[name]


def encode(clip: Clip, image: Image.Image) -> ImageEncoding:
    """The encoding of a picture, kept by (model, content): the same content is the same object."""
    image = image if image.mode == "RGB" else image.convert("RGB")
    digest = hashlib.sha256(repr(image.size).encode())
    digest.update(image.tobytes())
    key = digest.digest()
    with _guard:
        if key in clip.pictures:
            clip.pictures.move_to_end(key)
            return clip.pictures[key]
    fresh = ImageEncoding(clip, clip.prepare([image]))
    with _guard:
        encoding = clip.pictures.setdefault(key, fresh)
        while len(clip.pictures) > PICTURES:
            clip.pictures.popitem(last=False)
    return encoding


def _read(clip: Clip, texts: Tensor, image_feature: Tensor) -> list[ReadText]:
    """Texts (T, L) beside an image (D,): one run of their tower and one backward pass for all that rates words."""
    embeddings = towers.embed(clip.model, texts).detach().requires_grad_()
    recorded = record_texts(clip, texts, embeddings=embeddings)
    with torch.enable_grad():
        score = (recorded.features @ image_feature).sum() * clip.logit_scale
    *grads, slopes = torch.autograd.grad(score, [*recorded.probs, embeddings])
    with torch.no_grad():
        relevance = token_rows(clip, recorded, grads).tolist()
        slopes = gradient_times_input(embeddings, slopes / clip.logit_scale).tolist()
    return [
        ReadText(feature, tuple(one), tuple(other))
        for feature, one, other in zip(recorded.features.detach(), relevance, slopes, strict=True)
    ]

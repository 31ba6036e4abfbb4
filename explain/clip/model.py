"""Clip: one loaded CLIP model with its transform and tokenizer. Loading is in `loading.py`."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from PIL import Image
from torch import Tensor, nn

from explain import towers
from explain.clip.projection import Projection
from explain.inputs.words import Word, find_words, tokenize


@dataclass(frozen=True, eq=False)
class Clip:
    """One model, in evaluation mode, fp32, frozen. `transform` squashes a PIL image to the model's size (3,
    H, W): no crop, so that a map covers the whole picture. `vocabulary`: the words seen in training, where
    that is known. `eclip`: the projection that was trained for it beside its own (`projection.py`).
    """

    name: str
    model: nn.Module = field(repr=False)
    transform: Callable[[Image.Image], Tensor] = field(repr=False)
    tokenizer: SimpleTokenizer | HFTokenizer = field(repr=False)
    vocabulary: frozenset[str] | None = field(default=None, repr=False)
    eclip: Projection | None = field(default=None, repr=False)
    # What `encodings.py` keeps of pictures: here, so that it goes when the model goes.
    pictures: OrderedDict = field(default_factory=OrderedDict, init=False, repr=False)
    opened: list = field(
        default_factory=list, init=False, repr=False
    )  # the one picture whose layers are kept

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale.device

    @property
    def logit_scale(self) -> float:
        """The factor between cosines and logits (the inverse temperature of training)."""
        return float(self.model.logit_scale.detach().exp())

    @property
    def context_length(self) -> int:
        return self.model.context_length

    @cached_property
    def start_tokens(self) -> int:
        """How many special tokens stand before the first word of a text."""
        return find_words(self.tokenizer, "a").words[0].start

    @cached_property
    def empty_text(self) -> Tensor:
        """The feature (D,) of the prompt without words."""
        with torch.no_grad():
            return self.encode_texts(self.tokenize([""]))[0]

    @property
    def size(self) -> tuple[int, int]:
        """Native input size (height, width) in pixels."""
        size = self.model.visual.image_size
        return (size, size) if isinstance(size, int) else tuple(size)

    def prepare(self, images: Sequence[Image.Image]) -> Tensor:
        """PIL images -> (B, 3, H, W), normalised as in training, on the model's device."""
        return torch.stack([self.transform(image) for image in images]).to(self.device)

    def tokenize(self, prompts: Sequence[str]) -> Tensor:
        """Prompts -> ids (B, L), on the model's device; cut at the context length."""
        return tokenize(self.tokenizer, prompts).to(self.device)

    def encode_images(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D), unit norm."""
        visual = self.model.visual
        return F.normalize(towers.pool(visual, towers.trunk(visual, images)), dim=-1)

    def encode_texts(self, texts: Tensor) -> Tensor:
        """(B, L) ids -> (B, D), unit norm."""
        return F.normalize(towers.text_features(self.model, texts), dim=-1)

    def dense_tokens(self, images: Tensor, rn_dense: str = "attn") -> Tensor:
        """(B, 3, H, W) -> (B, h, w, D), unit norm: one vector per patch, in the space of images and texts."""
        tokens = towers.trunk(self.model.visual, images)
        dense = towers.dense(self.model.visual, tokens, rn_dense)
        return F.normalize(dense, dim=-1).unflatten(1, tokens.grid)

    def words(self, prompts: Sequence[str]) -> list[list[Word]]:
        """The printable words of each prompt and their token spans, without start, end and padding."""
        return [find_words(self.tokenizer, prompt).words for prompt in prompts]

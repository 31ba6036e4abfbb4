"""Chooses the model for a picture: one that was made for such pictures, or the best one on this machine.

Built-in models know one kind of pictures. A scene of Toyland is told from everything else by a linear test on the
feature z of the picture, of unit norm, in the model for photographs, which has to read all other pictures anyway:

    a.z > b

with a and b from logistic regression over drawn scenes and photographs; they lie beside that model's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from explain.clip import loading, weights
from explain.clip.catalogue import AUTOMATIC, CATALOGUE, MODELS, Entry
from explain.clip.model import Clip
from explain.encodings import encode

SCENES, PHOTOGRAPHS = "toy-vit", "photo"  # the built-in models, each for its kind of pictures
TEST = MODELS / PHOTOGRAPHS / "scenes" / "test.safetensors"
A_SCENE = "this is a scene of Toyland"
BEST_HERE = "the best model for photographs on this machine"
BUILT_IN = "the built-in model for photographs"


@dataclass(frozen=True)
class Chosen:
    """The name of a model of the catalogue, and why it was chosen, as the end of a sentence."""

    model: str
    reason: str


def load(
    name: str | Path = AUTOMATIC,
    device: str = "auto",
    progress: weights.Progress | None = None,
    image: Image.Image | None = None,
) -> Clip:
    """A model by its name, or any open_clip model directory by path: see `loading.load`. "automatic" is the model for
    `image`, or without one the best for photographs on this machine.
    """
    if name == AUTOMATIC:
        name = (for_photographs() if image is None else choose(image, device)).model
    return loading.load(name, device, progress)


def choose(image: Image.Image, device: str = "auto") -> Chosen:
    """The model that answers for a picture when nobody names one. Runs the built-in model for photographs once, whose
    encoding of the picture is kept.
    """
    return for_scenes() if is_scene(image, device) else for_photographs()


def for_scenes() -> Chosen:
    """The model for drawn scenes."""
    return Chosen(SCENES, A_SCENE)


def for_photographs() -> Chosen:
    """The first downloaded model of the catalogue whose files are all here, or else the built-in one."""
    here = next((entry.name for entry in CATALOGUE.values() if not entry.local and _is_here(entry)), None)
    return Chosen(PHOTOGRAPHS, BUILT_IN) if here is None else Chosen(here, BEST_HERE)


def is_scene(image: Image.Image, device: str = "auto") -> bool:
    """Whether a picture is a scene of Toyland, whatever its size and format."""
    direction, limit = _test()
    feature = encode(loading.load(PHOTOGRAPHS, device), image).features[0].cpu()
    return bool(feature @ direction > limit)


@lru_cache(maxsize=1)
def _test() -> tuple[Tensor, Tensor]:
    found = load_file(TEST)
    return found["direction"].float(), found["limit"].float()


def _is_here(entry: Entry) -> bool:
    return all(weights.cached(entry.repository, name) for name in entry.files)

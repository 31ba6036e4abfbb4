"""CLIP opened up: what it looks at in a picture, and which words it uses. In six lines:

    from explain import explain_image, heatmap, load, read_image

    image = read_image("photo.jpg")
    clip = load(image=image)  # the best model here for this picture; or load("toy-vit")
    for explanation in explain_image(clip, image, ["a red car", "the sky"], method="itsm"):
        print(explanation.prompt, explanation.score, explanation.tokens)
        heatmap.overlay(image, explanation.heatmap).save(f"{explanation.prompt}.png")

Errors in what is given are ValueErrors that say what is allowed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explain import heatmap, metrics
    from explain.automatic import Chosen, choose, load
    from explain.averages import FolderStability
    from explain.catalogue import CATALOGUE, Entry, available
    from explain.clip import Clip
    from explain.explanation import Explanation, each_method, explain_depth, explain_image, explain_methods
    from explain.folderstability import explain_folder
    from explain.images import read_image
    from explain.methods import METHODS, WORD_METHODS, Method, WordMethod
    from explain.phrasebook import PHRASINGS
    from explain.randomweights import randomised
    from explain.stability import Stability, explain_phrasings
    from explain.weights import ModelUnavailable

__all__ = [
    "CATALOGUE",
    "METHODS",
    "PHRASINGS",
    "WORD_METHODS",
    "Chosen",
    "Clip",
    "Entry",
    "Explanation",
    "FolderStability",
    "Method",
    "ModelUnavailable",
    "Stability",
    "WordMethod",
    "available",
    "choose",
    "each_method",
    "explain_depth",
    "explain_folder",
    "explain_image",
    "explain_methods",
    "explain_phrasings",
    "heatmap",
    "load",
    "metrics",
    "randomised",
    "read_image",
]

_HOMES = {
    "automatic": ("Chosen", "choose", "load"),
    "averages": ("FolderStability",),
    "catalogue": ("CATALOGUE", "Entry", "available"),
    "clip": ("Clip",),
    "explanation": ("Explanation", "each_method", "explain_depth", "explain_image", "explain_methods"),
    "folderstability": ("explain_folder",),
    "images": ("read_image",),
    "methods": ("METHODS", "WORD_METHODS", "Method", "WordMethod"),
    "phrasebook": ("PHRASINGS",),
    "randomweights": ("randomised",),
    "stability": ("Stability", "explain_phrasings"),
    "weights": ("ModelUnavailable",),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """What is above, imported when it is first asked for (PEP 562): the catalogue needs no torch."""
        home = next((home for home, names in _HOMES.items() if name in names), None)
        if home is not None:
            found = getattr(import_module(f"explain.{home}"), name)
        elif name in __all__:
            found = import_module(f"explain.{name}")
        else:
            raise AttributeError(f"module 'explain' has no attribute {name!r}")
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

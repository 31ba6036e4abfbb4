"""CLIP opened up: what it looks at in a picture, and which words it uses. In six lines:

    from explain import explain_image, heatmap, load, read_image

    image = read_image("photo.jpg")
    clip = load(image=image)  # the best model here for this picture; or load("toy-vit")
    for explanation in explain_image(clip, image, ["a red car", "the sky"], method="itsm"):
        print(explanation.prompt, explanation.score, explanation.tokens)
        heatmap.overlay(image, explanation.heatmap).save(f"{explanation.prompt}.png")

Errors in what is given are ValueErrors that say what is allowed.
"""

from typing import TYPE_CHECKING

from explain.faces import lazily

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
    "": ("heatmap", "metrics"),
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
    __getattr__, __dir__ = lazily(__name__, _HOMES)

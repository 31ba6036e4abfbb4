"""CLIP opened up: what it looks at in a picture, and which words it uses. In six lines:

    from explain import explain_image, heatmap, load, read_image

    image = read_image("photo.jpg")
    clip = load(image=image)  # the best model here for this picture; or load("toy-vit")
    for explanation in explain_image(clip, image, ["a red car", "the sky"], method="itsm"):
        print(explanation.prompt, explanation.score, explanation.tokens)
        heatmap.overlay(image, explanation.heatmap).save(f"{explanation.prompt}.png")

Errors in what is given are ValueErrors that say what is allowed. The folders: towers/ opens open_clip, inputs/ reads
what is given, clip/ holds one model, relevance/ goes through attentions, methods/ makes maps, eclip/ trains a
projection, stability/ asks in other words, evaluation/ measures, commands/ are the command lines.
"""

from typing import TYPE_CHECKING

from explain.faces import lazily

if TYPE_CHECKING:
    from explain import heatmap, metrics
    from explain.automatic import Chosen, choose, load
    from explain.clip.catalogue import CATALOGUE, Entry, available
    from explain.clip.model import Clip
    from explain.clip.random_weights import randomised
    from explain.clip.weights import ModelUnavailable
    from explain.explanation import Explanation, each_method, explain_depth, explain_image, explain_methods
    from explain.inputs.images import read_image
    from explain.methods import METHODS, WORD_METHODS, Method, WordMethod, lacking
    from explain.stability.averages import FolderStability
    from explain.stability.many_pictures import explain_folder
    from explain.stability.one_picture import Stability, explain_phrasings
    from explain.stability.phrasebook import PHRASINGS

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
    "lacking",
    "load",
    "metrics",
    "randomised",
    "read_image",
]

_HOMES = {
    "": ("heatmap", "metrics"),
    "automatic": ("Chosen", "choose", "load"),
    "clip.catalogue": ("CATALOGUE", "Entry", "available"),
    "clip.model": ("Clip",),
    "clip.random_weights": ("randomised",),
    "clip.weights": ("ModelUnavailable",),
    "explanation": ("Explanation", "each_method", "explain_depth", "explain_image", "explain_methods"),
    "inputs.images": ("read_image",),
    "methods": ("METHODS", "WORD_METHODS", "Method", "WordMethod", "lacking"),
    "stability.averages": ("FolderStability",),
    "stability.many_pictures": ("explain_folder",),
    "stability.one_picture": ("Stability", "explain_phrasings"),
    "stability.phrasebook": ("PHRASINGS",),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(__name__, _HOMES)

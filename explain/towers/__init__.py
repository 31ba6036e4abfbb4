"""The towers of open_clip, opened: the only place that knows their insides.

`image.py` holds the generic functions and `vit.py`, `resnet.py`, `siglip.py` what differs; `text.py` the
text tower.
"""

from explain.towers import resnet, siglip, vit  # noqa: F401  (registers the families)
from explain.towers.image import Shape, Tokens, cam_layer, dense, pool, refusal, seen, shape, trunk
from explain.towers.resnet import RN_DENSE
from explain.towers.text import pooled_rows, text_features, text_layers, text_refusal

__all__ = [
    "RN_DENSE",
    "Shape",
    "Tokens",
    "cam_layer",
    "dense",
    "pool",
    "pooled_rows",
    "refusal",
    "seen",
    "shape",
    "text_features",
    "text_layers",
    "text_refusal",
    "trunk",
]

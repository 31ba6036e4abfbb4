"""The towers of open_clip, opened: the only place that knows their insides.

`image.py` holds the generic functions and `vit.py`, `resnet.py`, `siglip.py`, `timm_cnn.py` what differs; `text.py`
the text tower.
"""

from explain.towers import resnet, siglip, timm_cnn, vit  # noqa: F401  (registers the families)
from explain.towers.image import (
    FAMILIES,
    Layers,
    Parts,
    Shape,
    Tokens,
    cam_layer,
    dense,
    head,
    head_input,
    last_block,
    layers,
    parts,
    pool,
    read_out,
    refusal,
    seen,
    shape,
    trunk,
    value_blocks,
)
from explain.towers.resnet import RN_DENSE
from explain.towers.text import embed, pooled_rows, text_features, text_layers, text_refusal

__all__ = [
    "FAMILIES",
    "RN_DENSE",
    "Layers",
    "Parts",
    "Shape",
    "Tokens",
    "cam_layer",
    "dense",
    "embed",
    "head",
    "head_input",
    "last_block",
    "layers",
    "parts",
    "pool",
    "pooled_rows",
    "read_out",
    "refusal",
    "seen",
    "shape",
    "text_features",
    "text_layers",
    "text_refusal",
    "trunk",
    "value_blocks",
]

"""`photo` as an open_clip checkpoint: its configuration, a fresh model, and its two files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from open_clip.model import CustomTextCLIP
from torch import Tensor, nn

from photographs.backbone import MEAN, PIXELS, STD, TRUNK
from training.checkpoints import save_half
from training.tokenizer import CONTEXT_LENGTH

NAME = "photo"
EMBED_DIM = 256
PIECES = 4096  # of the tokenizer
TEXT_CFG = {"context_length": CONTEXT_LENGTH, "vocab_size": PIECES, "width": 192, "heads": 3, "layers": 3}
VISION_CFG = {
    "image_size": PIXELS,
    "timm_model_name": TRUNK,
    "timm_model_pretrained": False,
    "timm_pool": "avg",
    "timm_proj": "linear",
    "timm_proj_bias": True,
}


def model_cfg() -> dict[str, Any]:
    """open_clip's `model_cfg`, without what only a tokenizer needs."""
    return {
        "embed_dim": EMBED_DIM,
        "custom_text": True,
        "vision_cfg": dict(VISION_CFG),
        "text_cfg": dict(TEXT_CFG),
    }


def new_model() -> CustomTextCLIP:
    """A CLIP with fresh weights."""
    cfg = model_cfg()
    return CustomTextCLIP(cfg["embed_dim"], cfg["vision_cfg"], cfg["text_cfg"])


def save(trunk: nn.Module, trained: Mapping[str, Tensor], directory: Path) -> None:
    """Writes open_clip's configuration and the weights, a file for each tower, beside the tokenizer.

    `trained`: "head.weight" and "head.bias", the text tower's under "text.", and "logit_scale".
    """
    image = {f"trunk.{name}": value for name, value in trunk.state_dict().items() if "classifier" not in name}
    image |= {f"head.proj.{name}": trained[f"head.{name}"] for name in ("weight", "bias")}
    text = {k.removeprefix("text."): value for k, value in trained.items() if k.startswith("text.")}
    for name, tower in (("image", image), ("text", text)):
        (directory / name).mkdir(exist_ok=True)
        save_half(tower, directory / name / "model.safetensors")
    config = model_cfg() | {"init_logit_scale": round(float(trained["logit_scale"]), 4)}
    config["text_cfg"] |= {"hf_tokenizer_name": NAME}
    settings = {
        "model_cfg": config,
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"},
    }
    (directory / "open_clip_config.json").write_text(json.dumps(settings, indent=2) + "\n")

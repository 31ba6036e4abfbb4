"""`photo` as an open_clip checkpoint: its configuration, a fresh model, and its two files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
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


def packed(trunk: nn.Module) -> dict[str, Tensor]:
    """The trunk's weights without its classifier, its last convolution in 8 bits: a file then stays below 10 MB.

    The scale s of each of its channels goes into the batch norm behind it, so that an ordinary model reads whole
    numbers as they are:  (s q.x - mean) / sqrt(var + eps) = (q.x - mean / s) / sqrt(var' + eps).
    """
    state = {name: value for name, value in trunk.state_dict().items() if "classifier" not in name}
    weight, mean, variance = (
        state[name] for name in ("conv_head.weight", "bn2.running_mean", "bn2.running_var")
    )
    scale = weight.abs().amax((1, 2, 3)) / 127
    return state | {
        "conv_head.weight": (weight / scale[:, None, None, None]).round().to(torch.int8),
        "bn2.running_mean": mean / scale,
        "bn2.running_var": (variance + trunk.bn2.eps) / scale**2 - trunk.bn2.eps,
    }


def save(trunk: nn.Module, trained: Mapping[str, Tensor], directory: Path) -> None:
    """Writes open_clip's configuration and the weights, a file for each tower, beside the tokenizer.

    `trained`: "head.weight" and "head.bias", the text tower's under "text.", and "logit_scale".
    """
    image = {f"trunk.{name}": value for name, value in packed(trunk).items()}
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

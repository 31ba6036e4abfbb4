"""The two built-in CLIPs as open_clip configurations, and their checkpoints in open_clip's own `local-dir:` format."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from safetensors.torch import load_file

from toyland.world.captions import sample_captions
from training.checkpoints import save_half
from training.tokenizer import CONTEXT_LENGTH, train_tokenizer

MEAN = STD = (0.5, 0.5, 0.5)
EMBED_DIM = 128
TEXT_CFG = {"context_length": CONTEXT_LENGTH, "width": 128, "heads": 4, "layers": 3}
VISION_CFGS: dict[str, dict[str, Any]] = {
    "vit": {"image_size": 64, "patch_size": 8, "width": 160, "layers": 5, "head_width": 32},
    # The stride is 32: 256 px give an 8x8 grid.
    "rn": {"image_size": 256, "layers": [1, 1, 1, 1], "width": 16, "head_width": 32},
}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "words.txt")
CAPTIONS_FOR_TOKENIZER = 40_000
PIECES = 1024  # of the tokenizer


def model_name(tower: str) -> str:
    """The catalogue name of a tower's model: "toy-vit"."""
    if tower not in VISION_CFGS:
        raise ValueError(f"unknown tower {tower!r}; choose from {', '.join(VISION_CFGS)}")
    return f"toy-{tower}"


def model_cfg(tower: str, tokenizer_directory: Path, image_size: int | None = None) -> dict[str, Any]:
    """open_clip's `model_cfg` of a tower, at its own image size unless another is given."""
    vocabulary = json.loads((tokenizer_directory / "tokenizer.json").read_text())
    size = 1 + max(token["id"] for token in vocabulary["added_tokens"])
    vision_cfg = VISION_CFGS[tower] | ({"image_size": image_size} if image_size else {})
    text_cfg = TEXT_CFG | {"vocab_size": size, "hf_tokenizer_name": model_name(tower)}
    return {"embed_dim": EMBED_DIM, "vision_cfg": vision_cfg, "text_cfg": text_cfg}


def new_model(tower: str, tokenizer_directory: Path, image_size: int | None = None) -> CLIP:
    """A CLIP with fresh weights."""
    cfg = model_cfg(tower, tokenizer_directory, image_size)
    text_cfg = {key: value for key, value in cfg["text_cfg"].items() if key != "hf_tokenizer_name"}
    return CLIP(embed_dim=cfg["embed_dim"], vision_cfg=cfg["vision_cfg"], text_cfg=text_cfg)


def prepare_tokenizer(directory: Path) -> None:
    """Put tokenizer files into a model directory: trained on captions of the training split, once."""
    if not all((directory / name).is_file() for name in TOKENIZER_FILES):
        train_tokenizer(sample_captions(CAPTIONS_FOR_TOKENIZER), directory, PIECES)


def copy_tokenizer(source: Path, directory: Path) -> None:
    """Give a model directory the tokenizer of another."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).resolve() != (directory / name).resolve():
            shutil.copyfile(source / name, directory / name)


def write_config(tower: str, directory: Path, image_size: int | None = None) -> None:
    """Write open_clip's configuration beside the tokenizer files."""
    config = {
        "model_cfg": model_cfg(tower, directory, image_size),
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"},
    }
    (directory / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def save_weights(state: dict[str, torch.Tensor], directory: Path) -> None:
    """Write weights as fp16 safetensors beside the configuration: an open_clip `local-dir:` checkpoint."""
    save_half(state, directory / "open_clip_model.safetensors")


def load_what_fits(model: torch.nn.Module, directory: Path) -> list[str]:
    """Load an open_clip checkpoint's weights where name and shape agree, and return the names of the rest.

    The image tower's position embedding is interpolated (bicubic) where the grid differs: a model can be pre-trained on
    small pictures and finished on large ones.
    """
    own = model.state_dict()
    state = {k: v.float() for k, v in load_file(directory / "open_clip_model.safetensors").items()}
    for name in ("visual.positional_embedding", "visual.attnpool.positional_embedding"):
        if name in own and name in state and own[name].shape != state[name].shape:
            state[name] = _resized_positions(state[name], own[name].shape[0])
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(set(own) - set(fitting))


def _resized_positions(embedding: torch.Tensor, rows: int) -> torch.Tensor:
    """Positions (1 + g*g, D) for a grid of rows - 1 cells; the first row, that of no patch, is kept."""
    old, new = math.isqrt(len(embedding) - 1), math.isqrt(rows - 1)
    grid = embedding[1:].T.reshape(1, -1, old, old)
    grid = F.interpolate(grid, size=(new, new), mode="bicubic", align_corners=False)
    return torch.cat([embedding[:1], grid.flatten(2)[0].T])

"""Tiny generators with random weights, written to folders in the hub's layout: a pipeline of Stable Diffusion 1.5's
shape, its small preview decoder, a VQGAN. A second each, no download. And how they are run and steered in tests.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    VQModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from guidance.generators.diffusion.model import open_diffusion
from guidance.generators.diffusion.schedulers import SCHEDULERS

PROMPTS = ["a red boat", "the sky"]
SEEDS = [3, 2**63 - 1]
STEPS = 3
MODES = ("x0", "latent")
QUICK = {"steps": STEPS, "guide_to": 1.0}
CONTEXT = 12  # tokens
WIDTH = 16
TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
EXTRA = {
    "ddim": {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1},
    "lcm": {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1},
    "dpm++": {"steps_offset": 1, "timestep_spacing": "leading"},
    "euler": {"steps_offset": 1, "timestep_spacing": "leading"},
    "pndm": {"skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1},
}


def save_diffusion(
    folder: Path,
    scheduler: str = "ddim",
    prediction_type: str = "epsilon",
    time_cond: int | None = None,
    cell: int = 8,
    sample_size: int = 4,
    seed: int = 0,
) -> Path:
    """A StableDiffusionPipeline. `time_cond`: the width of the guidance scale's embedding, for a UNet that takes it as
    an input. `cell`: pixels per cell of the latent grid, `sample_size` cells to a side.
    """
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    unet = UNet2DConditionModel(
        sample_size=sample_size,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=8,
        time_cond_proj_dim=time_cond,
    )
    pipe = StableDiffusionPipeline(
        vae=tiny_vae(cell, cell * sample_size),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=SCHEDULERS[scheduler](prediction_type=prediction_type, **TRAINED, **EXTRA[scheduler]),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def tiny_vae(cell: int, size: int) -> AutoencoderKL:
    """With as many halvings as make `cell` pixels one."""
    blocks = cell.bit_length()
    return AutoencoderKL(
        block_out_channels=(8,) * (blocks - 1) + (16,),
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=size,
    )


def save_preview(folder: Path, cell: int = 8, seed: int = 1) -> Path:
    """An AutoencoderTiny for the same latents."""
    torch.manual_seed(seed)
    blocks = cell.bit_length()
    AutoencoderTiny(
        encoder_block_out_channels=(8,) * blocks,
        decoder_block_out_channels=(8,) * blocks,
        num_encoder_blocks=(1,) * blocks,
        num_decoder_blocks=(1,) * blocks,
    ).save_pretrained(folder)
    return folder


def save_vqgan(folder: Path, seed: int = 2, codes: int = 32) -> Path:
    """A VQModel, 4 pixels a cell, its codebook spread as a trained one's is."""
    torch.manual_seed(seed)
    model = VQModel(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 16),
        latent_channels=4,
        num_vq_embeddings=codes,
        norm_num_groups=4,
    )
    torch.nn.init.normal_(model.quantize.embedding.weight)
    model.save_pretrained(folder)
    return folder


def tiny_tokenizer() -> CLIPTokenizer:
    """CLIP's byte-level BPE, with letters and a few words."""
    letters = sorted(ByteLevel.alphabet())
    pieces = letters + [f"{letter}</w>" for letter in letters]
    merges = [("r", "e"), ("re", "d</w>"), ("b", "o"), ("bo", "a"), ("boa", "t</w>")]
    pieces += ["".join(merge) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CONTEXT)


class Shelf:
    """Tiny pipelines by what `save_diffusion` is told, written and opened when first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, Path] = {}
        self._models: dict[str, Any] = {}

    def folder(self, **changes) -> Path:
        key = repr(sorted(changes.items()))
        if key not in self._folders:
            self._folders[key] = save_diffusion(self._root / str(len(self._folders)), **changes)
        return self._folders[key]

    def model(self, **changes) -> Any:
        key = repr(sorted(changes.items()))
        if key not in self._models:
            self._models[key] = open_diffusion(self.folder(**changes))
        return self._models[key]


def run(model: Any, sampling: Any, guide: Any = None, prompts: list = PROMPTS, seeds: list = SEEDS) -> tuple:
    """The process after its last step, and what its steps gave."""
    process = model.begin(prompts, seeds, sampling)
    return process, [process.advance(guide) for _ in range(process.total)]


def redness(images: torch.Tensor, number: int) -> torch.Tensor:
    """A guide: losses (B,) that fall as pictures turn red."""
    return images[:, 1:].mean((1, 2, 3)) - images[:, 0].mean((1, 2))

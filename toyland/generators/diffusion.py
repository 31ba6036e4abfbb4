"""toy-sd: a Stable Diffusion (Rombach et al. 2022, arXiv 2112.10752) of Toyland's size, as a folder that diffusers'
`StableDiffusionPipeline.from_pretrained` loads unchanged.

It predicts v (Salimans and Ho 2022, arXiv 2202.00512) on a schedule that ends in pure noise (Lin et al. 2023, arXiv
2305.08891): a drawn world has dark and bright places, and a schedule that leaks the picture's mean makes them grey.
"""

from __future__ import annotations

import json
from pathlib import Path

from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from guidance.generators.hub_folders import quiet
from toyland.generators.autoencoder import CHANNELS
from toyland.generators.prompts import CONTEXT_LENGTH

GRID = 16
TEXT_WIDTH = 128
SHARD = "8MB"  # hubs refuse larger files that come by plain git


class Denoiser(nn.Module):
    """The two networks that are trained together: the UNet and the text encoder it listens to."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.unet = new_unet()
        self.text_encoder = new_text_encoder(tokenizer)

    def forward(self, noisy: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
        """v (B, C, h, w) for noisy latents (B, C, h, w) at timesteps (B,), of prompts' ids (B, L)."""
        states = self.text_encoder(ids).last_hidden_state
        return self.unet(noisy, timesteps, states).sample


def new_unet() -> UNet2DConditionModel:
    """A UNet with fresh weights: attention to the words on the 8x8 and 4x4 grids."""
    heads = [2, 4, 4]  # diffusers takes the number of heads by the name `attention_head_dim`
    return UNet2DConditionModel(
        sample_size=GRID,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=heads,
        norm_num_groups=16,
    )


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A text encoder with fresh weights for a tokenizer."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT_LENGTH,
        hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def new_scheduler() -> DDIMScheduler:
    """1000 steps that end in pure noise; sampling starts at the last of them."""
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=True,
    )


def save_pipeline(
    state: dict[str, Tensor], tokenizer: CLIPTokenizer, vae: AutoencoderKL, folder: Path
) -> None:
    """Write a `Denoiser`'s weights and all that belongs to them as a Stable Diffusion folder, in fp16."""
    networks = Denoiser(tokenizer)
    networks.load_state_dict(state)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=networks.text_encoder,
        tokenizer=tokenizer,
        unet=networks.unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for network in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        network.half()
    with quiet():
        pipeline.save_pretrained(folder, max_shard_size=SHARD)
    # Where no dtype is asked for, diffusers loads fp32, but transformers what the configuration says: make them agree.
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")

"""Generators of the real shapes with random weights, written to folders and opened as users open theirs."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from guidance.generators.diffusion.model import LatentDiffusion
from guidance.generators.loading import open_generator
from guidance.generators.vqgan import VQGAN, open_vqgan
from toyland.generators.autoencoder import PIXELS, new_autoencoder
from toyland.generators.diffusion import Denoiser, save_pipeline
from toyland.generators.prompts import caption_tokenizer, sample_captions


def toy_sd(folder: Path) -> LatentDiffusion:
    """toy-sd's shape."""
    torch.manual_seed(0)
    tokenizer = caption_tokenizer(sample_captions(200))
    save_pipeline(Denoiser(tokenizer).state_dict(), tokenizer, new_autoencoder("kl"), folder)
    found = open_generator(folder, "cpu")
    assert isinstance(found, LatentDiffusion)
    return found


def toy_vqgan(folder: Path) -> VQGAN:
    """toy-vqgan's shape."""
    torch.manual_seed(0)
    new_autoencoder("vq").save_pretrained(folder)
    return open_vqgan(folder, "toy-vqgan", size=(PIXELS, PIXELS))


def sd_15(device: torch.device, pixels: int) -> LatentDiffusion:
    """Stable Diffusion 1.5's shape, with a decoder of TAESD's; the UNet and the text encoder in fp16 on a GPU."""
    torch.manual_seed(0)
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    text = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    letters = [chr(code) for code in range(33, 127)]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], model_max_length=77
    )
    pipe = StableDiffusionPipeline(
        vae=vae.to(dtype),
        text_encoder=CLIPTextModel(text).to(dtype),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(sample_size=pixels // 8, cross_attention_dim=768, attention_head_dim=8).to(
            dtype
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return LatentDiffusion("sd-1.5", pipe.to(device), AutoencoderTiny().to(device, dtype))

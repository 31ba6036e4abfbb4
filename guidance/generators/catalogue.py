"""The generators that can be chosen: built-in ones and a fixed list from the hub. Names typed by a visitor are looked
up here and nowhere else: no name is ever turned into a path or an address. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from explain.clip import weights
from explain.clip.catalogue import MODELS, named, not_here

TAESD = "madebyollin/taesd"  # a small decoder of Stable Diffusion 1.x's latents


@dataclass(frozen=True)
class Entry:
    """One generator. `kind`: "diffusion" or "vqgan". `megabytes`: of its files. `note`: one sentence for people.

    Built-in ones (`local`) are folders under assets/models; the others are `repository` on the hub, of which the
    folders in `parts` are needed, and the repository of a small decoder in `preview`. `size` (height, width) in pixels
    and `span` are a VQGAN's: see `vqgan.VQGAN`. `steps`: denoising steps that its presets are cut down to. `scheduler`:
    in place of its own, one that a guide gets on with: Stable Diffusion's own, PNDM, takes its first step twice.
    """

    name: str
    label: str
    kind: str
    megabytes: int
    local: bool
    note: str
    repository: str = ""
    parts: tuple[str, ...] = ()
    preview: str = ""
    subfolder: str = ""
    size: tuple[int, int] = (64, 64)
    span: tuple[float, float] = (-1.0, 1.0)
    steps: int = 0
    scheduler: str | None = None

    @property
    def guide(self) -> str:
        """The CLIP that guides it where nobody names one: a model that knows what it draws."""
        return "toy-vit" if self.local else "ViT-B-16-openai"

    @property
    def directory(self) -> Path:
        """Where a built-in generator lives."""
        return MODELS / self.name

    @property
    def patterns(self) -> list[str]:
        """The files of its repository that loading needs: settings and safetensors, in fp16 where there are such."""
        endings = ("*.json", "*.txt", "*.safetensors")
        return ["model_index.json", *(f"{part}/{ending}" for part in self.parts for ending in endings)]


def _folder_megabytes(name: str) -> int:
    """Returns the size of a built-in generator's files in megabytes; 0 where they are missing."""
    files = (MODELS / name).rglob("*.safetensors")
    return round(sum(file.stat().st_size for file in files) / 1e6)


_PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")

_ENTRIES = (
    Entry(
        "toy-sd",
        "Toyland diffusion (built in)",
        "diffusion",
        _folder_megabytes("toy-sd"),
        True,
        "Draws 64-pixel scenes of Toyland; works offline, in seconds.",
    ),
    Entry(
        "toy-vqgan",
        "Toyland VQGAN (built in)",
        "vqgan",
        _folder_megabytes("toy-vqgan"),
        True,
        "As in the paper: a picture is optimised, step by step; works offline.",
    ),
    Entry(
        "sd-1.5",
        "Stable Diffusion 1.5",
        "diffusion",
        4270,
        False,
        "Photographs and paintings of anything; wants a GPU.",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        _PARTS,
        TAESD,
        scheduler="ddim",
    ),
    Entry(
        "lcm-dreamshaper",
        "LCM Dreamshaper 7",
        "diffusion",
        4270,
        False,
        "Pictures in 4 to 8 steps; wants a GPU.",
        "SimianLuo/LCM_Dreamshaper_v7",
        _PARTS,
        TAESD,
        steps=8,
    ),
    Entry(
        "amused-vqgan",
        "VQGAN of aMUSEd",
        "vqgan",
        590,
        False,
        "As in the paper: a picture is optimised, step by step; wants a GPU.",
        "amused/amused-256",
        ("vqvae",),
        subfolder="vqvae",
        size=(256, 256),
        span=(0.0, 1.0),
    ),
)

GENERATORS: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def guide_of(generator: str) -> str:
    """The CLIP that guides a generator, by name or folder, where nobody names one."""
    return GENERATORS[generator].guide if generator in GENERATORS else "toy-vit"


def find(name: str) -> Entry:
    """The entry of this name; ValueError naming the choices for any other."""
    return named(name, GENERATORS, "generator")


def available(entry: Entry) -> str | None:
    """Why this generator cannot be loaded now, or None. Takes at most 4 seconds."""
    if entry.local:
        there = any(entry.directory.rglob("*.safetensors"))
        return None if there else f"{entry.label} is missing from this copy of the repository"
    if all(weights.cached(entry.repository, name) for name in _telling(entry)) or weights.hub_reachable():
        return None
    return not_here(entry, GENERATORS, "generators")


def _telling(entry: Entry) -> tuple[str, ...]:
    """Files that are in the cache when all are: the largest come last."""
    if entry.kind == "vqgan":
        return (f"{entry.subfolder}/config.json", f"{entry.subfolder}/diffusion_pytorch_model.safetensors")
    return ("model_index.json", "unet/config.json", "vae/config.json")

"""The models that can be chosen: three built-in ones and a fixed list from OpenCLIP. Names typed by a visitor
are looked up here and nowhere else: no name is ever turned into a path or an address. Imports no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from explain.clip import weights

MODELS = Path(__file__).resolve().parent.parent.parent / "assets" / "models"
AUTOMATIC = "automatic"  # in the place of a name: the model is chosen by the picture, see automatic.py


Listed = TypeVar("Listed")


class Offered(Protocol):
    """Fields of a catalogue entry that are shown to people."""

    @property
    def label(self) -> str: ...

    @property
    def megabytes(self) -> int: ...

    @property
    def local(self) -> bool: ...


@dataclass(frozen=True)
class Entry:
    """One model: `architecture` and `tag` are OpenCLIP's names, `megabytes` the size of its download or
    directory.

    `family` is the kind of image tower; `note` one sentence for people who choose. Built-in models (`local`)
    have no architecture: they are directories under assets/models.
    """

    name: str
    label: str
    megabytes: int
    local: bool
    family: str
    note: str
    architecture: str = ""
    tag: str = ""
    tokenizer_files: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where a built-in model lives."""
        return MODELS / self.name

    @property
    def projection(self) -> Path:
        """Where ECLIP's projection for it lies, if somebody trained one."""
        return MODELS / self.name / "eclip" / "projection.safetensors"

    @property
    def repository(self) -> str:
        """The repository on the hub that holds the weights, as OpenCLIP lists it."""
        import open_clip  # imports torch

        return open_clip.get_pretrained_cfg(self.architecture, self.tag)["hf_hub"].strip("/")

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that loading needs from the hub; the weights first."""
        return (weights.SAFETENSORS, *self.tokenizer_files)


def _weight_of(name: str) -> int:
    """Megabytes of a built-in model's weights; 0 where they are missing."""
    return round(sum(path.stat().st_size for path in weights.directory_weights(MODELS / name)) / 1e6)


_ENTRIES = (
    Entry(
        "toy-vit",
        "Toyland ViT (built in)",
        _weight_of("toy-vit"),
        True,
        "ViT",
        "Knows only drawn scenes; works offline, at once.",
    ),
    Entry(
        "toy-rn",
        "Toyland ResNet (built in)",
        _weight_of("toy-rn"),
        True,
        "ResNet",
        "Knows only drawn scenes; works offline, at once.",
    ),
    Entry(
        "photo",
        "Photo CLIP (built in)",
        _weight_of("photo"),
        True,
        "CNN",
        "Small, for everyday photographs: objects, animals, people, places. Works offline, at once.",
    ),
    Entry(
        "ViT-B-16-openai",
        "ViT-B-16, OpenAI",
        599,
        False,
        "ViT",
        "For photographs: a fine 14x14 grid.",
        "ViT-B-16-quickgelu",
        "openai",
    ),
    Entry(
        "ViT-B-32-openai",
        "ViT-B-32, OpenAI",
        605,
        False,
        "ViT",
        "For photographs: faster, a coarse 7x7 grid.",
        "ViT-B-32-quickgelu",
        "openai",
    ),
    Entry(
        "ViT-B-16-datacomp",
        "ViT-B-16, DataComp-XL",
        599,
        False,
        "ViT",
        "Open data; better at naming than OpenAI's.",
        "ViT-B-16",
        "datacomp_xl_s13b_b90k",
    ),
    Entry(
        "ViT-B-16-laion2b",
        "ViT-B-16, LAION-2B",
        599,
        False,
        "ViT",
        "Open data.",
        "ViT-B-16",
        "laion2b_s34b_b88k",
    ),
    Entry(
        "ViT-B-32-laion2b",
        "ViT-B-32, LAION-2B",
        605,
        False,
        "ViT",
        "Open data; faster, a coarse 7x7 grid.",
        "ViT-B-32",
        "laion2b_s34b_b79k",
    ),
    Entry(
        "RN50-openai",
        "ResNet-50, OpenAI",
        409,
        False,
        "ResNet",
        "A convolutional tower with an attention pool, 7x7 grid.",
        "RN50-quickgelu",
        "openai",
    ),
    Entry(
        "ViT-L-14-openai",
        "ViT-L-14, OpenAI",
        1711,
        False,
        "ViT",
        "The largest here: slow without a GPU, 16x16 grid.",
        "ViT-L-14-quickgelu",
        "openai",
    ),
    Entry(
        "ViT-B-16-SigLIP",
        "SigLIP ViT-B-16, WebLI",
        813,
        False,
        "SigLIP",
        "Trained with a sigmoid loss; its dense tokens were never trained, so expect weaker similarity maps.",
        "ViT-B-16-SigLIP",
        "webli",
        ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    ),
)

CATALOGUE: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def find(name: str) -> Entry:
    """The entry of this name; ValueError naming the choices for any other."""
    return named(name, CATALOGUE, "model")


def named(name: str, catalogue: Mapping[str, Listed], what: str) -> Listed:
    """The entry of this name in a catalogue of what is called `what`."""
    if not isinstance(name, str) or name not in catalogue:
        raise ValueError(f"unknown {what} {str(name)[:80]!r}; allowed: {', '.join(catalogue)}")
    return catalogue[name]


def available(entry: Entry) -> str | None:
    """Why this model cannot be loaded now (not cached, and the hub out of reach), or None. Takes at most 4
    seconds.
    """
    if entry.local:
        reason = weights.directory_problem(entry.directory)
        return (
            None if reason is None else f"{entry.label} is missing from this copy of the repository: {reason}"
        )
    if all(weights.cached(entry.repository, name) for name in entry.files) or weights.hub_reachable():
        return None
    return offline_message(entry)


def offline_message(entry: Entry) -> str:
    """Returns the message for a chosen model that is not here and cannot be fetched."""
    return not_here(entry, CATALOGUE, "models")


def not_here(entry: Offered, catalogue: Mapping[str, Offered], what: str) -> str:
    """Returns this message for an entry of any catalogue, whose built-in entries are called `what`."""
    built_in = ", ".join(name for name, item in catalogue.items() if item.local)
    return (
        f"{entry.label} ({entry.megabytes} MB) is not on this machine and huggingface.co cannot be reached. "
        f"Built-in {what}, which need no download: {built_in}"
    )

"""Tiny random towers of every family, as open_clip model directories with real tokenizers. Seconds, no
download.
"""

import copy
import json
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from timm.models.vision_transformer import VisionTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import explain
from explain.clip import loading, projection
from explain.eclip import training

pytest_plugins = ["tests.browser.fixtures"]  # one app and one Chromium for all browser tests

FAMILIES = ("vit", "resnet", "siglip", "cnn")
SENTENCES = [
    "a photo of a red cat on the grass",
    "two boats on the water, left of a green house",
    "the sky and a small yellow car",
    "an animal above a brick wall at night",
]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where tests run in several processes, each file is run by one, and all that visit the app by the same: a second
    app and a second Chromium would take longer than they save.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduler(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            visits = "/browser/" in file or file.endswith(("_server.py", "ui/test_lesson.py"))
            return "app" if visits else file

    return Scheduler(config, log)


@timm.models.register_model
def tokenlight_tiny_siglip(pretrained: bool = False, **kwargs) -> VisionTransformer:
    """SigLIP's shape, very small: no class token, attention pool with a learned query."""
    kwargs = {key: kwargs[key] for key in ("num_classes", "global_pool") if key in kwargs}
    return VisionTransformer(
        img_size=32,
        patch_size=8,
        embed_dim=32,
        depth=2,
        num_heads=4,
        class_token=False,
        weight_init="skip",
        **kwargs,
    )


@timm.models.register_model
def tokenlight_tiny_efficientnet(pretrained: bool = False, **kwargs) -> EfficientNet:
    """EfficientNet-Lite's shape, very small: inverted residuals, a stride of 8, a mean pool."""
    stages = [["ds_r1_k3_s1_e1_c8"], ["ir_r1_k3_s2_e2_c12"], ["ir_r1_k5_s2_e2_c16"]]
    model = EfficientNet(
        decode_arch_def(stages), num_features=32, stem_size=8, fix_stem=True, act_layer=torch.nn.ReLU6
    )
    model.default_cfg = {"pool_size": (4, 4)}  # by which open_clip knows that it gives maps
    return model


def text_config(**changes) -> dict:
    return {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 3, **changes}


def config(family: str, **text) -> dict:
    """An open_clip model config, tiny."""
    vision = {
        "vit": {"image_size": 32, "patch_size": 8, "width": 32, "head_width": 8, "layers": 3},
        "resnet": {"image_size": 64, "width": 8, "head_width": 64, "layers": [1, 1, 1, 1]},
        "siglip": {
            "image_size": 32,
            "timm_model_name": "tokenlight_tiny_siglip",
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "cnn": {
            "image_size": 32,
            "timm_model_name": "tokenlight_tiny_efficientnet",
            "timm_pool": "avg",
            "timm_proj": "linear",
            "timm_proj_bias": True,
        },
    }[family]
    if family == "siglip":
        extra = {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "hf_tokenizer_name": "tiny"}
        text = {**extra, "tokenizer_kwargs": {"clean": "canonicalize"}, "vocab_size": 200, **text}
        return {
            "embed_dim": 32,
            "custom_text": True,
            "init_logit_bias": -10,
            "vision_cfg": vision,
            "text_cfg": text_config(**text),
        }
    custom = {"custom_text": True} if family == "cnn" else {}
    return {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text_config(**text), **custom}


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Weights that make every layer matter: attention far from uniform, batch norms with statistics of
    their own.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if not value.is_floating_point() or name in ("logit_scale", "logit_bias") or "attn_mask" in name:
            continue
        noise = torch.randn(value.shape, generator=generator)
        if "running_var" in name or (value.ndim == 1 and name.endswith("weight")):
            value.copy_(1 + 0.2 * noise.clamp(-2, 2))
        elif value.ndim == 1:
            value.copy_(0.1 * noise)
        elif name.endswith("embedding") or name.endswith("embedding.weight") or "pos_embed" in name:
            value.copy_(0.5 * noise)
        else:
            value.copy_(noise * 1.5 / value[0].numel() ** 0.5)


def save_model(
    directory: Path, model_config: dict, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Path:
    """Writes an open_clip `local-dir:` checkpoint with random weights."""
    import open_clip

    directory.mkdir(parents=True, exist_ok=True)
    wrapped = {"model_cfg": model_config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (directory / "open_clip_config.json").write_text(json.dumps(wrapped))
    model = open_clip.create_model(f"local-dir:{directory}", load_weights=False)
    with torch.no_grad():
        randomise(model, seed)
    tensors = {name: value.to(dtype).contiguous().clone() for name, value in model.state_dict().items()}
    save_file(tensors, directory / "open_clip_model.safetensors")
    return directory


def save_byte_bpe(directory: Path) -> int:
    """Toyland's kind of tokenizer: byte-level BPE, lower-casing, <pad> 0, <end> the largest id. Returns its
    size.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<pad>", "<start>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.add_special_tokens(["<end>"])
    ids = {name: tokenizer.token_to_id(name) for name in ("<pad>", "<start>", "<end>")}
    assert ids["<pad>"] == 0
    assert ids["<end>"] == tokenizer.get_vocab_size() - 1
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", ids["<start>"]), ("<end>", ids["<end>"])]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<start>", eos_token="<end>"
    )
    fast.save_pretrained(directory)
    return tokenizer.get_vocab_size()


def save_sentencepiece(directory: Path) -> None:
    """SigLIP's kind of tokenizer: unigram with spaces as characters; end token and padding are the same."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    end = tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(directory)


def save_family(directory: Path, family: str, seed: int = 0) -> Path:
    """A tiny model of a family with its kind of tokenizer: OpenAI's for the ViT and the ResNet."""
    directory.mkdir(parents=True, exist_ok=True)
    if family == "siglip":
        save_sentencepiece(directory)
    return save_model(directory, config(family), seed)


@pytest.fixture(scope="session")
def directories(tmp_path_factory) -> dict[str, Path]:
    """One model directory per family, and "toy": a ViT with a byte-level BPE and a list of training words."""
    root = tmp_path_factory.mktemp("models")
    made = {family: save_family(root / family, family) for family in FAMILIES}
    toy = root / "toy"
    toy.mkdir()
    size = save_byte_bpe(toy)
    made["toy"] = save_model(
        toy, config("vit", vocab_size=size, hf_tokenizer_name="toy"), dtype=torch.float16
    )
    (toy / "words.txt").write_text(
        "\n".join(sorted({w for s in SENTENCES for w in s.replace(",", "").split()}))
    )
    for directory in made.values():
        save_projection(directory)
    return made


def save_projection(directory: Path) -> None:
    """A random projection of ECLIP, so that every method can be had."""
    clip = explain.load(directory, device="cpu")
    fresh = training.start(clip, fresh=True, generator=torch.Generator().manual_seed(0))
    loading._loaded.clear()  # it was loaded without one
    projection.save(fresh, directory / projection.FOLDER / projection.FILE)


@pytest.fixture(scope="session")
def clips(directories) -> dict[str, explain.Clip]:
    """Loaded on the CPU, by family and "toy"."""
    return {name: explain.load(path, device="cpu") for name, path in directories.items()}


@pytest.fixture(scope="session")
def doubles(clips) -> dict[str, explain.Clip]:
    """The tiny models in fp64."""
    return {
        name: explain.Clip(name, copy.deepcopy(clip.model).double(), clip.transform, clip.tokenizer)
        for name, clip in clips.items()
    }


@pytest.fixture(params=FAMILIES)
def clip(request, clips) -> explain.Clip:
    """Each family in turn."""
    return clips[request.param]


def stem_of(clip: explain.Clip) -> torch.nn.Module:
    """The first layer of the image tower, which runs once in a forward."""
    visual = clip.model.visual
    if hasattr(visual, "trunk"):
        return visual.trunk.conv_stem if hasattr(visual.trunk, "conv_stem") else visual.trunk.patch_embed.proj
    return visual.conv1


def random_images(clip: explain.Clip, count: int = 2, seed: int = 7) -> torch.Tensor:
    """Images (B, 3, H, W) of noise at the model's size."""
    return torch.randn(count, 3, *clip.size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def images_of():
    """`random_images`, for tests that name their model."""
    return random_images


@pytest.fixture
def images(clip) -> torch.Tensor:
    """Two random images (2, 3, H, W) at the model's size."""
    return random_images(clip)


@pytest.fixture
def picture():
    """A picture that is neither square nor at any model's size."""
    import numpy as np
    from PIL import Image

    rows, columns = np.mgrid[0:60, 0:90]
    pixels = np.stack([rows * 4, columns * 2, (rows + columns) % 256], axis=-1).astype(np.uint8)
    pixels[10:30, 20:50] = (220, 30, 30)
    return Image.fromarray(pixels)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """For what longer lived fixtures compute: with other threads, numbers differ in their last digits."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed_and_threads():
    """The same noise in every test; small tensors on a shared machine: more threads would only wait."""
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Tiny diffusion pipelines by what they are like, opened once a test file."""
    from tests.tiny_generators import Shelf

    return Shelf(tmp_path_factory.mktemp("pipelines"))


@pytest.fixture(scope="module")
def preview(tmp_path_factory):
    """The folder of a tiny preview decoder."""
    from tests.tiny_generators import save_preview

    return save_preview(tmp_path_factory.mktemp("preview"))


OWN_METHOD = """
from explain.methods.registry import method

@method("plain_mean", "Plain mean", "arXiv 0000.00000", "How like the mean a patch is.", "Anything of the words.")
def plain_mean(encoding, text_features):
    likeness = encoding.dense @ encoding.dense.mean((1, 2))[:, None, :, None]
    return likeness.squeeze(-1)[:, None].expand(-1, len(text_features), -1, -1)
"""


@pytest.fixture
def own_method(tmp_path, monkeypatch):
    """A method from a file outside the package: two lines, its import and its place in the list."""
    from explain.methods import METHODS

    (tmp_path / "plain_mean.py").write_text(OWN_METHOD)
    monkeypatch.syspath_prepend(tmp_path)
    from plain_mean import plain_mean

    monkeypatch.setitem(METHODS, plain_mean.name, plain_mean)
    yield plain_mean
    sys.modules.pop("plain_mean")

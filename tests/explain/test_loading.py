"""Loading: the catalogue, model directories, the hub's cache, and everything that can be wrong with a file."""

import hashlib
import json
import os
import pickle
import shutil
import threading
import time
import weakref
from pathlib import Path

import huggingface_hub
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

import explain
from explain.clip import catalogue, loading, weights
from tests.conftest import config, save_family, save_model, save_sentencepiece

PROMPTS = ["a red cat", "the sky"]


@pytest.fixture(autouse=True)
def _forget():
    """Every test starts with nothing loaded and the network unasked."""
    kept = dict(loading._loaded)
    loading._loaded.clear()
    weights._last_check = None
    yield
    loading._loaded.clear()
    loading._loaded.update(kept)
    weights._last_check = None


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of the hub, and no way out to it."""
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(weights, "_connects", lambda: False)
    return cache


def lay_out(hub: Path, repository: str, files: dict[str, Path]) -> Path:
    """Puts files into a cache as the hub's client does: blobs, refs/main, links in snapshots/<commit>."""
    root = hub / ("models--" + repository.replace("/", "--"))
    commit = "0123456789abcdef0123456789abcdef01234567"
    for part in ("blobs", "refs", f"snapshots/{commit}"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "refs/main").write_text(commit)
    for name, source in files.items():
        blob = root / "blobs" / hashlib.sha256(source.read_bytes()).hexdigest()
        shutil.copy(source, blob)
        (root / f"snapshots/{commit}" / name).symlink_to(os.path.relpath(blob, root / f"snapshots/{commit}"))
    return root / f"snapshots/{commit}"


@pytest.fixture
def tiny_architectures(monkeypatch):
    """The architectures of the catalogue, tiny: their names, tags and repositories stay real."""
    families = {"ViT": "vit", "ResNet": "resnet", "SigLIP": "siglip", "CNN": "cnn"}
    for entry in explain.CATALOGUE.values():
        if not entry.local:
            real = open_clip.get_model_config(entry.architecture)
            tiny = {**config(families[entry.family]), "quick_gelu": real.get("quick_gelu", False)}
            monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, entry.architecture, tiny)


HUB_ENTRIES = [name for name, entry in explain.CATALOGUE.items() if not entry.local]


@pytest.mark.parametrize("name", HUB_ENTRIES)
def test_catalogue_models_load_from_the_cache_offline(name, hub, tiny_architectures, tmp_path):
    entry = explain.CATALOGUE[name]
    assert "cannot be reached" in explain.available(entry)
    source = save_model(tmp_path / "source", open_clip.get_model_config(entry.architecture), seed=3)
    if entry.tokenizer_files:
        save_sentencepiece(source)
        (source / "special_tokens_map.json").write_text(json.dumps({"eos_token": "</s>"}))
    lay_out(hub, entry.repository, {file: source / file for file in entry.files})
    assert explain.available(entry) is None
    clip = explain.load(name, device="cpu")
    assert clip.name == name
    state = clip.model.state_dict()
    for key, value in load_file(source / "open_clip_model.safetensors").items():
        torch.testing.assert_close(state[key], value.to(state[key].dtype))
    expected = [m.name for m in explain.METHODS.values() if m.supports(clip) is None]
    lacks = explain.lacking(explain.CATALOGUE[name])
    assert [method for method in explain.METHODS if method not in lacks] == expected
    assert "eclip" not in expected


def test_a_real_architecture_loads_from_the_cache_offline(hub, tmp_path, picture):
    """ViT-B-32 as OpenAI's tag demands it, random weights in fp16, through the catalogue to an explanation."""
    entry = explain.CATALOGUE["ViT-B-32-openai"]
    with torch.device("meta"):
        shapes = open_clip.model.CLIP(**open_clip.get_model_config(entry.architecture)).state_dict()
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: 0.02 * torch.randn(value.shape, generator=generator).half()
        for name, value in shapes.items()
        if name != "attn_mask"
    }
    save_file(tensors, tmp_path / "open_clip_model.safetensors")
    lay_out(hub, entry.repository, {"open_clip_model.safetensors": tmp_path / "open_clip_model.safetensors"})
    clip = explain.load("ViT-B-32-openai", device="cpu")
    assert clip.size == (224, 224)
    assert clip.context_length == 77
    assert isinstance(clip.model.visual.transformer.resblocks[0].mlp.gelu, open_clip.transformer.QuickGELU)
    assert clip.model.visual.conv1.weight.dtype == torch.float32
    found = explain.explain_image(clip, picture, PROMPTS, "relevance")
    assert found[0].heatmap.shape == (7, 7)
    assert found[0].heatmap.any()


def test_repositories_and_sizes_of_the_catalogue():
    """As OpenCLIP lists them; megabytes as fp32 weights take them."""
    repositories = {name: explain.CATALOGUE[name].repository for name in HUB_ENTRIES}
    assert repositories["ViT-B-32-openai"] == "timm/vit_base_patch32_clip_224.openai"
    assert repositories["RN50-openai"] == "timm/resnet50_clip.openai"
    assert repositories["ViT-B-32-laion2b"] == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert repositories["ViT-B-16-SigLIP"] == "timm/ViT-B-16-SigLIP"
    for name in HUB_ENTRIES:
        entry = explain.CATALOGUE[name]
        model_config = open_clip.get_model_config(entry.architecture)
        kind = (
            open_clip.model.CustomTextCLIP if model_config.pop("custom_text", False) else open_clip.model.CLIP
        )
        with torch.device("meta"):
            model = kind(**model_config)
        megabytes = sum(p.numel() for p in model.parameters()) * 4 / 1e6
        assert abs(entry.megabytes - megabytes) < 0.01 * megabytes, name


def test_offline_is_said_at_once_and_names_the_built_in_models(hub):
    for entry in HUB_ENTRIES:
        with pytest.raises(
            explain.ModelUnavailable, match=r"Built-in models, which need no download: toy-vit, toy-rn"
        ):
            explain.load(entry, device="cpu")


def test_an_address_that_never_answers_is_not_waited_for(tmp_path, monkeypatch):
    """A name server that does not reply has no time limit of its own."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    over, came_back = threading.Event(), []

    def hang(address, timeout):
        came_back.append(over.wait(600))
        raise OSError

    monkeypatch.setattr(weights.socket, "create_connection", hang)
    with pytest.raises(ValueError, match="cannot be reached"):
        explain.load("RN50-openai", device="cpu")
    assert "cannot be reached" in explain.available(explain.CATALOGUE["ViT-L-14-openai"])  # remembered
    assert not came_back
    over.set()


def test_offline_mode_is_honoured_without_a_connection(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "_connects", lambda: pytest.fail("a connection was tried"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match="cannot be reached"):
        explain.load("ViT-B-16-openai", device="cpu")


def test_the_proxy_is_what_is_asked_where_there_is_one(monkeypatch):
    asked = []

    def connect(address, timeout):
        asked.append(address)
        raise OSError

    monkeypatch.setattr(weights.socket, "create_connection", connect)
    for name in ("https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert not weights._connects()
    monkeypatch.delenv("HTTPS_PROXY")
    assert not weights._connects()
    assert asked == [("proxy.example", 3128), ("huggingface.co", 443)]


def test_a_download_that_fails_says_so(hub, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(weights, "_connects", lambda: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(
        ValueError, match="ResNet-50, OpenAI could not be downloaded: No space left on device"
    ):
        explain.load("RN50-openai", device="cpu")


def test_a_download_shows_progress_and_is_checked(hub, tiny_architectures, tmp_path, monkeypatch):
    entry = explain.CATALOGUE["RN50-openai"]
    source = save_model(tmp_path / "source", open_clip.get_model_config(entry.architecture))

    def download(repository, filename, etag_timeout, tqdm_class):
        with tqdm_class(total=10, unit="B", desc=filename) as bar:
            for _ in range(10):
                bar.update(1)
        snapshot = lay_out(hub, repository, {filename: source / filename})
        if damage:
            (snapshot / filename).resolve().write_bytes(b"something else")
        return str(snapshot / filename)

    seen: list[tuple[float, str]] = []
    monkeypatch.setattr(weights, "_connects", lambda: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    damage = True
    with pytest.raises(ValueError, match="wrong checksum"):
        explain.load("RN50-openai", device="cpu", progress=lambda *args: None)
    shutil.rmtree(hub)
    damage = False
    explain.load("RN50-openai", device="cpu", progress=lambda *args: seen.append(args))
    assert seen[0] == (pytest.approx(0.1), "downloading timm/resnet50_clip.openai")
    assert seen[-1] == (1.0, "loading ResNet-50, OpenAI")


def test_half_a_download_is_no_model(hub, tiny_architectures):
    entry = explain.CATALOGUE["RN50-openai"]
    blobs = hub / "models--timm--resnet50_clip.openai" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(b"half")
    assert "cannot be reached" in explain.available(entry)
    with pytest.raises(explain.ModelUnavailable, match="not on this machine"):
        explain.load("RN50-openai", device="cpu")


def damaged(path: Path) -> dict[str, bytes]:
    good = path.read_bytes()
    return {
        "incomplete": good[: len(good) // 2],
        "no safetensors file": b"\x05\0\0",
        "is a damaged safetensors file": (16).to_bytes(8, "little") + b"{not json at all",
        "is a pickle": pickle.dumps({"a": 1}),
        "a pickle, which may run code": b"PK\x03\x04" + b"\0" * 100,
    }


def test_damaged_weights_are_named(directories, tmp_path):
    good = directories["vit"] / "open_clip_model.safetensors"
    for message, data in damaged(good).items():
        broken = tmp_path / f"broken{len(data)}"
        shutil.copytree(directories["vit"], broken)
        (broken / "open_clip_model.safetensors").write_bytes(data)
        with pytest.raises(explain.ModelUnavailable, match=message):
            explain.load(broken, device="cpu")


@pytest.mark.parametrize("length", [128, 640, 0x4B50])
def test_any_length_of_a_header_is_allowed(tmp_path, length):
    """A length whose first byte is 0x80 looks like a pickle's start; 0x4b50 is a zip's "PK"."""
    path = tmp_path / "open_clip_model.safetensors"
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + b"\0" * 4)
    assert load_file(path)["a"].tolist() == [0]
    weights.check_safetensors(path)
    for cut in (path.read_bytes()[:-1], path.read_bytes()[:40]):
        path.write_bytes(cut)
        with pytest.raises(explain.ModelUnavailable, match="delete it"):
            weights.check_safetensors(path)


def test_messages_name_files_and_not_where_they_are(directories, tmp_path, monkeypatch):
    """They reach visitors: a name is enough to find what to delete."""
    root = tmp_path / "secret place"
    shutil.copytree(directories["vit"], root / "mine")
    file, settings = root / "mine/open_clip_model.safetensors", root / "mine/open_clip_config.json"
    good, said = file.read_bytes(), []

    def told(path: Path) -> str:
        with pytest.raises(ValueError, match=r"mine|gone") as caught:
            explain.load(path, device="cpu")
        said.append(str(caught.value))
        return said[-1]

    assert "there is no directory 'gone'" in told(root / "gone")
    for data in damaged(file).values():
        file.write_bytes(data)
        assert "open_clip_model.safetensors in 'mine' is" in told(root / "mine")
    shutil.copy(directories["resnet"] / "open_clip_model.safetensors", file)
    assert "does not fit its configuration" in told(root / "mine")
    file.write_bytes(good)
    settings.write_text("{broken")
    assert "does not fit its configuration" in told(root / "mine")
    file.unlink()
    assert "'mine' has no open_clip_model.safetensors" in told(root / "mine")
    (root / "mine/model.bin").write_bytes(b"")
    assert "'mine' holds model.bin, a pickle" in told(root / "mine")
    settings.unlink()
    assert "'mine' has no open_clip_config.json" in told(root / "mine")
    monkeypatch.setattr(catalogue, "MODELS", root)
    said.append(explain.available(catalogue.Entry("mine", "Mine", 1, True, "ViT", "")))
    assert not [message for message in said if "secret" in message or str(tmp_path.parent) in message]
    cached = root / "models--timm--x" / "snapshots" / "0123" / "open_clip_model.safetensors"
    assert weights.shown(cached) == "open_clip_model.safetensors in 'models--timm--x'"


def test_a_full_disk_is_told_without_its_folders(hub, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device", str(hub / "blobs"))

    monkeypatch.setattr(weights, "_connects", lambda: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(ValueError, match=r"could not be downloaded: No space left on device$"):
        explain.load("RN50-openai", device="cpu")


def test_pickles_are_refused_and_never_opened(directories, tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    shutil.copy(directories["vit"] / "open_clip_config.json", tmp_path)
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(
        ValueError, match=r"open_clip_pytorch_model.bin, a pickle.*allowed: open_clip_model.safetensors"
    ):
        explain.load(tmp_path, device="cpu")


def test_directories_that_are_no_models(directories, tmp_path):
    with pytest.raises(ValueError, match=r"has no open_clip_config.json"):
        explain.load(tmp_path, device="cpu")
    shutil.copy(directories["vit"] / "open_clip_config.json", tmp_path)
    with pytest.raises(ValueError, match=r"has no open_clip_model.safetensors"):
        explain.load(tmp_path, device="cpu")
    with pytest.raises(ValueError, match="there is no directory"):
        explain.load(tmp_path / "missing", device="cpu")


def test_weights_of_another_model_are_refused(directories, tmp_path):
    shutil.copy(directories["resnet"] / "open_clip_config.json", tmp_path)
    shutil.copy(directories["vit"] / "open_clip_model.safetensors", tmp_path)
    with pytest.raises(ValueError, match="does not fit"):
        explain.load(tmp_path, device="cpu")
    (tmp_path / "open_clip_config.json").write_text("{broken")
    with pytest.raises(ValueError, match="config"):
        explain.load(tmp_path, device="cpu")


def in_two_files(source: Path, directory: Path) -> Path:
    """The checkpoint of a model with a text tower of its own, a file for each tower."""
    state = load_file(source / "open_clip_model.safetensors")
    shutil.copytree(source, directory)
    (directory / "open_clip_model.safetensors").unlink()
    for name, prefix in (("image", "visual."), ("text", "text.")):
        tower = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        (directory / name).mkdir()
        save_file(tower, directory / name / "model.safetensors")
    settings = json.loads((directory / "open_clip_config.json").read_text())
    settings["model_cfg"]["init_logit_scale"] = float(state["logit_scale"])
    (directory / "open_clip_config.json").write_text(json.dumps(settings))
    return directory


def test_a_checkpoint_may_lie_in_two_files(directories, tmp_path):
    """One for each tower, both read by open_clip's own factory; a pickle beside them is left alone."""
    whole = explain.load(directories["cnn"], device="cpu")
    folder = in_two_files(directories["cnn"], tmp_path / "split")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))
    split = explain.load(folder, device="cpu")
    states = whole.model.state_dict(), split.model.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_towers_file_must_hold_all_of_it(directories, tmp_path):
    """open_clip takes what fits and draws the rest at random."""
    folder = in_two_files(directories["cnn"], tmp_path / "split")
    path = folder / "text" / "model.safetensors"
    good = load_file(path)
    name = sorted(good)[0]
    for broken in (
        {key: value for key, value in good.items() if key != name},
        good | {name: torch.zeros(3)},
        good | {"more": torch.zeros(3)},
    ):
        save_file(broken, path)
        with pytest.raises(
            explain.ModelUnavailable, match=r"model.safetensors in 'text' does not fit .* 1 of"
        ):
            explain.load(folder, device="cpu")
    path.unlink()
    with pytest.raises(explain.ModelUnavailable, match=r"has no open_clip_model.safetensors"):
        explain.load(folder, device="cpu")


def test_coca_is_refused_with_the_reason(tmp_path):
    model_config = config("vit")
    model_config["vision_cfg"]["attentional_pool"] = True
    with pytest.raises(ValueError, match="pool with learned queries"):
        explain.load(save_model(tmp_path / "coca", model_config), device="cpu")


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "../../etc/passwd",
        "https://example.org/x",
        "timm/ViT-B-16-SigLIP",
        "",
        "toy-vit\0",
        None,
        3,
    ],
)
def test_unknown_names_name_the_choices(name):
    with pytest.raises(
        ValueError, match=r"unknown model .*; allowed: toy-vit, toy-rn, photo, ViT-B-16-openai"
    ):
        explain.load(name)


@pytest.mark.parametrize(
    "device",
    [
        "gpu",
        "",
        "cuda:99",
        "cpu:x",
        "cpu:7",
        "meta",
        "xla",
        "cuda:-1",
        "cuda:0:0",
        "mps:1",
        "a" * 900,
        None,
        0,
    ]
    + ([] if torch.backends.mps.is_available() else ["mps"]),
)
def test_unknown_devices_name_the_choices(device, directories):
    with pytest.raises(ValueError, match="allowed: auto, cpu") as caught:
        explain.load(directories["vit"], device=device)
    assert len(str(caught.value)) < 200


def test_one_device_has_one_name(monkeypatch):
    assert loading.find_device("cpu:0") == loading.find_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert {str(loading.find_device(name)) for name in ("auto", "cuda", "cuda:0")} == {"cuda:0"}
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert {str(loading.find_device(name)) for name in ("auto", "cuda", "cuda:1")} == {"cuda:1"}
    with pytest.raises(
        ValueError, match="device 'cuda:2' is not on this machine; allowed: auto, cpu, cuda:0"
    ):
        loading.find_device("cuda:2")


def test_a_wrong_activation_is_an_error():
    """OpenCLIP only warns about it."""
    with pytest.raises(ValueError, match="trained with quick_gelu=True but ViT-B-32 has quick_gelu=False"):
        loading._require_activation("ViT-B-32", "openai")
    for entry in explain.CATALOGUE.values():
        if not entry.local:
            loading._require_activation(entry.architecture, entry.tag)


def test_what_is_loaded_is_frozen_fp32_and_squashes(directories, picture):
    clip = explain.load(directories["toy"], device="cpu")  # fp16 in the file
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in clip.model.parameters())
    assert not clip.model.training
    wide = picture.resize((400, 20))
    expected = clip.transform(wide.resize((32, 32), resample=3))
    torch.testing.assert_close(clip.transform(wide), expected, atol=0.03, rtol=0)
    assert "cat" in clip.vocabulary


def test_loaded_models_are_kept_within_the_budget(tmp_path, monkeypatch):
    paths = [save_family(tmp_path / str(i), "resnet", seed=i) for i in range(3)]
    first = explain.load(paths[0], device="cpu")
    assert explain.load(str(paths[0]), device="cpu") is first
    size = loading._size(first)
    monkeypatch.setenv("TOKENLIGHT_MEMORY_MB", str(int(2.5 * size / 1e6)))
    second = explain.load(paths[1], device="cpu")
    explain.load(paths[0], device="cpu")  # used last
    explain.load(paths[2], device="cpu")
    assert explain.load(paths[0], device="cpu") is first
    assert explain.load(paths[1], device="cpu") is not second
    monkeypatch.setenv("TOKENLIGHT_MEMORY_MB", "0")  # the one in use stays, whatever the budget
    third = explain.load(paths[2], device="cpu")
    assert explain.load(paths[2], device="cpu") is third
    monkeypatch.setenv("TOKENLIGHT_MEMORY_MB", "lots")
    with pytest.raises(ValueError, match="TOKENLIGHT_MEMORY_MB is 'lots'; allowed: a whole number"):
        explain.load(paths[1], device="cpu")


def test_the_default_budget_is_half_of_the_memory(monkeypatch):
    monkeypatch.delenv("TOKENLIGHT_MEMORY_MB", raising=False)
    cpu, gpu = torch.device("cpu"), torch.device("cuda:1")
    assert 100e6 < loading.memory_budget(cpu) < 1e13
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: {gpu: (10, 8_000)}[device])
    assert loading.memory_budget(gpu) == 4_000

    def lent_later(device):
        raise RuntimeError("No CUDA GPUs are available")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lent_later)
    assert loading.memory_budget(gpu) == loading.memory_budget(cpu)
    monkeypatch.setenv("TOKENLIGHT_MEMORY_MB", "3")
    assert loading.memory_budget(gpu) == 3_000_000


class Moves(torch.nn.Module):
    """A model of 4000 bytes that tells when it is moved."""

    def __init__(self, tell):
        super().__init__()
        self.weight, self.tell = torch.nn.Parameter(torch.zeros(1000)), tell

    def to(self, device):
        self.tell(device)
        return self


def test_every_device_has_its_budget_and_makes_room_before_a_model_moves_in(tmp_path, monkeypatch):
    """What is on the GPU is no reason to let go of a model in the machine's memory, nor the other way."""
    alive, present = weakref.WeakValueDictionary(), []

    def create(name, directory):
        clip = explain.Clip(name, Moves(lambda device: present.append(sorted(alive))), None, None)
        clip.pictures["seen"] = clip  # as encodings do: a circle
        alive[name] = clip
        return clip

    monkeypatch.setattr(loading, "_load_directory", create)
    monkeypatch.setattr(loading, "find_device", torch.device)
    budgets = {"cpu": 100_000, "cuda:0": 9_000}
    monkeypatch.setattr(loading, "memory_budget", lambda device: budgets[str(device)])
    for name in "abcde":
        (tmp_path / name).mkdir()
    for name, device in zip("abcde", ["cpu", "cuda:0", "cuda:0", "cpu", "cuda:0"], strict=True):
        explain.load(tmp_path / name, device)
    assert present[-1] == ["a", "c", "d", "e"]  # b had gone, and was free, when e moved in
    assert [Path(path).name for path, _ in loading._loaded] == ["a", "c", "d", "e"]


def test_a_model_that_does_not_fit_the_gpu_is_not_kept(tmp_path, monkeypatch):
    def refuse(device):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(
        loading, "_load_directory", lambda name, directory: explain.Clip(name, Moves(refuse), None, None)
    )
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            explain.load(tmp_path, "cpu")
    assert not loading._loaded


def test_two_who_want_the_same_model_wait_for_one_load(directories, monkeypatch):
    loads, real = [], loading._load_directory
    monkeypatch.setattr(
        loading, "_load_directory", lambda *args: loads.append(1) or time.sleep(0.1) or real(*args)
    )
    found: list[explain.Clip] = []
    threads = [
        threading.Thread(target=lambda: found.append(explain.load(directories["vit"], device="cpu")))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(set(map(id, found))) == 1


def test_built_in_models_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert catalogue.MODELS.is_absolute()
    assert catalogue.MODELS.parts[-2:] == ("assets", "models")
    missing = catalogue.Entry("toy-none", "None", 1, True, "ViT", "")
    assert "is missing from this copy of the repository" in explain.available(missing)

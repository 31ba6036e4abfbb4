"""The aims of explain/, measured: python -m benchmarks.explain [--json] [--only a,b] [--pairs 9].

(a) recorded / stock forward, every layer of both towers, ViT-B-32                                <= 1.15
(b) ITSM of 10 prompts on one picture / one encode_image + one encode_text of the 10              <= 1.15
(c) last-block image maps + all-layer text relevance for 10 prompts / for 1                       <= 3
(d) a second prompt on a picture that was seen / the first                                        <= 0.35
(e) Grad-CAM of 10 prompts: pytorch-grad-cam (the faster of looped and batched) / ours            >= 3
(f) first 200 from / against `import gradio, torch, open_clip`, then the first explanation        <= 1.6, <= 5 s
(g) a 12-megapixel JPEG to the page's cards: toy-vit, two prompts, ITSM and Relevance             <= 1 s

(a) to (e) use real architectures with random weights: speed does not depend on them. Values are medians of
pairs run in turn in one process.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import open_clip
import torch
from PIL import Image

from benchmarks import gradcam, server
from benchmarks.pairs import Result, paired
from explain.clip.model import Clip
from explain.clip.random_weights import randomised
from explain.encodings import ImageEncoding
from explain.explanation import explain_image
from explain.methods.itsm import similarity_map
from explain.methods.relevance import last_relevance
from explain.towers.attention import AttentionRecorder

PROMPTS = [
    "a photo of a red car",
    "the sky",
    "a dog on the grass",
    "two boats",
    "a house near the water",
    "a cat",
    "something green in the corner",
    "a bicycle against the wall",
    "a person walking",
    "the road",
]


def random_clip(architecture: str) -> tuple[Clip, torch.Tensor]:
    """A real architecture with random weights by which every layer matters, so that no map is constant; and one image
    of noise.
    """
    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms(
        architecture, load_weights=False, image_resize_mode="squash"
    )
    clip = Clip(architecture, model.eval(), transform, open_clip.get_tokenizer(architecture))
    return replace(randomised(clip), name=architecture), torch.randn(1, 3, *clip.size)


def recording(clip: Clip, image: torch.Tensor, pairs: int) -> Result:
    """(a) Gradients enabled while recording, as relevance needs them; the stock side runs without."""
    texts = clip.tokenize(PROMPTS)

    def recorded() -> None:
        with AttentionRecorder():
            clip.model.encode_image(image)
            clip.model.encode_text(texts)

    ratio, mine, stock = paired(recorded, lambda: _stock(clip, image, texts), pairs)
    return Result(
        "a", "recorded / stock forward", ratio, 1.15, False, "times", {"ours_s": mine, "stock_s": stock}
    )


def similarity(clip: Clip, image: torch.Tensor, pairs: int) -> Result:
    """(b) A new picture every time; the words' relevance, which the page shows, is part of ours."""
    texts = clip.tokenize(PROMPTS)

    def itsm() -> torch.Tensor:
        encoding = ImageEncoding(clip, image)
        return similarity_map(encoding.dense, _features(encoding, PROMPTS))

    ratio, mine, stock = paired(itsm, lambda: _stock(clip, image, texts), pairs)
    return Result(
        "b",
        "ITSM of 10 prompts / stock encoders",
        ratio,
        1.15,
        False,
        "times",
        {"ours_s": mine, "stock_s": stock},
    )


def many_prompts(clip: Clip, image: torch.Tensor, pairs: int) -> Result:
    """(c) Everything that relevance costs, from a new picture."""

    def maps(count: int) -> Callable[[], torch.Tensor]:
        def run() -> torch.Tensor:
            encoding = ImageEncoding(clip, image)
            return last_relevance(clip, encoding.tokens, _features(encoding, PROMPTS[:count]))

        return run

    ratio, ten, one = paired(maps(10), maps(1), pairs)
    return Result(
        "c", "relevance of 10 prompts / of 1", ratio, 3.0, False, "times", {"ten_s": ten, "one_s": one}
    )


def second_prompt(clip: Clip, image: torch.Tensor, pairs: int) -> Result:
    """(d) explain_image from a PIL picture of 640 x 480, words included, each time of a prompt not seen before."""
    rng = np.random.default_rng(0)
    state: dict[str, Image.Image] = {}

    def first() -> None:
        state["seen"] = Image.fromarray(rng.integers(0, 255, (480, 640, 3), dtype=np.uint8))
        explain_image(clip, state["seen"], PROMPTS[:1])

    def second() -> None:
        for encoding in clip.pictures.values():
            encoding._texts.clear()
        explain_image(clip, state["seen"], PROMPTS[2:3])

    first()
    ratio, later, fresh = paired(second, first, pairs)
    details = {"second_s": later, "first_s": fresh, "model": clip.name}
    return Result("d", "a second prompt / the first", ratio, 0.35, False, "times", details)


def against_gradcam(clip: Clip, image: torch.Tensor, pairs: int) -> Result:
    """(e) Four ways to use pytorch-grad-cam; the fastest counts."""
    features = gradcam.text_features(clip, PROMPTS)
    ours = gradcam.ours(clip, image, features)
    timings = {}
    for batched in (False, True):
        for frozen in (False, True):
            name = f"{'batched' if batched else 'looped'}, {'frozen' if frozen else 'with weight gradients'}"
            theirs = gradcam.theirs(clip, image, features, batched, frozen)
            measured = paired(theirs, ours, max(3, pairs // 3))
            timings[name] = measured
    best = min(timings, key=lambda name: timings[name][0])
    maps = ours()
    details = {
        "model": clip.name,
        "fastest": best,
        "theirs_s": timings[best][1],
        "ours_s": timings[best][2],
        "difference_in_fp64": gradcam.exact_difference(clip, image, PROMPTS),
        "constant_maps": int((maps.max((1, 2)) - maps.min((1, 2)) == 0).sum()),
    }
    return Result("e", f"pytorch-grad-cam / ours, {clip.name}", timings[best][0], 3.0, True, "times", details)


@torch.no_grad()
def _stock(clip: Clip, image: torch.Tensor, texts: torch.Tensor) -> None:
    clip.model.encode_image(image)
    clip.model.encode_text(texts)


def _features(encoding: ImageEncoding, prompts: list[str]) -> torch.Tensor:
    return torch.stack([text.feature for text in encoding.read(prompts)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the aims of explain/.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default="a,b,c,d,e,f,g", help="aims to measure (default: all)")
    parser.add_argument("--pairs", type=int, default=9, help="pairs per median (default: 9)")
    chosen = parser.parse_args()
    only = set(chosen.only.split(","))
    results: list[Result] = []
    if only & set("abcde"):
        clip, image = random_clip("ViT-B-32-quickgelu")
        wanted = {
            "a": recording,
            "b": similarity,
            "c": many_prompts,
            "d": second_prompt,
            "e": against_gradcam,
        }
        results += [run(clip, image, chosen.pairs) for aim, run in wanted.items() if aim in only]
    if "e" in only:
        results.append(against_gradcam(*random_clip("RN50-quickgelu"), chosen.pairs))
    if "f" in only:
        results += server.start(repeats=3)
    if "g" in only:
        results.append(server.photograph(repeats=5))
    _print(results, chosen.json)


def _print(results: list[Result], as_json: bool) -> None:
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count()}
    if as_json:
        rows = [{**vars(result), "met": result.met} for result in results]
        print(
            json.dumps({"machine": {**machine, "processor": platform.machine()}, "results": rows}, indent=2)
        )
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    for r in results:
        sign = ">=" if r.at_least else "<="
        print(
            f"({r.aim}) {r.what}: {r.value:.3g} {r.unit} (aim {sign} {r.limit}) {'met' if r.met else 'MISSED'}"
        )
        print(
            "    "
            + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in r.details.items())
        )


if __name__ == "__main__":
    main()

"""python -m explain train-eclip: a projection of ECLIP for a model, from pictures with captions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from explain.clip.loading import load
from explain.clip.model import Clip
from explain.clip.projection import FILE
from explain.eclip import free_attention as freeattention
from explain.eclip.free_attention import FreeAttention
from explain.eclip.training import POOLINGS, Progress, Recipe, fill, train
from explain.inputs.captions import captioned

ATTENTIONS = ("cut", "norm", "dino")
DINO = "vit_small_patch16_224.dino"


def main(arguments: Sequence[str]) -> int:
    """0 when done, 2 after one line on stderr that says what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        recipe = Recipe(
            options.epochs,
            options.batch,
            options.lr or (3e-3 if options.fresh else 1e-4),
            pooling=options.pooling,
            fresh=options.fresh,
            mask=options.mask,
            seed=options.seed,
        )
        if options.pictures < 2:
            raise ValueError(f"{options.pictures} pictures are too few to train on")
        clip = load(options.model, options.device)
        attention = free_attention(options.attention, clip, options.attention_model, options.enlarged)
        bank = fill(clip, captioned(options.data, clip.size), attention, options.pictures, progress=say)
        kept = bank.free.float().mean().item()
        print(f"free attention keeps {kept:.0%} of the patches", file=sys.stderr)
        if bank.exact is not None:
            print(f"against exact masks: {quality(bank.free, bank.exact)}", file=sys.stderr)
        for progress, _ in train(clip, bank, recipe, options.out, options.resume):
            say(progress)
    except (ValueError, OSError) as error:
        print(f"explain train-eclip: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"the projection is in {options.out / FILE}")
    return 0


def free_attention(
    name: str, clip: Clip, model: str | None = None, enlarged: int = freeattention.ENLARGED
) -> FreeAttention:
    """A source of free attention by name; "dino" is downloaded from the hub when first used.

    `model`: whose features are cut or measured, where that is another than `clip`. `enlarged`: how much larger the
    picture is cut than its native size.
    """
    if not 1 <= enlarged <= 8:
        raise ValueError(f"enlarged is {enlarged}; allowed: 1 to 8 times")
    rules: dict[str, Callable[[Clip], FreeAttention]] = {
        "cut": partial(freeattention.normalised_cut, enlarged=enlarged),
        "norm": freeattention.feature_norm,
    }
    if name in rules:
        if model is None:
            return rules[name](clip)
        other = load(model, str(clip.device))
        return freeattention.borrowed(rules[name](other), clip, other)
    if name != "dino":
        raise ValueError(f"free attention is {name!r}; allowed: {', '.join(ATTENTIONS)}")
    import timm

    dino = timm.create_model(DINO, pretrained=True, num_classes=0).eval().requires_grad_(False)
    return freeattention.renormalised(freeattention.dino_attention(dino.to(clip.device)), clip, dino)


def quality(masks, exact) -> str:
    """How well masks (N, P) hit exact ones: the means of precision, recall and IoU over pictures."""
    both = (masks & exact).sum(1).float()
    precision, recall = (both / masks.sum(1)).mean(), (both / exact.sum(1)).mean()
    return f"precision {precision:.2f}, recall {recall:.2f}, IoU {(both / (masks | exact).sum(1)).mean():.2f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m explain train-eclip", description="Train ECLIP's projection for a model."
    )
    parser.add_argument("--model", default="toy-vit", help="a model of the catalogue, or a model directory")
    parser.add_argument(
        "--data", required=True, help="a .csv with columns image and caption, toyland or photographs"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for projection.safetensors; a model finds it in its own folder's eclip/",
    )
    parser.add_argument("--pictures", type=int, default=10_000, help="how many to read (default: 10000)")
    parser.add_argument("--attention", default="cut", help=f"free attention: {', '.join(ATTENTIONS)}")
    parser.add_argument(
        "--attention-model", help="the model whose features cut and norm look at (default: the model itself)"
    )
    parser.add_argument(
        "--enlarged", type=int, default=freeattention.ENLARGED, help="how much larger pictures are cut"
    )
    parser.add_argument("--mask", default="free", help="free attention, exact masks (to compare) or all")
    parser.add_argument("--pooling", default="masked_max", help=f"one of {', '.join(POOLINGS)}")
    parser.add_argument("--fresh", action="store_true", help="start from random numbers, not the model's own")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, help="default: 1e-4, fresh: 3e-3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last epoch")
    return parser


def say(progress: Progress) -> None:
    share = f"{progress.phase} {progress.done} of {progress.total}"
    said = share if progress.phase == "reading" else f"{share}: loss {progress.loss:.3f}"
    end = "\n" if progress.done == progress.total or progress.phase != "reading" else ""
    print(f"\r{said}", end=end, file=sys.stderr, flush=True)

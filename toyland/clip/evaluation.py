"""How well a CLIP knows Toyland, zero-shot, on scenes of a split that training never saw.

Every question is a choice between captions, answered by the highest cosine. Pictures are drawn larger than the model
sees them and go through its own transform, as an upload does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from explain import Clip, load
from explain.encodings import ImageEncoding
from explain.methods import METHODS
from explain.metrics import msc
from toyland.art import COLOURS, KINDS, PLACES
from toyland.world.captions import RELATIONS, relation
from toyland.world.drawing import draw_scene, scene_masks
from toyland.world.scene import Scene, sample_scene
from toyland.world.vocabulary import PLACE_PHRASES, plain_noun, with_article

PIXELS = 256
BATCH = 100
NEGATIVES = 9
CONTRAST_SCENES = 300  # score contrasts are slower; each scene gives one per thing

Question = Callable[[Scene], list[str]]  # captions, the right one first


def evaluate_clip(
    model: str, split: str = "test", scenes: int = 2000, device: str = "auto"
) -> dict[str, object]:
    """All figures of a model (a catalogue name or a folder) on `scenes` scenes each of a split. Shares in [0, 1].

    ValueError for an unknown model or split, or fewer than 10 scenes.
    """
    if scenes < 10:
        raise ValueError(f"{scenes} scenes say nothing; at least 10")
    clip = load(model, device)
    single = _scenes(split, 1, scenes)
    pairs = [scene for scene in _scenes(split, 2, scenes * 2) if _two_kinds(scene)][:scenes]
    related = [scene for scene in pairs if relation(*scene.things)]
    two_colours = [scene for scene in pairs if scene.things[0].colour != scene.things[1].colour]
    features = {
        id(s): f for group in (single, pairs) for s, f in zip(group, _encode(clip, group), strict=True)
    }
    ask = _Asker(clip, features)
    unseen = _scenes(f"{split}-unseen", 1, scenes)
    ask.features |= {id(s): f for s, f in zip(unseen, _encode(clip, unseen), strict=True)}
    return {
        "model": Path(model).name,
        "split": split,
        "scenes": scenes,
        "kind": ask.share(single, kind_question),
        "colour": ask.share(single, colour_question),
        "place": ask.share(single, place_question),
        "pair": ask.share(single, pair_question),
        "unseen_pair": ask.share(unseen, pair_question),
        "unseen_kind": ask.share(unseen, kind_question),
        "unseen_colour": ask.share(unseen, colour_question),
        "hard_negatives": ask.share(pairs, hard_negatives),
        "colour_binding": ask.share(two_colours, exchanged_colours),
        "relations": ask.share(related, mirrored_relation),
    } | score_contrasts(clip, split)


def kind_question(scene: Scene) -> list[str]:
    """ "a cat" against every other kind."""
    thing = scene.things[0]
    return [with_article(plain_noun(kind)) for kind in _first(thing.kind, KINDS)]


def colour_question(scene: Scene) -> list[str]:
    """ "a red cat" against the cat in every other colour."""
    thing = scene.things[0]
    return [with_article(f"{colour} {plain_noun(thing.kind)}") for colour in _first(thing.colour, COLOURS)]


def place_question(scene: Scene) -> list[str]:
    """ "a red cat on the grass" against every other place."""
    phrase = with_article(scene.things[0].phrase)
    return [f"{phrase} {PLACE_PHRASES[place][0]}" for place in _first(scene.place, PLACES)]


def pair_question(scene: Scene) -> list[str]:
    """ "a red cat" against every other pair of colour and kind, 191 of them."""
    thing = scene.things[0]
    right = (thing.colour, thing.kind)
    pairs = _first(right, [(colour, kind) for colour in COLOURS for kind in KINDS])
    return [with_article(f"{colour} {plain_noun(kind)}") for colour, kind in pairs]


def hard_negatives(scene: Scene) -> list[str]:
    """ "a red cat and a blue car" against nine captions with one word replaced by another of its type."""
    words = [(thing.colour, thing.kind) for thing in scene.things]
    wrong = set()
    for i, (colour, kind) in enumerate(words):
        replaced = [(other, kind) for other in COLOURS if other != colour]
        replaced += [(colour, other) for other in KINDS if other != kind]
        wrong |= {(*words[:i], pair, *words[i + 1 :]) for pair in replaced}
    chosen = Random(f"negatives-{scene.split}-{scene.seed}").sample(sorted(wrong), NEGATIVES)
    return [_both(caption) for caption in (tuple(words), *chosen)]


def exchanged_colours(scene: Scene) -> list[str]:
    """The right caption of two things against the one with their colours exchanged."""
    (a, b), (c, d) = ((thing.colour, thing.kind) for thing in scene.things)
    return [_both(((a, b), (c, d))), _both(((c, b), (a, d)))]


def mirrored_relation(scene: Scene) -> list[str]:
    """ "a red cat left of a blue car" against the opposite."""
    a, b = scene.things
    stands = relation(a, b)
    if stands is None:
        raise ValueError("the two things stand in no clear relation")
    opposite = {"left": "right", "right": "left", "above": "below", "below": "above"}[stands]
    return [
        f"{with_article(a.phrase)} {RELATIONS[r][0]} {with_article(b.phrase)}" for r in (stands, opposite)
    ]


def score_contrasts(clip: Clip, split: str) -> dict[str, float]:
    """Mean score contrast (mSC, in [-1, 1]) of every thing's plain phrase, on balanced and on usual places."""
    totals: dict[str, list[float]] = {}
    for name, rule in (("", split), ("_usual_places", f"{split}-usual")):
        for scene in _scenes(rule, None, CONTRAST_SCENES):
            images = clip.prepare([draw_scene(scene, PIXELS)])
            encoding = ImageEncoding(clip, images)
            texts = clip.encode_texts(clip.tokenize([thing.phrase for thing in scene.things])).detach()
            masks = scene_masks(scene, PIXELS)
            for method in ("itsm", "relevance", "gradcam"):
                maps = METHODS[method].image_map(encoding, texts)[0].detach().cpu().numpy()
                contrasts = [msc(m, mask) for m, mask in zip(maps, masks, strict=True)]
                totals.setdefault(f"msc_{method}{name}", []).extend(contrasts)
    return {name: round(float(np.mean(values)), 4) for name, values in totals.items()}


class _Asker:
    """Answers questions from features of pictures, encoding every caption once."""

    def __init__(self, clip: Clip, features: dict[int, Tensor]) -> None:
        self.clip, self.features = clip, features
        self.texts: dict[str, Tensor] = {}

    def share(self, scenes: list[Scene], question: Question) -> float:
        """The share of scenes whose first caption has the highest cosine."""
        captions = [question(scene) for scene in scenes]
        self._read(captions)
        right = 0
        for scene, choices in zip(scenes, captions, strict=True):
            cosines = torch.stack([self.texts[choice] for choice in choices]) @ self.features[id(scene)]
            right += int(cosines.argmax() == 0)
        return round(right / len(scenes), 4)

    @torch.no_grad()
    def _read(self, captions: list[list[str]]) -> None:
        new = sorted({choice for choices in captions for choice in choices} - self.texts.keys())
        for start in range(0, len(new), 256):
            batch = new[start : start + 256]
            rows = self.clip.encode_texts(self.clip.tokenize(batch)).cpu()
            self.texts |= dict(zip(batch, rows, strict=True))


@torch.no_grad()
def _encode(clip: Clip, scenes: list[Scene]) -> Iterator[Tensor]:
    for start in range(0, len(scenes), BATCH):
        pictures = [draw_scene(scene, PIXELS) for scene in scenes[start : start + BATCH]]
        yield from clip.encode_images(clip.prepare(pictures)).cpu()


def _scenes(split: str, things: int | None, count: int) -> list[Scene]:
    return [sample_scene(seed, split, things=things) for seed in range(count)]


def _two_kinds(scene: Scene) -> bool:
    return len({thing.kind for thing in scene.things}) == 2


def _first(right: object, choices: object) -> list:  # type: ignore[type-arg]
    return [right, *(choice for choice in choices if choice != right)]  # type: ignore[attr-defined]


def _both(words: tuple[tuple[str, str], ...]) -> str:
    return " and ".join(with_article(f"{colour} {plain_noun(kind)}") for colour, kind in words)

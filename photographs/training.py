"""Trains `photo`: a text tower from scratch and a linear head on a frozen trunk. Captions, names, terms and places.

    L = L_captions + w_names L_names + w_places L_places + w_terms L_terms + w_maps L_maps + w_taught L_taught

L_captions: InfoNCE of photographs and captions (Radford et al. 2021). L_names: the same of classes' features and names
(`names.py`). L_terms: 1 - cos of a term's text (a word or two, `captions.py`) with its prototype (`closed_form.py`).
L_places: InfoNCE of captions, with a soft maximum over a photograph's P places as its score,

    s(x, t) = 1/tau log( 1/P sum_p exp(tau cos(e_p, t)) )

so that a few places are enough, as in multiple-instance learning. L_maps: 1 - r, for r the correlation over places of a
class's name with the trunk's own classifier, in photographs that it is sure of (class activation maps, Zhou et al.
2016). L_taught: 1 - cos of every text but "a person" with what earlier runs make of it (`teachers.py`), where there
are any. The pooled feature of some photographs is that of a part of them, so that no photograph is always the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from open_clip import get_tokenizer
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from explain.towers import text_features
from photographs import clip_model
from photographs.backbone import features, pretrained
from photographs.captions import Vocabulary, caption_of, known_words
from photographs.closed_form import closed_form_head, found_somewhere, prototypes
from photographs.data import training_photos
from photographs.losses import a_part, correlation, seen_parts, soft_maximum
from photographs.names import CLASSES, SURE, Names, class_features
from photographs.teachers import Teachers
from training.contrastive import contrastive_loss, symmetric_loss
from training.run import Recipe, Run, adamw, averageable
from training.tokenizer import train_tokenizer

CHUNK = 128  # texts of one run of the tower, alike in length
PEOPLE = 8  # of a step's terms ask for "person", as ImageNet has no such class
TOKENS = "tokenizer.json"
DESCRIBED = 5  # captions that would name a person if there were one


@dataclass(frozen=True, kw_only=True)
class PhotoRecipe(Recipe):
    """How to train `photo`: weights of the losses, and how many names and terms a step asks for."""

    batch: int = 512
    lr: float = 1.5e-3
    head_rate: float = 0.01  # of lr: a head that moves far learns what stands around objects
    warmup: float = 0.05
    ema: float = 0.995
    names_weight: float = 0.5
    places_weight: float = 0.5
    terms_weight: float = 8.0
    maps_weight: float = 0.5
    taught_weight: float = 8.0
    names: int = 256
    terms: int = 128
    sharpness: float = 20.0  # tau
    parts: float = 0.5  # the share of photographs of which a part is seen

    @property
    def identity(self) -> dict[str, Any]:
        weights = (
            "head_rate",
            "names_weight",
            "places_weight",
            "terms_weight",
            "maps_weight",
            "taught_weight",
            "sharpness",
            "parts",
        )
        return {name: getattr(self, name) for name in ("names", "terms", *weights)}


@dataclass(frozen=True)
class Batch:
    """Photographs by number with a caption each, classes by number with a name each and the photograph that stands for
    it (-1: its made-up feature), terms by number with a text each.
    """

    photos: list[int]
    captions: list[str]
    classes: list[int]
    stand_ins: list[int]
    names: list[str]
    terms: list[int]
    texts: list[str]
    parts: list[tuple[slice, slice]]  # rows and columns of each photograph that are seen of it as a whole


class Trained(nn.Module):
    """Holds what is trained: the text tower, the head, and a temperature each for whole pictures and for places."""

    def __init__(self) -> None:
        super().__init__()
        model = clip_model.new_model()
        self.text, self.head = model.text, model.visual.head.proj
        with torch.no_grad():
            self.text.text_projection[:, -1] = 0  # beside the head's constant
        self.logit_scale = nn.Parameter(torch.tensor(math.log(20.0)))
        self.place_scale = nn.Parameter(torch.tensor(math.log(20.0)))


def optimizers(model: Trained, recipe: PhotoRecipe) -> list[torch.optim.Optimizer]:
    """AdamW for the text tower and the temperatures, and for the head at a rate of its own."""
    head = torch.optim.AdamW(
        model.head.parameters(),
        lr=recipe.head_rate * recipe.lr,
        weight_decay=0.0,
        betas=(0.9, 0.98),
        eps=1e-6,
    )
    model.head.requires_grad_(False)  # what `adamw` leaves out
    rest = adamw(model, recipe)
    model.head.requires_grad_()
    return [*rest, head]


class PhotoTraining(Run):
    """Training of `photo` on a folder of photographs; their features are made once and kept in the run's folder."""

    recipe: PhotoRecipe

    def __init__(
        self,
        recipe: PhotoRecipe,
        folder: Path,
        device: str,
        data: Path,
        backbone: Path | None = None,
        teachers: Sequence[Path] = (),
    ) -> None:
        torch.manual_seed(recipe.seed)
        model = Trained().to(device)
        super().__init__(recipe, folder, device, model, optimizers(model, recipe))
        self.photos = training_photos(data)
        self.trunk = pretrained(backbone)
        self.places = features(self.trunk, self.photos, folder / "features")
        self.vocabulary, self.names = Vocabulary(self.photos), Names()
        pooled = self.places.float().mean(1)
        classifier = self.trunk.classifier
        self.class_features = class_features(pooled, classifier.weight)
        self.stand_ins: dict[int, list[int]] = defaultdict(list)
        sure, classes = classifier(pooled).softmax(1).max(1)
        for number in (sure > SURE).nonzero().flatten().tolist():
            self.stand_ins[int(classes[number])].append(number)
        if not (folder / TOKENS).is_file():
            texts = [text for photo in self.photos for text in (*photo.captions, *photo.statements)]
            train_tokenizer(texts + self.names.texts, folder, clip_model.PIECES)
            known = sorted(known_words(self.photos) | self.names.words)
            (folder / "words.txt").write_text("\n".join(known) + "\n")
        head = closed_form_head(self.places, self.vocabulary.having, clip_model.EMBED_DIM)
        self.teachers = Teachers(teachers, device) if teachers else None
        if self.teachers:
            head.load_state_dict(self.teachers.head())
        model.head.load_state_dict(head.state_dict())
        if self.teachers and len(teachers) == 1:
            if (teachers[0] / TOKENS).read_bytes() != (folder / TOKENS).read_bytes():
                raise ValueError(
                    f"{teachers[0].name} cannot be gone on from: it cuts texts into other pieces"
                )
            model.load_state_dict(self.teachers.tower(), strict=False)
        self.ema = {name: averageable(value) for name, value in model.state_dict().items()}
        self.prototypes = self._prototypes(head).to(device)
        clip_model.save(self.trunk, self.ema, folder)
        self.tokenizer = get_tokenizer(f"local-dir:{folder}")
        self._ids: dict[str, Tensor] = {}

    def batches(self) -> Iterator[Batch]:
        step = self.progress.step
        per_epoch = len(self.photos) // self.recipe.batch
        while True:
            order = list(range(len(self.photos)))
            Random(f"{self.recipe.seed}-epoch-{step // per_epoch}").shuffle(order)
            first = step % per_epoch * self.recipe.batch
            yield self._batch(order[first : first + self.recipe.batch], Random(f"{self.recipe.seed}-{step}"))
            step += 1

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        recipe, model = self.recipe, self.model
        places = self.places[batch.photos].to(self.device).float()
        texts = self._read(batch.captions + batch.names + batch.texts)
        captions, names, terms = texts.split([len(batch.captions), len(batch.names), len(batch.texts)])
        encode = partial(_unit, model.head)
        scale, place_scale = model.logit_scale.exp(), model.place_scale.exp()
        caption_loss, accuracy = contrastive_loss(encode(seen_parts(places, batch.parts)), captions, scale)
        name_loss, _ = contrastive_loss(encode(self._class_features(batch)), names, scale)
        dense = encode(places)
        place_loss, _ = symmetric_loss(place_scale * soft_maximum(dense, captions, recipe.sharpness))
        term_loss = 1 - (terms * self.prototypes[batch.terms]).sum(1).mean()
        map_loss = self._map_loss(batch, names)
        taught_loss = self._taught_loss(batch, texts)
        total = (
            caption_loss
            + recipe.names_weight * name_loss
            + recipe.places_weight * place_loss
            + recipe.terms_weight * term_loss
            + recipe.maps_weight * map_loss
            + recipe.taught_weight * taught_loss
        )
        parts = {
            "captions": caption_loss,
            "names": name_loss,
            "places": place_loss,
            "terms": term_loss,
            "maps": map_loss,
            "taught": taught_loss,
        }
        figures = {name: part.item() for name, part in parts.items()}
        return total, figures | {"in-batch accuracy": accuracy.item()}

    def constrain(self) -> None:
        for scale in (self.model.logit_scale, self.model.place_scale):
            scale.clamp_(max=math.log(100))
        # The last number is the head's constant, and no text has one.
        self.model.head.weight[-1] = 0
        self.model.text.text_projection[:, -1] = 0

    def export(self) -> None:
        clip_model.save(self.trunk, self.ema, self.folder)

    def _prototypes(self, head: nn.Linear) -> Tensor:
        """Unit vectors (T, D) of all terms; that of people from photographs with many captions."""
        having = self.vocabulary.having
        found = prototypes(self.places, having, head)
        described = [row for row, photo in enumerate(self.photos) if len(photo.captions) >= DESCRIBED]
        person = self.vocabulary.person
        if person is not None and len(set(having[described, person].tolist())) == 2:
            found[person] = found_somewhere(self.places[described], having[described, person], head)
        return found

    def _batch(self, photos: list[int], rng: Random) -> Batch:
        classes = rng.sample(range(CLASSES), self.recipe.names)
        stand_ins = [
            rng.choice(self.stand_ins[c]) if self.stand_ins[c] and rng.random() < 0.6 else -1 for c in classes
        ]
        there = sorted({term for photo in photos for term in self.vocabulary.of[photo]})
        terms = rng.sample(there, min(self.recipe.terms, len(there)))
        person = self.vocabulary.person
        if person in there:
            terms = [person] * min(PEOPLE, len(terms)) + [term for term in terms if term != person][PEOPLE:]
        return Batch(
            photos,
            [caption_of(self.photos[photo], rng) for photo in photos],
            classes,
            stand_ins,
            [self.names.text(number, rng) for number in classes],
            terms,
            [self.vocabulary.text(term, rng) for term in terms],
            [a_part(rng) if rng.random() < self.recipe.parts else (slice(None), slice(None)) for _ in photos],
        )

    def _class_features(self, batch: Batch) -> Tensor:
        made_up = self.class_features[batch.classes].clone()
        real = [row for row, photo in enumerate(batch.stand_ins) if photo >= 0]
        made_up[real] = self.places[[batch.stand_ins[row] for row in real]].float().mean(1)
        return made_up.to(self.device)

    def _map_loss(self, batch: Batch, names: Tensor) -> Tensor:
        """How unlike the classifier's maps those of names (C, D) are; 0 where no photograph stands for a class."""
        rows = [row for row, photo in enumerate(batch.stand_ins) if photo >= 0]
        if not rows:
            return names.new_zeros(())
        places = self.places[[batch.stand_ins[row] for row in rows]].to(self.device).float()
        weights = self.trunk.classifier.weight[[batch.classes[row] for row in rows]].to(self.device)
        known = torch.einsum("npc,nc->np", places, weights)
        said = torch.einsum("npd,nd->np", _unit(self.model.head, places), names[rows])
        return 1 - correlation(known, said).mean()

    def _taught_loss(self, batch: Batch, texts: Tensor) -> Tensor:
        """How far texts (T, D) but "a person" are from what the teachers make of them; 0 without teachers."""
        if self.teachers is None:
            return texts.new_zeros(())
        numbers = [None] * (len(batch.captions) + len(batch.names)) + batch.terms
        rows = [
            row for row, number in enumerate(numbers) if number is None or number != self.vocabulary.person
        ]
        asked = [*batch.captions, *batch.names, *batch.texts]
        theirs = self.teachers.read([asked[row] for row in rows]).to(texts)
        return 1 - (texts[rows] * theirs).sum(1).mean()

    def _read(self, texts: list[str]) -> Tensor:
        """Features (T, D) of unit norm, read in chunks of like length, as attention pays for the longest."""
        new = [text for text in dict.fromkeys(texts) if text not in self._ids]
        if new:
            self._ids |= dict(zip(new, self.tokenizer(new), strict=True))
        ids = torch.stack([self._ids[text] for text in texts]).to(self.device)
        order = ids.argmax(1).argsort()
        with sdpa_kernel(SDPBackend.MATH):  # of short texts faster than the fused kernel
            rows = torch.cat([text_features(self.model, ids[part]) for part in order.split(CHUNK)])
        return F.normalize(rows[order.argsort()], dim=-1)


def _unit(head: nn.Linear, features: Tensor) -> Tensor:
    return F.normalize(head(features), dim=-1)

"""PromptLearner: prompts whose words around the names of classes are learnt, as vectors.

Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022 (arXiv 2109.01134, CoOp). The prompt of a class
is [start] v_1 .. v_M name . [end], with the name behind the context v, in its middle, or before it; what is learnt is
v, in the space of the tokens' embeddings. Everything else is the model's and stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.clip.model import Clip
from explain.clip.prompts import MAX_CHARACTERS, unseen_words
from explain.inputs.words import find_words
from explain.relevance.texts import RecordedTexts, record_texts
from guidance.checks import choice, shown, text, whole
from guidance.seeding import MAX_SEED

POSITIONS = ("end", "middle", "front")
MAX_CONTEXT = 16
SPREAD = 0.02  # standard deviation of a context that starts at random


@dataclass(frozen=True)
class ContextSettings:
    """`tokens`: how many are learnt (1 to 16). `position`: where the name stands, of POSITIONS. `class_specific`: every
    class learns its own context, in place of one for all. `phrasing`: the context starts as the tokens of these words,
    which then are `tokens` themselves; where it has a {}, that is where the name stands. Empty: it starts at random.
    ValueError for what is not allowed.
    """

    tokens: int = MAX_CONTEXT
    position: str = "middle"
    class_specific: bool = False
    phrasing: str = ""

    def __post_init__(self) -> None:
        whole("tokens", self.tokens, 1, MAX_CONTEXT)
        choice("position", self.position, POSITIONS)
        if not isinstance(self.class_specific, bool):
            raise ValueError(f"class_specific is {shown(self.class_specific)}; allowed: True, False")
        text("the phrasing", self.phrasing, MAX_CHARACTERS, empty=True)


class PromptLearner:
    """The prompts of C classes for one model.

    `context` (M, D), or (C, M, D) where it is class-specific, is what is learnt; `texts` (C, L) are ids, whose context
    is a filler; `name_tokens` (C, L) says which tokens are the class's name. ValueError for names that are empty,
    the same, or too long for the model's context beside what is learnt.
    """

    def __init__(
        self, clip: Clip, names: Sequence[str], settings: ContextSettings | None = None, seed: int = 0
    ) -> None:
        self.clip, self.settings = clip, settings or ContextSettings()
        self.names, seed = read_names(names), whole("seed", seed, 0, MAX_SEED, "2^63 - 1")
        start, slot = _phrasing(clip, self.settings.phrasing)
        count = self.settings.tokens if start is None else len(start)
        before = {"end": count, "middle": count // 2, "front": 0}[self.settings.position]
        rows = [_row(clip, name, count, before if slot is None else slot) for name in self.names]
        device = clip.device
        self.texts = torch.stack([row.ids for row in rows]).to(device)
        self.name_tokens = torch.stack([row.named for row in rows]).to(device)
        self._slots = torch.stack([row.slots for row in rows]).to(device)
        with torch.no_grad():
            self._fixed = towers.embed(clip.model, self.texts)
        if start is None:
            shape = (len(rows),) * self.settings.class_specific + (count, self._fixed.shape[-1])
            start = SPREAD * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        elif self.settings.class_specific:
            start = start.expand(len(rows), -1, -1)
        self.context = start.to(self._fixed).clone().requires_grad_()

    def embeddings(self, classes: Tensor | None = None) -> Tensor:
        """(C, L, D), differentiable in the context; of some classes alone where their numbers are given."""
        slots, fixed, context = self._slots, self._fixed, self.context
        if classes is not None:
            slots, fixed = slots[classes], fixed[classes]
            context = context[classes] if context.dim() == 3 else context
        if context.dim() == 2:
            context = context.expand(len(slots), -1, -1)
        learnt = context.gather(1, slots.clamp(min=0)[..., None].expand(-1, -1, context.shape[-1]))
        return torch.where(slots[..., None] >= 0, learnt, fixed)

    def record(self, classes: Tensor | None = None) -> RecordedTexts:
        """One run of the text tower over the prompts, its attentions open, differentiable in the context."""
        texts = self.texts if classes is None else self.texts[classes]
        return record_texts(self.clip, texts, embeddings=self.embeddings(classes))

    @torch.no_grad()
    def features(self) -> Tensor:
        """The prompts' features (C, D), unit norm."""
        raw = towers.text_features(self.clip.model, self.texts, self.embeddings())
        return F.normalize(raw, dim=-1)


def name_notes(clip: Clip, names: Sequence[str]) -> tuple[str, ...]:
    """Returns notes on names: words never seen in training, where those that were are known."""
    unseen = [word for name in names for word in unseen_words(clip, find_words(clip.tokenizer, name).words)]
    listed = ", ".join(shown(word) for word in dict.fromkeys(unseen))
    return (f"never seen in training: {listed}",) if unseen else ()


@dataclass(frozen=True, eq=False)
class _Row:
    """One prompt: `ids` (L,), `slots` (L,) the number of the context token that stands there, or -1, and `named` (L,)
    whether a token is the name's.
    """

    ids: Tensor
    slots: Tensor
    named: Tensor


def _row(clip: Clip, name: str, count: int, before: int) -> _Row:
    """The name is read as it stands in a sentence: some tokenizers write a word differently at the beginning."""
    lead = "a " if before else ""
    found = find_words(clip.tokenizer, f"{lead}{name}.")
    ids = clip.tokenize([f"{lead}{name}."])[0].cpu()
    words = found.words[1 if lead else 0 :]
    dotted = len(words) > 1 and words[-1].text.startswith(".")
    if not words or found.cut:
        raise ValueError(f"the class name {shown(name)} has no words, or more than {clip.name} can read")
    end = words[-1].stop
    stop = words[-1].start if dotted else end
    filler = ids[words[0].start : words[0].start + 1]  # any token that ends no text
    body = [
        filler.expand(before),
        ids[words[0].start : stop],
        filler.expand(count - before),
        ids[stop:end],
    ]
    room = found.limit - count - (end - stop)
    if stop - words[0].start > room:
        raise ValueError(
            f"the class name {shown(name)} takes {stop - words[0].start} tokens; {clip.name} reads {found.limit}, and "
            f"{count} of context leave room for {max(0, room)}"
        )
    first = clip.start_tokens
    row = torch.cat([ids[:first], *body, ids[end:]])[: len(ids)]
    if len(row) < len(ids):  # the lead took more than it gave
        row = torch.cat([row, ids[-1:].expand(len(ids) - len(row))])
    slots, named = torch.full_like(row, -1), torch.zeros_like(row, dtype=torch.bool)
    begins = first + before
    ends = begins + stop - words[0].start
    slots[first:begins] = torch.arange(before)
    slots[ends : ends + count - before] = torch.arange(before, count)
    named[begins:ends] = True
    return _Row(row, slots, named)


def _phrasing(clip: Clip, phrasing: str) -> tuple[Tensor | None, int | None]:
    """The embeddings (M, D) of a phrasing's tokens, and how many of them stand before the name where it says so; None
    for each that there is not.
    """
    lead, slot, rest = phrasing.partition("{}")
    before, after = _tokens(clip, lead, 0), _tokens(clip, f"a {rest.rstrip(' .')}", 1)
    ids = torch.cat([before, after])
    if not len(ids) and not slot:
        return None, None
    if not 1 <= len(ids) <= MAX_CONTEXT or "{}" in rest:
        raise ValueError(
            f"the phrasing {shown(phrasing)} has {len(ids)} tokens beside the name; "
            f"allowed: 1 to {MAX_CONTEXT}, and one {{}} for the name"
        )
    with torch.no_grad():
        return towers.embed(clip.model, ids[None].to(clip.device))[0].cpu(), len(before) if slot else None


def _tokens(clip: Clip, text: str, skipped: int) -> Tensor:
    """The ids (M,) of a text's words but the first `skipped`, as they stand in it."""
    found = find_words(clip.tokenizer, text)
    words = found.words[skipped:]
    ids = clip.tokenize([text])[0].cpu()
    # One that was cut has too many, whatever the number.
    return ids.repeat(2) if found.cut else ids[words[0].start : words[-1].stop] if words else ids[:0]


def read_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names as prompts have them: underscores are spaces, as in folders of pictures, and a full stop comes behind the
    prompt. ValueError for fewer than two, for none, and for two that differ in capitals alone: CLIP reads none.
    """
    if len(names) < 2:
        raise ValueError(f"{len(names)} classes; allowed: 2 or more")
    read, seen = [], set()
    for number, given in enumerate(names, start=1):
        name = text(f"the name of class {number}", given, MAX_CHARACTERS, empty=True).replace("_", " ")
        name = " ".join(name.split()).rstrip(".")
        if not name:
            raise ValueError(f"class {number} has no name; allowed: a word or more")
        if name.lower() in seen:
            raise ValueError(f"two classes are called {shown(name)}; allowed: different names")
        read.append(name)
        seen.add(name.lower())
    return tuple(read)

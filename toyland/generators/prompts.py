"""toy-sd's CLIPTokenizer: byte-level BPE in the format of OpenAI's CLIP, with merges learnt from Toyland captions, so
that every word of the world is one token and any other text is spelt out in bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from toyland.generators.scenes import DrawnScenes

CONTEXT_LENGTH = 32
WORD_END = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"
CAPTIONS = 20_000
MERGES = 1500  # more than there are: words are merged to the end


def caption_tokenizer(captions: Iterable[str] | None = None) -> CLIPTokenizer:
    """A CLIPTokenizer whose merges were learnt from captions (default: of training scenes). Its end token, which pads
    too, has the largest id.
    """
    merges = _merges(sample_captions(CAPTIONS) if captions is None else captions)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(letter + WORD_END for letter in letters), *("".join(pair) for pair in merges)]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys([*tokens, START, END]))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CONTEXT_LENGTH)


def sample_captions(count: int) -> list[str]:
    """Captions of `count` training scenes, as the generators see them."""
    scenes = DrawnScenes(64, 1, seed=98)
    return [scenes.scene(number)[1] for number in range(count)]


def _merges(captions: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs in the order in which they are merged."""
    like = CLIPTokenizer().backend_tokenizer
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=WORD_END))
    tokenizer.normalizer, tokenizer.pre_tokenizer = like.normalizer, like.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=2 * len(pre_tokenizers.ByteLevel.alphabet()) + MERGES,
        min_frequency=2,
        end_of_word_suffix=WORD_END,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]

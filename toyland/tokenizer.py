"""The small byte-level BPE tokenizer of the built-in models, trained on Toyland captions.

`<pad>` is 0 and `<end>` has the largest id, because open_clip pools the text tower where the id is largest.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

from toyland.captions import write_caption
from toyland.scene import sample_scene

CONTEXT_LENGTH = 32
VOCABULARY_SIZE = 1024
PAD, START, END = "<pad>", "<start>", "<end>"


def sample_captions(count: int, seed: int = 0) -> list[str]:
    """Captions of the first `count` training scenes."""
    rng = Random(seed)
    return [write_caption(sample_scene(number, "train"), rng) for number in range(count)]


def train_tokenizer(captions: list[str], directory: Path) -> None:
    """Train on captions and write a Hugging Face fast tokenizer and `words.txt`, every word seen, to a directory."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - 1,
        special_tokens=[PAD, START],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.add_special_tokens([END])
    ids = {token: tokenizer.token_to_id(token) for token in (PAD, START, END)}
    if ids[PAD] != 0 or ids[END] != tokenizer.get_vocab_size() - 1:
        raise RuntimeError(f"special tokens have the wrong ids: {ids}")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(token, ids[token]) for token in (START, END)]
    )
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": CONTEXT_LENGTH,
        "pad_token": PAD,
        "bos_token": START,
        "eos_token": END,
        "clean_up_tokenization_spaces": False,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    words = sorted({word for caption in captions for word in re.findall(r"[a-z]+", caption)})
    (directory / "words.txt").write_text("\n".join(words) + "\n")

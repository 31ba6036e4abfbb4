"""Trains the small byte-level BPE tokenizers of the built-in models.

`<pad>` is 0 and `<end>` has the largest id, because open_clip pools the text tower where the id is largest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

CONTEXT_LENGTH = 32
PAD, START, END = "<pad>", "<start>", "<end>"


def train_tokenizer(texts: Sequence[str], directory: Path, pieces: int) -> None:
    """Trains on texts and writes a Hugging Face fast tokenizer of so many pieces, and `words.txt`, every word seen."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces - 1,
        special_tokens=[PAD, START],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
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
    words = sorted({word for text in texts for word in re.findall(r"[a-z]+", text.lower())})
    (directory / "words.txt").write_text("\n".join(words) + "\n")

"""Words of a prompt and the tokens they are made of, for every tokenizer of open_clip."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import regex
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor

# A word is a run of letters, marks and digits with the apostrophes inside it; anything else is a run of its
# own. Joiners and variation selectors belong to what they join, so an emoji family is one word and an
# accent stays on its letter.
_JOINERS = r"\p{M}\u200c\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff"
_WORD = regex.compile(rf"[\p{{L}}\p{{N}}][\p{{L}}\p{{N}}{_JOINERS}]*(?:['’][\p{{L}}]+)*|[^\s\p{{L}}\p{{N}}]+")
_lock = threading.Lock()  # fast tokenizers keep their padding and truncation as state


@dataclass(frozen=True)
class Word:
    """A printable word, and its tokens [start, stop) as positions in the row of ids."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True)
class Words:
    """The words of one prompt that fit the context; `cut`: whether some did not, `limit`: tokens that fit."""

    words: list[Word]
    cut: bool
    limit: int


def tokenize(tokenizer, prompts: Sequence[str]) -> Tensor:
    """Prompts -> ids (B, L). A start, end or padding token written out in a prompt is read as plain text."""
    plain = [_without_specials(tokenizer, prompt) for prompt in prompts]
    with _lock:
        return tokenizer(plain)


def find_words(tokenizer, prompt: str) -> Words:
    """The words of a prompt as the tokenizer reads it (cleaned, perhaps lower-cased), with their token spans.

    Tokens that split a word, or a character into bytes, all belong to that word.
    """
    prompt = _without_specials(tokenizer, prompt)
    with _lock:
        if isinstance(tokenizer, SimpleTokenizer):
            text, first, spans, limit = _simple_spans(tokenizer, prompt)
        elif isinstance(tokenizer, HFTokenizer) and tokenizer.tokenizer.is_fast:
            text, first, spans, limit = _fast_spans(tokenizer, prompt)
        else:
            raise ValueError(
                f"tokenizers of type {type(tokenizer).__name__} are not supported: SimpleTokenizer, HFTokenizer"
            )
    matches = [match.span() for match in _WORD.finditer(text)]
    words: list[Word] = []
    last = None
    for position, span in enumerate(spans[:limit], start=first):
        index = _owner(matches, span, text, last)
        if index is None:
            continue
        if index == last:
            words[-1] = Word(words[-1].text, words[-1].start, position + 1)
        else:
            words.append(Word(text[slice(*matches[index])], position, position + 1))
        last = index
    return Words(words, len(spans) > limit, limit)


def _owner(matches: list[tuple[int, int]], span: tuple[int, int], text: str, last: int | None) -> int | None:
    """The index of the word that a token's characters [start, end) lie in.

    A token of white space alone belongs to the next word; one without characters (the second byte of a
    character, in some tokenizers) to the last word.
    """
    start, end = span
    if start == end:
        return last
    while start < end - 1 and text[start].isspace():
        start += 1
    floor = 0 if last is None else last
    return next((i for i in range(floor, len(matches)) if matches[i][1] > start), last)


def _simple_spans(tokenizer: SimpleTokenizer, prompt: str) -> tuple[str, int, list[tuple[int, int]], int]:
    """Cleaned text, position of the first printable token, a character span per token, tokens that fit."""
    text = tokenizer.clean_fn(prompt)
    spans = []
    for match in tokenizer.pat.finditer(text):
        piece = "".join(tokenizer.byte_encoder[byte] for byte in match.group().encode("utf-8"))
        spans += [match.span()] * len(tokenizer.bpe(piece).split(" "))
    return text, 1, spans, tokenizer.context_length - 2


def _fast_spans(tokenizer: HFTokenizer, prompt: str) -> tuple[str, int, list[tuple[int, int]], int]:
    """Returns what `_simple_spans` does, from a fast Hugging Face tokenizer: byte-level BPE or sentencepiece."""
    text = tokenizer.clean_fn(prompt)
    encoding = tokenizer.tokenizer(
        text, return_offsets_mapping=True, return_special_tokens_mask=True, truncation=False, verbose=False
    )
    special = encoding["special_tokens_mask"]
    printable = [position for position, flag in enumerate(special) if not flag]
    spans = [tuple(encoding["offset_mapping"][position]) for position in printable]
    return text, (printable[0] if printable else 0), spans, tokenizer.context_length - sum(special)


def _without_specials(tokenizer, prompt: str) -> str:
    """The prompt, cleaned, with a space inside every special token written out in it, so that it is text.

    Cleaning undoes HTML escapes, two levels at a time, so it is repeated: `&lt;end&gt;`.
    """
    for _ in range(8):
        before, prompt = prompt, tokenizer.clean_fn(prompt)
        if prompt == before:
            break
    inner = getattr(tokenizer, "tokenizer", None)
    specials = ("<start_of_text>", "<end_of_text>") if inner is None else inner.all_special_tokens
    for special in sorted(specials, key=len, reverse=True):
        if len(special) > 1:
            first, rest = special[0], special[1:]
            prompt = regex.sub(
                rf"({regex.escape(first)})({regex.escape(rest)})", r"\1 \2", prompt, flags=regex.I
            )
    return prompt
